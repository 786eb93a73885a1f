"""The training loop: epochs of steps, with validation, callbacks and checkpoints in between."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, all_finite
from tinynet._support.random import set_state, state_of
from tinynet.data.batches import Batch, Batches
from tinynet.errors import NonFiniteError
from tinynet.metrics import Measure
from tinynet.model.network import Network
from tinynet.training import checkpoint
from tinynet.training.callbacks import Callback
from tinynet.training.history import History
from tinynet.training.nonfinite import first_nonfinite, nonfinite_error
from tinynet.training.run import INTERRUPTED, Run, measures

HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_batch_begin",
    "on_batch_end",
)  # fmt: skip


class Loop:
    """Takes a run from where it is to its last epoch, or until something stops it.

    ``callbacks`` are those whose state a checkpoint saves; ``observers`` come before them, and see
    a step before a callback can change anything.
    """

    def __init__(
        self,
        run: Run,
        batches: Batches,
        validation: Batches | None,
        callbacks: Sequence[Callback],
        observers: Sequence[Callback],
        path: str | os.PathLike[str] | None,
    ) -> None:
        self.run, self.batches, self.validation, self.path = run, batches, validation, path
        self.callbacks = callbacks
        self.hooks = _overridden([*observers, *callbacks])
        self.costs: deque[float] = deque(maxlen=5)  # of the last steps
        self.before: Array = run.network.values.copy()
        self.within_step = False

    def begin(self) -> None:
        """Do what comes before the first step, and may be refused."""
        self.run.optimizer.begin(self.run.network)
        self._call("on_train_begin", {})
        self._write_checkpoint()

    def train(self) -> History:
        """Train, and return the history."""
        run = self.run
        with _interruptible(self):
            while run.epoch < run.settings.epochs and not run.stopped:
                self._train_epoch()
        # The checkpoint is of the last step: what on_train_end may change is not resumed from.
        self._call("on_train_end", {name: values[-1] for name, values in run.history.items()})
        run.history.stopped = run.stopped
        return run.history

    def _train_epoch(self) -> None:
        run, every = self.run, self.run.settings.checkpoint_every
        self._call("on_epoch_begin", run.epoch, {})
        for X, Y, w in self._batches():
            self._call("on_batch_begin", run.step, {})
            self.within_step = True
            J = self._step(X, Y, w)
            run.step, self.within_step = run.step + 1, False
            self._call("on_batch_end", run.step - 1, {"loss": J})
            if run.stopped:
                self._write_checkpoint()
                return
            if every and run.step % every == 0:
                self._write_checkpoint()
        self._end_epoch()

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # not finite: an error below
    def _step(self, X: Array, Y: Array, w: Array | None) -> float:
        """Take a step, or none where a number is not finite; return the cost before it."""
        run, network, m = self.run, self.run.network, X.shape[-1]
        chain = network.chain
        if chain is None or chain.m != m:
            chain = network.use_chain(m)
        np.copyto(self.before, network.values)

        A = chain.forward(X, True, network.rng)
        J = chain.cost(Y, w)
        chain.back_from(Y, w)
        self.costs.append(J)
        self._expect_finite(J, network.grads)

        run.cost_sum += m * J
        run.examples += m
        if run.metrics:
            run.targets.append(Y.copy())
            run.outputs.append(A.copy())

        run.optimizer.step(network)
        self._expect_finite(J, network.values, was_updated=True)
        return J

    def _expect_finite(self, J: float, vector: Array, was_updated: bool = False) -> None:
        # A sum of squares is finite only if every number is. It may overflow where every number is
        # finite, so then look closer.
        suspicious = not (math.isfinite(J) and math.isfinite(vector.dot(vector)))
        looks_closer = self.run.settings.detect_anomaly and not was_updated
        if not (suspicious or looks_closer):
            return
        network = self.run.network
        culprit = first_nonfinite(network)
        if culprit is None and math.isfinite(J) and all_finite(vector):
            return
        network.values[:] = self.before
        if was_updated:  # the step is in the optimizer's memory already
            self.run.optimizer.reset()
        raise self._nonfinite(culprit or "the cost", was_updated)

    def _nonfinite(self, culprit: str, was_updated: bool) -> NonFiniteError:
        return nonfinite_error(self.run, culprit, self.costs, was_updated)

    def _end_epoch(self) -> None:
        run = self.run
        measured = run.measures()
        if self.validation is not None:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values = evaluate(run.network, self.validation, run.metrics)
            measured |= {f"val_{name}": value for name, value in values.items()}
        # Nothing has changed up to here, so an epoch that is interrupted can end once more.
        run.begin_epoch()
        run.history.record(measured)
        run.optimizer.end_epoch()
        run.epoch, run.step = run.epoch + 1, 0
        self._call("on_epoch_end", run.epoch - 1, measured)
        self._write_checkpoint()

    def _batches(self) -> Iterator[Batch]:
        """Return the batches that are left of the epoch, and restore the generator."""
        run, rng = self.run, self.run.network.rng
        if not run.step:
            run.rng_at_epoch = state_of(rng) if self.path else None
            return self.batches.epoch(rng)
        assert run.rng_at_epoch is not None, "a run that begins within an epoch is a resumed one"
        now = state_of(rng)
        set_state(rng, run.rng_at_epoch)
        batches = self.batches.epoch(rng, run.step)  # draws the order of the epoch once more
        set_state(rng, now)
        return batches

    def _call(self, hook: str, *arguments: Any) -> None:
        for method in self.hooks[hook]:
            method(*arguments)

    def _write_checkpoint(self) -> None:
        if self.path:
            checkpoint.write(self.run, self.callbacks, self.path)


def _overridden(callbacks: Sequence[Callback]) -> dict[str, list[Callable[..., None]]]:
    """Return for each hook what to call: the methods of this name that do something."""
    methods: dict[str, list[Callable[..., None]]] = {hook: [] for hook in HOOKS}
    for callback in callbacks:
        for hook in HOOKS:
            method = getattr(callback, hook)
            if getattr(method, "__func__", None) is not getattr(Callback, hook):
                methods[hook].append(method)
    return methods


def evaluate(
    network: Network, batches: Batches, metrics: Mapping[str, Measure]
) -> dict[str, float]:
    """Return the loss and the metrics on batches, in order; the network stays as it is."""
    cost_sum, examples = 0.0, 0
    targets: list[Array] = []
    outputs: list[Array] = []
    for X, Y, w in batches.epoch(None):
        m = X.shape[-1]
        chain = network.storage.private_chain(m)
        A = chain.forward_input(X)
        cost_sum, examples = cost_sum + m * chain.cost(Y, w), examples + m
        if metrics:
            targets.append(Y.copy())
            outputs.append(A)
    return measures(metrics, cost_sum / examples, targets, outputs)


@contextlib.contextmanager
def _interruptible(loop: Loop) -> Iterator[None]:
    """Let Ctrl-C end the training after the step under way; a second Ctrl-C ends it at once."""
    run = loop.run
    in_main_thread = threading.current_thread() is threading.main_thread()
    is_ours = in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.interrupt()

    if is_ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except KeyboardInterrupt:  # from a callback, or by a handler of somebody else
        if loop.within_step:
            run.network.values[:] = loop.before
        if loop.within_step or run.stopped == INTERRUPTED:
            raise
        run.interrupt()
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if run.stopped == INTERRUPTED:
        at = f"in epoch {run.epoch + 1}, after step {run.step}"
        where = at if run.step else f"after epoch {run.epoch}"
        sys.stderr.write(
            f"Training was interrupted {where}. The history is complete up to there.\n"
        )
