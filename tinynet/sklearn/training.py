"""Training of an estimator: dense or sparse rows, by steps or by L-BFGS."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from tinynet._support.arrays import Array
from tinynet._support.warn import worded
from tinynet.data.split import held_out
from tinynet.layers import Layer
from tinynet.sequential import Sequential
from tinynet.sklearn.lbfgs import fit_by_lbfgs
from tinynet.sklearn.sparse import SparseBatches, dense, is_sparse
from tinynet.sklearn.threads import few_threads
from tinynet.sklearn.wording import for_rows
from tinynet.training.callbacks import Callback, EarlyStopping
from tinynet.training.history import History


class Data(NamedTuple):
    """Rows of X, columns of Y, and weights of the examples: of each, and by its class."""

    X: Any
    Y: Array
    w: Array | None = None
    by_class: Array | None = None

    def weights(self) -> Array | None:
        """Return the weights of the examples, (m,), or None."""
        if self.w is None or self.by_class is None:
            return self.by_class if self.w is None else self.w
        return self.w * self.by_class

    def part(self, which: Array) -> Data:
        """Return the examples that a mask chooses."""
        w, by_class = (None if v is None else v[which] for v in (self.w, self.by_class))
        return Data(self.X[which], self.Y[:, which], w, by_class)


class NoProgress(Callback):
    """Stop when neither the mean nor the lowest loss of some epochs is better by `tol` than before.

    The mean is compared with that of as many epochs before. The loss of few and large steps goes up
    and down: the lowest one alone would end the training after a single lucky epoch.
    """

    watches_steps = False

    def __init__(self, epochs: int, tol: float) -> None:
        self.epochs, self.tol = epochs, tol

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        n, losses = self.epochs, self.run.history["loss"]
        if len(losses) < 2 * n or sum(losses[-n:]) <= sum(losses[-2 * n : -n]) - n * self.tol:
            return
        if min(losses[-n:]) > min(losses[:-n]) - self.tol:
            self.run.stop(f"the loss did not improve by {self.tol} in {n} epochs")


def train(estimator: Any, data: Data, held: Data | None, is_partial: bool) -> History:
    """Train the network of an estimator on these data, and return the history.

    `held` are data to validate on. With early stopping and without them some are held out.
    """
    model: Sequential = estimator.model_
    stops = estimator.early_stopping and not is_partial
    if stops and held is None:
        out = held_out(data.Y, estimator.validation_fraction, model.rng)
        data, held = data.part(~out), data.part(out)
    size = _batch_size(model, data.X.shape[0], estimator.batch_size)
    if estimator.optimizer_ == "lbfgs":
        return _by_lbfgs(estimator, data, held)
    callbacks = _callbacks(estimator.callbacks)
    estimator.callbacks_ = callbacks
    stopping = [] if is_partial else _stopping(estimator)
    with few_threads(model, size), worded(for_rows):
        history = model.fit(
            **_arguments(model, data, held, size, estimator.shuffle),
            optimizer=estimator.optimizer_, epochs=1 if is_partial else estimator.epochs,
            metrics=estimator.metrics, callbacks=[*callbacks, *stopping],
            verbose=bool(estimator.verbose),
        )  # fmt: skip
    for callback in callbacks:
        vars(callback).pop("run", None)  # which holds the optimizer's memory
    return history


def _arguments(
    model: Sequential, data: Data, held: Data | None, size: int, shuffle: bool
) -> dict[str, Any]:
    """Return data as arguments of `Sequential.fit`: arrays, or batches of sparse rows."""
    arguments: dict[str, Any] = {}
    if is_sparse(data.X):
        order = model.rng if shuffle else None
        arguments["X"] = _batches(model, data, data.weights(), size, order)
    else:
        arguments |= {"X": data.X.T, "Y": data.Y, "sample_weight": data.weights()}
        arguments |= {"batch_size": size, "shuffle": shuffle}
    if held is not None and is_sparse(held.X):
        arguments["validation_data"] = (_batches(model, held, held.w, size, None),)
    elif held is not None:
        arguments["validation_data"] = (held.X.T, held.Y, held.w)
    return arguments


def _batches(model: Sequential, data: Data, w: Any, size: int, rng: Any) -> SparseBatches:
    return SparseBatches(data.X, data.Y, w, size, model.takes.dtype, rng)


def _by_lbfgs(estimator: Any, data: Data, held: Data | None) -> History:
    refused = {
        "callbacks": estimator.callbacks, "metrics": estimator.metrics,
        "early_stopping": estimator.early_stopping, "X_val": held is not None,
    }  # fmt: skip
    for name, value in refused.items():
        if value:
            found = f"optimizer='lbfgs' got {name}, which need steps"
            raise ValueError(f"{found}. Leave it out, or use optimizer='adam'.")
    model = estimator.model_
    X, tol = dense(data.X, model.takes.dtype).T, estimator.tol or 0.0
    with few_threads(model, X.shape[-1]):
        return fit_by_lbfgs(model, X, data.Y, data.weights(), estimator.epochs, tol)


def _callbacks(given: Any) -> list[Callback]:
    """Return copies of callbacks: `fit` changes no parameter of an estimator."""
    several = [] if given is None else [given] if isinstance(given, Callback) else list(given)
    return copy.deepcopy(several)


def _stopping(estimator: Any) -> list[Callback]:
    """Return what ends the training early, if anything does."""
    patience, tol = estimator.n_iter_no_change, estimator.tol
    if estimator.early_stopping:
        return [EarlyStopping("val_loss", patience, tol or 0.0)]
    if tol is None:
        return []
    return [NoProgress(patience, tol)]


def _batch_size(model: Sequential, m: int, batch_size: int | None) -> int:
    """Return the examples of a batch, so that the last one is large enough for every layer."""
    size = m if batch_size is None else min(batch_size, m)
    placed = model.storage.placed
    least = max(_least(at.layer, at.input_shape) for at in placed)
    if 0 < m % size < least:
        size = -(-m // (m // size))  # a batch less, and each of them larger
    return size


def _least(layer: Layer, input_shape: tuple[int, ...]) -> int:
    return layer.least_examples(input_shape)
