"""Shares that sum to 1."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, expect_one_shape, total
from tinynet._support.quiet import quiet
from tinynet._support.underflow import exp
from tinynet.activations.base import Activation


class Softmax(Activation):
    r"""A[k] = exp(Z[k]) / Σ_j exp(Z[j]), over the units (the first axis) of each example.

    Bridle (1990). Its Jacobian is not diagonal: dZ = A · (dA - Σ_j A[j] dA[j]).

    >>> Softmax().forward(np.array([[1000.0, 0.0], [1000.0, np.log(3.0)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.75]])
    """

    range = (0.0, 1.0)
    sums_to_1 = True

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        is_one = _is_one_example(Z)  # without rows, which NumPy takes three times as long for
        largest = Z[Z.argmax()].reshape(()) if is_one else np.maximum.reduce(Z)
        if out is not None and not is_one:
            np.copyto(out, largest)  # np.subtract takes longer with a row than with this copy
            largest = out
        D = np.subtract(Z, largest, out)
        n = D.shape[0] if D.ndim else 1
        E = exp(D, out, least=n)  # the sum is at most n, so no A is subnormal either
        sums = np.array(total(E), E.dtype) if is_one else np.add.reduce(E)
        return np.divide(E, sums, out=out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        weighted = np.add.reduce(np.multiply(A, dA, out=out))
        return np.multiply(A, np.subtract(dA, weighted, out=out), out=out)


def _is_one_example(Z: Array) -> bool:
    """Return whether Z is a column of float32 or float64, which `total` sums up without a loss."""
    return type(Z) is np.ndarray and Z.ndim == 2 and Z.shape[1] == 1 and Z.dtype.char in "fd"
