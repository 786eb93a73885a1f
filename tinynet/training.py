"""The training loop and its history.

`fit` and `evaluate` are methods of `Sequential`, written here as functions of the model,
so that the model's file holds the mathematics and this one the loop.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._buffers import Array, all_finite, whole
from tinynet._doubts import Doubts, course, too_large
from tinynet.batches import BATCH_SIZE, Batches, batches_of, ordered
from tinynet.errors import NonFiniteError
from tinynet.metrics import Metric, measures
from tinynet.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from tinynet.sequential import Sequential


class History(dict[str, list[float]]):
    """What was measured: ``history["loss"]`` is a list with a number an epoch."""

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"<History of {max(map(len, self.values()), default=0)} epochs; last: {last or 'nothing'}>"


def fit(
    model: Sequential,
    X: Any,
    Y: Any = None,
    optimizer: Optimizer | str | None = None,
    epochs: int = 1,
    batch_size: int | None = BATCH_SIZE,
    shuffle: bool | str = True,
    validation_data: tuple[Any, Any] | None = None,
    metrics: Sequence[str | Metric] = (),
    verbose: bool = False,
    steps_per_epoch: int | None = None,
) -> History:
    """Train on X and Y.

    Parameters
    ----------
    X, Y : array_like of shape (n_0, m) and (n_L, m)
        Examples as columns; for categorical cross-entropy Y may be integer labels (m,) or (1, m).
        They may lie on disk, as `numpy.memmap` or `open_rows` give them; or X, without Y, is an
        iterable of batches (X, Y), or a function that returns one.
    optimizer : Optimizer or str, optional
        ``SGD()`` if left out. It keeps its memory from fit to fit.
    epochs, batch_size : int
        Passes over the data, and examples a step; the last batch may be smaller, and None is the whole set.
    shuffle : bool or {"blocks", "whole"}
        Draw a new order of the examples for each epoch, from the model's generator. On disk True is
        ``"blocks"``, of examples that follow one another; ``"whole"`` is any order, and slow.
    validation_data : tuple, optional
        (X, Y), or (stream,), to evaluate after each epoch, recorded as ``val_loss`` and so on.
    metrics : sequence of str or callable
        Names, or functions ``(Y, A) -> float``; in training, of what was predicted before each step.
    verbose : bool
        Write a line an epoch.
    steps_per_epoch : int, optional
        Batches an epoch, where a function gives them; the most of an iterable.

    Returns the metrics, and ``"loss"``: an epoch's mean of the cost before each step, penalties
    included. Raises `NonFiniteError`, `ShapeError`, `ValueError` or `TypeError` when X, Y, a setting or
    training itself is wrong, and leaves the parameters as before that step.
    """
    optimizer = SGD() if optimizer is None else Optimizer.get(optimizer)
    functions, epochs = measures(metrics), whole("epochs", epochs, least=0)
    batches = batches_of(model, X, Y, batch_size, shuffle, steps_per_epoch=steps_per_epoch)
    doubts = Doubts(model, optimizer)
    if validation_data is not None:
        model.evaluate(*validation_data, metrics=metrics)  # what is wrong with it is found before the first step
    history = History()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # each step looks for itself
        for epoch in range(1, epochs + 1):
            measured = _train_epoch(model, batches, optimizer, functions, doubts, f"epoch {epoch}")
            optimizer.end_epoch()
            doubts.epoch()
            if validation_data is not None:
                judged = model.evaluate(*validation_data, metrics=metrics)
                measured |= {f"val_{name}": value for name, value in judged.items()}
            for name, value in measured.items():
                history.setdefault(name, []).append(value)
            if verbose:
                told = "  ".join(f"{name} {value:.4f}" for name, value in measured.items())
                sys.stdout.write(f"epoch {epoch:{len(str(epochs))}}/{epochs}  {told}\n")
    return history


def _train_epoch(
    model: Sequential, batches: Batches, optimizer: Optimizer, functions: Any, doubts: Doubts, epoch: str
) -> Any:
    total, m, targets, outputs, before = 0.0, 0, [], [], np.empty_like(model.params)
    recent: deque[float] = deque(maxlen=5)
    for step, (X, Y, _) in enumerate(batches.epoch(model.rng), 1):
        A = model.forward(X)
        if functions:
            targets.append(Y.copy())
            outputs.append(A.copy())
        recent.append(model.cost(Y))
        m += Y.shape[-1]
        total += Y.shape[-1] * recent[-1]
        _train_step(model, Y, optimizer, before, recent, f"{epoch}, step {step}")
        doubts.step(recent[-1])
    return {"loss": total / m} | _measured(functions, targets, outputs)


def _train_step(
    model: Sequential, Y: Array, optimizer: Optimizer, before: Array, costs: deque[float], where: str
) -> None:
    """Take the step that follows a forward pass, with the last of `costs`; or none, where a number is not finite."""
    model.back(Y)
    np.copyto(before, model.params)
    if math.isfinite(costs[-1]) and all_finite(model.grads):
        optimizer.step(model)
        if all_finite(model.params):
            return
    culprit = f"{where}: {model.first_nonfinite()} is not finite; the parameters are as before this step"
    model.params[:] = before
    raise NonFiniteError(f"{culprit}. {too_large(optimizer)}; the cost went {course(costs)}")


def evaluate(
    model: Sequential,
    X: Any,
    Y: Any = None,
    metrics: Sequence[str | Metric] = (),
    batch_size: int | None = None,
    steps: int | None = None,
) -> dict[str, float]:
    """Return the loss, penalties included, and the metrics on X and Y, as {"loss": ..., "accuracy": ...}.

    X, Y and `metrics` are as for `fit`; `batch_size` examples are in memory at a time (None is all,
    or 1024 of what lies on disk). `steps` batches are taken where a function gives them. It writes nothing
    into the model.
    """
    functions = measures(metrics)
    total, m, targets, outputs = 0.0, 0, [], []
    for X_part, Y_part, _ in ordered(model, X, Y, batch_size, steps=steps).epoch(None):
        ((_, caches),) = model.passes(X_part, None)
        m += Y_part.shape[-1]
        total += Y_part.shape[-1] * model.cost_of(caches, Y_part)
        if functions:
            targets.append(Y_part.copy())
            outputs.append(caches[-1].A)
    return {"loss": total / m} | _measured(functions, targets, outputs)


def _measured(functions: Any, targets: list[Array], outputs: list[Array]) -> dict[str, float]:
    """Return the metrics of all batches together."""
    if not functions:
        return {}
    Y, A = np.concatenate(targets, axis=-1), np.concatenate(outputs, axis=-1)
    return {name: float(measure(Y, A)) for name, measure in functions.items()}
