"""The loss that is a square near 0, and a straight line beyond."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.fields import positive
from tinynet._support.quiet import quiet
from tinynet.losses.base import Loss, difference


@attrs.frozen(slots=False)
class Huber(Loss):
    r"""Half the square of d = A - Y where |d| ≤ delta, delta · (|d| - delta/2) beyond (Huber 1964).

    dA is d, limited to the range from -delta to delta.

    Parameters
    ----------
    delta : float
        The distance up to which the loss is a square; above 0.

    >>> A, Y = np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]])
    >>> Huber().each(A, Y), Huber().back(A, Y)
    (array([[0.125, 2.5  ]]), array([[0.5, 1. ]]))
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
