"""A run in a file: all that `fit` needs to continue as if it had never been interrupted.

The file begins with the model, so `tinynet.load` reads it too. Beside the model it holds the
optimizer with its memory, the state of the generator, the place within the epoch, what has been
measured, and the state of the callbacks.

A file may claim anything. Two rules guard it: what was read must describe itself exactly as the
file does, and every number must fit the others.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, all_finite
from tinynet._support.checks import integer, integer_or_none
from tinynet._support.random import Random, generator_from, plain, state_of
from tinynet.data.weights import class_weights
from tinynet.errors import FileFormatError
from tinynet.files import model as model_file
from tinynet.files.archive import Archive, expect_same, refusing, write_file
from tinynet.metrics import is_known
from tinynet.model.network import Network
from tinynet.optimizers import Optimizer
from tinynet.training.callbacks import Callback
from tinynet.training.run import Run, Settings, measured_names

_DTYPES = (
    "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip
_MOST_ARRAYS = 1000  # to find one takes time


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class SavedRun:
    """What a checkpoint holds of a run, beside its arrays; `describe` returns it as plain data."""

    settings: Settings
    optimizer: Optimizer
    metrics: list[str]
    functions: list[str]  # those of the metrics that no registered name stands for
    validated: bool = attrs.field(converter=bool)
    data: list[Any]  # [examples, shape of one]
    epoch: int
    step: int
    stopped: str = attrs.field(converter=str)
    measured: list[Any]  # [sum of costs, examples] of the epoch under way
    rng: dict[str, Any]  # states of the generator: now, before the epoch, before a split
    callbacks: list[dict[str, Any]]  # the kind and state of each
    arrays: dict[str, dict[str, Any]]  # owner: {name: [shape, dtype]}

    def describe(self) -> dict[str, Any]:
        """Return it as plain data; `read` reads it."""
        described = attrs.asdict(self, recurse=False)
        return described | {
            "settings": self.settings.describe(),
            "optimizer": self.optimizer.config(),
        }


def write(run: Run, callbacks: Sequence[Callback], path: str | os.PathLike[str]) -> None:
    """Write a run, with the state of these callbacks, to a file in one move."""
    states = [dict(callback.state()) for callback in callbacks]
    arrays = _arrays(run, states)
    saved = SavedRun(
        settings=run.settings,
        optimizer=run.optimizer,
        metrics=list(run.metrics),
        functions=[name for name, metric in run.metrics.items() if not is_known(name, metric)],
        validated=run.validated,
        data=[run.m, list(run.shape)],
        epoch=run.epoch,
        step=run.step,
        stopped=run.stopped,
        measured=[run.cost_sum, run.examples],
        rng=plain(
            {"now": state_of(run.network.rng), "epoch": run.rng_at_epoch, "start": run.rng_at_start}
        ),
        callbacks=[
            {
                "kind": type(callback).__name__,
                "state": {k: plain(v) for k, v in state.items() if not isinstance(v, np.ndarray)},
            }
            for callback, state in zip(callbacks, states, strict=True)
        ],
        arrays={
            owner: {name: [list(array.shape), array.dtype.name] for name, array in named.items()}
            for owner, named in arrays.items()
        },
    )
    members = {
        _member(owner, name): array
        for owner, named in arrays.items()
        for name, array in named.items()
    }
    description = model_file.description(run.network) | {"run": saved.describe()}
    write_file(path, description, run.network.storage.named() | members)


def _arrays(run: Run, states: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Array]]:
    """Return the arrays of a run by owner and name, those in the states of callbacks too."""
    arrays = {"optimizer": run.optimizer.memory, "so_far": run.predictions()}
    for i, state in enumerate(states):
        arrays[f"callback{i}"] = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
    arrays["history"] = _history_arrays(run)
    count = sum(map(len, arrays.values()))
    if count > _MOST_ARRAYS:  # could not be read again
        raise ValueError(
            f"The run has {count} arrays, expected at most {_MOST_ARRAYS} in a checkpoint. "
            "Let callbacks keep fewer."
        )
    return arrays


def _history_arrays(run: Run) -> dict[str, Array]:
    """Return the history as arrays, because it may be long; it comes back as Python's numbers."""
    arrays = {name: np.array(np.array(values).tolist()) for name, values in run.history.items()}
    for name, values in arrays.items():
        if not _is_list(values):  # could not be read again
            found = str(run.history[name])[:100]
            raise TypeError(
                f"The history of {name!r} is {found}, expected numbers in a checkpoint. "
                "Let the callback keep it."
            )
    return arrays


