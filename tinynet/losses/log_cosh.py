"""A smooth loss for numbers, with some outliers in Y."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.quiet import quiet
from tinynet.losses.base import Loss, difference


class LogCosh(Loss):
    r"""J = 1/m Σ log cosh(A - Y), and dA = tanh(A - Y) (Green 1990).

    It is near half the square of a small difference d, and near |d| - log 2 for a large one.

    >>> round(LogCosh().value(np.array([[1.0, 3.0]]), np.array([[0.0, 3.0]])), 12)
    0.216890415242
    """

    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        # cosh d = 1 + 2 sinh²(d/2), so no digits are lost where d is small. From 20 on the loss
        # grows as |d| does, to the last digit.
        d = np.abs(difference(A, Y))
        near = np.minimum(d, 20)
        return np.log1p(2 * np.square(np.sinh(near / 2))) + (d - near)

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.tanh(difference(A, Y, out), out)
