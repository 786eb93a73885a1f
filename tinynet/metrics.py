"""Metrics: functions ``(Y, A) -> float`` for a person to read, known by name or your own.

Each judges a whole epoch: A is A[L], (n_L, m), with m examples as columns.

- Metrics of classes: a single output is a yes or no, and class 1 is an A above 0.5; of several
  outputs the largest is the class, and the first of equal ones. Y are columns like those of A,
  or integer labels, (m,) or (1, m).
- Metrics of numbers, and `binary_accuracy`: Y has the shape of A, and each entry counts by itself.

Sums are in float64, whatever the dtype. A Y of another shape is refused, never broadcast.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, integer
from tinynet._support.checks import class_numbers, misfit, numbers
from tinynet._support.registry import _nearest_first
from tinynet.errors import ShapeError, UnknownNameError

Metric: TypeAlias = Callable[[Array, Array], float]


def labels(A: Array, threshold: float = 0.5) -> Array:
    """Return the class of each column: A > threshold for one output, the largest of several."""
    return (A[0] > threshold).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)


def accuracy(Y: Array, A: Array) -> float:
    """Return the share of examples whose class is right.

    >>> accuracy(np.array([0, 2]), np.array([[0.7, 0.5], [0.2, 0.1], [0.1, 0.4]]))
    0.5
    """
    true, predicted = _classes(Y, A)
    return _share(true == predicted)


def top_k_accuracy(Y: Array, A: Array, k: int = 5) -> float:
    """Return the share of examples whose class is among the k largest outputs; k = 1 is `accuracy`.

    >>> A = np.array([[0.7, 0.5], [0.2, 0.1], [0.1, 0.4]])
    >>> top_k_accuracy(np.array([0, 2]), A, k=2)
    1.0
    """
    A = _outputs(A)
    if len(A) == 1:
        raise ValueError(
            'top_k_accuracy needs several classes, and A has one row, a yes or no; write "accuracy"'
        )
    if integer("k", k) > len(A):
        fewer = f"functools.partial(top_k_accuracy, k={len(A) - 1})"
        raise ValueError(
            f"top_k_accuracy with k={k} needs as many classes, and A has {len(A)} rows; write {fewer}"
        )
    true = _true_classes(Y, A)
    of_true, number = (
        np.take_along_axis(A, true[np.newaxis], axis=0),
        np.arange(len(A))[:, np.newaxis],
    )
    # The true class itself is among these; NaN is not, and so is ahead, as it is for argmax.
    not_ahead = (of_true > A) | ((of_true == A) & (number >= true))
    return _share(len(A) - np.count_nonzero(not_ahead, axis=0) < k)


def binary_accuracy(Y: Array, A: Array, threshold: float = 0.5) -> float:
    """Return the share of entries of A on the right side of `threshold`, each output being a yes or no of its own.

    >>> binary_accuracy(np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.2], [0.8, 0.3]]))
    0.75
    """
    Y, A = _entries(Y, A)
    return _share((threshold < A) == _yes(Y))


def precision(Y: Array, A: Array) -> float:
    """Return the share of right ones among those predicted to be of class 1.

    For several classes it is the mean over those that occur in truth or prediction. It is 0
    for a class that is never predicted.

    >>> precision(np.array([[1, 0, 1, 1]]), np.array([[0.9, 0.8, 0.2, 0.7]])) == 2 / 3
    True
    """
    right, _, predicted = _counts(Y, A)
    return _mean_ratio(right, predicted)


def recall(Y: Array, A: Array) -> float:
    """Return the share of right ones among those that are of class 1.

    For several classes it is the mean over those that occur in truth or prediction. It is 0
    for a class that is only predicted.

    >>> recall(np.array([[1, 0, 1, 1, 1]]), np.array([[0.9, 0.8, 0.2, 0.7, 0.1]]))
    0.5
    """
    right, true, _ = _counts(Y, A)
    return _mean_ratio(right, true)


def f1(Y: Array, A: Array) -> float:
    """Return the harmonic mean of `precision` and `recall` of class 1.

    For several classes it is formed class by class, and is the mean over those that occur in
    truth or prediction. It is 0 for a class without a right one.

    >>> f1(np.array([[1, 0, 1, 1, 1]]), np.array([[0.9, 0.8, 0.2, 0.7, 0.1]])) == 4 / 7
    True
    """
    right, true, predicted = _counts(Y, A)
    return _mean_ratio(2 * right, true + predicted)


def mean_absolute_error(Y: Array, A: Array) -> float:
    """Return the mean of |A - Y| over all entries.

    >>> mean_absolute_error(np.array([[0, 1], [2, 3]]), np.array([[0, 1], [2, 5]]))
    0.5
    """
    return float(np.mean(np.abs(_differences(*_entries(Y, A)))))


def mean_squared_error(Y: Array, A: Array) -> float:
    """Return the mean of (A - Y)² over all entries; the loss of this name is half of it, summed over the outputs.

    >>> mean_squared_error(np.array([[0, 1], [2, 3]]), np.array([[0, 1], [2, 5]]))
    1.0
    """
    return float(np.mean(_differences(*_entries(Y, A)) ** 2))


def r2(Y: Array, A: Array) -> float:
    """Return the share of the variance of Y that A explains, 1 - Σ (A - Y)² / Σ (Y - mean of Y)², a mean over outputs.

    It is 1 where A is Y, 0 where A is no better than the mean of Y, and negative where it is
    worse. For an output whose Y is constant, as it is for m = 1, it is 1 if A is Y and else 0.

    >>> r2(np.array([[0, 1, 2, 5]]), np.array([[0, 1, 2, 4]])) == 1 - 1 / 14
    True
    """
    Y, A = _entries(Y, A)
    errors = np.sum(_differences(Y, A) ** 2, axis=-1)
    shifted = _differences(
        Y[..., :1], Y
    )  # that of a constant Y is exactly 0, which Y - mean is not
    spread = np.sum((shifted - shifted.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    constant = spread == 0
    return float(np.mean(np.where(constant, errors == 0, 1 - errors / (spread + constant))))


def _outputs(A: Any, more_axes: bool = False) -> Array:
    """Return A as an array of at least one example, a column or, with `more_axes`, of any shape."""
    A = numbers(A, "A")
    if A.ndim < 2 or (A.ndim > 2 and not more_axes) or A.size == 0:
        raise ShapeError(
            f"A has shape {A.shape}; needed is that of A[L], (n_L, m): a column an example, at least one"
        )
    return A


def _entries(Y: Any, A: Any) -> tuple[Array, Array]:
    """Return Y and A as arrays of one shape."""
    Y, A = numbers(Y, "Y"), _outputs(A, more_axes=True)
    if Y.shape != A.shape:
        raise misfit(Y, A.shape)
    return Y, A


def _differences(Y: Array, A: Array) -> Array:
    """Return A - Y in float64, so that sums of it are too, and unsigned numbers do not wrap around."""
    return np.subtract(A, Y, dtype=np.float64)


def _classes(Y: Any, A: Any) -> tuple[Array, Array]:
    """Return the true and the predicted class of each example."""
    A = _outputs(A)
    return _true_classes(Y, A), labels(A)


def _true_classes(Y: Any, A: Array) -> Array:
    """Return the class of each example from columns like those of A, or from labels."""
    Y, (n, m) = numbers(Y, "Y"), A.shape
    if n > 1 and Y.shape == A.shape:
        return labels(Y)
    if Y.shape not in ((m,), (1, m)):
        raise misfit(Y, A.shape, f", or integer labels ({m},)")
    found = class_numbers(Y, n) if n > 1 else _yes(Y.reshape(-1))
    return found.astype(np.intp, copy=False)  # not every NumPy counts uint64


def _yes(Y: Array) -> Array:
    """Return where Y is a yes; it is 0 or 1, or a probability between."""
    for at in np.argwhere(~((Y >= 0) & (Y <= 1)))[:1]:
        raise ValueError(
            f"Y[{', '.join(map(str, at))}] is {Y[tuple(at)]:g}, but a yes or no is 0 or 1; for labels -1 and 1 "
            'write (Y + 1) / 2, for numbers take a metric of numbers, such as "mean_absolute_error"'
        )
    return Y > 0.5


def _counts(Y: Any, A: Any) -> Array:
    """Return how many examples are right, true and predicted (three rows) for each class that counts (columns)."""
    true, predicted = _classes(Y, A)
    which = (true[true == predicted], true, predicted)
    counts = np.stack([np.bincount(classes, minlength=max(len(A), 2)) for classes in which])
    return counts[:, 1:] if len(A) == 1 else counts[:, counts.any(axis=0)]


def _mean_ratio(parts: Array, wholes: Array) -> float:
    """Return the mean of parts / wholes, where 0 / 0 is 0."""
    return float(np.mean(parts / np.maximum(wholes, 1)))


def _share(hits: Array) -> float:
    return float(np.mean(hits))


_KNOWN: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        accuracy, top_k_accuracy, binary_accuracy, precision, recall, f1, mean_absolute_error, mean_squared_error, r2,
    )
}  # fmt: skip


def is_known(name: str, metric: Metric) -> bool:
    """Tell whether a metric is the one that its name stands for."""
    return _KNOWN.get(name) is metric


def measures(metrics: str | Metric | Iterable[str | Metric]) -> dict[str, Metric]:
    """Return functions by name, for names or functions, several or one alone.

    A function goes by its ``__name__``; one made by `functools.partial` by that of its function,
    with the arguments. Raises `UnknownNameError` for a name that is not known, and ValueError for
    different functions of one name, or one that is called ``"loss"``, as the loss is in a history.

    >>> from functools import partial
    >>> list(measures(["accuracy", partial(top_k_accuracy, k=3)]))
    ['accuracy', 'top_k_accuracy(k=3)']
    """
    found: dict[str, Metric] = {}
    for spec in [metrics] if isinstance(metrics, str) or callable(metrics) else metrics:
        name, metric = _named(spec)
        if name == "loss" or found.get(name, metric) != metric:
            hint = f"give {metric!r} a __name__ of its own, as def does"
            raise ValueError(f"{name!r} names two numbers of a history; {hint}")
        found[name] = metric
    return found


def _named(spec: Any) -> tuple[str, Metric]:
    """Return the name and the function for either."""
    if callable(spec):
        return _name(spec), spec
    if not isinstance(spec, str):
        raise TypeError(f"a metric is a name or a function (Y, A) -> float; got {spec!r}")
    if spec not in _KNOWN:
        known = ", ".join(_nearest_first(spec, _KNOWN))
        raise UnknownNameError(
            f"no metric is called {spec!r}; known, nearest first: {known}; or give a function"
        )
    return spec, _KNOWN[spec]


def _name(metric: Any) -> str:
    if hasattr(metric, "__name__") or not isinstance(metric, functools.partial):
        return str(getattr(metric, "__name__", repr(metric)))
    arguments = [
        *map(repr, metric.args),
        *(f"{key}={value!r}" for key, value in metric.keywords.items()),
    ]
    return f"{_name(metric.func)}({', '.join(arguments)})"
