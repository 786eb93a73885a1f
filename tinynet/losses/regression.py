"""Losses for numbers: squares, and absolute values."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import FEW, Array
from tinynet._support.quiet import quiet
from tinynet.activations import Identity
from tinynet.losses.base import Loss, difference


class MeanSquaredError(Loss):
    r"""J = 1/(2m) Σ (A - Y)², and dA = A - Y (hence the 1/2); the partner is identity.

    This is the method of least squares (Legendre 1805).

    >>> MeanSquaredError().value(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    2.5
    """

    partner = Identity()
    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return 0.5 * difference(A, Y) ** 2

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return difference(A, Y, out)


class MeanAbsoluteError(Loss):
    r"""J = 1/m Σ |A - Y|, and dA = sign(A - Y).

    This is the method of least absolute deviations (Boscovich 1757).

    >>> MeanAbsoluteError().value(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    2.0
    """

    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return np.abs(difference(A, Y))

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        d = difference(A, Y, out)
        if out is None or d.size < FEW:
            return np.sign(d, out=out)
        # In place, np.sign takes ten times as long, and `out` is to be the only array of this size.
        # Times the largest number, twice, every difference but 0 goes beyond 1.
        largest = np.finfo(d.dtype).max
        d *= largest
        d *= largest
        return np.clip(d, -1, 1, out=d)
