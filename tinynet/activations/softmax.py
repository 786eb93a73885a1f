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
        largest = _largest(Z)
        is_one = largest.ndim == 0
        if out is not None and not is_one:
            np.copyto(out, largest)  # np.subtract takes longer with a row than with this copy
            largest = out
        D = np.subtract(Z, largest, out)
        n = D.shape[0] if D.ndim else 1
        E = exp(D, out, least=n)  # the sum is at most n, so no A is subnormal either
        is_real = E.dtype.char in "efd"  # `total` would lose an imaginary part, or digits
        sums = np.array(total(E), E.dtype) if is_one and is_real else np.add.reduce(E)
        return np.divide(E, sums, out=out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        weighted = np.add.reduce(np.multiply(A, dA, out=out))
        return np.multiply(A, np.subtract(dA, weighted, out=out), out=out)


def _largest(Z: Array) -> Array:
    """Return the largest number of each example; of a single one, without dimensions."""
    if type(Z) is np.ndarray and Z.ndim == 2 and Z.shape[1] == 1:
        of_one: Array = Z[Z.argmax()].reshape(())  # takes a third of the time
        return of_one
    return np.maximum.reduce(Z)
