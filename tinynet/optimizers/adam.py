"""Adam, AdamW and Nadam: rules with running means of the gradients and of their squares."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.fields import flag, fraction, nonnegative, positive
from tinynet.optimizers.base import Optimizer, average
from tinynet.schedules import Schedule, rate_field

_ZERO = np.zeros(())


class _Moments(Optimizer):
    """Base of rules with v and s, the running means of grads and grads², and these fields."""

    beta1: float
    beta2: float
    epsilon: float
    amsgrad = False

    def _move(self, params: Array, grads: Array, of_mean: float, of_gradient: float = 0.0) -> None:
        """Update v and s, then step by (of_mean · v + of_gradient · grads) / (√ŝ + epsilon)."""
        root = math.sqrt(1 - self.beta2 ** self.number())
        # √ŝ = √s / root: numerator and denominator times root save a pass
        of_mean, of_gradient, epsilon = of_mean * root, of_gradient * root, self.epsilon * root
        names = ("v", "s", "largest_s") if self.amsgrad else ("v", "s")
        for p, g, v, s, *largest, step, size in self.blocks(params, grads, *names, scratch=2):
            average(v, self.beta1, g, step)
            average(s, self.beta2, np.square(g, out=step), step)
            if largest:
                s = np.maximum(largest[0], s, out=largest[0])
            step = np.multiply(v, of_mean, out=step)
            if of_gradient:
                step += np.multiply(g, of_gradient, out=size)
            size = np.add(np.sqrt(s, out=size), epsilon, out=size)
            p -= np.divide(step, size, out=step)


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

    def apply(self, params: Array, grads: Array) -> None:
        self._move(params, grads, self.rate() / (1 - self.beta1 ** self.number()))


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

    def apply(self, params: Array, grads: Array) -> None:
        rate, mu, next_mu = self.rate(), self._mu(self.number()), self._mu(self.number() + 1)
        slot = self.slot("lost", _ZERO)  # 1 - μ₁ … μₜ, because memory is zero at first
        lost = 1 - mu * (1 - float(slot))
        of_mean = rate * next_mu / (1 - next_mu * (1 - lost))
        self._move(params, grads, of_mean, rate * (1 - mu) / lost)
        slot[...] = lost

    def _mu(self, t: int) -> float:
        return self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))