def _is_list(array: Array) -> bool:
    return array.ndim == 1 and array.size > 0 and array.dtype.name in ("float64", "int64", "bool")


def _member(owner: str, name: str) -> str:
    """Return the name of an array in the file; a metric may be "top_k_accuracy(k=3)"."""
    return f"{owner}.{re.sub(r'[^A-Za-z0-9_-]', lambda sign: f'.{ord(sign[0]):x}.', name)}"


def array_names(file: Archive) -> list[str]:
    """Return the names of the arrays that belong to a run, if the file holds one."""
    arrays = file.description["run"]["arrays"] if "run" in file.description else {}
    return [_member(owner, name) for owner, named in arrays.items() for name in named]


@np.errstate(over="ignore", invalid="ignore")  # the numbers of a file may be of any size
def read(file: Archive, network: Network) -> tuple[SavedRun, dict[str, dict[str, Array]]]:
    """Return the run of an open file, and its arrays by owner and name.

    `network` is the model of the same file. Within `opened` each error here is one of the file.
    """
    if "run" not in file.description:
        raise FileFormatError("it holds a model but no run")
    found = file.description["run"]
    names = {field.name for field in attrs.fields(SavedRun)}
    _expect(network.loss is not None, "a run without a loss")
    _expect(set(found) == names, f"a run that has {', '.join(sorted(found))[:200]}")
    _expect(len(array_names(file)) <= _MOST_ARRAYS, f"over {_MOST_ARRAYS} arrays of a run")
    settings = Settings.from_description(found["settings"])
    optimizer = Optimizer.get(found["optimizer"])
    saved = SavedRun(**{**found, "settings": settings, "optimizer": optimizer})
    for name, value in saved.describe().items():
        expect_same(name, found[name], value)
    arrays = {
        owner: {
            name: _array(file, _member(owner, name), *described)
            for name, described in named.items()
        }
        for owner, named in saved.arrays.items()
    }
    _check_settings(saved, network)
    _check_generators(saved.rng)
    _check_callbacks(saved, arrays)
    _check_place(saved, network)
    _check_measured(saved, arrays["so_far"], network)
    _check_history(saved, arrays["history"])
    _restore_memory(saved.optimizer, arrays["optimizer"], network)
    return saved, arrays


def _expect(holds: bool, fault: str) -> None:
    if not holds:
        raise FileFormatError(f"it has {fault}")


def _array(file: Archive, name: str, shape: Any, dtype: str) -> Array:
    if dtype not in _DTYPES:  # NumPy makes a dtype of much else, and may compile it
        raise FileFormatError(f"its {name} has the dtype {dtype!r}, expected {', '.join(_DTYPES)}")
    array = file.array(name, shape, np.dtype(dtype), finite=False)
    expect_same(f"shape of {name}", shape, array.shape)  # not "" for ()
    return np.array(array)


def _check_settings(saved: SavedRun, network: Network) -> None:
    """Refuse class weights that `fit` would refuse with the data."""
    weights = saved.settings.class_weight
    if isinstance(weights, Mapping):
        class_weights(weights, np.zeros(max(network.outputs[0], 2), int))


