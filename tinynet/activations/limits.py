"""How far from 0 the Z of a formula matters."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array


@functools.lru_cache(maxsize=16)
def certain(dtype: np.dtype[Any]) -> float:
    """Return a Z from which on sigmoid(Z) is 1 and Z · (1 - sigmoid(Z)) is 0, to the last digit."""
    return -1.5 * math.log(np.finfo(dtype).eps)


def bounded(Z: Array, *others: Array) -> list[Array]:
    """Return the arrays with the largest number for infinity: times 0, that is 0 and not NaN."""
    if Z.size == 0 or abs(Z.item(np.abs(Z).argmax())) < math.inf:
        return [Z, *others]  # others are finite where Z is
    limits = np.finfo(Z.dtype)
    return [np.minimum(np.maximum(array, limits.min), limits.max) for array in (Z, *others)]
