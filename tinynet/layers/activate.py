"""An activation on its own."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Cache
from tinynet.activations import Activation
from tinynet.layers.base import Layer, as_activation


@attrs.frozen
class Activate(Layer):
    """Z = A_prev, and A is the activation of it.

    For an activation that does not follow straight upon ``Dense``, or does so in a line of its
    own. ``Dense(20), Activate("relu")`` computes what ``Dense(20, "relu")`` does, but ``Dense``
    then does not know what follows when it draws W: there write ``Dense(20, init="he_normal")``.

    Parameters
    ----------
    activation : str, Activation or config
        What the model applies to Z.

    >>> Activate("relu")
    Activate(activation=ReLU())
    """

    activation: Activation = attrs.field(converter=as_activation)

    # Z is a copy, for the next pass may write into cache.Z, and A_prev is not its own.

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return a copy of A_prev."""
        return np.positive(A_prev, out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        """Return a copy of dZ, where it is wanted."""
        return None if cache.dA_prev is None else np.positive(dZ, out=cache.dA_prev)
