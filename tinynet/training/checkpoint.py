"""A run in a file: all that `fit` needs to go on where it was, as if it had never been interrupted.

The file is one that `tinynet.load` reads too, for it begins with the model. Beside that it holds the
optimizer with its memory, the state of the generator, the place within the epoch, what has been
measured, and what the callbacks remember.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, all_finite, integer, integer_or_none
from tinynet._support.random import Random, generator_of, plain, state_of
from tinynet.data.batches import check_share, shuffling
from tinynet.data.weights import of_classes
from tinynet.errors import FileFormatError
from tinynet.files.archive import Archive, refusing, write_file
from tinynet.files.archive import check_same as same
from tinynet.metrics import is_known
from tinynet.optimizers import Optimizer
from tinynet.training.callbacks import Callback

if TYPE_CHECKING:
    from tinynet.sequential import Sequential
    from tinynet.training.loop import Run

_DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
_SAID = {
    "settings", "metrics", "validated", "data", "optimizer", "epoch", "step", "stopped", "functions", "measured",
    "rng", "callbacks", "arrays",
}  # fmt: skip
_MOST_ARRAYS = 1000  # to look one up takes time
_NO_EPOCH = np.zeros(0)


def write(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, in one move."""
    states = [dict(callback.state()) for callback in run.callbacks]
    arrays = {"optimizer": run.optimizer.memory, "so_far": run.measured.so_far()}
    arrays |= {f"callback{i}": _arrays_of(state) for i, state in enumerate(states)}
    # A history may be long, and so it is arrays; it comes back as Python's own numbers, and so it is written.
    arrays["history"] = {
        name: np.array(np.array(values).tolist()) for name, values in run.history.items()
    }
    for name, values in arrays["history"].items():
        if not _is_list(values):  # could not be read again
            got = str(run.history[name])[:100]
            raise TypeError(
                f"a run's file takes a history of numbers; {name!r} is {got}: let the callback keep it"
            )
    described = {
        "settings": run.settings | {"class_weight": _pairs(run.settings["class_weight"])},
        "metrics": list(run.metrics),
        "functions": [name for name, metric in run.metrics.items() if not is_known(name, metric)],
        "validated": run.validation is not None,
        "data": [run.batches.m, list(run.batches.shape)],
        "optimizer": run.optimizer.config(),
        "epoch": run.epoch,
        "step": run.step,
        "stopped": run.stopped,
        "measured": [run.measured.total, run.measured.m],
        "rng": {
            "now": state_of(run.model.rng),
            "epoch": run.rng_at_epoch,
            "start": run.rng_at_start,
        },
        "callbacks": [
            {"kind": type(callback).__name__, "state": _plain_of(state)}
            for callback, state in zip(run.callbacks, states, strict=True)
        ],
        "arrays": {
            whose: {name: [list(array.shape), array.dtype.name] for name, array in held.items()}
            for whose, held in arrays.items()
        },
    }
    count = sum(map(len, arrays.values()))
    if count > _MOST_ARRAYS:  # could not be read again
        raise ValueError(
            f"a run's file has at most {_MOST_ARRAYS} arrays; got {count}: let callbacks keep fewer"
        )
    of_run = {
        _member(whose, name): array
        for whose, held in arrays.items()
        for name, array in held.items()
    }
    write_file(
        path, run.model.description() | {"run": described}, run.model.named_arrays() | of_run
    )


def _member(whose: str, name: str) -> str:
    """Return what an array is called in the file; a metric may have a name such as "top_k_accuracy(k=3)"."""
    return f"{whose}.{re.sub(r'[^A-Za-z0-9_-]', lambda sign: f'.{ord(sign[0]):x}.', name)}"


def _arrays_of(state: Mapping[str, Any]) -> dict[str, Array]:
    return {name: value for name, value in state.items() if isinstance(value, np.ndarray)}


def _plain_of(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: plain(value) for name, value in state.items() if not isinstance(value, np.ndarray)
    }


