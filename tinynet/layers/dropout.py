"""Dropout."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import fraction, one_of
from tinynet._support.random import Random
from tinynet.layers.base import Layer

_BLOCK = 1 << 12  # numbers drawn at a time, so that no array as large as a batch is needed


@attrs.frozen(slots=False)
class Dropout(Layer):
    r"""Drop each unit with probability `rate` in training, and scale the others up.

    ::

        mask    = (random numbers from 0 to 1 < 1 - rate) / (1 - rate)     in training
        Z       = mask · A_prev                                            dA_prev = mask · dZ

    So Z is A_prev on average. At prediction, and in ``evaluate``, Z = A_prev and nothing is drawn.
    The mask is ``cache.mask``, another one for each example and each pass. `back` uses the mask
    that `forward` drew. It is drawn in float64 whatever the model computes in, so that one seed
    gives one mask.

    Parameters
    ----------
    rate : float
        The share of units to drop, at least 0 and below 1. The course's keep_prob is 1 - rate.
    per : {"unit", "channel"}
        With "channel", what is dropped is an entry of the first axis with all its positions: of
        images (C, H, W, m) whole channels, of sequences (n, T, m) a unit at all steps. By keyword.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15 (2014), 1929-1958; section 10 has
    the division in training. J. Tompson and others, "Efficient object localization using
    convolutional networks", CVPR 2015, drops whole channels.

    >>> Dropout(0.2)
    Dropout(rate=0.2)
    """

    rate: float = fraction(0.5)
    per: str = one_of("unit", "channel", default="unit", kw_only=True)

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        if self.per == "channel":
            positions = len(input_shape) - 1
            return {"mask": (input_shape[0], *positions * (1,), m)}
        return {"mask": (*input_shape, m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        if not cache.training:
            return np.positive(A_prev, out=cache.Z)
        self._draw(cache.mask, cache.rng)
        return np.multiply(A_prev, cache.mask, out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        if cache.dA_prev is None:
            return None
        if not cache.training:
            return np.positive(dZ, out=cache.dA_prev)
        return np.multiply(dZ, cache.mask, out=cache.dA_prev)

    def _draw(self, mask: Array, rng: Random) -> None:
        """Fill the mask with 1 / (1 - rate) where a unit stays, and with 0 elsewhere."""
        keep, flat = 1 - self.rate, mask.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            part = flat[start : start + _BLOCK]
            part[:] = rng.random(part.size) < keep
            part *= 1 / keep
