"""Exponentials that are 0 where they would be subnormal.

Numbers below the smallest normal one have few digits, and some processors compute with them, and
exponentials that give them, 10 to 40 times as slowly. Next to the other terms they mean nothing.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array


@functools.lru_cache(maxsize=16)
def log_smallest(dtype: np.dtype[Any]) -> float:
    """Return the logarithm of the smallest number that a formula should give beside 0.

    It is the smallest normal number, and a hundredth more because exponentials are rounded. In
    float16, which needs all its few numbers and is computed in float32, it is the smallest of all.
    """
    limits = np.finfo(dtype)
    return float(np.log(limits.smallest_subnormal if dtype.itemsize == 2 else limits.tiny)) + 0.01


def exp(x: Array, out: Array | None = None, least: float = 1.0) -> Array:
    """Return exp(x), with 0 where that is below the smallest normal number times `least`."""
    limit = log_smallest(x.dtype) + math.log(least)
    if x.size == 0 or x.item(x.argmin()) >= limit:  # np.min takes up to three times as long
        return np.exp(x, out=out)
    # To compute subnormal exponentials is slow, and so is a choice number by number.
    is_normal = x >= limit
    E = np.exp(np.maximum(x, np.full(x.shape, limit, x.dtype)), out=out)
    return np.multiply(E, is_normal, out=out)
