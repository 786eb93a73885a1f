"""Callbacks: what else happens while a model is trained. They look on; the loop is in ``training.py``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from attrs.validators import ge

from tinynet._support.arrays import all_finite, integer
from tinynet._support.registry import one_of
from tinynet.errors import UnknownNameError

if TYPE_CHECKING:
    from tinynet.sequential import Sequential
    from tinynet.training.loop import Run


class Callback:
    """Base of all callbacks: override what you need.

    ``self.model`` is the model in training, and ``self.run`` what the loop knows: its optimizer, history,
    settings, ``run.epoch`` and ``run.step``. Epochs and batches are counted from 0, as in Keras. To end the
    training after the epoch or step write ``self.run.stop("why")``.

    A callback that remembers something hands it over in `state`, as numbers, strings and arrays by
    name, and takes it back in `restore`: then a run that goes on from a checkpoint is the same run.

    >>> class Loud(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print(f"epoch {epoch}: {sorted(logs)}")
    >>> from tinynet import Dense, Sequential
    >>> model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
    >>> history = model.fit([[0.0, 1.0]], [[1.0, 3.0]], epochs=2, callbacks=[Loud()])
    epoch 0: ['loss']
    epoch 1: ['loss']
    """

    model: Sequential
    run: Run

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        """Before the first step of a run, also of one that goes on from a checkpoint."""

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        """After the last step; `logs` holds what the last epoch measured."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Before the first step of an epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """After an epoch, its numbers in `logs`: "loss", the metrics, and "val_loss" and so on."""

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Before a step."""

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """After a step, the cost before it in ``logs["loss"]``."""

    def state(self) -> Mapping[str, Any]:
        """Return what a checkpoint must keep, by name."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""


def _check_measured(callback: Callback, name: str) -> None:
    """Refuse to watch what is not measured, before the first step."""
    if name not in callback.run.names:
        hint = "; give fit validation_data or validation_split" if name.startswith("val_") else ""
        told = f"{type(callback).__name__} watches {name!r}, which is not measured"
        raise UnknownNameError(f"{told}; measured: {', '.join(callback.run.names)}{hint}")


def _held(state: Mapping[str, Any], **kinds: type) -> list[Any]:
    """Return what a state holds under these names, if it is just that, and each of its kind."""
    found = {name: type(value) for name, value in state.items()}
    if found != kinds:
        told = ", ".join(f"{name}: {kind.__name__}" for name, kind in found.items())
        raise ValueError(
            f"a state of {', '.join(kinds)} is needed, each of its type; got {told or 'none'}"
        )
    return [state[name] for name in kinds]


_LARGER_IS_BETTER = {
    "accuracy",
    "top_k_accuracy",
    "binary_accuracy",
    "precision",
    "recall",
    "f1",
    "r2",
}
_SMALLER_IS_BETTER = {"loss", "mean_absolute_error", "mean_squared_error"}


def _sign(mode: str, monitor: str) -> float:
    """Return 1 where smaller is better, -1 where larger is."""
    name = monitor.removeprefix("val_").split("(")[0]  # top_k_accuracy(k=3) is a top_k_accuracy
    if mode == "max" or (mode == "auto" and name in _LARGER_IS_BETTER):
        return -1.0
    if mode == "min" or name in _SMALLER_IS_BETTER:
        return 1.0
    raise ValueError(
        f'whether a larger {monitor!r} is better is not known; write mode="max" or mode="min"'
    )


_MODE = attrs.field(default="auto", validator=one_of("auto", "min", "max"))


def _patience(value: Any) -> int:
    return integer("patience", value, least=0)


def _every(value: Any) -> int:
    return integer("every", value)


@attrs.define(slots=False, eq=False)
class EarlyStopping(Callback):
    """Stop when what is watched has not become better for some epochs, and take the best parameters back.

    Parameters
    ----------
    monitor : str
        What is watched: "loss", "val_loss", a metric, or ``val_`` before its name.
    patience : int
        Epochs without a better value after which to stop; at least 0.
    min_delta : float
        By how much a value must be better to count; at least 0.
    mode : {"auto", "min", "max"}
        Which values are better; "auto" knows it of the loss and of tinynet's metrics.
    restore_best : bool
        Whether the model ends with the parameters (and state) of the best epoch.

    >>> EarlyStopping("val_accuracy", patience=3)
    EarlyStopping(monitor='val_accuracy', patience=3, min_delta=0.0, mode='auto', restore_best=True)
    """

    monitor: str = "val_loss"
    patience: int = attrs.field(default=5, converter=_patience)
    min_delta: float = attrs.field(default=0.0, converter=float, validator=ge(0))
    mode: str = _MODE
    restore_best: bool = True

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        _check_measured(self, self.monitor)
        self.sign = _sign(self.mode, self.monitor)
        if not self.run.resumed:
            self.best, self.best_epoch, self.values = math.inf, -1, self.model.values.copy()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        value = self.sign * float(logs[self.monitor])
        if value < self.best - self.min_delta or (self.best_epoch < 0 and not math.isnan(value)):
            self.best, self.best_epoch = value, epoch
            self.values[:] = self.model.values
        elif epoch - max(self.best_epoch, 0) >= max(self.patience, 1):
            self.run.stop(f"{self.monitor} was best in epoch {self.best_epoch + 1}")

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        if self.restore_best and self.best_epoch >= 0:
            self.model.values[:] = self.values

    def state(self) -> Mapping[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "values": self.values}

    def restore(self, state: Mapping[str, Any]) -> None:
        best, best_epoch, values = _held(state, best=float, best_epoch=int, values=np.ndarray)
        like = self.model.values
        if (values.shape, values.dtype) != (like.shape, like.dtype) or not all_finite(values):
            raise ValueError(f"the best values are not {like.size} finite numbers of {like.dtype}")
        if not -1 <= best_epoch < self.run.epoch:
            raise ValueError(f"the best epoch is {best_epoch}, and {self.run.epoch} are finished")
        self.best, self.best_epoch, self.values = best, best_epoch, values


@attrs.define(slots=False, eq=False)
class ModelCheckpoint(Callback):
    """Save the model after epochs: each time it is the best so far, or every so many.

    Parameters
    ----------
    path : str or PathLike
        Where; ``{epoch}`` in it is the number of the epoch, from 1.
    monitor, mode
        As for `EarlyStopping`; used if `best_only`.
    best_only : bool
        Whether only a model that is better than all before is saved.
    every : int
        How many epochs there are from one to the next that may be saved; at least 1.
    """

    path: str | os.PathLike[str]
    monitor: str = "val_loss"
    mode: str = _MODE
    best_only: bool = True
    every: int = attrs.field(default=1, converter=_every)

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if self.best_only:
            _check_measured(self, self.monitor)
            self.sign = _sign(self.mode, self.monitor)
        if not self.run.resumed:
            self.best = math.inf

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        if (epoch + 1) % self.every:
            return
        if self.best_only:
            value = self.sign * float(logs[self.monitor])
            if not value < self.best:
                return
            self.best = value
        self.model.save(os.fspath(self.path).replace("{epoch}", str(epoch + 1)))

    def state(self) -> Mapping[str, Any]:
        return {"best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        (self.best,) = _held(state, best=float)


@attrs.define(slots=False, eq=False)
class CSVLogger(Callback):
    """Write a line an epoch to a file of comma-separated values, with a line of names above.

    A run that goes on from a checkpoint goes on with its file; what was written after the checkpoint is
    taken out again.
    """

    path: str | os.PathLike[str]

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        kept: list[str] = []
        if self.run.epoch and os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                kept = file.readlines()[: self.run.epoch + 1]
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(kept)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            if file.tell() == 0:
                file.write(",".join(["epoch", *logs]) + "\n")
            file.write(
                ",".join([str(epoch + 1), *(repr(float(value)) for value in logs.values())]) + "\n"
            )


@attrs.define(slots=False, eq=False)
class LearningRateLogger(Callback):
    """Record the learning rate of the last step of each epoch, as "learning_rate" in the history."""

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if not hasattr(self.run.optimizer, "learning_rate"):
            raise TypeError(
                f"{self.run.optimizer!r} has no learning_rate to record; leave LearningRateLogger out"
            )

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.rate = float(self.run.optimizer.rate())

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.run.history.record({"learning_rate": self.rate})

    def state(self) -> Mapping[str, Any]:
        return {"rate": self.rate} if hasattr(self, "rate") else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            (self.rate,) = _held(state, rate=float)
