"""A network that predicts classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from tinynet._support.arrays import Array
from tinynet.activations import Activation, Identity, Sigmoid, Softmax, Tanh
from tinynet.initializers import Initializer
from tinynet.layers import Layer
from tinynet.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss
from tinynet.optimizers import Optimizer
from tinynet.sklearn.base import NetworkEstimator, Output
from tinynet.sklearn.nested import described, description, takes_steps
from tinynet.training.callbacks import Callback


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _is_signed(loss: Loss) -> bool:
    """Return whether a loss takes -1 and 1 for no and yes."""
    return loss.target_limits == (-1.0, 1.0)


def _gives_probabilities(estimator: Any) -> bool:
    activation = described(Activation, estimator._output_spec())
    return activation is None or activation.limits() == (0.0, 1.0)


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network that predicts classes."""

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
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
        class_weight: Mapping[Any, float] | str | None = None,
        metrics: Sequence[Any] = (),
        callbacks: Sequence[Callback] | Callback | None = (),
        dtype: Any = "auto",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool = False,
        inputs: int | tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(
            layers, activation, output=output, loss=loss, optimizer=optimizer, epochs=epochs,
            batch_size=batch_size, init=init, l2=l2, shuffle=shuffle,
            early_stopping=early_stopping, validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change, tol=tol, metrics=metrics, callbacks=callbacks,
            dtype=dtype, random_state=random_state, warm_start=warm_start, verbose=verbose,
            inputs=inputs,
        )  # fmt: skip
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = False
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on rows X and classes y."""
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch."""
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight {self.class_weight!r} is not supported for partial_fit. In order to "
                "use 'balanced' weights, use compute_class_weight('balanced', classes=classes, "
                "y=y). Pass the resulting weights as the class_weight parameter."
            )
        if hasattr(self, "model_"):
            if classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{self.classes_!r}"
                )
        elif classes is None and type_of_target(y) != "multilabel-indicator":
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(X, y, sample_weight, is_partial=True, classes=classes)

    def predict(self, X: Any) -> Array:
        """Return the predicted classes."""
        A = self._predicted(X)
        if self._is_multilabel:
            return (self._threshold() < A).astype(int)
        if A.shape[1] == 1:
            return self.classes_[(self._threshold() < A[:, 0]).astype(int)]
        return self.classes_[A.argmax(axis=1)]

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class."""
        A = self._predicted(X)
        if self._is_multilabel:
            return A
        if A.shape[1] == 1:
            return np.hstack([1 - A, A])
        if self.model_.layers[-1].activation.declares("sums_to_1"):
            return A
        return A / np.maximum(A.sum(axis=1, keepdims=True), np.finfo(A.dtype).tiny)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        """Return Z[L]: (m,) for two classes, else a column for each class."""
        Z = self._predicted(X, before_activation=True)
        if self._is_multilabel or len(self.classes_) > 2:
            return Z
        return Z[:, 0] if Z.shape[1] == 1 else Z[:, 1] - Z[:, 0]

    def _threshold(self) -> float:
        return 0.0 if _is_signed(self.model_.needed_loss()) else 0.5

    def _targets(self, y: Any, is_first: bool, classes: Any = None) -> Array:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(f"{kind} is not supported: wrap it in MultiOutputClassifier.")
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        is_multilabel = kind == "multilabel-indicator"
        if not is_multilabel:
            y = column_or_1d(y, warn=True)
        if is_first:
            self._is_multilabel = is_multilabel
            found = np.arange(y.shape[1]) if is_multilabel else np.unique(y)
            self.classes_ = found if classes is None else np.unique(classes)
            if len(self.classes_) < 2 and not is_multilabel:
                raise ValueError(
                    "This solver needs samples of at least 2 classes in the data, but the data "
                    f"contains only one class: {self.classes_[0]!r}"
                )
        Y = y.T if is_multilabel else self._one_hot(y)
        return 2 * Y - 1 if _is_signed(self._output().loss) else Y

    def _one_hot(self, y: Array) -> Array:
        """Return a row of 0 and 1 for each class, or for two classes as many as outputs."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {unknown}."
            )
        codes = np.searchsorted(self.classes_, y)
        if self._output().units == 1:
            return codes[np.newaxis]
        return (np.arange(len(self.classes_))[:, np.newaxis] == codes).astype(np.int8)

    def _output_spec(self) -> Any:
        """Return what the last activation is: as given, or as the loss wants it, or "auto"."""
        loss = described(Loss, self.loss)
        if not _is_auto(self.output) or loss is None:
            return self.output
        if isinstance(loss.partner, (Sigmoid, Softmax)):
            return loss.partner
        return Identity() if _is_signed(loss) else "auto"

    def _output(self) -> Output:
        spec, n = self._output_spec(), len(self.classes_)
        activation = spec if isinstance(spec, Activation) else None
        if activation is None and not _is_auto(spec):
            activation = description(self, "output")
        is_one_of_several = not self._is_multilabel and (n > 2 or isinstance(activation, Softmax))
        if activation is None:
            activation = Softmax() if is_one_of_several else Sigmoid()
        if not _is_auto(self.loss):
            loss = description(self, "loss")
        elif isinstance(activation, (Identity, Tanh)):
            loss = Loss.get("hinge")
        else:
            is_softmax = isinstance(activation, Softmax)
            loss = CategoricalCrossentropy() if is_softmax else BinaryCrossentropy()
        return Output(n if is_one_of_several or self._is_multilabel else 1, activation, loss)

    def _class_weights(self, y: Any) -> Array | None:
        if self.class_weight is None:
            return None
        return compute_sample_weight(self.class_weight, y)
