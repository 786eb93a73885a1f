"""Where the batches of an epoch come from: arrays in memory, arrays on disk, or a stream of batches.

`batches_of` tells which it is by X. Whatever it is, an epoch is a number of batches (X, Y, w), in
the model's dtype and with examples as columns; w are the weights of the examples, (m,), or None.
What is handed out may be overwritten by the next batch.
"""

from __future__ import annotations

import copy
import math
import mmap
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, Shape, integer_or_none
from tinynet._support.checks import numbers, targets
from tinynet._support.random import Random
from tinynet.data.datasets import Rows
from tinynet.data.weights import classes, nonnegative, weights
from tinynet.errors import ShapeError

if TYPE_CHECKING:
    from tinynet.sequential import Sequential

Batch: TypeAlias = "tuple[Array, Array, Array | None]"

BATCH_SIZE = 32  # what fit takes unless told otherwise
_JUDGED = 1024  # examples at a time where arrays on disk are gone through, unless told otherwise
_POOL, _POOL_BYTES = (
    8192,
    1 << 25,
)  # the most examples, and bytes, of arrays on disk that are in memory at a time
_BLOCKS = 16  # places that the examples in memory come from; the more, the better they are mixed
_FAULTS = (ValueError, TypeError, ArithmeticError)  # with which a batch is refused


