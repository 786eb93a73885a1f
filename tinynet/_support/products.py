"""Products of small arrays, on one thread.

BLAS computes NumPy's products. It divides one of half a million multiplications among threads,
which saves a few microseconds while a core is idle. Where another program has the core, the product
waits for milliseconds: a thousand times as long. So a small product is computed in parts that are
too small to be divided.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinynet._support.arrays import Array

_ONE_THREAD = 1 << 19  # multiplications: OpenBLAS computes fewer than this on one thread
_LARGE = 1 << 21  # multiplications: from here on threads save enough time


def dot_for(multiplications: int) -> Callable[[Array, Array, Array], Array]:
    """Return ``dot(one, other, out)`` for a model whose largest product is of this size."""
    return _dot_in_parts if _ONE_THREAD <= multiplications < _LARGE else np.ndarray.dot


def _dot_in_parts(one: Array, other: Array, out: Array) -> Array:
    """Return ``one.dot(other, out)``, computed some rows at a time."""
    multiplications = out.size * len(other)
    if multiplications < _ONE_THREAD:
        return one.dot(other, out)
    rows = max(1, len(out) // (multiplications // _ONE_THREAD + 1))
    for start in range(0, len(out), rows):
        stop = start + rows
        one[start:stop].dot(other, out[start:stop])
    return out
