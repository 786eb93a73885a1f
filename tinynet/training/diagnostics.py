"""What is likely wrong with a training, told as warnings: the code may be right all the same.

Some of it shows before the first step, some in what the steps do.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._support.arrays import Array, Cache, all_finite
from tinynet.activations import Softmax
from tinynet.errors import TrainingWarning
from tinynet.layers import Activate, Dropout, Layer, Normalization, Reshape
from tinynet.model.storage import title
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule

if TYPE_CHECKING:
    from tinynet.sequential import Sequential

_FAINT = 1e-5  # of the gradient at layer L: what reaches layer 1 of networks that do not learn (ten layers of sigmoid)
_SMALL = 1e-3  # an error of an output of 1 with which little is left to learn
_ROUNDING = 1e-6  # by which a function with values up to 1 may come out above it
_FIRST = 5  # steps whose costs tell whether a training diverges
_GROWTH = 100.0  # how many times as large the cost may become in them


class Doubts:
    """Looks on while a model is trained, and warns once of each thing that is likely a mistake."""

    def __init__(self, model: Sequential, optimizer: Optimizer, resumed: bool = False) -> None:
        self.model, self.optimizer = model, optimizer
        self.first = (
            0 if resumed else _FIRST
        )  # near a minimum the cost may well rise from step to step
        self.costs: list[float] = []  # of the first steps
        self.first_loss, self.losses = (
            math.nan,
            deque[float](maxlen=_FIRST - 1),
        )  # of epochs, the last ones
        self.start: Array | None = model.params.copy()
        self.still, self.steps = (
            self._layers(),
            0,
        )  # the layers that no step of this epoch has moved yet
        self.why_still: str | None = None
        told = [*_misfits(model), *_same_units(model), *_no_rate(optimizer)]
        self.told_of_still = self.told_of_growth = self.told_of_memory = False
        self.told_of_output = (
            bool(told) or model.loss is None or not np.isfinite(model.loss.domain).any()
        )
        if told:
            self.told_of_still, self.start = True, None  # for these may be why
        for doubt in told:
            _say(doubt)

    def step(self, J: float) -> None:
        """Look at a step that went well, and cost J before it; its passes are still there to be looked at."""
        self.steps += 1
        if self.still:
            caches = self.model.caches
            self.still = [l for l in self.still if not _moves(caches[l - 1])]
            if self.still and not self.told_of_still and self.why_still is None:
                self.why_still = _why_still(self.model)
        if len(self.costs) < self.first:
            self._first_step(J)

    def _first_step(self, J: float) -> None:
        """Look at one of the first steps."""
        self.costs.append(J)
        if len(self.costs) == 1:
            _say(_faint_gradient(self.model))
        if not self.told_of_output and (doubt := _outside(self.model)):
            self.told_of_output = True
            _say(doubt)
        # The first cost alone may be small by chance: that of a batch of one, say.
        if (
            len(self.costs) == _FIRST
            and _grows(self.costs, _GROWTH)
            and self.costs[-1] > _GROWTH * abs(self.costs[1])
        ):
            self.told_of_growth = True
            _say(
                f"the cost grows from step to step: {course(self.costs)}. {too_large(self.optimizer)}"
            )

    def epoch(self, loss: float) -> None:
        """Look back at the steps since the last epoch, whose loss this was."""
        if not self.told_of_memory and (doubt := _lost_memory(self.optimizer)):
            self.told_of_memory = True
            _say(doubt)
        self._look_at_loss(loss)
        if self.steps == 0:
            return  # all were taken before the run was interrupted
        if not self.still and self.start is None:
            # Once all layers have moved, only what stops them all is looked for.
            self.still, self.steps = [] if self.model.grads.any() else self._layers(), 0
            return
        if self.steps == 1 and self.still != self._layers():
            return  # the next step may move them: so with a last layer that begins at 0
        if self.start is not None and self.still != self._layers():
            _say(_without_effect(self.optimizer, self.start, self.model.params))
        self.start = None
        if self.still and not self.told_of_still and self.why_still:
            names = _named(self.model, self.still)
            told = f"all gradients of {names} were exactly 0 for a whole epoch, so nothing changed there"
            _say(f"{told}: {self.why_still}")
            self.told_of_still = True
        self.still, self.steps, self.why_still = self._layers(), 0, None

    def _look_at_loss(self, loss: float) -> None:
        if self.told_of_growth:
            return
        if not self.losses and math.isnan(self.first_loss):
            self.first_loss = loss
            return
        self.losses.append(loss)
        if loss > _GROWTH * abs(self.first_loss) and _grows(
            [self.first_loss, *self.losses], _GROWTH
        ):
            self.told_of_growth = True
            losses = course([self.first_loss, *self.losses])
            _say(f"the loss grows from epoch to epoch: {losses}. {too_large(self.optimizer)}")

    def _layers(self) -> list[int]:
        return [l for l, held in enumerate(self.model.parameters, 1) if held]


def _no_rate(optimizer: Optimizer) -> Iterator[str]:
    """Yield whether the learning rate is 0, and stays so."""
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, (float, int, Schedule)) and all(
        Optimizer.rate(optimizer, later) == 0 for later in range(10)
    ):
        yield f"the learning rate of {optimizer!r} is 0, so the parameters will not change"


@np.errstate(over="ignore", invalid="ignore")
def _lost_memory(optimizer: Optimizer) -> str | None:
    for name, array in optimizer.memory.items():
        if array.ndim and not all_finite(array):
            return (
                f"what {optimizer!r} remembers as {name!r} is not finite any more, so some parameters will not move: "
                'gradients were too large for their squares; scale X and Y, write clip_norm=1.0 or dtype="float64"'
            )
    return None


def _moves(cache: Cache) -> bool:
    """Tell whether a layer has a gradient other than 0."""
    return any(getattr(cache, f"d{name}").any() for name in cache.parameters)


def _say(doubt: str | None) -> None:
    """Warn, at the line of the user's that is the cause."""
    if doubt:
        frame, level = sys._getframe(1), 2
        while frame.f_back and str(frame.f_globals.get("__name__")).startswith("tinynet."):
            frame, level = frame.f_back, level + 1
        warnings.warn(doubt, TrainingWarning, stacklevel=level)


