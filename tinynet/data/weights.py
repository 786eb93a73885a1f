"""How much each example counts, by itself or by its class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.labels import expect_some_weight, weights
from tinynet.metrics import labels
from tinynet.model.network import Network


def example_weights(
    network: Network, sample_weight: Any, class_weight: Any, m: int, Y_parts: Iterable[Array]
) -> Array | None:
    """Return the weights of the examples, with a mean of 1, or None.

    Y comes in parts, because it may be on disk.
    """
    if sample_weight is None and class_weight is None:
        return None
    with np.errstate(all="ignore"):
        w = np.ones(m)
        if sample_weight is not None:
            w = weights("sample_weight", sample_weight, m)
        if class_weight is not None:
            w = w * _weights_by_class(network, class_weight, Y_parts)
        expect_some_weight(w)
        w = w / w.max()  # or the sum of large weights would be infinite
        return (w / w.mean()).astype(network.dtype)


def _weights_by_class(network: Network, class_weight: Any, Y_parts: Iterable[Array]) -> Array:
    """Return the weight of the class of each example."""
    parts: list[Any] = [classes_of(Y) for Y in Y_parts]
    if any(part is None for part in parts):
        expected = "integer labels, one-hot columns, or (1, m) of 0 and 1"
        hint = "Use sample_weight=..., with one weight for each example."
        raise ValueError(f"class_weight needs labels, expected Y as {expected}. {hint}")
    classes = np.concatenate(parts)
    counts = np.bincount(classes, minlength=max(network.outputs[0], 2))
    return class_weights(class_weight, counts)[classes]


def classes_of(Y: Array) -> Array | None:
    """Return the class of each column, or None if Y has no classes.

    Y has classes if it is one-hot columns, or (1, m) of 0 and 1.
    """
    if Y.ndim != 2 or not ((Y == 0) | (Y == 1)).all():
        return None
    return None if len(Y) > 1 and (Y.sum(axis=0) != 1).any() else labels(Y)


def class_weights(class_weight: Any, counts: Array) -> Array:
    """Return the weight of each class, from how often it occurs."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        return counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    if not isinstance(class_weight, Mapping):
        expected = 'a dictionary {label: weight} or "balanced"'
        is_list = isinstance(class_weight, (list, tuple, np.ndarray))
        hint = " Use dict(enumerate(class_weight))." if is_list else ""
        raise ValueError(f"class_weight is {class_weight!r}, expected {expected}.{hint}")
    n = len(counts)
    for label in class_weight:
        if label not in range(n):
            found = f"class_weight has the label {label!r}"
            is_text = isinstance(label, str) and label.isdecimal() and int(label) < n
            remedy = f"Use the number {label}" if is_text else "Leave it out"
            raise ValueError(f"{found}, expected 0 to {n - 1}. {remedy}.")
    for label in np.flatnonzero(counts).tolist():
        if label not in class_weight:
            raise ValueError(f"class_weight has no label {label}, but Y has. Add {label}: 1.0.")
    return weights("class_weight", [class_weight.get(label, 1) for label in range(n)], n)
