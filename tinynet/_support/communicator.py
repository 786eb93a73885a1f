"""Ranks: processes that train one model together, and how they exchange numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tinynet._support.arrays import Array


class Communicator(ABC):
    """What several processes, the ranks, need in order to train one model together.

    ``rank`` is the number of this process, from 0, and ``size`` is how many there are. All ranks
    call the same methods in the same order, and each call waits for the others. A vector is a
    contiguous 1-D array, of the same length and dtype on every rank.

    To train by another means than MPI, subclass it, and pass ``fit(..., parallel=...)`` an
    instance.
    """

    rank: int
    size: int

    @abstractmethod
    def sum(self, vector: Array) -> None:
        """Fill `vector` with the sum over all ranks, the same bits on each."""

    @abstractmethod
    def gather(self, vector: Array) -> Array:
        """Return the vectors of all ranks as the rows of an array, on every rank."""

    @abstractmethod
    def broadcast(self, vector: Array) -> None:
        """Fill `vector` with that of rank 0."""

    def part(self, batch: slice) -> slice:
        """Return this rank's part of the examples of a batch.

        The parts of the ranks follow one another, and their sizes differ by one at most.
        """
        n = batch.stop - batch.start
        start, stop = (batch.start + n * rank // self.size for rank in (self.rank, self.rank + 1))
        return slice(start, stop)

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """Have no rank wait for this one, which `error` ends.

        Return if every rank has failed, or will learn of it by an error in its next call.
        Otherwise end all processes.
        """


class SharedBatch:
    """A batch of which each rank has a part, for layers that compute over the whole batch.

    ``m`` is the number of examples in the part of this rank. It is 0 where the batch has fewer
    examples than there are ranks. Then the rank computes with an example that does not count.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator, self.m = communicator, 0

    def mean(self, of_part: Array) -> Array:
        """Return the mean over all examples for `of_part`, the mean over those of this rank.

        >>> import numpy as np
        >>> import tinynet as tn
        >>> def mean(communicator):
        ...     batch = SharedBatch(communicator)
        ...     batch.m = 1 + communicator.rank  # one example of 0, and two of 3
        ...     return batch.mean(np.array([3.0 * communicator.rank]))
        >>> tn.parallel.Threads.run(2, mean)
        [array([2.]), array([2.])]
        """
        vector = np.append(of_part * self.m if self.m else np.zeros_like(of_part), self.m)
        vector = vector.astype(of_part.dtype, copy=False)
        self.communicator.sum(vector)
        return (vector[:-1] / vector[-1]).reshape(of_part.shape)

    def gather(self, vector: Array) -> Array:
        """Return the vectors of all ranks as the rows of an array."""
        return self.communicator.gather(vector)


def gather_parts(communicator: Communicator, part: Array) -> list[Array]:
    """Return the vectors of all ranks, which have one dtype but may differ in length."""
    lengths = communicator.gather(np.array([part.size])).ravel().tolist()
    padded = np.zeros(max(lengths), part.dtype)
    padded[: part.size] = part
    rows = communicator.gather(padded)
    return [row[:n] for row, n in zip(rows, lengths, strict=True)]


def gather_texts(communicator: Communicator, text: str) -> list[str]:
    """Return the texts of all ranks."""
    parts = gather_parts(communicator, np.frombuffer(text.encode(), np.uint8))
    return [part.tobytes().decode() for part in parts]


def gather_values(communicator: Communicator, value: Any) -> list[Any]:
    """Return the values of all ranks, of what JSON can hold."""
    import json  # takes 4 ms

    return list(map(json.loads, gather_texts(communicator, json.dumps(value))))


def broadcast_value(communicator: Communicator, value: Any) -> Any:
    """Return the value of rank 0, of what JSON can hold."""
    import json

    return json.loads(broadcast_bytes(communicator, json.dumps(value).encode()))


def broadcast_bytes(communicator: Communicator, content: bytes) -> bytes:
    """Return the bytes of rank 0."""
    length = np.array([len(content)])
    communicator.broadcast(length)
    vector = np.zeros(int(length[0]), np.uint8)
    if communicator.rank == 0:
        vector[:] = np.frombuffer(content, np.uint8)
    communicator.broadcast(vector)
    return vector.tobytes()
