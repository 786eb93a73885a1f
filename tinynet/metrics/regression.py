"""Metrics of numbers: Y has the shape of A, and each output counts alike.

Differences and sums are in float64, whatever the dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.metrics.base import Metric, entries, mean


class MeanAbsoluteError(Metric):
    """Return the mean of |A - Y| over all entries.

    >>> MeanAbsoluteError()(np.array([1.0, 2.0]), np.array([[2.0, 5.0]]))
    2.0
    """

    larger_is_better = False
    takes_weights = True

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        return _mean_of_all(np.abs(_differences(*entries(Y, A))), w)


class MeanSquaredError(Metric):
    """Return the mean of (A - Y)² over all entries; the loss sums over outputs, and halves.

    >>> MeanSquaredError()(np.array([1.0, 2.0]), np.array([[2.0, 5.0]]))
    5.0
    """

    larger_is_better = False
    takes_weights = True

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        return _mean_of_all(_differences(*entries(Y, A)) ** 2, w)


class RootMeanSquaredError(Metric):
    """Return the root of the mean of (A - Y)² over the examples, a mean over outputs.

    >>> RootMeanSquaredError()(np.array([1.0, 2.0]), np.array([[2.0, 9.0]]))
    5.0
    """

    larger_is_better = False
    takes_weights = True

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        return float(np.mean(np.sqrt(mean(_differences(*entries(Y, A)) ** 2, w))))


class R2(Metric):
    """Return the share of the variance of Y that A explains, a mean over outputs.

    It is 1 - Σ (A - Y)² / Σ (Y - mean of Y)²: 1 where A is Y, 0 where A is no better than the mean
    of Y, negative where it is worse. Where Y is constant, as for m = 1, it is 1 if A is Y, else 0.

    >>> R2()(np.array([0.0, 2.0, 4.0]), np.array([[0.0, 2.0, 2.0]]))
    0.5
    """

    larger_is_better = True
    takes_weights = True

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        Y, A = entries(Y, A)
        each = np.ones(A.shape[-1]) if w is None else w
        errors = np.sum(_differences(Y, A) ** 2 * each, axis=-1)
        shifted = _differences(Y[..., :1], Y)  # of a constant Y exactly 0, which Y - mean is not
        centre = np.asarray(mean(shifted, w))[..., np.newaxis]
        spread = np.sum((shifted - centre) ** 2 * each, axis=-1)
        constant = spread == 0
        return float(np.mean(np.where(constant, errors == 0, 1 - errors / (spread + constant))))


def _differences(Y: Array, A: Array) -> Array:
    """Return A - Y in float64, so that sums are too, and unsigned numbers do not wrap around."""
    return np.subtract(A, Y, dtype=np.float64)


def _mean_of_all(values: Array, w: Array | None) -> Any:
    return float(np.mean(values if w is None else mean(values, w)))


mean_absolute_error, mean_squared_error = MeanAbsoluteError(), MeanSquaredError()
root_mean_squared_error, r2 = RootMeanSquaredError(), R2()
