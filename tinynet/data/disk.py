"""Batches of arrays on disk: files of rows, and arrays that are mapped into memory."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.examples import numbers, targets
from tinynet._support.random import Random
from tinynet.data.batches import Batch, CountedBatches
from tinynet.data.rows import Rows
from tinynet.data.weights import example_weights
from tinynet.errors import ShapeError
from tinynet.model.network import Network

# The most examples, and bytes, of arrays on disk that are in memory at a time.
_POOL, _POOL_BYTES = 8192, 1 << 25
# Bytes that are read though nobody needs them: to skip them takes a call, which costs as much.
_GAP = 1 << 16
_BLOCKS = 16  # places that the examples in memory come from; more places mix better
REFUSALS = (ValueError, TypeError, ArithmeticError)  # with which a batch is refused


class FileBatches(CountedBatches):
    """Arrays of which at least one is on disk: `Rows`, a memory map, or a view of one.

    A pool of examples is in memory at a time: at most 8192 of them or 32 MB, or one batch if that
    is more. Each batch is checked and cast when it is its turn. To shuffle by blocks is to read
    the pool from 16 places, and to draw the batches from it in any order; so a batch holds
    examples of these places and of no others. To shuffle the ``"whole"`` is to read each example
    by itself, from anywhere, which is slow.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: Any,
        batch_size: int | None,
        shuffle: bool | str,
        sample_weight: Any = None,
        class_weight: Any = None,
    ) -> None:
        if batch_size is None:
            raise ValueError("batch_size is None (all), but X or Y is on disk. Use batch_size=32.")
        self.network, self.sources = network, _sources(X, Y)
        self.w: Array | None = None
        m, one = len(self.sources[0]), self.sources[0][:1]
        super().__init__(m, as_columns(self.sources[0], one).shape[:-1], batch_size, shuffle)
        bytes_each = sum(math.prod(rows.shape[1:]) * rows.dtype.itemsize for rows in self.sources)
        most = min(_POOL, _POOL_BYTES // max(bytes_each, 1))
        self.gap = _GAP // max(bytes_each, 1)
        self.pool = min(max(most // self.size, 1) * self.size, m)  # whole batches
        self.block = max(self.pool // _BLOCKS, 1)
        parts = [np.ascontiguousarray(rows[: self.size]) for rows in self.sources]
        self._checked(parts, np.arange(self.size), is_first=True)  # builds the network
        weights = (sample_weight, class_weight)
        self.w = example_weights(network, *weights, m, self._all_targets())
        self.weighs_metrics = sample_weight is not None  # class weights alone do not count there

    def sample(self) -> Batch:
        return self._checked([rows[: self.size] for rows in self.sources], np.arange(self.size))

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        if rng is None or not self.shuffle:
            return self._in_order(start)
        if self.shuffle == "whole":
            return self._by_rows(rng.permutation(self.m), start)
        return self._by_pools(int.from_bytes(rng.bytes(8), "little"), start)

    def _in_order(self, start: int) -> Iterator[Batch]:
        for batch in self.slices(start * self.size, self.m):
            parts = [np.ascontiguousarray(rows[batch]) for rows in self.sources]
            yield self._checked(parts, np.arange(batch.start, batch.stop))

    def _by_rows(self, order: Array, start: int) -> Iterator[Batch]:
        for place in self.slices(start * self.size, self.m):
            chosen = order[place]
            yield self._checked([rows[chosen] for rows in self.sources], chosen)

    def _by_pools(self, seed: int, start: int) -> Iterator[Batch]:
        """Yield the batches in an order that follows from `seed`."""
        blocks = np.random.default_rng(seed).permutation(-(-self.m // self.block))
        pools = [np.empty((self.pool, *rows.shape[1:]), rows.dtype) for rows in self.sources]
        n, begin = -(-self.m // self.pool), start * self.size
        # Each pool has about as many batches, so that the last is mixed too.
        ends = [min(self.steps * k // n * self.size, self.m) for k in range(n + 1)]
        for number, (first, last) in enumerate(pairwise(ends), 1):
            if last <= begin:
                continue
            # A generator for each pool: a pool that is left out needs no drawing.
            order = np.random.default_rng((seed, number)).permutation(last - first)
            places = self.slices(max(begin - first, 0), len(order))
            batches = [order[place] for place in places]
            examples = self._examples(blocks, first, last)
            self._read(examples, np.sort(np.concatenate(batches)), pools)
            for chosen in batches:
                yield self._checked([pool[chosen] for pool in pools], examples[chosen])

    def _read(self, examples: Array, needed: Array, pools: Sequence[Array]) -> None:
        """Fill those places of the pools that are needed, and what lies in short gaps between.

        What lies together in the file is read at once.
        """
        gaps = np.diff(needed)
        lies_together = (np.diff(examples[needed]) == gaps) & (gaps <= self.gap + 1)
        for run in np.split(needed, np.flatnonzero(~lies_together) + 1):
            if len(run):  # a rank may need nothing
                at, stop = run[0], run[-1] + 1
                for rows, pool in zip(self.sources, pools, strict=True):
                    pool[at:stop] = rows[examples[at] : examples[stop - 1] + 1]

    def _examples(self, blocks: Array, first: int, last: int) -> Array:
        """Return which examples stand at places first … last - 1 in this order of blocks."""
        places, missing = np.arange(first, last), len(blocks) * self.block - self.m
        # The last block of the data may be shorter than the others.
        end = (int(blocks.argmax()) + 1) * self.block - missing
        places[places >= end] += missing
        return blocks[places // self.block] * self.block + places % self.block

    def _checked(self, parts: Sequence[Array], examples: Array, is_first: bool = False) -> Batch:
        """Return parts of X and Y as a batch, checked and cast; an error names the example."""
        X, Y = (as_columns(rows, part) for rows, part in zip(self.sources, parts, strict=True))
        w = None if self.w is None else self.w[examples]
        if not len(examples):
            return *empty_batch(self.network), w
        try:
            return *self.network.check_data(X, Y, is_first), w
        except REFUSALS as error:
            trial = copy.deepcopy(self.network)  # one right example would build the network itself
            for i, example in enumerate(examples):
                try:
                    trial.check_data(X[..., i : i + 1], Y[..., i : i + 1])
                except REFUSALS:
                    where = f"Column {i} of this batch is example {example} of the data."
                    error.args = (f"{error} {where}",)
                    break
            raise

    def _all_targets(self) -> Iterator[Array]:
        """Yield the targets of all examples in parts, as columns."""
        rows, network = self.sources[1], self.network
        for at in range(0, self.m, self.pool):
            Y = as_columns(rows, rows[at : at + self.pool])
            expected = (*network.outputs, Y.shape[-1])
            try:
                yield targets(Y, expected, network.dtype, network.needed_loss().targets)
            except REFUSALS as error:
                error.args = (f"Among the examples from {at} on: {error}",)
                raise


def empty_batch(network: Network) -> tuple[Array, Array]:
    """Return X and Y of no examples, for a rank whose part of a batch is empty."""
    X = np.empty((*network.inputs, 0), network.takes.dtype)
    return X, np.empty((*network.outputs, 0), network.dtype)


def by_examples(name: str, array: Any) -> Any:
    """Return what has an example at each index: `Rows` as they are, the columns of an array."""
    if isinstance(array, Rows):
        return array
    return np.moveaxis(np.atleast_1d(numbers(array, name)), -1, 0)


def as_columns(rows: Any, part: Array) -> Array:
    """Return a part of rows as columns; one number a row of a file is one feature, or label."""
    is_flat = part.ndim == 1 and isinstance(rows, Rows)
    return part[np.newaxis] if is_flat else np.moveaxis(part, 0, -1)


def _sources(X: Any, Y: Any) -> tuple[Any, Any]:
    """Return X and Y by examples, if they have as many."""
    sources = by_examples("X", X), by_examples("Y", Y)
    m, m_Y = map(len, sources)
    if m != m_Y:
        hint = "" if isinstance(X, Rows) or np.shape(X)[0] != m_Y else " Pass X.T."
        found = f"X has {m} examples and Y has {m_Y}, expected as many"
        an_example = "An example is a column of an array, and a row of what open_rows opens."
        raise ShapeError(f"{found}. {an_example}{hint}")
    return sources
