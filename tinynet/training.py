"""The training loop and its history.

`fit` and `evaluate` are methods of `Sequential`, written here as functions of the model,
so that the model's file holds the mathematics and this one the loop.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._buffers import Array, all_finite, whole
from tinynet._doubts import Doubts, course, too_large
from tinynet.errors import NonFiniteError
from tinynet.initializers import Random
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
    Y: Any,
    optimizer: Optimizer | str | None = None,
    epochs: int = 1,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation_data: tuple[Any, Any] | None = None,
    metrics: Sequence[str | Metric] = (),
    verbose: bool = False,
) -> History:
    """Train on X and Y.

    Parameters
    ----------
    X, Y : array_like of shape (n_0, m) and (n_L, m)
        Examples as columns; for categorical cross-entropy Y may be integer labels (m,) or (1, m).
    optimizer : Optimizer or str, optional
        ``SGD()`` if left out. It keeps its memory from fit to fit.
    epochs, batch_size : int
        Passes over the data, and examples a step; the last batch may be smaller, and None is the whole set.
    shuffle : bool
        Draw a new order of the examples for each epoch, from the model's generator.
    validation_data : tuple of array_like, optional
        (X, Y) to evaluate after each epoch, recorded as ``val_loss`` and so on.
    metrics : sequence of str or callable
        Names, or functions ``(Y, A) -> float``; in training, of what was predicted before each step.
    verbose : bool
        Write a line an epoch.

    Returns the metrics, and ``"loss"``: an epoch's mean of the cost before each step, penalties
    included. Raises `NonFiniteError`, `ShapeError`, `ValueError` or `TypeError` when X, Y, a setting or
    training itself is wrong, and leaves the parameters as before that step.
    """
    optimizer = SGD() if optimizer is None else Optimizer.get(optimizer)
    functions, epochs = measures(metrics), whole("epochs", epochs, least=0)
    batch_size = None if batch_size is None else whole("batch_size", batch_size)
    X, Y = model.admit(X, Y)
    assert model.loss is not None, "admit has seen to it"
    model.loss.check_targets(Y)
    doubts = Doubts(model, optimizer)
    if validation_data is not None:
        model.evaluate(*validation_data, metrics=metrics)  # what is wrong with it is found before the first step
    batches = _Batches(X, Y, batch_size, model.rng if shuffle else None)
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
    model: Sequential, batches: _Batches, optimizer: Optimizer, functions: Any, doubts: Doubts, epoch: str
) -> Any:
    total, targets, outputs, before = 0.0, [], [], np.empty_like(model.params)
    recent: deque[float] = deque(maxlen=5)
    for step, (X, Y) in enumerate(batches, 1):
        A = model.forward(X)
        if functions:
            targets.append(Y.copy())
            outputs.append(A.copy())
        recent.append(model.cost(Y))
        total += Y.shape[-1] * recent[-1]
        _train_step(model, Y, optimizer, before, recent, f"{epoch}, step {step}")
        doubts.step(recent[-1])
    measured = {"loss": total / batches.m}
    if functions:
        Y, A = np.concatenate(targets, axis=-1), np.concatenate(outputs, axis=-1)
        measured |= {name: float(measure(Y, A)) for name, measure in functions.items()}
    return measured


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
    model: Sequential, X: Any, Y: Any, metrics: Sequence[str | Metric] = (), batch_size: int | None = None
) -> dict[str, float]:
    """Return the loss, penalties included, and the metrics on X and Y, as {"loss": ..., "accuracy": ...}.

    X, Y and `metrics` are as for `fit`; `batch_size` examples are in memory at a time (None is all).
    It writes nothing into the model.
    """
    functions = measures(metrics)
    X, Y = model.admit(X, Y)
    m = X.shape[-1]
    total, outputs = 0.0, []
    for part, caches in model.passes(X, batch_size):
        total += (part.stop - part.start) * model.cost_of(caches, Y[..., part])
        outputs.append(caches[-1].A)
    A = np.concatenate(outputs, axis=-1)
    return {"loss": total / m} | {name: float(measure(Y, A)) for name, measure in functions.items()}


class _Batches:
    """The mini-batches of an epoch, in a new order each time they are gone through.

    An example is a row in memory, so that a batch in any order is one contiguous gather. X.T of
    an array with an example in each row lies so already; columns are copied into rows, once.
    What is handed out is the transposed view of an array that the next batch overwrites.
    """

    def __init__(self, X: Array, Y: Array, batch_size: int | None, rng: Random | None) -> None:
        self.m = X.shape[-1]
        self.size = self.m if batch_size is None else min(batch_size, self.m)
        self.whole, self.rng = (X, np.copy(Y)), rng
        if self.size < self.m:
            self.rows = [np.ascontiguousarray(np.moveaxis(array, -1, 0)) for array in (X, Y)]
            self.full, self.last = self._gathered(self.size), self._gathered(self.m % self.size)

    def _gathered(self, m: int) -> list[tuple[Array, Array]]:
        """Return arrays for m rows of X and of Y, each with its view as columns."""
        arrays = [np.empty_like(rows, shape=(m, *rows.shape[1:])) for rows in self.rows]
        return [(array, np.moveaxis(array, 0, -1)) for array in arrays]

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        if self.size == self.m:
            yield self.whole
            return
        order = np.arange(self.m) if self.rng is None else self.rng.permutation(self.m)
        for start in range(0, self.m, self.size):
            chosen = order[start : start + self.size]
            gathered = self.full if len(chosen) == self.size else self.last
            for rows, (array, _) in zip(self.rows, gathered, strict=True):
                rows.take(chosen, axis=0, out=array, mode="clip")  # clip: straight into out; the indices are in range
            (_, X), (_, Y) = gathered
            yield X, Y
