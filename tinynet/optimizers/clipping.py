"""Gradients within limits."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array, sum_of_squares


def clip(grads: Array, most: float | None, limit: float | None, out: Array) -> Array:
    """Return `grads` clipped to the norm `most` or to ±`limit`: themselves, or in `out`."""
    if most is not None and (size := _norm(grads, out)) > most:
        return np.multiply(grads, most / size, out=out)
    if limit is not None:
        return np.maximum(np.minimum(grads, limit, out=out), -limit, out=out)
    return grads


def _norm(array: Array, out: Array) -> float:
    """Return the Euclidean norm, also where squares overflow or underflow; `out` is scratch."""
    flat = array.ravel("K")
    square = sum_of_squares(flat)
    if 1e-30 < square < math.inf or math.isnan(square):
        return math.sqrt(square)
    largest = float(np.abs(array, out=out).max(initial=0))
    if largest in (0, math.inf):
        return largest
    flat = np.divide(array, largest, out=out).ravel("K")
    return largest * math.sqrt(sum_of_squares(flat))
