"""What every Communicator must do; as a program, the checks of MPI on the ranks of mpiexec."""

import json
import sys
import traceback
from functools import lru_cache
from pathlib import Path

import numpy as np

from tinynet._support.communicator import broadcast_bytes, gather_parts, gather_texts

TEXTS = ("", "Ünïcode: ∂J/∂W", "line\nline", "𝛼")


@lru_cache(maxsize=4)
def numbers(rank, n):
    """Return numbers of a rank that no order of summing adds without rounding."""
    return np.random.default_rng(rank).normal(size=n)


def rank_and_size(ranks):
    """Each rank has another number, from 0 to size - 1."""
    rows = ranks.gather(np.array([ranks.rank, ranks.size]))
    assert [[rank, ranks.size] for rank in range(ranks.size)] == rows.tolist()


def sums(ranks):
    """A sum is right, lies in the vector itself, and has the same bits on all ranks."""
    for n in (0, 1, 3, 1000, 100_003, 1_100_000):
        for dtype, rtol in (("float32", 1e-5), ("float64", 1e-13)):
            parts = [numbers(rank, n).astype(dtype) for rank in range(ranks.size)]
            vector = parts[ranks.rank].copy()
            assert ranks.sum(vector) is None
            expected, scale = np.sum(parts, axis=0, dtype=float), np.sum(np.abs(parts), axis=0)
            assert vector.dtype == dtype
            assert np.all(np.abs(vector - expected) <= rtol * scale), f"{n} numbers of {dtype}"
            bits = ranks.gather(vector).view(np.uint8)
            assert np.all(vector.view(np.uint8) == bits), f"{n} numbers of {dtype}: other bits"


def sums_of_views(ranks):
    """The sum goes into a part of a vector, and leaves the rest alone."""
    vector = np.ones(10)
    ranks.sum(vector[2:5])
    assert [1, 1, *[ranks.size] * 3, *[1] * 5] == vector.tolist()


def sums_that_are_not_finite(ranks):
    """What is not finite on one rank is so on all."""
    vector = np.ones(3, np.float32)
    if ranks.rank == 0:
        vector[:2] = np.nan, np.inf
    ranks.sum(vector)
    assert [False, False, True] == np.isfinite(vector).tolist()


def sums_of_whole_numbers(ranks):
    """Whole numbers are summed as such."""
    vector = np.array([ranks.rank, 2**40])
    ranks.sum(vector)
    assert [ranks.size * (ranks.size - 1) // 2, ranks.size * 2**40] == vector.tolist()


def gathering(ranks):
    """Row r is the vector of rank r, on all ranks, in its dtype."""
    for dtype in ("float32", "float64", "int64", "uint8"):
        for n in (0, 1, 5):
            rows = ranks.gather(np.full(n, ranks.rank, dtype))
            assert (rows.shape, rows.dtype) == ((ranks.size, n), np.dtype(dtype))
            assert rows.tolist() == [[rank] * n for rank in range(ranks.size)]


def gathering_parts(ranks):
    """Vectors of different lengths are gathered, where those of some or all ranks are empty."""
    for lengths in ([3, 0, 5, 1], [0, 2, 0, 0], [0, 0, 0, 0]):
        parts = gather_parts(ranks, numbers(ranks.rank, lengths[ranks.rank]).astype("float32"))
        assert lengths[: ranks.size] == [part.size for part in parts]
        for rank, part in enumerate(parts):
            assert numbers(rank, lengths[rank]).astype("float32").tobytes() == part.tobytes()


def gathering_texts(ranks):
    """Texts are gathered, also empty ones, and those of other scripts."""
    assert [*TEXTS[: ranks.size]] == gather_texts(ranks, TEXTS[ranks.rank])
    assert [""] * ranks.size == gather_texts(ranks, "")


def broadcasting(ranks):
    """The vector of rank 0 comes into those of all."""
    for dtype in ("float32", "float64", "int64"):
        for n in (0, 1, 1000):
            vector = np.arange(n).astype(dtype) + 10 * ranks.rank
            assert ranks.broadcast(vector) is None
            assert np.arange(n).tolist() == vector.tolist()


def broadcasting_bytes(ranks):
    """The bytes of rank 0 come to all, whatever the others pass."""
    for content in (b"", b"\0\xff", bytes(100_000)):
        given = content if ranks.rank == 0 else b"another" * ranks.rank
        assert content == broadcast_bytes(ranks, given)


def many_calls(ranks):
    """Calls do not mix, however one rank runs ahead of the others."""
    for step in range(200):
        vector = np.full(7, step + ranks.rank)
        ranks.sum(vector)
        assert step * ranks.size + ranks.size * (ranks.size - 1) // 2 == vector[0]


def failing_together(ranks):
    """If all ranks fail, each goes on with its error."""
    assert ranks.fail(ValueError("all refuse this")) is None


CHECKS = (
    rank_and_size, sums, sums_of_views, sums_that_are_not_finite, sums_of_whole_numbers, gathering,
    gathering_parts, gathering_texts, broadcasting, broadcasting_bytes, many_calls,
    failing_together,
)  # fmt: skip


def failing_alone(ranks):
    """Wait, as all ranks but the last do, which fails."""
    if ranks.rank == ranks.size - 1:
        error = ValueError("this rank is ill")
        ranks.fail(error)
        raise error
    ranks.sum(np.zeros(3))


def faults(ranks):
    """Return what went wrong on this rank, by the name of the check."""
    found = {}
    for check in CHECKS:
        try:
            check(ranks)
        except Exception:
            found[check.__name__] = traceback.format_exc()
    return found


if __name__ == "__main__":
    from tinynet.parallel import MPI

    ranks = MPI()
    if sys.argv[1] == "alone":
        failing_alone(ranks)
    else:
        found = {"size": ranks.size, "faults": faults(ranks)}
        Path(sys.argv[1], f"{ranks.rank}.json").write_text(json.dumps(found), "utf-8")
