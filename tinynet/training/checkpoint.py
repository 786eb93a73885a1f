"""A run in a file: all that `fit` needs to continue as if it had never been interrupted.

The file begins with the model, so `tinynet.load` reads it too. It may claim anything, so what was
read must describe itself exactly as the file does, and every number must fit the others.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import numpy as np

from tinynet._support import fields
from tinynet._support.arrays import Array, all_finite
from tinynet._support.checks import integer, integer_or_none, shown
from tinynet._support.labels import weights
from tinynet._support.quiet import quiet
from tinynet._support.random import Random, generator_from, plain, state_of
from tinynet.data.weights import class_weights
from tinynet.errors import FileFormatError
from tinynet.files import model as model_file
from tinynet.files.archive import Archive, Contents, expect, expect_same, write_file
from tinynet.files.source import refusing
from tinynet.metrics import is_known
from tinynet.model.network import Network
from tinynet.optimizers import Optimizer
from tinynet.training.callbacks import Callback
from tinynet.training.run import Run, Settings, measured_names

_DTYPES = (
    "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32",
    "uint16", "uint8", "bool",
)  # fmt: skip
Path: TypeAlias = str | bytes | os.PathLike[Any]
_MOST_ARRAYS = 1000  # to find one takes time
_OF_HISTORY = ("float64", "int64", "bool")
_OF_RUN = ("settings", "optimizer", "n_ranks", "validated", "epoch", "step")  # named as in a Run


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class SavedRun:
    """What a checkpoint holds of a run. `describe` returns it as plain data, with no arrays."""

    settings: Settings
    optimizer: Optimizer
    n_ranks: int = fields.integer()
    metrics: list[str]
    functions: list[str]  # those of the metrics that no registered name stands for
    validated: bool = attrs.field(converter=bool)
    data: list[Any]  # [examples, shape of one]
    epoch: int = fields.integer(least=0)
    step: int = fields.integer(least=0)
    stopped: str = attrs.field(converter=str)
    measured: list[Any]  # [sum of costs, examples] of the epoch under way
    rng: dict[str, Any]  # states of the generator: now, before the epoch, before a split
    callbacks: list[dict[str, Any]]  # the kind and state of each
    arrays: dict[str, dict[str, Array]]  # by owner and name

    def describe(self) -> dict[str, Any]:
        """Return it as plain data, in the one form that a file may have; an array is its shape."""
        described = attrs.asdict(self, recurse=False)
        described |= {"settings": self.settings.describe(), "optimizer": self.optimizer.config()}
        described["metrics"] = list(map(str, dict.fromkeys(self.metrics)))
        described["functions"] = [name for name in described["metrics"] if name in self.functions]
        described["arrays"] = {
            owner: {name: [list(array.shape), array.dtype.name] for name, array in named.items()}
            for owner, named in self.arrays.items()
        }
        return described

    def generator(self, when: str) -> Random:
        """Return the generator as it was at the "start", before a split was drawn, or is "now"."""
        return generator_from(self.rng[when] or self.rng["now"])

    def expect_same_run(self, run: Run, callbacks: Sequence[Callback]) -> None:
        """Refuse to resume with other data, metrics or callbacks than the run began with."""
        kinds = [callback["kind"] for callback in self.callbacks]
        if self.settings.verbose:
            kinds.pop()  # the progress bar, which has no state
        began = {
            "data of (examples, shape of one)": (self.data, run.m_and_shape),
            "metrics": (self.metrics, list(run.metrics)),
            "validation data": (self.validated, run.validated),
            "callbacks": (kinds, [type(callback).__name__ for callback in callbacks]),
        }
        for what, (before, now) in began.items():
            if before != now:
                found = f"The run began with {what} {shown(before)}, got {shown(now)}"
                raise ValueError(f"{found}. Pass what fit was given.")

    def restore(self, run: Run, callbacks: Sequence[Callback], path: Path) -> None:
        """Bring a run and its callbacks to this state, which was read from `path`."""
        run.resumed, run.rng_at_epoch = True, self.rng["epoch"]
        run.epoch, run.step, run.tally = self.epoch, self.step, run.new_tally()
        cost_sum, examples = self.measured
        run.tally.restore(cost_sum, examples, self.arrays["so_far"])
        for name, values in self.arrays["history"].items():
            run.history[name] = values.tolist()
        with refusing(path), np.errstate(all="ignore"):
            for i, callback in enumerate(callbacks):
                state = self.callbacks[i]["state"] | self.arrays[f"callback{i}"]
                _restore_callback(callback, state)


def _restore_callback(callback: Callback, state: Mapping[str, Any]) -> None:
    """Restore a callback; a state that it refuses is a fault of the file."""
    kind = type(callback)
    has_state = kind.state is not Callback.state
    expect(has_state or not state, f"it has a state of {kind.__name__}, which has none")
    try:
        callback.restore(state)
    except Exception as error:
        fault = str(error) or type(error).__name__
        raise FileFormatError(f"its {kind.__name__} cannot be restored: {fault}") from error


def write(
    run: Run, predictions: dict[str, Array], callbacks: Sequence[Callback], path: Path
) -> None:
    """Write a run, with the state of these callbacks, to a file in one move.

    `predictions` are those of the epoch so far. What `read` would refuse is refused here, and the
    earlier file stays.
    """
    states = [_state(callback) for callback in callbacks]
    arrays = {"optimizer": run.optimizer.memory, "so_far": predictions}
    arrays |= {f"callback{i}": own for i, (_, own) in enumerate(states)}
    arrays["history"] = {name: _as_array(name, values) for name, values in run.history.items()}
    _expect_few(arrays)
    members = model_file.named_arrays(run.network)
    for owner, named in arrays.items():
        for name, array in named.items():
            _expect_storable(owner, name, array)
            member = _member(owner, name)
            if member in members:
                found = f"A parameter is called {member}, as an array of the run is in the file"
                raise ValueError(f"{found}. Call the parameter otherwise.")
            members[member] = array
    rng = {"now": state_of(run.network.rng), "epoch": run.rng_at_epoch}
    saved = SavedRun(
        **{name: getattr(run, name) for name in _OF_RUN},
        stopped=run.why_over,
        metrics=list(run.metrics),
        functions=[name for name, metric in run.metrics.items() if not is_known(name, metric)],
        data=run.m_and_shape,
        measured=[run.tally.cost_sum, run.tally.examples],
        rng=plain(rng | {"start": run.data.rng_before_split}),
        callbacks=[described for described, _ in states],
        arrays=arrays,
    )

    def check(contents: Contents) -> None:
        model_file.check(contents)
        read(contents, run.network)

    description = model_file.description(run.network) | {"run": saved.describe()}
    write_file(path, description, members, check)


def _state(callback: Callback) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the kind and state of a callback as a file describes it, and its arrays."""
    kind, state = type(callback).__name__, callback.state()
    if not isinstance(state, Mapping):
        found = f"{kind}.state() returned {shown(state)}, expected a dictionary"
        raise TypeError(f'{found}. Return {{"name": value}}.')
    arrays = {name: value for name, value in state.items() if type(value) is np.ndarray}
    rest = {name: value for name, value in state.items() if name not in arrays}
    try:
        described = _as_read(rest)
    except (TypeError, RecursionError) as error:
        hint = "Arrays have a name of their own in it; make a tuple a list, and other things text"
        raise TypeError(f"The state of {kind} cannot be saved: {error}. {hint}.") from error
    return {"kind": kind, "state": described}, arrays


