"""A run in a file: all that `fit` needs to go on where it was, as if it had never been interrupted.

The file is one that `tinynet.load` reads too, for it begins with the model. Beside that it holds the
optimizer with its memory, the state of the generator, the place within the epoch, what has been
measured, and what the callbacks remember.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from tinynet._buffers import Array
from tinynet._random import Random, generator_of, state_of
from tinynet.errors import FileFormatError
from tinynet.optimizers import Optimizer
from tinynet.serialization import Archive, write_file

if TYPE_CHECKING:
    from tinynet.training import Run

_DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


def write(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, in one move."""
    states = [dict(callback.state()) for callback in run.callbacks]
    arrays = {"optimizer": run.optimizer.memory, "so_far": run.measured.so_far()}
    arrays |= {f"callback{i}": _arrays_of(state) for i, state in enumerate(states)}
    arrays["history"] = {name: np.array(values) for name, values in run.history.items()}  # it may be long
    class_weight = run.settings["class_weight"]
    described = {
        # JSON knows only strings as keys, and labels are numbers.
        "settings": run.settings | {"class_weight": _pairs(class_weight) if class_weight else None},
        "metrics": list(run.metrics),
        "validated": run.validation is not None,
        "data": [run.batches.m, list(run.batches.shape)],
        "optimizer": run.optimizer.config(),
        "epoch": run.epoch,
        "step": run.step,
        "stopped": run.stopped,
        "finished": run.finished,
        "measured": [run.measured.total, run.measured.m],
        "rng": {"now": state_of(run.model.rng), "epoch": run.rng_at_epoch, "start": run.rng_at_start},
        "callbacks": [
            {"kind": type(callback).__name__, "state": _plain_of(state)}
            for callback, state in zip(run.callbacks, states, strict=True)
        ],
        "arrays": {
            whose: {name: [list(array.shape), array.dtype.name] for name, array in held.items()}
            for whose, held in arrays.items()
        },
    }
    of_run = {f"{whose}.{name}": array for whose, held in arrays.items() for name, array in held.items()}
    write_file(path, run.model.description() | {"run": described}, run.model.named_arrays() | of_run)


def _arrays_of(state: Mapping[str, Any]) -> dict[str, Array]:
    return {name: value for name, value in state.items() if isinstance(value, np.ndarray)}


def _plain_of(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}


def _pairs(class_weight: Any) -> Any:
    return class_weight if isinstance(class_weight, str) else [[float(k), float(v)] for k, v in class_weight.items()]


@attrs.frozen(eq=False)
class Kept:
    """What a file says of a run, read and looked through."""

    told: Mapping[str, Any]
    settings: dict[str, Any]
    optimizer: Optimizer
    rng_at_start: Random
    rng_now: Random
    arrays: Mapping[str, Mapping[str, Array]]


def read(file: Archive) -> Kept:
    """Return what an open file says of a run."""
    if "run" not in file.description:
        raise FileFormatError("it holds a model but no run: give a file that fit(..., checkpoint=...) wrote")
    told = file.description["run"]
    arrays = {
        whose: {name: _array(file, f"{whose}.{name}", *described) for name, described in held.items()}
        for whose, held in told["arrays"].items()
    }
    settings = dict(told["settings"])
    if isinstance(settings["class_weight"], list):
        settings["class_weight"] = dict(settings["class_weight"])
    optimizer = Optimizer.get(told["optimizer"])
    optimizer.memory.update(arrays["optimizer"])
    rng = told["rng"]
    return Kept(told, settings, optimizer, generator_of(rng["start"] or rng["now"]), generator_of(rng["now"]), arrays)


def _array(file: Archive, name: str, shape: Any, dtype: str) -> Array:
    if dtype not in _DTYPES:  # NumPy makes a dtype of much else, and may compile it
        raise FileFormatError(f"its {name} has the dtype {dtype!r}, not one of {', '.join(_DTYPES)}")
    return np.array(file.array(name, shape, np.dtype(dtype), finite=False))


def array_names(file: Archive) -> list[str]:
    """Return the names of the arrays that are of a run, if the file holds one."""
    held = file.description["run"]["arrays"] if "run" in file.description else {}
    return [f"{whose}.{name}" for whose, names in held.items() for name in names]


def check_same(kept: Kept, run: Run) -> None:
    """Refuse to go on with other data, metrics or callbacks than the run was begun with."""
    told = kept.told
    data, callbacks = [run.batches.m, list(run.batches.shape)], [type(callback).__name__ for callback in run.callbacks]
    began = {
        "data of (examples, shape of one)": (told["data"], data),
        "metrics": (told["metrics"], list(run.metrics)),
        "validation data": (told["validated"], run.validation is not None),
        "callbacks": ([of_callback["kind"] for of_callback in told["callbacks"]], callbacks),
    }
    for what, (before, now) in began.items():
        if before != now:
            raise ValueError(f"the run was begun with {what} {before}; got {now}: hand over what fit was given")
