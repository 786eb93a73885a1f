"""Labels and weights: a number for each example, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array, check_finite, entry
from tinynet._support.examples import numbers, spelled
from tinynet.errors import ShapeError


def class_numbers(Y: Array, outputs: int, ignore: int | None = None) -> Array:
    """Return integer labels, if each is the number of one of several outputs.

    The label `ignore` stands for no class, and becomes 0.
    """
    if Y.dtype.kind not in "iu":
        found = f"Y has shape {Y.shape} and dtype {Y.dtype}"
        expected = f"expected one-hot columns ({outputs}, m) or integer labels (m,)"
        raise ShapeError(f"{found}, {expected}. Pass Y.astype(int) for labels.")
    counts = np.full(Y.shape, True) if ignore is None else ignore != Y
    for at in np.argwhere(((Y < 0) | (outputs <= Y)) & counts)[:1].tolist():
        of_example = Y.size == Y.shape[-1]  # else it is one of several positions
        found = f"The label of example {at[-1]}" if of_example else entry("Y", at)
        expected = f"expected 0 to {outputs - 1}, because A[L] has {outputs} rows"
        remedy = _renumbered(Y, outputs) if ignore is None else _others(Y[counts], outputs, ignore)
        raise ValueError(f"{found} is {Y[tuple(at)]}, {expected}. {remedy}")
    return Y if ignore is None else np.where(counts, Y, 0)


def _others(labels: Array, outputs: int, ignore: int) -> str:
    """Return what makes numbers of outputs of the labels that are not ignored."""
    if labels.min() >= 1 and labels.max() == outputs:
        return f"Pass np.where(Y == {ignore}, {ignore}, Y - 1)."
    return f"Number the other labels from 0, and leave {ignore} as it is."


def _renumbered(Y: Array, outputs: int) -> str:
    """Return what makes of these labels the numbers of outputs."""
    least, most, n = int(Y.min()), int(Y.max()), len(np.unique(Y))
    if least >= 1 and most == outputs:
        return "Pass Y - 1."
    if least == 0 and most == n - 1:
        return f"Give the last layer {n} units."
    remedy = "Y, classes = tn.from_labels(Y)"
    if Y.ndim > 1:
        remedy = "Y = np.unique(Y, return_inverse=True)[1].reshape(np.shape(Y))"
    if n > outputs:
        remedy += f" and {n} units in the last layer"
    elif least == 0:
        remedy += f", or give the last layer {most + 1} units"
    if least < 0 and most < outputs:
        ignoring = f"loss=tn.losses.CategoricalCrossentropy(ignore={least})"
        remedy = f"{ignoring} where {least} stands for no class, or {remedy}"
    return f"Use {remedy}."


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
