"""What each example counts for, by itself or by its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import check_finite, numbers
from tinynet.errors import ShapeError
from tinynet.metrics import labels

if TYPE_CHECKING:
    from tinynet.sequential import Sequential


def weights(
    model: Sequential, sample_weight: Any, class_weight: Any, m: int, parts: Iterator[Array]
) -> Array | None:
    """Return what the examples count for, a mean of 1, or None; Y comes in parts, for it may be on disk."""
    if sample_weight is None and class_weight is None:
        return None
    w = np.ones(m) if sample_weight is None else nonnegative("sample_weight", sample_weight, m)
    if class_weight is not None:
        of_parts = [classes(Y) for Y in parts]
        if any(part is None for part in of_parts):
            raise ValueError(
                "class_weight needs labels, and Y is neither integer labels, nor one-hot columns, nor (1, m) of 0 "
                "and 1; write sample_weight=..., a weight an example"
            )
        of_all = np.concatenate([part for part in of_parts if part is not None])
        w = (
            w
            * of_classes(class_weight, np.bincount(of_all, minlength=max(model.outputs[0], 2)))[
                of_all
            ]
        )
    if not w.any():
        raise ValueError(
            "all weights are 0, so no example counts; give one at least a larger weight"
        )
    w = w / w.max()  # or the sum of large ones would be infinite
    return (w / w.mean()).astype(model.dtype)


def nonnegative(name: str, given: Any, m: int) -> Array:
    """Return weights as (m,) in float64, if they can be some."""
    w = numbers(given, name)
    if w.shape not in ((m,), (1, m)):
        mend = f"; write {name}.reshape(-1)" if w.size == m else ""
        raise ShapeError(f"{name} has shape {w.shape}; needed is ({m},), a weight an example{mend}")
    w = w.reshape(m).astype(np.float64)
    check_finite(name, w)
    for i in np.flatnonzero(w < 0)[:1]:
        raise ValueError(f"{name}[{i}] is {w[i]:g}; what something counts for is at least 0")
    return w


def classes(Y: Array) -> Array | None:
    """Return the class of each column, or None if Y has no classes: neither one-hot columns, nor (1, m) of 0 and 1."""
    if (
        Y.ndim != 2
        or not ((Y == 0) | (Y == 1)).all()
        or (len(Y) > 1 and (Y.sum(axis=0) != 1).any())
    ):
        return None
    return labels(Y)


def of_classes(class_weight: Any, counts: Array) -> Array:
    """Return what each class counts for, for how often it occurs."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        return counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f'class_weight must be a dictionary {{label: weight}} or "balanced"; got {class_weight!r}'
        )
    for label in class_weight:
        if label not in range(len(counts)):
            raise ValueError(
                f"class_weight has label {label!r}; leave it out: labels go from 0 to {len(counts) - 1}"
            )
    for label in np.flatnonzero(counts).tolist():
        if label not in class_weight:
            raise ValueError(f"class_weight has no label {label}, but Y has; add {label}: 1.0")
    return nonnegative(
        "class_weight", [class_weight.get(label, 1) for label in range(len(counts))], len(counts)
    )
