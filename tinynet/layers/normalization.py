"""What batch and layer normalization share: a scale and a shift that are trained."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import positive
from tinynet.initializers import Constant
from tinynet.layers.base import Layer, Parameter, columns, mean_column

HALF_BUFFER = 4096  # numbers: half of what np.getbufsize() is by default


@attrs.frozen(slots=False)
class Normalization(Layer):
    r"""Z = gamma · Â + beta, where Â is A_prev minus its mean, divided by its standard deviation.

    A subclass says over which numbers the mean and the deviation are taken. In reverse, with m
    examples::

        dgamma = sum of dZ · Â over the examples / m
        dbeta  = sum of dZ over the examples / m

    gamma and beta are (n, 1) and start at 1 and 0. An example of higher shape, such as an image
    (C, H, W), has one gamma and beta for each entry of its first axis, and the sums are over its
    positions too. Â is not stored: it is ``cache.centered``, which is A_prev minus its mean,
    divided by ``cache.std``.

    Parameters
    ----------
    epsilon : float
        Added to the variance; above 0, by keyword.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    >>> import tinynet as tn
    >>> gamma = tn.BatchNorm().parameters((3, 8, 8))["gamma"]
    >>> gamma.shape, gamma.init
    ((3, 1), Constant(value=1.0))
    """

    forward_methods = Layer.forward_methods | {"normalize"}
    epsilon: float = positive(1e-5, kw_only=True)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        shape = self.shape_of_gamma(input_shape)
        return {"gamma": Parameter(shape, Constant(1.0)), "beta": Parameter(shape)}

    def shape_of_gamma(self, input_shape: Shape) -> Shape:
        """Return the shape of gamma and beta."""
        return (input_shape[0], 1)

    def matrix(self, array: Array) -> Array:
        """Return an array like Z as a matrix, with a row for each entry of gamma."""
        return columns(array)

    # The arrays that follow are matrices, as `matrix` returns them.

    @abstractmethod
    def normalize(self, A_prev: Array, cache: Cache) -> None:
        """Fill ``cache.centered`` and ``cache.std``."""

    @abstractmethod
    def scale(self, array: Array, cache: Cache, out: Array) -> Array:
        """Return gamma / std · array, computed in `out`, which has the shape of Z."""

    @abstractmethod
    def gamma_gradient(self, dZ: Array, cache: Cache) -> None:
        """Fill ``cache.dgamma``; `input_gradient` may use what this leaves in other arrays."""

    @abstractmethod
    def input_gradient(self, dZ: Array, cache: Cache, out: Array) -> Array:
        """Return dA_prev, computed in `out`; dgamma and dbeta are there already."""

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        self.normalize(self.matrix(A_prev), cache)
        Z = np.empty_like(A_prev) if cache.Z is None else cache.Z
        of_Z = self.scale(cache.centered, cache, self.matrix(Z))
        of_Z += cache.beta.reshape(-1, 1)
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        m, dZ = dZ.shape[-1], self.matrix(dZ)
        self.gamma_gradient(dZ, cache)
        dZ.dot(mean_column(cache, dZ.shape[-1] // m), out=cache.dbeta.reshape(-1, 1))
        if cache.dA_prev is not None:
            self.input_gradient(dZ, cache, self.matrix(cache.dA_prev))
        return cache.dA_prev


def combine(function: np.ufunc, array: Array, vector: Array, out: Array) -> Array:
    """Return ``function(array, vector)``, computed in `out`, where vector is a column or a row.

    Where two rows of the array find room in NumPy's buffer, NumPy repeats the vector there. It
    takes less time to repeat it in the result, and to compute with two arrays of one shape.
    """
    if out.shape[1] <= HALF_BUFFER:
        np.copyto(out, vector)
        vector = out
    return function(array, vector, out=out)
