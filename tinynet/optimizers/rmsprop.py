"""Gradients divided by their running size."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet.optimizers.base import Optimizer, average, epsilon_field, share_field
from tinynet.schedules import Schedule, rate_field


@attrs.frozen
class RMSprop(Optimizer, name="rmsprop"):
    r"""Gradients divided by the root of their running mean square (Tieleman and Hinton 2012, lecture 6e).

    With s the running mean of grads², from 0::

        s ← decay · s + (1 - decay) · grads²
        params ← params - learning_rate · grads / (√s + epsilon)

    `centered` has √(s - mean²) in the place of √s, with the running mean of grads (Graves 2013);
    `momentum` gathers the quotients, v ← momentum · v + quotient, and steps by learning_rate · v.

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    decay : float
        How much of the means is kept at a step; at least 0 and below 1.
    epsilon : float
        Keeps the quotient finite; above 0, and outside the root.
    momentum : float
        At least 0 and below 1.
    centered : bool
        Whether the variance of the gradients takes the place of their mean square.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> RMSprop(learning_rate=0.01).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.9, 2.1])
    """

    learning_rate: float | Schedule = rate_field(0.01)
    decay: float = share_field(0.99)
    epsilon: float = epsilon_field(1e-8)
    momentum: float = share_field(0.0)
    centered: bool = False

    def update(self, params: Array, grads: Array) -> None:
        rate = self.rate()
        remembered = [
            "mean_square",
            *["mean"] * bool(self.centered),
            *["velocity"] * bool(self.momentum),
        ]
        for p, g, s, *others, step, spread in self.blocks(params, grads, *remembered, rooms=2):
            average(s, self.decay, np.square(g, out=step), step)
            square = self._variance(s, others[0], g, step, spread) if self.centered else s
            spread = np.add(np.sqrt(square, out=spread), self.epsilon, out=spread)
            step = np.divide(g, spread, out=step)
            if self.momentum:
                v = others[-1]
                v *= self.momentum
                v += step
                p -= np.multiply(v, rate, out=step)
            else:
                p -= np.multiply(step, rate, out=step)

    def _variance(self, s: Array, mean: Array, g: Array, room: Array, out: Array) -> Array:
        average(mean, self.decay, g, room)
        np.subtract(s, np.square(mean, out=out), out=out)
        return np.maximum(out, 0, out=out)  # after many equal gradients, rounding takes it below 0
