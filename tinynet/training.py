"""The training loop.

`fit` and `evaluate` are methods of `Sequential`, written here as functions of the model,
so that the model's file holds the mathematics and this one the loop.
"""

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

from tinynet import checkpoints
from tinynet._buffers import Array, all_finite, whole
from tinynet._doubts import Doubts, course, too_large
from tinynet._random import set_state, state_of
from tinynet.batches import BATCH_SIZE, Batches, batches_of, ordered, validation_split
from tinynet.callbacks import Callback
from tinynet.errors import NonFiniteError
from tinynet.history import History
from tinynet.metrics import Metric, measures
from tinynet.optimizers import SGD, Optimizer
from tinynet.progress import ProgressBar
from tinynet.serialization import opened

if TYPE_CHECKING:
    from tinynet.sequential import Sequential

_INTERRUPTED = "interrupted"


def fit(
    model: Sequential,
    X: Any,
    Y: Any = None,
    optimizer: Optimizer | str | None = None,
    epochs: int = 1,
    batch_size: int | None = BATCH_SIZE,
    shuffle: bool | str = True,
    validation_data: Any = None,
    metrics: Sequence[str | Metric] = (),
    verbose: bool = False,
    callbacks: Sequence[Callback] = (),
    sample_weight: Any = None,
    class_weight: Any = None,
    validation_split: float | None = None,
    steps_per_epoch: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    detect_anomaly: bool = False,
) -> History:
    """Train on X and Y.

    Parameters
    ----------
    X, Y : array_like of shape (n_0, m) and (n_L, m)
        Examples as columns; for categorical cross-entropy Y may be integer labels (m,) or (1, m). X may also
        be an array on disk, or batches, without Y: see :doc:`/data`.
    optimizer : Optimizer or str, optional
        ``SGD()`` if left out. It keeps its memory from fit to fit.
    epochs, batch_size : int
        Passes over the data, and examples a step; the last batch may be smaller, and None is the whole set.
    shuffle : bool or {"blocks", "whole"}
        Draw a new order of the examples for each epoch, from the model's generator. On disk True is
        ``"blocks"``, of examples that follow one another; ``"whole"`` is any order, and slow.
    validation_data : tuple of array_like or batches, optional
        (X, Y), or (stream,), to evaluate after each epoch, recorded as ``val_loss`` and so on.
    metrics : sequence of str or callable
        Names, or functions ``(Y, A) -> float``; in training, of what was predicted before each step.
    verbose : bool
        Show a progress bar, or write a line an epoch.
    callbacks : sequence of Callback
        What else is done in between.
    sample_weight, class_weight : array_like of shape (m,), and dict or "balanced", optional
        Weights of examples, and of the examples of a class. They are scaled to a mean of 1.
    validation_split : float, optional
        The share of the examples, drawn by chance (of each class alike), that is validation data.
    steps_per_epoch : int, optional
        Batches an epoch, where a function gives them; the most of an iterable.
    checkpoint : str or PathLike, optional
        A file to which all is written that the run needs to go on after it was killed: see `tinynet.resume`.
    checkpoint_every : int, optional
        Steps from one writing to the next; left out, it is written after each epoch.
    detect_anomaly : bool
        Look at every array of every step, and raise `NonFiniteError` that names the first that is not finite.

    Returns the metrics, and ``"loss"``: an epoch's mean of the cost before each step, penalties
    included. Ctrl-C ends it after the step. Raises `NonFiniteError`, `ShapeError`, `ValueError` or
    `TypeError` when X, Y, a setting or training itself is wrong, and leaves the parameters as before that step.
    """
    settings = checkpoints.settings(
        epochs, batch_size, shuffle, verbose, class_weight, validation_split, steps_per_epoch, checkpoint_every,
        detect_anomaly,
    )  # fmt: skip
    optimizer = SGD() if optimizer is None else Optimizer.get(optimizer)
    data = (X, Y, sample_weight, validation_data)
    return Run(model, optimizer, data, measures(metrics), callbacks, settings, checkpoint).go()


