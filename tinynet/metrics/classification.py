"""Metrics of classes, and of yes or no.

- A single output is a yes or no, and class 1 is an A above ``threshold``.
- Of several outputs the largest is the class, the first of equal ones.
- With ``multilabel=True`` each of several outputs is a yes or no by itself. In `fit` and `evaluate`
  this follows from the model: it is so for binary cross-entropy, and not so for other losses.

Y has columns like those of A, or integer labels, (m,) or (1, m). What would be 0 / 0 is 0.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

import attrs
import numpy as np

from tinynet._support import fields
from tinynet._support.arrays import Array, entry
from tinynet._support.examples import numbers, spelled, wrong_targets
from tinynet._support.labels import class_numbers, weights
from tinynet.metrics.base import Metric, by_positions, entries, labels, mean, outputs_of

_multilabel = partial(attrs.field, default=None, kw_only=True)
_AVERAGES = ("auto", "macro", "micro", "weighted", "none")


@attrs.frozen(slots=False)
class ClassMetric(Metric):
    """Base of metrics that compare classes.

    Parameters
    ----------
    threshold : float
        Above which a single output, or each of a multi-label model, is a yes.
    multilabel : bool, optional
        Whether several outputs are a yes or no each. None is what the model says and, where there
        is none, no.

    >>> Y, A = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.2], [0.8, 0.6]])
    >>> Accuracy()(Y, A), Accuracy(multilabel=True)(Y, A)
    (1.0, 0.5)
    """

    larger_is_better = True
    takes_weights = True
    positions_count = True
    threshold: float = fields.finite(0.5, kw_only=True)
    multilabel: bool | None = _multilabel()

    def decided(self, Y: Any, A: Any) -> tuple[Array, Array]:
        """Return what is true and what is predicted: classes (m,), or yes and no (n_L, m)."""
        if self.multilabel and len(outputs_of(A)) > 1:
            Y, A = entries(Y, A)
            return yes(Y), self.threshold < A
        A = outputs_of(A)
        return true_classes(Y, A), labels(A, self.threshold)

    def counts(self, Y: Array, A: Array, w: Array | None) -> Array:
        """Return the right, true and predicted examples (three rows) of each class, or output."""
        true, predicted = self.decided(Y, A)
        w = np.ones(true.shape[-1]) if w is None else w
        if true.ndim == 2:
            return np.stack([(true & predicted).dot(w), true.dot(w), predicted.dot(w)])
        n, right = max(len(A), 2), true == predicted
        which = ((true[right], w[right]), (true, w), (predicted, w))
        return np.stack([np.bincount(each, weights, n) for each, weights in which])


class Accuracy(ClassMetric):
    """Return the share of examples whose class is right; of several yes or no, whose are all right.

    >>> Accuracy()(np.array([0, 2]), np.array([[0.7, 0.5], [0.2, 0.1], [0.1, 0.4]]))
    0.5
    """

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        true, predicted = self.decided(Y, A)
        right = true == predicted
        return float(mean(right if right.ndim == 1 else right.all(axis=0), w))


@attrs.frozen(slots=False)
class TopKAccuracy(Metric):
    """Return the share of examples whose class is among the k largest outputs.

    Parameters
    ----------
    k : int
        How many outputs count; at least 1.

    >>> TopKAccuracy(k=2)(np.array([1, 2]), np.array([[0.7, 0.5], [0.2, 0.4], [0.1, 0.1]]))
    0.5
    """

    larger_is_better = True
    takes_weights = True
    positions_count = True
    k: int = fields.integer(5)

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        A = outputs_of(A)
        if len(A) == 1:
            raise ValueError('A has one row, top_k_accuracy expected several. Use "accuracy".')
        if self.k > len(A):
            n, hint = len(A), f"Use tn.metrics.TopKAccuracy(k={len(A) - 1})."
            raise ValueError(f"k={self.k}, expected at most {n}: A has {n} rows. {hint}")
        true = true_classes(Y, A)
        of_true = np.take_along_axis(A, true[np.newaxis], axis=0)
        number = np.arange(len(A))[:, np.newaxis]
        # The true class itself is among these. NaN is not, and so is ahead, as it is for argmax.
        not_ahead = (of_true > A) | ((of_true == A) & (number >= true))
        return float(mean(len(A) - np.count_nonzero(not_ahead, axis=0) < self.k, w))


@attrs.frozen(slots=False)
class BinaryAccuracy(Metric):
    """Return the share of entries of A on the right side of `threshold`, each a yes or no.

    Parameters
    ----------
    threshold : float
        An entry above it is a yes.

    >>> BinaryAccuracy()(np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.2], [0.3, 0.6]]))
    0.75
    """

    larger_is_better = True
    takes_weights = True
    threshold: float = fields.finite(0.5)

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        Y, A = entries(Y, A)
        return float(np.mean(mean((self.threshold < A) == yes(Y), w)))


@attrs.frozen(slots=False)
class Averaged(ClassMetric):
    """Base of metrics that are a ratio of counts for each class.

    Parameters
    ----------
    average : {"auto", "macro", "micro", "weighted", "none"}
        How the ratios become one number. "macro" is their mean over the classes that occur in truth
        or prediction, or over the outputs of a multi-label model. "weighted" is a mean by how often
        a class is true, "micro" the ratio of the summed counts, and "none" one number a class.
        "auto" is that of class 1 for a single output, and "macro" for several.

    >>> Recall(average="none")(np.array([0, 1, 1]), np.array([[0.2, 0.7, 0.4]]))
    array([1. , 0.5])
    """

    average: str = fields.one_of(*_AVERAGES, default="auto", kw_only=True)

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> Any:
        right, true, predicted = counts = self.counts(Y, A, w)
        if self.average == "auto" and len(A) == 1:
            return float(self.ratio(*counts[:, 1:])[0])
        if self.average == "micro":
            return float(self.ratio(*counts.sum(axis=1, keepdims=True))[0])
        ratios = self.ratio(right, true, predicted)
        if self.average == "none":
            return ratios
        if self.average == "weighted":
            return float(ratio(ratios.dot(true), true.sum()))
        occurs = counts.any(axis=0) | bool(self.multilabel)
        return float(np.mean(ratios[occurs]))

    @abstractmethod
    def ratio(self, right: Array, true: Array, predicted: Array) -> Array:
        """Return the number of each class from its counts."""


class Precision(Averaged):
    """Return the share of right ones among the examples predicted to be of a class.

    >>> Precision()(np.array([1, 0, 1, 1, 1]), np.array([[0.9, 0.8, 0.1, 0.2, 0.3]]))
    0.5
    """

    def ratio(self, right: Array, true: Array, predicted: Array) -> Array:
        return ratio(right, predicted)


class Recall(Averaged):
    """Return the share of right ones among the examples of a class.

    >>> Recall()(np.array([1, 0, 1, 1, 1]), np.array([[0.9, 0.8, 0.1, 0.2, 0.3]]))
    0.25
    """

    def ratio(self, right: Array, true: Array, predicted: Array) -> Array:
        return ratio(right, true)


class F1(Averaged):
    """Return the harmonic mean of `precision` and `recall`, formed class by class.

    >>> round(F1()(np.array([1, 0, 1, 1, 1]), np.array([[0.9, 0.8, 0.1, 0.2, 0.3]])), 4)
    0.3333
    """

    def ratio(self, right: Array, true: Array, predicted: Array) -> Array:
        return ratio(2 * right, true + predicted)


class BalancedAccuracy(ClassMetric):
    """Return the mean over the classes that are true of the share that is right of each.

    >>> BalancedAccuracy()(np.array([0, 0, 0, 0, 1]), np.array([[0.1, 0.1, 0.1, 0.9, 0.9]]))
    0.875
    """

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        if self.multilabel and len(A) > 1:
            found = "balanced_accuracy got several yes or no, expected one class an example"
            raise ValueError(f'{found}. Use "recall", which is a mean over the outputs.')
        right, true, _ = self.counts(Y, A, w)
        return float(np.mean(ratio(right, true)[true > 0]))


@attrs.frozen(slots=False)
class LogLoss(Metric):
    """Return the mean of -log of the probability that A gives to the truth.

    A column of several outputs are the probabilities of the classes; with `multilabel` each output
    is one of a yes, and the loss is a mean over them. As in scikit-learn a probability counts as
    one that is inside 0 and 1 by the rounding of its dtype.

    Parameters
    ----------
    multilabel : bool, optional
        Whether each of several outputs is a yes or no by itself, and not a class. In `fit` and
        `evaluate` the loss says it by default. By keyword only.

    >>> round(LogLoss()(np.array([1, 1]), np.exp(np.array([[-1.0, -3.0]]))), 12)
    2.0
    """

    larger_is_better = False
    takes_weights = True
    positions_count = True
    multilabel: bool | None = _multilabel()

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        (Y, A), yes_or_no = _truth(Y, A, self.multilabel)
        A = A if A.dtype.kind == "f" else A.astype(np.float64)
        rounding = np.finfo(A.dtype).eps
        A = np.clip(A, rounding, 1 - rounding).astype(np.float64)
        if yes_or_no:
            return float(np.mean(mean(-Y * np.log(A) - (1 - Y) * np.log1p(-A), w)))
        return float(mean(-np.sum(Y * np.log(A), axis=0), w))


@attrs.frozen(slots=False)
class RocAuc(Metric):
    """Return the area under the curve of true positives over false ones (ROC).

    It is the probability that an example of a class has a larger output than one of another class,
    where a tie counts half. For several outputs it is the mean over them, each against all others.
    An output whose examples are all of one class is left out; if none remains, the result is NaN.

    Parameters
    ----------
    multilabel : bool, optional
        Whether each of several outputs is a yes or no by itself, and not a class. In `fit` and
        `evaluate` the loss says it by default. By keyword only.

    >>> RocAuc()(np.array([0, 0, 1, 1]), np.array([[0.1, 0.4, 0.3, 0.8]]))
    0.75
    """

    larger_is_better = True
    takes_weights = True
    positions_count = True
    multilabel: bool | None = _multilabel()

    def measure(self, Y: Array, A: Array, w: Array | None = None) -> float:
        (Y, A), yes_or_no = _truth(Y, A, self.multilabel)
        true = Y > 0.5 if yes_or_no else np.equal(Y, Y.max(axis=0))
        w = np.ones(A.shape[-1]) if w is None else w
        areas = [_area(*each, w) for each in zip(true, A, strict=True)]
        defined = [area for area in areas if area is not None]
        return float(np.mean(defined)) if defined else float("nan")


def _area(true: Array, scores: Array, w: Array) -> float | None:
    """Return the area for one output, from pairs of a positive and a negative example."""
    order = np.argsort(scores, kind="stable")
    scores, positive, negative = scores[order], (w * true)[order], (w * ~true)[order]
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))  # of equal scores
    positive, negative = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - 0.5 * negative
    return float(positive.dot(below) / pairs) if pairs else None


def confusion_matrix(
    Y: Any, A: Any, sample_weight: Any = None, threshold: float = 0.5, multilabel: bool = False
) -> Array:
    """Return how many examples of class i (row) are predicted as class j (column).

    A single output gives the classes 0 and 1. With `multilabel` there is a matrix for each output,
    (n_L, 2, 2). With weights, these are summed.

    >>> confusion_matrix([0, 1, 1], np.array([[0.2, 0.7, 0.4]]))
    array([[1, 0],
           [1, 1]])
    """
    A, w = numbers(A, "A"), None
    if sample_weight is not None:
        w = weights("sample_weight", sample_weight, A.shape[-1])
    Y, A, w = by_positions(Y, A, w)
    true, predicted = Accuracy(threshold=threshold, multilabel=multilabel).decided(Y, A)
    if true.ndim == 2:
        return np.stack([_confused(*each, 2, w) for each in zip(true, predicted, strict=True)])
    return _confused(true, predicted, max(len(A), 2), w)


def _confused(true: Array, predicted: Array, n: int, w: Array | None) -> Array:
    return np.bincount(n * true + predicted, w, n * n).reshape(n, n)


def ratio(parts: Any, wholes: Any) -> Any:
    """Return parts / wholes, where 0 / 0 is 0."""
    return np.divide(parts, wholes, out=np.zeros_like(wholes), where=wholes > 0)


def true_classes(Y: Any, A: Array) -> Array:
    """Return the class of each example from columns like those of A, or from labels."""
    value, Y, (n, m) = Y, numbers(Y, "Y"), A.shape
    if n > 1 and Y.shape == A.shape:
        return labels(_distribution(Y))
    if Y.shape not in ((m,), (1, m)):
        labels_too = f", or integer labels ({m},)"
        raise wrong_targets(Y, A.shape, labels_too, given=spelled(value, "Y"))
    Y = Y.reshape(-1)
    classes = class_numbers(Y, n) if n > 1 else yes(Y)
    return classes.astype(np.intp, copy=False)  # not every NumPy counts uint64


def _distribution(Y: Array) -> Array:
    """Return columns that are one-hot, or probabilities of classes."""
    for i in np.flatnonzero(~((Y >= 0).all(axis=0) & (np.abs(Y.sum(axis=0) - 1) <= 0.01)))[:1]:
        found = f"Column {i} of Y is {Y[:, i]}, expected one class: a one-hot column"
        several = "Where each output is a yes or no by itself, pass multilabel=True"
        raise ValueError(f'{found}. {several}, for numbers use a metric such as "r2".')
    return Y


def yes(Y: Array) -> Array:
    """Return where Y is a yes; it is 0 or 1, or a probability between."""
    for at in np.argwhere(~((Y >= 0) & (Y <= 1)))[:1]:
        found = f"{entry('Y', at)} is {Y[tuple(at)]:g}, expected 0 or 1 for a no or yes"
        other = 'Use a metric of numbers for other numbers, such as "mean_absolute_error".'
        raise ValueError(f"{found}. Pass (Y + 1) / 2 for labels -1 and 1. {other}")
    return Y > 0.5


def _truth(Y: Any, A: Any, multilabel: bool | None) -> tuple[tuple[Array, Array], bool]:
    """Return Y as columns like those of A, and whether each output is a yes or no."""
    A = outputs_of(A)
    n = len(A)
    if n == 1 or multilabel:
        Y, A = entries(Y, A)
        yes(Y)
        return (Y, A), True
    Y = numbers(Y, "Y")
    if Y.shape != A.shape:
        Y = np.arange(n)[:, np.newaxis] == true_classes(Y, A)
    return (_distribution(Y), A), False


accuracy, balanced_accuracy = Accuracy(), BalancedAccuracy()
top_k_accuracy, binary_accuracy = TopKAccuracy(), BinaryAccuracy()
precision, recall, f1 = Precision(), Recall(), F1()
roc_auc, log_loss = RocAuc(), LogLoss()
