"""The abstract metric, and metrics by name, as an instance or as a custom function."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.examples import numbers, spelled, wrong_targets
from tinynet._support.labels import expect_some_weight, weights
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet.errors import ShapeError

Measure: TypeAlias = Callable[[Array, Array], float]  # a Metric is one


class Metric(Registered, ABC):
    """Base of all metrics; to subclass it is to register. An instance is a function of Y and A.

    With `takes_weights`, `measure` has a third argument w, the weights of the examples (m,), or
    None. Without it, examples of weight 0 are left out, and all others count alike. With
    `positions_count`, each position of outputs (n_L, T, m) is an example to `measure`.

    >>> Metric.get("top_k_accuracy", k=3)
    TopKAccuracy(k=3)
    """

    family = "metric"
    modules = ("tinynet.metrics.classification", "tinynet.metrics.regression")
    larger_is_better: ClassVar[bool | None] = None  # None: unknown
    takes_weights: ClassVar[bool] = False
    positions_count: ClassVar[bool] = False

    @abstractmethod
    def measure(self, Y: Array, A: Array) -> Any:
        """Return the number for the targets Y and outputs A of all examples."""

    @quiet
    def __call__(self, Y: Any, A: Any, sample_weight: Any = None, **settings: Any) -> Any:
        """Return the number, with weights for the examples, and other settings for this call."""
        metric = attrs.evolve(self, **settings) if settings else self
        measure: Any = metric.measure
        w = None
        if sample_weight is not None:
            A = numbers(A, "A")
            w = weights("sample_weight", sample_weight, A.shape[-1])
            expect_some_weight(w)
            Y, A, w = without_weight_0(numbers(Y, "Y"), A, w)
        if metric.positions_count:
            Y, A, w = by_positions(Y, A, w)
        return measure(Y, A) if w is None or not metric.takes_weights else measure(Y, A, w)

    @property
    def __name__(self) -> str:
        """The registered name, with the settings that are not the default."""
        values = {field: getattr(self, field.name) for field in attrs.fields(type(self))}
        changed = {field.alias: v for field, v in values.items() if v != field.default}
        return _called(self.registered_name, changed) if changed else self.registered_name


def without_weight_0(Y: Array, A: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return the examples that count: padding has the weight 0."""
    counts = w > 0
    return (Y, A, w) if counts.all() else (Y[..., counts], A[..., counts], w[counts])


def by_positions(Y: Any, A: Any, w: Array | None) -> tuple[Any, Any, Array | None]:
    """Return arrays in which each position of outputs (n_L, T, m) is an example."""
    outputs = numbers(A, "A")
    if outputs.ndim <= 2 or outputs.size == 0:
        return Y, A, w
    shape, targets = outputs.shape, numbers(Y, "Y")
    if targets.shape not in (shape, shape[1:], (1, *shape[1:])):
        labels_too = f", or labels {shape[1:]}"
        raise wrong_targets(targets, shape, labels_too, given=spelled(Y, "Y"))
    of_positions = (len(targets), -1) if targets.ndim == len(shape) else (-1,)
    if w is not None:
        w = np.tile(w, math.prod(shape[1:-1]))
    return targets.reshape(of_positions), outputs.reshape(len(outputs), -1), w