def _as_read(value: Any) -> Any:
    """Return a value as it will be read from a file, if that is equal to it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_read(item) for key, item in value.items()}
    expected = "expected a number, a string, None, or a list, or dictionary by string, of these"
    raise TypeError(f"it has {shown(value)}, {expected}")


def _as_array(name: Any, values: Any) -> Array:
    """Return a history as the array that a file holds, if it gives the same numbers back.

    It may be long, so it is no part of the description.
    """
    try:
        array = np.array(np.array(values).tolist())
    except ValueError:  # lists of several lengths
        array = np.array(None)
    _expect_lists({name: array if array.ndim else np.array(None)}, values)
    read = array.tolist()
    if read != list(values):  # so it is where one is NaN, too
        for before, after in zip(values, read, strict=True):
            if before != after and before == before:
                found = f"The history of {shown(name)} has {before!r} among fractions"
                raise TypeError(f"{found}, which would be read as {after!r}. Record a float.")
    return array


def _expect_storable(owner: str, name: Any, array: Any) -> None:
    """Refuse an array of the run that a file cannot hold."""
    of_whom = f"An array of the run ({owner})"
    if not isinstance(name, str):
        raise TypeError(f"{of_whom} is called {name!r}, expected a string.")
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{of_whom}, {shown(name)}, is {shown(array)}, expected an array.")
    if array.dtype.newbyteorder("=").name not in _DTYPES:
        expected = f"expected one of {', '.join(_DTYPES)}"
        raise TypeError(f"{of_whom}, {shown(name)}, has dtype {array.dtype}, {expected}.")


def _expect_few(arrays: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse more arrays than a checkpoint may hold, where it is written and where it is read."""
    if sum(map(len, arrays.values())) > _MOST_ARRAYS:
        raise ValueError(f"The run has over {_MOST_ARRAYS} arrays. Let callbacks keep fewer.")


