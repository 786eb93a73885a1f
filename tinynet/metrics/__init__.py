"""Metrics: numbers for a person to read, by name, as an instance or as a custom function.

Each takes Y and A of a whole epoch: A is A[L], (n_L, m), with m examples as columns. Y has the
shape of A or, for one output, (m,), or for classes integer labels (m,) or (1, m). Where A has
positions, (n_L, T, m), labels are (T, m), and metrics of classes count each position. A Y of
another shape is refused, never broadcast. The numbers are those of scikit-learn's functions.
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.metrics.base import Measure, Metric, is_known, labels, measured, resolve

if TYPE_CHECKING:
    from tinynet.metrics.classification import (
        F1,
        Accuracy,
        BalancedAccuracy,
        BinaryAccuracy,
        LogLoss,
        Precision,
        Recall,
        RocAuc,
        TopKAccuracy,
        accuracy,
        balanced_accuracy,
        binary_accuracy,
        confusion_matrix,
        f1,
        log_loss,
        precision,
        recall,
        roc_auc,
        top_k_accuracy,
    )
    from tinynet.metrics.regression import (
        R2,
        MeanAbsoluteError,
        MeanSquaredError,
        RootMeanSquaredError,
        mean_absolute_error,
        mean_squared_error,
        r2,
        root_mean_squared_error,
    )

__all__ = [
    "F1",
    "R2",
    "Accuracy",
    "BalancedAccuracy",
    "BinaryAccuracy",
    "LogLoss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Measure",
    "Metric",
    "Precision",
    "Recall",
    "RocAuc",
    "RootMeanSquaredError",
    "TopKAccuracy",
    "accuracy",
    "balanced_accuracy",
    "binary_accuracy",
    "confusion_matrix",
    "f1",
    "is_known",
    "labels",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "measured",
    "precision",
    "r2",
    "recall",
    "resolve",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__,
        regression=(
            "R2", "MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError",
            "mean_absolute_error", "mean_squared_error", "r2", "root_mean_squared_error",
        ),
        classification=__all__,
    )  # fmt: skip
