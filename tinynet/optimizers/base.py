"""What all optimizers share: the step, memory, blocks, counting, clipping and weight decay."""

from __future__ import annotations

import contextlib
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import attrs
import numpy as np

from tinynet._support.arrays import Array, clear_subnormals
from tinynet._support.fields import nonnegative, positive
from tinynet._support.quiet import switch_back, switch_off
from tinynet._support.registry import Registered
from tinynet.errors import ShapeError
from tinynet.optimizers.clipping import clip
from tinynet.schedules import Schedule

_BLOCK = 1 << 16  # numbers: more than for activations, as a rule makes fewer passes over a block
# An epsilon above this is no subnormal number in float32 times what a rule multiplies it by.
_SMALLEST_EPSILON = 1e-20
# With a larger rate, the rate times a gradient, or divided by 1 - beta1, may be infinite in float32
# though the step is finite. Gradients whose squares are 0 in float32 may make large steps too.
_LARGE_RATE = 1e10
_ZERO = np.zeros((), np.int64)
_CLEAR_EVERY = 128  # steps: then the extra pass over the memory costs next to nothing


class _Scratch(dict[Any, Any]):
    """Blocks, arrays to compute in, and the ``names`` of the slots in memory.

    Blocks are views of a model's vectors, so a copy, or a pickle, has the names alone and makes its
    own blocks. The copy of a view would move a vector that nobody has.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _Scratch, ({"names": self.get("names", ())},)


@attrs.frozen(slots=False, kw_only=True)
class Optimizer(Registered, ABC):
    """Base of all optimizers; to subclass it is to register.

    A subclass defines `apply`, and `update` calls it for each step: it clips the gradients before,
    and counts the step after, in ``memory["t"]``, if the rule has vectors in its memory, or if the
    rule or its schedule asks for the number.

    Parameters
    ----------
    clip_norm : float, optional
        Gradients of a larger Euclidean norm, all parameters together, are scaled down to this one
        (Pascanu, Mikolov and Bengio 2013); above 0, by keyword only.
    clip_value : float, optional
        Each gradient is limited to this and its negative; above 0, by keyword only, instead of
        `clip_norm`.
    weight_decay : float
        A step begins with params ← params - rate · weight_decay · params, apart from the gradient
        (Loshchilov and Hutter 2019): in ``step(model)`` for the weights in ``model.decaying``, in
        an update of a bare vector for all of it. At least 0, by keyword only.

    >>> Optimizer.get("sgd", learning_rate=0.1)
    SGD(learning_rate=0.1, momentum=0.0, dampening=0.0, nesterov=False)
    """

    family = "optimizer"
    modules = (
        "tinynet.optimizers.adagrad", "tinynet.optimizers.adam", "tinynet.optimizers.lion",
        "tinynet.optimizers.rmsprop",
    )  # fmt: skip
    _of_numbers = {int: "epochs={}", float: "SGD({})"}
    clip_norm: float | None = positive(None)
    clip_value: float | None = positive(None)
    weight_decay: float = nonnegative(0.0)
    memory: dict[str, Array] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _scratch: _Scratch = attrs.field(factory=_Scratch, init=False, eq=False, repr=False)
    # The identity of the network that the memory belongs to.
    _network: Any = attrs.field(default=None, init=False, eq=False, repr=False)

    @clip_value.validator
    def _check_clipping(self, _: Any, clip_value: float | None) -> None:
        if clip_value is not None and self.clip_norm is not None:
            both = f"clip_norm={self.clip_norm} and clip_value={clip_value}"
            raise ValueError(f"{type(self).__name__} has {both}, expected one. Leave one out.")

    @abstractmethod
    def apply(self, params: Array, grads: Array) -> None:
        """Move `params` in place by the rule; leave `grads` as they are."""

    def update(self, params: Array, grads: Array, decaying: Sequence[Array] | None = None) -> None:
        """Take a step: clip, decay where there is a weight decay, apply, count.

        `decaying` are the views of `params` that weight decay acts on; None means all of `params`.
        """
        flags = switch_off()
        try:
            memory = self.memory
            known = len(memory)
            number = int(memory.get("t", _ZERO)) + 1 if known else 1
            if self._only_applies:
                self.apply(params, grads)
            else:
                self._prepare_and_apply(params, grads, decaying)
            if memory:
                self._count(number, is_new=len(memory) > known)
        finally:
            switch_back(flags)

    @functools.cached_property
    def _only_applies(self) -> bool:
        """Whether a step neither clips nor decays, so that nothing comes before `apply`."""
        return self.clip_norm is None and self.clip_value is None and not self.weight_decay

    def _prepare_and_apply(
        self, params: Array, grads: Array, decaying: Sequence[Array] | None
    ) -> None:
        """Clip, decay and apply; the decay is undone if the rule refuses the arrays."""
        if self.clip_norm is not None or self.clip_value is not None:
            grads = self._clipped(grads)
        if not self.weight_decay:
            self.apply(params, grads)
            return
        before = None if params.ndim == 1 else params.copy()
        self._decay(params, grads, decaying)
        try:
            self.apply(params, grads)
        except ShapeError:
            if before is not None:
                np.copyto(params, before)
            raise

    def _decay(self, params: Array, grads: Array, decaying: Sequence[Array] | None) -> None:
        last = self._scratch.get("bound")
        if last is None or not last.is_of(params, grads, self.memory):
            names = self._scratch.get("names", ())  # of the slots of the last step, in `blocks`
            check = _check_vectors if names else _check_alike
            check(params, grads)  # before anything has changed
            for name in names:
                self.slot(name, params)
        remaining = np.array(1 - self.rate() * self.weight_decay, params.dtype)
        for part in [params] if decaying is None else decaying:
            part *= remaining

    def _count(self, number: int, is_new: bool) -> None:
        """Count a step, if the memory holds a count or, where slots are new in it, vectors."""
        if is_new and any(slot.ndim for slot in self.memory.values()):
            self.memory.setdefault("t", np.zeros_like(_ZERO))
        count = self.memory.get("t")
        if count is not None:  # set, not added to: a rule may have counted by itself
            count[...] = number
            if number % _CLEAR_EVERY == 0:
                self._clear_subnormals()

    def step(self, model: Any) -> None:
        """Update a model's parameters: ``update(model.params, model.grads, model.decaying)``."""
        if self._network is not model.identity:
            if self._belongs_to_another(model):
                message = "This optimizer holds the memory of another model, expected its own."
                raise ValueError(f"{message} Use optimizer.fresh() here, or optimizer.reset().")
            object.__setattr__(self, "_network", model.identity)
        self.update(model.params, model.grads, model.decaying)

    def begin(self, model: Any) -> None:
        """Reset if the memory belongs to another model; `fit` calls this before its first step."""
        if self._belongs_to_another(model):
            self.reset()

    def _belongs_to_another(self, model: Any) -> bool:
        owner = self._network
        return bool(self.memory and owner and owner.held and owner is not model.identity)

    @contextlib.contextmanager
    def unchanged_if_refused(self) -> Iterator[None]:
        """Keep memory and model, if the block raises an error."""
        memory, network = dict(self.memory), self._network
        try:
            yield
        except BaseException:
            self.reset()
            self.memory.update(memory)
            object.__setattr__(self, "_network", network)
            raise

    def fresh(self) -> Self:
        """Return an optimizer of the same settings, without memory."""
        return attrs.evolve(self)

    def evolve(self, **settings: Any) -> Self:
        """Return an optimizer of other settings with a copy of the memory, for the same model."""
        other = attrs.evolve(self, **self._known(settings))
        other._scratch["names"] = self._scratch.get("names", ())  # of the slots in the memory
        other.memory.update({name: array.copy() for name, array in self.memory.items()})
        if "learning_rate" in settings:
            other.memory.pop("current_rate", None)
        object.__setattr__(other, "_network", self._network)
        return other

    __copy__ = evolve

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.memory.clear()
        self._scratch.clear()
        object.__setattr__(self, "_network", None)

    def rate(self, later: int = 0) -> float:
        """Return the learning rate of the next step, or the rate `later` steps or epochs on."""
        rate: Any = getattr(self, "learning_rate", None)
        if rate is None:
            raise AttributeError(
                f"{type(self).__name__} has no field learning_rate, expected one: self.rate() and "
                "weight decay need it. Put @attrs.frozen(slots=False) above the class, and in it "
                "write learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.01)."
            )
        if rate.__class__ is float or not isinstance(rate, Schedule):
            current = self.memory.get("current_rate")
            return rate if current is None else float(current)
        return rate.at(int(self.slot("t" if rate.by == "step" else "epoch", _ZERO)) + later)

    def set_rate(self, rate: float) -> None:
        """Use another learning rate, a number of at least 0, from the next step on.

        It belongs to the memory: the next `fit` continues with it, and `reset` returns to the
        setting ``learning_rate``. A schedule sets the rate itself, so then this raises TypeError.
        """
        settings = self._known({"learning_rate": float(rate)})
        if isinstance(getattr(self, "learning_rate", None), Schedule):
            found = f"{self!r} has a schedule, expected a number as its learning_rate"
            raise TypeError(f"{found}. Use optimizer.evolve(learning_rate={rate!r}).")
        attrs.evolve(self, **settings)  # the field refuses a wrong number
        self.memory["current_rate"] = np.array(float(rate))

    def largest_change(self, norm: float) -> float:
        """Return a bound of the norm of a step.

        `norm` is the largest one of the gradients of this step and of all that are in the memory.
        Infinity means that there is no bound. Then `fit` looks for non-finite parameters after each
        step, as it always does for a custom optimizer.
        """
        return math.inf

    def _at_most(self, norm: float, epsilon: float = 1.0) -> float:
        """Return rate · norm / epsilon, or infinity if that may not be a bound of a step.

        A rate below 1 counts as 1, because what a rule multiplies by the rate has to be finite too.
        """
        rate = self.rate()
        is_bounded = abs(rate) < _LARGE_RATE and epsilon > _SMALLEST_EPSILON
        if not is_bounded or not 0 <= rate * self.weight_decay <= 1:
            return math.inf
        return max(abs(rate), 1.0) * norm / epsilon

    def number(self) -> int:
        """Return the number of the current step, from 1."""
        return int(self.slot("t", _ZERO)) + 1

    def end_epoch(self) -> None:
        """Count an epoch, if the learning rate depends on it; `fit` calls this after each."""
        if getattr(getattr(self, "learning_rate", None), "by", None) == "epoch":
            self.slot("epoch", _ZERO)[...] += 1

    def slot(self, name: str, like: Array) -> Array:
        """Return the memory called `name`, an array like `like` that is zero at first."""
        slot = self.memory.get(name)
        if slot is None:
            slot = self.memory[name] = np.zeros_like(like)
        if slot.shape != like.shape or slot.dtype != like.dtype:
            message = f"The memory {name!r} has shape {slot.shape} and dtype {slot.dtype}, "
            message += f"expected {like.shape} and {like.dtype} like the parameters."
            raise ValueError(f"{message} Use optimizer.fresh() here, or optimizer.reset().")
        return slot

    def blocks(
        self, params: Array, grads: Array, *names: str, scratch: int = 1
    ) -> Sequence[tuple[Array, ...]]:
        """Return blocks of `params`, `grads`, the slots `names` and `scratch` arrays to compute in.

        A rule makes several passes over its vectors; block by block, they stay in the processor's
        cache. An array to compute in holds arbitrary numbers at first.
        """
        last = self._scratch.get((names, scratch))
        if last is not None and last.is_of(params, grads, self.memory):
            blocks: list[tuple[Array, ...]] = last.value
            return blocks
        _check_vectors(params, grads)
        size, slots = params.size, [self.slot(name, params) for name in names]
        self._scratch["names"] = names
        arrays = self._scratch.get((scratch, params.dtype))
        if arrays is None or arrays[0].size < min(size, _BLOCK):
            arrays = [np.empty(min(size, _BLOCK), params.dtype) for _ in range(scratch)]
            self._scratch[scratch, params.dtype] = arrays
        blocks = []
        for start in range(0, size, _BLOCK):
            parts = [vector[start : start + _BLOCK] for vector in (params, grads, *slots)]
            blocks.append((*parts, *[array[: parts[0].size] for array in arrays]))
        named = list(zip(names, slots, strict=True))
        self._scratch[names, scratch] = _Bound(params, grads, named, blocks)
        return blocks

    def _clear_subnormals(self) -> None:
        """Set what is too small for a normal number to 0, in all memory.

        A mean of gradients that have become exactly 0 shrinks until it is subnormal, and stays so,
        because 0.9 · x is rounded back to x. Arithmetic with such numbers is ten times as slow.
        """
        for array in self.memory.values():
            if array.dtype.kind == "f":
                clear_subnormals(array)

    def _clipped(self, grads: Array) -> Array:
        """Return `grads` within the limits: themselves, or a copy in a scratch array."""
        grads = np.asarray(grads)
        dtype = grads.dtype if grads.dtype.kind == "f" else np.float64
        out = self._scratch.get("clipped")
        if out is None or out.shape != grads.shape or out.dtype != dtype:
            out = self._scratch["clipped"] = np.empty(grads.shape, dtype)
        return clip(grads, self.clip_norm, self.clip_value, out)


