"""Callbacks that monitor a number: they stop, save or slow down by whether it improves."""

from __future__ import annotations

import math
import os
import string
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import all_finite
from tinynet._support.elsewhere import nearest_first
from tinynet._support.fields import flag, integer, nonnegative, one_of, path_field, share_below_1
from tinynet.errors import UnknownNameError
from tinynet.files import model as model_file
from tinynet.files.replace import expect_replaceable
from tinynet.metrics import Metric
from tinynet.schedules import Schedule
from tinynet.training.callbacks.base import Callback, state_values
from tinynet.training.run import Run


class _Monitors(Callback):
    """Base of callbacks that compare a monitored number with the best one so far."""

    monitor: str
    mode: str
    best: float  # as it was measured

    def check(self) -> None:
        self.sign = self._sign()

    def _sign(self) -> float:
        """Return 1 if a smaller monitored value is better, and -1 if a larger one is."""
        monitor, run = self.monitor, self.run
        if monitor not in run.names:
            bare, lacks = monitor.removeprefix("val_"), []
            if bare in Metric.names() and bare not in run.metrics:
                lacks.append(f'metrics=["{bare}"]')
            if monitor[:4] == "val_" and not run.validated:
                lacks.append("validation_data or validation_split")
            hint = f" Give fit {', and '.join(lacks)}." if lacks else ""
            found = f"{type(self).__name__} monitors {monitor!r}, which is not measured"
            known = ", ".join(_nearest(monitor, run))
            raise UnknownNameError(f"{found}, expected one of {known}.{hint}")
        larger: bool | None = self.mode == "max"
        if self.mode == "auto":
            name = monitor if monitor in run.metrics else monitor.removeprefix("val_")
            metric = run.metrics.get(name)
            larger = name != "loss" and getattr(metric, "larger_is_better", None)
        if larger is None:
            found = f"Whether a larger {monitor!r} is better is not known"
            raise ValueError(f'{found}. Pass mode="max" or mode="min".')
        return -1.0 if larger else 1.0

    def _forget_best(self) -> None:
        self.best = self.sign * math.inf

    def _improves(self, value: float, min_delta: float = 0.0) -> bool:
        """Return whether a value is better than the best one, by more than `min_delta`."""
        return self.sign * value < self.sign * self.best - min_delta

    # In a state the best value is the smallest: the sign is known only together with the run.

    def _best_in_state(self) -> dict[str, float]:
        return {"best": self.sign * self.best}

    def _restore_best(self, best: float) -> None:
        self.best = self._sign() * best


def _nearest(name: str, run: Run) -> list[str]:
    """Return the names of what is measured, those most similar to `name` first."""
    prefixes = ("val_", "") if name[:4] == "val_" else ("", "val_")
    bare = {known.removeprefix("val_") for known in run.names}
    ordered = nearest_first(name.removeprefix("val_"), bare)
    names = [f"{prefix}{known}" for known in ordered for prefix in prefixes]
    return [known for known in names if known in run.names]


