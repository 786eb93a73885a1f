"""Sigmoid, and the activations that are made of it or drawn like it."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array, scalar
from tinynet._support.blocks import by_blocks
from tinynet._support.quiet import quiet
from tinynet._support.results import expect_one_shape
from tinynet._support.underflow import exp, positive_part
from tinynet.activations.base import Activation, BoundActivation, Formula


class Sigmoid(BoundActivation):
    r"""A = 1 / (1 + exp(-Z)), and dZ = dA · A · (1 - A) (Rumelhart, Hinton and Williams 1986).

    >>> Sigmoid().forward(np.array([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    range = (0.0, 1.0)

    def bind_forward(self, Z: Array, out: Array | None) -> Formula:
        negative, exp, add, reciprocal = np.negative, np.exp, np.add, np.reciprocal
        one = scalar(1, Z.dtype)
        # In place NumPy takes three times as long for a single number.
        to = None if out is None or out.size == 1 else out

        def forward(Z: Array) -> Array:  # where A is 0, exp(-Z) is infinite, as it should be
            return reciprocal(add(exp(negative(Z, out), to), one, to), out)

        return forward

    def bind_back(self, A: Array, out: Array | None) -> Formula:
        multiply, subtract, one = np.multiply, np.subtract, scalar(1, A.dtype)

        def back(dA: Array, Z: Array, A: Array) -> Array:
            return multiply(dA, multiply(A, subtract(one, A, out), out), out)

        return back


class Tanh(BoundActivation):
    r"""A = tanh(Z), and dZ = dA · (1 - A²) (LeCun and others 1998).

    >>> Tanh().forward(np.array([[-1000.0, 0.0, np.log(2.0)]])).round(12)
    array([[-1. ,  0. ,  0.6]])
    """

    range = (-1.0, 1.0)

    def bind_forward(self, Z: Array, out: Array | None) -> Formula:
        tanh = np.tanh
        return lambda Z: tanh(Z, out)

    def bind_back(self, A: Array, out: Array | None) -> Formula:
        multiply, subtract, one = np.multiply, np.subtract, scalar(1, A.dtype)

        def back(dA: Array, Z: Array, A: Array) -> Array:
            return multiply(dA, subtract(one, multiply(A, A, out), out), out)

        return back


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
