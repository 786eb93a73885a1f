"""Activations of several pieces that are straight, or a part of a parabola."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet._support.fields import finite
from tinynet._support.quiet import quiet
from tinynet._support.underflow import at_least, signed_parts
from tinynet.activations.base import UNLIMITED, Activation
from tinynet.activations.sigmoid import HardSigmoid


def one_or(slope: float, Z: Array) -> Array:
    """Return 1 where Z > 0, and `slope` elsewhere; np.where takes ten times as long."""
    is_positive = (Z > 0).astype(Z.dtype)
    return is_positive + slope * (1 - is_positive)


@attrs.frozen(slots=False)
class LeakyReLU(Activation):
    r"""A = Z where Z > 0, slope · Z elsewhere (Maas, Hannun and Ng 2013).

    Parameters
    ----------
    slope : float
        The slope below 0.

    >>> LeakyReLU(slope=0.1).forward(np.array([[-1.0, 2.0]]))
    array([[-0.1,  2. ]])
    """

    slope: float = finite(0.01)
    init = "he_average"

    @property
    def range(self) -> tuple[float, float]:
        return UNLIMITED if self.slope > 0 else (0.0, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        above, below = signed_parts(Z)
        return above + self.slope * below

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * one_or(self.slope, Z)


class ReLU6(Activation):
    r"""A = max(Z, 0), and at most 6 (Krizhevsky 2010); the slope at 0 and at 6 counts as 0.

    >>> ReLU6().forward(np.array([[-1.0, 2.0, 9.0]]))
    array([[0., 2., 6.]])
    """

    init = "he_average"
    range = (0.0, 6.0)

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.clip(Z, 0, 6, out=out)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * ((Z > 0) & (Z < 6))


class HardSiLU(Activation):
    r"""A = Z · hard_sigmoid(Z), also called hard swish (Howard and others 2019).

    That is Z · relu6(Z + 3) / 6. Between -3 and 3 the slope is Z/3 + 1/2; it counts as 0 at
    -3, and as 1 at 3.

    >>> HardSiLU().forward(np.array([[-4.0, -1.5, 0.0, 1.5, 4.0]]))
    array([[-0.   , -0.375,  0.   ,  1.125,  4.   ]])
    """

    init = "he_normal"
    range = (-0.375, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        return at_least(Z, np.finfo(Z.dtype).min) * HardSigmoid().forward(Z)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        near = np.clip(Z, -3, 3)
        return dA * ((near / 3 + 0.5) * (np.abs(Z) < 3) + (Z >= 3))
