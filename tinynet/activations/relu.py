"""The activations of straight pieces that most networks have."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import FEW, Array, scalar
from tinynet._support.results import expect_one_shape
from tinynet.activations.base import UNLIMITED, Activation, BoundActivation, Formula


class Identity(Activation):
    r"""A = Z. A model has one array for both, so nothing is copied.

    >>> Identity().forward(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]])
    """

    range = UNLIMITED

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return Z if out is Z else np.positive(Z, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        return dA if out is dA else np.positive(dA, out=out)


class ReLU(BoundActivation):
    r"""A = max(Z, 0) (Nair and Hinton 2010); the slope at 0 counts as 0.

    `back` expects the A that `forward` gives.

    >>> ReLU().forward(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    init = "he_average"
    range = (0.0, math.inf)

    def bind_forward(self, Z: Array, out: Array | None) -> Formula:
        maximum, zero = np.maximum, scalar(0, Z.dtype)
        if type(Z) is not np.ndarray or Z.size < FEW:
            return lambda Z: maximum(Z, zero, out=out)

        def forward(Z: Array) -> Array:
            A = np.empty_like(Z) if out is None else out
            A.fill(0)  # of many numbers, np.maximum of two arrays is twice as fast
            return maximum(Z, A, out=A)

        return forward

    def bind_back(self, A: Array, out: Array | None) -> Formula:
        # A is at least 0, so its sign is the slope. Of many numbers, A > 0 takes half the time. It
        # is 0 where A is NaN, which shows in the cost.
        multiply, sign, greater = np.multiply, np.sign, np.greater
        if out is None or A.size < FEW:
            return lambda dA, Z, A: multiply(dA, sign(A, out), out)
        return lambda dA, Z, A: multiply(dA, greater(A, 0, out), out)
