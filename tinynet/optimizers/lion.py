"""Steps of one size, by the sign of a running mean of the gradients."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from tinynet._support.arrays import Array, scalars
from tinynet._support.fields import fraction
from tinynet.optimizers.base import BoundOptimizer, average
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class Lion(BoundOptimizer):
    r"""Steps of exactly the learning rate, up or down (Chen and others 2023, algorithm 2).

    With v the running mean of grads, from 0::

        params ← params - learning_rate · sign(beta1 · v + (1 - beta1) · grads)
        v ← beta2 · v + (1 - beta2) · grads

    Its steps are larger than those of `Adam`: a learning rate a third to a tenth as large fits,
    with a ``weight_decay`` as many times as large.

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    beta1, beta2 : float
        Weights of the old mean, in the step and in the mean; at least 0 and below 1.

    References
    ----------
    X. Chen and others, "Symbolic discovery of optimization algorithms", NeurIPS 2023,
    https://arxiv.org/abs/2302.06675.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> Lion(learning_rate=0.1).update(params, np.array([10.0, -0.01]))
    >>> params
    array([0.9, 2.1])
    """

    learning_rate: float | Schedule = rate_field(0.0001)
    beta1: float = fraction(0.9)
    beta2: float = fraction(0.99)

    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        blocks = self.blocks(params, grads, "v", scratch=2)
        beta1, beta2 = self.beta1, self.beta2
        keep, add, keep_in_v, add_to_v = scalars(params.dtype, beta1, 1 - beta1, beta2, 1 - beta2)
        factor = np.zeros((), params.dtype)

        def move(rate: float) -> None:
            factor.fill(rate)
            for p, g, v, mean, step in blocks:
                np.multiply(v, keep, mean)
                mean += np.multiply(g, add, step)
                p -= np.multiply(np.sign(mean, step), factor, step)
                average(v, keep_in_v, add_to_v, g, step)

        return move
