"""Metrics: numbers for a person to read, by name, as an instance or as a custom function.

Each takes Y and A of a whole epoch: A is A[L], (n_L, m), with m examples as columns.

- Metrics of classes: a single output is a yes or no, and class 1 is an A above 0.5. Of several
  outputs the largest is the class, the first of equal ones. Y has columns like those of A, or
  integer labels, (m,) or (1, m). Precision, recall and f1 of several classes are means over the
  classes that occur in truth or prediction. What would be 0 / 0 is 0.
- Metrics of numbers, and `binary_accuracy`: Y has the shape of A, and each entry counts by itself.

Sums are in float64, whatever the dtype. A Y of another shape is refused, never broadcast.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np

from tinynet._support import fields
from tinynet._support.arrays import Array
from tinynet._support.checks import class_numbers, entry, numbers, wrong_targets
from tinynet._support.registry import Registered
from tinynet.errors import ShapeError

Measure: TypeAlias = Callable[[Array, Array], float]  # a Metric is one


class Metric(Registered, ABC):
    """Base of all metrics; to subclass it is to register. An instance is a function of Y and A.

    >>> Metric.get("top_k_accuracy", k=3)
    TopKAccuracy(k=3)
    """

    family = "metric"
    larger_is_better: ClassVar[bool | None] = None  # None: unknown

    @abstractmethod
    def measure(self, Y: Array, A: Array) -> float:
        """Return the number for the targets Y and outputs A of all examples."""

    def __call__(self, Y: Any, A: Any, **settings: Any) -> float:
        """Return the number, with other settings for this call."""
        return float((attrs.evolve(self, **settings) if settings else self).measure(Y, A))

    @property
    def __name__(self) -> str:
        """The registered name, with the settings that are not the default."""
        values = {field: getattr(self, field.name) for field in attrs.fields(type(self))}
        changed = {field.alias: v for field, v in values.items() if v != field.default}
        return _called(self.registered_name, changed) if changed else self.registered_name


class Accuracy(Metric):
    """Return the share of examples whose class is right.

    >>> accuracy(np.array([0, 2]), np.array([[0.7, 0.5], [0.2, 0.1], [0.1, 0.4]]))
    0.5
    """

    larger_is_better = True

    def measure(self, Y: Array, A: Array) -> float:
        A = _outputs(A)
        return np.mean(_true_classes(Y, A) == labels(A))


@attrs.frozen(slots=False)
class TopKAccuracy(Metric):
    """Return the share of examples whose class is among the k largest outputs."""

    larger_is_better = True
    k: int = fields.integer(5)

    def measure(self, Y: Array, A: Array) -> float:
        A = _outputs(A)
        if len(A) == 1:
            raise ValueError('A has one row, top_k_accuracy expected several. Use "accuracy".')
        if self.k > len(A):
            n, hint = len(A), f"Use tn.metrics.TopKAccuracy(k={len(A) - 1})."
            raise ValueError(f"k={self.k}, expected at most {n}: A has {n} rows. {hint}")
        true = _true_classes(Y, A)
        of_true = np.take_along_axis(A, true[np.newaxis], axis=0)
        number = np.arange(len(A))[:, np.newaxis]
        # The true class itself is among these. NaN is not, and so is ahead, as it is for argmax.
        not_ahead = (of_true > A) | ((of_true == A) & (number >= true))
        return np.mean(len(A) - np.count_nonzero(not_ahead, axis=0) < self.k)


@attrs.frozen(slots=False)
class BinaryAccuracy(Metric):
    """Return the share of entries of A on the right side of `threshold`, each a yes or no."""

    larger_is_better = True
    threshold: float = fields.finite(0.5)

    def measure(self, Y: Array, A: Array) -> float:
        Y, A = _entries(Y, A)
        return np.mean((self.threshold < A) == _yes(Y))


class Precision(Metric):
    """Return the share of right ones among the examples predicted to be of class 1."""

    larger_is_better = True

    def measure(self, Y: Array, A: Array) -> float:
        right, _, predicted = _counts(Y, A)
        return _mean_ratio(right, predicted)


class Recall(Metric):
    """Return the share of right ones among the examples of class 1."""

    larger_is_better = True

    def measure(self, Y: Array, A: Array) -> float:
        right, true, _ = _counts(Y, A)
        return _mean_ratio(right, true)


class F1(Metric):
    """Return the harmonic mean of `precision` and `recall`, formed class by class."""

    larger_is_better = True

    def measure(self, Y: Array, A: Array) -> float:
        right, true, predicted = _counts(Y, A)
        return _mean_ratio(2 * right, true + predicted)


class MeanAbsoluteError(Metric):
    """Return the mean of |A - Y| over all entries."""

    larger_is_better = False

    def measure(self, Y: Array, A: Array) -> float:
        return float(np.mean(np.abs(_differences(*_entries(Y, A)))))


class MeanSquaredError(Metric):
    """Return the mean of (A - Y)² over all entries; the loss sums over outputs, and halves."""

    larger_is_better = False

    def measure(self, Y: Array, A: Array) -> float:
        return np.mean(_differences(*_entries(Y, A)) ** 2)


class R2(Metric):
    """Return the share of the variance of Y that A explains, a mean over outputs.

    It is 1 - Σ (A - Y)² / Σ (Y - mean of Y)²: 1 where A is Y, 0 where A is no better than the mean
    of Y, negative where it is worse. Where Y is constant, as for m = 1, it is 1 if A is Y, else 0.
    """

    larger_is_better = True

    def measure(self, Y: Array, A: Array) -> float:
        Y, A = _entries(Y, A)
        errors = np.sum(_differences(Y, A) ** 2, axis=-1)
        shifted = _differences(Y[..., :1], Y)  # of a constant Y exactly 0, which Y - mean is not
        spread = np.sum((shifted - shifted.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
        constant = spread == 0
        return np.mean(np.where(constant, errors == 0, 1 - errors / (spread + constant)))


accuracy, top_k_accuracy, binary_accuracy = Accuracy(), TopKAccuracy(), BinaryAccuracy()
precision, recall, f1 = Precision(), Recall(), F1()
mean_absolute_error, mean_squared_error, r2 = MeanAbsoluteError(), MeanSquaredError(), R2()


def labels(A: Array, threshold: float = 0.5) -> Array:
    """Return the class of each column: A > threshold for one output, the largest of several."""
    return (A[0] > threshold).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)


def _outputs(A: Any, more_axes: bool = False) -> Array:
    """Return A as an array of at least one example, a column or, with `more_axes`, of any shape."""
    A = numbers(A, "A")
    if A.ndim < 2 or (A.ndim > 2 and not more_axes) or A.size == 0:
        expected = "that of A[L], (n_L, m): examples are columns, at least one"
        raise ShapeError(f"A has shape {A.shape}, expected {expected}.")
    return A


def _entries(Y: Any, A: Any) -> tuple[Array, Array]:
    """Return Y and A as arrays of one shape."""
    Y, A = numbers(Y, "Y"), _outputs(A, more_axes=True)
    if Y.shape != A.shape:
        raise wrong_targets(Y, A.shape)
    return Y, A


def _differences(Y: Array, A: Array) -> Array:
    """Return A - Y in float64, so that sums are too, and unsigned numbers do not wrap around."""
    return np.subtract(A, Y, dtype=np.float64)


def _true_classes(Y: Any, A: Array) -> Array:
    """Return the class of each example from columns like those of A, or from labels."""
    Y, (n, m) = numbers(Y, "Y"), A.shape
    if n > 1 and Y.shape == A.shape:
        return labels(Y)
    if Y.shape not in ((m,), (1, m)):
        raise wrong_targets(Y, A.shape, f", or integer labels ({m},)")
    classes = class_numbers(Y, n) if n > 1 else _yes(Y.reshape(-1))
    return classes.astype(np.intp, copy=False)  # not every NumPy counts uint64


def _yes(Y: Array) -> Array:
    """Return where Y is a yes; it is 0 or 1, or a probability between."""
    for at in np.argwhere(~((Y >= 0) & (Y <= 1)))[:1]:
        found = f"{entry('Y', at)} is {Y[tuple(at)]:g}, expected 0 or 1 for a no or yes"
        other = 'Use a metric of numbers for other numbers, such as "mean_absolute_error".'
        raise ValueError(f"{found}. Pass (Y + 1) / 2 for labels -1 and 1. {other}")
    return Y > 0.5


def _counts(Y: Any, A: Any) -> Array:
    """Return the right, true and predicted examples (three rows) of each class that counts."""
    A = _outputs(A)
    true, predicted = _true_classes(Y, A), labels(A)
    which = (true[true == predicted], true, predicted)
    counts = np.stack([np.bincount(classes, minlength=max(len(A), 2)) for classes in which])
    return counts[:, 1:] if len(A) == 1 else counts[:, counts.any(axis=0)]


def _mean_ratio(parts: Array, wholes: Array) -> float:
    """Return the mean of parts / wholes, where 0 / 0 is 0."""
    return float(np.mean(parts / np.maximum(wholes, 1)))


def resolve(metrics: str | Measure | Iterable[str | Measure]) -> dict[str, Measure]:
    """Return metrics by name, for names, instances or functions, several or one alone.

    A function is called by its ``__name__``, one that `functools.partial` made by that of its
    function, with the arguments. Raises `UnknownNameError` for an unknown name, and ValueError for
    different metrics of one name, or one called ``"loss"``, as the loss is in a history.

    >>> from functools import partial
    >>> list(resolve(["accuracy", TopKAccuracy(k=2), partial(top_k_accuracy, k=3)]))
    ['accuracy', 'top_k_accuracy(k=2)', 'top_k_accuracy(k=3)']
    """
    found: dict[str, Measure] = {}
    specs: Any = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    for spec in specs:
        is_function = callable(spec) and not isinstance(spec, type)
        metric = spec if is_function else Metric.get(spec)
        name = _name(metric)
        if isinstance(metric, functools.partial) and isinstance(metric.func, Metric):
            metric = attrs.evolve(metric.func, *metric.args, **metric.keywords)
        if name == "loss" or found.get(name, metric) != metric:
            hint = "Give each function a __name__ of its own, as def does."
            raise ValueError(f"{name!r} names two numbers of a history, expected one. {hint}")
        found[name] = metric
    return found


def _name(metric: Any) -> str:
    if hasattr(metric, "__name__") or not isinstance(metric, functools.partial):
        return str(getattr(metric, "__name__", repr(metric)))
    return _called(_name(metric.func), metric.keywords, metric.args)


def _called(name: str, keywords: Mapping[str, Any], arguments: Iterable[Any] = ()) -> str:
    """Return the name of a metric with settings: top_k_accuracy(k=3)."""
    settings = [*map(repr, arguments), *[f"{key}={v!r}" for key, v in keywords.items()]]
    return f"{name}({', '.join(settings)})"


def is_known(name: str, metric: Measure) -> bool:
    """Return whether the name alone gives this metric back."""
    return isinstance(metric, Metric) and name == metric.registered_name == metric.__name__
