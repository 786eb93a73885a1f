"""Layer normalization."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, scalar
from tinynet._support.cache import Cache
from tinynet._support.fields import one_of
from tinynet.layers.base import columns, means
from tinynet.layers.normalization import Normalization, combine

_MANY = 1 << 13  # numbers: for fewer it takes longer to fill in zeros than it saves


@attrs.frozen(slots=False)
class LayerNorm(Normalization):
    r"""Z = gamma · Â + beta, with each example normalized over its n units.

    In training and at prediction alike::

        variance = sum of (A_prev - mean)² over the units / n
        Â        = (A_prev - mean) / sqrt(variance + epsilon)
        Z        = gamma · Â + beta

    In reverse, with dÂ = gamma · dZ and means over the units::

        dA_prev  = (dÂ - mean of dÂ - Â · mean of dÂ · Â) / sqrt(variance + epsilon)

    Of images (C, H, W, m) and sequences (n, T, m), the units are the entries of the first axis,
    and each position is normalized by itself. With ``over="example"`` all entries of an example
    are units, each with a gamma and beta of its own.

    Parameters
    ----------
    over : {"features", "example"}
        What the mean and variance are over: the first axis, at each position, or all axes but the
        last; by keyword.
    epsilon : float
        Added to the variance; above 0.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016,
    https://arxiv.org/abs/1607.06450.

    >>> LayerNorm()
    LayerNorm()
    """

    over: str = one_of("features", "example", default="features", kw_only=True)

    def shape_of_gamma(self, input_shape: Shape) -> Shape:
        return (*input_shape, 1) if self.over == "example" else super().shape_of_gamma(input_shape)

    def matrix(self, array: Array) -> Array:
        return array.reshape(-1, array.shape[-1]) if self.over == "example" else columns(array)

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        units = math.prod(self.shape_of_gamma(input_shape))
        n, m = shape = (units, math.prod(input_shape) // units * m)
        factors = {"gamma_0": (n, 2), "inverse_std_0": (2, m)}  # each with zeros: see `scale`
        return {"centered": shape, "product": shape, "std": (m,), "row": (m,), **factors}

    def input_probe(self, cache: Cache) -> Array:
        return cache.std

    # Sums over the units and over the examples are products with a vector, which BLAS computes in a
    # third of the time of np.sum.

    def normalize(self, A_prev: Array, cache: Cache) -> None:
        weights, std = _one_nth(cache), cache.std
        C = combine(np.subtract, A_prev, weights.dot(A_prev, cache.row), out=cache.centered)
        squares = np.square(C, out=cache.product)
        weights.dot(squares, std)
        std += scalar(self.epsilon, std.dtype)
        np.reciprocal(np.sqrt(std, out=std), out=cache.inverse_std_0[0])

    def scale(self, array: Array, cache: Cache, out: Array) -> Array:
        gamma_0, inverse_std_0 = cache.gamma_0, cache.inverse_std_0
        if out.size < _MANY:
            np.dot(cache.gamma.reshape(-1, 1), inverse_std_0[:1], out=out)
        else:  # BLAS takes half the time, or less, if both have a second dimension
            gamma_0[:, 0], gamma_0[:, 1], inverse_std_0[1] = cache.gamma.reshape(-1), 0, 0
            np.dot(gamma_0, inverse_std_0, out=out)
        out *= array
        return out

    def gamma_gradient(self, dZ: Array, cache: Cache) -> None:
        product = np.multiply(dZ, cache.centered, out=cache.product)
        weights = np.divide(cache.means[0], cache.std, out=cache.row)
        product.dot(weights, out=cache.dgamma.reshape(-1))

    def input_gradient(self, dZ: Array, cache: Cache, out: Array) -> Array:
        # `gamma_gradient` has left dZ · centered in `product`.
        inverse_std, through_means = cache.inverse_std_0[0], cache.product
        weights = _one_nth(cache) * cache.gamma.reshape(-1)
        mean_product = weights.dot(through_means, cache.row)
        for _ in range(3):  # once for each of the two Â, which are not stored, and once for dA_prev
            mean_product *= inverse_std
        # What the formula subtracts: (mean of dÂ + Â · mean of dÂ · Â) / std.
        combine(np.multiply, cache.centered, mean_product, out=through_means)
        mean = weights.dot(dZ, cache.row)
        mean *= inverse_std
        through_means += mean
        dA_prev = self.scale(dZ, cache, out)
        dA_prev -= through_means
        return dA_prev


def _one_nth(cache: Cache) -> Array:
    """Return a vector of n times 1/n, where n is the number of units."""
    gamma = cache.gamma
    return means(gamma.size, gamma.dtype)[1][:, 0]