class Batches(ABC):
    """Where batches come from.

    ``m`` is the number of examples an epoch, and ``steps`` that of batches, each None where it is
    not known beforehand, as is ``smallest``, the least of examples in a batch; ``shape`` is that of an example.
    """

    m: int | None = None
    steps: int | None = None
    smallest: int | None = None
    shape: Shape

    @abstractmethod
    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch, from batch `start` (counted from 0) on.

        Their order is drawn from `rng`; for None they are in order, as they are wherever no
        shuffling was asked for. All that is drawn is drawn here, before the first batch: with the
        generator as it was then, the same epoch can be begun again at any batch.
        """

    def skip(self, epochs: int) -> None:  # noqa: B027  most begin each epoch anew, and have nothing to go past
        """Go past whole epochs that were trained before, where one goes on from the end of the other."""


class _Counted(Batches):
    """Batches of examples whose number is known."""

    m: int
    steps: int

    def __init__(self, m: int, shape: Shape, batch_size: int | None, shuffle: bool | str) -> None:
        self.m, self.shape, self.shuffle = m, shape, shuffle
        self.size = m if batch_size is None else min(batch_size, m)
        self.steps = -(-m // self.size)
        self.smallest = m - (self.steps - 1) * self.size

    def _shuffled_by(self, rng: Random | None) -> Random | None:
        """Return `rng` if it is to be drawn from: the order within a full batch would change nothing."""
        return rng if self.shuffle and self.steps > 1 else None


class ArraySlices(_Counted):
    """Arrays in memory, X, Y and perhaps w, always in order: nothing is copied."""

    def __init__(
        self, arrays: Sequence[Array], batch_size: int | None, shuffle: bool | str = False
    ) -> None:
        super().__init__(arrays[0].shape[-1], arrays[0].shape[:-1], batch_size, shuffle)
        self.arrays = arrays

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        for at in range(start * self.size, self.m, self.size):
            yield _batch(array[..., at : at + self.size] for array in self.arrays)


class ArrayBatches(ArraySlices):
    """Arrays in memory, X, Y and perhaps w, gathered batch by batch.

    An example is a row in memory, so that a batch in any order is one contiguous gather. X.T of
    an array with an example in each row lies so already; columns are copied into rows, once.
    What is handed out is the transposed view of an array that the next batch overwrites.
    """

    def __init__(
        self, arrays: Sequence[Array], batch_size: int | None, shuffle: bool | str = True
    ) -> None:
        super().__init__(arrays, batch_size, shuffle)
        if self.steps == 1:
            self.arrays = [arrays[0], np.copy(arrays[1]), *arrays[2:]]
        else:
            self.rows = [np.ascontiguousarray(np.moveaxis(array, -1, 0)) for array in arrays]
            self.full, self.last = self._gathered(self.size), self._gathered(self.m % self.size)

    def _gathered(self, m: int) -> tuple[list[Array], Batch]:
        """Return arrays for m rows of X, of Y and of w, and the batch that they are as columns."""
        arrays = [np.empty_like(rows, shape=(m, *rows.shape[1:])) for rows in self.rows]
        return arrays, _batch(np.moveaxis(array, 0, -1) for array in arrays)

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        if self.steps == 1:
            return super().epoch(rng, start)
        rng = self._shuffled_by(rng)
        return self._in(np.arange(self.m) if rng is None else rng.permutation(self.m), start)

    def _in(self, order: Array, start: int) -> Iterator[Batch]:
        for at in range(start * self.size, self.m, self.size):
            chosen = order[at : at + self.size]
            arrays, batch = self.full if len(chosen) == self.size else self.last
            for rows, array in zip(self.rows, arrays, strict=True):
                rows.take(
                    chosen, axis=0, out=array, mode="clip"
                )  # clip: straight into out; the indices are in range
            yield batch


def _batch(arrays: Iterator[Array]) -> Batch:
    X, Y, *w = arrays
    return X, Y, w[0] if w else None


class FileBatches(_Counted):
    """Arrays of which one at least is on disk: `Rows`, or an array mapped into memory, or a view of one.

    Of what is on disk, a pool of examples is in memory at a time, at most 8192 of them or 32 MB
    (or one batch, if that is more), and each batch is checked and cast when it is its turn. To
    shuffle by blocks is to read the pool from 16 places, each time others, and to draw the batches
    from it in any order; so a batch holds examples of all these places, and of no others. To
    shuffle the ``"whole"`` is to read each example by itself, from anywhere, which is slow.
    """

    def __init__(
        self,
        model: Sequential,
        X: Any,
        Y: Any,
        batch_size: int | None,
        shuffle: bool | str = True,
        sample_weight: Any = None,
        class_weight: Any = None,
    ) -> None:
        if batch_size is None:
            raise ValueError(
                "batch_size=None is the whole set, and X or Y is on disk; write batch_size=32"
            )
        self.model, self.sources, self.w = model, _sources(X, Y), None
        m, x = len(self.sources[0]), self.sources[0][:1]
        super().__init__(m, _columns(self.sources[0], x).shape[:-1], batch_size, shuffle)
        bytes_each = sum(math.prod(rows.shape[1:]) * rows.dtype.itemsize for rows in self.sources)
        most = min(_POOL, _POOL_BYTES // max(bytes_each, 1))
        self.pool = min(
            max(most // self.size, 1) * self.size, m
        )  # whole batches, so that every one but the last is
        self.block = max(self.pool // _BLOCKS, 1)
        self._admitted(
            [rows[: self.size] for rows in self.sources], np.arange(self.size)
        )  # builds the model
        self.w = weights(model, sample_weight, class_weight, m, self._targets())

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        rng = self._shuffled_by(rng)
        if rng is None:
            return self._by_pools(None, start)
        if self.shuffle == "whole":
            return self._by_rows(rng.permutation(self.m), start)
        return self._by_pools(int.from_bytes(rng.bytes(8), "little"), start)

    def _by_rows(self, order: Array, start: int) -> Iterator[Batch]:
        for at in range(start * self.size, self.m, self.size):
            chosen = order[at : at + self.size]
            yield self._admitted([rows[chosen] for rows in self.sources], chosen)

    def _by_pools(self, seed: int | None, start: int) -> Iterator[Batch]:
        """Yield the batches in an order that follows from `seed`; for None in order."""
        blocks = _order(-(-self.m // self.block), seed)
        pools = [np.empty((self.pool, *rows.shape[1:]), rows.dtype) for rows in self.sources]
        n, begin = -(-self.m // self.pool), start * self.size
        for number in range(
            n
        ):  # of about as many batches each, so that the last is not the worst mixed
            first, last = (
                min(self.steps * k // n * self.size, self.m) for k in (number, number + 1)
            )
            if last <= begin:
                continue
            examples = self._examples(blocks, first, last)
            for rows, pool in zip(self.sources, pools, strict=True):
                _fill(pool, rows, examples)
            # A generator a pool: nothing need be drawn for those that are left out.
            order = _order(last - first, None if seed is None else (seed, number + 1))
            for at in range(max(begin - first, 0), len(order), self.size):
                chosen = order[at : at + self.size]
                yield self._admitted([pool[chosen] for pool in pools], examples[chosen])

    def _examples(self, blocks: Array, first: int, last: int) -> Array:
        """Return which examples stand at first … last - 1, where blocks stand in this order."""
        places, missing = np.arange(first, last), len(blocks) * self.block - self.m
        end = (
            int(blocks.argmax()) + 1
        ) * self.block - missing  # of the last block of the data, which may be shorter
        places[places >= end] += missing
        return blocks[places // self.block] * self.block + places % self.block

    def _admitted(self, parts: Sequence[Array], examples: Array) -> Batch:
        """Return parts of X and Y as a batch, checked and cast; what is wrong is said of an example of the data."""
        X, Y = (_columns(rows, part) for rows, part in zip(self.sources, parts, strict=True))
        w = None if self.w is None else self.w[examples]
        try:
            return *_admitted(self.model, X, Y), w
        except _FAULTS as error:
            trial = copy.deepcopy(
                self.model
            )  # one example that is right would build the model itself
            for i in range(len(examples)):
                if _is_refused(trial, X[..., i : i + 1], Y[..., i : i + 1]):
                    error.args = (
                        f"{error}; column {i} of this batch is example {examples[i]} of the data",
                    )
                    break
            raise

    def _targets(self) -> Iterator[Array]:
        rows, outputs, loss = self.sources[1], self.model.outputs, self.model.loss
        assert loss is not None, "admit has seen to it"
        for at in range(0, self.m, self.pool):
            Y = _columns(rows, rows[at : at + self.pool])
            try:
                yield targets(Y, (*outputs, Y.shape[-1]), self.model.dtype, loss.targets)
            except _FAULTS as error:
                error.args = (f"among the examples from {at} on: {error}",)
                raise


def _on_disk(array: Any) -> bool:
    """Tell whether an array is read from a file when it is looked at."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, (Rows, mmap.mmap))


