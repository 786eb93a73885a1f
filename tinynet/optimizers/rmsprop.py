"""Gradients divided by their running size."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from tinynet._support.arrays import Array, scalars
from tinynet._support.fields import flag, fraction, positive
from tinynet.optimizers.base import BoundOptimizer, average
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class RMSprop(BoundOptimizer, name="rmsprop"):
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
    centered: bool = flag(False, or_number=True)

    def largest_change(self, norm: float) -> float:
        # The quotient is divided by at least epsilon, and v sums up quotients as in SGD.
        return self._at_most(norm / (1 - self.momentum), self.epsilon)

    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        has_mean, has_velocity = self.centered, bool(self.momentum)
        names = ["mean_square"] + ["mean"] * bool(has_mean) + ["velocity"] * has_velocity
        blocks = self.blocks(params, grads, *names, scratch=2)
        numbers = (self.decay, 1 - self.decay, self.epsilon, self.momentum)
        keep, add, epsilon, momentum = scalars(params.dtype, *numbers)
        factor = np.zeros((), params.dtype)

        def move(rate: float) -> None:
            factor.fill(rate)
            for p, g, s, *others, step, root in blocks:
                average(s, keep, add, np.square(g, step), step)
                if has_mean:
                    mean = others[0]
                    average(mean, keep, add, g, step)
                    np.subtract(s, np.square(mean, root), root)
                    np.maximum(root, 0, out=root)  # after many equal gradients, rounding gives less
                np.sqrt(root if has_mean else s, root)
                root += epsilon
                np.divide(g, root, step)
                if has_velocity:
                    v = others[-1]
                    v *= momentum
                    v += step
                p -= np.multiply(v if has_velocity else step, factor, step)

        return move
