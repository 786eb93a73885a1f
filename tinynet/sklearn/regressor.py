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
    """A network that predicts numbers."""

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
        """Train on rows X and y."""
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch."""
        return self._fit(X, y, sample_weight, is_partial=True)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers."""
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