def resume(
    cls: type[Sequential],
    path: str | os.PathLike[str],
    X: Any,
    Y: Any = None,
    *,
    validation_data: Any = None,
    metrics: Sequence[str | Metric] | None = None,
    callbacks: Sequence[Callback] = (),
    sample_weight: Any = None,
    epochs: int | None = None,
) -> tuple[Sequential, History]:
    """Go on with a run from the file that ``fit(..., checkpoint=path)`` wrote; return the model and its history.

    What comes out is bit for bit what the run would have given, had it not been interrupted.

    Parameters
    ----------
    path : str or PathLike
        The file; the run goes on writing to it.
    X, Y, validation_data, sample_weight, callbacks
        As they were given to ``fit``: they are not in the file. What callbacks remember is.
    metrics : sequence of str or callable, optional
        Needed only where functions were among them.
    epochs : int, optional
        Another number of epochs than the run was begun with.

    Raises `FileFormatError` for a file that holds no run, and `ValueError` for other data than the run's.

    >>> import os, tempfile
    >>> import tinynet as tn
    >>> X, Y = tn.datasets.make_moons(100, seed=1)
    >>> model = tn.Sequential([tn.Dense(4, "tanh"), tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.npz")
    ...     history = model.fit(X, Y, epochs=3, checkpoint=path)
    ...     model, history = tn.resume(path, X, Y, epochs=5)
    >>> history.epochs
    5
    """
    with opened(path) as file:
        model = cls.from_archive(file)
        kept = checkpoints.read(file, model)
        file.done()
    settings = kept.settings | ({} if epochs is None else {"epochs": whole("epochs", epochs, least=0)})
    functions = measures(kept.told["metrics"] if metrics is None else metrics)
    model.rng = kept.rng_at_start
    data = (X, Y, sample_weight, validation_data)
    run = Run(model, kept.optimizer, data, functions, callbacks, settings, path)
    checkpoints.check_same(kept, run)
    run.take_up(kept)
    return model, run.go()


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
        self.model, self.optimizer, self.metrics, self.settings = model, optimizer, metrics, settings
        self.checkpoint, self.resumed = checkpoint, False
        self.history, self.epoch, self.step = History(), 0, 0
        self.stopped, self.finished, self.under_way = "", False, False
        self.batches, self.validation, self.rng_at_start = _data(model, *data, settings)
        self.rng_at_epoch: dict[str, Any] | None = None
        self.measured = Measured(metrics)
        self.callbacks = _admitted(callbacks) + ([ProgressBar()] if settings["verbose"] else [])
        for callback in self.callbacks:
            callback.model, callback.run = model, self

    def take_up(self, kept: checkpoints.Kept) -> None:
        """Be where the run was that a file tells of."""
        told, self.resumed = kept.told, True
        self.model.rng = kept.rng_now
        self.rng_at_epoch = told["rng"]["epoch"]
        self.epoch, self.step = told["epoch"], told["step"]
        self.stopped = "" if told["stopped"] == _INTERRUPTED else told["stopped"]
        self.history.update({name: values.tolist() for name, values in kept.arrays["history"].items()})
        self.batches.skip(self.epoch)
        total, m = told["measured"]
        self.measured.take_up(total, m, kept.arrays["so_far"])
        for callback, state in zip(self.callbacks, kept.states, strict=True):
            checkpoints.restore(callback, state, self.checkpoint)

    def stop(self, why: str) -> None:
        """End the training after the step, or epoch, under way."""
        self.stopped = self.stopped or why

    @property
    def names(self) -> list[str]:
        """What an epoch measures."""
        return checkpoints.measured(self.metrics, self.validation is not None)

    def go(self) -> History:
        """Train until the last epoch, or until something stops it."""
        self.doubts = Doubts(self.model, self.optimizer, self.resumed)
        self.recent: deque[float] = deque(maxlen=5)  # costs
        self.before = self.model.values.copy()
        self._tell("on_train_begin", {})
        self._write()
        with _interruptible(self), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while self.epoch < self.settings["epochs"] and not self.stopped:
                self._train_epoch()
        self._tell("on_train_end", {name: values[-1] for name, values in self.history.items()})
        self.finished = self.epoch >= self.settings["epochs"] or bool(self.stopped)
        self._write()
        return self.history

    def _train_epoch(self) -> None:
        self._tell("on_epoch_begin", self.epoch, {})
        for X, Y, w in self._batches():
            self._tell("on_batch_begin", self.step, {})
            self.under_way = True
            J = self._train_step(X, Y, w)
            self.step, self.under_way = self.step + 1, False
            self.doubts.step(J)
            self._tell("on_batch_end", self.step - 1, {"loss": J})
            if self.stopped:
                self._write()
                return
            if self.settings["checkpoint_every"] and self.step % self.settings["checkpoint_every"] == 0:
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
        if len(self.recent) > 1 or stepped or self.resumed:
            why = f"{too_large(self.optimizer)}; the cost went {course(self.recent)}"
        else:
            why = (
                "No step has been taken yet, so it is not the learning rate: look at the first parameters, at the size "
                f"of X and Y, and at what that layer and the loss compute; the cost was {course(self.recent)}"
            )
        return NonFiniteError(f"{where}; the parameters are as before this step. {why}")

    def _end_epoch(self) -> None:
        self.under_way = True
        measured = self.measured.numbers()
        self.measured = Measured(self.metrics)
        if self.validation is not None:
            judged = judge(self.model, self.validation, self.metrics)
            measured |= {f"val_{name}": value for name, value in judged.items()}
        self.history.record(measured)
        self.optimizer.end_epoch()
        self.doubts.epoch(measured["loss"])
        self.epoch, self.step, self.under_way = self.epoch + 1, 0, False
        self._tell("on_epoch_end", self.epoch - 1, measured)
        self._write()

    def _tell(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def _write(self) -> None:
        if self.checkpoint and not self.under_way:  # a step that Ctrl-C broke off: the file of one before is whole
            checkpoints.write(self, self.checkpoint)


def _admitted(callbacks: Sequence[Callback]) -> list[Callback]:
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = f"; write {callback.__name__}()" if isinstance(callback, type) else ""
            raise TypeError(f"{callback!r} is no callback: subclass tinynet.Callback, and hand over an instance{hint}")
    return list(callbacks)


def _data(
    model: Sequential, X: Any, Y: Any, sample_weight: Any, validation_data: Any, settings: Mapping[str, Any]
) -> tuple[Batches, Batches | None, dict[str, Any] | None]:
    """Return the batches to train on and those to judge by, all checked before the first step.

    And the state of the generator before it drew which examples are held out, if it did.
    """
    share, rng_at_start = settings["validation_split"], None
    if share is not None:
        if validation_data is not None:
            raise ValueError("validation data is given, or split off; got both: leave out one of them")
        X, Y = model.admit(X, Y)  # a model that is not built yet draws its parameters first
        rng_at_start = state_of(model.rng)
        training, validation_data = validation_split(model, X, Y, share, model.rng, sample_weight)
        X, Y, sample_weight = training
    names = ("batch_size", "shuffle", "class_weight", "steps_per_epoch")
    batch_size, shuffle, class_weight, steps = (settings[name] for name in names)
    batches = batches_of(model, X, Y, batch_size, shuffle, sample_weight, class_weight, steps)
    if validation_data is None:
        return batches, None, rng_at_start
    X, Y, w, *_ = (*(validation_data if isinstance(validation_data, tuple) else (validation_data,)), None, None)
    validation = ordered(model, X, Y, sample_weight=w)
    judge(model, validation, {})  # what is wrong with it is found before the first step
    return batches, validation, rng_at_start


@contextlib.contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the training after the step under way; a second one ends it at once."""
    first = threading.current_thread() is threading.main_thread()
    ours = first and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.stop(_INTERRUPTED)

    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except KeyboardInterrupt:  # from a callback, or by a handler that is not ours
        if run.stopped == _INTERRUPTED:
            raise
        run.stop(_INTERRUPTED)
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if run.stopped == _INTERRUPTED:
        where = f"in epoch {run.epoch + 1}, after step {run.step}" if run.step else f"after epoch {run.epoch}"
        sys.stderr.write(f"training was interrupted {where}: the parameters are those of this step, history is kept\n")


class Measured:
    """What is measured in an epoch, step by step: the cost, and what the metrics need."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics, self.total, self.m = metrics, 0.0, 0
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
        self.targets, self.outputs = [[arrays[name]] if name in arrays else [] for name in ("Y", "A")]

    def so_far(self) -> dict[str, Array]:
        """Return targets and outputs as one array each."""
        named = {"Y": self.targets, "A": self.outputs}
        return {name: np.concatenate(arrays, axis=-1) for name, arrays in named.items() if arrays}

    def numbers(self) -> dict[str, float]:
        """Return the mean cost, and the metrics over all examples."""
        arrays = self.so_far()
        judged = {name: float(measure(arrays["Y"], arrays["A"])) for name, measure in self.metrics.items()}
        return {"loss": self.total / self.m} | judged


def judge(model: Sequential, batches: Batches, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return the loss and the metrics on batches, in order, and leave the model as it is."""
    measured = Measured(metrics)
    for X, Y, w in batches.epoch(None):
        caches = model.pass_of_its_own(X)
        measured.add(model.cost_of(caches, Y, w), Y, caches[-1].A)
    return measured.numbers()


def evaluate(
    model: Sequential,
    X: Any,
    Y: Any = None,
    metrics: Sequence[str | Metric] = (),
    batch_size: int | None = None,
    sample_weight: Any = None,
    steps: int | None = None,
) -> dict[str, float]:
    """Return the loss, penalties included, and the metrics on X and Y, as {"loss": ..., "accuracy": ...}.

    X, Y, `sample_weight` and `metrics` are as for `fit`; `batch_size` examples are in memory at a time
    (None is all, or 1024 of those on disk), and `steps` is the number of batches where a function gives
    them. It writes nothing into the model.
    """
    functions = measures(metrics)
    return judge(model, ordered(model, X, Y, batch_size, sample_weight, steps), functions)
