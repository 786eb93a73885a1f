"""Batches of a stream: an iterable of batches, or a function that returns one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.communicator import Communicator
from tinynet._support.labels import expect_some_weight, weights
from tinynet._support.quiet import quiet
from tinynet._support.random import Random
from tinynet.data.batches import Batch, Batches, part_of
from tinynet.data.disk import REFUSALS, empty_batch
from tinynet.model.network import Network


class Caller(NamedTuple):
    """The function that a user called, as messages name it.

    ``arrays`` is how it takes arrays. ``instead`` is what to do where it has no such arguments as
    ``batch_size`` and ``steps_per_epoch``; {batches} stands for an iterator of batches.
    """

    arrays: str
    instead: str = ""


FIT, EVALUATE = Caller("fit(X, Y)"), Caller("evaluate(X, Y)")
RESUME = Caller("resume(path, X, Y)", "Pass the data that fit was given.")
VALIDATION = Caller(
    "validation_data=(X, Y)",
    "Pass a list: validation_data=[batch for _, batch in zip(range(10), {batches})].",
)


class Sharded:
    """A stream that gives each of several ranks other examples: its part of every batch.

    A batch of the training is then what the streams of all ranks give, one after the other. The
    parts may differ in size, and a rank whose stream ends first goes along without examples until
    the others end. Without `Sharded`, every rank is given the same stream, and takes its part of
    each batch.

    Parameters
    ----------
    stream : iterable or function
        What `fit` takes as a stream: an iterable of batches, or a function that returns one.

    Examples
    --------
    >>> import numpy as np
    >>> import tinynet as tn
    >>> def train(communicator):
    ...     rng = np.random.default_rng(communicator.rank)  # each rank draws other examples
    ...     batches = [(X, 2 * X) for X in rng.normal(size=(5, 1, 8))]
    ...     model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=1, seed=1)
    ...     stream = tn.parallel.Sharded(batches)
    ...     model.fit(stream, optimizer=tn.SGD(0.1), epochs=40, parallel=communicator)
    ...     return round(model.W[1].item(), 3)
    >>> tn.parallel.Threads.run(2, train)
    [2.0, 2.0]
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream


