"""Exponential linear units: Z above 0, and an exponential that levels off below."""

from __future__ import annotations

import math
from typing import ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet._support.fields import finite, positive
from tinynet._support.quiet import quiet
from tinynet._support.underflow import at_most, exp, signed_parts
from tinynet.activations.base import Activation
from tinynet.activations.pieces import one_or


@attrs.frozen(slots=False)
class ELU(Activation):
    r"""A = Z where Z > 0, alpha · (exp(Z) - 1) elsewhere (Clevert and others 2016).

    Parameters
    ----------
    alpha : float
        A falls to -alpha, and the slope is alpha just below 0.

    >>> ELU().forward(np.array([[-1e9, 2.0]]))
    array([[-1.,  2.]])
    """

    alpha: float = finite(1.0)
    init = "he_normal"

    @property
    def range(self) -> tuple[float, float]:
        return min(-self.alpha, 0.0), math.inf

    @by_blocks
    def forward(self, Z: Array) -> Array:
        above, below = signed_parts(Z)
        return above + self.alpha * np.expm1(below)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        slope = exp(at_most(Z, 0))  # 1 where Z > 0
        if self.alpha != 1:
            slope *= one_or(self.alpha, Z)
        return dA * slope


class SELU(Activation):
    r"""A = λ · ELU(Z) with the α and λ that preserve mean 0 and variance 1 from layer to layer.

    Klambauer, Unterthiner, Mayr and Hochreiter (2017), equation 14; they draw W with
    variance 1/n_prev, which is why ``init`` is ``lecun_normal``.

    >>> SELU().forward(np.array([[-1e9, 1.0]])).round(4)
    array([[-1.7581,  1.0507]])
    """

    init = "lecun_normal"
    scale: ClassVar[float] = 1.0507009873554804934193349852946
    elu: ClassVar[ELU] = ELU(1.6732632423543772848170429916717)
    range = (-1.7580993408473766, math.inf)  # from -scale · alpha on

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.multiply(self.elu.forward(Z, out=out), self.scale, out=out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(self.elu.back(dA, Z, A, out=out), self.scale, out=out)


@attrs.frozen(slots=False)
class CELU(Activation):
    r"""A = Z where Z > 0, alpha · (exp(Z / alpha) - 1) elsewhere (Barron 2017).

    Its slope is 1 at 0 for every `alpha`, which is above 0; that of `ELU` is alpha there.

    Parameters
    ----------
    alpha : float
        A is above -alpha; above 0.

    >>> CELU(alpha=2.0).forward(np.array([[-2.0, 2.0]])).round(4)
    array([[-1.2642,  2.    ]])
    """

    alpha: float = positive(1.0)
    init = "he_normal"

    @property
    def range(self) -> tuple[float, float]:
        return -self.alpha, math.inf

    @by_blocks
    def forward(self, Z: Array) -> Array:
        above, below = signed_parts(Z)
        return above + self.alpha * np.expm1(below / self.alpha)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * exp(at_most(Z, 0) / self.alpha)
