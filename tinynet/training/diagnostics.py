"""Diagnostics: warnings of what is likely wrong with a training, though it may be right.

Some faults show before the first step, others in what the steps do. Each check is independent of
the others, and warns once.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, all_finite
from tinynet._support.cache import Cache
from tinynet.activations import Softmax
from tinynet.errors import TrainingWarning
from tinynet.layers import Activate, Dropout, Normalization, Reshape
from tinynet.model.chain import ModelChain
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.training.callbacks import Callback
from tinynet.training.nonfinite import course, too_large
from tinynet.training.run import Run

# Of the gradient at layer L: what reaches layer 1 of networks that do not learn.
_FAINT = 1e-5
_SMALL = 1e-3  # an error of an output of 1 with which little is left to learn
_ROUNDING = 1e-6  # by which a function with values up to 1 may come out above it
_FIRST = 5  # steps whose costs show whether a training diverges
_GROWTH = 100.0  # how many times as large the cost may become in them


class Diagnostics(Callback):
    """Warn of what is likely a mistake, once each; `fit` adds it to the callbacks."""

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        run = self.run
        faults = [
            *_wrong_activations(run.network),
            *_same_units(run.network.storage.layers),
            *_no_rate(run.optimizer),
        ]
        for fault in faults:
            _warn(fault)
        self.checks: list[Check] = [FaintGradient(), GrowingCost(run), LostMemory()]
        if not faults:  # which may be why
            self.checks += [OutputsOutside(run), NoEffect(run), StandsStill(run)]
        self.of_steps = list(self.checks)

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        for check in self.of_steps[:]:
            self._report(check, check.step(self.run, logs["loss"]))
            if not check.watches_steps:
                self.of_steps.remove(check)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        for check in self.checks[:]:
            self._report(check, check.epoch(self.run, logs["loss"]))
        self.of_steps = [check for check in self.checks if check.watches_steps]

    def _report(self, check: Check, fault: str | None) -> None:
        if fault:
            _warn(fault)
        if fault or check.is_done:
            self.checks.remove(check)
            check.watches_steps = False


class Check:
    """One thing that is likely a mistake: `step` and `epoch` return what to say, or None."""

    watches_steps = True
    is_done = False

    def step(self, run: Run, J: float) -> str | None:
        """Look at a step that went well, and the cost before it."""
        return None

    def epoch(self, run: Run, loss: float) -> str | None:
        """Look at a finished epoch, and its loss."""
        return None


class FaintGradient(Check):
    """Next to nothing of the gradient at layer L reaches layer 1, or far too much of it."""

    def step(self, run: Run, J: float) -> str | None:
        self.is_done = True  # the first step shows it
        chain = _chain(run)
        sizes = [_size(cache.dZ) for cache in chain.caches]
        L, share = len(sizes), sizes[0] / sizes[-1] if sizes[-1] else 1.0
        if share == 0 or not math.isfinite(share) or _FAINT < share < 1 / _FAINT:
            return None  # 0 may be chance, in few examples: an epoch shows it
        spread = ", ".join(f"{float(np.std(cache.Z)):.2g}" for cache in chain.caches)
        where = f"The standard deviation of Z goes {spread} from layer 1 to {L}{_unscaled(chain)}."
        if share > 1:
            return (
                f"The gradients grow on their way back: dZ[1] is {share:.1g} times as large as "
                f"dZ[{L}]. {where} The weights are too large for so many layers. Draw them with "
                'init="auto".'
            )
        return (
            f"Next to nothing of the gradient reaches {chain.layers[0].title}: dZ[1] is "
            f"{share:.1g} times dZ[{L}]. {where} The first layers will hardly learn. If the "
            'weights were drawn too small, use init="auto". If the activations are flat (sigmoid '
            'in many layers), use "relu" or fewer layers.'
        )


class OutputsOutside(Check):
    """A[L] goes beyond what the loss takes."""

    def __init__(self, run: Run) -> None:
        self.steps = 0
        self.domain = run.network.needed_loss().domain
        self.is_done = not np.isfinite(self.domain).any()

    def step(self, run: Run, J: float) -> str | None:
        self.steps += 1
        self.is_done = self.is_done or self.steps >= _FIRST
        (low, high), A, loss = self.domain, _chain(run).last.A, run.network.needed_loss()
        if low - _ROUNDING <= A.min() and A.max() <= high + _ROUNDING:
            return None
        last, partner = _acting(run.network)[-1], loss.partner
        hint = f' Use "{partner.registered_name}" there.' if partner else ""
        return (
            f"The last layer, {last.title}, ends in {last.layer.activation.registered_name}, and "
            f"A[L] goes from {A.min():.3g} to {A.max():.3g}, but {loss!r} takes {low:g} to "
            f"{high:g}.{hint}"
        )


class GrowingCost(Check):
    """The cost grows from step to step, or the loss from epoch to epoch."""

    def __init__(self, run: Run) -> None:
        self.watches_steps = not run.resumed  # near a minimum the cost may well rise
        self.costs: list[float] = []
        self.first_loss: float | None = None
        self.losses: deque[float] = deque(maxlen=_FIRST - 1)

    def step(self, run: Run, J: float) -> str | None:
        self.costs.append(J)
        self.watches_steps = len(self.costs) < _FIRST
        if self.watches_steps or not _grows(self.costs):
            return None
        if self.costs[-1] <= _GROWTH * abs(self.costs[1]):
            return None  # the first cost alone may be small by chance: that of a batch of one, say
        return f"The cost grows from step to step: {course(self.costs)}. {too_large(run.optimizer)}"

    def epoch(self, run: Run, loss: float) -> str | None:
        if self.first_loss is None:
            self.first_loss = loss
            return None
        self.losses.append(loss)
        losses = [self.first_loss, *self.losses]
        if not _grows(losses):
            return None
        return f"The loss grows from epoch to epoch: {course(losses)}. {too_large(run.optimizer)}"


class LostMemory(Check):
    """A number in the optimizer's memory has overflowed."""

    watches_steps = False

    @np.errstate(over="ignore", invalid="ignore")
    def epoch(self, run: Run, loss: float) -> str | None:
        for name, array in run.optimizer.memory.items():
            if array.ndim and not all_finite(array):
                return (
                    f"The memory {name!r} of {run.optimizer!r} is not finite any more, so some "
                    "parameters will not move: gradients were too large for their squares. Scale X "
                    'and Y, or use clip_norm=1.0 or dtype="float64".'
                )
        return None


