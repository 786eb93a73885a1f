"""A training under way: the loop over epochs and steps, and all that it must know to go on."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._support.arrays import Array, all_finite
from tinynet._support.random import set_state, state_of
from tinynet.data.batches import Batches, batches_of, ordered, validation_split
from tinynet.errors import NonFiniteError, ShapeError
from tinynet.metrics import Metric
from tinynet.model.storage import title
from tinynet.optimizers import Optimizer
from tinynet.training import checkpoint as checkpoints
from tinynet.training.callbacks import Callback
from tinynet.training.diagnostics import Doubts, course, too_large
from tinynet.training.history import History
from tinynet.training.progress import ProgressBar

if TYPE_CHECKING:
    from tinynet.sequential import Sequential

_INTERRUPTED = "interrupted"


class Run:
    """A training under way: all that it needs to go on, and that a checkpoint keeps.

    ``epoch`` counts the epochs that are finished, ``step`` the steps taken since.
    """

    def __init__(
        self,
        model: Sequential,
        optimizer: Optimizer,
        data: tuple[Any, Any, Any, Any],
        metrics: Mapping[str, Metric],
        callbacks: Sequence[Callback],
        settings: dict[str, Any],
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.model, self.optimizer, self.metrics, self.settings = (
            model,
            optimizer,
            metrics,
            settings,
        )
        self.checkpoint, self.resumed = checkpoint, False
        self.history, self.epoch, self.step = History(), 0, 0
        self.stopped, self.within_step = "", False
        self.callbacks = _admitted(callbacks) + ([ProgressBar()] if settings["verbose"] else [])
        self.batches, self.validation, self.rng_at_start = _data(model, *data, settings)
        _check_sizes(model, self.batches)
        self.rng_at_epoch: dict[str, Any] | None = None
        self.measured = Measured(metrics)
        for callback in self.callbacks:
            callback.model, callback.run = model, self

    def take_up(self, kept: checkpoints.Kept) -> None:
        """Be where the run was that a file tells of."""
        told, self.resumed = kept.told, True
        self.model.rng = kept.rng_now
        self.rng_at_epoch = told["rng"]["epoch"]
        self.epoch, self.step = told["epoch"], told["step"]
        self.stopped = "" if told["stopped"] == _INTERRUPTED else told["stopped"]
        self.history.update(
            {name: values.tolist() for name, values in kept.arrays["history"].items()}
        )
        self.batches.skip(self.epoch)
        total, m = told["measured"]
        self.measured.take_up(total, m, kept.arrays["so_far"])
        for callback, state in zip(self.callbacks, kept.states, strict=True):
            checkpoints.restore(callback, state, self.checkpoint)

    def stop(self, why: str) -> None:
        """End the training after the step, or epoch, under way; the history says why."""
        if not isinstance(why, str) or why in ("", _INTERRUPTED):
            raise ValueError(
                f"say why the training stops, as in run.stop('the cost is small enough'); got {why!r}"
            )
        self.stopped = self.stopped or why

    def interrupt(self) -> None:
        """End the training after the step under way, to be gone on with."""
        self.stopped = self.stopped or _INTERRUPTED

    @property
    def names(self) -> list[str]:
        """What an epoch measures."""
        return checkpoints.measured(self.metrics, self.validation is not None)

    def begin(self) -> None:
        """Do what comes before the first step, and may be refused."""
        self.doubts = Doubts(self.model, self.optimizer, self.resumed)
        self.recent: deque[float] = deque(maxlen=5)  # costs
        self.before = self.model.values.copy()
        self._tell("on_train_begin", {})
        self._write()

    def go(self) -> History:
        """Train until the last epoch, or until something stops it."""
        with _interruptible(self):
            while self.epoch < self.settings["epochs"] and not self.stopped:
                self._train_epoch()
        # The file is of the last step: what on_train_end may put in its place, another run does not go on from.
        self._tell("on_train_end", {name: values[-1] for name, values in self.history.items()})
        self.history.stopped = self.stopped
        return self.history

    def _train_epoch(self) -> None:
        self._tell("on_epoch_begin", self.epoch, {})
        for X, Y, w in self._batches():
            self._tell("on_batch_begin", self.step, {})
            self.within_step = True
            J = self._train_step(X, Y, w)
            self.step, self.within_step = self.step + 1, False
            self.doubts.step(J)
            self._tell("on_batch_end", self.step - 1, {"loss": J})
            if self.stopped:
                self._write()
                return
            if (
                self.settings["checkpoint_every"]
                and self.step % self.settings["checkpoint_every"] == 0
            ):
                self._write()
        self._end_epoch()

    def _batches(self) -> Iterator[tuple[Array, Array, Array | None]]:
        """Return the batches of the epoch that are left, and the generator to where it was."""
        rng, start = self.model.rng, self.step
        if not start:
            self.rng_at_epoch = state_of(rng) if self.checkpoint else None
            return self.batches.epoch(rng)
        assert self.rng_at_epoch is not None, "a run that begins within an epoch comes from a file"
        now = state_of(rng)
        set_state(rng, self.rng_at_epoch)
        batches = self.batches.epoch(rng, start)  # draws the order of the epoch once more
        set_state(rng, now)
        return batches

    @np.errstate(
        over="ignore", invalid="ignore", divide="ignore"
    )  # what is not finite is an error of its own
    def _train_step(self, X: Array, Y: Array, w: Array | None) -> float:
        """Take a step, or none where a number is not finite; return the cost before it."""
        model = self.model
        np.copyto(self.before, model.values)
        A = model.forward(X, training=True)
        J = model.cost(Y, w)
        self.recent.append(J)
        model.back(Y, sample_weight=w)
        if not (math.isfinite(J) and all_finite(model.grads)):
            raise self._refused(model.first_nonfinite() or "the cost", stepped=False)
        if self.settings["detect_anomaly"] and (culprit := model.first_nonfinite()):
            raise self._refused(culprit, stepped=False)
        self.measured.add(J, Y, A)
        self.optimizer.step(model)
        if not all_finite(model.values):
            raise self._refused(model.first_nonfinite() or "the cost", stepped=True)
        return J

    def _refused(self, culprit: str, stepped: bool) -> NonFiniteError:
        """Take the step back, and return the error that says what was not finite, and why, most likely."""
        self.model.values[:] = self.before
        where = f"epoch {self.epoch + 1}, step {self.step + 1}: {culprit} is not finite"
        kept = "the parameters are as before this step"
        if stepped:  # it has gone into the optimizer's memory already
            self.optimizer.reset()
            kept += ", and the optimizer begins anew"
        if len(self.recent) > 1 or stepped or self.resumed:
            why = f"{too_large(self.optimizer)}; the cost went {course(self.recent)}"
        else:
            why = (
                "This fit has taken no step yet, so look first at the parameters it began with, at the size of X and "
                f"Y, and at what that layer and the loss compute; the cost was {course(self.recent)}"
            )
        return NonFiniteError(f"{where}; {kept}. {why}")

    def _end_epoch(self) -> None:
        measured = self.measured.numbers()
        if self.validation is not None:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                judged = judge(self.model, self.validation, self.metrics)
            measured |= {f"val_{name}": value for name, value in judged.items()}
        # Only now is anything changed: broken off until here, the epoch can be ended once more.
        self.measured.clear()
        self.history.record(measured)
        self.optimizer.end_epoch()
        self.doubts.epoch(measured["loss"])
        self.epoch, self.step = self.epoch + 1, 0
        self._tell("on_epoch_end", self.epoch - 1, measured)
        self._write()

    def _tell(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def _write(self) -> None:
        if self.checkpoint:
            checkpoints.write(self, self.checkpoint)


def _admitted(callbacks: Sequence[Callback]) -> list[Callback]:
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = f"; write {callback.__name__}()" if isinstance(callback, type) else ""
            raise TypeError(
                f"{callback!r} is no callback: subclass tinynet.Callback, and hand over an instance{hint}"
            )
    return list(callbacks)


def _data(
    model: Sequential,
    X: Any,
    Y: Any,
    sample_weight: Any,
    validation_data: Any,
    settings: Mapping[str, Any],
) -> tuple[Batches, Batches | None, dict[str, Any] | None]:
    """Return the batches to train on and those to judge by, all checked before the first step.

    And the state of the generator before it drew which examples are held out, if it did.
    """
    share, rng_at_start = settings["validation_split"], None
    if share is not None:
        if validation_data is not None:
            raise ValueError(
                "validation data is given, or split off; got both: leave out one of them"
            )
        X, Y = model.admit(X, Y)  # a model that is not built yet draws its parameters first
        rng_at_start = state_of(model.rng)
        training, validation_data = validation_split(model, X, Y, share, model.rng, sample_weight)
        X, Y, sample_weight = training
    names = ("batch_size", "shuffle", "class_weight", "steps_per_epoch")
    batch_size, shuffle, class_weight, steps = (settings[name] for name in names)
    batches = batches_of(model, X, Y, batch_size, shuffle, sample_weight, class_weight, steps)
    if validation_data is None:
        return batches, None, rng_at_start
    X, Y, w = _judged_by(validation_data)
    validation = ordered(model, X, Y, sample_weight=w)
    judge(model, validation, {})  # what is wrong with it is found before the first step
    return batches, validation, rng_at_start


def _judged_by(given: Any) -> tuple[Any, Any, Any]:
    """Return X, Y and weights from a tuple of them, a list of arrays, or a stream, alone or in a tuple."""
    arrays = isinstance(given, list) and all(isinstance(array, np.ndarray) for array in given)
    X, Y, w = (*(given if arrays or isinstance(given, tuple) else (given,)), None, None)[:3]
    return X, Y, w


def _check_sizes(model: Sequential, batches: Batches) -> None:
    """Refuse a batch that is too small for a layer, before an epoch comes to it."""
    for l, layer in enumerate(model.layers, 1):
        if batches.smallest is not None and batches.smallest < layer.least_examples:
            raise ShapeError(
                f"{title(l, layer)} needs {layer.least_examples} examples in training, and the smallest batch of "
                f"{batches.m} examples has {batches.smallest}; write another batch_size, or leave an example out"
            )


@contextlib.contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the training after the step under way; a second one ends it at once."""
    first = threading.current_thread() is threading.main_thread()
    ours = first and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.interrupt()

    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except KeyboardInterrupt:  # from a callback, or by a handler that is not ours
        if run.within_step:
            run.model.values[:] = run.before
        if run.within_step or run.stopped == _INTERRUPTED:
            raise
        run.interrupt()
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if run.stopped == _INTERRUPTED:
        where = (
            f"in epoch {run.epoch + 1}, after step {run.step}"
            if run.step
            else f"after epoch {run.epoch}"
        )
        sys.stderr.write(
            f"training was interrupted {where}: the step under way was ended, history is kept\n"
        )