def _with_targets(Y: Array, A: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the examples, or positions, whose columns in Y are not all zeros."""
    Y, A, w = by_positions(Y, A, w)
    counts = Y.any(axis=0)
    return Y[:, counts], A[:, counts], None if w is None else w[counts]


class OutputKind(NamedTuple):
    """What a model says about its outputs, for metrics that do not say it.

    `multilabel` is whether each of several outputs is a yes or no by itself, and `ignores` whether
    a column of zeros in Y stands for no target. An output above `threshold` is a yes, and so is a
    target, where -1 is a no.

    >>> Y, A = np.array([[-1.0, 1.0]]), np.array([[-0.3, 0.2]])
    >>> measured("accuracy", Metric.get("accuracy"), Y, A, None, OutputKind(threshold=0.0))
    1.0
    """

    multilabel: bool = False
    ignores: bool = False
    threshold: float = 0.5


@quiet
def measured(
    name: str, metric: Measure, Y: Array, A: Array, w: Array | None, kind: OutputKind
) -> float:
    """Return the number of a metric, or of a function, called `name`.

    Columns without a target are left out. Without any other, the number is NaN.
    """
    if kind.ignores:
        Y, A, w = _with_targets(Y, A, w)
        if not Y.size:
            return math.nan
    if isinstance(metric, Metric):
        settings: dict[str, Any] = {}
        if getattr(metric, "multilabel", False) is None:
            settings["multilabel"] = kind.multilabel
        if kind.threshold == 0 and (hasattr(metric, "multilabel") or hasattr(metric, "threshold")):
            Y = (Y > 0).astype(Y.dtype)
            if getattr(metric, "threshold", None) == OutputKind().threshold:
                settings["threshold"] = kind.threshold
        value: Any = metric(Y, A, w, **settings)
    else:
        value = metric(Y, A) if w is None else metric(*without_weight_0(Y, A, w)[:2])
    if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":
        found = f"an array of shape {np.shape(value)}" if np.ndim(value) else repr(value)
        hint = "Return one number, such as the mean."
        if hasattr(metric, "average"):
            hint = 'Use average="macro", "micro" or "weighted". "none" is for a call with Y and A.'
        raise TypeError(f"The metric {name!r} returned {found}, expected a number. {hint}")
    return float(value)


def resolve(metrics: str | Measure | Iterable[str | Measure]) -> dict[str, Measure]:
    """Return metrics by name, for names, instances or functions, several or one alone.

    A function is called by its ``__name__``, one that `functools.partial` made by that of its
    function, with the arguments. Raises `UnknownNameError` for an unknown name, and ValueError for
    different metrics of one name, or one called ``"loss"``, as the loss is in a history.

    >>> from functools import partial
    >>> from tinynet.metrics import TopKAccuracy, top_k_accuracy
    >>> list(resolve(["accuracy", TopKAccuracy(k=2), partial(top_k_accuracy, k=3)]))
    ['accuracy', 'top_k_accuracy(k=2)', 'top_k_accuracy(k=3)']
    """
    found: dict[str, Measure] = {}
    specs: Any = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    specs = () if specs is None else specs
    if not isinstance(specs, Iterable):
        expected = "expected names, metrics or functions"
        raise TypeError(f'metrics is {specs!r}, {expected}. Use metrics=["accuracy"].')
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


def outputs_of(A: Any, more_axes: bool = False) -> Array:
    """Return A as an array of at least one example, a column or, with `more_axes`, of any shape."""
    A = numbers(A, "A")
    if A.ndim < 2 or (A.ndim > 2 and not more_axes) or A.size == 0:
        expected = "that of A[L], (n_L, m): examples are columns, at least one"
        hint = ""
        if A.ndim == 1 and A.size:
            hint = " Pass (Y, A) in this order, where A is model.predict(X), not labels, or "
            hint += "A.reshape(1, -1) for one output."
        raise ShapeError(f"A has shape {A.shape}, expected {expected}.{hint}")
    return A


def entries(Y: Any, A: Any) -> tuple[Array, Array]:
    """Return Y and A as arrays of one shape; for one output Y may be flat."""
    value, Y, A = Y, numbers(Y, "Y"), outputs_of(A, more_axes=True)
    if Y.ndim == 1 and A.shape == (1, Y.size):
        Y = Y[np.newaxis]
    if Y.shape != A.shape:
        raise wrong_targets(Y, A.shape, given=spelled(value, "Y"))
    return Y, A


def labels(A: Array, threshold: float = 0.5) -> Array:
    """Return the class of each column: A > threshold for one output, the largest of several."""
    return (A[0] > threshold).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)


def mean(values: Array, w: Array | None) -> Any:
    """Return the mean over the examples, the last axis, each with its weight."""
    return np.mean(values, axis=-1) if w is None else values.dot(w) / w.sum()
