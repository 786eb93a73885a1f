"""Mismatches: what shows before the first step that a training will likely fail.

Layers, loss, optimizer and some examples are looked at, and no step is taken. What an activation
can give, and what a loss takes, the classes declare: `Activation.range` and `Loss.domain`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinynet._support.arrays import Array
from tinynet.activations import Activation, Identity, Sigmoid, Softmax, Softplus, Tanh
from tinynet.layers import Activate, BatchNorm, Dense, Dropout, LayerNorm, Normalization, Reshape
from tinynet.losses import Loss
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer
from tinynet.optimizers import SGD, Optimizer
from tinynet.schedules import Schedule

_ROUNDING = 1e-6  # by which a function with values up to 1 may come out above it
# Of the variance of the targets: what noise around the limits of an activation may put beyond them.
_BEYOND = 0.1
# Root mean squares of a row of X and of Y with which half of the usual networks fail. Of numbers
# of mean 0 and variance 1 it is 1, of pixels up to 255 about 150.
_LARGE_X, _LARGE_Y = 100.0, 300.0
# The learning rate times the square of the size of X, or the size of Y, with which SGD learns.
_STEADY_X, _STEADY_Y = 1.0, 0.3
_NO_LIMITS = (-math.inf, math.inf)
_ANY_NUMBER = (Dense, BatchNorm, LayerNorm)  # what their Z may be
_OF_DIFFERENCES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")
_YES_OR_NO = 'For yes or no use Dense(1, "sigmoid") with loss="binary_crossentropy".'


class _Program(NamedTuple):
    """What is looked at beside the examples.

    The layers are those that do more than pass numbers on, and the limits what the last activation
    declares as those of A[L], if it does. Where not all examples are in memory, a user has no X and
    Y to type a remedy for.
    """

    layers: Sequence[PlacedLayer]
    limits: tuple[float, float] | None
    loss: Loss
    optimizer: Optimizer
    in_memory: bool


def mismatches(
    network: Network, optimizer: Optimizer, X: Array, Y: Array, in_memory: bool
) -> list[str]:
    """Return what does not fit together, the likeliest cause of a failure first.

    X and Y are some examples as columns.
    """
    layers, loss = _acting(network.storage.layers), network.loss
    assert loss is not None, "fit has checked Y with it"
    limits = layers[-1].layer.activation.limits()
    program = _Program(layers, limits, loss, optimizer, in_memory)
    faults = _wrong_activations(program, network.storage.layers[-1])
    # Of targets beyond limits that are wide enough, the loss has refused those.
    if not faults and limits and not _are_within(loss.target_limits, limits):
        faults = _targets_beyond(program, limits, Y)
    if not faults and loss.registered_name in _OF_DIFFERENCES:
        faults = _large_targets(program, Y)
    return faults + _large_inputs(program, X)


def outputs_outside(network: Network) -> str:
    """Return what to say if A[L] of the last pass goes beyond what the loss takes, or ""."""
    assert network.chain is not None, "a step has a pass"
    A, loss = network.chain.last.A, network.needed_loss()
    (low, high), least, most = loss.domain, A.min(), A.max()
    if not (least < low - _ROUNDING or most > high + _ROUNDING):
        return ""
    last = _acting(network.storage.layers)[-1]
    found = f"{_ending(last)}, and A[L] goes from {least:.3g} to {most:.3g}"
    return f"{found}, but {loss!r} takes {low:g} to {high:g}. {_suited(last, loss)}"


def no_rate(optimizer: Optimizer) -> list[str]:
    """Return what to say if the learning rate is 0, and stays so."""
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, Schedule):
        rate = any(map(optimizer.rate, range(10)))
    if isinstance(rate, (float, int)) and not rate:
        return [f"The learning rate of {optimizer!r} is 0, so the parameters will not change."]
    return []


def same_units(layers: Sequence[PlacedLayer]) -> Iterator[str]:
    """Yield the hidden layers of a chain whose units are, and stay, all the same."""
    below: PlacedLayer | None = None  # the last one that has W
    for layer in layers:
        for chain in layer.chains:
            yield from same_units(chain)
        if "W" not in layer.params:
            continue
        if below is not None and _have_same_units(below, layer, layers):
            yield (
                f"All {len(below.params['W'])} units of {below.title} have the same weights, in "
                f"W[{below.index}] and in W[{layer.index}], so they get the same gradients and "
                'stay one unit for ever. Draw W at random: init="auto".'
            )
        below = layer


def _have_same_units(layer: PlacedLayer, after: PlacedLayer, layers: Sequence[PlacedLayer]) -> bool:
    """Return whether a layer has several units that are one for the next layer with W, too."""
    W, W_after = layer.params["W"], after.params["W"]
    if W.shape[1] != layer.input_shape[0] or W_after.shape[1] != after.input_shape[0]:
        return False  # units of a convolution with groups see other inputs than the next ones do
    between = layers[layer.path[-1] : after.path[-1] - 1]
    are_same = len(W) > 1 and _rows_are_equal(W) and _rows_are_equal(W_after.swapaxes(0, 1))
    return are_same and all(map(_treats_units_alike, between))


def _treats_units_alike(at: PlacedLayer) -> bool:
    """Return whether a layer leaves equal units equal; dropout does not."""
    is_alike = all(map(_rows_are_equal, at.params.values()))
    return isinstance(at.layer, (Activate, Normalization)) and is_alike


def _rows_are_equal(rows: Array) -> bool:
    return bool(np.array_equal(rows[0], rows[-1]) and (rows == rows[0]).all())


# The last activation and the loss.


def _wrong_activations(program: _Program, final: PlacedLayer) -> list[str]:
    """Return which activations do not suit the loss, or one another."""
    layers, limits, loss, *_ = program
    last, activation, faults = layers[-1], layers[-1].layer.activation, []
    if isinstance(final.layer, Dropout):
        found = f"The last layer, {final.title}, drops outputs in training"
        remedy = "Put it before the last layer that has parameters."
        faults.append(f"{found}, and not the units of a hidden layer. {remedy}")
    is_softmax = isinstance(activation, Softmax)
    if is_softmax and last.output_shape[0] == 1:
        found = f"The last layer, {last.title}, takes softmax of one unit, which is always 1"
        faults.append(f"{found}, so nothing can be learned. {_YES_OR_NO}")
    elif type(activation) in loss.unsuitable and loss.declares("unsuitable"):
        faults.append(f"{_ending(last)}, but {loss!r} {loss.unsuitable[type(activation)]}")
    elif (
        limits
        and not _are_within(limits, loss.domain)
        and loss.declares("domain")
        and _is_any_number(layers)
    ):
        low, high = loss.domain
        found = f"{_ending(last)}, whose values {_shown(*limits)}"
        faults.append(f"{found}, but {loss!r} takes {low:g} to {high:g}. {_suited(last, loss)}")
    if is_softmax and len(layers) > 1 and isinstance(layers[-2].layer.activation, Softmax):
        found = f"{_ending(last)}, and so does {layers[-2].title}: it sees only numbers between 0"
        remedy = 'Give the layer before the last another activation, such as "relu".'
        faults.append(f"{found} and 1, and can hardly prefer a class. {remedy}")
    return faults


def _acting(placed: Sequence[PlacedLayer]) -> Sequence[PlacedLayer]:
    """Return the layers without those that only pass numbers on; the first, if all of them do."""
    acting = []
    for at in placed:
        if not isinstance(at.layer, (Dropout, Reshape)):
            acting.append(at)
    return acting or placed[:1]


def _ending(last: PlacedLayer) -> str:
    return f"The last layer, {last.title}, ends in {last.layer.activation.registered_name}"


def _is_any_number(acting: Sequence[PlacedLayer]) -> bool:
    """Return whether Z of the last layer may be any number, so that A has the whole range."""
    layer = acting[-1].layer
    if isinstance(layer, Activate) and len(acting) > 1:
        before = acting[-2].layer.activation.limits()
        return before == _NO_LIMITS and _is_any_number(acting[:-1])
    return type(layer) in _ANY_NUMBER


def _are_within(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _shown(low: float, high: float) -> str:
    if (low, high) == _NO_LIMITS:
        return "have no limits"
    return f"are at least {low:.3g}" if high == math.inf else f"go from {low:.3g} to {high:.3g}"


def _suited(last: PlacedLayer, loss: Loss) -> str:
    """Return which activation to use before the loss."""
    suited: Activation | None = loss.partner
    if suited is None:  # what has the widest range that the loss takes
        usual = (Identity(), Softplus(), Tanh(), Sigmoid())
        suited = next((each for each in usual if _are_within(each.range, loss.domain)), None)
    if suited is None:
        return "Use an activation with such values there."
    if isinstance(suited, Softmax) and last.output_shape[0] == 1:
        return _YES_OR_NO
    name = suited.registered_name
    example = f': Dense({last.layer.units}, "{name}")' if isinstance(last.layer, Dense) else ""
    return f'Use "{name}" there{example}.'


# Targets that the last activation cannot give.


def _targets_beyond(program: _Program, limits: tuple[float, float], Y: Array) -> list[str]:
    """Return which targets the last activation cannot give, where these are not only noise."""
    last, loss = program.layers[-1], program.loss
    rows = Y.reshape(len(Y), -1).astype(np.float64)
    if loss.ignores:  # then a column of zeros is no target
        rows = rows[:, rows.any(axis=0)]
    if not rows.size:
        return []
    is_of_shares = last.layer.activation.gives_shares()
    if is_of_shares and (faults := _sums_beyond(last, rows)):
        return faults
    i, remedy = _row_beyond(rows, *limits), _suited(last, loss)
    if i is None:
        return []
    scaled = _scaled(limits, Y)
    if scaled and loss.registered_name in _OF_DIFFERENCES and not is_of_shares:
        other = remedy[0].lower() + remedy[1:]
        remedy = f"Use {scaled}, and turn predictions back. Or {other}"
    found = f"{_extent('Y', rows, i)}. {_ending(last)}, whose values {_shown(*limits)}"
    return [f"{found}, and reach no others. {remedy}"]


def _row_beyond(rows: Array, low: float, high: float) -> int | None:
    """Return the row whose numbers are farthest beyond the limits, if one is far beyond."""
    beyond = np.mean(np.square(rows - np.clip(rows, low, high)), axis=1)
    negligible = np.maximum(_BEYOND * rows.var(axis=1), 1e-4 * np.mean(np.square(rows), axis=1))
    i = int((beyond - negligible).argmax())
    return i if beyond[i] > negligible[i] else None


def _sums_beyond(last: PlacedLayer, rows: Array) -> list[str]:
    """Return what to say if the columns of Y are far from a sum of 1, as softmax gives it."""
    sums = rows.sum(axis=0)
    # The nearest columns that sum to 1 differ in each of n entries by 1/n of the difference.
    if np.mean(np.square(sums - 1)) / len(rows) <= max(_BEYOND * rows.var(axis=1).sum(), 1e-4):
        return []
    problem = f"The columns of Y sum to {sums.min():.4g} to {sums.max():.4g}. {_ending(last)}"
    remedy = 'For several yes or no use "sigmoid", for other numbers "identity".'
    if rows.min() >= 0 and sums.min() > 0:
        remedy = f"Use Y = Y / Y.sum(axis=0) for shares. {remedy}"
    return [f"{problem}, whose columns sum to 1, and reach no others. {remedy}"]


def _scaled(limits: tuple[float, float], Y: Array) -> str:
    """Return what brings the targets into the range of sigmoid or tanh."""
    if limits == (0, 1) and Y.min() < Y.max():
        return "Y = (Y - np.min(Y)) / (np.max(Y) - np.min(Y))"
    return "Y = Y / np.max(np.abs(Y))" if limits == (-1, 1) else ""


# The size of numbers.


def _large_inputs(program: _Program, X: Array) -> list[str]:
    """Return what to say if a row of X is so large that the steps of layer 1 are too large."""
    first, *others = program.layers
    is_normalized = bool(others) and isinstance(others[0].layer, Normalization)
    if type(first.layer) is not Dense or is_normalized:
        return []
    rows = X.reshape(len(X), -1)
    squares = _mean_squares(rows)
    i = int(squares.argmax())
    if not squares[i] > _LARGE_X**2:
        return []
    rate = _fixed_rate(program.optimizer)
    if rate and rate * float(squares.sum()) < _STEADY_X:
        return []
    why = f"expected numbers of about 1: the steps of {first.title} will be too large, or its "
    why += "units stop learning"
    remedy = _standardized("X", X, program.in_memory)
    if rows.min() == 0 and rows.max() == 255 and not (rows % 1).any():  # pixels
        remedy = "Use X = X / 255" if program.in_memory else "Divide X by 255 where it is read"
    return [f"{_extent('X', rows, i)}, {why}. {remedy}, and scale other data alike."]


def _large_targets(program: _Program, Y: Array) -> list[str]:
    """Return what to say if Y is too large for steps of a usual size to get there."""
    limits, rows = program.limits, Y.reshape(len(Y), -1)
    squares = _mean_squares(rows)
    i = int(squares.argmax())
    if not squares[i] > _LARGE_Y**2 or limits is None or limits[1] < math.inf:
        return []
    rate = _fixed_rate(program.optimizer)
    is_linear = len(program.layers) == 1 and limits == _NO_LIMITS
    is_steady = rate and (is_linear or math.sqrt(squares[i]) * rate < _STEADY_Y)
    if is_steady or not _is_any_number(program.layers):
        return []
    why = "expected numbers of about 1: the steps will be too large, or take too long to get there"
    remedy = _standardized("Y", Y, program.in_memory)
    back = "turn predictions back: A * std + mean"
    return [f"{_extent('Y', rows, i)}, {why}. {remedy}, and {back}."]


def _extent(name: str, rows: Array, i: int) -> str:
    """Return from where to where the numbers of a row go."""
    row = name if len(rows) == 1 else f"Row {i} of {name}"
    return f"{row} goes from {rows[i].min():.4g} to {rows[i].max():.4g}"


@np.errstate(over="ignore")  # what is infinite is large
def _mean_squares(rows: Array) -> Array:
    """Return the mean square of each row, without an array of the squares."""
    return np.einsum("ij,ij->i", rows, rows) / rows.shape[1]


def _fixed_rate(optimizer: Optimizer) -> float:
    """Return the learning rate of SGD, which says how far a step goes; 0 where that is unknown."""
    rate: Any = getattr(optimizer, "learning_rate", None)
    return float(rate) if type(optimizer) is SGD and isinstance(rate, (float, int)) else 0.0


def _standardized(name: str, array: Array, in_memory: bool) -> str:
    """Return how to bring each row to a mean of 0 and a standard deviation of 1."""
    if not in_memory:
        where = f"each row of {name} where it is read: subtract its mean over all examples"
        return f"Scale {where}, and divide by its standard deviation"
    # NumPy's functions take lists and columns of a data frame too. For one output Y may be (m,).
    is_one = (name, len(array)) == ("Y", 1)
    axis = "" if is_one else f", axis={1 if array.ndim == 2 else -1}, keepdims=True"
    mean, std = (f"np.{what}({name}{axis})" for what in ("mean", "std"))
    is_constant = array.min(axis=-1) == array.max(axis=-1)
    if is_constant.any():
        std = f"np.maximum({std}, 1e-6)"  # 0 of what is the same in all examples
    return f"Use {name} = ({name} - {mean}) / {std}"