class NoEffect(Check):
    """The steps of an epoch have left every parameter as it was, though gradients are not 0."""

    def __init__(self, run: Run) -> None:
        self.start, self.steps, self.has_gradient = run.network.params.copy(), 0, False

    def step(self, run: Run, J: float) -> str | None:
        self.steps += 1
        self.has_gradient = self.has_gradient or bool(run.network.grads.any())
        return None

    def epoch(self, run: Run, loss: float) -> str | None:
        if self.steps == 0 or (self.steps == 1 and self.has_gradient):
            return None  # one step alone may not move what begins at 0
        self.is_done, params = True, run.network.params
        if not self.has_gradient or not np.array_equal(self.start, params):
            return None
        return (
            f"{run.optimizer!r} left every parameter as it was for a whole epoch, though the "
            "gradients are not 0. A rule must move params in place: params -= ..., because "
            "params = params - ... makes another array. Or its steps are too small to show in "
            f"{params.dtype}."
        )


class StandsStill(Check):
    """All gradients of some layers are exactly 0 for a whole epoch."""

    def __init__(self, run: Run) -> None:
        self.layers = [k for k, views in enumerate(run.network.storage.param_views) if views]
        self.is_first_epoch = True
        self._begin_epoch(self.layers)

    def _begin_epoch(self, still: list[int]) -> None:
        self.still, self.steps, self.why = still, 0, None
        self.watches_steps = bool(still)

    why: str | None  # the cause, as a step without gradients shows it

    def step(self, run: Run, J: float) -> str | None:
        self.steps += 1
        links = list(_chain(run).all_links())
        self.still = [k for k in self.still if not _has_gradient(links[k][1])]
        self.watches_steps = bool(self.still)
        if self.still and self.why is None:
            self.why = _why_still(_chain(run))
        return None

    def epoch(self, run: Run, loss: float) -> str | None:
        if not self.still and not self.is_first_epoch:
            # Once all layers have moved, only what stops them all is looked for.
            self._begin_epoch([] if run.network.grads.any() else self.layers)
            return None
        if self.steps == 0:
            return None  # all steps of the epoch came before an interruption
        if self.steps == 1 and self.still != self.layers:
            return None  # the next step may move them: so with a last layer that begins at 0
        self.is_first_epoch, still, why = False, self.still, self.why
        self._begin_epoch(self.layers)
        if not still or not why:
            return None
        return (
            f"All gradients of {_named(run.network, still)} were exactly 0 for a whole epoch, so "
            f"nothing changed there: {why}"
        )


