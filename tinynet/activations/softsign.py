"""Softsign, which reaches its limits more slowly than tanh."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet.activations.base import Activation


class Softsign(Activation):
    r"""A = Z / (1 + |Z|), and dZ = dA / (1 + |Z|)² (Bergstra and others 2009).

    >>> Softsign().forward(np.array([[-3.0, 0.0, 1.0]]))
    array([[-0.75,  0.  ,  0.5 ]])
    """

    range = (-1.0, 1.0)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        near = self._near(Z)
        return near / (1 + np.abs(near))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        slope = 1 / (1 + np.abs(self._near(Z)))
        return dA * (slope * slope)

    @staticmethod
    def _near(Z: Array) -> Array:
        """Return Z, at most so large that the square of 1 / Z is a normal number."""
        limit = 0.5 / float(np.finfo(Z.dtype).tiny) ** 0.5
        return np.clip(Z, -limit, limit)
