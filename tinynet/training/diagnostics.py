"""Diagnostics: warnings of what is likely wrong with a training, though it may be right.

Some faults show before the first step, others in what the steps do. Each check is independent of
the others, and warns once.
"""

from __future__ import annotations

import math
import sys
import warnings
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
    """Warn of what is likely a mistake, once each; the loop calls it before the callbacks."""

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        run, network = self.run, self.run.network
        faults = [*_wrong_activations(network), *_same_units(network.storage.layers)]
        faults += _no_rate(run.optimizer)
        for fault in faults:
            _warn(fault)
        self.checks: list[Check] = [FaintGradient(), GrowingCost(run), LostMemory()]
        if not faults:  # which may be why
            self.checks += [OutputsOutside(), NoEffect(run), StandsStill(run)]

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        chain, J = self.run.network.chain, logs["loss"]
        assert chain is not None, "a step has a pass"
        for check in self.checks[:]:
            if check.watches_steps:
                check.steps += 1
                self._report(check, check.step(self.run, chain, J))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        for check in self.checks[:]:
            self._report(check, check.epoch(self.run, logs["loss"]))

    def _report(self, check: Check, fault: str | None) -> None:
        if fault:
            _warn(fault)
        if fault or check.is_done:
            self.checks.remove(check)


class Check:
    """One thing that is likely a mistake: `step` and `epoch` return what to say, or None."""

    watches_steps, is_done = True, False
    steps = 0  # that were looked at

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
        """Look at a step that went well, and the cost before it."""
        return None

    def epoch(self, run: Run, loss: float) -> str | None:
        """Look at a finished epoch, and its loss."""
        return None


class FaintGradient(Check):
    """Next to nothing of the gradient at layer L reaches layer 1, or far too much of it."""

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
        self.is_done = True  # the first step shows it
        sizes = [_size(cache.dZ) for cache in chain.caches]
        L, share = len(sizes), sizes[0] / sizes[-1] if sizes[-1] else 1.0
        if share == 0 or not math.isfinite(share) or _FAINT < share < 1 / _FAINT:
            return None  # 0 may be chance, in few examples: an epoch shows it
        spread = ", ".join(f"{float(np.std(cache.Z)):.2g}" for cache in chain.caches)
        found = f"dZ[1] is {share:.1g} times dZ[{L}]. The standard deviation of Z goes {spread}"
        found += f" from layer 1 to {L}{_unscaled(chain)}."
        if share > 1:
            why = 'The weights are too large for so many layers. Draw them with init="auto".'
            return f"The gradients grow on their way back: {found} {why}"
        why = "The first layers will hardly learn. If the weights were drawn too small, use "
        why += 'init="auto". If the activations are flat (sigmoid in many layers), use "relu" or '
        why += "fewer layers."
        return f"Next to nothing of the gradient reaches {chain.layers[0].title}: {found} {why}"


class OutputsOutside(Check):
    """A[L] goes beyond what the loss takes."""

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
        self.is_done = self.steps >= _FIRST
        A, loss = chain.last.A, run.network.needed_loss()
        (low, high), least, most = loss.domain, A.min(), A.max()
        if low - _ROUNDING <= least and most <= high + _ROUNDING:
            return None
        found = f"{_ending(run.network)}, and A[L] goes from {least:.3g} to {most:.3g}"
        hint = f' Use "{loss.partner.registered_name}" there.' if loss.partner else ""
        return f"{found}, but {loss!r} takes {low:g} to {high:g}.{hint}"


class GrowingCost(Check):
    """The cost grows from step to step, or the loss from epoch to epoch."""

    def __init__(self, run: Run) -> None:
        self.watches_steps = not run.resumed  # near a minimum the cost may well rise
        self.costs: list[float] = []
        self.losses: list[float] = []  # the first, and the last ones

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
        self.costs.append(J)
        self.watches_steps = self.steps < _FIRST
        if self.watches_steps or self.costs[-1] <= _GROWTH * abs(self.costs[1]):
            return None  # the first cost alone may be small by chance: that of a batch of one, say
        return _growth("cost grows from step to step", self.costs, run.optimizer)

    def epoch(self, run: Run, loss: float) -> str | None:
        self.losses.append(loss)
        del self.losses[1 : 1 - _FIRST]
        return _growth("loss grows from epoch to epoch", self.losses, run.optimizer)


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
        self.start, self.has_gradient = run.network.params.copy(), False

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
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
            "gradients are not 0. A rule must move params in place: params -= ..., because params "
            f"= params - ... makes another array. Or its steps are too small for {params.dtype}."
        )


class StandsStill(Check):
    """All gradients of some layers are exactly 0 for a whole epoch."""

    def __init__(self, run: Run) -> None:
        self.layers = [layer for layer in run.network.storage.placed if layer.params]
        self.is_first_epoch = True
        self._begin_epoch(self.layers)

    def _begin_epoch(self, still: list[PlacedLayer]) -> None:
        self.still, self.watches_steps, self.steps = still, bool(still), 0
        self.why: str | None = None  # the cause, as a step without gradients shows it

    def step(self, run: Run, chain: ModelChain, J: float) -> str | None:
        self.still = [at for at in self.still if not any(map(np.any, at.grads.values()))]
        self.watches_steps = bool(self.still)
        if self.still and self.why is None:
            self.why = _why_still(chain)
        return None

    def epoch(self, run: Run, loss: float) -> str | None:
        still, why = self.still, self.why
        if not still and not self.is_first_epoch:
            # Once all layers have moved, only what stops them all is looked for.
            self._begin_epoch([] if run.network.grads.any() else self.layers)
            return None
        # All steps of the epoch may have come before an interruption. And where the last layer
        # begins at 0, the second step moves those below.
        if self.steps == 0 or (self.steps == 1 and still != self.layers):
            return None
        self.is_first_epoch = False
        self._begin_epoch(self.layers)
        if not still or not why:
            return None
        found = f"All gradients of {_named(run.network, still)} were exactly 0 for a whole epoch"
        return f"{found}, so nothing changed there: {why}"


