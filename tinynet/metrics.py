"""Metrics: functions ``(Y, A) -> float`` for a person to read, known by name or your own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from tinynet._buffers import Array
from tinynet.errors import UnknownNameError

Metric: TypeAlias = Callable[[Array, Array], float]


def labels(A: Array, threshold: float = 0.5) -> Array:
    """Return the class of each column: A > threshold for one output, the largest of several."""
    return (A[0] > threshold).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)


def accuracy(Y: Array, A: Array) -> float:
    """Return the share of examples whose class is right; Y are columns like those of A, or labels."""
    true = Y.reshape(-1) if Y.size == A.shape[-1] and Y.max() > 1 else labels(np.atleast_2d(Y))
    return float(np.mean(labels(A) == true))


_KNOWN: dict[str, Metric] = {"accuracy": accuracy}


def measures(metrics: str | Metric | Iterable[str | Metric]) -> dict[str, Metric]:
    """Return functions by name, for names or functions."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    found: dict[str, Metric] = {}
    for spec in metrics:
        if not callable(spec) and spec not in _KNOWN:
            raise UnknownNameError(f"no metric is called {spec!r}; known: {', '.join(_KNOWN)}; or give a function")
        found.update({getattr(spec, "__name__", repr(spec)): spec} if callable(spec) else {spec: _KNOWN[spec]})
    return found
