"""scikit-learn's MLPClassifier and MLPRegressor as a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.exchange.assemble import Part, assembled
from tinynet.layers import Dense
from tinynet.sequential import Sequential

_ACTIVATIONS = {
    "identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu",
    "softmax": "softmax",
}  # fmt: skip
_LOSSES = {
    "log_loss": "categorical_crossentropy", "binary_log_loss": "binary_crossentropy",
    "squared_error": "mean_squared_error", "poisson": "poisson",
}  # fmt: skip


def from_sklearn(mlp: Any) -> Sequential:
    """Return the model of a fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn.

    Parameters
    ----------
    mlp : MLPClassifier or MLPRegressor
        A fitted estimator.

    Returns
    -------
    Sequential
        A model with the same parameters, in their dtype. ``model.predict(X.T)`` is
        ``predict_proba(X).T``, with one row for two classes, or ``predict(X).T`` of a regressor.
        ``l2`` of its layers is 0, because ``alpha`` means another number for each batch size.

    Raises
    ------
    TypeError
        For anything else, and for an estimator that is not fitted.

    Examples
    --------
    Needs scikit-learn::

        mlp = MLPClassifier().fit(X, y)
        model = tn.exchange.from_sklearn(mlp)
        labels = mlp.classes_[model.predict_labels(X.T)]
    """
    if not hasattr(mlp, "hidden_layer_sizes"):
        found = f"mlp is {type(mlp).__name__}, expected a fitted MLPClassifier or MLPRegressor"
        raise TypeError(f"{found}.{_remedy(mlp)}")
    if not hasattr(mlp, "coefs_"):
        raise TypeError(f"{type(mlp).__name__} is not fitted. Call mlp.fit(X, y) first.")
    n_hidden = len(mlp.coefs_) - 1
    names = [mlp.activation] * n_hidden + [mlp.out_activation_]
    parts = [
        Part(Dense(W.shape[1], _ACTIVATIONS[name]), {"W": W.T, "b": b[:, np.newaxis]})
        for W, b, name in zip(mlp.coefs_, mlp.intercepts_, names, strict=True)
    ]
    loss = "binary_log_loss" if mlp.out_activation_ == "logistic" else mlp.loss
    return assembled(parts, _LOSSES[loss], mlp.n_features_in_, mlp.coefs_[0].dtype)


def _remedy(estimator: Any) -> str:
    """Return where an estimator has the one within it, if it has one."""
    if hasattr(estimator, "steps"):
        return " Pass the last step of the pipeline: mlp[-1]."
    within = [name for name in ("best_estimator_", "model_") if hasattr(estimator, name)]
    return f" Use mlp.{within[0]}." if within else ""