def _warn(fault: str) -> None:
    """Warn, at the line of the user's program that is the cause."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("tinynet."):
        frame, level = frame.f_back, level + 1
    warnings.warn(fault, TrainingWarning, stacklevel=level)


def _chain(run: Run) -> ModelChain:
    chain = run.network.chain
    assert chain is not None, "a step has a pass"
    return chain


def _no_rate(optimizer: Optimizer) -> Iterator[str]:
    """Yield whether the learning rate is 0, and stays so."""
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, (float, int, Schedule)) and not any(map(optimizer.rate, range(10))):
        yield f"The learning rate of {optimizer!r} is 0, so the parameters will not change."


def _wrong_activations(network: Network) -> Iterator[str]:
    """Yield which activations do not suit the loss, or one another."""
    placed, loss = network.storage.layers, network.needed_loss()
    if isinstance(placed[-1].layer, Dropout):
        yield (
            f"The last layer, {placed[-1].title}, drops outputs in training, and not the units of "
            "a hidden layer. Put it before the last layer that has parameters."
        )
    *below, last = _acting(network)
    where, activation = f"The last layer, {last.title},", last.layer.activation
    if isinstance(activation, Softmax) and network.outputs[0] == 1:
        yield (
            f"{where} takes softmax of one unit, which is always 1, so nothing can be learned. "
            'For yes or no use Dense(1, "sigmoid") with loss="binary_crossentropy".'
        )
    elif type(activation) in loss.unsuitable:
        reason = loss.unsuitable[type(activation)]
        yield f"{where} ends in {activation.registered_name}, but {loss!r} {reason}"
    if below and all(isinstance(of.layer.activation, Softmax) for of in (below[-1], last)):
        yield (
            f"The last layer, {last.title}, ends in softmax, and so does {below[-1].title}: it "
            "sees only numbers between 0 and 1, and can hardly prefer a class. Give the layer "
            'before the last another activation, such as "relu".'
        )


def _acting(network: Network) -> list[PlacedLayer]:
    """Return the layers without those that only pass numbers on; the first, if all of them do."""
    placed = network.storage.layers
    acting = [of for of in placed if not isinstance(of.layer, (Dropout, Reshape))]
    return acting or list(placed[:1])


def _same_units(layers: Sequence[PlacedLayer]) -> Iterator[str]:
    """Yield the hidden layers of a chain whose units are, and stay, all the same."""
    for layer in layers:
        for chain in layer.chains:
            yield from _same_units(chain)
    for layer, after in pairwise([layer for layer in layers if "W" in layer.params]):
        W, W_after = layer.params["W"], after.params["W"]
        between = layers[layer.path[-1] : after.path[-1] - 1]
        if len(W) < 2 or not (_rows_are_equal(W) and _rows_are_equal(W_after.T)):
            continue
        if all(map(_treats_units_alike, between)):
            yield (
                f"All {len(W)} units of {layer.title} have the same weights, in W[{layer.index}] "
                f"and in W[{after.index}], so they get the same gradients and stay one unit for "
                'ever. Draw W at random: init="auto".'
            )


def _treats_units_alike(placed: PlacedLayer) -> bool:
    """Return whether a layer leaves equal units equal; dropout does not."""
    is_alike = all(map(_rows_are_equal, placed.params.values()))
    return isinstance(placed.layer, (Activate, Normalization)) and is_alike


def _rows_are_equal(rows: Array) -> bool:
    return bool(np.array_equal(rows[0], rows[-1]) and (rows == rows[0]).all())


def _unscaled(chain: ModelChain) -> str:
    large = float(np.std(chain.first.A_prev)) > 100
    return ". X itself is large: scale it to numbers around 1, as in X / X.max()" if large else ""


def _size(array: Array) -> float:
    return math.sqrt(float(np.mean(np.square(array, dtype=np.float64))))


def _grows(costs: list[float]) -> bool:
    """Return whether each number is larger than the one before, and the last far larger."""
    rising = all(after > before for before, after in pairwise(costs))
    return len(costs) >= _FIRST and rising and costs[-1] > _GROWTH * abs(costs[0])


def _has_gradient(cache: Cache) -> bool:
    """Return whether a layer has a gradient other than 0."""
    return any(getattr(cache, f"d{name}").any() for name in cache.parameters)


def _why_still(chain: ModelChain) -> str:
    """Return what stops the gradients on their way back; "" if there is nothing left to learn."""
    last = chain.last
    output_gradient = last.dZ if chain.begins_at_dZ else last.dA
    error = np.abs(output_gradient).max() / max(1.0, np.abs(last.A).max())
    if error <= _ROUNDING:
        return ""  # A[L] is Y, to the last digits
    for layer, cache in chain.links:
        if _is_flat(layer, cache).all():
            name, units = layer.layer.activation.registered_name, cache.Z[..., 0].size
            return (
                f"all {units} units of {layer.title} are dead ({name} is flat there, for every "
                f"example of a batch{_unscaled(chain)}). Draw the parameters anew with "
                'init="auto", use a smaller learning rate, or an activation that is nowhere flat, '
                'such as "leaky_relu".'
            )
    for (_, below), (layer, cache) in reversed(list(pairwise(chain.links))):
        if not below.dA.any():
            if "W" not in cache.parameters:
                return f"{layer.title} lets no gradient through to the layers below."
            return (
                f"W[{layer.index}] lets no gradient through to the layers below. If it is 0, draw "
                'it with init="auto".'
            )
    if error <= _SMALL:
        return ""  # so small that the terms of a gradient may cancel
    return "look at model.dZ and model.A."


def _is_flat(layer: PlacedLayer, cache: Cache) -> Array:
    """Return for each unit whether its activation has the slope 0 for every example."""
    dA = np.ones_like(cache.A)
    dA[::2] *= -2  # softmax has a slope of 0 in the direction of all ones
    dZ = layer.layer.activation.back(dA, cache.Z, cache.A)
    return np.asarray(~dZ.reshape(len(dZ), -1).any(axis=1))


def _named(network: Network, layers: list[int]) -> str:
    placed = [network.storage.placed[k] for k in layers]
    if len(layers) > 3 and layers == list(range(layers[0], layers[-1] + 1)):
        return f"layers {placed[0].label} to {placed[-1].label}"
    return " and ".join(layer.title for layer in placed)
