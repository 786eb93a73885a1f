"""An activation."""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class Ripple(tn.Activation):
    """A = Z + height · sin(Z)."""

    height: float = 0.5

    def forward(self, Z):
        return Z + self.height * np.sin(Z)
