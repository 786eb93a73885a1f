"""What batch and layer normalization share: a scale and a shift that are trained."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import attrs
import numpy as np
from attrs.validators import gt, lt

from tinynet._support.arrays import Array, Cache, Shape
from tinynet.activations import Activation, Identity
from tinynet.initializers import Constant, Zeros
from tinynet.layers.base import Layer, Parameter, as_activation, means


def epsilon_field() -> Any:
    """Return the field for what is added to a variance, so that its root is not 0."""
    return attrs.field(default=1e-5, kw_only=True, converter=float, validator=[gt(0), lt(math.inf)])


@attrs.frozen
class Normalization(Layer):
    r"""Z = gamma · Â + beta, where Â is A_prev with its mean taken off, divided by its standard deviation.

    Of which numbers mean and deviation are taken a subclass says. Backwards, with m examples::

        dgamma = sum of dZ · Â over the examples / m
        dbeta  = sum of dZ over the examples / m

    gamma and beta are (n, 1), at first 1 and 0. Â is ``cache.A_hat``.
    """

    activation: Activation = attrs.field(default=Identity(), converter=as_activation, kw_only=True)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Declare gamma and beta, a number for each unit."""
        shape = (*input_shape, 1)
        return {"gamma": Parameter(shape, Constant(1.0)), "beta": Parameter(shape, Zeros())}

    @abstractmethod
    def normalize(self, A_prev: Array, cache: Cache) -> None:
        """Fill ``cache.A_hat``."""

    @abstractmethod
    def back_from(self, dZ: Array, cache: Cache) -> Array:
        """Fill and return ``cache.dA_prev``; the layer's own gradients are there already."""

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return Z, of the shape of A_prev."""
        self.normalize(A_prev, cache)
        Z = np.multiply(cache.A_hat, cache.gamma, out=cache.Z)
        return np.add(Z, cache.beta, out=Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        """Fill dgamma and dbeta, and return dA_prev where it is wanted."""
        one_mth, mean = means(dZ.shape[-1], dZ.dtype)
        dgamma = cache.dgamma
        np.einsum("...m,...m->...", dZ, cache.A_hat, out=dgamma[..., 0])
        dgamma *= one_mth
        dZ.dot(mean, out=cache.dbeta)
        return None if cache.dA_prev is None else self.back_from(dZ, cache)
