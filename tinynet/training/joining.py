"""What several ranks do before the first step: compare what they were given, and begin alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Shape
from tinynet._support.communicator import (
    Communicator,
    broadcast_bytes,
    broadcast_value,
    gather_values,
)
from tinynet._support.random import plain, set_state, state_of
from tinynet._support.warn import worded
from tinynet.data.batches import Batches
from tinynet.data.stream import StreamBatches
from tinynet.metrics import Measure
from tinynet.model.network import Network
from tinynet.optimizers import Optimizer
from tinynet.training.callbacks import Callback
from tinynet.training.ranks import Ranks, checksum
from tinynet.training.run import Run


@contextlib.contextmanager
def together(parallel: Any, function: str) -> Iterator[Ranks | None]:
    """Have all ranks in this block or none, and no rank wait for one that raises an error.

    The block gets the ranks of what a user passes as `parallel`, or None for one process.
    `function` is what the user has called on this rank. Only rank 0 warns.
    """
    if parallel is not None and not isinstance(parallel, Communicator):
        call = "MPI(comm)" if hasattr(parallel, "Allreduce") else "MPI()"
        found = f"parallel is {parallel!r}, expected a communicator"
        raise TypeError(f"{found}. Pass parallel=tn.parallel.{call}.")
    if parallel is None or parallel.size == 1:
        yield None
        return
    ranks = Ranks(parallel)
    try:
        remedy = "Call the same on every rank, in the same order."
        expect_same(ranks, {"the function that is called": function}, remedy)
        with contextlib.nullcontext() if ranks.rank == 0 else worded(lambda _: ""):
            yield ranks
    except BaseException as error:
        parallel.fail(error)
        raise


def expect_same(ranks: Ranks, values: Mapping[str, Any], remedy: str) -> None:
    """Refuse, on every rank, what is not the same on all of them.

    What decides over the other names, such as the number of layers, comes first in `values`.
    """
    own = {name: repr(plain(value)) for name, value in values.items()}
    first, *others = gather_values(ranks.communicator, own)
    for rank, other in enumerate(others, 1):
        for name, value in first.items():
            if other[name] != value:
                found = f"{name} is {_excerpt(other[name])} on rank {rank}"
                raise ValueError(f"{found}, expected {_excerpt(value)} as on rank 0. {remedy}")


def _excerpt(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."


def expect_same_run(
    ranks: Ranks, run: Run, callbacks: Sequence[Callback], has_checkpoint: bool
) -> None:
    """Refuse to train, if the ranks would not train one model in the same way on the same data."""
    network, settings = run.network, run.settings.describe()
    del settings["verbose"]  # only rank 0 shows anything
    values = _values_of_model(network) | {
        "optimizer": run.optimizer.config(),
        **settings,
        "metrics": list(run.metrics),
        "callbacks": [type(each).__name__ for each in callbacks],
        "whether there is a checkpoint": has_checkpoint,
    }
    expect_same(ranks, values, "Call fit with the same arguments on every rank.")
    remedy = "Give every rank the same data, or a stream as tn.parallel.Sharded(stream)."
    for name, batches in (("training", run.data.training), ("validation", run.data.validation)):
        expect_same(ranks, _values_of_data(f"{name} data", batches), remedy)


def expect_same_evaluation(
    ranks: Ranks, network: Network, batches: Batches, metrics: Mapping[str, Measure]
) -> None:
    """Refuse to evaluate, if the ranks would not evaluate one model on the same data."""
    values = {"metrics": list(metrics)} | _values_of_data("data", batches)
    expect_same(ranks, values, "Call evaluate with the same arguments on every rank.")
    expect_same_parameters(ranks, network, batches.shape)


def expect_same_parameters(ranks: Ranks, network: Network, shape: Shape) -> None:
    """Refuse to compute parts of one result with different models, or for an X of another shape."""
    numbers = f"{network.n_params} numbers with checksum {checksum(network.values)}"
    values = {"X, by its shape,": shape, "the parameters and state of the model": numbers}
    remedy = "Pass the same X, and load the same model on every rank."
    expect_same(ranks, _values_of_model(network) | values, remedy)


def _values_of_model(network: Network) -> dict[str, Any]:
    return {
        "the number of layers": len(network.layers),  # the first: there are as many after it
        **{f"layer {l}": layer.config() for l, layer in enumerate(network.layers, 1)},
        "loss": network.loss and network.loss.config(),
        "inputs": network.inputs,
        "dtype": network.dtype.name,
    }


def _values_of_data(name: str, batches: Batches | None) -> dict[str, Any]:
    """Return what must be the same of the data; of parts of a stream, the form alone."""
    values: dict[str, Any] = {f"the {name}": type(batches).__name__}
    if batches is None:
        return values
    X, Y, w = batches.sample()
    values[f"the shape of an example of the {name}"] = [batches.shape, Y.shape[:-1]]
    values[f"whether the {name} has weights"] = [w is not None, batches.weighs_metrics]
    is_sharded = isinstance(batches, StreamBatches) and batches.is_sharded
    values[f"whether the {name} is Sharded"] = is_sharded
    if not is_sharded:
        values[f"the number of examples of the {name}"] = batches.m
        values[f"the number of batches of the {name}"] = batches.steps
        values[f"the size of the smallest batch of the {name}"] = batches.smallest
        arrays = [X, Y] if w is None else [X, Y, w]
        values[f"a checksum of some examples of the {name}"] = checksum(*arrays)
    return values


def expect_same_frozen(ranks: Ranks, run: Run) -> None:
    """Refuse to freeze other layers than rank 0 does: a frozen layer exchanges nothing."""
    frozen = [[part.start, part.stop] for part in run.frozen]
    remedy = "Freeze the same layers on every rank."
    expect_same(ranks, {"which parts of model.values are frozen": frozen}, remedy)


def take_from_first(ranks: Ranks, network: Network, optimizer: Optimizer) -> None:
    """Make the parameters, the state and the optimizer's memory those of rank 0."""
    communicator, memory = ranks.communicator, optimizer.memory
    communicator.broadcast(network.values)
    forms = [[name, array.dtype.str, array.shape] for name, array in memory.items()]
    of_first = {}
    for name, dtype, shape in broadcast_value(communicator, forms):
        like = memory[name] if ranks.rank == 0 else np.empty(shape, dtype)
        vector = np.ascontiguousarray(like).reshape(-1)
        communicator.broadcast(vector)
        of_first[name] = vector.reshape(shape)
    if ranks.rank:
        memory.clear()
        memory.update(of_first)


def use_generator_of_first(ranks: Ranks, network: Network) -> None:
    """Have the model's generator in the state of that of rank 0."""
    own = state_of(network.rng)
    kind = {"the model's generator": [own["kind"], own["state"]["bit_generator"]]}
    expect_same(ranks, kind, "Give the model the same seed on every rank.")
    # One that is not built yet will draw its parameters from the generator.
    is_built = {"whether the model is built": network.is_built}
    expect_same(ranks, is_built, "Make it with inputs=... on every rank, or on none.")
    set_state(network.rng, broadcast_value(ranks.communicator, plain(own)))


def content_of_first(ranks: Ranks, path: str) -> bytes:
    """Return the content of a file that rank 0 reads; the others need not have it."""
    content, error = b"", None
    if ranks.rank == 0:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as reason:
            error = reason
    fault = broadcast_value(ranks.communicator, str(error or ""))
    if error is not None:
        raise error
    if fault:
        raise OSError(f"Rank 0 cannot read the file: {fault}.")
    return broadcast_bytes(ranks.communicator, content)
