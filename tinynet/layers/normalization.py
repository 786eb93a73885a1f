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
from tinynet.layers.base import Layer, Parameter, Scratch, columns, mean_column

_HALF_BUFFER = 4096  # numbers: half of what np.getbufsize() is by default
_SHORTEST = 256  # numbers of a row: with fewer, products save time only with AVX-512
_UNITS = 4  # in one product of `scale_and_shift`


@attrs.frozen(slots=False)
class Normalization(Layer):
    r"""Z = gamma · Â + beta, where Â is A_prev minus its mean, divided by its standard deviation.

    A subclass says over which numbers the mean and the deviation are taken. In reverse, with m
    examples::

        dgamma = sum of dZ · Â over the examples / m
        dbeta  = sum of dZ over the examples / m

    gamma and beta are (n, 1) and start at 1 and 0. An example of higher shape, such as an image
    (C, H, W), has one gamma and beta for each entry of its first axis, and the sums are over its
    positions too.

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

    _formulas = Layer._formulas | {"normalize"}
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
        """Fill ``unscaled(cache)``, which `output` scales and shifts, and ``cache.std``."""

    @abstractmethod
    def output(self, cache: Cache, out: Array) -> Array:
        """Return Z, computed in `out`."""

    @abstractmethod
    def gamma_gradient(self, dZ: Array, cache: Cache) -> None:
        """Fill ``cache.dgamma``; `input_gradient` may use what this leaves in other arrays."""

    @abstractmethod
    def input_gradient(self, dZ: Array, cache: Cache, out: Array) -> Array:
        """Return dA_prev, computed in `out`; dgamma and dbeta are there already."""

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        self.normalize(self.matrix(A_prev), cache)
        Z = np.empty_like(A_prev) if cache.Z is None else cache.Z
        self.output(cache, self.matrix(Z))
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        m, dZ = dZ.shape[-1], self.matrix(dZ)
        self.gamma_gradient(dZ, cache)
        dZ.dot(mean_column(cache, dZ.shape[-1] // m), out=cache.dbeta.reshape(-1, 1))
        if cache.dA_prev is not None:
            self.input_gradient(dZ, cache, self.matrix(cache.dA_prev))
        return cache.dA_prev


def scratch_to_scale(n: int, m: int) -> dict[str, Shape | Scratch]:
    """Return the scratch for the matrix (n, m) that `scale_and_shift` takes, and for its products.

    Where it computes products, a row of ones for each of them is below the matrix.
    """
    if n % _UNITS or not _SHORTEST <= m <= _HALF_BUFFER:
        return {"with_ones": (n, m)}
    products = n // _UNITS
    factors = Scratch((products, _UNITS, _UNITS + 1), fill=0)
    return {"with_ones": Scratch((n + products, m), fill=1), "factors": factors}


def unscaled(cache: Cache) -> Array:
    """Return the matrix that `scale_and_shift` takes, without the rows of ones below it."""
    matrix: Array = cache.with_ones[: cache.gamma.size]
    return matrix


def scale_and_shift(cache: Cache, scale: Array, shift: Array, out: Array) -> Array:
    """Return ``scale · unscaled(cache) + shift``, computed in `out`, for two columns.

    NumPy goes three times over rows of a few hundred numbers: to repeat the scale, to multiply, and
    to add. BLAS goes over them once, in half of that time, in products of four units each::

        [ scale_0                           shift_0 ]   [ row_0 ]
        [         scale_1                   shift_1 ]   [ row_1 ]
        [                 scale_2           shift_2 ] · [ row_2 ]
        [                         scale_3   shift_3 ]   [ row_3 ]
                                                        [ ones  ]
    """
    # An infinite number may be right in a prediction, and 0 times inf is NaN in the other units.
    if not cache.training or len(cache.with_ones) == len(out):  # there are no ones below
        combine_column(np.multiply, unscaled(cache), scale, out)
        out += shift
        return out
    factors: Array = cache.factors
    diagonal = factors.reshape(len(factors), -1)[:, :: _UNITS + 2]
    diagonal[...], factors[..., -1] = _in_products(scale)[..., 0], _in_products(shift)[..., 0]
    np.matmul(factors, _in_products(cache.with_ones, _UNITS + 1), out=_in_products(out))
    return out


def _in_products(matrix: Array, n_rows: int = _UNITS) -> Array:
    """Return a view of a matrix as one matrix of some of its rows for each product.

    They are as far apart as they can be, so that the last of five is a row of ones.
    """
    return matrix.reshape(n_rows, -1, matrix.shape[1]).swapaxes(0, 1)


def combine_column(function: np.ufunc, array: Array, column: Array, out: Array) -> Array:
    """Return ``function(array, column)``, computed in `out`.

    Where two rows of the array find room in NumPy's buffer, NumPy repeats the column there. It
    takes less time to repeat it in the result, and to compute with two arrays of one shape.
    """
    if out.shape[1] <= _HALF_BUFFER:
        np.copyto(out, column)
        column = out
    return function(array, column, out=out)


def rows_at_a_time(n: int, m: int) -> int:
    """Return how many of n rows of m numbers `combine_row` takes as one: a divisor of n if it can.

    A number of units without a divisor of this size, such as a prime one, leaves rows over.
    """
    least = min(_HALF_BUFFER // m + 1, n)
    return next((rows for rows in range(least, 2 * least) if n % rows == 0), least)


def combine_row(function: np.ufunc, array: Array, row: Array, cache: Cache, out: Array) -> Array:
    """Return ``function(array, row)``, computed in `out`.

    To go from one short row of the array to the next, NumPy takes as long as to compute with it. So
    several rows are taken as one, which is longer than half of NumPy's buffer.
    """
    repeated = cache.repeated_row
    np.copyto(repeated, row)
    n, rows = len(out), len(repeated)
    if rows == n:
        return function(array, repeated, out=out)
    end, wide = n - n % rows, (-1, repeated.size)
    function(array[:end].reshape(wide), repeated.reshape(wide), out=out[:end].reshape(wide))
    if end < n:
        function(array[end:], repeated[: n - end], out=out[end:])
    return out
