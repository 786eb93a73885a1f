"""What a step changes, saved before it, so that one that is broken off can be undone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.random import get_state, put_state
from tinynet.training.run import Run
from tinynet.training.tally import Tally


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
