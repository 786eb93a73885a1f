"""Adam, AdamW and Nadam: rules with running means of the gradients and of their squares."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import attrs
import numpy as np

from tinynet._support.arrays import Array, scalars
from tinynet._support.fields import flag, fraction, nonnegative, positive
from tinynet.optimizers.base import BoundOptimizer, average
from tinynet.schedules import Schedule, rate_field

_COUNT, _ZERO = np.zeros((), np.int64), np.zeros(())


class _Moments(BoundOptimizer):
    """Base of rules with v and s, the running means of grads and grads², and these fields."""

    beta1: float
    beta2: float
    epsilon: float
    amsgrad = False

    def largest_change(self, norm: float) -> float:
        # v̂ is a mean of gradients, and divided by at least epsilon. In Nadam it is two such means.
        return self._at_most(2 * norm, self.epsilon)

    @abstractmethod
    def bind_factors(self) -> Callable[[float, int], tuple[float, float]]:
        """Return a function of the rate and the step t that returns what `bind` multiplies by."""

    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        """Return a function that steps by (of_mean · v + of_gradient · grads) / (√ŝ + epsilon)."""
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon
        count, factors = self.slot("t", _COUNT), self.bind_factors()
        names = ("v", "s", "largest_s") if self.amsgrad else ("v", "s")
        blocks = self.blocks(params, grads, *names, scratch=2)
        keep_v, add_v, keep_s, add_s = scalars(params.dtype, beta1, 1 - beta1, beta2, 1 - beta2)
        of_v, of_g, added = (np.zeros((), params.dtype) for _ in range(3))

        def move(rate: float) -> None:
            t = int(count) + 1
            of_mean, of_gradient = factors(rate, t)
            # √ŝ = √s / root: numerator and denominator times root save a pass
            root = math.sqrt(1 - beta2**t)
            of_v.fill(of_mean * root)
            of_g.fill(of_gradient * root)
            added.fill(epsilon * root)
            for p, g, v, s, *largest, step, size in blocks:
                average(v, keep_v, add_v, g, step)
                average(s, keep_s, add_s, np.square(g, step), step)
                if largest:
                    s = np.maximum(largest[0], s, out=largest[0])
                np.multiply(v, of_v, step)
                if of_gradient:
                    step += np.multiply(g, of_g, size)
                p -= np.divide(step, np.add(np.sqrt(s, size), added, size), step)

        return move


@attrs.frozen(slots=False)
class Adam(_Moments):
    r"""Steps of about the learning rate for any size of gradient (Kingma and Ba 2015, algorithm 1).

    With v and s the running means of grads and grads², from 0, and t the number of the step::

        v ← beta1 · v + (1 - beta1) · grads        v̂ = v / (1 - beta1ᵗ)
        s ← beta2 · s + (1 - beta2) · grads²       ŝ = s / (1 - beta2ᵗ)
        params ← params - learning_rate · v̂ / (√ŝ + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    beta1, beta2 : float
        Weights of the old means at a step; at least 0 and below 1.
    epsilon : float
        Keeps the quotient finite; above 0, and outside the root.
    amsgrad : bool
        Take the largest s so far in place of s, so that steps do not grow again (Reddi, Kale and
        Kumar 2018). By keyword only.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> Adam(learning_rate=0.1).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.9, 2.1])
    """

    learning_rate: float | Schedule = rate_field(0.001)
    beta1: float = fraction(0.9)
    beta2: float = fraction(0.999)
    epsilon: float = positive(1e-8)
    amsgrad: bool = flag(False, kw_only=True)

    def bind_factors(self) -> Callable[[float, int], tuple[float, float]]:
        beta1 = self.beta1
        return lambda rate, t: (rate / (1 - beta1**t), 0.0)


@attrs.frozen(slots=False)
class AdamW(Adam, name="adamw"):
    r"""Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2).

    It is `Adam` with a `weight_decay` of 0.01. Before Adam's step::

        params ← params - learning_rate · weight_decay · params

    In ``step(model)``, and so in ``fit``, weights decay and biases do not.

    >>> params = np.array([1.0, 2.0])
    >>> AdamW(learning_rate=0.1, weight_decay=0.5).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.85, 2.  ])
    """

    weight_decay: float = nonnegative(0.01)


@attrs.frozen(slots=False)
class Nadam(_Moments):
    r"""Adam with Nesterov's momentum: the gradient itself is a part of the step (Dozat 2016).

    With a divisor of v̂ of its own, and t, v and ŝ as in `Adam`::

        μₜ = beta1 · (1 - 0.96^(t · momentum_decay) / 2)
        params ← params - learning_rate · v̂ / (√ŝ + epsilon)
        v̂ = μₜ₊₁ · v / (1 - μ₁ … μₜ₊₁) + (1 - μₜ) · grads / (1 - μ₁ … μₜ)

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    beta1, beta2 : float
        Weights of the old means at a step; at least 0 and below 1.
    epsilon : float
        Keeps the quotient finite; above 0, and outside the root.
    momentum_decay : float
        μ rises from beta1 / 2 to beta1, the sooner the larger this is; at least 0.

    >>> params = np.array([1.0, 2.0])
    >>> Nadam(learning_rate=0.1).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.8944, 2.1056])
    """

    learning_rate: float | Schedule = rate_field(0.002)
    beta1: float = fraction(0.9)
    beta2: float = fraction(0.999)
    epsilon: float = positive(1e-8)
    momentum_decay: float = nonnegative(0.004)

    def bind_factors(self) -> Callable[[float, int], tuple[float, float]]:
        beta1, decay = self.beta1, self.momentum_decay
        of_memory = self.slot("lost", _ZERO)  # 1 - μ₁ … μₜ, because memory is zero at first

        def factors(rate: float, t: int) -> tuple[float, float]:
            mu, next_mu = [beta1 * (1 - 0.5 * 0.96 ** (k * decay)) for k in (t, t + 1)]
            lost = 1 - mu * (1 - float(of_memory))
            of_memory[...] = lost
            return rate * next_mu / (1 - next_mu * (1 - lost)), rate * (1 - mu) / lost

        return factors
