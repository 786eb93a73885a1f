"""Gradients divided by their running size."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.fields import fraction, positive
from tinynet.optimizers.base import Optimizer, average
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class RMSprop(Optimizer, name="rmsprop"):
    r"""Gradients over the root of their running mean square (Tieleman and Hinton 2012, lecture 6e).

    With s the running mean of grads², from 0::

        s ← decay · s + (1 - decay) · grads²
        params ← params - learning_rate · grads / (√s + epsilon)

    `centered` has √(s - mean²) in the place of √s, with the running mean of grads (Graves 2013);
    `momentum` sums up the quotients, v ← momentum · v + quotient, and steps by learning_rate · v.

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    decay : float
        Weight of the old means at a step; at least 0 and below 1.
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
    decay: float = fraction(0.99)
    epsilon: float = positive(1e-8)
    momentum: float = fraction(0.0)
    centered: bool = False

    def apply(self, params: Array, grads: Array) -> None:
        rate = self.rate()
        names = (
            ["mean_square"] + ["mean"] * bool(self.centered) + ["velocity"] * bool(self.momentum)
        )
        for p, g, s, *others, step, root in self.blocks(params, grads, *names, scratch=2):
            average(s, self.decay, np.square(g, out=step), step)
            if self.centered:
                mean = others[0]
                average(mean, self.decay, g, step)
                np.subtract(s, np.square(mean, out=root), out=root)
                np.maximum(root, 0, out=root)  # after many equal gradients, rounding gives less
            np.sqrt(root if self.centered else s, out=root)
            step = np.divide(g, np.add(root, self.epsilon, out=root), out=step)
            if self.momentum:
                v = others[-1]
                v *= self.momentum
                v += step
            p -= np.multiply(v if self.momentum else step, rate, out=step)
