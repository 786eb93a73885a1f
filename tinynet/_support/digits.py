"""Digits that are lost when numbers are cast to the dtype of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.warn import warn

_STEPS = 1000  # the fewest numbers of the narrower dtype that the values of a row may spread over


def warn_of_lost_digits(wide: tuple[Any, Any], narrow: tuple[Array, Array]) -> None:
    """Warn if values of a row of X or Y that differ are the same in its cast.

    Such are the times of a Unix clock, which are 128 seconds apart in float32.
    """
    for name, before, after in zip("XY", wide, narrow, strict=True):
        before = np.asarray(before)
        is_narrower = after.dtype.kind == "f" and before.dtype.itemsize > after.dtype.itemsize
        if before.size == after.size and is_narrower:
            rows = after.reshape(-1, after.shape[-1])
            _warn_of_rows(name, before.reshape(rows.shape), rows)


def _warn_of_rows(name: str, wide: Array, rows: Array) -> None:
    least, most = rows.min(axis=1), rows.max(axis=1)
    size = np.maximum(np.abs(least), np.abs(most))
    is_coarse = (size >= 2 / np.finfo(rows.dtype).eps) | (np.spacing(size) * _STEPS > most - least)
    for i in np.flatnonzero(is_coarse):
        row = wide[i]
        if row.min() == row.max():
            continue
        before, after = len(np.unique(row)), len(np.unique(rows[i]))
        if after < before:
            found = f"Row {i} of {name} has {before} different values, and {after} in {rows.dtype}"
            why = "The numbers are large and close together"
            remedy = f"Pass {name} - np.mean({name}, axis=-1, keepdims=True)"
            remedy += ', or use dtype="float64"'
            warn(f"{found}. {why}. {remedy}.")
