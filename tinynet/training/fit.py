"""Training and judging: `fit`, `resume` and `evaluate`.

They are methods of `Sequential`, written here as functions of the model, so that the model's
file holds the mathematics; the loop itself is in ``running.py``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinynet._support.arrays import integer
from tinynet.data.batches import BATCH_SIZE, ordered
from tinynet.files.archive import opened
from tinynet.metrics import Metric, measures
from tinynet.optimizers import SGD, Optimizer
from tinynet.training import checkpoint as checkpoints
from tinynet.training.callbacks import Callback
from tinynet.training.history import History
from tinynet.training.loop import Run, judge

if TYPE_CHECKING:
    from tinynet.sequential import Sequential


def fit(
    model: Sequential,
    X: Any,
    Y: Any = None,
    optimizer: Optimizer | str | None = None,
    epochs: int = 1,
    batch_size: int | None = BATCH_SIZE,
    shuffle: bool | str = True,
    validation_data: Any = None,
    metrics: Sequence[str | Metric] = (),
    verbose: bool = False,
    callbacks: Sequence[Callback] = (),
    sample_weight: Any = None,
    class_weight: Any = None,
    validation_split: float | None = None,
    steps_per_epoch: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    detect_anomaly: bool = False,
) -> History:
    """Train on X and Y.

    Parameters
    ----------
    X, Y : array_like of shape (n_0, m) and (n_L, m)
        Examples as columns; for categorical cross-entropy Y may be integer labels (m,) or (1, m). X may also
        be an array on disk, or batches, without Y: see :doc:`/data`.
    optimizer : Optimizer or str, optional
        ``SGD()`` if left out. It keeps its memory from fit to fit.
    epochs, batch_size : int
        Passes over the data, and examples a step; the last batch may be smaller, and None is the whole set.
    shuffle : bool or {"blocks", "whole"}
        Draw a new order of the examples for each epoch, from the model's generator. On disk True is
        ``"blocks"``, of examples that follow one another; ``"whole"`` is any order, and slow.
    validation_data : tuple of array_like or batches, optional
        (X, Y), or (stream,), to evaluate after each epoch, recorded as ``val_loss`` and so on.
    metrics : sequence of str or callable
        Names, or functions ``(Y, A) -> float``; in training, of what was predicted before each step.
    verbose : bool
        Show a progress bar, or write a line an epoch.
    callbacks : sequence of Callback
        What else is done in between.
    sample_weight, class_weight : array_like of shape (m,), and dict or "balanced", optional
        Weights of examples, and of the examples of a class. They are scaled to a mean of 1.
    validation_split : float, optional
        The share of the examples, drawn by chance (of each class alike), that is validation data. Each fit
        draws others: to go on training a model, split once and hand over `validation_data`.
    steps_per_epoch : int, optional
        Batches an epoch, where a function gives them; the most of an iterable.
    checkpoint : str or PathLike, optional
        A file to which all is written that the run needs to go on after it was killed: see `tinynet.resume`.
    checkpoint_every : int, optional
        Steps from one writing to the next; left out, it is written after each epoch.
    detect_anomaly : bool
        Look at every array of every step, and raise `NonFiniteError` that names the first that is not finite.

    Returns the metrics, and ``"loss"``: an epoch's mean of the cost before each step, penalties
    included. Ctrl-C ends it after the step. Raises `NonFiniteError`, `ShapeError`, `ValueError` or
    `TypeError` when X, Y, a setting or training itself is wrong, and leaves the parameters as before that step.
    """
    settings = checkpoints.settings(
        epochs, batch_size, shuffle, verbose, class_weight, validation_split, steps_per_epoch, checkpoint_every,
        detect_anomaly,
    )  # fmt: skip
    optimizer = SGD() if optimizer is None else Optimizer.get(optimizer)
    data = (X, Y, sample_weight, validation_data)
    if checkpoint_every is not None and checkpoint is None:
        raise ValueError(
            f'checkpoint_every={checkpoint_every!r} needs a file to write: add checkpoint="run.npz"'
        )
    with model.unchanged_if_refused():
        run = Run(model, optimizer, data, measures(metrics), callbacks, settings, checkpoint)
        run.begin()
    return run.go()


def resume(
    cls: type[Sequential],
    path: str | os.PathLike[str],
    X: Any,
    Y: Any = None,
    *,
    validation_data: Any = None,
    metrics: Sequence[str | Metric] | None = None,
    callbacks: Sequence[Callback] = (),
    sample_weight: Any = None,
    epochs: int | None = None,
) -> tuple[Sequential, History]:
    """Go on with a run from the file that ``fit(..., checkpoint=path)`` wrote; return the model and its history.

    What comes out is bit for bit what the run would have given, had it not been interrupted.

    Parameters
    ----------
    path : str or PathLike
        The file; the run goes on writing to it.
    X, Y, validation_data, sample_weight, callbacks
        As they were given to ``fit``: they are not in the file. What callbacks remember is.
    metrics : sequence of str or callable, optional
        Needed only where functions were among them.
    epochs : int, optional
        Another number of epochs than the run was begun with; with it, a run that was stopped goes on too,
        until its callbacks stop it again.

    Raises `FileFormatError` for a file that holds no run, and `ValueError` for data of another shape, or other
    metrics or callbacks than the run's.

    >>> import os, tempfile
    >>> import tinynet as tn
    >>> X, Y = tn.datasets.make_moons(100, seed=1)
    >>> model = tn.Sequential([tn.Dense(4, "tanh"), tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.npz")
    ...     history = model.fit(X, Y, epochs=3, checkpoint=path)
    ...     model, history = tn.resume(path, X, Y, epochs=5)
    >>> history.epochs
    5
    """
    with opened(path) as file:
        model = cls.from_archive(file)
        kept = checkpoints.read(file, model)
        file.done()
    settings = kept.settings | (
        {} if epochs is None else {"epochs": integer("epochs", epochs, least=0)}
    )
    if metrics is None and kept.told["functions"]:
        named = ", ".join(kept.told["functions"])
        hint = f"write resume(..., metrics=[...]), with {named}"
        raise ValueError(f"the run measured functions, which no file holds: {hint}")
    functions = measures(kept.told["metrics"] if metrics is None else metrics)
    model.rng = kept.rng_at_start
    data = (X, Y, sample_weight, validation_data)
    run = Run(model, kept.optimizer, data, functions, callbacks, settings, path)
    checkpoints.check_same(kept, run)
    run.take_up(kept)
    run.stopped = "" if epochs is not None else run.stopped
    run.begin()
    return model, run.go()


def evaluate(
    model: Sequential,
    X: Any,
    Y: Any = None,
    metrics: Sequence[str | Metric] = (),
    batch_size: int | None = None,
    sample_weight: Any = None,
    steps: int | None = None,
) -> dict[str, float]:
    """Return the loss, penalties included, and the metrics on X and Y, as {"loss": ..., "accuracy": ...}.

    X, Y, `sample_weight` and `metrics` are as for `fit`; `batch_size` examples are in memory at a time
    (None is all, or 1024 of those on disk), and `steps` is the number of batches where a function gives
    them. It writes nothing into the model.
    """
    functions = measures(metrics)
    # Only what builds the model changes it: threads may share one that is built.
    with contextlib.nullcontext() if model.is_built else model.unchanged_if_refused():
        batches = ordered(model, X, Y, batch_size, sample_weight, steps)
    return judge(model, batches, functions)
