"""Digits that are lost when numbers are cast to the dtype of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.warn import warn

_STEPS = 1000  # the fewest numbers of the narrower dtype that the values of a row may spread over


def warn_of_lost_digits(name: str, wide: Any, narrow: Array) -> None:
    """Warn if values of a row of `wide` that differ are the same in `narrow`, its cast.

    Such are the times of a Unix clock, which are 128 seconds apart in float32.
    """
    if not isinstance(wide, np.ndarray) or wide.dtype.itemsize <= narrow.dtype.itemsize:
        return
    rows = narrow.reshape(-1, narrow.shape[-1])
    least, most = rows.min(axis=1), rows.max(axis=1)
    size = np.maximum(np.abs(least), np.abs(most))
    is_coarse = (size >= 2 / np.finfo(rows.dtype).eps) | (np.spacing(size) * _STEPS > most - least)
    for i in np.flatnonzero(is_coarse & (most > least)):
        before = len(np.unique(wide.reshape(-1, wide.shape[-1])[i]))
        after = len(np.unique(rows[i]))
        if after < before:
            found = f"Row {i} of {name} has {before} different values, and {after} in {rows.dtype}"
            why = "The numbers are large and close together"
            remedy = f'Pass {name} - {name}.mean(axis=-1, keepdims=True), or use dtype="float64"'
            warn(f"{found}. {why}. {remedy}.")
