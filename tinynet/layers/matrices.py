"""How the matrices of a layer are drawn, where several stand one below the other."""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.random import Random
from tinynet.initializers import Initializer


class Stacked(NamedTuple):
    """Draw blocks of rows, each with its initializer, so that n_out is that of one block."""

    inits: tuple[Initializer, ...]

    def draw(self, shape: Shape, rng: Random) -> Array:
        """Return an array of `shape`, with as many rows for each initializer."""
        block = (shape[0] // len(self.inits), *shape[1:])
        return np.concatenate([init.draw(block, rng) for init in self.inits])


Initializer.register(Stacked)  # as a subclass that has no name: layers alone use it


def stacked(*inits: Initializer) -> Any:
    """Return what draws a block of rows with each of the initializers."""
    return Stacked(inits)


def _as_initializer(value: Any) -> Initializer:
    return Initializer.get(value)


def init_field(default: str | Initializer) -> Any:
    """Return a field, by keyword, for an initializer as an instance, a name or a config."""
    return attrs.field(default=Initializer.get(default), converter=_as_initializer, kw_only=True)
