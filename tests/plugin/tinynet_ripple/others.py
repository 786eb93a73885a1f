"""A layer, a loss, an optimizer and an initializer."""

import attrs
import numpy as np

import tinynet as tn


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
class Signs(tn.Optimizer):
    """Steps of one size, against the sign of the gradient."""

    learning_rate: float = 0.01

    def update(self, params, grads):
        params -= self.learning_rate * np.sign(grads)


class Halves(tn.Initializer):
    """Draws from -1/2, 0 and 1/2."""

    def draw(self, shape, rng):
        return np.sign(rng.standard_normal(shape).round()) / 2
