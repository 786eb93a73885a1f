"""A network that predicts numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from tinynet._support.arrays import Array
from tinynet.activations import Activation, Identity
from tinynet.losses import Loss
from tinynet.sklearn.base import NetworkEstimator, Output
from tinynet.sklearn.nested import description, takes_steps


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network that predicts numbers, one or several an example.

    Examples are rows. The biases of a last layer without activation begin as the means of y, so y
    need not be scaled to a mean of 0.

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
        The activation of the last layer. "auto" is identity.
    loss : str or Loss
        "auto" is the mean squared error.
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
        `y_val` of `fit`, or else `validation_fraction` of the examples.
    validation_fraction : float
        Above 0 and below 1.
    n_iter_no_change : int
        The epochs of `early_stopping`, or of `tol`.
    tol : float or None
        Without early stopping, training ends when in `n_iter_no_change` epochs neither the mean
        loss is at least this much below that of as many epochs before, nor the lowest loss below
        the lowest before. None trains for all `epochs`. For "lbfgs" it is the largest gradient at
        the end.
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
    n_outputs_ : int
        The numbers that are predicted for an example.
    n_features_in_, feature_names_in_ : int, ndarray of str
        The features of X, and their names if X is a frame.

    Notes
    -----
    A pickle holds the parameters without gradients. It holds the memory of the optimizer only with
    ``warm_start``, or after `partial_fit`. While small products are computed, BLAS uses one thread:
    on a busy machine, more of them would wait for one another.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = NetworkRegressor([50], optimizer="lbfgs", l2=0.1, random_state=1).fit(X, y)
    >>> network.score(X, y) > 0.4
    True
    >>> network.set_params(optimizer="adam", optimizer__learning_rate=0.01).optimizer
    Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """

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
        """Train on rows of X and their targets y, from the beginning unless ``warm_start`` is set.

        Parameters
        ----------
        X : array_like, sparse matrix or data frame of shape (m, n)
            An example in each row. Sparse rows become dense batch by batch.
        y : array_like of shape (m,) or (m, n_outputs)
            Numbers.
        sample_weight : array_like of shape (m,), optional
            How much each example counts; the weights are scaled to a mean of 1.
        X_val, y_val, sample_weight_val : optional
            Data to validate on after each epoch: ``history_["val_loss"]``.

        Returns
        -------
        NetworkRegressor
            This estimator.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on rows of X, from where the network is."""
        return self._fit(X, y, sample_weight, is_partial=True)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, of the shape of y: (m,) or (m, n_outputs)."""
        A = self._predicted(X)
        return A[:, 0] if self._is_flat else A

    def _targets(self, y: Any, is_first: bool, classes: Any = None) -> Array:
        y = np.asarray(y, dtype=None if np.asarray(y).dtype.kind == "f" else np.float64)
        n = 1 if y.ndim == 1 else y.shape[1]
        if is_first:
            self.n_outputs_, self._is_flat = n, y.ndim == 1
        elif n != self.n_outputs_:
            kind = type(self).__name__
            expected = f"but {kind} is expecting {self.n_outputs_} targets as before"
            raise ValueError(f"y has {n} targets, {expected}.")
        return y.reshape(len(y), n).T

    def _output(self) -> Output:
        is_auto = isinstance(self.output, str) and self.output == "auto"
        activation: Activation = Identity() if is_auto else description(self, "output")
        is_auto = isinstance(self.loss, str) and self.loss == "auto"
        loss = Loss.get("mean_squared_error") if is_auto else description(self, "loss")
        return Output(self.n_outputs_, activation, loss)

    def _prepare_output(self, Y: Array, w: Array | None) -> None:
        """Start from the mean of the targets, which would take many steps to get to."""
        last = self.model_.layers[-1]
        if isinstance(last.activation, Identity):
            mean = np.average(Y.astype(np.float64), axis=1, weights=w)
            self.model_.b[len(self.model_.layers)] = mean[:, np.newaxis]
