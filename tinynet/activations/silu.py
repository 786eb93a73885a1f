"""Z times a sigmoid of Z, or times something like it."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet._support.underflow import at_least, at_most, exp
from tinynet.activations.base import Activation
from tinynet.activations.limits import bounded, certain


class SiLU(Activation):
    r"""A = Z · sigmoid(Z), also called swish (Elfwing, Uchibe and Doya 2018).

    With E = exp(Z), sigmoid(Z) = E / (1 + E), and dZ = dA · (E + A) / (1 + E).

    >>> Z = np.log([[3.0]])  # its sigmoid is 3/4
    >>> (SiLU().forward(Z) / Z).round(12)
    array([[0.75]])
    """

    init = "he_normal"
    range = (-0.27846454276107381, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        E = exp(at_most(Z, certain(Z.dtype)))
        return at_least(Z, np.finfo(Z.dtype).min) * (E / (1 + E))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        limit = certain(Z.dtype)
        E = exp(at_most(Z, limit))
        return dA * ((E + at_most(A, limit)) / (1 + E))


class Mish(Activation):
    r"""A = Z · tanh(softplus(Z)) (Misra 2020).

    With E = exp(Z) and N = E (E + 2), tanh(softplus(Z)) = N / (N + 2), so one exponential is
    enough; and dZ = dA · (N / (N + 2) + Z · 4 E (E + 1) / (N + 2)²).

    >>> Z = np.log([[2.0]])  # N is 8
    >>> (Mish().forward(Z) / Z).round(12)
    array([[0.8]])
    """

    init = "he_normal"
    range = (-0.30884341301725, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        N = self._exponentials(Z)[1]
        return at_least(Z, np.finfo(Z.dtype).min) * (N / (N + 2))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        E, N = self._exponentials(Z)
        near = np.minimum(bounded(Z)[0], 20)
        return dA * (N / (N + 2) + near * (4 * E * (E + 1) / (N + 2) ** 2))

    @staticmethod
    def _exponentials(Z: Array) -> tuple[Array, Array]:
        E = exp(at_most(Z, 20))  # beyond 20, tanh(softplus(Z)) is 1 to the last digit
        return E, E * (E + 2)
