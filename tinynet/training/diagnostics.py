"""Diagnostics: warnings of what is likely wrong with a training, though it may be right.

Some faults show before the first step: mismatches.py finds these. Others show in what the steps do.
Each check is independent of the others, and warns once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, all_finite
from tinynet._support.cache import Cache
from tinynet._support.quiet import quiet
from tinynet._support.warn import warn
from tinynet.data.batches import ArraySlices
from tinynet.model.chain import ModelChain
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer
from tinynet.training.callbacks import Callback
from tinynet.training.mismatches import mismatches, no_rate, outputs_outside, same_units
from tinynet.training.nonfinite import course, too_large

# Of the gradient at layer L: what reaches layer 1 of networks that do not learn.
_FAINT = 1e-5
_SMALL = 1e-3  # an error of an output of 1 with which little is left to learn
_ROUNDING = 1e-6  # by which a function with values up to 1 may come out above it
_FIRST = 5  # steps whose costs show whether a training diverges
_GROWTH = 100.0  # how many times as large the cost may become in them

Check: TypeAlias = "Callable[[Diagnostics], str | None]"


class Diagnostics(Callback):
    """Warn of what is likely a mistake in a run, once each; `fit` calls it before other callbacks.

    It holds what was seen of the run, and each check is a function of that. A check returns what to
    say, or "" if there will be nothing to say, and is removed; with None it is called again.
    """

    first_rank_only = True
    costs: list[float]  # of the first steps
    losses: list[float]  # the first, and the last ones
    layers: list[PlacedLayer]  # which may stand still
    still: list[PlacedLayer]  # which of them have had no gradient up to now
    why: str | None  # the cause, as a step without gradients shows it

    @quiet
    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        run, network, self.steps = self.run, self.run.network, 0
        self.costs, self.losses, self.layers = [], [], []
        X, Y, _ = run.data.training.sample()
        in_memory = isinstance(run.data.training, ArraySlices)
        run.mismatches = mismatches(network, run.optimizer, X, Y, in_memory)
        faults = [*same_units(network.storage.layers), *no_rate(run.optimizer)]
        for fault in [*([] if run.resumed else run.mismatches), *faults]:
            warn(fault)
        self.of_steps: list[Check] = []
        self.of_epochs: list[Check] = [_lost_memory]
        if not run.mismatches:  # of which a growing cost is a consequence
            self.of_steps += [_faint_gradient, _growing_cost]
            self.of_epochs.insert(0, _growing_loss)
        if not run.mismatches and not faults:  # which may be why
            self.of_steps.append(_outputs_outside)
            self.of_epochs += [partial(_no_effect, start=network.params.copy()), _standstill]
            self.layers = list(filter(attrgetter("params"), network.storage.placed))
        self.grows, self.is_first_epoch = False, True
        self.watch(self.layers)

    @property
    def chain(self) -> ModelChain:
        """The arrays of the last step."""
        chain = self.run.network.chain
        assert chain is not None, "a step has a pass"
        return chain

    @quiet
    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.steps += 1
        still = [at for at in self.still if not any(map(np.any, at.grads.values()))]
        self.still = [at for at in still if not at.is_frozen]
        if self.still and self.why is None:
            self.why = _why_still(self.chain)
        if self.steps <= _FIRST:
            self.costs.append(logs["loss"])
            self._look(self.of_steps)
        self.watches_steps = bool(self.still) or self.steps < _FIRST

    @quiet
    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        self.losses.append(logs["loss"])
        del self.losses[1 : 1 - _FIRST]
        self._look(self.of_epochs)

    def watch(self, layers: list[PlacedLayer]) -> None:
        """Look in the steps from now on which of these layers stand still."""
        self.still, self.why = layers, None
        self.watches_steps = bool(layers) or self.steps < _FIRST

    def _look(self, checks: list[Check]) -> None:
        for check in checks[:]:
            fault = check(self)
            if fault:
                warn(fault)
            if fault is not None:
                checks.remove(check)


def _faint_gradient(seen: Diagnostics) -> str:
    """Look whether next to nothing of the gradient reaches layer 1, or far too much of it."""
    chain = seen.chain
    sizes = [_size(cache.dZ) for cache in chain.caches]
    L, share = len(sizes), sizes[0] / sizes[-1] if sizes[-1] else 1.0
    if share == 0 or not math.isfinite(share) or _FAINT < share < 1 / _FAINT:
        return ""  # 0 may be chance, in few examples: an epoch shows it
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


def _outputs_outside(seen: Diagnostics) -> str | None:
    fault = outputs_outside(seen.run.network)
    if not fault:
        return None
    seen.run.mismatches.append(fault)  # an error at a later step names it
    return fault


def _growing_cost(seen: Diagnostics) -> str | None:
    # The first cost alone may be small by chance: that of a batch of one, say. And a resumed
    # run may be near a minimum, where the cost may well rise.
    if seen.run.resumed or len(seen.costs) < _FIRST or not _is_far(seen.costs[1:]):
        return None
    return _growth(seen, "cost grows from step to step", seen.costs)


def _growing_loss(seen: Diagnostics) -> str | None:
    return _growth(seen, "loss grows from epoch to epoch", seen.losses)


def _growth(seen: Diagnostics, what: str, costs: list[float]) -> str | None:
    """Return what to say if each cost is larger than the one before, the last far larger."""
    if seen.grows or len(costs) < _FIRST or not _is_far(costs):
        return None
    if not all(after > before for before, after in pairwise(costs)):
        return None
    seen.grows = True
    return f"The {what}: {course(costs)}. {too_large(seen.run.optimizer)}"


def _lost_memory(seen: Diagnostics) -> str | None:
    """Look whether a number in the optimizer's memory has overflowed."""
    optimizer = seen.run.optimizer
    for name, array in optimizer.memory.items():
        if array.ndim and not all_finite(array):
            return (
                f"The memory {name!r} of {optimizer!r} is not finite any more, so some "
                "parameters will not move: gradients were too large for their squares. Scale X "
                'and Y, or use clip_norm=1.0 or dtype="float64".'
            )
    return None


