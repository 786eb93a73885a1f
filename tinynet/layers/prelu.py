"""The rectified linear unit whose slope below 0 is trained."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import finite
from tinynet.initializers import Constant
from tinynet.layers.base import Layer, Parameter


@attrs.frozen(slots=False)
class PReLU(Layer):
    r"""Z = A_prev where A_prev > 0, and slope · A_prev elsewhere, with a slope for each unit.

    slope is (n, 1): an entry for each one of the first axis, a unit or a channel. It does not
    decay. In reverse, with m examples::

        dslope  = (sum of dZ · min(A_prev, 0) over the examples and positions) / m
        dA_prev = dZ where A_prev > 0, and slope · dZ elsewhere

    It is a layer and not an activation, because it has a parameter. For a slope that stays, use the
    activation ``leaky_relu``.

    Parameters
    ----------
    slope : float
        The first value of every slope.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015,
    https://arxiv.org/abs/1502.01852.

    >>> PReLU()
    PReLU(slope=0.25)
    """

    slope: float = finite(0.25)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        return {"slope": Parameter((input_shape[0], 1), Constant(self.slope))}

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        return {"negative": (*input_shape, m), "other": (*input_shape, m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        negative = np.minimum(A_prev, 0, out=cache.negative)
        Z = np.multiply(negative, _column(cache), out=cache.Z)
        return np.add(Z, np.maximum(A_prev, 0, out=cache.other), out=Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        product = np.multiply(dZ, cache.negative, out=cache.other)  # negative is that of `forward`
        of_units = np.add.reduce(product.reshape(len(product), -1), axis=1, keepdims=True)
        np.multiply(of_units, cache.means[0], out=cache.dslope)
        if cache.dA_prev is None:
            return None
        is_positive = np.greater(cache.A_prev, 0, out=cache.other)  # as numbers, 1 and 0
        dA_prev = np.subtract(1, is_positive, out=cache.dA_prev)
        np.multiply(dA_prev, _column(cache), out=dA_prev)
        return np.multiply(np.add(dA_prev, is_positive, out=dA_prev), dZ, out=dA_prev)


def _column(cache: Cache) -> Array:
    """Return the slopes in a shape that fits the input."""
    return cache.slope.reshape(-1, *[1] * (cache.negative.ndim - 1))
