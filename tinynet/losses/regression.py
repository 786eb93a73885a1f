"""Losses for numbers: squares, absolute values, and both in one."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.fields import positive
from tinynet._support.quiet import quiet
from tinynet.activations import Identity
from tinynet.losses.base import Loss, difference


class MeanSquaredError(Loss):
    r"""J = 1/(2m) Σ (A - Y)², and dA = A - Y (hence the 1/2); the partner is identity.

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
    r"""J = 1/m Σ |A - Y|, and dA = sign(A - Y)."""

    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return np.abs(difference(A, Y))

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.sign(difference(A, Y, out), out=out)


@attrs.frozen(slots=False)
class Huber(Loss):
    r"""Half the square of d = A - Y where |d| ≤ delta, delta · (|d| - delta/2) beyond (Huber 1964).

    dA is d, limited to the range from -delta to delta.
    """

    delta: float = positive(1.0)
    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        d = np.abs(difference(A, Y))
        inside = np.minimum(d, self.delta)
        return inside * (d - 0.5 * inside)

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.clip(difference(A, Y, out), -self.delta, self.delta, out=out)
