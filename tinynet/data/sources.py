"""The batches of whatever a user passes: arrays in memory, arrays on disk, or a stream."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Set, ValuesView
from typing import Any, NamedTuple

import numpy as np

from tinynet._support.arrays import Array, Shape, check_finite
from tinynet._support.checks import integer_or_none
from tinynet._support.communicator import Communicator
from tinynet._support.labels import weights
from tinynet._support.random import state_of
from tinynet.data.batches import BATCH_SIZE, ArrayBatches, ArraySlices, Batches
from tinynet.data.disk import FileBatches, as_columns, by_examples
from tinynet.data.rows import Rows
from tinynet.data.split import divided, held_out
from tinynet.data.stream import FIT, RESUME, Caller, Sharded, is_iterable, stream_batches
from tinynet.data.weights import example_weights
from tinynet.model.network import Network

# Where no training is done, by default: the examples at a time of a model that is not built.
_PART = 1024
_LARGEST_CAST = 1 << 25  # bytes that a cast of all of X may take where no training is done


class Prepared(NamedTuple):
    """What a run trains on, validates on, and how it was split."""

    training: Batches
    validation: Batches | None = None
    rng_before_split: dict[str, Any] | None = None


def training_batches(
    network: Network,
    X: Any,
    Y: Any,
    batch_size: int | None = BATCH_SIZE,
    shuffle: bool | str = True,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps_per_epoch: int | None = None,
    validation_split: float | None = None,
    in_memory: type[ArraySlices] = ArrayBatches,
    caller: Caller = FIT,
) -> Prepared:
    """Return the batches of X and Y to train on; the first examples build the network.

    X and Y are arrays as columns, in memory or on disk; what `open_rows` opened, an example a row;
    or, as X and without Y, an iterable of batches or a function that returns one. Otherwise the
    arguments are those of `Sequential.fit`. Only arrays in memory are split.
    """
    stream = _stream_of(X, Y, caller)
    if stream is not None:
        _refuse_split(validation_split, caller)
        options = {
            "batch_size": batch_size != BATCH_SIZE,
            "sample_weight": sample_weight,
            "class_weight": class_weight,
            "shuffle": isinstance(shuffle, str),
        }
        is_sharded = isinstance(X, Sharded)
        return Prepared(
            stream_batches(network, stream, is_sharded, options, steps_per_epoch, caller)
        )
    if steps_per_epoch is not None:
        raise _steps_of_arrays(steps_per_epoch, caller)
    if on_disk(X, Y) or (in_memory is ArraySlices and _is_large_to_cast(network, X)):
        _refuse_split(validation_split, caller)
        given_weights = (sample_weight, class_weight)
        return Prepared(FileBatches(network, X, Y, batch_size, shuffle, *given_weights))
    X, Y = network.check_data(X, Y, is_first=True)
    if validation_split is not None:
        data = [X, Y, sample_weight]
        return _split(network, data, class_weight, validation_split, batch_size, shuffle)
    w = example_weights(network, sample_weight, class_weight, Y.shape[-1], (Y,))
    batches = in_memory((X, Y, w), batch_size, shuffle)
    batches.weighs_metrics = sample_weight is not None
    return Prepared(batches)


def _split(
    network: Network,
    data: list[Any],
    class_weight: Any,
    share: float,
    batch_size: int | None,
    shuffle: bool | str,
) -> Prepared:
    """Return the batches of some examples to train on, and of the others to validate on."""
    (X, Y, w), before = data, state_of(network.rng)
    if w is not None:
        w = weights("sample_weight", w, Y.shape[-1])
    is_weighted = w is not None
    (X, Y, w), held = divided([X, Y, w], held_out(Y, share, network.rng))
    w = example_weights(network, w, class_weight, Y.shape[-1], (Y,))
    batches = ArrayBatches((X, Y, w), batch_size, shuffle)
    X, Y, w = held
    w = example_weights(network, w, None, Y.shape[-1], ())
    validation = ArraySlices((X, Y, w), network.storage.examples_at_a_time)
    batches.weighs_metrics = validation.weighs_metrics = is_weighted
    return Prepared(batches, validation, before)


def _steps_of_arrays(steps_per_epoch: int, caller: Caller) -> ValueError:
    found = f"steps_per_epoch is {steps_per_epoch}, expected only with a stream of batches"
    remedy = "An epoch of arrays has every example once: leave it out."
    return ValueError(f"{found}. {RESUME.instead if caller is RESUME else remedy}")


def _refuse_split(validation_split: float | None, caller: Caller) -> None:
    if validation_split is not None:
        found = "validation_split got data on disk or a stream, expected arrays in memory"
        remedy = RESUME.instead if caller is RESUME else "Use validation_data=..."
        raise ValueError(f"{found}. {remedy}")


def ordered_batches(
    network: Network,
    X: Any,
    Y: Any = None,
    batch_size: int | None = None,
    sample_weight: Any = None,
    steps_per_epoch: int | None = None,
    caller: Caller = FIT,
) -> Batches:
    """Return the batches of X and Y to evaluate on, always in order.

    With `batch_size` None, a batch has so many examples that a pass takes little memory.
    """
    if batch_size is None and _stream_of(X, Y, caller) is not None:
        batch_size = BATCH_SIZE
    elif batch_size is None:
        is_read_in_parts = on_disk(X, Y) or _is_large_to_cast(network, X)
        if is_read_in_parts or shape_of(X)[-1:] > (_part(network),):
            batch_size = _part(network)
    options = (batch_size, False, sample_weight, None, steps_per_epoch)
    how: dict[str, Any] = {"in_memory": ArraySlices, "caller": caller}
    return training_batches(network, X, Y, *options, **how).training


def input_parts(
    network: Network, X: Any, batch_size: int | None, communicator: Communicator | None = None
) -> tuple[int, Iterable[Array]]:
    """Return how many examples X has, and parts of X in order, which are checked and cast.

    Of several ranks, each gets its own examples.
    """
    if batch_size is not None:
        integer_or_none("batch_size", batch_size)
    is_array = type(X) is np.ndarray
    shape = X.shape if is_array else shape_of(X)
    is_small = batch_size is None and shape[-1:] <= (_part(network),)
    if is_small and communicator is None and (is_array or not on_disk(X)):
        X = network.check_inputs(X)
        return X.shape[-1], (X,)
    is_checked = is_array and network.is_built and shape[:-1] == network.inputs
    if not is_checked and not on_disk(X):
        X = network.check_inputs(X)  # builds the network, or refuses X as a whole
    rows = by_examples("X", X)
    if not len(rows):
        network.check_inputs(as_columns(rows, rows[:0]))  # refuses it
    own = slice(0, len(rows))
    if communicator is not None:
        own = communicator.part(own)
    return own.stop - own.start, _parts(network, rows, own, batch_size or _part(network))


def _stream_of(X: Any, Y: Any, caller: Caller) -> Any:
    """Return X, or what it shards, if it gives whole batches and so comes without Y, or None."""
    X = X.stream if isinstance(X, Sharded) else X
    if Y is None:
        if hasattr(X, "__array__") or hasattr(X, "tocsr") or X is None:
            raise TypeError(f"Y is missing, expected with arrays. Use {caller.arrays}.")
        if isinstance(X, dict):
            found = f"X is a dictionary with the keys {', '.join(map(repr, list(X)[:5]))}"
            raise TypeError(f"{found}, expected arrays. Use {caller.arrays} with its values.")
        return X
    # What holds examples, but is not an array, is refused later, with what to make of it.
    are_examples = hasattr(X, "__next__") or isinstance(X, (Set, ValuesView))
    is_array = hasattr(X, "__getitem__") or hasattr(X, "__array__") or hasattr(X, "tocsr")
    if callable(X) or (not is_array and not are_examples and is_iterable(X)):
        raise ValueError("X is a stream, but got Y too. Leave out Y, and let X give (X, Y).")
    return None


def on_disk(*arrays: Any) -> bool:
    """Return whether any of these arrays is read from a file when its entries are."""
    for array in arrays:
        while isinstance(array, np.ndarray):
            array = array.base
        if isinstance(array, (Rows, mmap.mmap)):
            return True
    return False


def _is_large_to_cast(network: Network, X: Any) -> bool:
    """Return whether a cast of X would be so large that it is made part by part."""
    if type(X) is not np.ndarray or X.dtype == network.takes.dtype or not network.is_built:
        return False
    return X.shape[:-1] == network.inputs and X.size * network.dtype.itemsize > _LARGEST_CAST


def shape_of(X: Any) -> Shape:
    """Return the shape of an X that is not checked yet; () where it has none."""
    try:
        return tuple(np.shape(X))
    except (ValueError, TypeError, RuntimeError):
        return ()


def _parts(network: Network, rows: Any, own: slice, size: int) -> Iterator[Array]:
    for at in range(own.start, own.stop, size):
        part = network.check_inputs(as_columns(rows, rows[at : min(at + size, own.stop)]))
        check_finite("X", part, at)
        yield part


def _part(network: Network) -> int:
    """Return how many examples a pass takes at a time."""
    storage = vars(network).get("storage")  # before a first X there is none
    return _PART if storage is None else storage.examples_at_a_time
