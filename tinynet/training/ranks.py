"""Training on several ranks: what they exchange in each step, and at the end of each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from tinynet._support.arrays import Array, scalar
from tinynet._support.communicator import (
    Communicator,
    SharedBatch,
    broadcast_value,
    gather_parts,
    gather_texts,
)
from tinynet._support.random import get_state, plain
from tinynet.data.batches import Batch
from tinynet.errors import ParallelError
from tinynet.model.network import Network
from tinynet.training.draws import Draws


class Ranks:
    """The ranks that train one model, each with a part of every batch.

    ``shared`` is the batch of the current step, and ``draws`` is where layers draw from.
    ``stopped`` is why the run ends early: it is empty until every rank knows, so that all take the
    same steps.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.rank, self.size = communicator.rank, communicator.size
        self.shared, self.draws = SharedBatch(communicator), Draws(self.rank)
        self.stopped = ""
        self.cost = 0.0  # of this rank's part in the last step

    # In a step.

    def parts(self, batches: Iterator[Batch], one: Batch) -> Iterator[Batch]:
        """Yield this rank's parts of batches; in place of an empty part, `one` example.

        That has a weight of 0, and does not count: so every rank takes every step.
        """
        for batch in batches:
            self.shared.m = batch[0].shape[-1]
            yield batch if self.shared.m else one

    def reduce(self, network: Network, J: float, m: int, stopped: str) -> float:
        """Make the gradients those of the whole batch of m examples, and return its cost.

        Both are sums of m_rank / m times those of each rank. Whether a rank wants to stop is
        exchanged in the same move.
        """
        vector, grads, share = network.storage.summed, network.grads, self.shared.m / m
        if share:
            grads *= scalar(share, grads.dtype)
        else:
            grads[:], J = 0, 0.0
        self.cost = J
        vector[-2:] = share * J, bool(stopped)
        self.communicator.sum(vector)
        J, stops = vector[-2:].tolist()
        if stops:
            self._agree(stopped)
        return J

    def own(self, Y: Array, A: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
        """Return of a part the examples that count."""
        m = self.shared.m
        return Y[..., :m], A[..., :m], None if w is None else w[:m]

    def first_fault(self, own: str | None) -> str | None:
        """Return what is not finite on the first rank on which anything is."""
        if own is None and not math.isfinite(self.cost):
            own = "the cost"
        if not self.shared.m:  # the example here does not count
            own = None
        faults = gather_texts(self.communicator, own or "")
        found = [f"{fault} on rank {rank}" for rank, fault in enumerate(faults) if fault]
        return found[0] if found else None

    # Between steps.

    def vote(self, stopped: str) -> bool:
        """Return whether any rank wants to stop; then all of them know why."""
        votes = np.array([float(bool(stopped))])
        self.communicator.sum(votes)
        if votes[0]:
            self._agree(stopped)
        return bool(self.stopped)

    def _agree(self, stopped: str) -> None:
        self.stopped = next(filter(None, gather_texts(self.communicator, stopped)))

    def compare(self, network: Network, stopped: str = "") -> None:
        """Refuse models that are no longer the same on all ranks; vote in the same move."""
        state = np.frombuffer(repr(plain(get_state(network.rng))).encode(), np.uint8)
        row = [checksum(network.values), checksum(state), bool(stopped)]
        rows = self.communicator.gather(np.array(row, np.int64))
        if (rows[:, :2] != rows[0, :2]).any():
            raise self._diverged({**network.storage.named(), "the model's generator": state})
        if rows[:, 2].any():
            self._agree(stopped)

    def _diverged(self, named: Mapping[str, Array]) -> ParallelError:
        """Return the error for models that are no longer the same, which names the first array."""
        rows = self.communicator.gather(np.array(list(map(checksum, named.values()))))
        differ = (rows != rows[0]).any(axis=0)
        name = list(named)[int(differ.argmax())]
        found = f"{name} differs between ranks after an epoch, expected equal arrays"
        why = "Custom callbacks, optimizers and layers must do the same on every rank. A layer "
        why += "that takes means over the examples must ask cache.shared for those of all ranks."
        return ParallelError(f"{found}. {why}")

    def of_first(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Return the numbers of rank 0, for the same names."""
        vector = np.array(list(numbers.values()), np.float64)
        self.communicator.broadcast(vector)
        return dict(zip(numbers, vector.tolist(), strict=True))

    def record_as_first(self, history: dict[str, list[float]], lengths: Mapping[str, int]) -> None:
        """Make what callbacks have recorded, behind these lengths, that of rank 0.

        Some measure another number on each rank, and some are called on rank 0 alone.
        """
        added = {name: values[lengths.get(name, 0) :] for name, values in history.items()}
        numbers = {name: list(map(plain, values)) for name, values in added.items() if values}
        of_first = broadcast_value(self.communicator, numbers)
        if self.rank == 0:
            return
        for name in numbers:
            del history[name][lengths.get(name, 0) :]
            if not history[name]:
                del history[name]
        for name, values in of_first.items():
            history.setdefault(name, []).extend(values)

    def sum(self, *numbers: float) -> list[float]:
        """Return the sums of numbers over all ranks."""
        vector = np.array(numbers, np.float64)
        self.communicator.sum(vector)
        return vector.tolist()

    def joined(self, parts: Sequence[Array]) -> Array:
        """Return the examples of whole batches, in order, of which `parts` are those of this rank.

        The order is that in which one process would have them.
        """
        rows = np.ascontiguousarray(np.moveaxis(np.concatenate(parts, axis=-1), -1, 0))
        vectors = gather_parts(self.communicator, rows.reshape(-1))
        of_ranks = [vector.reshape(-1, *rows.shape[1:]) for vector in vectors]
        lengths = self.communicator.gather(np.array([part.shape[-1] for part in parts]))
        ends = np.cumsum(np.pad(lengths, ((0, 0), (1, 0))), axis=1).tolist()
        places = zip(*[pairwise(of_rank) for of_rank in ends], strict=True)  # by batch
        in_order = [
            of_rank[slice(*place)]
            for batch in places
            for of_rank, place in zip(of_ranks, batch, strict=True)
        ]
        return np.moveaxis(np.concatenate(in_order), 0, -1)


def checksum(*arrays: Array) -> int:
    """Return a number that differs where the bytes of some arrays do."""
    import zlib  # takes half a millisecond

    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return total
