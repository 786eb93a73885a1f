"""What the estimators share: parameters, the way through `fit`, and pickles of parameters only."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from tinynet._support.arrays import Array
from tinynet.activations import Activation
from tinynet.data.sources import on_disk
from tinynet.initializers import Initializer
from tinynet.layers import Dense, Flatten, Layer, Reshape
from tinynet.losses import Loss
from tinynet.model.place import place
from tinynet.optimizers import Optimizer
from tinynet.sequential import Sequential
from tinynet.sklearn.nested import FAMILIES, description, nested_params, portable, with_fields
from tinynet.sklearn.sparse import dense, is_sparse
from tinynet.sklearn.training import Data, train
from tinynet.training.callbacks import Callback
from tinynet.training.history import History

_FLOATS = (np.float64, np.float32)


class Output(NamedTuple):
    """What y asks of the last layer: its units and activation, and the loss behind it."""

    units: int
    activation: Activation
    loss: Loss


class NetworkEstimator(BaseEstimator):
    """Base of both estimators. It keeps each parameter as it was given, and `fit` checks them."""

    _parameter_constraints: dict[str, list[Any]] = {
        "layers": [list, tuple, Interval(Integral, 1, None, closed="left"), Layer],
        "activation": [str, Activation, Mapping],
        "output": [str, Activation, Mapping],
        "loss": [str, Loss, Mapping],
        "optimizer": [str, Optimizer, Mapping],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "init": [str, Initializer, Mapping],
        "l2": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "metrics": [list, tuple],
        "callbacks": [list, tuple, Callback, None],
        "dtype": [StrOptions({"auto", "float32", "float64"}), type, np.dtype],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "inputs": [tuple, list, Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        layers: int | Layer | Sequence[int | Layer] = (100,),
        activation: str | Activation = "relu",
        *,
        output: str | Activation = "auto",
        loss: str | Loss = "auto",
        optimizer: str | Optimizer = "adam",
        epochs: int = 200,
        batch_size: int | None = 200,
        init: str | Initializer = "glorot_uniform",
        l2: float = 0.0,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        metrics: Sequence[Any] = (),
        callbacks: Sequence[Callback] | Callback | None = (),
        dtype: Any = "auto",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool = False,
        inputs: int | tuple[int, ...] | None = None,
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.output = output
        self.loss = loss
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.init = init
        self.l2 = l2
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.metrics = metrics
        self.callbacks = callbacks
        self.dtype = dtype
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.inputs = inputs

    # What the two estimators do in their own ways.

    def _targets(self, y: Any, is_first: bool, classes: Any = None) -> Array:
        """Return y as columns (n_L, m); the first one says what the network predicts."""
        raise NotImplementedError

    def _output(self) -> Output:
        """Return what the last layer is, after `_targets`."""
        raise NotImplementedError

    def _class_weights(self, y: Any) -> Array | None:
        """Return the weight of each example by its class, if there are any."""
        return None

    def _prepare_output(self, Y: Array, w: Array | None) -> None:
        """Set what is known of the last layer before the first step."""

    # Parameters.

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, with those of descriptions if `deep`.

        ``optimizer__learning_rate`` is the learning rate of the optimizer.
        """
        params = super().get_params(deep=False)
        return params | (nested_params(params) if deep else {})

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; ``optimizer__learning_rate=0.01`` makes another optimizer."""
        nested: dict[str, dict[str, Any]] = {}
        plain: dict[str, Any] = {}
        for key, value in params.items():
            name, _, field = key.partition("__")
            if field and name in FAMILIES:
                nested.setdefault(name, {})[field] = value
            else:
                plain[key] = value
        super().set_params(**plain)
        for name, fields in nested.items():
            setattr(self, name, with_fields(self, name, fields))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags

    # Pickles.

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameters and the weights, without gradients.

        The optimizer's memory is among them only where training is to be continued: with
        ``warm_start``, and after ``partial_fit``.
        """
        state = dict(super().__getstate__())
        state |= portable(super().get_params(deep=False))
        if "model_" in state:
            model, inputs = state["model_"], state["model_"].inputs
            parts = (model.layers, model.loss, model.dtype, copy.deepcopy(model.rng))
            state["model_"] = (*parts, inputs, model.values.copy())
            if not (self.warm_start or self._is_partial or self.optimizer_ == "lbfgs"):
                state["optimizer_"] = self.optimizer_.fresh()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "model_" in state:
            layers, loss, dtype, rng, inputs, values = state["model_"]
            model = Sequential(layers, loss, dtype=dtype, seed=rng)
            model.build(place(model.layers, inputs), None)
            model.values[:] = values
            state["model_"] = model
        super().__setstate__(state)

    # Fitting.

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] = (None, None, None),
        is_partial: bool = False,
        classes: Any = None,
    ) -> Self:
        """Train, from the beginning or on from where the network is."""
        is_first = not (hasattr(self, "model_") and (is_partial or self.warm_start))
        self._validate_params()
        training = self._data(X, y, sample_weight, is_first, classes)
        held = None
        if validation[0] is not None:
            held = self._data(*validation, is_first=False, is_held=True)
        if is_first:
            self._build(training)
        self._is_partial = is_partial
        history = train(self, training, held, is_partial)
        for name, values in history.items():
            self.history_.setdefault(name, []).extend(values)
        self.history_.stopped = history.stopped
        self.n_iter_ = self.history_.epochs
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1]
        return self

    def _data(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        is_first: bool,
        classes: Any = None,
        is_held: bool = False,
    ) -> Data:
        """Return X, y and the weights, checked: rows, columns, and (m,) or None."""
        X, y = validate_data(
            self, X, y, reset=is_first, accept_sparse="csr", dtype=_FLOATS, multi_output=True,
            y_numeric=is_regressor(self),
        )  # fmt: skip
        # joblib maps what is over 1 MB: that must not change what is computed.
        X, y = (np.array(each) if on_disk(each) else each for each in (X, y))
        Y, w = self._targets(y, is_first, classes), None
        if sample_weight is not None:
            w = _check_sample_weight(sample_weight, X, dtype=np.float64)
        by_class = None if is_held else self._class_weights(y)
        return Data(X, Y, w, by_class)

    def _build(self, data: Data) -> None:
        """Make the network and an optimizer without memory."""
        output, given = self._output(), data.X.dtype
        by_steps = self.optimizer != "lbfgs"
        self.optimizer_: Any = description(self, "optimizer").fresh() if by_steps else "lbfgs"
        dtype = self.dtype
        if isinstance(dtype, str) and dtype == "auto":
            dtype = given if by_steps else np.float64
        hidden = self._hidden_layers(data.X.shape[1])
        last = Dense(output.units, output.activation, self._init(), self.l2)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.model_ = Sequential(
            [*hidden, last], output.loss, inputs=data.X.shape[1], dtype=dtype, seed=seed
        )
        self.history_ = History()
        self.n_layers_ = len(self.model_.layers)
        self._prepare_output(data.Y, data.weights())

    def _init(self) -> Any:
        return "auto" if self.init == "auto" else description(self, "init")

    def _hidden_layers(self, n_features: int) -> list[Layer]:
        """Return all layers but the last. Numbers are units of `Dense`, which takes columns."""
        given = self.layers if isinstance(self.layers, (list, tuple)) else (self.layers,)
        activation, init = description(self, "activation"), self._init()
        layers: list[Layer] = []
        if self.inputs is not None:
            layers.append(Reshape(self.inputs))
        for layer in given:
            if isinstance(layer, Layer):
                layers.append(layer)
            elif _is_number_of_units(layer):
                _flatten(layers, n_features)
                layers.append(Dense(int(layer), activation, init, self.l2))
            else:
                found = f"The 'layers' parameter of {type(self).__name__} must be numbers of units"
                raise InvalidParameterError(f"{found} of at least 1, or layers. Got {layer!r}.")
        _flatten(layers, n_features)
        return layers

    # Predicting.

    def _predicted(self, X: Any, before_activation: bool = False) -> Array:
        """Return A[L], or Z[L], with an example in each row."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=_FLOATS)
        model = self.model_
        if not (before_activation or is_sparse(X)):
            return model.predict(X.T).T
        size, parts = model.storage.examples_at_a_time, []
        for at in range(0, X.shape[0], size):
            rows = dense(X[at : at + size], model.dtype)
            parts.append(self._last_Z(rows.T) if before_activation else model.predict(rows.T))
        return np.concatenate(parts, axis=-1).T

    def _last_Z(self, X: Array) -> Array:
        """Return Z[L] for columns, computed in arrays that no other thread has."""
        chain = self.model_.storage.private_chain(X.shape[-1])
        chain.forward_input(self.model_.check_inputs(X))
        return chain.last.Z


def _flatten(layers: list[Layer], n_features: int) -> None:
    """Add a layer that makes columns of the examples, if they are something else."""
    if all(isinstance(layer, Dense) for layer in layers):
        return
    if len(place(layers, (n_features,))[-1].output_shape) > 1:
        layers.append(Flatten())


def _is_number_of_units(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
