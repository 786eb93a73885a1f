"""Layer normalization."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet.layers.base import means
from tinynet.layers.normalization import Normalization


@attrs.frozen(slots=False)
class LayerNorm(Normalization):
    r"""Z = gamma · Â + beta, with each example normalized over its n units.

    In training and at prediction alike::

        variance = sum of (A_prev - mean)² over the units / n
        Â        = (A_prev - mean) / sqrt(variance + epsilon)
        Z        = gamma · Â + beta

    In reverse, with dÂ = gamma · dZ and means over the units::

        dA_prev  = (dÂ - mean of dÂ - Â · mean of dÂ · Â) / sqrt(variance + epsilon)

    An example of higher shape is normalized over all its entries.

    Parameters
    ----------
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

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        return {"A_hat": (*input_shape, m), "dA_hat": (*input_shape, m), "std": (m,)}

    def normalize(self, A_prev: Array, cache: Cache) -> None:
        A_hat = np.subtract(A_prev, _mean(A_prev), out=cache.A_hat)
        np.sqrt(_mean_product(A_hat, A_hat) + self.epsilon, out=cache.std)
        np.divide(A_hat, cache.std, out=A_hat)

    def input_gradient(self, dZ: Array, cache: Cache) -> Array:
        dA_hat = np.multiply(dZ, cache.gamma, out=cache.dA_hat)
        mean_product = _mean_product(dA_hat, cache.A_hat)
        dA_prev = np.multiply(cache.A_hat, mean_product, out=cache.dA_prev)
        dA_prev += _mean(dA_hat)
        np.subtract(dA_hat, dA_prev, out=dA_prev)
        return np.divide(dA_prev, cache.std, out=dA_prev)


def _columns(array: Array) -> Array:
    """Return examples as columns (n, m)."""
    return array.reshape(-1, array.shape[-1])


def _mean(array: Array) -> Array:
    """Return the mean of each example, (m,)."""
    columns = _columns(array)
    return means(len(columns), array.dtype)[1][:, 0].dot(columns)


def _mean_product(one: Array, other: Array) -> Array:
    """Return the mean over the units of one · other, for each example, (m,)."""
    one, other = _columns(one), _columns(other)
    return np.einsum("nm,nm->m", one, other) * means(len(one), one.dtype)[0]
