"""Adam and its kin: rules that go by running means of the gradients and of their squares."""

from __future__ import annotations

import math

import attrs
import numpy as np
from attrs.validators import ge, lt

from tinynet._support.arrays import Array
from tinynet.optimizers.base import DecoupledDecay, Optimizer, average, epsilon_field, share_field
from tinynet.schedules import Schedule, rate_field

_NOTHING_YET = np.zeros(())


class _Moments(Optimizer):
    """Base of rules with v and s, the running means of grads and grads², and these fields."""

    beta1: float
    beta2: float
    epsilon: float

    def _move(self, params: Array, grads: Array, of_mean: float, of_gradient: float = 0.0) -> None:
        """Take grads into v and s, then step by (of_mean · v + of_gradient · grads) / (√ŝ + epsilon)."""
        root = math.sqrt(1 - self.beta2 ** self.number())
        # √ŝ = √s / root: numerator and denominator times root, and a pass is spared
        of_mean, of_gradient, epsilon = of_mean * root, of_gradient * root, self.epsilon * root
        for p, g, v, s, step, spread in self.blocks(params, grads, "v", "s", rooms=2):
            average(v, self.beta1, g, step)
            average(s, self.beta2, np.square(g, out=step), step)
            step = np.multiply(v, of_mean, out=step)
            if of_gradient:
                step += np.multiply(g, of_gradient, out=spread)
            spread = np.add(np.sqrt(s, out=spread), epsilon, out=spread)
            p -= np.divide(step, spread, out=step)


@attrs.frozen
class Adam(_Moments):
    r"""Steps of about the learning rate, whatever the size of the gradient (Kingma and Ba 2015, algorithm 1).

    With v and s the running means of grads and grads², from 0, and t the number of the step::

        v ← beta1 · v + (1 - beta1) · grads        v̂ = v / (1 - beta1ᵗ)
        s ← beta2 · s + (1 - beta2) · grads²       ŝ = s / (1 - beta2ᵗ)
        params ← params - learning_rate · v̂ / (√ŝ + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    beta1, beta2 : float
        How much of the means is kept at a step; at least 0 and below 1.
    epsilon : float
        Keeps the quotient finite; above 0, and outside the root.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> Adam(learning_rate=0.1).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.9, 2.1])
    """

    learning_rate: float | Schedule = rate_field(0.001)
    beta1: float = share_field(0.9)
    beta2: float = share_field(0.999)
    epsilon: float = epsilon_field(1e-8)

    def update(self, params: Array, grads: Array) -> None:
        self._move(params, grads, self.rate() / (1 - self.beta1 ** self.number()))


@attrs.frozen
class AdamW(DecoupledDecay, Adam, name="adamw"):
    r"""Adam, and weights that decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2).

    Before the step of `Adam`::

        params ← params - learning_rate · weight_decay · params

    In ``step(model)``, and so in ``fit``, only the model's weights decay, not its biases; ``update`` of a bare
    vector lets all of it decay.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon
        As for `Adam`.
    weight_decay : float
        At least 0.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> AdamW(learning_rate=0.1, weight_decay=0.5).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.85, 2.  ])
    """

    weight_decay: float = attrs.field(
        default=0.01, converter=float, validator=[ge(0), lt(math.inf)]
    )

    def update(self, params: Array, grads: Array) -> None:
        self.decay(params, grads)
        super().update(params, grads)


@attrs.frozen
class Nadam(_Moments):
    r"""Adam with Nesterov's momentum: the gradient itself has a part in the step (Dozat 2016).

    With v̂'s divisor drawn apart, t the number of the step, and v and ŝ as in `Adam`::

        μₜ = beta1 · (1 - 0.96^(t · momentum_decay) / 2)
        params ← params - learning_rate · v̂ / (√ŝ + epsilon)
        v̂ = μₜ₊₁ · v / (1 - μ₁ … μₜ₊₁) + (1 - μₜ) · grads / (1 - μ₁ … μₜ)

    Parameters
    ----------
    learning_rate : float or Schedule
        At least 0.
    beta1, beta2, epsilon : float
        As for `Adam`.
    momentum_decay : float
        How soon μ rises from beta1 / 2 to beta1; at least 0, where it stays at beta1 / 2.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> Nadam(learning_rate=0.1).update(params, np.array([10.0, -0.01]))
    >>> params.round(4)
    array([0.8944, 2.1056])
    """

    learning_rate: float | Schedule = rate_field(0.002)
    beta1: float = share_field(0.9)
    beta2: float = share_field(0.999)
    epsilon: float = epsilon_field(1e-8)
    momentum_decay: float = attrs.field(
        default=0.004, converter=float, validator=[ge(0), lt(math.inf)]
    )

    def update(self, params: Array, grads: Array) -> None:
        rate, mu, ahead = self.rate(), self._mu(self.number()), self._mu(self.number() + 1)
        product = self.recall("lost", _NOTHING_YET)  # 1 - μ₁ … μₜ, for memory is zero at first
        lost = 1 - mu * (1 - float(product))
        self._move(params, grads, rate * ahead / (1 - ahead * (1 - lost)), rate * (1 - mu) / lost)
        product[...] = lost

    def _mu(self, t: int) -> float:
        return self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))
