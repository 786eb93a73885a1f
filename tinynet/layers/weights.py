"""What layers with a W share: how it is drawn, and its penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._support.arrays import Shape
from tinynet._support.cache import Cache
from tinynet.initializers import Initializer, Zeros
from tinynet.layers.base import Layer, Parameter


def as_init(value: Any) -> Any:
    """Return the initializer that a field was given, or "auto"."""
    return value if isinstance(value, str) and value == "auto" else Initializer.get(value)


class Weighted(Layer):
    """Base of layers with W and b, and with the fields ``units``, ``init`` and ``l2``."""

    if TYPE_CHECKING:
        units: int
        init: Any
        l2: float

    def weights(self, shape: Shape) -> dict[str, Parameter]:
        """Return the declaration of W of this shape and of b."""
        init = Initializer.get(self.activation.init) if self.init == "auto" else self.init
        W = Parameter(shape, init, decays=True)
        return {"W": W, "b": Parameter((self.units, 1), Zeros())}

    @property
    def is_penalized(self) -> bool:
        return self.l2 > 0

    def penalty(self, cache: Cache) -> float:
        """Return l2/2 · Σ W²."""
        return 0.5 * self.l2 * float(np.vdot(cache.W, cache.W))