def _misfits(model: Sequential) -> Iterator[str]:
    """Yield which activations do not go with the loss, or with one another."""
    last = model.layers[-1]
    if isinstance(last, Dropout):
        yield (
            f"{title(len(model.layers), last)} is the last layer, so outputs are dropped in training, and not the "
            "units of a hidden layer; put it before the last layer that has parameters"
        )
    *below, (L, last) = _acting(model)
    where = f"the last layer, {title(L, last)}"
    if isinstance(last.activation, Softmax) and model.outputs[0] == 1:
        yield (
            f"{where}, takes softmax of one unit, which is always 1, so nothing can be learned; "
            'for yes or no write Dense(1, "sigmoid") with loss="binary_crossentropy"'
        )
    elif model.loss and type(last.activation) in model.loss.misfits:
        name = last.activation.registered_name
        yield f"{where}, ends in {name}, but {model.loss!r} {model.loss.misfits[type(last.activation)]}"
    if (
        below
        and isinstance(last.activation, Softmax)
        and isinstance(below[-1][1].activation, Softmax)
    ):
        yield (
            f"{title(*below[-1])} ends in softmax, and so does {where}: it sees numbers between 0 and 1 only, "
            'and can hardly prefer a class; give the layer before the last another activation, such as "relu"'
        )


def _acting(model: Sequential) -> list[tuple[int, Layer]]:
    """Return the layers by number, without those that only pass numbers on; the first, if all of them do."""
    layers = list(enumerate(model.layers, 1))
    acting = [(l, layer) for l, layer in layers if not isinstance(layer, (Dropout, Reshape))]
    return acting or layers[:1]


def _outside(model: Sequential) -> str | None:
    """Say so, if A[L] is where the loss does not take it."""
    loss, A = model.loss, model.caches[-1].A
    assert loss is not None, "what is trained has one"
    low, high = loss.domain
    if low - _ROUNDING <= A.min() and A.max() <= high + _ROUNDING:
        return None
    L, last = _acting(model)[-1]
    partner = f'; write "{loss.partner.registered_name}" there' if loss.partner else ""
    return (
        f"the last layer, {title(L, last)}, ends in {last.activation.registered_name}, and A[L] goes from "
        f"{A.min():.3g} to {A.max():.3g}, but {loss!r} takes it from {low:g} to {high:g}{partner}"
    )


def _same_units(model: Sequential) -> Iterator[str]:
    """Yield the hidden layers whose units are, and stay, all the same: an initialization without chance."""
    weights = model.W
    for l, after in pairwise(weights):
        W, W_after = weights[l], weights[after]
        treated_alike = all(_treats_units_alike(model, k) for k in range(l + 1, after))
        if treated_alike and len(W) > 1 and _all_one(W) and _all_one(W_after.T):
            yield (
                f"all {len(W)} units of {title(l, model.layers[l - 1])} have the same weights, in W[{l}] and in "
                f'W[{after}], so they get the same gradients and stay one unit for ever; draw W at random: init="auto"'
            )


def _treats_units_alike(model: Sequential, l: int) -> bool:
    """Tell whether units that are the same leave layer l the same; with dropout they do not."""
    views = model.parameters[l - 1].values()
    return isinstance(model.layers[l - 1], (Activate, Normalization)) and all(map(_all_one, views))


