"""Ranks that are threads of one process, for tests and for a debugger."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import integer
from tinynet._support.communicator import Communicator
from tinynet.errors import ParallelError

T = TypeVar("T")


class Meeting:
    """Where threads leave vectors for one another, and wait until all have done so."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.error: BaseException | None = None  # the first with which a rank failed
        self._why_over = ""
        self._changed = threading.Condition()
        self._calls: dict[int, dict[int, tuple[str, Array]]] = {}  # what each rank brings, by rank

    def exchange(self, rank: int, number: int, method: str, vector: Array) -> list[Array]:
        """Return the vectors that the ranks bring to their call of this number."""
        with self._changed:
            brought = self._calls.setdefault(number, {})
            brought[rank] = (f"{method} of {vector.size} {vector.dtype}", vector.copy())
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(brought) == self.size or self._why_over)
            if len(brought) < self.size:
                raise ParallelError(f"{self._why_over}, and the others wait.") from self.error
            self._calls.pop(number, None)  # everybody has it in hand
        calls = {brought[other][0] for other in range(self.size)}
        if len(calls) > 1:
            found = f"The ranks call different things: {' and '.join(sorted(calls))}"
            raise ParallelError(f"{found}. All must make the same calls in the same order.")
        return [brought[other][1] for other in range(self.size)]

    def end(self, why: str, error: BaseException | None = None) -> None:
        """Let those who wait for a rank that will not come know why; the first reason counts."""
        with self._changed:
            self.error = self.error or error
            self._why_over = self._why_over or why
            self._changed.notify_all()


class Threads(Communicator):
    """Ranks that are threads of one process, for tests and for a debugger.

    They train no faster than one process: to train fast, use `MPI`.

    Parameters
    ----------
    rank : int
        The number of this thread, from 0.
    meeting : object
        What the ranks of a run share; `run` makes it.

    Examples
    --------
    >>> import numpy as np
    >>> import tinynet as tn
    >>> def count(communicator):
    ...     ones = np.ones(2)
    ...     communicator.sum(ones)
    ...     return communicator.rank, ones
    >>> tn.parallel.Threads.run(2, count)
    [(0, array([2., 2.])), (1, array([2., 2.]))]
    """

    def __init__(self, rank: int, meeting: Meeting) -> None:
        self.rank, self.size = rank, meeting.size
        self._meeting, self._calls = meeting, 0

    @staticmethod
    def run(size: int, function: Callable[[Threads], T]) -> list[T]:
        """Call `function` in each of `size` threads, with a communicator, and return the results.

        Parameters
        ----------
        size : int
            The number of ranks.
        function : callable
            It gets the communicator of its thread. After an error in one thread, each other
            thread gets a `ParallelError` when it next waits for that one.

        Returns
        -------
        list
            What the function returned, by rank.

        Raises
        ------
        BaseException
            The first error of a thread.

        Examples
        --------
        >>> import tinynet as tn
        >>> tn.parallel.Threads.run(3, lambda communicator: communicator.rank)
        [0, 1, 2]
        """
        meeting = Meeting(integer("size", size))
        with ThreadPoolExecutor(size) as pool:
            try:
                ranks = [Threads(rank, meeting) for rank in range(size)]
                futures = [pool.submit(rank._work, function) for rank in ranks]
                wait(futures)
            finally:
                meeting.end("The run was interrupted")  # by Ctrl-C; otherwise nobody is left
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise meeting.error if meeting.error in errors else errors[0]
        return [future.result() for future in futures]

    def _work(self, function: Callable[[Threads], T]) -> T:
        try:
            return function(self)
        except BaseException as error:
            self.fail(error)
            raise
        finally:
            self._meeting.end(f"Rank {self.rank} has returned")

    def sum(self, vector: Array) -> None:
        vector[:] = functools.reduce(np.add, self._exchange("sum", vector))

    def gather(self, vector: Array) -> Array:
        return np.stack(self._exchange("gather", vector))

    def broadcast(self, vector: Array) -> None:
        vector[:] = self._exchange("broadcast", vector)[0]

    def fail(self, error: BaseException) -> None:
        self._meeting.end(f"Rank {self.rank} has failed with {error!r}", error)

    def _exchange(self, method: str, vector: Array) -> list[Array]:
        self._calls += 1
        return self._meeting.exchange(self.rank, self._calls, method, vector)