def _sources(X: Any, Y: Any) -> tuple[Any, Any]:
    """Return X and Y by examples, if they have as many."""
    sources = _by_examples("X", X), _by_examples("Y", Y)
    m, m_Y = map(len, sources)
    if m != m_Y:
        mend = "" if isinstance(X, Rows) or np.shape(X)[0] != m_Y else "; write X.T"
        how = "an example is a column of an array, and a row of what open_rows opens"
        raise ShapeError(
            f"X has {m} examples and Y has {m_Y}, and they must be the same: {how}{mend}"
        )
    return sources


def _by_examples(name: str, array: Any) -> Any:
    """Return what has an example at each index: `Rows` as they are, the columns of an array as rows."""
    return (
        array
        if isinstance(array, Rows)
        else np.moveaxis(np.atleast_1d(numbers(array, name)), -1, 0)
    )


def _columns(rows: Any, part: Array) -> Array:
    """Return a part of rows as columns; a number a row of a file is one feature, or one label."""
    return (
        part[np.newaxis] if part.ndim == 1 and isinstance(rows, Rows) else np.moveaxis(part, 0, -1)
    )


def _order(n: int, seed: int | tuple[int, int] | None) -> Array:
    """Return 0 … n - 1 in an order that follows from `seed`; for None as they are."""
    order = np.arange(n)
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    return order


def _fill(pool: Array, rows: Any, examples: Array) -> None:
    """Read examples into a pool, those that follow one another at once."""
    breaks = np.flatnonzero(np.diff(examples) != 1) + 1
    for start, stop in pairwise([0, *breaks.tolist(), len(examples)]):
        first = int(examples[start])
        if isinstance(rows, Rows):
            rows.read(first, pool[start:stop])
        else:
            pool[start:stop] = rows[first : first + stop - start]


