"""The base of all callbacks."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from tinynet._support.elsewhere import hint, is_known, is_misspelt, nearest_first
from tinynet.model.network import Network
from tinynet.training.run import Run


class Callback:
    """Base of all callbacks: override the methods you need.

    ``self.model`` is the model in training. ``self.run`` is the training: its optimizer, history,
    metrics and settings, ``run.epoch`` and ``run.step``. Epochs and batches are counted from 0, as
    in Keras. ``self.run.stop("why")`` ends the training after the current epoch or step. After the
    training a callback has no model and ``run.network`` is gone, so it keeps no data alive;
    ``self.run.history`` stays.

    Numbers that `on_epoch_end` puts into ``logs`` enter the history too. A callback that names them
    in ``measures`` is called before the others at the end of an epoch, and these may monitor them.

    A callback with memory returns it from `state`, as numbers, strings and arrays by name, and
    takes it from `restore`. Then a run that is resumed from a checkpoint is the same run.

    Where several processes train together, each calls its own callbacks, and ``self.run.rank`` is
    its number. A callback that writes files or prints sets ``first_rank_only = True``: then only
    rank 0 calls it.

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
    first_rank_only: bool = False  # whether one of several processes is enough
    measures: Sequence[str] = ()  # the numbers that on_epoch_end adds to logs, by name

    def check(self) -> None:
        """Raise an error for a run that this callback cannot watch, and change nothing.

        The checks of all callbacks come before the first `on_train_begin`.
        """

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        """Act before the first step of a run, also of one that is resumed from a checkpoint.

        After an error here the run is refused: the model and the optimizer are as before `fit`.
        """

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        """Act after the last step; `logs` holds the numbers of the last epoch.

        It is called after the last epoch, when the run is stopped, after Ctrl-C, and before `fit`
        raises `NonFiniteError`; ``run.stopped`` says why. After any other error it is not called.
        """

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Act before the first step of an epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Act after an epoch; `logs` holds "loss", the metrics, and "val_loss" and so on."""

    def on_epoch_logged(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Act after the `on_epoch_end` of all callbacks.

        `logs` holds also what these have put into it, or recorded in the history.
        """

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Act before a step."""

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Act after a step; ``logs["loss"]`` is the cost before it."""

    def state(self) -> Mapping[str, Any]:
        """Return what a checkpoint must store, by name.

        These are arrays, numbers, strings, None, and lists and dictionaries without arrays.
        """
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""


_HOOKS = [name for name in vars(Callback) if name.startswith("on_")]


def expect_hooks(callback: Callback) -> None:
    """Refuse a callback with hooks that nothing calls, or that do not take what they get."""
    kind = type(callback)
    for name in dir(kind):
        if not name.startswith("on_") or not callable(getattr(kind, name, None)):
            continue
        if name in _HOOKS:
            is_on_instance = name in getattr(callback, "__dict__", {})
            if is_on_instance or getattr(kind, name) is not getattr(Callback, name):
                _expect_arguments(callback, name)
        elif is_known(name, _HOOKS) or is_misspelt(name, _HOOKS):
            right, *_ = known = nearest_first(name, _HOOKS)
            if getattr(kind, right) is getattr(Callback, right):  # else it is there beside
                found = f"{kind.__name__} has the method {name}, which is never called"
                expected = f"expected one of {', '.join(known)}"
                raise TypeError(f"{found}, {expected}.{hint(name, _HOOKS)}")


def _expect_arguments(callback: Callback, name: str) -> None:
    _, *gets = inspect.signature(getattr(Callback, name)).parameters
    try:
        takes = inspect.signature(getattr(callback, name), follow_wrapped=False)
    except ValueError:
        return  # compiled code need not say what it takes
    try:
        takes.bind(*gets)
    except TypeError:
        arguments = ", ".join(gets)
        found = f"{type(callback).__name__}.{name} takes {takes}, expected ({arguments})"
        raise TypeError(f"{found}. Use def {name}(self, {arguments}).") from None


def numbers_of(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers among what callbacks have put into logs; an array may be one number."""
    numbers = {}
    for name, value in logs.items():
        if type(value) is float:  # as nearly all are
            numbers[name] = value
            continue
        is_one = isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind in "biuf"
        # A whole number of over 300 digits is no float.
        is_float = not isinstance(value, int) or abs(value) <= sys.float_info.max
        if is_one or (isinstance(value, Real) and is_float):
            numbers[name] = float(value)
    return numbers


def state_values(state: Mapping[str, Any], **types: type) -> list[Any]:
    """Return the values of a callback's state, which has exactly these names and types."""
    found = {name: type(value) for name, value in state.items()}
    if found != types:
        names = [{name: kind.__name__ for name, kind in each.items()} for each in (found, types)]
        raise ValueError(f"The state holds {names[0]}, expected {names[1]}.")
    return [state[name] for name in types]
