"""`fit`, `resume`, `evaluate`, `predict`: what a user passes is checked, and becomes a run."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import file_path, integer_or_none, shown
from tinynet._support.quiet import quiet
from tinynet._support.warn import warn
from tinynet.data.batches import Batches
from tinynet.data.disk import REFUSALS
from tinynet.data.sources import Prepared, input_parts, ordered_batches, shape_of, training_batches
from tinynet.data.stream import EVALUATE, FIT, RESUME, VALIDATION, Caller
from tinynet.errors import ShapeError
from tinynet.files import model as model_file
from tinynet.files.archive import opened
from tinynet.metrics import Measure, Metric, measured, resolve
from tinynet.model.network import Network
from tinynet.optimizers import SGD, Optimizer
from tinynet.training import checkpoint as checkpoints
from tinynet.training.callbacks import Callback
from tinynet.training.callbacks.base import expect_hooks
from tinynet.training.checkpoint import Path, SavedRun
from tinynet.training.diagnostics import Diagnostics
from tinynet.training.evaluation import evaluate as evaluate_batches
from tinynet.training.evaluation import outputs
from tinynet.training.history import History
from tinynet.training.joining import (
    content_of_first,
    expect_same_evaluation,
    expect_same_parameters,
    expect_same_run,
    together,
    use_generator_of_first,
)
from tinynet.training.loop import Loop
from tinynet.training.progress import ProgressBar
from tinynet.training.ranks import Ranks
from tinynet.training.run import INTERRUPTED, Run, Settings
from tinynet.training.step import is_own
from tinynet.training.tally import output_kind

N = TypeVar("N", bound=Network)
_OPTIMIZER = (Optimizer, str, type(None))  # what may stand for one; a config is rare


def fit(
    network: Network,
    X: Any,
    Y: Any,
    optimizer: Optimizer | str | None,
    options: Mapping[str, Any],
    *,
    validation_data: Any,
    metrics: Any,
    callbacks: Callback | Sequence[Callback] | None,
    sample_weight: Any,
    checkpoint: Path | None,
    parallel: Any,
) -> History:
    """Train a network from the first epoch on; `Sequential.fit` documents the arguments.

    `options` are the settings by name.
    """
    with together(parallel, "fit") as ranks:
        if not (isinstance(optimizer, _OPTIMIZER) and isinstance(options["epochs"], int)):
            _expect_no_data(optimizer=optimizer, epochs=options["epochs"])
        settings = Settings(**options)
        if settings.checkpoint_every is not None and checkpoint is None:
            raise _no_checkpoint(settings.checkpoint_every)
        if checkpoint is not None:
            checkpoint = file_path("checkpoint", checkpoint, "run.npz")
        optimizer = SGD() if optimizer is None else Optimizer.get(optimizer)
        functions = resolve(metrics)
        with network.unchanged_if_refused(), optimizer.unchanged_if_refused():
            if ranks is not None:
                use_generator_of_first(ranks, network)
            data = _prepare(network, X, Y, sample_weight, validation_data, settings)
            run = Run(network, optimizer, functions, settings, data, ranks=ranks)
            if functions:
                _try_metrics(run)
            own = _checked_callbacks(callbacks)
            if ranks is not None:
                expect_same_run(ranks, run, own, checkpoint is not None)
            all_callbacks = [*own, *[ProgressBar()] * settings.verbose]
            loop = Loop(run, all_callbacks, checkpoint, first=[Diagnostics()])
            loop.begin()
        return loop.train()


def _expect_no_data(**arguments: Any) -> None:
    """Refuse examples or targets in the place of an optimizer, or of a number of epochs."""
    for name, value in arguments.items():
        are_arrays = isinstance(value, (tuple, list)) and any(map(shape_of, value))
        if are_arrays or math.prod(shape_of(value)) > 2:
            expected = "a whole number" if name == "epochs" else "an optimizer or its name"
            hint = "Use fit(X, Y, validation_data=(X_val, Y_val)) for validation data"
            raise TypeError(f"{name} is {shown(value)}, expected {expected}. {hint}.")


def _no_checkpoint(every: int) -> ValueError:
    found = f"checkpoint_every is {every}, but there is no file to write"
    return ValueError(f'{found}. Add checkpoint="run.npz".')


def resume(
    kind: type[N],
    path: Path,
    X: Any,
    Y: Any,
    *,
    validation_data: Any,
    metrics: Any,
    callbacks: Callback | Sequence[Callback] | None,
    sample_weight: Any,
    epochs: int | None,
    optimizer: Optimizer | str | None,
    verbose: bool | None,
    parallel: Any,
) -> tuple[N, History]:
    """Continue the run of a checkpoint; `Sequential.resume` documents the arguments."""
    with together(parallel, "resume") as ranks:
        path = file_path("path", path, "run.npz")
        network, saved = _read(kind, path, ranks)
        settings = _changed(saved.settings, epochs=epochs, verbose=verbose)
        functions = _functions_of(saved, metrics)
        network.rng = saved.generator("start")
        data = _prepare(network, X, Y, sample_weight, validation_data, settings, RESUME)
        used = saved.optimizer if optimizer is None else Optimizer.get(optimizer)
        run = Run(network, used, functions, settings, data, ranks=ranks)
        own = _checked_callbacks(callbacks)
        all_callbacks = [*own, *[ProgressBar()] * settings.verbose]
        saved.expect_same_run(run, own)
        if run.n_ranks != saved.n_ranks and run.rank == 0:
            warn(_other_ranks(saved.n_ranks, run.n_ranks))
        network.rng = saved.generator("now")
        data.training.skip(saved.epoch)
        with used.unchanged_if_refused():
            _continue_with(used, saved.optimizer)
            if ranks is not None:
                expect_same_run(ranks, run, own, has_checkpoint=True)
            loop = Loop(run, all_callbacks, path, first=[Diagnostics()])
            # Another number of epochs continues a run that was stopped, too.
            is_over = epochs is None and saved.stopped != INTERRUPTED
            run.stopped = saved.stopped if is_over else ""
            loop.begin(partial(saved.restore, run, own, path))
        return network, loop.train()


def _read(kind: type[N], path: str, ranks: Ranks | None) -> tuple[N, SavedRun]:
    """Return the network and the run of a checkpoint, of which rank 0 reads the file."""
    content = None if ranks is None else io.BytesIO(content_of_first(ranks, path))
    with opened(path, "fit(..., checkpoint=...)", content) as file:
        network = model_file.read(file, kind)
        saved = checkpoints.read(file, network)
        file.expect_no_more()
    return network, saved


def _functions_of(saved: SavedRun, metrics: Any) -> dict[str, Measure]:
    """Return the metrics of a run, which a file holds by name only."""
    if metrics is None and saved.functions:
        names = shown(", ".join(saved.functions)).strip("'")
        found = "The run measures functions, which no file holds"
        raise ValueError(f"{found}. Add metrics=[...], with {names}.")
    return resolve(saved.metrics if metrics is None else metrics)


def _other_ranks(before: int, now: int) -> str:
    """Return what to say of a run that continues on another number of ranks."""
    ranks = "1 rank" if before == 1 else f"{before} ranks"
    differs = "sums are rounded otherwise, and layers that draw numbers (dropout) draw others"
    found = f"The run began on {ranks}, and continues on {now}. It has the same parameters"
    return f"{found} and the same order of examples, but {differs}."


def _changed(settings: Settings, **values: Any) -> Settings:
    """Return settings with these values, except where they are None."""
    given = {name: value for name, value in values.items() if value is not None}
    return attrs.evolve(settings, **given)


def _continue_with(optimizer: Optimizer, before: Optimizer) -> None:
    """Give an optimizer the memory of the one that a run had before, if it is of the same kind."""
    if optimizer is before:
        return
    optimizer.reset()
    if type(optimizer) is type(before):
        memory = before.memory.items()  # the rate is a setting of the new one
        optimizer.memory.update({name: array for name, array in memory if name != "current_rate"})


def evaluate(
    network: Network,
    X: Any,
    Y: Any,
    metrics: Any,
    batch_size: int | None,
    sample_weight: Any,
    steps_per_epoch: int | None,
    parallel: Any,
) -> dict[str, float]:
    """Return the loss and the metrics; `Sequential.evaluate` documents the arguments."""
    # Only building changes the network: threads may share one that is built.
    guard = contextlib.nullcontext() if network.is_built else network.unchanged_if_refused()
    with together(parallel, "evaluate") as ranks:
        functions = resolve(metrics)
        size = integer_or_none("batch_size", batch_size)
        steps = integer_or_none("steps_per_epoch", steps_per_epoch)
        with guard:
            batches = ordered_batches(network, X, Y, size, sample_weight, steps, EVALUATE)
            if ranks is not None:
                expect_same_evaluation(ranks, network, batches, functions)
                batches.divide(ranks.communicator)
        return evaluate_batches(network, batches, functions, ranks)


def predict(network: Network, X: Any, batch_size: int | None, parallel: Any) -> Array:
    """Return A[L] for X, of which each rank computes a part."""
    if parallel is not None:
        with together(parallel, "predict") as ranks:
            if ranks is not None:
                m, parts = input_parts(network, X, batch_size, ranks.communicator)
                expect_same_parameters(ranks, network, shape_of(X))
                no_outputs = np.empty((*network.outputs, 0), network.dtype)
                return ranks.joined([outputs(network, m, parts) if m else no_outputs])
    if network.is_built:  # asked first, because a guard takes as long as a small layer
        return outputs(network, *input_parts(network, X, batch_size))
    with network.unchanged_if_refused():
        return outputs(network, *input_parts(network, X, batch_size))


def _prepare(
    network: Network,
    X: Any,
    Y: Any,
    sample_weight: Any,
    validation_data: Any,
    settings: Settings,
    caller: Caller = FIT,
) -> Prepared:
    """Return the batches to train on and to validate on, all checked before the first step."""
    share, steps = settings.validation_split, settings.steps_per_epoch
    if share is not None and validation_data is not None:
        found = "fit got validation_data and validation_split, expected one of them"
        raise ValueError(f"{found}. Leave one out.")
    options = (settings.batch_size, settings.shuffle, sample_weight, settings.class_weight, steps)
    data = training_batches(network, X, Y, *options, share, caller=caller)
    if validation_data is not None:
        data = data._replace(validation=_validation(network, validation_data))
    _refuse_small_batches(network, data.training)
    return data


def _validation(network: Network, data: Any) -> Batches:
    """Return the validation batches of (X, Y), (X, Y, w), or a stream alone or in a tuple.

    A list is a stream if it holds batches, and otherwise it stands for the tuple.
    """
    if not isinstance(data, (tuple, list)) or (data and all(map(_is_batch, data))):
        data = (data,)
    if not 1 <= len(data) <= 3:
        found = f"validation_data has {len(data)} parts, expected (X, Y) or (X, Y, sample_weight)"
        raise ValueError(f"{found}. Leave it out to train without validation.")
    X, Y, w = (*data, None, None)[:3]
    try:
        batches = ordered_batches(network, X, Y, sample_weight=w, caller=VALIDATION)
        for _ in batches.epoch(None):  # each batch is checked before the first step
            pass
    except REFUSALS as error:
        error.args = (f"In validation_data: {error}",)
        raise
    return batches


def _is_batch(part: Any) -> bool:
    """Return whether part of a list is a batch, and not the examples or targets of a pair."""
    is_pair = isinstance(part, (tuple, list)) and len(part) in (2, 3)
    return is_pair and len(shape_of(part[0])) > 1


@quiet
def _try_metrics(run: Run) -> None:
    """Measure some examples: a metric that does not fit is refused before the first step."""
    _try_metrics_on(run, run.data.training, run.metrics)
    # What a function returns is known by now. Other targets may not fit a metric of classes.
    metrics = {name: each for name, each in run.metrics.items() if isinstance(each, Metric)}
    if run.data.validation is not None and metrics:
        try:
            _try_metrics_on(run, run.data.validation, metrics)
        except REFUSALS as error:
            error.args = (f"In validation_data: {error}",)
            raise


def _try_metrics_on(run: Run, batches: Batches, metrics: Mapping[str, Measure]) -> None:
    X, Y, w = batches.sample()
    w = w if batches.weighs_metrics else None
    if w is not None and not w.any():
        return  # those that count are among the other examples
    A = run.network.storage.private_chain(X.shape[-1]).forward_input(X)
    for name, metric in metrics.items():
        measured(name, metric, Y, A, w, output_kind(run.network))


def _refuse_small_batches(network: Network, batches: Batches) -> None:
    """Refuse a batch that is too small for a layer, before an epoch gets to it."""
    for layer in network.storage.placed:
        smallest, least = batches.smallest, layer.layer.least_examples(layer.input_shape)
        if smallest is not None and smallest < least:
            found = f"The smallest batch of {batches.m} examples has {smallest}, expected at least "
            found += f"{least} in training for {layer.title}"
            raise ShapeError(f"{found}. Use another batch_size, or leave an example out.")


def _checked_callbacks(callbacks: Any) -> list[Callback]:
    """Return the callbacks, of which there may be one alone or none."""
    is_one = not isinstance(callbacks, Iterable)
    several: list[Any] = [] if callbacks is None else [callbacks] if is_one else list(callbacks)
    for callback in several:
        if not isinstance(callback, Callback):
            hint = f" Pass {callback.__name__}()." if isinstance(callback, type) else ""
            expected = "expected an instance of a subclass of tinynet.Callback"
            raise TypeError(f"callbacks has {callback!r}, {expected}.{hint}")
        if not is_own(callback):
            expect_hooks(callback)
    return several