@attrs.define(slots=False, eq=False)
class EarlyStopping(_Monitors):
    """Stop when the monitored number has not improved for some epochs; restore the best parameters.

    They are restored at the end of the run: also of one that Ctrl-C or `NonFiniteError` ends. Each
    `fit` begins anew. After it, ``best`` is the best value and ``best_epoch`` its epoch, from 0, or
    -1 if there is none.

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
    restore_best: bool = flag(True, or_number=True)

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if not self.run.resumed:
            self._forget_best()
            self.best_epoch, self.values = -1, self.model.values.copy()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        value = float(logs[self.monitor])
        is_first = self.best_epoch < 0 and not math.isnan(value)
        if is_first or self._improves(value, self.min_delta):
            self.best, self.best_epoch = value, epoch
            self.values[:] = self.model.values
        elif epoch - max(self.best_epoch, 0) >= max(self.patience, 1):
            best = f"was best in epoch {self.best_epoch + 1}"
            self.run.stop(f"{self.monitor} {best if self.best_epoch >= 0 else 'was always NaN'}")

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        values = vars(self).pop("values", None)  # as large as the model
        if self.restore_best and self.best_epoch >= 0 and values is not None:
            self.model.values[:] = values
            best = f"the best parameters, those of epoch {self.best_epoch + 1}"
            self.run.notes.append(f"EarlyStopping has restored {best}.")

    def state(self) -> Mapping[str, Any]:
        return self._best_in_state() | {"best_epoch": self.best_epoch, "values": self.values}

    def restore(self, state: Mapping[str, Any]) -> None:
        best, best_epoch, values = state_values(
            state, best=float, best_epoch=int, values=np.ndarray
        )
        like = self.model.values
        if (values.shape, values.dtype) != (like.shape, like.dtype) or not all_finite(values):
            raise ValueError(f"values must be {like.size} finite numbers of {like.dtype}.")
        epoch = self.run.epoch
        if not -1 <= best_epoch < epoch:
            raise ValueError(f"The best epoch is {best_epoch}, expected one below {epoch}.")
        self._restore_best(best)
        self.best_epoch, self.values = best_epoch, values


class _Numbers(string.Formatter):
    """Puts numbers by name into a text; a name may have any signs, as "top_k_accuracy(k=3)" has."""

    def get_field(self, name: str, args: Sequence[Any], numbers: Mapping[str, Any]) -> Any:
        return numbers[name], name


@attrs.define(slots=False, eq=False)
class ModelCheckpoint(_Monitors):
    """Save the model after epochs: each time it is the best so far, or every few epochs.

    It remembers the best value, ``best``, from fit to fit. To begin anew, make another one.

    Parameters
    ----------
    path : str or PathLike
        The file. The number of the epoch, from 1, and whatever the epoch measured may be in it, as
        in ``"w-{epoch:02d}-{val_loss:.2f}.npz"``; then each is another file. A brace itself is
        written twice: ``{{`` or ``}}``.
    monitor, mode : str
        As for `EarlyStopping`; used with `best_only`.
    best_only : bool
        Whether to save only a model that is better than all before.
    every : int
        Epochs from one that may be saved to the next; at least 1.

    >>> ModelCheckpoint("best.npz", "val_accuracy").best_only
    True
    """

    first_rank_only = True
    path: str = path_field("best.npz")
    monitor: str = "val_loss"
    mode: str = one_of("auto", "min", "max", default="auto")
    best_only: bool = flag(True, or_number=True)
    every: int = integer(1)

    def check(self) -> None:
        if self.best_only:
            super().check()
        first, second = (self._checked_path(n) for n in (1, 2))
        folders = [os.path.dirname(path) for path in (first, second)]
        self._makes_folders = folders[0] != folders[1]  # each epoch has its own
        in_common = os.path.join(os.path.commonpath(folders), os.path.basename(first))
        expect_replaceable(in_common if self._makes_folders else first)

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if self.best_only and not hasattr(self, "best"):
            self._forget_best()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        if (epoch + 1) % self.every:
            return
        if self.best_only:
            value = float(logs[self.monitor])
            if not self._improves(value):
                return
            self.best = value
        path = self._path(logs | {"epoch": epoch + 1})
        if self._makes_folders:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        model_file.save(self.model, path)

    def _path(self, numbers: Mapping[str, Any]) -> str:
        return _Numbers().vformat(self.path, (), numbers)

    def _checked_path(self, epoch: int) -> str:
        """Return the path of an epoch, with made-up numbers; refuse one that cannot be written."""
        path, run = self.path, self.run
        numbers = {name: float(epoch) for name in run.names} | {"epoch": epoch}
        try:
            return self._path(numbers)
        except KeyError as error:
            name = str(error.args[0])
            known = [*_nearest(name, run), "epoch"]
            found = f"{path!r} has {{{name}}}, which is not measured"
            hint = "For a brace itself write {{ or }}."
            raise UnknownNameError(f"{found}, expected one of {', '.join(known)}. {hint}") from None
        except ValueError as error:
            found = f"{path!r} cannot be filled with numbers: {error}"
            expected = 'expected a path such as "w-{epoch:02d}-{val_loss:.2f}.npz"'
            hint = "For a brace itself write {{ or }}."
            raise ValueError(f"{found}, {expected}. {hint}") from error

    def state(self) -> Mapping[str, Any]:
        return self._best_in_state() if self.best_only else {"best": math.inf}

    def restore(self, state: Mapping[str, Any]) -> None:
        (best,) = state_values(state, best=float)
        if self.best_only:
            self._restore_best(best)


@attrs.define(slots=False, eq=False)
class ReduceLROnPlateau(_Monitors):
    """Multiply the learning rate by a factor when a number has not improved for some epochs.

    Epochs are counted as Keras does: an epoch is better if the number improves on the best one by
    more than `min_delta`, in absolute terms; the rate is lowered at the end of the `patience`-th
    epoch in a row that is not (PyTorch: one later). The `cooldown` epochs after that are not
    counted, as in PyTorch (Keras counts the last of them).

    The rate belongs to the optimizer's memory (see `Optimizer.set_rate`). So the next `fit` with
    the same optimizer begins at the lowered rate, with its counts anew; ``optimizer.fresh()`` or
    ``optimizer.evolve(learning_rate=...)`` begins at another one. A schedule as the learning rate
    is refused, because both would set it.

    Parameters
    ----------
    monitor, mode : str
        As for `EarlyStopping`.
    factor : float
        Above 0 and below 1.
    patience : int
        Epochs without a better value after which the rate is lowered; at least 0, which is as 1.
    min_delta : float
        By how much a better value must differ from the best; at least 0.
    cooldown : int
        Epochs after a lowered rate that are not counted; at least 0.
    min_lr : float
        The lowest rate; at least 0.

    >>> ReduceLROnPlateau("val_loss", factor=0.5, patience=3).min_lr
    0.0
    """

    monitor: str = "val_loss"
    factor: float = share_below_1(0.1)
    patience: int = integer(10, least=0)
    min_delta: float = nonnegative(1e-4)
    cooldown: int = integer(0, least=0)
    min_lr: float = nonnegative(0.0)
    mode: str = one_of("auto", "min", "max", default="auto")

    def check(self) -> None:
        optimizer = self.run.optimizer
        rate = getattr(optimizer, "learning_rate", None)
        if rate is None or isinstance(rate, Schedule):
            found = f"ReduceLROnPlateau got {optimizer!r}, expected a number as its learning_rate"
            hint = "Pass learning_rate=0.01" if rate else "Pass another optimizer"
            raise TypeError(f"{found}. {hint}, or leave out ReduceLROnPlateau.")
        super().check()

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if not self.run.resumed:
            self._forget_best()
            self.wait = self.cooling = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        value, is_cooling = float(logs[self.monitor]), self.cooling > 0
        if is_cooling:
            self.cooling, self.wait = self.cooling - 1, 0
        if self._improves(value, self.min_delta):
            self.best, self.wait = value, 0
        elif not is_cooling:
            self.wait += 1
            if self.wait >= self.patience:
                self._lower()

    def _lower(self) -> None:
        optimizer = self.run.optimizer
        rate = optimizer.rate()
        if rate > self.min_lr:
            optimizer.set_rate(max(rate * self.factor, self.min_lr))
            self.cooling, self.wait = self.cooldown, 0

    def state(self) -> Mapping[str, Any]:
        return self._best_in_state() | {"wait": self.wait, "cooling": self.cooling}

    def restore(self, state: Mapping[str, Any]) -> None:
        best, wait, cooling = state_values(state, best=float, wait=int, cooling=int)
        if wait < 0 or cooling < 0:
            raise ValueError(f"wait is {wait} and cooling {cooling}, expected at least 0.")
        self._restore_best(best)
        self.wait, self.cooling = wait, cooling
