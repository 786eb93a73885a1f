"""Products of small arrays, on one thread.

BLAS, which computes NumPy's products, divides one of half a million multiplications among threads.
That saves a few microseconds while a core is idle. Where another program has the core, the product
waits for it, for milliseconds: a thousand times as long. So what is small is computed in parts that
one thread computes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinynet._support.arrays import Array

# Multiplications: fewer than this are computed on one thread by OpenBLAS.
_ONE_THREAD = 1 << 19
# From here on threads save enough time.
_LARGE = 1 << 21


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