def _no_effect(seen: Diagnostics, *, start: Array) -> str | None:
    """Look whether every parameter is as at the start, though gradients are not 0."""
    params = seen.run.network.params
    if not np.array_equal(start, params):
        return ""
    if seen.steps < 2 or not seen.run.network.grads.any():
        return None  # one step alone may not move what begins at 0
    return (
        f"{seen.run.optimizer!r} left every parameter as it was for a whole epoch, though the "
        "gradients are not 0. A rule must move params in place: params -= ..., because params "
        f"= params - ... makes another array. Or its steps are too small for {params.dtype}."
    )


def _standstill(seen: Diagnostics) -> str | None:
    """Look whether all gradients of some layers were exactly 0 for a whole epoch."""
    still, why = seen.still, seen.why
    # All steps of the epoch may have come before an interruption. And where the last layer
    # begins at 0, the second step moves those below.
    if seen.steps == 0 or (seen.steps == 1 and still != seen.layers):
        return None
    if still and why:
        seen.watch([])
        found = f"All gradients of {_named(seen.run.network, still)} were exactly 0 for a whole"
        return f"{found} epoch, so nothing changed there: {why}"
    # Once all layers have moved, only what stops them all is looked for.
    has_moved = not still and not seen.is_first_epoch and seen.run.network.grads.any()
    seen.is_first_epoch = False
    seen.watch([] if has_moved else seen.layers)
    return None


def _is_far(costs: list[float]) -> bool:
    return costs[-1] > _GROWTH * abs(costs[0])


def _unscaled(chain: ModelChain) -> str:
    large = float(np.std(chain.first.A_prev)) > 100
    return ". X itself is large: scale it to numbers around 1, as in X / X.max()" if large else ""


def _size(array: Array) -> float:
    return math.sqrt(float(np.mean(np.square(array, dtype=np.float64))))


def _why_still(chain: ModelChain) -> str:
    """Return what stops the gradients on their way back; "" if there is nothing left to learn."""
    last = chain.last
    output_gradient = last.dZ if chain.begins_at_dZ else last.dA
    error = np.abs(output_gradient).max() / max(1.0, np.abs(last.A).max())
    if error <= _ROUNDING:
        return ""  # A[L] is Y, to the last digits
    for layer, cache in chain.all_links():
        if _is_flat(layer, cache).all():
            name, units = layer.layer.activation.registered_name, cache.Z[..., 0].size
            return (
                f"all {units} units of {layer.title} are dead ({name} is flat there, for every "
                f"example of a batch{_unscaled(chain)}). Make a new model, and use a smaller "
                'learning rate, init="auto", or an activation that is nowhere flat, such as '
                '"leaky_relu".'
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
