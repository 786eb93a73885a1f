"""What all optimizers share: memory, blocks, the count of steps, the learning rate, and clipped gradients."""

from __future__ import annotations

import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs
import numpy as np
from attrs.validators import ge, gt, lt, optional

from tinynet._support.arrays import Array
from tinynet._support.registry import Registered
from tinynet.errors import ShapeError
from tinynet.schedules import Schedule

_BLOCK = (
    1 << 16
)  # numbers: larger than in _out.py, for a rule makes fewer passes and each block costs its calls
_NONE_YET = np.zeros((), np.int64)


def _optional_float(value: Any) -> float | None:
    return None if value is None else float(value)


def _not_both(optimizer: Optimizer, _: Any, value: float | None) -> None:
    if value is not None and optimizer.clip_norm is not None:
        raise ValueError(
            f"gradients are clipped by their norm or by value; got clip_norm={optimizer.clip_norm} and "
            f"clip_value={value}: leave one of them"
        )


def _clip_field(*further: Any) -> Any:
    valid = [optional(gt(0)), optional(lt(math.inf)), *further]
    return attrs.field(default=None, converter=_optional_float, kw_only=True, validator=valid)


@attrs.frozen(slots=False)
class Optimizer(Registered, ABC):
    """Base of all optimizers; to subclass it is to register.

    What goes on around every `update`, the library's and yours, is done here: gradients are clipped
    before it, and steps are counted after it, in ``memory["t"]``, if anything asks for their number.

    Parameters
    ----------
    clip_norm : float, optional
        Gradients of a larger Euclidean norm, all parameters together, are scaled down to this one (Pascanu,
        Mikolov and Bengio 2013); above 0, by keyword only.
    clip_value : float, optional
        Each gradient is held between this and its negative; above 0, by keyword only, in place of `clip_norm`.
    """

    family = "optimizer"
    clip_norm: float | None = _clip_field()
    clip_value: float | None = _clip_field(_not_both)
    memory: dict[str, Array] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _scratch: dict[Any, Sequence[Array]] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        held = vars(cls).get("update")
        if held and "_own_update" not in vars(cls):  # attrs makes a class again, with what it has
            cls._own_update = held  # type: ignore[attr-defined]  # where attrs sees it
            cls.update = _complete(held)  # type: ignore[method-assign]
        super().__init_subclass__(**kwargs)

    @abstractmethod
    def update(self, params: Array, grads: Array) -> None:
        """Move `params` in place; leave `grads` as they are."""

    def step(self, model: Any) -> None:
        """Update a model's parameters: ``update(model.params, model.grads)``."""
        self.update(model.params, model.grads)

    def rate(self, later: int = 0) -> float:
        """Return the learning rate of the step to come; or that so many steps, or epochs, later."""
        rate: Any = self.learning_rate  # type: ignore[attr-defined]
        if rate.__class__ is float or not isinstance(rate, Schedule):
            return rate
        return rate.at(int(self.recall("t" if rate.by == "step" else "epoch", _NONE_YET)) + later)

    def number(self) -> int:
        """Return the number of the step under way, from 1."""
        return int(self.recall("t", _NONE_YET)) + 1

    def end_epoch(self) -> None:
        """Count a finished epoch if the learning rate goes by epochs; a training loop calls this after each."""
        if getattr(getattr(self, "learning_rate", None), "by", None) == "epoch":
            self.recall("epoch", _NONE_YET)[...] += 1

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

    def blocks(
        self, params: Array, grads: Array, *memory: str, rooms: int = 1
    ) -> Sequence[tuple[Array, ...]]:
        """Return `params`, `grads` and what `memory` names by blocks, with `rooms` arrays to compute in.

        A rule goes over its vectors several times; block by block, they stay in the processor's
        cache meanwhile. What is in the arrays to compute in means nothing.

        >>> def update(self, params, grads):
        ...     for p, g, v, step in self.blocks(params, grads, "velocity"):
        ...         v *= 0.9
        ...         v += g
        ...         p -= np.multiply(v, self.rate(), out=step)
        """
        if params.ndim != 1 or params.shape != grads.shape:
            raise ShapeError(
                f"params and grads must be flat vectors of one size; got shapes {params.shape} and {grads.shape}; "
                "write params.reshape(-1) and grads.reshape(-1)"
            )
        vectors, size = (
            (params, grads, *[self.recall(name, params) for name in memory]),
            params.size,
        )
        scratch = self._scratch.get((rooms, params.dtype))
        if not scratch or scratch[0].size < min(size, _BLOCK):
            scratch = [np.empty(min(size, _BLOCK), params.dtype) for _ in range(rooms)]
            self._scratch[rooms, params.dtype] = scratch
        if size == scratch[0].size:
            return [(*vectors, *scratch)]
        parts = [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
        return [
            tuple([v[part] for v in vectors] + [v[: part.stop - part.start] for v in scratch])
            for part in parts
        ]

    def _clipped(self, grads: Array) -> Array:
        """Return `grads` within the limits: themselves, or a copy in an array that is kept for it."""
        grads = np.asarray(grads)
        dtype = grads.dtype if grads.dtype.kind == "f" else np.float64
        (room,) = self._scratch.get("clipped", (_NONE_YET,))
        if room.shape != grads.shape or room.dtype != dtype:
            self._scratch["clipped"] = (room := np.empty(grads.shape, dtype),)
        if self.clip_value is not None:
            return np.maximum(
                np.minimum(grads, self.clip_value, out=room), -self.clip_value, out=room
            )
        assert self.clip_norm is not None, "else there is nothing to clip"
        norm = _norm(grads, room)
        return (
            np.multiply(grads, self.clip_norm / norm, out=room) if norm > self.clip_norm else grads
        )

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.memory.clear()
        self._scratch.clear()


@np.errstate(over="ignore")
def _norm(array: Array, room: Array) -> float:
    """Return the Euclidean norm of all numbers of an array, also where their squares are too large or too small."""
    flat = array.ravel("K")
    square = float(flat.dot(flat))
    if 1e-30 < square < math.inf or math.isnan(square):
        return math.sqrt(square)
    largest = float(np.abs(array, out=room).max(initial=0))
    if largest in (0, math.inf):
        return largest
    flat = np.divide(array, largest, out=room).ravel("K")
    return largest * math.sqrt(float(flat.dot(flat)))


def _complete(held: Any) -> Callable[..., None]:
    """Return a class's own update with what goes on around each: clipping before it, counting after it."""
    own: Any = (
        held
        if inspect.isfunction(held)
        else lambda self, *arrays: held.__get__(self, type(self))(*arrays)
    )

    @functools.wraps(held)
    def update(self: Optimizer, params: Array, grads: Array) -> None:
        outermost: Any = type(self).update
        if outermost is not update and getattr(outermost, "__code__", None) is code:
            return own(self, params, grads)  # called by super().update: this is a part of a step
        memory = self.memory
        number = int(memory["t"]) + 1 if "t" in memory else 1
        own(
            self, params, grads if self.clip_norm is self.clip_value else self._clipped(grads)
        )  # the same: both None
        if "t" in memory:  # set, not added to: a rule may have counted by itself
            memory["t"][...] = number
        return None

    code = update.__code__  # type: ignore[attr-defined]  # one for all classes: what has it was made here
    return update


class DecoupledDecay(Optimizer):
    """Base of optimizers that draw parameters towards zero apart from the gradient (Loshchilov and Hutter 2019).

    A class below it has a field ``weight_decay``, and calls `decay` in its update, where::

        params ← params - rate · weight_decay · params

    In ``step(model)`` that is for the model's weights alone; in an update of a bare vector, for all of it.
    It goes before the optimizer that is built on:

    >>> from tinynet.optimizers import SGD
    >>> @attrs.frozen
    ... class SGDW(DecoupledDecay, SGD):
    ...     weight_decay: float = 0.01
    ...
    ...     def update(self, params, grads):
    ...         self.decay(params, grads)
    ...         super().update(params, grads)
    >>> params = np.array([1.0, -2.0])
    >>> SGDW(0.1).update(params, np.zeros(2))
    >>> params
    array([ 0.999, -1.998])
    """

    def step(self, model: Any) -> None:
        """Update a model's parameters, of which only the weights decay."""
        self._scratch["decaying"] = model.weights
        try:
            super().step(model)
        finally:
            self._scratch.pop("decaying", None)

    def decay(self, params: Array, grads: Array) -> None:
        """Draw what decays towards zero; `params` and `grads` are the whole vectors, as `update` has them."""
        kept = 1 - self.rate() * cast(Any, self).weight_decay
        vectors = [name for name, array in self.memory.items() if array.ndim]
        blocks = self.blocks(
            params, grads, *vectors
        )  # refuses what the step would, before anything has changed
        for weights in self._scratch.get("decaying", [block[0] for block in blocks]):
            weights *= kept


def share_field(default: float) -> Any:
    """Return a field for a share that is kept of something: at least 0 and below 1."""
    return attrs.field(default=default, converter=float, validator=[ge(0), lt(1.0)])


def epsilon_field(default: float) -> Any:
    """Return a field for the number that keeps a quotient finite: above 0."""
    return attrs.field(default=default, converter=float, validator=[gt(0), lt(math.inf)])


def average(mean: Array, keep: float, values: Array, room: Array) -> None:
    """Take values into a running mean: mean ← keep · mean + (1 - keep) · values; `room` may be `values`."""
    mean *= keep
    mean += np.multiply(values, 1 - keep, out=room)
