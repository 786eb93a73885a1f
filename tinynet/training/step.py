"""A training step, and what it changes, saved before it: a step that is broken off is undone."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import ON_ONE_THREAD, Array, all_finite, sum_of_squares
from tinynet._support.quiet import switch_back, switch_off
from tinynet._support.random import get_state, put_state
from tinynet.training.callbacks import Callback
from tinynet.training.interrupt import CtrlC
from tinynet.training.nonfinite import first_nonfinite, nonfinite_error
from tinynet.training.run import Run
from tinynet.training.tally import Tally

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


class Steps:
    """Takes the steps of a run."""

    def __init__(self, run: Run, callbacks: Sequence[Callback]) -> None:
        self.run, self.batches, self.ranks = run, run.data.training, run.ranks
        self.before, self.ctrl_c = Before(run), CtrlC(run)
        self.costs: deque[float] = deque(maxlen=5)  # of the last steps
        self.is_first = True
        self.optimizer_is_own = is_own(run.optimizer)
        self.callbacks_are_own = all(map(is_own, callbacks))
        self.largest_norm = math.inf  # a bound of the norm of the parameters
        self.largest_gradient = math.inf  # of the gradients that are in the optimizer's memory

    def take(self, X: Array, Y: Array, w: Array | None) -> float:
        """Take a step that can be undone, and return the cost before it."""
        run, ctrl_c = self.run, self.ctrl_c
        self.before.save()
        ctrl_c.within_step = True
        flags = switch_off()  # what is not finite is an error
        try:
            J = self._step(X, Y, w)
        finally:
            switch_back(flags)
        run.step, ctrl_c.within_step = run.step + 1, False
        ctrl_c.is_blocked = False
        if ctrl_c.is_pending:
            raise KeyboardInterrupt
        if self.is_first:
            self.is_first = False
            self.before.notice_draws()
        if self.ranks is not None and run.step == 1:
            self.ranks.draws.renew(run.network.rng)
        return J

    def _step(self, X: Array, Y: Array, w: Array | None) -> float:
        """Take a step, or none where a number is not finite; return the cost before it."""
        run, network, ranks, m = self.run, self.run.network, self.ranks, X.shape[-1]
        chain = network.chain
        if chain is None or chain.m != m:
            chain = network.use_chain(m)

        if ranks is None:
            A = chain.forward_as(X, True, network.rng)
        else:
            A = chain.forward_as(X, True, ranks.draws.of_step(run.epoch, run.step), ranks.shared)
        J = chain.cost(Y, w)
        chain.back_from(Y, w)
        if ranks is not None:
            m = self.batches.examples_of(run.step)
            J = ranks.reduce(network, J, m, run.stopped)
            Y, A, w = ranks.own(Y, A, w)
        self.costs.append(J)
        squares = self._expect_finite(J, network.grads)
        tally = run.tally
        tally.cost_sum += m * J
        tally.examples += m
        if tally.metrics:
            tally.keep(Y, A, w if self.batches.weighs_metrics else None)

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
        if self.is_first and not any(s.ndim for s in run.optimizer.memory.values()):
            self.largest_gradient = 0.0  # none is in the memory yet
        self.largest_gradient = max(self.largest_gradient, math.sqrt(squares))
        may_be_undone = may_break_off or not self.callbacks_are_own or bool(run.frozen)
        if network.state.size and not may_be_undone:
            may_be_undone = not all_finite(network.state)
        if not may_be_undone and self._stays_finite():
            run.optimizer.step(network)
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

    def _stays_finite(self) -> bool:
        """Return whether a bound shows that every parameter stays finite in this step."""
        self.largest_norm += self.run.optimizer.largest_change(self.largest_gradient)
        return self.largest_norm < _SAFE_NORM

    def _expect_finite(self, J: float, vector: Array, was_updated: bool = False) -> float:
        """Return the sum of the squares of a vector of finite numbers."""
        # A sum of squares is finite only if every number is. It may overflow where every number is
        # finite, so then look closer.
        look_closer = self.run.settings.detect_anomaly and not was_updated
        is_small = vector.size <= ON_ONE_THREAD  # then the product itself is, without a call
        squares = float(vector.dot(vector)) if is_small else sum_of_squares(vector)
        if math.isfinite(J + squares) and not look_closer:
            return squares
        culprit = self._first_nonfinite(was_updated)
        if culprit is None and math.isfinite(J) and all_finite(vector):
            return squares
        self.ctrl_c.within_step = False
        self.before.restore_values()
        if was_updated:  # the step is in the optimizer's memory already
            self.run.optimizer.reset()
        raise nonfinite_error(self.run, culprit or "the cost", self.costs, was_updated)

    def _first_nonfinite(self, was_updated: bool) -> str | None:
        """Return the first array that is not finite, of whichever rank has one."""
        network, ranks = self.run.network, self.ranks
        # After the update one rank may be alone here: with a state of its own, or because it alone
        # does not handle Ctrl-C. So it exchanges nothing.
        if ranks is None or was_updated:
            return first_nonfinite(network)
        own = first_nonfinite(network, with_gradients=False)  # these are sums over all ranks
        return ranks.first_fault(own) or first_nonfinite(network)


def is_own(part: object) -> bool:
    """Return whether an optimizer or callback is one of the library, and no subclass of it."""
    return type(part).__module__.startswith("tinynet.")
