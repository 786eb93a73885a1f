"""Examples of another shape: the numbers stay as they are, in C order."""

from __future__ import annotations

import math
import operator
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet.errors import ShapeError
from tinynet.layers.base import Layer


def _shape(value: Any) -> Shape:
    """Return the shape of an example, with at most one -1 for what follows from the rest."""
    expected = (
        "expected whole numbers of at least 1, one of which may be -1, without the examples: "
        "Reshape((8, 8))."
    )
    try:
        shape = tuple(map(operator.index, value if isinstance(value, (tuple, list)) else (value,)))
    except TypeError:
        raise TypeError(f"shape is {value!r}, {expected}") from None
    if not shape or shape.count(-1) > 1 or any(n < 1 and n != -1 for n in shape):
        raise ValueError(f"shape is {value!r}, {expected}")
    return shape


def _copied(array: Array, out: Array) -> Array:
    """Return `out` with the numbers of an array of another shape."""
    np.copyto(out, array.reshape(out.shape))
    return out


@attrs.frozen(slots=False)
class Reshape(Layer):
    """Z has the numbers of A_prev, each example in another shape, read and written in C order.

    Columns (12, m) become (3, 4, m): Z[i, j] is A_prev[4 * i + j].

    Parameters
    ----------
    shape : int or tuple of int
        The shape of an example, without m. One number may be -1: it follows from the others.

    >>> Reshape((3, -1)).output_shape((12,))
    (3, 4)
    """

    shape: Shape = attrs.field(converter=_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        size, known = math.prod(input_shape), math.prod(n for n in self.shape if n != -1)
        if size % known or (size != known and -1 not in self.shape):
            expected = f"a multiple of {known}" if -1 in self.shape else str(known)
            raise ShapeError(
                f"An example of shape {input_shape} has {size} numbers, expected {expected} for "
                f"{self!r}. A shape leaves out the examples, the last axis."
            )
        return tuple(size // known if n == -1 else n for n in self.shape)

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        Z = cache.Z
        if Z is None:
            shape = (*self.output_shape(A_prev.shape[:-1]), A_prev.shape[-1])
            Z = np.empty(shape, A_prev.dtype)
        return _copied(A_prev, Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        return None if cache.dA_prev is None else _copied(dZ, cache.dA_prev)


@attrs.frozen(slots=False)
class Flatten(Reshape):
    """Z has each example as a column, as ``Dense`` takes it: (a, b, m) becomes (a · b, m).

    >>> Flatten().output_shape((3, 4))
    (12,)
    """

    shape: Shape = attrs.field(default=(-1,), init=False, repr=False)