def _pairs(class_weight: Any) -> Any:
    """Return class weights as JSON can hold them: it knows only strings as keys, and labels are numbers."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    return [[int(label), float(weight)] for label, weight in class_weight.items()]


def settings(
    epochs: Any,
    batch_size: Any,
    shuffle: Any,
    verbose: Any,
    class_weight: Any,
    validation_split: Any,
    steps_per_epoch: Any,
    checkpoint_every: Any,
    detect_anomaly: Any,
) -> dict[str, Any]:
    """Return the settings of a run, from what `fit` was given or a file says, if they can be some."""
    return {
        "epochs": integer("epochs", epochs, least=0),
        "batch_size": integer_or_none("batch_size", batch_size),
        "shuffle": shuffling(shuffle),
        "verbose": bool(verbose),
        "class_weight": class_weight,
        "validation_split": None if validation_split is None else check_share(validation_split),
        "steps_per_epoch": integer_or_none("steps_per_epoch", steps_per_epoch),
        "checkpoint_every": integer_or_none("checkpoint_every", checkpoint_every),
        "detect_anomaly": bool(detect_anomaly),
    }


@attrs.frozen(eq=False)
class Kept:
    """What a file says of a run, read and looked through."""

    told: Mapping[str, Any]
    settings: dict[str, Any]
    optimizer: Optimizer
    rng_at_start: Random
    rng_now: Random
    arrays: Mapping[str, Mapping[str, Array]]

    @property
    def states(self) -> list[dict[str, Any]]:
        """What each callback remembers."""
        plain = [of_callback["state"] for of_callback in self.told["callbacks"]]
        return [{**state, **self.arrays[f"callback{i}"]} for i, state in enumerate(plain)]


@np.errstate(over="ignore", invalid="ignore")  # its numbers may be of any size
def read(file: Archive, model: Sequential) -> Kept:
    """Return what an open file says of a run of `model`, the one in the same file.

    A file may say anything. Within `opened` each error here is one of the file.
    """
    if "run" not in file.description:
        raise FileFormatError(
            "it holds a model but no run: give a file that fit(..., checkpoint=...) wrote"
        )
    told = file.description["run"]
    _see(model.loss is not None, "a run without a loss")
    _see(set(told) == _SAID, f"a run that tells of {', '.join(sorted(told))[:200]}")
    _see(len(array_names(file)) <= _MOST_ARRAYS, f"over {_MOST_ARRAYS} arrays of a run")
    arrays = {
        whose: {
            name: _array(file, _member(whose, name), *described) for name, described in held.items()
        }
        for whose, held in told["arrays"].items()
    }
    kept = Kept(
        told,
        _settings(told, model),
        _optimizer(told, arrays, model),
        *_generators(told["rng"]),
        arrays,
    )
    _check_callbacks(told, kept)
    _check_place(told, kept.settings, model)
    _check_measured(told, kept.settings, arrays["so_far"], model)
    _check_history(told, arrays["history"])
    return kept


def _see(right: bool, otherwise: str) -> None:
    if not right:
        raise FileFormatError(f"it has {otherwise}")


def _array(file: Archive, name: str, shape: Any, dtype: str) -> Array:
    if dtype not in _DTYPES:  # NumPy makes a dtype of much else, and may compile it
        raise FileFormatError(
            f"its {name} has the dtype {dtype!r}, not one of {', '.join(_DTYPES)}"
        )
    array = file.array(name, shape, np.dtype(dtype), finite=False)
    same(f"a shape of {name}", shape, array.shape)  # not "" for ()
    return np.array(array)


def _settings(told: Mapping[str, Any], model: Sequential) -> dict[str, Any]:
    """Return the settings; what `fit` checks only with the data is checked here."""
    made = settings(**told["settings"])
    pairs = made["class_weight"]
    if pairs not in (None, "balanced"):
        made["class_weight"] = {integer("a label", label, 0): weight for label, weight in pairs}
        of_classes(made["class_weight"], np.zeros(max(model.outputs[0], 2), int))
    same("settings", told["settings"], made | {"class_weight": _pairs(made["class_weight"])})
    return made


def _optimizer(
    told: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Array]], model: Sequential
) -> Optimizer:
    """Return the optimizer with its memory, which must be one that it can go on with."""
    optimizer, memory = Optimizer.get(told["optimizer"]), arrays["optimizer"]
    same("optimizer", told["optimizer"], optimizer.config())
    counts = [
        int(array) for array in memory.values() if array.ndim == 0 and array.dtype.kind == "i"
    ]
    _see(min(counts, default=0) >= 0, "a count below 0 in its optimizer")
    needed, trial = _tried(optimizer, {}, model).keys(), _tried(optimizer, memory, model)
    missing = ", ".join(sorted(needed - memory.keys()))
    begun = any(array.any() for array in memory.values())  # to ask for the rate makes a count of 0
    _see(not begun or not missing, f"no {missing} in its optimizer")
    for name, array in memory.items():
        _see(
            (trial[name].shape, trial[name].dtype) == (array.shape, array.dtype),
            f"a wrong {name} in its optimizer",
        )
    optimizer.memory.update(memory)
    return optimizer


def _tried(
    optimizer: Optimizer, memory: Mapping[str, Array], model: Sequential
) -> dict[str, Array]:
    """Return what the optimizer remembers after a step by small gradients; the model is left as it was.

    So whatever an optimizer cannot go on with shows itself, also where it is a user's own.
    """
    trial, before = Optimizer.get(optimizer.config()), model.values.copy()
    trial.memory.update({name: array.copy() for name, array in memory.items()})
    model.grads[:] = 1e-3  # not 0, for a rule may divide by their norm
    with np.errstate(all="ignore"):
        trial.step(model)
    _see(all_finite(model.values), "a memory of its optimizer with which no step is finite")
    model.values[:], model.grads[:] = before, 0
    return trial.memory


def _generators(told: Mapping[str, Any]) -> tuple[Random, Random]:
    """Return the generator as it was at the start, and as it is; all three states must be of one kind."""
    now = generator_of(told["now"])
    others = {
        name: None if told[name] is None else generator_of(told[name])
        for name in ("epoch", "start")
    }
    same(
        "rng",
        told,
        {"now": state_of(now)} | {name: rng and state_of(rng) for name, rng in others.items()},
    )
    for state in filter(None, (told["epoch"], told["start"])):
        _see(_kind(state) == _kind(told["now"]), "generators of different kinds")
    return others["start"] or generator_of(told["now"]), now


def _kind(state: Mapping[str, Any]) -> tuple[str, str]:
    return state["kind"], state["state"]["bit_generator"]


def _check_callbacks(told: Mapping[str, Any], kept: Kept) -> None:
    owners = [
        "optimizer",
        "so_far",
        "history",
        *(f"callback{i}" for i in range(len(told["callbacks"]))),
    ]
    _see(
        sorted(kept.arrays) == sorted(owners),
        f"arrays of other things than {', '.join(owners[:9])}",
    )
    for i, of_callback in enumerate(told["callbacks"]):
        same(
            f"callback {i}",
            of_callback,
            {"kind": str(of_callback["kind"]), "state": dict(of_callback["state"])},
        )
        _see(
            set(of_callback) == {"kind", "state"},
            f"a callback {i} with more than a kind and a state",
        )
        _see(
            not of_callback["state"].keys() & kept.arrays[f"callback{i}"].keys(),
            f"a state of {i} said twice",
        )
    shown = [of_callback["kind"] for of_callback in told["callbacks"][-1:]] == ["ProgressBar"]
    _see(shown or not kept.settings["verbose"], "no progress bar, though it was to be shown")


def _check_place(told: Mapping[str, Any], settings: Mapping[str, Any], model: Sequential) -> None:
    """See that the run is somewhere in the data it tells of."""
    m, _ = told["data"]
    same("data", told["data"], [integer_or_none("m", m), model.inputs])
    integer("epoch", told["epoch"], 0)
    step = integer("step", told["step"], 0)
    most = (
        settings["steps_per_epoch"] if m is None else -(-m // min(settings["batch_size"] or m, m))
    )
    _see(most is None or step <= most, f"a step {step} of {most}")
    same("stopped", told["stopped"], str(told["stopped"]))
    _see(
        (step, told["rng"]["epoch"]) == (0, None) or told["rng"]["epoch"] is not None,
        "no generator of its epoch",
    )
    same("validated", told["validated"], bool(told["validated"]))
    split = settings["validation_split"] is not None
    _see(
        (told["rng"]["start"] is not None) == split,
        "a generator of its start where nothing is split off, or none",
    )
    _see(told["validated"] or not split, "no validation data, though some is split off")


def _check_measured(
    told: Mapping[str, Any],
    settings: Mapping[str, Any],
    so_far: Mapping[str, Array],
    model: Sequential,
) -> None:
    """See that what is measured in the epoch is of as many examples as its steps had."""
    total, m = told["measured"]
    step, of_all = told["step"], told["data"][0]
    integer("m", m, least=step)
    _see(type(total) is float and math.isfinite(total), f"a sum of costs {total!r}")
    _see((m == 0) == (step == 0), f"{m} examples in {step} steps")
    if of_all is not None:
        _see(
            m == min(step * (settings["batch_size"] or of_all), of_all),
            f"{m} examples in {step} steps",
        )
    _see(
        set(so_far) == ({"Y", "A"} if m and told["metrics"] else set()),
        "other predictions than it has measured",
    )
    for array in so_far.values():
        _see(
            (array.shape, array.dtype) == ((*model.outputs, m), model.dtype),
            "predictions of another shape or dtype",
        )
    if so_far and model.loss:
        _see(all_finite(so_far["Y"]), "targets that are not finite")
        model.loss.check_targets(so_far["Y"])


def _check_history(told: Mapping[str, Any], history: Mapping[str, Array]) -> None:
    """See that each epoch has its numbers; what callbacks recorded may be of any length."""
    names = told["metrics"]
    same("metrics", names, list(map(str, dict.fromkeys(names))))
    same("functions", told["functions"], [name for name in names if name in told["functions"]])
    _see("loss" not in names, "a metric called loss")
    for name in measured(names, told["validated"]):
        found = history.get(name, _NO_EPOCH)
        right = found.shape == (told["epoch"],) and found.dtype == np.float64
        _see(right, f"another history of {name} than its epochs")
    for name, array in history.items():
        _see(_is_list(array), f"a history of {name} that is no list of numbers")


def _is_list(array: Array) -> bool:
    return array.ndim == 1 and array.size > 0 and array.dtype.name in ("float64", "int64", "bool")


def measured(metrics: Iterable[str], validated: bool) -> list[str]:
    """Return the names of what an epoch measures."""
    names = ["loss", *metrics]
    return names + [f"val_{name}" for name in names] * validated


@np.errstate(over="ignore", invalid="ignore")
def restore(
    callback: Callback, state: Mapping[str, Any], path: str | os.PathLike[str] | None
) -> None:
    """Give a callback back what it remembered; what it cannot take is a fault of the file."""
    kind = type(callback)
    with refusing(path or ""):
        _see(
            not state or kind.state is not Callback.state,
            f"a state of {kind.__name__}, which remembers nothing",
        )
        try:
            callback.restore(state)
        except Exception as error:
            raise FileFormatError(
                f"its {kind.__name__} cannot go on: {error or type(error).__name__}"
            ) from error


def array_names(file: Archive) -> list[str]:
    """Return the names of the arrays that are of a run, if the file holds one."""
    held = file.description["run"]["arrays"] if "run" in file.description else {}
    return [_member(whose, name) for whose, names in held.items() for name in names]


def check_same(kept: Kept, run: Run) -> None:
    """Refuse to go on with other data, metrics or callbacks than the run was begun with."""
    told = kept.told
    data, callbacks = (
        [run.batches.m, list(run.batches.shape)],
        [type(callback).__name__ for callback in run.callbacks],
    )
    began = {
        "data of (examples, shape of one)": (told["data"], data),
        "metrics": (told["metrics"], list(run.metrics)),
        "validation data": (told["validated"], run.validation is not None),
        "callbacks": ([of_callback["kind"] for of_callback in told["callbacks"]], callbacks),
    }
    for what, (before, now) in began.items():
        if before != now:
            raise ValueError(
                f"the run was begun with {what} {before}; got {now}: hand over what fit was given"
            )
