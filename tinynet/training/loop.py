"""The training loop: epochs of steps, with validation, callbacks and checkpoints in between."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import ON_ONE_THREAD, Array, all_finite, sum_of_squares
from tinynet._support.checks import shown
from tinynet._support.quiet import quiet, switch_back, switch_off
from tinynet._support.random import get_state, put_state, set_state, state_of
from tinynet.data.batches import Batch, Batches
from tinynet.data.sources import Prepared
from tinynet.errors import NonFiniteError
from tinynet.files.replace import expect_replaceable
from tinynet.metrics import Measure
from tinynet.model.network import Network
from tinynet.training import checkpoint
from tinynet.training.callbacks import Callback
from tinynet.training.callbacks.base import numbers_of
from tinynet.training.history import History
from tinynet.training.interrupt import CtrlC
from tinynet.training.nonfinite import first_nonfinite, nonfinite_error
from tinynet.training.run import Run, Tally, output_kind

_CLEAR_EVERY = 16  # epochs: then it costs nothing, however small these are
_SAFE_NORM = 1e37  # parameters of a smaller norm are finite, in float32 too


class Before:
    """Parameters, state, memory of the optimizer, generator and tally of a run before a step.

    A step, or the end of an epoch, that is interrupted has not been taken: `restore` undoes it.
    The arrays to copy into are made once. The state of the generator is copied only for a network
    whose passes draw from it, as the first step shows. Parameters are copied only before an update
    that may have to be undone, and memory only before one that may break off.
    """

    def __init__(self, run: Run) -> None:
        self.run, network = run, run.network
        self.values = network.values.copy()
        self.params, self.state = np.split(self.values, [network.n_params])
        self.has_params = self.has_memory = True  # whether the copies are of this step
        self.memory: dict[str, tuple[Array, Array]] = {}  # each with its copy
        self.rng: Any = None
        self.draws = True
        self.tally: tuple[Tally, float, int, int]
        self.place = (0, 0)
        self.lengths: dict[str, int] | None = None  # of the history

    def save_epoch(self) -> None:
        """Save what the end of an epoch changes."""
        self.save()
        self.save_memory()
        self.lengths = {name: len(values) for name, values in self.run.history.items()}

    def save(self) -> None:
        """Save what the next step may change before its update."""
        run, self.lengths = self.run, None
        self.has_params = self.has_memory = False
        if self.state.size:
            np.copyto(self.state, run.network.state)
        if self.draws:
            self.rng = get_state(run.network.rng)
        tally = run.tally
        self.tally = (tally, tally.cost_sum, tally.examples, len(tally.batches.get("Y", ())))
        self.place = (run.epoch, run.step)

    def save_params(self) -> None:
        """Save the parameters, which an update moves."""
        np.copyto(self.params, self.run.network.params)
        self.has_params = True

    def save_memory(self) -> None:
        """Save the memory of the optimizer, which an update changes."""
        saved, memory = self.memory, self.run.optimizer.memory
        # A rule may put another array in the place of one.
        if {name: id(array) for name, array in memory.items()} == {
            name: id(array) for name, (array, _) in saved.items()
        }:
            for array, copy in saved.values():
                np.copyto(copy, array)
        else:
            self.memory = {name: (array, array.copy()) for name, array in memory.items()}
        self.has_memory = True  # last, because a signal may break off the copying

    def notice_draws(self) -> None:
        """Look, after the first step, whether it drew random numbers."""
        self.draws = str(get_state(self.run.network.rng)) != str(self.rng)

    def restore(self) -> None:
        """Undo the step that was under way."""
        run = self.run
        self.restore_values()
        if self.has_memory:
            run.optimizer.memory.clear()
            run.optimizer.memory.update({name: c.copy() for name, (_, c) in self.memory.items()})
        if self.draws:
            put_state(run.network.rng, self.rng)
        run.epoch, run.step = self.place
        run.tally, cost_sum, examples, n = self.tally
        self._restore_tally(run.tally, cost_sum, examples, n)
        if self.lengths is not None:
            for name in list(run.history):
                del run.history[name][self.lengths.get(name, 0) :]
                if name not in self.lengths:
                    del run.history[name]

    def restore_values(self) -> None:
        """Restore the state, and the parameters if the step was to move them."""
        network = self.run.network
        network.state[:] = self.state
        if self.has_params:
            network.params[:] = self.params

    @staticmethod
    def _restore_tally(tally: Tally, cost_sum: float, examples: int, n: int) -> None:
        """Have only the first `n` batches in a tally."""
        tally.cost_sum, tally.examples = cost_sum, examples
        for parts in tally.batches.values():
            del parts[n:]
        for name in [name for name, parts in tally.batches.items() if not parts]:
            del tally.batches[name]


class Loop:
    """Takes a run from where it is to its last epoch, or until something stops it.

    A checkpoint saves the state of ``callbacks``. Those in ``first`` come before them, and have no
    state to save.
    """

    def __init__(
        self,
        run: Run,
        data: Prepared,
        callbacks: Sequence[Callback],
        path: str | None,
        first: Sequence[Callback] = (),
    ) -> None:
        self.run, self.data, self.callbacks, self.path = run, data, callbacks, path
        self.called = [*first, *callbacks]
        self.callbacks_before = [dict(vars(callback)) for callback in self.called]
        for callback in self.called:
            callback.model, callback.run = run.network, run
            for name in callback.measures:
                if name not in run.names:
                    run.added.append(name)
        self.costs: deque[float] = deque(maxlen=5)  # of the last steps
        self.before, self.ctrl_c = Before(run), CtrlC(run)
        self.is_first_step = True
        self.optimizer_is_own = _is_own(run.optimizer)
        self.callbacks_are_own = all(map(_is_own, callbacks))
        self.largest_norm = math.inf  # a bound of the norm of the parameters

    def begin(self, restore: Callable[[], None] | None = None) -> None:
        """Do what comes before the first step, and may be refused.

        Then the network and the callbacks are as they were before. `restore` brings the run
        to the state of a checkpoint.
        """
        network = self.run.network
        try:
            if restore:
                restore()
            if self.path:
                expect_replaceable(self.path)
            self.run.optimizer.begin(network)
            for callback in self.called:
                callback.check()
            self._call("on_train_begin", {})
            self._write_checkpoint()
        except BaseException:
            network.values[:] = self.before.values
            self._release()
            for callback, before in zip(self.called, self.callbacks_before, strict=True):
                vars(callback).clear()
                vars(callback).update(before)
            raise

    def train(self) -> History:
        """Train, and return the history."""
        try:
            try:
                self._train_epochs()
            except NonFiniteError as error:
                self.run.stopped = "a number was not finite"
                self._end()
                error.history = self.run.history
                for note in self.run.notes:
                    error.add_note(note)
                raise
            self._end()
        finally:
            self._release()
        return self.run.history

    def _train_epochs(self) -> None:
        run = self.run
        with self.ctrl_c.handled(self.before.restore):
            while run.epoch < run.settings.epochs and not run.stopped:
                self._train_epoch()

    def _end(self) -> None:
        history = self.run.history
        history.stopped = self.run.stopped
        # The checkpoint is of the last step: what on_train_end may change is not resumed from.
        self._call("on_train_end", {name: values[-1] for name, values in history.items()})

    def _release(self) -> None:
        """Have callbacks without the model: they may live on, and it may hold the data."""
        for callback in self.called:
            vars(callback).pop("model", None)  # one may be there twice
        self.run.release()

    def _train_epoch(self) -> None:
        run, every = self.run, self.run.settings.checkpoint_every
        self._call("on_epoch_begin", run.epoch, {})
        for X, Y, w in self._batches():
            self._call_in_step("on_batch_begin", run.step, {})
            self.before.save()
            self.ctrl_c.within_step = True
            flags = switch_off()  # what is not finite is an error
            try:
                J = self._step(X, Y, w)
            finally:
                switch_back(flags)
            run.step, self.ctrl_c.within_step = run.step + 1, False
            self.ctrl_c.is_blocked = False
            if self.ctrl_c.is_pending:
                raise KeyboardInterrupt
            if self.is_first_step:
                self.is_first_step = False
                self.before.notice_draws()
            self._call_in_step("on_batch_end", run.step - 1, {"loss": J})
            if run.stopped or (every and run.step % every == 0):
                self._write_checkpoint()
            if run.stopped:
                return
        self._end_epoch()

    def _step(self, X: Array, Y: Array, w: Array | None) -> float:
        """Take a step, or none where a number is not finite; return the cost before it."""
        run, network, m = self.run, self.run.network, X.shape[-1]
        chain = network.chain
        if chain is None or chain.m != m:
            chain = network.use_chain(m)

        A = chain.forward(X, True, network.rng)
        J = chain.cost(Y, w)
        chain.back_from(Y, w)
        self.costs.append(J)
        squares = self._expect_finite(J, network.grads)
        _add(run.tally, J, Y, A, w if self.data.training.weighs_metrics else None)

        self._update(J, squares)
        return J

    def _update(self, J: float, squares: float) -> None:
        """Have the optimizer move the parameters; save first what is needed to undo that.

        `squares` is the sum of the squares of the gradients. An optimizer of the library raises no
        error once it has its learning rate. Where Ctrl-C waits too, its update cannot break off.
        """
        run, network, before = self.run, self.run.network, self.before
        may_break_off = not (self.optimizer_is_own and self.ctrl_c.is_handled)
        self.ctrl_c.is_blocked = not may_break_off
        self.largest_norm += run.optimizer.largest_change(math.sqrt(squares))
        may_be_undone = may_break_off or not self.callbacks_are_own or bool(run.frozen)
        if network.state.size and not may_be_undone:
            may_be_undone = not all_finite(network.state)
        if not may_be_undone and self.largest_norm < _SAFE_NORM:
            run.optimizer.step(network)  # every parameter stays finite
            return
        before.save_params()
        if may_break_off:
            before.save_memory()
        for part in run.frozen:
            network.grads[part] = 0  # a part of the state has no gradients: it is empty here
        run.optimizer.step(network)
        for part in run.frozen:
            network.values[part] = before.values[part]
        squares = self._expect_finite(J, network.values, was_updated=True)
        self.largest_norm = math.sqrt(squares)

    def _expect_finite(self, J: float, vector: Array, was_updated: bool = False) -> float:
        """Return the sum of the squares of a vector of finite numbers."""
        # A sum of squares is finite only if every number is. It may overflow where every number is
        # finite, so then look closer.
        look_closer = self.run.settings.detect_anomaly and not was_updated
        is_small = vector.size <= ON_ONE_THREAD  # then the product itself is, without a call
        squares = float(vector.dot(vector)) if is_small else sum_of_squares(vector)
        if math.isfinite(J + squares) and not look_closer:
            return squares
        network = self.run.network
        culprit = first_nonfinite(network)
        if culprit is None and math.isfinite(J) and all_finite(vector):
            return squares
        self.ctrl_c.within_step = False
        self.before.restore_values()
        if was_updated:  # the step is in the optimizer's memory already
            self.run.optimizer.reset()
        raise nonfinite_error(self.run, culprit or "the cost", self.costs, was_updated)

    def _end_epoch(self) -> None:
        run = self.run
        measured = run.tally.measures()
        if self.data.validation is not None:
            values = evaluate(run.network, self.data.validation, run.metrics)
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
        self._write_checkpoint()

    def _call_at_epoch_end(self, logs: dict[str, Any]) -> None:
        """Call the hooks; what callbacks measure enters both the logs and the history."""
        history, epoch, measured = self.run.history, self.run.epoch - 1, set(logs)
        lengths = {name: len(values) for name, values in history.items()}
        for callback in sorted(self.called, key=lambda callback: not callback.measures):
            callback.on_epoch_end(epoch, logs)
            measures = numbers_of({name: logs[name] for name in callback.measures if name in logs})
            for name in callback.measures:
                if name not in measures:
                    found = f"{type(callback).__name__}.measures has {name!r}, which is "
                    found += f"{shown(logs[name])}, no number" if name in logs else "not in logs"
                    raise ValueError(f"{found}. Set logs[{name!r}] to a number in on_epoch_end.")
        recorded = {
            name: values[-1]
            for name, values in history.items()
            if len(values) > lengths.get(name, 0)
        }
        for name, value in numbers_of(logs).items():
            if name not in measured and name not in recorded:
                history.record({name: value})
        self._call("on_epoch_logged", epoch, recorded | logs)

    def _batches(self) -> Iterator[Batch]:
        """Return the batches that are left of the epoch, and restore the generator."""
        run, batches, rng = self.run, self.data.training, self.run.network.rng
        if not run.step:
            run.rng_at_epoch = state_of(rng) if self.path else None
            return batches.epoch(rng)
        assert run.rng_at_epoch is not None, "a run that begins within an epoch is a resumed one"
        now = state_of(rng)
        set_state(rng, run.rng_at_epoch)
        remaining = batches.epoch(rng, run.step)  # draws the order of the epoch once more
        set_state(rng, now)
        return remaining

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.called:
            getattr(callback, hook)(*arguments)

    def _call_in_step(self, hook: str, *arguments: Any) -> None:
        for callback in self.called:
            if callback.watches_steps:
                getattr(callback, hook)(*arguments)

    def _write_checkpoint(self) -> None:
        if self.path:
            checkpoint.write(self.run, self.callbacks, self.path)


def _add(tally: Tally, J: float, Y: Array, A: Array, w: Array | None) -> None:
    """Add a batch, which has the mean cost J."""
    m = A.shape[-1]
    tally.cost_sum += m * J
    tally.examples += m
    if tally.metrics:
        for name, array in (("Y", Y), ("A", A), ("w", w)):
            if array is not None:
                tally.batches.setdefault(name, []).append(array.copy())


def _is_own(part: object) -> bool:
    """Return whether an optimizer or callback is one of the library, and no subclass of it."""
    return type(part).__module__.startswith("tinynet.")


@quiet
def evaluate(network: Network, batches: Batches, metrics: dict[str, Measure]) -> dict[str, float]:
    """Return the loss and the metrics on batches, in order; the network stays as it is."""
    tally = Tally(metrics, output_kind(network))
    for X, Y, w in batches.epoch(None):
        chain = network.storage.private_chain(X.shape[-1])
        A = chain.forward_input(X)
        _add(tally, chain.cost(Y, w), Y, A, w if batches.weighs_metrics else None)
    return tally.measures()
