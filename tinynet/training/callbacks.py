"""Callbacks: what else happens during training. They watch it and may stop it."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import all_finite
from tinynet._support.fields import integer, nonnegative, one_of
from tinynet.errors import UnknownNameError
from tinynet.files import model as model_file
from tinynet.model.network import Network
from tinynet.training.run import Run


class Callback:
    """Base of all callbacks: override the methods you need.

    ``self.model`` is the model in training. ``self.run`` is the training: its optimizer, history,
    metrics and settings, ``run.epoch`` and ``run.step``. Epochs and batches are counted from 0, as
    in Keras. ``self.run.stop("why")`` ends the training after the current epoch or step.

    A callback with memory returns it from `state`, as numbers, strings and arrays by name, and
    takes it from `restore`. Then a run that is resumed from a checkpoint is the same run.

    >>> class Loud(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print(f"epoch {epoch}: {sorted(logs)}")
    >>> from tinynet import Dense, Sequential
    >>> model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
    >>> history = model.fit([[0.0, 1.0]], [[1.0, 3.0]], epochs=2, callbacks=[Loud()])
    epoch 0: ['loss']
    epoch 1: ['loss']
    """

    model: Network
    run: Run
    watches_steps: bool = True  # whether the hooks of batches are called

    def check(self) -> None:
        """Raise an error for a run that this callback cannot watch, and change nothing.

        The checks of all callbacks come before the first `on_train_begin`.
        """

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        """Act before the first step of a run, also of one that is resumed from a checkpoint."""

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        """Act after the last step; `logs` holds the numbers of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Act before the first step of an epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Act after an epoch; `logs` holds "loss", the metrics, and "val_loss" and so on."""

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Act before a step."""

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Act after a step; ``logs["loss"]`` is the cost before it."""

    def state(self) -> Mapping[str, Any]:
        """Return what a checkpoint must store, by name."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""


def _sign(callback: EarlyStopping | ModelCheckpoint) -> float:
    """Return 1 if a smaller monitored value is better, and -1 if a larger one is."""
    monitor, run = callback.monitor, callback.run
    if monitor not in run.names:
        hint = " Give fit validation_data or validation_split." if monitor[:4] == "val_" else ""
        found = f"{type(callback).__name__} monitors {monitor!r}, which is not measured"
        raise UnknownNameError(f"{found}, expected one of {', '.join(run.names)}.{hint}")
    larger: bool | None = callback.mode == "max"
    if callback.mode == "auto":
        name = monitor if monitor in run.metrics else monitor.removeprefix("val_")
        larger = name != "loss" and getattr(run.metrics[name], "larger_is_better", None)
    if larger is None:
        found = f"Whether a larger {monitor!r} is better is not known"
        raise ValueError(f'{found}. Pass mode="max" or mode="min".')
    return -1.0 if larger else 1.0


def _values(state: Mapping[str, Any], **types: type) -> list[Any]:
    """Return the values of a callback's state, which has exactly these names and types."""
    found = {name: type(value) for name, value in state.items()}
    if found != types:
        names = [{name: kind.__name__ for name, kind in each.items()} for each in (found, types)]
        raise ValueError(f"The state holds {names[0]}, expected {names[1]}.")
    return [state[name] for name in types]


@attrs.define(slots=False, eq=False)
class EarlyStopping(Callback):
    """Stop when the monitored number has not improved for some epochs; restore the best parameters.

    Parameters
    ----------
    monitor : str
        "loss", "val_loss", the name of a metric, or ``val_`` before its name.
    patience : int
        Epochs without a better value after which to stop; at least 0.
    min_delta : float
        By how much a better value must differ from the best; at least 0.
    mode : {"auto", "min", "max"}
        Which values are better; "auto" knows it for the loss, and asks a metric's larger_is_better.
    restore_best : bool
        Whether the model ends with the parameters (and state) of the best epoch.

    >>> EarlyStopping("val_accuracy", patience=3)
    EarlyStopping(monitor='val_accuracy', patience=3, min_delta=0.0, mode='auto', restore_best=True)
    """

    monitor: str = "val_loss"
    patience: int = integer(5, least=0)
    min_delta: float = nonnegative(0.0)
    mode: str = one_of("auto", "min", "max", default="auto")
    restore_best: bool = True

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        self.sign = _sign(self)
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
        best, best_epoch, values = _values(state, best=float, best_epoch=int, values=np.ndarray)
        like = self.model.values
        if (values.shape, values.dtype) != (like.shape, like.dtype) or not all_finite(values):
            raise ValueError(f"values must be {like.size} finite numbers of {like.dtype}.")
        epoch = self.run.epoch
        if not -1 <= best_epoch < epoch:
            raise ValueError(f"The best epoch is {best_epoch}, expected one below {epoch}.")
        self.best, self.best_epoch, self.values = best, best_epoch, values


@attrs.define(slots=False, eq=False)
class ModelCheckpoint(Callback):
    """Save the model after epochs: each time it is the best so far, or every few epochs.

    Parameters
    ----------
    path : str or PathLike
        The file; ``{epoch}`` in it is the number of the epoch, from 1.
    monitor, mode
        As for `EarlyStopping`; used with `best_only`.
    best_only : bool
        Whether to save only a model that is better than all before.
    every : int
        Epochs from one that may be saved to the next; at least 1.
    """

    path: str | os.PathLike[str]
    monitor: str = "val_loss"
    mode: str = one_of("auto", "min", "max", default="auto")
    best_only: bool = True
    every: int = integer(1)

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if self.best_only:
            self.sign = _sign(self)
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
        path = os.fspath(self.path).replace("{epoch}", str(epoch + 1))
        model_file.save(self.model, path)

    def state(self) -> Mapping[str, Any]:
        return {"best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        (self.best,) = _values(state, best=float)


@attrs.define(slots=False, eq=False)
class CSVLogger(Callback):
    """Write a line for each epoch to a file of comma-separated values, below a line of names.

    A resumed run appends to its file. Lines written after the checkpoint are removed.
    """

    path: str | os.PathLike[str]

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        lines: list[str] = []
        if self.run.epoch and os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                lines = file.readlines()[: self.run.epoch + 1]
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(lines)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                table.writerow(["epoch", *logs])
            table.writerow([epoch + 1, *map(float, logs.values())])


@attrs.define(slots=False, eq=False)
class LearningRateLogger(Callback):
    """Record the learning rate of each epoch's last step in the history, as "learning_rate"."""

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        optimizer = self.run.optimizer
        if not hasattr(optimizer, "learning_rate"):
            raise TypeError(f"{optimizer!r} has no learning_rate. Leave out LearningRateLogger.")

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.rate = float(self.run.optimizer.rate())

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.run.history.record({"learning_rate": self.rate})

    def state(self) -> Mapping[str, Any]:
        return {"rate": self.rate} if hasattr(self, "rate") else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            (self.rate,) = _values(state, rate=float)
