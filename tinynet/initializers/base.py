"""The abstract initializer, and how many inputs and outputs a parameter connects."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from tinynet._support.arrays import Array, Shape
from tinynet._support.random import Random
from tinynet._support.registry import Registered


class Initializer(Registered, ABC):
    """Base of all initializers; to subclass it is to register.

    >>> import numpy as np
    >>> Initializer.get("normal", scale=0.01).draw((2, 2), np.random.RandomState(1)).round(5)
    array([[ 0.01624, -0.00612],
           [-0.00528, -0.01073]])
    """

    family = "initializer"
    modules = ("tinynet.initializers.fixed", "tinynet.initializers.orthogonal")

    @abstractmethod
    def draw(self, shape: Shape, rng: Random) -> Array:
        """Return a float64 array of `shape`, drawn from `rng` alone."""


def fans(shape: Shape) -> tuple[int, int]:
    """Return n_in, the inputs of one output, and n_out, the outputs that one input reaches."""
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