def _restore_memory(optimizer: Optimizer, memory: Mapping[str, Array], network: Network) -> None:
    """Give the optimizer its memory, if it can continue with it."""
    counts = [
        int(array) for array in memory.values() if array.ndim == 0 and array.dtype.kind == "i"
    ]
    _expect(min(counts, default=0) >= 0, "a count below 0 in its optimizer")
    expected = _memory_after_step(optimizer, {}, network).keys()
    after = _memory_after_step(optimizer, memory, network)
    missing = ", ".join(sorted(expected - memory.keys()))
    has_begun = any(array.any() for array in memory.values())  # to ask for the rate makes a count
    _expect(not has_begun or not missing, f"no {missing} in its optimizer")
    for name, array in memory.items():
        same = (after[name].shape, after[name].dtype) == (array.shape, array.dtype)
        _expect(same, f"a wrong {name} in its optimizer")
    optimizer.memory.update(memory)


def _memory_after_step(
    optimizer: Optimizer, memory: Mapping[str, Array], network: Network
) -> dict[str, Array]:
    """Return the optimizer's memory after a step by small gradients; the network stays as it is.

    So whatever an optimizer cannot continue with shows itself, also where it is a user's class.
    """
    trial, before = Optimizer.get(optimizer.config()), network.values.copy()
    trial.memory.update({name: array.copy() for name, array in memory.items()})
    network.grads[:] = 1e-3  # not 0, because a rule may divide by their norm
    with np.errstate(all="ignore"):
        trial.update(network.params, network.grads, network.decaying)
    _expect(all_finite(network.values), "a memory of its optimizer with which no step is finite")
    network.values[:], network.grads[:] = before, 0
    return trial.memory


def _check_generators(rng: Mapping[str, Any]) -> None:
    """Refuse states of a generator that are not whole, or not of one kind."""
    _expect(set(rng) == {"now", "epoch", "start"}, f"states of a generator of {sorted(rng)}")
    for name, state in rng.items():
        if state is not None or name == "now":
            expect_same(f"generator ({name})", state, plain(state_of(generator_from(state))))
            _expect(_kind(state) == _kind(rng["now"]), "generators of different kinds")


def _kind(state: Mapping[str, Any]) -> tuple[str, str]:
    return state["kind"], state["state"]["bit_generator"]


def _check_callbacks(saved: SavedRun, arrays: Mapping[str, Mapping[str, Array]]) -> None:
    n = len(saved.callbacks)
    owners = {"optimizer", "so_far", "history", *(f"callback{i}" for i in range(n))}
    _expect(set(arrays) == owners, f"arrays of others than {', '.join(sorted(owners)[:9])}")
    for i, callback in enumerate(saved.callbacks):
        canonical = {"kind": str(callback["kind"]), "state": dict(callback["state"])}
        expect_same(f"callback {i}", callback, canonical)
        _expect(set(callback) == {"kind", "state"}, f"a callback {i} with more than kind and state")
        twice = callback["state"].keys() & arrays[f"callback{i}"].keys()
        _expect(not twice, f"a state of callback {i} twice")
    has_bar = [callback["kind"] for callback in saved.callbacks[-1:]] == ["ProgressBar"]
    _expect(has_bar or not saved.settings.verbose, "no progress bar, but verbose=True")


