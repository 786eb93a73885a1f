"""Sigmoid, and the activations that are made of it or drawn like it."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array, expect_one_shape, scalar
from tinynet._support.blocks import by_blocks
from tinynet._support.quiet import quiet
from tinynet._support.underflow import exp, positive_part
from tinynet.activations.base import Activation


class Sigmoid(Activation):
    r"""A = 1 / (1 + exp(-Z)), and dZ = dA · A · (1 - A) (Rumelhart, Hinton and Williams 1986).

    >>> Sigmoid().forward(np.array([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    range = (0.0, 1.0)

    @quiet  # where A is 0, exp(-Z) is infinite, as it should be
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        E = np.negative(Z, out)
        to = None if E.size == 1 else out  # in place NumPy takes three times as long for one number
        return np.reciprocal(np.add(np.exp(E, to), scalar(1, E.dtype), to), out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        rest = np.subtract(scalar(1, A.dtype), A, out)
        return np.multiply(dA, np.multiply(A, rest, out), out)


class Tanh(Activation):
    r"""A = tanh(Z), and dZ = dA · (1 - A²) (LeCun and others 1998).

    >>> Tanh().forward(np.array([[-1000.0, 0.0, np.log(2.0)]])).round(12)
    array([[-1. ,  0. ,  0.6]])
    """

    range = (-1.0, 1.0)

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.tanh(Z, out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        square = np.multiply(A, A, out)
        return np.multiply(dA, np.subtract(scalar(1, A.dtype), square, out), out)


class HardSigmoid(Activation):
    r"""A = Z/6 + 1/2, limited to the range from 0 to 1 (Howard and others 2019).

    The slope at its corners, -3 and 3, counts as 0.

    >>> HardSigmoid().forward(np.array([[-4.0, 0.0, 1.5, 4.0]]))
    array([[0.  , 0.5 , 0.75, 1.  ]])
    """

    range = (0.0, 1.0)

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.clip(np.add(np.divide(Z, 6, out=out), 0.5, out=out), 0, 1, out=out)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA / 6 * (np.abs(Z) < 3)


class Softplus(Activation):
    r"""A = log(1 + exp(Z)) (Dugas and others 2001).

    dZ = dA · sigmoid(Z) = dA · (1 - exp(-A)). `back` expects the A that `forward` gives.

    >>> Softplus().forward(np.array([[-100.0, 0.0, 100.0]])).round(4)
    array([[  0.    ,   0.6931, 100.    ]])
    """

    range = (0.0, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        # This form has no large exponential, and is ten times as fast as np.logaddexp.
        return positive_part(Z) + np.log1p(exp(-np.abs(Z)))

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        minus_slope = np.expm1(np.negative(A, out=out), out=out)
        return np.multiply(dA, np.negative(minus_slope, out=out), out=out)
