"""Optimizers: rules that move a flat vector in place, against its gradient.

What a rule remembers lives in ``memory``, arrays that play no part in equality, repr or config.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, lt

from tinynet._buffers import Array
from tinynet._registry import Registered


@attrs.frozen(slots=False)
class Optimizer(Registered, ABC):
    """Base of all optimizers; to subclass it is to register."""

    family = "optimizer"
    memory: dict[str, Array] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _scratch: dict[str, Array] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @abstractmethod
    def update(self, params: Array, grads: Array) -> None:
        """Move `params` in place; leave `grads` as they are."""

    def step(self, model: Any) -> None:
        """Update a model's parameters: ``update(model.params, model.grads)``."""
        self.update(model.params, model.grads)

    def recall(self, name: str, like: Array) -> Array:
        """Return the memory called `name`, an array like `like` that is zero at first."""
        return _kept(self.memory, name, like)

    def scratch(self, like: Array) -> Array:
        """Return an array like `like` to compute in; what is in it means nothing."""
        return _kept(self._scratch, "scratch", like)

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.memory.clear()
        self._scratch.clear()


def _kept(kept: dict[str, Array], name: str, like: Array) -> Array:
    if name not in kept:
        kept[name] = np.zeros_like(like)
    if kept[name].shape != like.shape or kept[name].dtype != like.dtype:
        raise ValueError(
            f"this optimizer remembers parameters of shape {kept[name].shape} and dtype {kept[name].dtype}; got "
            f"{like.shape} and {like.dtype}: one optimizer serves one model, so make a new one or call reset()"
        )
    return kept[name]


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
        if not self.momentum:  # by blocks, so that the scratch stays in the processor's cache
            rate, block = self.learning_rate * (1 - self.dampening), 1 << 15
            step = self.scratch(params[:block])
            for i in range(0, len(params), block):
                params[i : i + block] -= np.multiply(grads[i : i + block], rate, out=step[: len(params) - i])
            return
        step, v = self.scratch(params), self.recall("velocity", params)
        damped = np.multiply(grads, 1 - self.dampening, out=step)
        v *= self.momentum
        v += damped
        if self.nesterov:
            damped += self.momentum * v
        params -= np.multiply(damped if self.nesterov else v, self.learning_rate, out=step)
