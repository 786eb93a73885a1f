"""Layer normalization."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, scalar
from tinynet._support.cache import Cache
from tinynet._support.fields import one_of
from tinynet.layers.base import Scratch, columns, mean_column, means
from tinynet.layers.normalization import (
    Normalization,
    combine_row,
    rows_at_a_time,
    scale_and_shift,
    scratch_to_scale,
    unscaled,
)

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

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape | Scratch]:
        units = math.prod(self.shape_of_gamma(input_shape))
        n, m = shape = (units, math.prod(input_shape) // units * m)
        factors = {"gamma_0": (n, 2), "inverse_std_0": (2, m)}  # with zeros: see `_gamma_over_std`
        vectors = {"std": (m,), "row": (m,), "repeated_row": (rows_at_a_time(n, m), m)}
        return {"product": shape, **scratch_to_scale(n, m), **factors, **vectors}

    def input_probe(self, cache: Cache) -> Array:
        return cache.std

    # The matrix that is scaled and shifted is Â. Sums over the units and over the examples are
    # products with a vector, which BLAS computes in a third of the time of np.sum.

    def normalize(self, A_prev: Array, cache: Cache) -> None:
        weights, std = _one_nth(cache), cache.std
        mean = weights.dot(A_prev, cache.row)
        C = combine_row(np.subtract, A_prev, mean, cache, out=unscaled(cache))
        squares = np.square(C, out=cache.product)
        weights.dot(squares, std)
        std += scalar(self.epsilon, std.dtype)
        inverse_std = np.reciprocal(np.sqrt(std, out=std), out=cache.inverse_std_0[0])
        combine_row(np.multiply, C, inverse_std, cache, out=C)

    def output(self, cache: Cache, out: Array) -> Array:
        return scale_and_shift(cache, cache.gamma.reshape(-1, 1), cache.beta.reshape(-1, 1), out)

    def gamma_gradient(self, dZ: Array, cache: Cache) -> None:
        positions = dZ.shape[-1] // cache.A_prev.shape[-1]
        product = np.multiply(dZ, unscaled(cache), out=cache.product)
        product.dot(mean_column(cache, positions), out=cache.dgamma.reshape(-1, 1))

    def input_gradient(self, dZ: Array, cache: Cache, out: Array) -> Array:
        A_hat, inverse_std = unscaled(cache), cache.inverse_std_0[0]
        through_means = cache.product  # where `gamma_gradient` has left dZ · Â
        weights = _one_nth(cache) * cache.gamma.reshape(-1)
        # What the formula subtracts: (mean of dÂ + Â · mean of dÂ · Â) / std.
        mean_product = weights.dot(through_means, cache.row)
        mean_product *= inverse_std
        combine_row(np.multiply, A_hat, mean_product, cache, out=through_means)
        mean = weights.dot(dZ, cache.row)
        mean *= inverse_std
        combine_row(np.add, through_means, mean, cache, out=through_means)
        dA_prev = _gamma_over_std(cache, out)
        dA_prev *= dZ
        dA_prev -= through_means
        return dA_prev


def _gamma_over_std(cache: Cache, out: Array) -> Array:
    """Return the product of gamma, a column, with 1 / std, a row, computed in `out`."""
    gamma_0, inverse_std_0 = cache.gamma_0, cache.inverse_std_0
    if out.size < _MANY:
        return np.dot(cache.gamma.reshape(-1, 1), inverse_std_0[:1], out=out)
    # BLAS takes half the time, or less, if both have a second dimension.
    gamma_0[:, 0], gamma_0[:, 1], inverse_std_0[1] = cache.gamma.reshape(-1), 0, 0
    return np.dot(gamma_0, inverse_std_0, out=out)


def _one_nth(cache: Cache) -> Array:
    """Return a vector of n times 1/n, where n is the number of units."""
    gamma = cache.gamma
    return means(gamma.size, gamma.dtype)[1][:, 0]