def _check_place(saved: SavedRun, network: Network) -> None:
    """Refuse a run that is nowhere in its data."""
    m, settings = saved.data[0], saved.settings
    expect_same("data", saved.data, [integer_or_none("m", m), network.inputs])
    integer("epoch", saved.epoch, 0)
    step = integer("step", saved.step, 0)
    most = settings.steps_per_epoch if m is None else -(-m // min(settings.batch_size or m, m))
    _expect(most is None or step <= most, f"a step {step} of {most}")
    _expect(step == 0 or saved.rng["epoch"] is not None, "no generator of its epoch")
    is_split = settings.validation_split is not None
    _expect(
        (saved.rng["start"] is not None) == is_split,
        "a generator of its start without a split, or none",
    )
    _expect(saved.validated or not is_split, "no validation data, but a validation split")


def _check_measured(saved: SavedRun, predictions: Mapping[str, Array], network: Network) -> None:
    """Refuse measures of more or fewer examples than the steps of the epoch had."""
    cost_sum, m = saved.measured
    step, of_all = saved.step, saved.data[0]
    integer("m", m, least=step)
    _expect(type(cost_sum) is float and math.isfinite(cost_sum), f"a sum of costs {cost_sum!r}")
    _expect((m == 0) == (step == 0), f"{m} examples in {step} steps")
    if of_all is not None:
        expected = min(step * (saved.settings.batch_size or of_all), of_all)
        _expect(m == expected, f"{m} examples in {step} steps")
    names = {"Y", "A"} if m and saved.metrics else set()
    _expect(set(predictions) == names, "other predictions than it has measured")
    for array in predictions.values():
        found, expected_array = (array.shape, array.dtype), ((*network.outputs, m), network.dtype)
        _expect(found == expected_array, "predictions of another shape or dtype")
    if predictions:
        _expect(all_finite(predictions["Y"]), "targets that are not finite")
        network.needed_loss().check_targets(predictions["Y"])


def _check_history(saved: SavedRun, history: Mapping[str, Array]) -> None:
    """Refuse a history without a number for each epoch; a callback's may be of any length."""
    names = saved.metrics
    expect_same("metrics", names, list(map(str, dict.fromkeys(names))))
    expect_same("functions", saved.functions, [name for name in names if name in saved.functions])
    _expect("loss" not in names, "a metric called loss")
    for name in measured_names(names, saved.validated):
        values = history.get(name, np.zeros(0))
        right = values.shape == (saved.epoch,) and values.dtype == np.float64
        _expect(right, f"another history of {name} than its epochs")
    for name, values in history.items():
        _expect(_is_list(values), f"a history of {name} that is not a list of numbers")


def generators(saved: SavedRun) -> tuple[Random, Random]:
    """Return the generator as it was before the data was prepared, and as it is."""
    now = generator_from(saved.rng["now"])
    start = saved.rng["start"]
    return generator_from(saved.rng["now"] if start is None else start), now


def restore(
    run: Run,
    saved: SavedRun,
    arrays: Mapping[str, Mapping[str, Array]],
    callbacks: Sequence[Callback],
    path: str | os.PathLike[str],
) -> None:
    """Bring a run and its callbacks to the state that a checkpoint holds."""
    run.resumed = True
    run.rng_at_epoch, run.epoch, run.step = saved.rng["epoch"], saved.epoch, saved.step
    run.cost_sum, run.examples = saved.measured
    predictions = arrays["so_far"]
    run.targets, run.outputs = (
        [predictions[name]] if name in predictions else [] for name in ("Y", "A")
    )
    for name, values in arrays["history"].items():
        run.history[name] = values.tolist()
    for i, (callback, described) in enumerate(zip(callbacks, saved.callbacks, strict=True)):
        _restore_callback(callback, {**described["state"], **arrays[f"callback{i}"]}, path)


@np.errstate(over="ignore", invalid="ignore")
def _restore_callback(
    callback: Callback, state: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Restore a callback; a state that it refuses is a fault of the file."""
    kind = type(callback)
    with refusing(path):
        has_state = kind.state is not Callback.state
        _expect(has_state or not state, f"a state of {kind.__name__}, which has none")
        try:
            callback.restore(state)
        except Exception as error:
            fault = str(error) or type(error).__name__
            raise FileFormatError(f"its {kind.__name__} cannot be restored: {fault}") from error


def expect_same_run(saved: SavedRun, run: Run, callbacks: Sequence[Callback]) -> None:
    """Refuse to resume with other data, metrics or callbacks than the run began with."""
    began = {
        "data of (examples, shape of one)": (saved.data, [run.m, list(run.shape)]),
        "metrics": (saved.metrics, list(run.metrics)),
        "validation data": (saved.validated, run.validated),
        "callbacks": (
            [callback["kind"] for callback in saved.callbacks],
            [type(callback).__name__ for callback in callbacks],
        ),
    }
    for what, (before, now) in began.items():
        if before != now:
            raise ValueError(
                f"The run began with {what} {before}, got {now}. Pass what fit was given."
            )
