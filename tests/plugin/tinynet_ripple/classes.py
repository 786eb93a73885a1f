"""One class of each family."""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class Ripple(tn.Activation):
    """A = Z + height · sin(Z)."""

    height: float = 0.5

    def forward(self, Z):
        return Z + self.height * np.sin(Z)


class Shift(tn.Layer):
    """Z = A_prev + s, with a number s for each input."""

    def parameters(self, input_shape):
        return {"s": tn.Parameter((*input_shape, 1), tn.Initializer.get("zeros"))}

    def forward(self, A_prev, cache):
        return A_prev + cache.s

    def back(self, dZ, cache):
        cache.ds = dZ.mean(axis=-1, keepdims=True)
        return dZ


class Quartic(tn.Loss):
    """J = 1/m Σ (A - Y)⁴."""

    def value(self, A, Y):
        return float(np.sum((A - Y) ** 4)) / A.shape[-1]

    def back(self, A, Y):
        return 4 * (A - Y) ** 3


@attrs.frozen
class Heavy(tn.SGD):
    """SGD with much momentum."""

    momentum: float = 0.99


@attrs.frozen
class Halving(tn.Schedule):
    """Half the rate at each t."""

    highest: float = 0.1

    def at(self, t):
        return self.highest * 0.5**t


class Halves(tn.Initializer):
    """Draws from -1/2, 0 and 1/2."""

    def draw(self, shape, rng):
        return np.sign(rng.standard_normal(shape).round()) / 2


class LargestError(tn.Metric):
    """Return the largest |A - Y|."""

    larger_is_better = False

    def measure(self, Y, A):
        return np.abs(A - Y).max()
