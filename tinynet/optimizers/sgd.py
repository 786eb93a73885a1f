"""Gradient descent, with momentum."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.fields import fraction
from tinynet.optimizers.base import Optimizer
from tinynet.schedules import Schedule, rate_field


@attrs.frozen(slots=False)
class SGD(Optimizer):
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
    nesterov: bool = False

    def __attrs_post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            message = "SGD: nesterov is True with momentum 0, expected a momentum above 0."
            raise ValueError(f"{message} Use SGD(..., momentum=0.9, nesterov=True).")

    def largest_change(self, norm: float) -> float:
        rate = abs(self.rate()) * (1 - self.dampening)  # a schedule's may be below 0
        # Infinity times 0 would be NaN: a larger rate may be infinite in float32.
        return rate * norm if rate < 1e37 and not (self.momentum or self.weight_decay) else math.inf

    def apply(self, params: Array, grads: Array) -> None:
        rate, dtype = self.rate(), params.dtype
        if not self.momentum:
            # An array of the dtype, because a number would be cast in every block.
            factor = np.asarray(rate * (1 - self.dampening), dtype)
            for p, g, step in self.blocks(params, grads):
                p -= np.multiply(g, factor, step)
            return
        momentum, share, factor = [
            np.asarray(number, dtype) for number in (self.momentum, 1 - self.dampening, rate)
        ]
        for p, g, v, step, ahead in self.blocks(params, grads, "velocity", scratch=2):
            v *= momentum
            v += np.multiply(g, share, out=step)
            if self.nesterov:
                step += np.multiply(v, momentum, out=ahead)
            p -= np.multiply(step if self.nesterov else v, factor, out=step)