def _admitted(model: Sequential, X: Any, Y: Any) -> tuple[Array, Array]:
    """Return X and Y checked and cast, as columns; the first builds the model."""
    X, Y = model.admit(X, Y)
    assert model.loss is not None, "admit has seen to it"
    model.loss.check_targets(Y)
    return X, Y


def _is_refused(model: Sequential, X: Array, Y: Array) -> bool:
    try:
        _admitted(model, X, Y)
    except _FAULTS:
        return True
    return False


class StreamBatches(Batches):
    """A stream of batches (X, Y) or (X, Y, sample_weight), whose order is its own.

    It is something that can be iterated over again, once an epoch; or a function without arguments
    that returns an iterator (a generator function), of which an epoch takes `steps_per_epoch`
    batches, the next goes on from there, and which is called anew whenever it has come to an end.
    """

    def __init__(self, model: Sequential, stream: Any, steps_per_epoch: int | None = None) -> None:
        self.model, self.stream, self.limit = model, stream, steps_per_epoch
        self.goes_on = not _is_iterable(stream)
        self.steps = self.limit if self.goes_on else _length(stream, self.limit)
        flow = self._endless() if self.goes_on else iter(stream)
        first = list(islice(flow, 1))
        if not first:
            raise self._empty()
        self.shape = self._admitted(1, first[0])[0].shape[:-1]
        self.flow: Iterator[Any] | None = chain(first, flow)

    def epoch(self, rng: Random | None, start: int = 0) -> Iterator[Batch]:
        flow = iter(self.stream) if self.flow is None else self.flow
        self.flow = flow if self.goes_on else None
        number = start
        for number, batch in enumerate(islice(flow, start, self.limit), start + 1):
            yield self._admitted(number, batch)
        if number == 0:
            raise self._empty()

    def skip(self, epochs: int) -> None:
        if self.goes_on and self.limit:
            for _ in range(epochs):  # all of them together may be too many for islice
                deque(islice(self.flow or (), self.limit), maxlen=0)

    def _endless(self) -> Iterator[Any]:
        while True:
            given = None
            for given in self.stream():
                yield given
            if given is None:
                raise self._empty()

    def _empty(self) -> ValueError:
        again = (
            "must be a function that begins anew"
            if self.goes_on
            else "must be iterable more than once, as a list"
        )
        return ValueError(
            f"the stream of batches gave none for an epoch; it needs at least one, and {again}"
        )

    def _admitted(self, number: int, batch: Any) -> Batch:
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            got = type(batch).__name__ + (
                f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
            )
            raise TypeError(
                f"batch {number} is a {got}; give (X, Y) or (X, Y, sample_weight), or arrays as fit(X, Y)"
            )
        try:
            X, Y = _admitted(self.model, *batch[:2])
            w = None if len(batch) == 2 else nonnegative("sample_weight", batch[2], X.shape[-1])
        except _FAULTS as error:
            error.args = (f"batch {number}: {error}",)
            raise
        return X, Y, w if w is None else w.astype(self.model.dtype)


def _length(stream: Any, limit: int | None) -> int | None:
    """Return how many batches an epoch of an iterable has, if it says so."""
    try:
        return min(len(stream), limit or len(stream))
    except TypeError:  # as a loader of a stream without end says
        return None


