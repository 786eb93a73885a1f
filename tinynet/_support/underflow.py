"""Exponentials that are 0 where they would be subnormal, and limits of their arguments.

Numbers below the smallest normal one have few digits, and some processors compute with them, and
exponentials that give them, 10 to 40 times as slowly. Next to the other terms they mean nothing.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, constant

_BLOCK = 1 << 13  # numbers at a time where no array as large as `out` may be allocated


@functools.lru_cache(maxsize=16)
def log_smallest(dtype: np.dtype[Any], least: float = 1.0) -> float:
    """Return the logarithm of `least` times the number below which an exponential counts as 0.

    That number is the smallest normal one, and a hundredth more for rounding. In float64 it is four
    times as much, because NumPy's exponentials are slow just above the smallest normal number too.
    In float16 it is the smallest subnormal number: float16 has few numbers, and is computed in
    float32.
    """
    limits = np.finfo(dtype)
    if dtype.itemsize == 2:
        return float(np.log(limits.smallest_subnormal)) + math.log(least)
    return float(np.log(limits.tiny)) + math.log(least * (4 if dtype.itemsize == 8 else 1.01))


def exp(x: Array, least: float = 1.0) -> Array:
    """Return exp(x), with 0 where that is below `least` times the smallest normal number."""
    return exp_above(log_smallest(x.dtype, least), x) if has_floats(x) else np.exp(x)


def exp_above(limit: float, x: Array, out: Array | None = None) -> Array:
    """Return exp(x) where x is at least `limit`, as from `log_smallest`, and 0 elsewhere.

    An exponential that counts as 0 is not computed: NumPy would take long for it.
    """
    if x.item(x.argmin()) >= limit:  # np.min takes up to three times as long
        return np.exp(x, out)
    if out is None:
        return _exp_or_zero(x, limit, np.empty_like(x))
    step = max(1, _BLOCK * len(x) // x.size)
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        _exp_or_zero(x[part], limit, out[part])
    return out


def _exp_or_zero(x: Array, limit: float, out: Array) -> Array:
    is_normal = x >= limit
    np.exp(np.maximum(x, constant(limit, x), out=out), out=out)
    out *= is_normal.astype(x.dtype)  # faster than np.where, because it has no branches
    return out


def at_most(x: Array, limit: float) -> Array:
    """Return the smaller one of x and `limit`; that is x itself where all of x is smaller."""
    if not has_floats(x):
        return np.minimum(x, limit)
    return x if x.item(x.argmax()) <= limit else np.minimum(x, constant(limit, x))


def at_least(x: Array, limit: float) -> Array:
    """Return the larger one of x and `limit`; that is x itself where all of x is larger."""
    if not has_floats(x):
        return np.maximum(x, limit)
    return x if x.item(x.argmin()) >= limit else np.maximum(x, constant(limit, x))


def signed_parts(x: Array) -> tuple[Array, Array]:
    """Return the larger one of x and 0, and the smaller one."""
    zero = constant(0, x) if has_floats(x) else 0
    return np.maximum(x, zero), np.minimum(x, zero)


def positive_part(x: Array) -> Array:
    """Return the larger one of x and 0."""
    return np.maximum(x, constant(0, x) if has_floats(x) else 0)


def has_floats(x: Array) -> bool:
    """Return whether x is an array of floats; it may be a number, or an array of dual numbers."""
    return type(x) is np.ndarray and x.dtype.kind == "f" and x.size > 0 and x.ndim > 0