class BoundOptimizer(Optimizer):
    """Base of rules that look up blocks and numbers once for each model, not in each step.

    That saves a tenth of the time of a step of a small network. A subclass defines `bind`.
    """

    learning_rate: Any  # each rule has this field, with a default of its own

    @abstractmethod
    def bind(self, params: Array, grads: Array) -> Callable[[float], None]:
        """Return a function that moves `params` for a learning rate.

        Settings are read here once. The function may hold what is in the memory, but not the
        optimizer, which holds the function.
        """

    def apply(self, params: Array, grads: Array) -> None:
        last, memory = self._scratch.get("bound"), self.memory
        if last is not None and last.is_of(params, grads, memory):
            last.value(self.rate() if memory or last.rate is None else last.rate)
            return
        _check_vectors(params, grads)  # before a rule puts anything into the memory
        rate = self.rate()
        move = self.bind(params, grads)
        last = _Bound(params, grads, [*memory.items()], move, self._fixed_rate())
        self._scratch["bound"] = last
        move(rate)

    def _fixed_rate(self) -> float | None:
        """Return the rate of every step as long as the memory is empty, if there is one."""
        rate = vars(self).get("learning_rate")
        return rate if type(rate) is float and type(self).rate is Optimizer.rate else None


class _Bound:
    """What was made for these vectors and slots of the memory, and holds views of them.

    ``rate`` is the learning rate of every step as long as the memory is empty, or None.
    """

    __slots__ = ("grads", "params", "rate", "slots", "value")  # read in every step

    def __init__(
        self,
        params: Array,
        grads: Array,
        slots: Sequence[tuple[str, Array]],
        value: Any,
        rate: float | None = None,
    ) -> None:
        self.params, self.grads, self.slots = params, grads, slots
        self.value, self.rate = value, rate

    def is_of(self, params: Array, grads: Array, memory: Mapping[str, Array]) -> bool:
        """Return whether it was made for `params`, `grads` and what is in `memory` now."""
        if self.params is not params or self.grads is not grads:
            return False
        for name, slot in self.slots:  # noqa: SIM110, as a generator takes three times as long
            if memory.get(name) is not slot:  # a rule, or a file, may put another array there
                return False
        return True