def batches_of(
    model: Sequential,
    X: Any,
    Y: Any,
    batch_size: int | None = BATCH_SIZE,
    shuffle: bool | str = True,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps_per_epoch: int | None = None,
) -> Batches:
    """Return where the batches of X and Y come from to train on, and build the model by the first.

    Parameters
    ----------
    X, Y : array_like, Rows, or a stream
        Arrays as columns, in memory or on disk; what `open_rows` opened, an example a row; or, as X
        and without Y, an iterable of batches or a function that returns one.
    batch_size : int or None
        Examples a batch; None is the whole set.
    shuffle : bool or {"blocks", "whole"}
        True is the whole of arrays in memory, and ``"blocks"`` on disk.
    sample_weight : array_like of shape (m,), optional
        What each example counts for, at least 0. Weights are scaled once, to a mean of 1.
    class_weight : dict or "balanced", optional
        What each label counts for; balanced is m / (number of classes · count of this class).
    steps_per_epoch : int, optional
        Batches an epoch; needed for a function, and a limit for an iterable.
    """
    shuffle, batch_size = shuffling(shuffle), integer_or_none("batch_size", batch_size)
    if _is_stream(X, Y):
        given = (
            batch_size != BATCH_SIZE,
            sample_weight,
            class_weight,
            shuffle if isinstance(shuffle, str) else None,
        )
        return _stream(model, X, given, steps_per_epoch)
    if steps_per_epoch is not None:
        raise ValueError(
            "steps_per_epoch is for a stream of batches; of arrays an epoch takes every example once"
        )
    if _on_disk(X) or _on_disk(Y):
        return FileBatches(model, X, Y, batch_size, shuffle, sample_weight, class_weight)
    X, Y = _admitted(model, X, Y)
    w = weights(model, sample_weight, class_weight, X.shape[-1], iter((Y,)))
    return ArrayBatches([X, Y] if w is None else [X, Y, w], batch_size, shuffle)


def shuffling(shuffle: Any) -> bool | str:
    """Return how to shuffle, if it is a way to."""
    if shuffle not in (True, False, "blocks", "whole"):
        raise ValueError(f'shuffle must be True, False, "blocks" or "whole"; got {shuffle!r}')
    return shuffle if isinstance(shuffle, str) else bool(shuffle)


def check_share(share: Any) -> float:
    """Return the share of validation data, if it is one."""
    if not isinstance(share, Real) or not 0 < float(share) < 1:
        raise ValueError(
            f"the share of validation data must lie between 0 and 1, as 0.2; got {share!r}"
        )
    return float(share)


def ordered(
    model: Sequential,
    X: Any,
    Y: Any = None,
    batch_size: int | None = None,
    sample_weight: Any = None,
    steps: int | None = None,
) -> Batches:
    """Return where the batches of X and Y come from to evaluate on: always in order.

    The arguments are as for `batches_of`, `steps` for steps_per_epoch. With `batch_size` None,
    arrays in memory are one batch, and arrays on disk are batches of 1024.
    """
    batch_size = integer_or_none("batch_size", batch_size)
    streams = _is_stream(X, Y)
    if streams or _on_disk(X) or _on_disk(Y) or steps is not None:
        usual = BATCH_SIZE if streams else _JUDGED
        return batches_of(
            model, X, Y, batch_size or usual, False, sample_weight, steps_per_epoch=steps
        )
    X, Y = _admitted(model, X, Y)
    w = weights(model, sample_weight, None, X.shape[-1], iter(()))
    return ArraySlices([X, Y] if w is None else [X, Y, w], batch_size)


def inputs_of(model: Sequential, X: Any, batch_size: int | None) -> Iterator[Array]:
    """Yield X alone, in parts and in order, as columns that are checked and cast."""
    batch_size = integer_or_none("batch_size", batch_size)
    if not _on_disk(X):
        X = model.admit_inputs(X)
        size = batch_size or X.shape[-1]
        yield from (X[..., at : at + size] for at in range(0, X.shape[-1], size))
        return
    rows, size = _by_examples("X", X), batch_size or _JUDGED
    for at in range(0, max(len(rows), 1), size):  # none is refused there
        yield model.admit_inputs(_columns(rows, rows[at : at + size]))


