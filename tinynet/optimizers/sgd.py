"""Gradient descent, with momentum."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np

from tinynet._support.arrays import Array, scalars
from tinynet._support.fields import flag, fraction
from tinynet.optimizers.base import BoundOptimizer
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class SGD(BoundOptimizer):
    r"""Gradient descent, params ← params - learning_rate · v.

    v ← momentum · v + (1 - dampening) · grads, from v = 0; so momentum = dampening = β is the
    course's averaged form. `nesterov` steps by momentum · v + (1 - dampening) · grads with the
    new v (Nesterov 1983, in the form of Sutskever, Martens, Dahl and Hinton 2013).

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    momentum, dampening : float
        At least 0 and below 1.
    nesterov : bool
        Look one step ahead; needs momentum.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> SGD(learning_rate=0.1).update(params, np.array([10.0, -10.0]))
    >>> params
    array([0., 3.])
    """

    learning_rate: float | Schedule = rate_field(0.01)
    momentum: float = fraction(0.0)
    dampening: float = fraction(0.0)
    nesterov: bool = flag(False, or_number=True)

    def __attrs_post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            message = "SGD: nesterov is True with momentum 0, expected a momentum above 0."
            raise ValueError(f"{message} Use SGD(..., momentum=0.9, nesterov=True).")

    def largest_change(self, norm: float) -> float:
        # v is at most (1 - dampening) · (1 + momentum + momentum² + …) times as large.
        return self._at_most((1 - self.dampening) / (1 - self.momentum) * norm)

    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        share, nesterov = 1 - self.dampening, self.nesterov
        factor = np.zeros((), params.dtype)  # an array: a number would be cast in every block

        if not self.momentum:
            steps, multiply, last_rate = self.blocks(params, grads), np.multiply, math.nan

            def move(rate: float) -> None:
                nonlocal last_rate
                if rate != last_rate:
                    factor.fill(rate * share)
                    last_rate = rate
                for p, g, step in steps:
                    p -= multiply(g, factor, step)

            return move

        momentum, of_gradient = scalars(params.dtype, self.momentum, share)
        blocks = self.blocks(params, grads, "velocity", scratch=2)

        def move_with_momentum(rate: float) -> None:
            factor.fill(rate)
            for p, g, v, step, ahead in blocks:
                v *= momentum
                v += np.multiply(g, of_gradient, step)
                if nesterov:
                    step += np.multiply(v, momentum, ahead)
                p -= np.multiply(step if nesterov else v, factor, step)

        return move_with_momentum