def _expect_lists(history: Mapping[str, Array], values: Any = None) -> None:
    """Refuse a history that a checkpoint cannot hold, where it is written and where it is read."""
    for name, array in history.items():
        if not (array.ndim == 1 and array.size and array.dtype.name in _OF_HISTORY):
            found = str(array.tolist() if values is None else values)[:100]
            what = f"The history of {shown(name)} is {found}, not a list of numbers"
            raise TypeError(f"{what} of at most 64 bits. Let the callback keep it.")


def _member(owner: str, name: str) -> str:
    """Return the name of an array in the file; a metric may be "top_k_accuracy(k=3)"."""
    return f"{owner}.{re.sub(r'[^A-Za-z0-9_-]', lambda sign: f'.{ord(sign[0]):x}.', name)}"


def array_names(file: Archive) -> list[str]:
    """Return the names of the arrays that belong to the run of a file."""
    arrays = file.description["run"]["arrays"]
    return [_member(owner, name) for owner, named in arrays.items() for name in named]


@quiet  # the numbers of a file may be of any size
def read(file: Contents, network: Network) -> SavedRun:
    """Return the run of an open file, or of one to be written, whose model is `network`.

    Within `opened` each error here is one of the file. The network stays as it is.
    """
    expect("run" in file.description, "it holds a model but no run")
    expect(network.loss is not None, "it has a run without a loss")
    # Earlier versions trained on one rank, and did not say so.
    found, names = {"n_ranks": 1, **file.description["run"]}, attrs.fields_dict(SavedRun).keys()
    expect(found.keys() == names, f"it has a run that has {', '.join(sorted(found))[:200]}")
    _expect_few(found["arrays"])
    settings = Settings.from_description(found["settings"])
    optimizer = Optimizer.get(found["optimizer"])
    arrays = {
        owner: {name: _array(file, _member(owner, name), *form) for name, form in named.items()}
        for owner, named in found["arrays"].items()
    }
    saved = SavedRun(**found | {"settings": settings, "optimizer": optimizer, "arrays": arrays})
    for name, value in saved.describe().items():
        expect_same(name, found[name], value)
    _check_callbacks(saved)
    _check_generators(saved)
    _check_place(saved, network)
    _check_measured(saved, network)
    _restore_memory(optimizer, arrays["optimizer"], network)
    return saved


def _array(file: Contents, name: str, shape: Any, dtype: str) -> Array:
    # NumPy makes a dtype of much else, and may compile it.
    expect(dtype in _DTYPES, f"its {name} has the dtype {dtype!r}, expected {', '.join(_DTYPES)}")
    array = file.array(name, shape, np.dtype(dtype), finite=False)
    expect_same(f"shape of {name}", shape, array.shape)  # not "" for ()
    return np.array(array)


def _check_callbacks(saved: SavedRun) -> None:
    """Refuse callbacks that are more than a kind and a state, and arrays that nobody owns."""
    owners = {"optimizer", "so_far", "history"}
    owners |= {f"callback{i}" for i in range(len(saved.callbacks))}
    expected = ", ".join(sorted(owners)[:9])
    expect(saved.arrays.keys() == owners, f"it has arrays of others than {expected}")
    for i, callback in enumerate(saved.callbacks):
        state = dict(callback["state"])
        for name in saved.arrays[f"callback{i}"]:
            state.pop(name, None)  # it would be there twice
        expect_same(f"callback {i}", callback, {"kind": str(callback["kind"]), "state": state})
    if saved.settings.verbose:  # this bar is not restored
        bar = saved.callbacks[-1] if saved.callbacks else {"kind": None}
        expect(bar["kind"] == "ProgressBar", "it has no progress bar, but verbose=True")
        arrays = saved.arrays[f"callback{len(saved.callbacks) - 1}"]
        expect(not bar["state"] and not arrays, "it has a state of ProgressBar, which has none")


def _check_generators(saved: SavedRun) -> None:
    """Refuse states of a generator that are not whole, not of one kind, or not those needed."""
    rng, is_split = saved.rng, saved.settings.validation_split is not None
    needed = {"now": True, "epoch": saved.step > 0, "start": is_split}
    expect(rng.keys() == needed.keys(), f"it has states of a generator of {sorted(rng)}")
    states = {when: state for when, state in rng.items() if state is not None}
    for when, state in states.items():
        expect_same(f"generator ({when})", state, plain(state_of(generator_from(state))))
    for when in needed:
        expect(when in states or not needed[when], f"it has no generator of its {when}")
    expect(is_split or "start" not in states, "it has a generator of its start without a split")
    kinds = {(state["kind"], state["state"]["bit_generator"]) for state in states.values()}
    expect(len(kinds) == 1, "it has generators of different kinds")
    expect(saved.validated or not is_split, "it has no validation data, but a validation split")


