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
    """A network that predicts classes: one of two or of several, or several labels an example.

    Examples are rows. What it is given is checked by `fit`, as everywhere in scikit-learn.

    Parameters
    ----------
    layers : sequence of int or Layer
        The layers before the last, which follows from y. A number stands for
        ``Dense(number, activation, init, l2)``. A layer is used as it is: it has its own
        activation. Examples that are not columns are flattened before a number, and before the
        last layer. An empty sequence is a linear model.
    activation : str or Activation
        That of layers given as numbers.
    output : str or Activation
        The activation of the last layer. "auto" is sigmoid for two classes and for
        several labels an example, and softmax for several classes; or what the loss needs.
    loss : str or Loss
        "auto" is binary or categorical cross-entropy, as the output asks for. "hinge" has no
        probabilities: then there is `decision_function`, and no `predict_proba`.
    optimizer : str, Optimizer or "lbfgs"
        How a step moves the parameters. An optimizer that is passed is not changed: ``optimizer_``
        is another one of the same settings. ``optimizer__learning_rate`` and its other settings are
        parameters of the estimator. "lbfgs" is L-BFGS by SciPy, for small data: it takes all
        examples in each of at most `epochs` iterations, and no callbacks or metrics.
    epochs : int
        The most passes over the data.
    batch_size : int or None
        Examples a step; None is all. It is made larger where a last batch would be too small for a
        layer such as `BatchNorm`.
    init : str or Initializer
        How the weights of layers given as numbers, and of the last, are drawn. "auto" is what suits
        the activation.
    l2 : float
        Adds l2/2 · Σ W² to the loss, for each of these layers. scikit-learn's alpha is l2 times the
        number of examples.
    shuffle : bool
        Whether each epoch has a new order.
    early_stopping : bool
        Whether to stop when the loss on validation data has not improved by `tol` for
        `n_iter_no_change` epochs, and to restore the best parameters. The data are `X_val` and
        `y_val` of `fit`, or else `validation_fraction` of the examples, of each class alike.
    validation_fraction : float
        Above 0 and below 1.
    n_iter_no_change : int
        The epochs of `early_stopping`, or of `tol`.
    tol : float or None
        Without early stopping, training ends when in `n_iter_no_change` epochs neither the mean
        loss is at least this much below that of as many epochs before, nor the lowest loss below
        the lowest before. None trains for all `epochs`. For "lbfgs" it is the largest gradient at
        the end.
    class_weight : dict, "balanced" or None
        The weight of each class, by its label.
    metrics : sequence of str, Metric or callable
        What ``history_`` records beside the loss, measured on columns.
    callbacks : sequence of Callback
        They are copied for each fit: the copies are ``callbacks_``.
    dtype : {"auto", "float32", "float64"}
        The precision of the network; "auto" is float32 for X in float32, or else float64. With
        float32 the training is faster.
    random_state : int, RandomState or None
        For the first weights, the order of the examples, and what layers draw.
    warm_start : bool
        Whether `fit` continues where the last one ended.
    verbose : bool
        Whether to show the progress.
    inputs : tuple of int, optional
        The shape of an example, such as (1, 8, 8) for an image in a row of 64 numbers, which
        convolutions need.

    Attributes
    ----------
    model_ : Sequential
        The network, which has examples as columns: ``model_.predict(X.T)``.
    optimizer_ : Optimizer
        The optimizer with its memory.
    history_ : History
        The loss and the metrics of each epoch; ``history_.stopped`` says why training ended early.
    loss_curve_ : list of float
        The losses of the epochs, ``history_["loss"]``; ``loss_`` is the last.
    n_iter_ : int
        The number of epochs, or of iterations.
    classes_ : ndarray
        The classes, sorted.
    n_features_in_, feature_names_in_ : int, ndarray of str
        The features of X, and their names if X is a frame.

    Notes
    -----
    A pickle holds the parameters without gradients. It holds the memory of the optimizer only with
    ``warm_start``, or after `partial_fit`. While small products are computed, BLAS uses one thread:
    on a busy machine, more of them would wait for one another.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from tinynet import Dense, Dropout
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NetworkClassifier([Dense(32, "gelu"), Dropout(0.2), 16], random_state=1)
    >>> pipeline = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> pipeline.score(X, y) > 0.95
    True
    >>> pipeline.predict_proba(X[:5]).shape
    (5, 3)
    """

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
        """Train on rows of X and their classes y, from the beginning unless ``warm_start`` is set.

        Parameters
        ----------
        X : array_like, sparse matrix or data frame of shape (m, n)
            An example in each row. Sparse rows become dense batch by batch.
        y : array_like of shape (m,), or (m, n_labels)
            Words or numbers; for several labels an example a column of 0 and 1 for each.
        sample_weight : array_like of shape (m,), optional
            How much each example counts; the weights are scaled to a mean of 1.
        X_val, y_val, sample_weight_val : optional
            Data to validate on after each epoch: ``history_["val_loss"]``.

        Returns
        -------
        NetworkClassifier
            This estimator.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on rows of X, from where the network is.

        The first call needs all `classes`, as it may not see an example of each.
        """
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
        """Return the predicted classes, (m,), or 0 and 1 for each label, (m, n_labels)."""
        A = self._predicted(X)
        if self._is_multilabel:
            return (self._threshold() < A).astype(int)
        if A.shape[1] == 1:
            return self.classes_[(self._threshold() < A[:, 0]).astype(int)]
        return self.classes_[A.argmax(axis=1)]

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (m, n_classes), or label, (m, n_labels).

        It exists where the last activation gives numbers from 0 to 1.
        """
        A = self._predicted(X)
        if self._is_multilabel:
            return A
        if A.shape[1] == 1:
            return np.hstack([1 - A, A])
        if self.model_.layers[-1].activation.gives_shares():
            return A
        return A / np.maximum(A.sum(axis=1, keepdims=True), np.finfo(A.dtype).tiny)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> Array:
        """Return Z[L]: (m,) for two classes, and otherwise a column for each class or label.

        Of two outputs for two classes it is the difference.
        """
        Z = self._predicted(X, before_activation=True)
        if self._is_multilabel or len(self.classes_) > 2:
            return Z
        return Z[:, 0] if Z.shape[1] == 1 else Z[:, 1] - Z[:, 0]

    def _threshold(self) -> float:
        return 0.0 if _is_signed(self.model_.needed_loss()) else 0.5

    def _targets(self, y: Any, is_first: bool, classes: Any = None) -> Array:
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            check_classification_targets(y)  # it takes time, and refuses most other kinds
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