def _all_one(rows: Array) -> bool:
    return bool(np.array_equal(rows[0], rows[-1]) and (rows == rows[0]).all())


def _faint_gradient(model: Sequential) -> str | None:
    """Say so, if next to nothing of the gradient at layer L reaches layer 1, or far too much of it."""
    sizes = [_size(cache.dZ) for cache in model.caches]
    share = sizes[0] / sizes[-1] if sizes[-1] else 1.0
    if share == 0 or not math.isfinite(share) or _FAINT < share < 1 / _FAINT:
        return None  # 0 may be chance, in few examples: an epoch tells
    spread = ", ".join(f"{float(np.std(cache.Z)):.2g}" for cache in model.caches)
    told = (
        f"the standard deviation of Z goes {spread} from layer 1 to {len(sizes)}{_unscaled(model)}"
    )
    if share > 1:
        return (
            f"the gradients grow on their way down: dZ[1] is {share:.1g} times as large as dZ[{len(sizes)}]; {told}. "
            'The weights are too large for so many layers: draw them with init="auto"'
        )
    return (
        f"next to nothing of the gradient reaches {title(1, model.layers[0])}: dZ[1] is {share:.1g} times "
        f"dZ[{len(sizes)}]; {told}. The first layers will hardly learn. If the weights were drawn too small, write "
        'init="auto"; if the activations are flat (sigmoid in many layers), take "relu" or fewer layers'
    )


def _unscaled(model: Sequential) -> str:
    large = float(np.std(model.caches[0].A_prev)) > 100
    return "; X itself is large: scale it to numbers around 1, as in X / X.max()" if large else ""


def _size(array: Array) -> float:
    return math.sqrt(float(np.mean(np.square(array, dtype=np.float64))))


def _grows(costs: list[float], factor: float) -> bool:
    """Tell whether each number is larger than the one before, and the last far larger than the first."""
    rising = all(J_next > J for J, J_next in pairwise(costs))
    return len(costs) >= _FIRST and rising and costs[-1] > factor * abs(costs[0])


def _without_effect(optimizer: Optimizer, before: Array, after: Array) -> str | None:
    if not np.array_equal(before, after):
        return None
    return (
        f"{optimizer!r} left every parameter as it was for a whole epoch, though the gradients are not 0: an update "
        "moves params in place (params -= ..., for params = params - ... makes another array); or its steps are too "
        f"small to be seen in {after.dtype}"
    )


def course(costs: Any) -> str:
    """Return costs as a person reads them."""
    return ", ".join(f"{J:.4g}" for J in costs)


def too_large(optimizer: Optimizer) -> str:
    """Return the likely cause of a cost that grows."""
    return f"The learning rate is likely too large for model and data: {optimizer!r}"


def _why_still(model: Sequential) -> str:
    """Say what stops the gradients on their way down; nothing, if there is nothing left to learn."""
    last = model.caches[-1]
    error = np.abs(last.dZ if model.begins_at_dZ else last.dA).max() / max(
        1.0, np.abs(last.A).max()
    )
    if error <= _ROUNDING:
        return ""  # A[L] is Y, to the last digits
    for l, (layer, cache) in enumerate(zip(model.layers, model.caches, strict=True), 1):
        if _flat(layer, cache).all():
            name, units = layer.activation.registered_name, cache.Z[..., 0].size
            return (
                f"all {units} units of {title(l, layer)} are dead ({name} is flat there, for every example of a "
                f'batch{_unscaled(model)}). Draw the parameters anew with init="auto", take a smaller learning rate, '
                'or an activation that is nowhere flat, such as "leaky_relu"'
            )
    for l in range(len(model.layers), 1, -1):
        if not model.caches[l - 2].dA.any():
            if "W" not in model.caches[l - 1].parameters:
                return (
                    f"{title(l, model.layers[l - 1])} lets no gradient through to the layers below"
                )
            return f'W[{l}] lets no gradient through to the layers below; if it is 0, draw it with init="auto"'
    if error <= _SMALL:
        return ""  # so small that the terms of a gradient may cancel
    return "look at model.dZ and model.A"


def _flat(layer: Layer, cache: Cache) -> Array:
    """Return for each unit whether its activation has the slope 0 for every example."""
    dA = np.ones_like(cache.A)
    dA[::2] *= -2  # softmax has a slope of 0 in the direction of all ones
    dZ = layer.activation.back(dA, cache.Z, cache.A)
    return np.asarray(~dZ.reshape(len(dZ), -1).any(axis=1))


def _named(model: Sequential, layers: list[int]) -> str:
    if len(layers) > 3 and layers == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return " and ".join(title(l, model.layers[l - 1]) for l in layers)