def _is_stream(X: Any, Y: Any) -> bool:
    """Tell whether X gives whole batches, and so comes without Y."""
    if Y is None and (hasattr(X, "__array__") or X is None):
        raise TypeError(
            "Y is missing; only a stream of batches (X, Y) comes without: write fit(X, Y)"
        )
    gives = callable(X) or (_is_iterable(X) and not hasattr(X, "__getitem__"))
    if gives and Y is not None:
        raise ValueError(
            "X is a stream of batches, and so Y must come with them: let it give (X, Y), and leave out Y"
        )
    return Y is None


def _is_iterable(X: Any) -> bool:
    """Tell whether X itself can be iterated over; a class only makes what can."""
    return hasattr(type(X), "__iter__")


def _stream(
    model: Sequential, X: Any, given: Sequence[Any], steps_per_epoch: int | None
) -> StreamBatches:
    names = ("batch_size", "sample_weight", "class_weight", "shuffle")
    refused = [
        name
        for name, value in zip(names, given, strict=True)
        if value is not None and value is not False
    ]
    if refused:
        raise ValueError(
            f"{' and '.join(refused)} cannot be chosen for a stream of batches; "
            "let the stream give batches (X, Y) or (X, Y, sample_weight) as they are to be"
        )
    if hasattr(X, "__next__"):
        raise TypeError(
            f"a {type(X).__name__} can be gone through only once; "
            "pass the function, not what it returned, and steps_per_epoch=..."
        )
    if not _is_iterable(X) and not callable(X):
        raise TypeError(
            f"without Y, X must be an iterable of batches (X, Y) or a function; got {X!r}"
        )
    if steps_per_epoch is None and not _is_iterable(X):
        raise ValueError(
            "with a function that gives batches write steps_per_epoch=..., how many make an epoch"
        )
    return StreamBatches(model, X, integer_or_none("steps_per_epoch", steps_per_epoch))


def validation_split(
    model: Sequential, X: Any, Y: Any, share: float, rng: Random, sample_weight: Any = None
) -> tuple[Batch, Batch]:
    """Return the examples to train on and those held out, each as X, Y and their weights or None.

    Arrays in memory are split, by a choice drawn from `rng`: of every class the same share, and one
    example at least stays to train on, if Y are labels, one-hot columns or (1, m) of 0 and 1; else
    of all examples. Each part is in the order of the data.
    """
    check_share(share)
    if _on_disk(X) or _on_disk(Y) or _is_stream(X, Y):
        raise ValueError(
            "only arrays in memory can be split; with data on disk or a stream write validation_data=..."
        )
    X, Y = model.admit(X, Y)
    m = X.shape[-1]
    w = None if sample_weight is None else nonnegative("sample_weight", sample_weight, m)
    of_each, held_out = classes(Y), np.zeros(m, bool)
    held_out[_drawn(np.zeros(m, np.intp) if of_each is None else of_each, share, rng)] = True
    if not held_out.any():
        raise ValueError(
            f"{share} of {m} examples leaves none for validation; write a larger share"
        )
    train, validation = (
        (_chosen(X, part), _chosen(Y, part), w if w is None else w[part])
        for part in (~held_out, held_out)
    )
    return train, validation


def _drawn(of_each: Array, share: float, rng: Random) -> Array:
    """Return examples at random, a share of every class but never the whole of it."""
    counts = np.bincount(of_each)
    taken = np.floor(share * counts).astype(np.intp)
    missing = round(share * len(of_each)) - int(
        taken.sum()
    )  # to round each by itself could leave none at all
    taken[np.argsort(taken - share * counts, kind="stable")[: max(missing, 0)]] += 1
    taken = np.minimum(taken, np.maximum(counts - 1, 0))
    order = rng.permutation(len(of_each))
    order = order[
        np.argsort(of_each[order], kind="stable")
    ]  # class by class, each in the order drawn
    begins = np.cumsum(counts) - counts
    return np.concatenate(
        [order[begin : begin + n] for begin, n in zip(begins, taken, strict=True)]
    )


def _chosen(columns: Array, which: Array) -> Array:
    """Return some columns, as rows in memory, which need not be copied again to be gathered."""
    return np.moveaxis(np.moveaxis(columns, -1, 0)[which], 0, -1)
