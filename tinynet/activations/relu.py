"""The activations of straight pieces that most networks have."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import FEW, Array, expect_one_shape, scalar
from tinynet._support.quiet import quiet
from tinynet.activations.base import UNLIMITED, Activation


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


class ReLU(Activation):
    r"""A = max(Z, 0) (Nair and Hinton 2010); the slope at 0 counts as 0.

    `back` expects the A that `forward` gives.

    >>> ReLU().forward(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    init = "he_average"
    range = (0.0, math.inf)

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        if type(Z) is np.ndarray and Z.size < FEW:
            return np.maximum(Z, scalar(0, Z.dtype), out=out)
        A = np.empty_like(Z) if out is None else out
        A.fill(0)  # of many numbers, np.maximum of two arrays is twice as fast
        return np.maximum(Z, A, out=A)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        return np.multiply(dA, np.sign(A, out), out)  # A is at least 0: its sign is the slope