class Measured:
    """What is measured in an epoch, step by step: the cost, and what the metrics need."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = metrics
        self.clear()

    def clear(self) -> None:
        """Begin an epoch."""
        self.total, self.m = 0.0, 0
        self.targets: list[Array] = []
        self.outputs: list[Array] = []

    def add(self, J: float, Y: Array, A: Array) -> None:
        """Take the numbers of a batch; the arrays are copied."""
        m = Y.shape[-1]
        self.total, self.m = self.total + m * J, self.m + m
        if self.metrics:
            self.targets.append(Y.copy())
            self.outputs.append(A.copy())

    def take_up(self, total: float, m: int, arrays: Mapping[str, Array]) -> None:
        """Go on from what `so_far` returned, and the sums."""
        self.total, self.m = total, m
        self.targets, self.outputs = [
            [arrays[name]] if name in arrays else [] for name in ("Y", "A")
        ]

    def so_far(self) -> dict[str, Array]:
        """Return targets and outputs as one array each."""
        named = {"Y": self.targets, "A": self.outputs}
        return {name: np.concatenate(arrays, axis=-1) for name, arrays in named.items() if arrays}

    def numbers(self) -> dict[str, float]:
        """Return the mean cost, and the metrics over all examples."""
        if not self.metrics:
            return {"loss": self.total / self.m}
        arrays = self.so_far()
        judged = {
            name: float(measure(arrays["Y"], arrays["A"])) for name, measure in self.metrics.items()
        }
        return {"loss": self.total / self.m} | judged


def judge(model: Sequential, batches: Batches, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return the loss and the metrics on batches, in order, and leave the model as it is."""
    measured = Measured(metrics)
    for X, Y, w in batches.epoch(None):
        caches = model.pass_of_its_own(X)
        measured.add(model.cost_of(caches, Y, w), Y, caches[-1].A)
    return measured.numbers()
