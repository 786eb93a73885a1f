"""Numbers that are not drawn."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.fields import finite
from tinynet._support.random import Random
from tinynet.initializers.base import Initializer


class Zeros(Initializer):
    """All zeros: right for b; in W they would make all units of a layer the same for ever.

    >>> Zeros().draw((2, 1), np.random.default_rng(1))
    array([[0.],
           [0.]])
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.zeros(shape)


@attrs.frozen(slots=False)
class Constant(Initializer):
    """All one value.

    Parameters
    ----------
    value : float
        The value.

    >>> Constant(0.1).draw((2, 1), np.random.default_rng(1))
    array([[0.1],
           [0.1]])
    """

    value: float = finite(0.0)

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.full(shape, self.value)
