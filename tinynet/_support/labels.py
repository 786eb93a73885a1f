"""Labels and weights: a number for each example, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array, check_finite, entry
from tinynet._support.examples import numbers, spelled
from tinynet.errors import ShapeError


def class_numbers(Y: Array, outputs: int) -> Array:
    """Return integer labels, if each is the number of one of several outputs."""
    if Y.dtype.kind not in "iu":
        found = f"Y has shape {Y.shape} and dtype {Y.dtype}"
        expected = f"expected one-hot columns ({outputs}, m) or integer labels (m,)"
        raise ShapeError(f"{found}, {expected}. Pass Y.astype(int) for labels.")
    for at in np.argwhere((Y < 0) | (outputs <= Y))[:1].tolist():
        of_example = Y.size == Y.shape[-1]  # else it is one of several positions
        found = f"The label of example {at[-1]}" if of_example else entry("Y", at)
        expected = f"expected 0 to {outputs - 1}, because A[L] has {outputs} rows"
        remedy = "Give the last layer more units, or renumber the labels."
        raise ValueError(f"{found} is {Y[tuple(at)]}, {expected}. {remedy}")
    return Y


def weights(name: str, values: Any, m: int) -> Array:
    """Return weights as (m,) in float64, if they are finite and at least 0."""
    w = numbers(values, name)
    if w.shape not in ((m,), (1, m)):
        hint = f" Pass {spelled(values, name)}.reshape(-1)." if w.size == m else ""
        raise ShapeError(
            f"{name} has shape {w.shape}, expected ({m},), one weight for each example.{hint}"
        )
    w = w.reshape(m).astype(np.float64)
    check_finite(name, w)
    for i in np.flatnonzero(w < 0)[:1]:
        raise ValueError(f"{name}[{i}] is {w[i]:g}, expected a weight of at least 0.")
    return w


def expect_some_weight(w: Array) -> None:
    """Refuse weights that are all 0."""
    if not w.any():
        raise ValueError("All weights are 0, so no example counts. Give at least one a weight.")
