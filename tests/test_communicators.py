"""Every Communicator keeps the protocol, as threads and, where the extra is installed, by MPI."""

import json
import threading
import time

import numpy as np
import pytest
from messages import raises
from mpi.launch import needs_mpi, run
from mpi.protocol import CHECKS, failing_alone

import tinynet as tn
from tinynet.errors import ParallelError

Threads = tn.parallel.Threads


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_protocol_of_threads(check, size):
    """Threads keep the protocol."""
    assert [None] * size == Threads.run(size, check)


@needs_mpi
@pytest.mark.parametrize("size", [1, 2, 4])
def test_protocol_of_mpi(size, tmp_path):
    """Processes of MPI keep the protocol, and end without an error."""
    code, output, errors = run(size, "protocol.py", tmp_path)
    assert (0, "", "") == (code, output, errors)
    found = [json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in range(size)]
    for rank, result in enumerate(found):
        assert {"size": size, "faults": {}} == result, f"rank {rank}"


@needs_mpi
@pytest.mark.parametrize("size", [2, 4])
def test_one_rank_of_mpi_fails(size):
    """An error of one rank ends those that wait for it, and is shown."""
    code, _, errors = run(size, "protocol.py", "alone")
    assert code != 0
    assert "ValueError: this rank is ill" in errors
    assert f"Rank {size - 1} of {size} failed with ValueError" in errors


# Threads alone


def test_results_of_threads():
    """The results are those of the ranks, in order, whenever each is ready."""

    def late(ranks):
        time.sleep(0.01 * (3 - ranks.rank))
        return ranks.rank, threading.get_ident()

    numbers, threads = zip(*Threads.run(3, late), strict=True)
    assert (0, 1, 2) == numbers
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_one_thread_fails(size):
    """The error of a thread comes out, and the others get one that names it."""
    heard = []

    def listening(ranks):
        try:
            failing_alone(ranks)
        except ParallelError as error:
            heard.append((str(error), repr(error.__cause__)))
            raise

    with raises(ValueError, "this rank is ill"):
        Threads.run(size, listening)
    error = "ValueError('this rank is ill')"
    expected = f"Rank {size - 1} has failed with {error}, and the others wait."
    assert [(expected, error)] * (size - 1) == heard


def test_an_error_without_a_call_of_fail():
    """An error that no training saw reaches the others too."""

    def plain(ranks):
        if ranks.rank == 0:
            raise KeyError("a callback")
        ranks.gather(np.zeros(1))

    with raises(KeyError, "a callback"):
        Threads.run(3, plain)


def test_a_thread_that_returns_early():
    """Those who wait for a thread that has returned get an error, and so does the caller."""

    def early(ranks):
        ranks.sum(np.zeros(2))
        if ranks.rank != 1:
            ranks.sum(np.zeros(2))

    with raises(ParallelError, "Rank 1 has returned, and the others wait."):
        Threads.run(3, early)


def test_a_thread_that_has_returned_had_done_its_part():
    """A rank that ends right behind the last call does not disturb those that still read."""
    for _ in range(200):
        assert [3, 3, 3] == Threads.run(3, lambda ranks: int(ranks.gather(np.ones(1)).sum()))


@pytest.mark.parametrize(("one", "other"), [
    (lambda ranks: ranks.sum(np.zeros(2)), lambda ranks: ranks.gather(np.zeros(2))),
    (lambda ranks: ranks.sum(np.zeros(2)), lambda ranks: ranks.sum(np.zeros(1))),
    (lambda ranks: ranks.sum(np.zeros(2)), lambda ranks: ranks.sum(np.zeros(2, "float32"))),
], ids=["method", "size", "dtype"])  # fmt: skip
def test_threads_that_call_different_things(one, other):
    """Calls that do not fit together are an error on all ranks: with MPI they would hang."""
    with raises(ParallelError, "different things: ", "sum of 2 float64", "in the same order"):
        Threads.run(2, lambda ranks: (one, other)[ranks.rank](ranks))


def test_sums_of_threads_are_in_the_order_of_ranks():
    """Numbers are added from rank 0 on."""

    def add(ranks):
        vector = np.array([(1e16, 1.0, -1e16)[ranks.rank]])
        ranks.sum(vector)
        return vector.item()

    assert [0.0] * 3 == Threads.run(3, add)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (2.5, TypeError), ("2", TypeError)])
def test_sizes_that_are_refused(size, error):
    """The number of ranks is a whole number of at least 1."""
    with raises(error, f"size is {size!r}, expected a whole number of at least 1"):
        Threads.run(size, lambda ranks: None)
