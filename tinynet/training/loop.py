"""The training loop: epochs of steps, with validation, callbacks and checkpoints in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.checks import shown
from tinynet._support.random import set_state, state_of
from tinynet.data.batches import Batch
from tinynet.errors import NonFiniteError
from tinynet.files.replace import expect_replaceable
from tinynet.training import checkpoint
from tinynet.training.callbacks import Callback
from tinynet.training.callbacks.base import numbers_of
from tinynet.training.evaluation import evaluate
from tinynet.training.history import History
from tinynet.training.joining import expect_same_frozen, take_from_first
from tinynet.training.ranks import Ranks
from tinynet.training.run import Run
from tinynet.training.step import Steps

_CLEAR_EVERY = 16  # epochs: then it costs nothing, however small these are


class Loop:
    """Takes a run from where it is to its last epoch, or until something stops it.

    A checkpoint saves the state of ``callbacks``. Those in ``first`` come before them, and have no
    state to save. Of several ranks, each has a loop, and all take the same steps: what one process
    would decide by itself is decided by what all have exchanged.
    """

    def __init__(
        self,
        run: Run,
        callbacks: Sequence[Callback],
        path: str | None,
        first: Sequence[Callback] = (),
    ) -> None:
        self.run, self.callbacks, self.path = run, callbacks, path
        self.ranks, self.all_callbacks = run.ranks, [*first, *callbacks]
        self.called = self.all_callbacks
        if self.ranks is not None and self.ranks.rank > 0:
            self.called = [each for each in self.all_callbacks if not each.first_rank_only]
        self.callbacks_before = [dict(vars(callback)) for callback in self.all_callbacks]
        for callback in self.all_callbacks:
            callback.model, callback.run = run.network, run
            for name in callback.measures:
                if name not in run.names:
                    run.added.append(name)
        self.steps = Steps(run, callbacks)
        self.before, self.ctrl_c = self.steps.before, self.steps.ctrl_c

    def begin(self, restore: Callable[[], None] | None = None) -> None:
        """Do what comes before the first step, and may be refused.

        Then the network and the callbacks are as they were before. `restore` brings the run
        to the state of a checkpoint.
        """
        network = self.run.network
        try:
            if restore:
                restore()
            if self.path and self.run.rank == 0:
                expect_replaceable(self.path)
            self.run.optimizer.begin(network)
            if self.ranks is not None:
                self._join(self.ranks)
            for callback in self.called:
                callback.check()
            self._call("on_train_begin", {})
            if self.ranks is not None:
                expect_same_frozen(self.ranks, self.run)
                self.ranks.vote(self.run.stopped)
            self._write_checkpoint()
        except BaseException:
            network.values[:] = self.before.values
            self._release()
            for callback, before in zip(self.all_callbacks, self.callbacks_before, strict=True):
                vars(callback).clear()
                vars(callback).update(before)
            raise

    def _join(self, ranks: Ranks) -> None:
        """Begin with the numbers of rank 0, and with parts of batches."""
        run = self.run
        X, Y, _ = run.data.training.sample()
        no_weight = np.zeros(1, run.network.dtype)
        self.one_example = X[..., :1].copy(), Y[..., :1].copy(), no_weight
        take_from_first(ranks, run.network, run.optimizer)
        for batches in (run.data.training, run.data.validation):
            if batches is not None:
                batches.divide(ranks.communicator)

    def train(self) -> History:
        """Train, and return the history."""
        run = self.run
        try:
            try:
                with self.ctrl_c.handled(self.before.restore):
                    while run.epoch < run.settings.epochs and not run.why_over:
                        self._train_epoch()
            except NonFiniteError as error:
                run.stopped = "a number was not finite"
                self._end()
                error.history = run.history
                for note in run.notes:
                    error.add_note(note)
                raise
            run.stopped = run.why_over  # what one rank alone wanted has had no effect
            self._end()
            if self.ranks is not None:  # not after an error, which one rank may have alone
                self.ranks.compare(run.network)
        finally:
            self._release()
        return run.history

    def _end(self) -> None:
        history = self.run.history
        history.stopped = self.run.stopped
        # The checkpoint is of the last step: what on_train_end may change is not resumed from.
        self._call("on_train_end", {name: values[-1] for name, values in history.items()})

    def _release(self) -> None:
        """Have callbacks without the model: they may live on, and it may hold the data."""
        for callback in self.all_callbacks:
            vars(callback).pop("model", None)  # one may be there twice
        self.run.release()

    def _train_epoch(self) -> None:
        run, every, ranks = self.run, self.run.settings.checkpoint_every, self.ranks
        self._call("on_epoch_begin", run.epoch, {})
        for X, Y, w in self._batches():
            batch = run.step
            logs: dict[str, float] = {}
            for callback in self.called:
                if callback.watches_steps:
                    callback.on_batch_begin(batch, logs)
            logs = {"loss": self.steps.take(X, Y, w)}
            for callback in self.called:
                if callback.watches_steps:
                    callback.on_batch_end(batch, logs)
            is_due = every is not None and run.step % every == 0
            if is_due and ranks is not None and not ranks.stopped:
                ranks.vote(run.stopped)  # a resumed run would not know of a wish to stop
            is_over = run.why_over
            if is_over or is_due:
                self._write_checkpoint()
            if is_over:
                return
        if ranks is not None and ranks.vote(run.stopped):
            self._write_checkpoint()
            return
        self._end_epoch()

    def _end_epoch(self) -> None:
        run = self.run
        measured = run.tally.measures(run.network)
        if run.data.validation is not None:
            values = evaluate(run.network, run.data.validation, run.metrics, self.ranks)
            measured |= {f"val_{name}": value for name, value in values.items()}
        if run.epoch % _CLEAR_EVERY == 0:
            run.clear_subnormals()
        # Nothing has changed up to here, so an epoch that is interrupted can end once more.
        self.before.save_epoch()
        self.ctrl_c.within_step = True
        run.tally = run.new_tally()
        run.history.record(measured)
        run.optimizer.end_epoch()
        run.epoch, run.step, self.ctrl_c.within_step = run.epoch + 1, 0, False
        self._call_at_epoch_end(measured)
        if self.ranks is not None:
            self.ranks.compare(run.network, run.stopped)
        self._write_checkpoint()

    def _call_at_epoch_end(self, logs: dict[str, Any]) -> None:
        """Call the hooks; what callbacks measure enters both the logs and the history."""
        history, epoch, measured = self.run.history, self.run.epoch - 1, set(logs)
        lengths = {name: len(values) for name, values in history.items()}
        for callback in self.called:
            if callback.measures:
                callback.on_epoch_end(epoch, logs)
                _expect_measured(callback, logs)
        if self.ranks is not None:
            logs |= self.ranks.of_first({name: logs.get(name, 0.0) for name in self.run.added})
        for callback in self.called:
            if not callback.measures:
                callback.on_epoch_end(epoch, logs)
        recorded = {
            name: values[-1]
            for name, values in history.items()
            if len(values) > lengths.get(name, 0)
        }
        for name, value in numbers_of(logs).items():
            if name not in measured and name not in recorded:
                history.record({name: value})
        if self.ranks is not None:
            self.ranks.record_as_first(history, lengths)
        self._call("on_epoch_logged", epoch, recorded | logs)

    def _batches(self) -> Iterator[Batch]:
        """Return the batches that are left of the epoch, and restore the generator."""
        run, ranks = self.run, self.ranks
        batches, rng = run.data.training, run.network.rng
        if not run.step:
            is_needed = self.path or ranks is not None
            run.rng_at_epoch = state_of(rng) if is_needed else None
            remaining = batches.epoch(rng)
        else:
            assert run.rng_at_epoch is not None, "a run that begins within an epoch was resumed"
            now = state_of(rng)
            set_state(rng, run.rng_at_epoch)
            remaining = batches.epoch(rng, run.step)  # draws the order of the epoch once more
            set_state(rng, now)
        if ranks is None:
            return remaining
        assert run.rng_at_epoch is not None, "it was saved before the first step"
        ranks.draws.begin_epoch(run.rng_at_epoch)
        return ranks.parts(remaining, self.one_example)

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.called:
            getattr(callback, hook)(*arguments)

    def _write_checkpoint(self) -> None:
        if self.path:
            predictions = self.run.tally.predictions()  # every rank gives its own
            if self.run.rank == 0:
                checkpoint.write(self.run, predictions, self.callbacks, self.path)


def _expect_measured(callback: Callback, logs: Mapping[str, Any]) -> None:
    """Refuse a callback that has not put into logs a number for each name in `measures`."""
    measures = numbers_of({name: logs[name] for name in callback.measures if name in logs})
    for name in callback.measures:
        if name not in measures:
            found = f"{type(callback).__name__}.measures has {name!r}, which is "
            found += f"{shown(logs[name])}, no number" if name in logs else "not in logs"
            raise ValueError(f"{found}. Set logs[{name!r}] to a number in on_epoch_end.")
