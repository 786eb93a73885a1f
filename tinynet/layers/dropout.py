"""Dropout."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, lt

from tinynet._support.arrays import Array, Cache, Shape
from tinynet._support.random import Random
from tinynet.layers.base import Layer

_BLOCK = 1 << 12  # numbers drawn at a time: small enough to need no array as large as a batch


@attrs.frozen
class Dropout(Layer):
    r"""In training each unit is kept with probability 1 - rate, and divided by it; otherwise Z = A_prev.

    ::

        mask    = (random numbers from 0 to 1 < 1 - rate) / (1 - rate)     in training
        Z       = mask · A_prev                                            dA_prev = mask · dZ

    So Z is A_prev on average, and nothing needs to be scaled at prediction: there and in ``evaluate``
    nothing is drawn. The mask is ``cache.mask``, another one for each example and each pass, and
    stays until the next pass: `back` goes by the units that `forward` kept. It is drawn from the
    model's generator, in float64 whatever the model computes in, so that the seed tells it.

    Parameters
    ----------
    rate : float
        The share of units that is dropped, at least 0 and below 1. The course's keep_prob is 1 - rate.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple way
    to prevent neural networks from overfitting", JMLR 15 (2014), 1929-1958; section 10 has the
    division in training.

    >>> Dropout(0.2)
    Dropout(rate=0.2)
    """

    rate: float = attrs.field(default=0.5, converter=float, validator=[ge(0), lt(1)])

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        """Ask for room for the mask."""
        return {"mask": (*input_shape, m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return A_prev with units dropped and the others scaled, in training; else a copy of it."""
        if not cache.training:
            return np.positive(A_prev, out=cache.Z)
        self._draw(cache.mask, cache.rng)
        return np.multiply(A_prev, cache.mask, out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        """Return dA_prev, where it is wanted: dZ with the same units dropped and scaled."""
        if cache.dA_prev is None:
            return None
        return (
            np.multiply(dZ, cache.mask, out=cache.dA_prev)
            if cache.training
            else np.positive(dZ, out=cache.dA_prev)
        )

    def _draw(self, mask: Array, rng: Random) -> None:
        """Fill the mask with 1 / (1 - rate) where a unit is kept, and with 0 where not."""
        keep, flat = 1 - self.rate, mask.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            part = flat[start : start + _BLOCK]
            part[:] = rng.random(part.size) < keep
            part *= 1 / keep
