"""Z times the normal distribution function of Z."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet._support.fields import flag
from tinynet._support.underflow import at_least, at_most, exp
from tinynet.activations.base import Activation
from tinynet.activations.limits import certain
from tinynet.activations.normal import times_normal, times_normal_slope

# The approximation is Z · sigmoid(U) with U = _SLOPE · (Z + _CUBE · Z³). From |Z| = _FAR on, the
# sigmoid is 0 or 1, and its slope 0, to the last digit in every dtype.
_SLOPE, _CUBE, _FAR = math.sqrt(8 / math.pi), 0.044715, 25.0


@attrs.frozen(slots=False)
class GELU(Activation):
    r"""A = Z · Φ(Z), with the standard normal distribution function Φ (Hendrycks and Gimpel 2016).

    With the density φ, dZ = dA · (Φ(Z) + Z · φ(Z)). `back` expects the A that `forward` gives.

    Parameters
    ----------
    approximate : bool
        Replace Φ(Z) by (1 + tanh(√(2/π) · (Z + 0.044715 Z³))) / 2, as GPT-2 does; A is off by up
        to 5e-4. By keyword only.

    >>> GELU().forward(np.array([[1.0]])).round(6)
    array([[0.841345]])
    >>> GELU(approximate=True).forward(np.array([[1.0]])).round(6)
    array([[0.841192]])
    """

    approximate: bool = flag(False, kw_only=True)

    init = "he_normal"

    @property
    def range(self) -> tuple[float, float]:
        return -0.170040750571254 if self.approximate else -0.16997120747990366, math.inf

    @by_blocks
    def forward(self, Z: Array) -> Array:
        if self.approximate:
            return at_least(Z, np.finfo(Z.dtype).min) * _sigmoid(Z)[0]
        return times_normal(Z)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        if self.approximate:
            return dA * _approximate_slope(Z)
        slope = times_normal_slope(Z, A)
        slope *= dA
        return slope


def _sigmoid(Z: Array) -> tuple[Array, Array, Array]:
    """Return the sigmoid of the approximation, 1 minus it, and the Z that they are computed from.

    (1 + tanh(U / 2)) / 2 is sigmoid(U), which has its digits where it is small, too.
    """
    near = np.clip(Z, -_FAR, _FAR)
    U = near * (_SLOPE + _SLOPE * _CUBE * np.square(near))
    E = exp(at_most(U, 2 * certain(Z.dtype)))
    return E / (1 + E), 1 / (1 + E), near


def _approximate_slope(Z: Array) -> Array:
    """Return the derivative of Z · sigmoid(U), sigmoid(U) · (1 + Z · (1 - sigmoid(U)) · U')."""
    sigmoid, rest, near = _sigmoid(Z)
    return sigmoid * (1 + near * rest * _SLOPE * (1 + 3 * _CUBE * np.square(near)))
