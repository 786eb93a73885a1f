"""Products of small arrays, on one thread.

BLAS computes NumPy's products. It divides a larger one among threads, which saves a few
microseconds while a core is idle. Where another program has the core, the product waits for
milliseconds: a thousand times as long. So a small product is computed in parts that are too small
to be divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tinynet._support.arrays import ON_ONE_THREAD, Array

# Multiplications: OpenBLAS computes fewer than this on one thread. Of two vectors it computes only
# 10,000 so, and ON_ONE_THREAD is less than that.
_ONE_THREAD = 1 << 19
_ONE_THREAD_WITH_VECTOR = 460_800  # where one of the two is a vector
_LARGE = 1 << 21  # multiplications: from here on threads save enough time


def dot_for(multiplications: int, longest: int) -> Callable[[Array, Array, Array], Array]:
    """Return ``dot(one, other, out)`` for a layer.

    `multiplications` are those of the largest product of the model, and `longest` is the longest
    axis of the layer's arrays.
    """
    is_undivided = multiplications < _ONE_THREAD_WITH_VECTOR and longest < ON_ONE_THREAD
    return np.ndarray.dot if is_undivided or multiplications >= _LARGE else product


def product(one: Array, other: Array, out: Array) -> Array:
    """Return ``one.dot(other, out)`` of two matrices, computed in parts if it is small."""
    multiplications = out.size * len(other)
    if 1 in (one.size, other.size, out.size):  # the two are vectors, or a number and a vector
        limit = ON_ONE_THREAD
    else:
        limit = _ONE_THREAD_WITH_VECTOR if 1 in out.shape else _ONE_THREAD
    if not limit <= multiplications < _LARGE:
        return one.dot(other, out)
    n_parts = multiplications // limit + 1
    if len(out) == 1:
        return _row_in_parts(one, other, out, n_parts)
    if len(out) < out.shape[1] >= 2 * n_parts and other.flags.f_contiguous:
        # BLAS copies `other` for each part. Where it is transposed, as in dZ Aᵀ, that takes long.
        for columns in _parts(out.shape[1], n_parts):
            np.matmul(one, other[:, columns], out[:, columns])
        return out
    step = len(out) // n_parts or 1
    # A single row may be as large again, or be a vector as `other` is.
    dot = product if step == 1 or 1 in other.shape else np.ndarray.dot
    for start in range(0, len(out), step):
        rows = slice(start, start + step)
        dot(one[rows], other, out[rows])
    return out


def _row_in_parts(one: Array, other: Array, out: Array, n_parts: int) -> Array:
    """Return ``one.dot(other, out)``, where `one` and `out` are a row."""
    length, size = other.shape
    if size >= n_parts:
        for columns in _parts(size, n_parts):
            product(one, other[:, columns], out[:, columns])
    else:
        out.fill(0)
        for terms in _parts(length, n_parts):
            out += one[:, terms].dot(other[terms])
    return out


def _parts(size: int, n_parts: int) -> Iterator[slice]:
    """Yield `n_parts` parts of an axis, or a few more, none of which is larger."""
    step = size // n_parts
    for start in range(0, size, step):
        yield slice(start, start + step)