def _check_place(saved: SavedRun, network: Network) -> None:
    """Refuse a run that is nowhere in its data, or measured other examples than its steps had."""
    settings, step = saved.settings, saved.step
    m, (cost_sum, examples) = saved.data[0], saved.measured
    if isinstance(settings.class_weight, Mapping):
        class_weights(settings.class_weight, np.zeros(max(network.outputs[0], 2), int))
    expect_same("data", saved.data, [integer_or_none("m", m), network.inputs])
    integer("m", examples, least=step)
    if m is None:  # a stream, whose batches have at least one example
        most, expected = settings.steps_per_epoch, examples if step else 0
    else:
        expect(settings.steps_per_epoch is None, "it has steps_per_epoch, but no stream of batches")
        size = min(settings.batch_size or m, m)
        most, expected = -(-m // size), min(step * size, m)
    expect(most is None or step <= most, f"it has a step {step} of {most}")
    is_cost = isinstance(cost_sum, float) and math.isfinite(cost_sum)
    expect(is_cost, f"it has a sum of costs {cost_sum!r}")
    expect(examples == expected, f"it has {examples} examples in {step} steps")


def _check_measured(saved: SavedRun, network: Network) -> None:
    """Refuse predictions of other examples, and a history of other epochs or metrics.

    The history of a callback may be of any length.
    """
    expect("loss" not in saved.metrics, "it has a metric called loss")
    predictions, history = saved.arrays["so_far"], saved.arrays["history"]
    examples = saved.measured[1]
    form = (*network.outputs, examples), network.dtype
    expected = {"Y": form, "A": form} if examples and saved.metrics else {}
    if expected and "w" in predictions:
        expected["w"] = (examples,), network.dtype
    forms = {name: (array.shape, array.dtype) for name, array in predictions.items()}
    fault = "it has other predictions than it has measured, or of another shape or dtype"
    expect(forms == expected, fault)
    if predictions:
        expect(all_finite(predictions["Y"]), "it has targets that are not finite")
        network.needed_loss().check_targets(predictions["Y"])
        weights("w", predictions.get("w", np.ones(examples)), examples)
    for name in measured_names(saved.metrics, saved.validated):
        values = history.get(name, np.zeros(0))
        right = values.shape == (saved.epoch,) and values.dtype == np.float64
        expect(right, f"it has another history of {name} than its epochs")
    _expect_lists(history)


def _restore_memory(optimizer: Optimizer, memory: Mapping[str, Array], network: Network) -> None:
    """Give the optimizer its memory, if it can continue with it."""
    counts = [memory[name] for name in ("t", "epoch") if name in memory]
    expect(all((count >= 0).all() for count in counts), "it has a count below 0 in its optimizer")
    # Those that the first step makes. A rule may have others, which come later.
    needed = _memory_after_step(optimizer, network)
    missing = needed.keys() - memory.keys()
    optimizer.memory.update(memory)
    if missing == {"t"} and "t" not in _memory_after_step(optimizer, network):
        missing = set()  # an older file, and a rule that does not ask for the number of its step
    has_begun = any(array.any() for array in memory.values())  # to ask for the rate makes a count
    expect(not (has_begun and missing), f"it has no {', '.join(sorted(missing))} in its optimizer")
    rate = memory.get("current_rate", np.ones(()))
    expect(rate.shape == () and 0 <= rate < math.inf, "it has a wrong rate in its optimizer")
    for name, array in _memory_after_step(optimizer, network).items():
        before = memory.get(name, array)
        right = (array.shape, array.dtype) == (before.shape, before.dtype)
        expect(right, f"it has a wrong {name} in its optimizer")


def _memory_after_step(optimizer: Optimizer, network: Network) -> dict[str, Array]:
    """Return the memory after one more step, by small gradients; optimizer and network stay.

    So whatever an optimizer cannot continue with shows itself, also where it is a user's class.
    """
    trial, params = optimizer.evolve(), network.params.copy()
    grads = np.full_like(params, 1e-3)  # not 0, because a rule may divide by their norm
    with np.errstate(all="ignore"):
        trial.update(params, grads)
        finite = all_finite(params)
    expect(finite, "it has a memory of its optimizer with which no step is finite")
    return trial.memory
