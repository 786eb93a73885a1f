"""Steps that shrink with the gradients a parameter has had."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from tinynet._support.arrays import Array, scalars
from tinynet._support.fields import positive
from tinynet.optimizers.base import BoundOptimizer
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class Adagrad(BoundOptimizer):
    r"""Smaller steps for parameters that have had larger gradients (Duchi, Hazan and Singer 2011).

    With s the sum of all grads² so far::

        s ← s + grads²
        params ← params - learning_rate · grads / (√s + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    epsilon : float
        Keeps the quotient finite; above 0, and outside the root.

    Examples
    --------
    >>> params, optimizer = np.array([1.0, 2.0]), Adagrad(learning_rate=0.1)
    >>> for _ in range(2):
    ...     optimizer.update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.8293, 2.1707])
    """

    learning_rate: float | Schedule = rate_field(0.01)
    epsilon: float = positive(1e-10)

    def largest_change(self, norm: float) -> float:
        return self._at_most(norm, self.epsilon)  # the divisor is at least epsilon

    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        blocks = self.blocks(params, grads, "sum_of_squares", scratch=2)
        [epsilon] = scalars(params.dtype, self.epsilon)
        factor = np.zeros((), params.dtype)

        def move(rate: float) -> None:
            factor.fill(rate)
            for p, g, s, step, root in blocks:
                s += np.square(g, step)
                np.add(np.sqrt(s, root), epsilon, root)
                p -= np.multiply(np.divide(g, root, step), factor, step)

        return move