def _check_vectors(params: Array, grads: Array) -> None:
    """Refuse arrays that are not flat vectors of one size, and parameters that are not floats."""
    if params.ndim != 1:
        raise _wrong_shapes(params, grads, "flat vectors of one size")
    _check_alike(params, grads, "flat vectors of one size")


def _check_alike(params: Array, grads: Array, expected: str = "one shape") -> None:
    """Refuse arrays of different shapes, and parameters that are not floats."""
    if params.shape != grads.shape:
        raise _wrong_shapes(params, grads, expected)
    if params.dtype.kind not in "fc":
        found = f"params has dtype {params.dtype}, expected floats"
        raise TypeError(f"{found}. Use params = params.astype(float).")


def _wrong_shapes(params: Array, grads: Array, expected: str) -> ShapeError:
    shapes = f"params and grads have shapes {params.shape} and {grads.shape}"
    flat = "params.reshape(-1) and grads.reshape(-1)"
    fix = flat if params.size == grads.size else "one gradient for each parameter"
    return ShapeError(f"{shapes}, expected {expected}. Pass {fix}.")


def average(mean: Array, keep: Array, add: Array, values: Array, out: Array) -> None:
    """Compute mean ← keep · mean + add · values in place; `out` may be `values`."""
    mean *= keep
    mean += np.multiply(values, add, out)
