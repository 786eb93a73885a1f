"""What batch and layer normalization share: a scale and a shift that are trained."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import positive
from tinynet.initializers import Constant, Zeros
from tinynet.layers.base import Layer, Parameter


@attrs.frozen(slots=False)
class Normalization(Layer):
    r"""Z = gamma · Â + beta, where Â is A_prev minus its mean, divided by its standard deviation.

    A subclass says over which numbers the mean and the deviation are taken. In reverse, with m
    examples::

        dgamma = sum of dZ · Â over the examples / m
        dbeta  = sum of dZ over the examples / m

    gamma and beta are (n, 1) and start at 1 and 0. Â is ``cache.A_hat``.

    Parameters
    ----------
    epsilon : float
        Added to the variance; above 0, by keyword.
    activation : str, Activation or config
        What the model applies to Z; by keyword.
    """

    epsilon: float = positive(1e-5, kw_only=True)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        shape = (*input_shape, 1)
        return {"gamma": Parameter(shape, Constant(1.0)), "beta": Parameter(shape, Zeros())}

    @abstractmethod
    def normalize(self, A_prev: Array, cache: Cache) -> None:
        """Fill ``cache.A_hat``."""

    @abstractmethod
    def input_gradient(self, dZ: Array, cache: Cache) -> Array:
        """Fill and return ``cache.dA_prev``; dgamma and dbeta are there already."""

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        self.normalize(A_prev, cache)
        Z = np.multiply(cache.A_hat, cache.gamma, out=cache.Z)
        return np.add(Z, cache.beta, out=Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        one_mth, mean = cache.means
        dgamma = cache.dgamma
        np.einsum("...m,...m->...", dZ, cache.A_hat, out=dgamma[..., 0])
        dgamma *= one_mth
        dZ.dot(mean, out=cache.dbeta)
        return None if cache.dA_prev is None else self.input_gradient(dZ, cache)
