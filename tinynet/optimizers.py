"""Optimizers: rules that move a flat vector in place, against its gradient.

What a rule remembers lives in ``memory``, arrays that play no part in equality, repr or config.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, gt, lt

from tinynet._buffers import Array
from tinynet._registry import Registered
from tinynet.errors import ShapeError

_BLOCK = 1 << 16  # numbers: larger than in _out.py, for a rule makes fewer passes and each block costs its calls


@attrs.frozen(slots=False)
class Optimizer(Registered, ABC):
    """Base of all optimizers; to subclass it is to register."""

    family = "optimizer"
    memory: dict[str, Array] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _scratch: dict[Any, Sequence[Array]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @abstractmethod
    def update(self, params: Array, grads: Array) -> None:
        """Move `params` in place; leave `grads` as they are."""

    def step(self, model: Any) -> None:
        """Update a model's parameters: ``update(model.params, model.grads)``."""
        self.update(model.params, model.grads)

    def recall(self, name: str, like: Array) -> Array:
        """Return the memory called `name`, an array like `like` that is zero at first."""
        kept = self.memory.get(name)
        if kept is None:
            kept = self.memory[name] = np.zeros_like(like)
        if kept.shape != like.shape or kept.dtype != like.dtype:
            raise ValueError(
                f"this optimizer remembers parameters of shape {kept.shape} and dtype {kept.dtype}; got {like.shape} "
                f"and {like.dtype}: one optimizer serves one model, so make a new one or call reset()"
            )
        return kept

    def blocks(self, params: Array, grads: Array, *memory: str, rooms: int = 1) -> Sequence[tuple[Array, ...]]:
        """Return `params`, `grads` and what `memory` names by blocks, with `rooms` arrays to compute in.

        A rule goes over its vectors several times; block by block, they stay in the processor's
        cache meanwhile. What is in the arrays to compute in means nothing.

        >>> def update(self, params, grads):
        ...     for p, g, v, step in self.blocks(params, grads, "velocity"):
        ...         v *= 0.9
        ...         v += g
        ...         p -= np.multiply(v, self.learning_rate, out=step)
        """
        if params.ndim != 1 or params.shape != grads.shape:
            raise ShapeError(
                f"params and grads must be flat vectors of one size; got shapes {params.shape} and {grads.shape}; "
                "write params.reshape(-1) and grads.reshape(-1)"
            )
        vectors, size = (params, grads, *[self.recall(name, params) for name in memory]), params.size
        scratch = self._scratch.get((rooms, params.dtype))
        if not scratch or scratch[0].size < min(size, _BLOCK):
            scratch = [np.empty(min(size, _BLOCK), params.dtype) for _ in range(rooms)]
            self._scratch[rooms, params.dtype] = scratch
        if size == scratch[0].size:
            return [(*vectors, *scratch)]
        parts = [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
        return [
            tuple([v[part] for v in vectors] + [v[: part.stop - part.start] for v in scratch]) for part in parts
        ]

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.memory.clear()
        self._scratch.clear()


def _number(default: float, below: float) -> Any:
    return attrs.field(default=default, converter=float, validator=[ge(0), lt(below)])


@attrs.frozen
class SGD(Optimizer):
    r"""Gradient descent, params ← params - learning_rate · v.

    v ← momentum · v + (1 - dampening) · grads, from v = 0; so momentum = dampening = β is the
    course's averaged form. `nesterov` steps by momentum · v + (1 - dampening) · grads with the
    new v (Nesterov 1983, in the form of Sutskever, Martens, Dahl and Hinton 2013).

    Parameters
    ----------
    learning_rate, momentum, dampening : float
        At least 0; the last two are below 1.
    nesterov : bool
        Look one step ahead; needs momentum.

    Examples
    --------
    >>> params = np.array([1.0, 2.0])
    >>> SGD(learning_rate=0.1).update(params, np.array([10.0, -10.0]))
    >>> params
    array([0., 3.])
    """

    learning_rate: float = _number(0.01, math.inf)
    momentum: float = _number(0.0, 1.0)
    dampening: float = _number(0.0, 1.0)
    nesterov: bool = False

    def __attrs_post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum; write SGD(..., momentum=0.9, nesterov=True)")

    def update(self, params: Array, grads: Array) -> None:
        if self.momentum:
            for p, g, v, step, ahead in self.blocks(params, grads, "velocity", rooms=2):
                v *= self.momentum
                v += np.multiply(g, 1 - self.dampening, out=step)
                if self.nesterov:
                    step += np.multiply(v, self.momentum, out=ahead)
                p -= np.multiply(step if self.nesterov else v, self.learning_rate, out=step)
        else:
            rate = self.learning_rate * (1 - self.dampening)
            for p, g, step in self.blocks(params, grads):
                p -= np.multiply(g, rate, out=step)


@attrs.frozen
class Adam(Optimizer):
    r"""Steps of about the learning rate, whatever the size of the gradient (Kingma and Ba 2015, algorithm 1).

    With v and s the running means of grads and grads², from 0, and t the number of the step::

        v ← beta1 · v + (1 - beta1) · grads        v̂ = v / (1 - beta1ᵗ)
        s ← beta2 · s + (1 - beta2) · grads²       ŝ = s / (1 - beta2ᵗ)
        params ← params - learning_rate · v̂ / (√ŝ + epsilon)

    Parameters
    ----------
    learning_rate : float
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

    learning_rate: float = _number(0.001, math.inf)
    beta1: float = _number(0.9, 1.0)
    beta2: float = _number(0.999, 1.0)
    epsilon: float = attrs.field(default=1e-8, converter=float, validator=[gt(0), lt(math.inf)])

    def update(self, params: Array, grads: Array) -> None:
        blocks = self.blocks(params, grads, "v", "s", rooms=2)
        t = self.recall("t", np.zeros((), np.int64))
        t += 1
        root = math.sqrt(1 - self.beta2 ** int(t))
        # v̂ / (√ŝ + epsilon), with numerator and denominator times the same number: two passes fewer
        rate, epsilon = self.learning_rate * root / (1 - self.beta1 ** int(t)), self.epsilon * root
        for p, g, v, s, step, spread in blocks:
            v *= self.beta1
            v += np.multiply(g, 1 - self.beta1, out=step)
            s *= self.beta2
            s += np.multiply(np.multiply(g, g, out=step), 1 - self.beta2, out=step)
            spread = np.add(np.sqrt(s, out=spread), epsilon, out=spread)
            p -= np.multiply(np.divide(v, spread, out=step), rate, out=step)
