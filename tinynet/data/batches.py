"""Batches: where the batches of an epoch come from, and those of arrays in memory.

An epoch is a sequence of batches (X, Y, w), in the model's dtype and with examples as columns. w
are the weights of the examples, (m,), or None. The next batch may overwrite the arrays of a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from typing import TypeAlias

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.communicator import Communicator
from tinynet._support.random import Random

BATCH_SIZE = 32  # of fit, by default
_SAMPLE = 1024  # the most examples that metrics are tried on
Batch: TypeAlias = "tuple[Array, Array, Array | None]"


def part_of(batch: Batch, examples: slice | Array) -> Batch:
    """Return these examples of a batch."""
    X, Y, w = batch
    return X[..., examples], Y[..., examples], None if w is None else w[examples]


class Batches(ABC):
    """Where batches come from.

    ``m`` is the number of examples an epoch, ``steps`` the number of batches and ``smallest`` the
    number of examples in the smallest batch, each None where it is not known in advance. ``shape``
    is the shape of an example. ``weighs_metrics`` is whether the weights count in metrics too.
    After `divide` all this is still said of whole batches, of which a rank has a part.
    """

    m: int | None = None
    steps: int | None = None
    smallest: int | None = None
    shape: Shape
    weighs_metrics = False
    communicator: Communicator | None = None

    def divide(self, communicator: Communicator) -> None:
        """Have an epoch give only this rank's part of each batch, which may be empty."""
        self.communicator = communicator

    @abstractmethod
    def examples_of(self, number: int) -> int:
        """Return how many examples batch `number` of an epoch has on all ranks together."""

    @abstractmethod
    def sample(self) -> Batch:
        """Return some examples to try metrics on; they need not be any that an epoch gives."""

    @abstractmethod
    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch, from batch `start` (counted from 0) on.

        Their order is drawn from `rng`. Without it they are in order, as they are where no
        shuffling was asked for. All drawing is done here, before the first batch: with the
        generator in the same state, the same epoch can begin again at any batch.
        """

    def skip(self, epochs: int) -> None:  # noqa: B027  most begin each epoch anew
        """Skip whole epochs that were trained before, where one continues the other."""


class CountedBatches(Batches):
    """Batches of examples whose number is known."""

    m: int
    steps: int
    smallest: int

    def __init__(self, m: int, shape: Shape, batch_size: int | None, shuffle: bool | str) -> None:
        self.m, self.shape = m, shape
        self.size = m if batch_size is None else min(batch_size, m)
        self.steps = -(-m // self.size)
        self.smallest = m - (self.steps - 1) * self.size
        self.shuffle = self.steps > 1 and shuffle  # the order in one batch would change nothing

    def examples_of(self, number: int) -> int:
        return min(self.size, self.m - number * self.size)

    def slices(self, start: int, stop: int) -> Iterator[slice]:
        """Return where in start … stop - 1 each batch is, or this rank's part of each."""
        ends = chain(range(start + self.size, stop, self.size), [stop])
        batches = map(slice, range(start, stop, self.size), ends)
        return batches if self.communicator is None else map(self.communicator.part, batches)


class ArraySlices(CountedBatches):
    """Arrays in memory, X, Y and perhaps w, always in order: nothing is copied."""

    def __init__(self, data: Batch, batch_size: int | None, shuffle: bool | str = False) -> None:
        X, _, _ = self.data = data
        super().__init__(X.shape[-1], X.shape[:-1], batch_size, shuffle)

    def sample(self) -> Batch:
        # They come from all over, because examples may lie class by class.
        spread = np.linspace(0, self.m - 1, min(self.m, _SAMPLE)).astype(np.intp)
        return part_of(self.data, spread)

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        for place in self.slices(start * self.size, self.m):
            yield part_of(self.data, place)


class ArrayBatches(ArraySlices):
    """Arrays in memory, X, Y and perhaps w, gathered batch by batch.

    An example is a row in memory, so that a batch in any order is one contiguous gather. X.T of
    an array with an example in each row lies so already; columns are copied into rows, once. A
    batch is the transposed view of an array that the next batch of its size overwrites.
    """

    def __init__(self, data: Batch, batch_size: int | None, shuffle: bool | str = True) -> None:
        super().__init__(data, batch_size, shuffle)
        X, Y, w = data
        if self.steps == 1:
            self.data = X, np.copy(Y), w
            return
        arrays = [X, Y] if w is None else [X, Y, w]
        self.rows = [np.ascontiguousarray(np.moveaxis(array, -1, 0)) for array in arrays]
        self.buffers: dict[int, tuple[list[Array], Batch]] = {}  # by the number of examples

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        if self.steps == 1:
            return super().epoch(rng, start)
        order = np.arange(self.m) if rng is None or not self.shuffle else rng.permutation(self.m)
        return self._gather(order, start)

    def _gather(self, order: Array, start: int) -> Iterator[Batch]:
        for place in self.slices(start * self.size, self.m):
            chosen = order[place]
            if len(chosen) not in self.buffers:
                self.buffers[len(chosen)] = self._new_buffers(len(chosen))
            arrays, batch = self.buffers[len(chosen)]
            for rows, array in zip(self.rows, arrays, strict=True):
                # With mode "clip", take writes straight into `out`. The indices are in range.
                rows.take(chosen, axis=0, out=array, mode="clip")
            yield batch

    def _new_buffers(self, m: int) -> tuple[list[Array], Batch]:
        """Return arrays for m rows of X, of Y and of w, and the batch that they are as columns."""
        arrays, columns = [], []
        for rows in self.rows:
            arrays.append(np.empty_like(rows, shape=(m, *rows.shape[1:])))
            columns.append(np.moveaxis(arrays[-1], 0, -1))
        X, Y, *w = columns
        return arrays, (X, Y, w[0] if w else None)
