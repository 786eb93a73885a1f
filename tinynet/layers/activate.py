"""An activation on its own."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.cache import Cache
from tinynet.activations import Activation
from tinynet.layers.base import Layer, as_activation


@attrs.frozen(slots=False)
class Activate(Layer):
    """Z = A_prev, and A is the activation of it.

    ``Dense(20), Activate("relu")`` computes what ``Dense(20, "relu")`` does. But ``Dense`` then
    does not know what follows when it draws W: use ``Dense(20, init="he_average")`` there.

    Parameters
    ----------
    activation : str, Activation or config
        What the model applies to Z.

    >>> Activate("relu")
    Activate(activation=ReLU())
    """

    activation: Activation = attrs.field(converter=as_activation)

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        return np.positive(A_prev, out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        return None if cache.dA_prev is None else np.positive(dZ, out=cache.dA_prev)