class StreamBatches(Batches):
    """A stream of batches (X, Y) or (X, Y, sample_weight), in the order of the stream.

    It is an iterable that begins anew each epoch; or a function without arguments that returns an
    iterator (a generator function). Of the latter an epoch takes `steps_per_epoch` batches and
    the next epoch continues there. The function is called again whenever its iterator ends.

    Weights are scaled to a mean of 1, as they are for arrays. To know their mean, a stream with
    weights is read for an epoch before the first step.
    """

    def __init__(
        self,
        network: Network,
        stream: Any,
        is_sharded: bool,
        steps_per_epoch: int | None,
        caller: Caller,
    ) -> None:
        self.stream, self.is_sharded = stream, is_sharded
        self.network, self.limit, self.caller = network, steps_per_epoch, caller
        self.mean_weight = 1.0
        self.examples = 0  # of the last batch, on all ranks together
        self.is_weighted: bool | None = None  # unknown before the first batch
        self.is_endless = not is_iterable(self.stream)
        self.steps = self.limit if self.is_endless else _length(self.stream, self.limit)
        first, iterator = self._begin()
        X, _, w = self.first = self._checked(1, first, is_first=True)
        self.shape, self.is_weighted = X.shape[:-1], w is not None
        self.weighs_metrics = self.is_weighted
        if self.is_weighted:
            self.weight_sums = self._weight_sums()
            # The shards of other ranks may have weights where this one has none.
            if self.weight_sums[0] or not self.is_sharded:
                self.mean_weight = self._mean_weight()
            # Begun anew, because a stream may fill the same arrays with every batch.
            first, iterator = self._begin()
            self.first = self._checked(1, first)
        self.iterator: Iterator[Any] | None = chain([first], iterator)

    def _begin(self) -> tuple[Any, Iterator[Any]]:
        """Return the first batch of the stream, and an iterator of the others."""
        iterator = self._endless() if self.is_endless else iter(self.stream)
        for first in iterator:
            return first, iterator
        raise self._empty()

    def divide(self, communicator: Communicator) -> None:
        super().divide(communicator)
        if self.is_weighted and self.is_sharded:
            communicator.sum(self.weight_sums)
            self.mean_weight = self._mean_weight()

    def _mean_weight(self) -> float:
        expect_some_weight(self.weight_sums[:1])
        mean = float(self.weight_sums[0] / self.weight_sums[1])
        if not math.isfinite(mean):
            found = f"The mean of the weights is {mean}, expected a finite number"
            raise ValueError(f"{found}. Divide the weights by their largest one.")
        return mean

    def _weight_sums(self) -> Array:
        """Return the sum of the weights of an epoch, which is read for it, and their number."""
        (first, others), sums = self._begin(), np.zeros(2)
        for number, batch in enumerate(islice(chain([first], others), self.limit), 1):
            self._checked(number, batch)
            w = np.asarray(batch[2], np.float64)
            with np.errstate(over="ignore"):  # an infinite sum is refused
                sums += w.sum(), w.size
        return sums

    def examples_of(self, number: int) -> int:
        return self.examples

    def sample(self) -> Batch:
        return self.first

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        batches = self._whole_batches(start)
        return batches if self.communicator is None else self._parts(batches, self.communicator)

    def _parts(self, batches: Iterator[Batch], communicator: Communicator) -> Iterator[Batch]:
        """Yield this rank's part of each batch, as long as any rank has one.

        So no rank waits for the step of another whose stream has ended.
        """
        no_weights = np.empty(0, self.network.dtype) if self.is_weighted else None
        nothing: Batch = *empty_batch(self.network), no_weights
        while True:
            batch = next(batches, nothing)
            sizes = communicator.gather(np.array([batch[0].shape[-1]])).ravel().tolist()
            if not any(sizes):
                return
            self.examples = sum(sizes) if self.is_sharded else sizes[0]
            if self.is_sharded:
                yield batch
                continue
            if len(set(sizes)) > 1:
                found = f"The streams of the ranks give batches of {sizes} examples"
                remedy = "Give every rank the same stream, or use tn.parallel.Sharded(stream)."
                raise ValueError(f"{found}, expected as many. {remedy}")
            yield part_of(batch, communicator.part(slice(0, self.examples)))

    def _whole_batches(self, start: int) -> Iterator[Batch]:
        iterator = iter(self.stream) if self.iterator is None else self.iterator
        self.iterator = iterator if self.is_endless else None
        number = start
        for number, batch in enumerate(islice(iterator, start, self.limit), start + 1):
            yield self._checked(number, batch)
        if number == 0:
            raise self._empty()

    def skip(self, epochs: int) -> None:
        if self.is_endless and self.limit:
            for _ in range(epochs):  # all of them together may be too many for islice
                deque(islice(self.iterator or (), self.limit), maxlen=0)

    def _endless(self) -> Iterator[Any]:
        while True:
            batch = None
            for batch in self.stream():
                yield batch
            if batch is None:
                raise self._empty()

    def _empty(self) -> ValueError:
        again = "a function that begins anew" if self.is_endless else "iterable twice, as a list is"
        return ValueError(f"The stream gave no batch for an epoch. It must be {again}.")

    @quiet
    def _checked(self, number: int, batch: Any, is_first: bool = False) -> Batch:
        is_sequence = isinstance(batch, (tuple, list))
        if not is_sequence or len(batch) not in (2, 3):
            found = type(batch).__name__ + (f" of {len(batch)}" if is_sequence else "")
            expected = "expected (X, Y) or (X, Y, sample_weight)"
            remedy = f"Use {self.caller.arrays} for arrays."
            raise TypeError(f"Batch {number} is a {found}, {expected}. {remedy}")
        w = None
        try:
            X, Y, *of_examples = batch
            X, Y = self.network.check_data(X, Y, is_first)
            if of_examples:
                w = weights("sample_weight", of_examples[0], X.shape[-1]) / self.mean_weight
                w = w.astype(self.network.dtype)
            if self.is_weighted is not None and self.is_weighted != (w is not None):
                raise ValueError("Only some batches have weights. Let all give (X, Y, w), or none.")
        except REFUSALS as error:
            error.args = (f"Batch {number}: {error}",)
            raise
        return X, Y, w


def is_iterable(X: Any) -> bool:
    """Return whether X itself can be iterated over; a class only makes what can."""
    return hasattr(type(X), "__iter__")


def stream_batches(
    network: Network,
    X: Any,
    is_sharded: bool,
    options: dict[str, Any],
    steps_per_epoch: int | None,
    caller: Caller,
) -> StreamBatches:
    """Return the batches of a stream, if none of these options is chosen."""
    refused = [name for name, value in options.items() if value is not None and value is not False]
    if refused:
        found = f"A stream of batches got {' and '.join(refused)}, expected none of these"
        as_wanted = "Let it give (X, Y) or (X, Y, sample_weight) as you want them."
        raise ValueError(f"{found}. {RESUME.instead if caller is RESUME else as_wanted}")
    if hasattr(X, "__next__"):
        found = f"A {type(X).__name__} can be iterated over only once."
        remedy = "If it ends and its batches fit in memory, pass list(X)."
        if hasattr(X, "gi_frame"):
            function = "Pass the function, not what it returned, and steps_per_epoch=..."
            remedy = f"{function} {remedy}"
        raise TypeError(f"{found} {caller.instead.format(batches='X') or remedy}")
    if not is_iterable(X) and not callable(X):
        raise TypeError(
            f"X is {X!r}, expected an iterable of batches (X, Y) or a function. "
            f"Use {caller.arrays} for arrays."
        )
    if not is_iterable(X) and steps_per_epoch is None:
        remedy = "Add steps_per_epoch=..., the batches of an epoch."
        raise ValueError(f"X is a function. {caller.instead.format(batches='X()') or remedy}")
    return StreamBatches(network, X, is_sharded, steps_per_epoch, caller)


def _length(stream: Any, limit: int | None) -> int | None:
    """Return the number of batches an epoch of an iterable has, if it is known."""
    try:
        return min(len(stream), limit or len(stream))
    except TypeError:  # as a loader of an endless stream says
        return None
