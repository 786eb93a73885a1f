"""Shares that sum to 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tinynet._support.arrays import Array, total
from tinynet._support.underflow import exp_above, has_floats, log_smallest
from tinynet.activations.base import BoundActivation, Formula

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_FEW_UNITS, _FEW = 7, 1 << 13  # numbers in a column, and in all


class Softmax(BoundActivation):
    r"""A[k] = exp(Z[k]) / Σ_j exp(Z[j]), over the units (the first axis) of each example.

    Bridle (1990). Its Jacobian is not diagonal: dZ = A · (dA - Σ_j A[j] dA[j]).

    >>> Softmax().forward(np.array([[1000.0, 0.0], [1000.0, np.log(3.0)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.75]])
    """

    range = (0.0, 1.0)
    sums_to_1 = True

    def bind_forward(self, Z: Array, out: Array | None) -> Formula:
        highest, copyto, subtract, divide = np.maximum.reduce, np.copyto, np.subtract, np.divide
        like, sums = Z if out is None else out, np.add.reduce
        exp: Formula = np.exp
        if has_floats(like):  # the sum is at most the number of units, so no A is subnormal either
            exp = partial(exp_above, log_smallest(like.dtype, len(like)))
        if _is_one_example(like):  # without rows, which NumPy takes three times as long for
            return lambda Z: _of_one_example(Z, exp, out)
        if out is not None and _sums_by_product(out):
            ones, copies = np.ones((len(out), len(out)), out.dtype), np.empty(out.shape, out.dtype)
            sums = partial(ones.dot, out=copies)

        def forward(Z: Array) -> Array:
            row = highest(Z)
            if out is not None:
                copyto(out, row)  # to subtract a row takes longer than to subtract its copies
                row = out
            E = exp(subtract(Z, row, out), out)
            return divide(E, sums(E), out)

        return forward

    def bind_back(self, A: Array, out: Array | None) -> Formula:
        multiply, subtract, add = np.multiply, np.subtract, np.add.reduce

        def back(dA: Array, Z: Array, A: Array) -> Array:
            weighted = add(multiply(A, dA, out))
            return multiply(A, subtract(dA, weighted, out), out)

        return back


def _sums_by_product(A: Array) -> bool:
    """Return whether the sums over the units are computed as a product with a matrix of ones.

    It gives a copy of the sums for each unit, in a third of the time of a row of sums. With more
    units, BLAS would add in an order that depends on the place of an example in the batch.
    """
    return A.dtype in _FLOATS and A.ndim == 2 and len(A) <= _FEW_UNITS and A.size <= _FEW


def _of_one_example(Z: Array, exp: Callable[..., Array], out: Array | None) -> Array:
    E = exp(np.subtract(Z, Z[Z.argmax()].reshape(()), out), out)
    return np.divide(E, np.array(total(E), E.dtype), out)


def _is_one_example(Z: Array) -> bool:
    """Return whether Z is a column of float32 or float64, which `total` sums up without a loss."""
    return type(Z) is np.ndarray and Z.ndim == 2 and Z.shape[1] == 1 and Z.dtype in _FLOATS