def _warn(fault: str) -> None:
    """Warn, at the line of the user's program that is the cause."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("tinynet."):
        frame, level = frame.f_back, level + 1
    warnings.warn(fault, TrainingWarning, stacklevel=level)


def _no_rate(optimizer: Optimizer) -> Iterator[str]:
    """Yield whether the learning rate is 0, and stays so."""
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, (float, int, Schedule)) and not any(map(optimizer.rate, range(10))):
        yield f"The learning rate of {optimizer!r} is 0, so the parameters will not change."


def _wrong_activations(network: Network) -> Iterator[str]:
    """Yield which activations do not suit the loss, or one another."""
    final, loss = network.storage.layers[-1], network.needed_loss()
    if isinstance(final.layer, Dropout):
        found = f"The last layer, {final.title}, drops outputs in training"
        remedy = "Put it before the last layer that has parameters."
        yield f"{found}, and not the units of a hidden layer. {remedy}"
    *below, last = _acting(network)
    activation = last.layer.activation
    if isinstance(activation, Softmax) and network.outputs[0] == 1:
        found = f"The last layer, {last.title}, takes softmax of one unit, which is always 1"
        remedy = 'For yes or no use Dense(1, "sigmoid") with loss="binary_crossentropy".'
        yield f"{found}, so nothing can be learned. {remedy}"
    elif type(activation) in loss.unsuitable:
        yield f"{_ending(network)}, but {loss!r} {loss.unsuitable[type(activation)]}"
    if below and all(isinstance(at.layer.activation, Softmax) for at in (below[-1], last)):
        found = f"{_ending(network)}, and so does {below[-1].title}: it sees only numbers between 0"
        remedy = 'Give the layer before the last another activation, such as "relu".'
        yield f"{found} and 1, and can hardly prefer a class. {remedy}"


def _acting(network: Network) -> Sequence[PlacedLayer]:
    """Return the layers without those that only pass numbers on; the first, if all of them do."""
    placed = network.storage.layers
    return [at for at in placed if not isinstance(at.layer, (Dropout, Reshape))] or placed[:1]


def _ending(network: Network) -> str:
    last = _acting(network)[-1]
    return f"The last layer, {last.title}, ends in {last.layer.activation.registered_name}"


def _same_units(layers: Sequence[PlacedLayer]) -> Iterator[str]:
    """Yield the hidden layers of a chain whose units are, and stay, all the same."""
    for layer in layers:
        for chain in layer.chains:
            yield from _same_units(chain)
    for layer, after in pairwise([at for at in layers if "W" in at.params]):
        W, W_after = layer.params["W"], after.params["W"]
        between = layers[layer.path[-1] : after.path[-1] - 1]
        are_same = _rows_are_equal(W) and _rows_are_equal(W_after.T)
        if len(W) > 1 and are_same and all(map(_treats_units_alike, between)):
            yield (
                f"All {len(W)} units of {layer.title} have the same weights, in W[{layer.index}] "
                f"and in W[{after.index}], so they get the same gradients and stay one unit for "
                'ever. Draw W at random: init="auto".'
            )


def _treats_units_alike(at: PlacedLayer) -> bool:
    """Return whether a layer leaves equal units equal; dropout does not."""
    is_alike = all(map(_rows_are_equal, at.params.values()))
    return isinstance(at.layer, (Activate, Normalization)) and is_alike


def _rows_are_equal(rows: Array) -> bool:
    return bool(np.array_equal(rows[0], rows[-1]) and (rows == rows[0]).all())


def _unscaled(chain: ModelChain) -> str:
    large = float(np.std(chain.first.A_prev)) > 100
    return ". X itself is large: scale it to numbers around 1, as in X / X.max()" if large else ""


def _size(array: Array) -> float:
    return math.sqrt(float(np.mean(np.square(array, dtype=np.float64))))


def _growth(what: str, costs: list[float], optimizer: Optimizer) -> str | None:
    """Return what to say if each cost is larger than the one before, and the last far larger."""
    rising = all(after > before for before, after in pairwise(costs))
    if len(costs) < _FIRST or not rising or costs[-1] <= _GROWTH * abs(costs[0]):
        return None
    return f"The {what}: {course(costs)}. {too_large(optimizer)}"


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
            has_W = "W" in cache.parameters
            name = f"W[{layer.index}]" if has_W else layer.title
            hint = ' If it is 0, draw it with init="auto".' if has_W else ""
            return f"{name} lets no gradient through to the layers below.{hint}"
    # The terms of a small gradient may cancel.
    return "" if error <= _SMALL else "look at model.dZ and model.A."


def _is_flat(layer: PlacedLayer, cache: Cache) -> Array:
    """Return for each unit whether its activation has the slope 0 for every example."""
    dA = np.ones_like(cache.A)
    dA[::2] *= -2  # softmax has a slope of 0 in the direction of all ones
    dZ = layer.layer.activation.back(dA, cache.Z, cache.A)
    return np.asarray(~dZ.reshape(len(dZ), -1).any(axis=1))


def _named(network: Network, layers: list[PlacedLayer]) -> str:
    placed = network.storage.placed
    start = placed.index(layers[0])
    if len(layers) > 3 and layers == placed[start : start + len(layers)]:
        return f"layers {layers[0].label} to {layers[-1].label}"
    return " and ".join(layer.title for layer in layers)
