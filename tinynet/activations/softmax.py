"""Shares that sum to 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tinynet._support.arrays import Array, total
from tinynet._support.underflow import exp_above, has_floats, log_smallest
from tinynet.activations.base import Back, BoundActivation, Forward

_FEW_UNITS, _FEW_MULTIPLICATIONS = 16, 1 << 16


class Softmax(BoundActivation):
    r"""A[k] = exp(Z[k]) / Σ_j exp(Z[j]), over the units (the first axis) of each example.

    Bridle (1990). Its Jacobian is not diagonal: dZ = A · (dA - Σ_j A[j] dA[j]).

    >>> Softmax().forward(np.array([[1000.0, 0.0], [1000.0, np.log(3.0)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.75]])
    """

    range = (0.0, 1.0)
    sums_to_1 = True

    def bind_forward(self, Z: Array, out: Array | None) -> Forward:
        highest, copyto, subtract, divide = np.maximum.reduce, np.copyto, np.subtract, np.divide
        exp: Callable[..., Array] = np.exp
        if has_floats(Z):  # the sum is at most the number of units, so no A is subnormal either
            exp = partial(exp_above, log_smallest(Z.dtype, len(Z)))
        if _is_one_example(Z):  # without rows, which NumPy takes three times as long for
            return lambda Z: _of_one_example(Z, exp, out)

        sums = _sums(Z, out)

        def forward(Z: Array) -> Array:
            row = highest(Z)
            if out is not None:
                copyto(out, row)  # to subtract a row takes longer than to subtract its copies
                row = out
            E = exp(subtract(Z, row, out), out)
            return divide(E, sums(E), out)

        return forward

    def bind_back(self, A: Array, out: Array | None) -> Back:
        multiply, subtract, add = np.multiply, np.subtract, np.add.reduce

        def back(dA: Array, Z: Array, A: Array) -> Array:
            weighted = add(multiply(A, dA, out))
            return multiply(A, subtract(dA, weighted, out), out)

        return back


def _sums(Z: Array, out: Array | None) -> Forward:
    """Return a function that sums up over the units: a row, or its copies in an array like Z.

    For few units, the product with a matrix of ones gives the copies in a third of the time.
    """
    if out is None or Z.ndim != 2:
        return np.add.reduce
    n = len(Z)
    if n > _FEW_UNITS or n * Z.size > _FEW_MULTIPLICATIONS:
        return np.add.reduce
    ones, copies = np.ones((n, n), out.dtype), np.empty(out.shape, out.dtype)
    return lambda E: ones.dot(E, copies)


def _of_one_example(Z: Array, exp: Callable[..., Array], out: Array | None) -> Array:
    E = exp(np.subtract(Z, Z[Z.argmax()].reshape(()), out), out)
    return np.divide(E, np.array(total(E), E.dtype), out)


def _is_one_example(Z: Array) -> bool:
    """Return whether Z is a column of float32 or float64, which `total` sums up without a loss."""
    return type(Z) is np.ndarray and Z.ndim == 2 and Z.shape[1] == 1 and Z.dtype.char in "fd"
