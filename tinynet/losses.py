r"""Losses: a number J, and dA[L].

The cost is the mean over the m examples of the sum over the outputs. ``back`` is its derivative
for each example, not divided by m (as every dA here). A loss may have a ``partner`` among the
activations (sigmoid for binary cross-entropy, softmax for categorical cross-entropy, identity for
squared error). Where the last layer has it, dZ[L] is A[L] - Y, and the loss is computed from
Z[L], exact however large |Z| is.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, expect_one_shape, extremes, scalar
from tinynet._support.blocks import by_blocks
from tinynet._support.checks import check_finite, class_numbers, entry
from tinynet._support.fields import positive
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet.activations import Activation, HardSigmoid, Identity, ReLU, Sigmoid, Softmax
from tinynet.errors import ShapeError

# The course publishes values for targets of normal noise: their size, and how many there are.
_NOISE, _FEW = 5.0, 10

# By how much the sum of rounded probabilities may differ from 1. dZ = A - Y is as far off.
_ROUNDED = 1e-3


class Loss(Registered, ABC):
    """Base of all losses; to subclass it is to register.

    A subclass defines `back`, and `each` or `value`. ``domain`` are the limits of A[L], and
    ``target_limits`` those of Y. ``unsuitable`` says why some activations before the loss are
    likely a mistake. ``multilabel`` says whether each of several outputs is a yes or no by itself,
    which matters for metrics and `predict_labels`; None is so for sigmoid, and not for others.

    >>> Loss.get("huber", delta=2.0)
    Huber(delta=2.0)
    """

    family = "loss"
    plural = "losses"
    partner: ClassVar[Activation | None] = None
    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    target_limits: ClassVar[tuple[float, float]] = (-sys.float_info.max, sys.float_info.max)
    multilabel: ClassVar[bool | None] = None
    unsuitable: ClassVar[dict[type[Activation], str]] = {}

    def each(self, A: Array, Y: Array) -> Array:
        """Return the loss of each example, (m,), or of each output of each example, (n_L, m).

        Without it, `value` is called for one example at a time.
        """
        if type(self).value is Loss.value:
            raise TypeError(
                f"{type(self).__name__} defines neither each nor value. Write "
                "def each(self, A, Y), which returns the loss of each example."
            )
        examples = range(A.shape[-1])
        return np.array([self.value(A[..., i : i + 1], Y[..., i : i + 1]) for i in examples])

    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        """Return what `each` does, from Z[L], where the last activation is the partner."""
        assert self.partner is not None, f"{type(self).__name__} has no partner"
        return self.each(self.partner.forward(Z), Y)

    @abstractmethod
    def back(self, A: Array, Y: Array) -> Array:
        """Return dA (n_L, m) for each example: m times the derivative of the cost."""

    @quiet
    def value(self, A: Array, Y: Array) -> float:
        """Return J for A and Y of shape (n_L, m)."""
        expect_one_shape(A=A, Y=Y)
        return self.mean(self.of_examples(A, Y))

    def of_examples(self, A: Array, Y: Array) -> Array:
        """Return what `each` does, if it is a number for each example, or for each output."""
        each = self.each(A, Y)
        if np.shape(each) not in (np.shape(A), np.shape(A)[-1:]):
            found = f"{type(self).__name__}.each returned shape {np.shape(each)}"
            expected = f"expected {np.shape(A)[-1:]}, or {np.shape(A)} as that of A"
            raise ShapeError(f"{found}, {expected}. Sum over the outputs: np.sum(..., axis=0).")
        return np.asarray(each)

    @staticmethod
    @quiet
    def mean(each: Array, w: Array | None = None) -> float:
        """Return J from what `each` returned, and the weights of the examples, summed in float64.

        It is the sum over the outputs, and the mean over the examples, the last axis.
        """
        if w is None:
            return float(np.add.reduce(each, axis=None, dtype=np.float64)) / each.shape[-1]
        of_examples = each.sum(axis=tuple(range(each.ndim - 1)), dtype=np.float64)
        return float(of_examples.dot(w)) / w.size

    def is_partner(self, activation: Activation) -> bool:
        """Return whether dZ[L] is A[L] - Y behind this activation."""
        return self.declares("partner") and self.partner == activation

    def declares(self, name: str) -> bool:
        """Return whether an attribute, such as "partner", is declared for this formula.

        A subclass with another formula does not inherit it: it declares its own.
        """
        for kind in type(self).__mro__:
            if name in vars(kind):
                return True
            if vars(kind).keys() & {"each", "value", "back"}:
                return False
        return False

    def targets(self, Y: Array, shape: Shape) -> Array:
        """Return Y as columns like A[L], of this shape; labels are turned into columns here."""
        return Y[np.newaxis] if shape[0] == 1 and Y.ndim == len(shape) - 1 else Y

    def check_targets(self, Y: Array) -> None:
        """Raise ValueError for a Y (n_L, m) that cannot be meant for this loss."""
        low, high = self.target_limits
        least, most = extremes(Y)
        if low <= least and most <= high:  # not so where one is NaN
            return
        self._refuse_targets(Y)

    def _refuse_targets(self, Y: Array) -> None:
        low, high = self.target_limits
        check_finite("Y", Y)
        Y = Y.astype(np.float64)  # in which the limits are numbers
        at = tuple(np.argwhere(~((low <= Y) & (high >= Y)))[0].tolist())
        found = f"{entry('Y', at)} is {Y[at]:g}. {self!r} expects {_between(low, high)}"
        raise ValueError(f"{found}.{self._remedy(Y)}")

    def _remedy(self, Y: Array) -> str:
        """Return how a Y beyond `target_limits` can be corrected."""
        return ""


class MeanSquaredError(Loss):
    r"""J = 1/(2m) Σ (A - Y)², and dA = A - Y (hence the 1/2); the partner is identity.

    >>> MeanSquaredError().value(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    2.5
    """

    partner = Identity()
    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return 0.5 * _difference(A, Y) ** 2

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return _difference(A, Y, out)


class MeanAbsoluteError(Loss):
    r"""J = 1/m Σ |A - Y|, and dA = sign(A - Y)."""

    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return np.abs(_difference(A, Y))

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.sign(_difference(A, Y, out), out=out)


@attrs.frozen(slots=False)
class Huber(Loss):
    r"""Half the square of d = A - Y where |d| ≤ delta, delta · (|d| - delta/2) beyond (Huber 1964).

    dA is d, limited to the range from -delta to delta.
    """

    delta: float = positive(1.0)
    multilabel = False

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        d = np.abs(_difference(A, Y))
        inside = np.minimum(d, self.delta)
        return inside * (d - 0.5 * inside)

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.clip(_difference(A, Y, out), -self.delta, self.delta, out=out)


class BinaryCrossentropy(Loss):
    r"""J = -1/m Σ (Y log A + (1 - Y) log(1 - A)); the partner is sigmoid.

    dA = (1 - Y)/(1 - A) - Y/A. An A of exactly 0 or 1 counts as a little inside, so 0 · log 0 is
    0, and no logarithm or quotient is infinite.

    >>> round(BinaryCrossentropy().value(np.array([[0.8, 0.9, 0.4]]), np.array([[1, 1, 0]])), 12)
    0.279776563579
    """

    partner = Sigmoid()
    multilabel = True
    domain = target_limits = (0.0, 1.0)
    unsuitable = {
        Softmax: "takes each output as a yes or no by itself, and softmax makes them sum to 1. For "
        'one class of several use loss="categorical_crossentropy", for several yes or no "sigmoid".'
    }

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        low, high = _inside(A, Y)
        return -(Y * np.log(low) + (1 - Y) * np.log1p(-high))

    @quiet
    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        if Z.shape != Y.shape:
            expect_one_shape(Z=Z, Y=Y)
        # -log A = softplus(-Z) and -log(1 - A) = softplus(Z). The activation softplus has the same
        # terms, max(Z, 0) and the logarithm, but here Y · Z must come between them: where Y is 1
        # and Z > 0, the difference is exactly 0.
        each = np.maximum(Z, scalar(0, Z.dtype)) - Y * Z
        each += np.log1p(np.exp(-np.abs(Z)))
        return each

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        low, high = _inside(A, Y)
        return (1 - Y) / (1 - high) - Y / low

    def _refuse_targets(self, Y: Array) -> None:
        # In the targets of normal noise of the course there is no label. Whoever trains with
        # numbers has more of them, and nothing can be learned from these.
        is_few = Y.shape[-1] <= _FEW
        if not is_few or not (np.abs(Y) <= _NOISE).all() or (np.rint(Y) == Y).any():
            super()._refuse_targets(Y)

    def _remedy(self, Y: Array) -> str:
        if Y.max() <= _NOISE and (np.rint(Y) != Y).mean() > 0.5:
            return ' For numbers use loss="mean_squared_error" and the activation "identity".'
        if Y.min() < 0:
            return " Pass (Y + 1) / 2 for labels -1 and 1."
        return " Pass Y / Y.max(), or for class numbers use softmax and categorical_crossentropy."


class CategoricalCrossentropy(Loss):
    r"""J = -1/m Σ Y log A over classes; the partner is softmax.

    Y is one-hot or, more generally, a distribution over the n_L classes in each column; or
    integer labels 0 … n_L - 1 of shape (m,) or (1, m). For outputs (n_L, T, m), one class at each
    position, labels are (T, m), and J sums over the positions. dA = -Y/A.

    >>> A = np.array([[0.5, 0.25], [0.5, 0.75]])
    >>> round(CategoricalCrossentropy().value(A, np.array([[1, 0], [0, 1]])), 12)
    0.490414626506
    """

    partner = Softmax()
    multilabel = False
    domain = (0.0, 1.0)
    unsuitable = dict.fromkeys(
        (Sigmoid, HardSigmoid),
        "takes the outputs as probabilities of classes, which sum to 1, and those of sigmoid do "
        'not. For one class of several use "softmax", for several yes or no '
        'loss="binary_crossentropy".',
    )

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return Y * -np.log(_inside(A, Y)[0])

    @quiet
    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        if Z.shape != Y.shape:
            expect_one_shape(Z=Z, Y=Y)
        # -log A = log Σ exp(D) - D with D = Z - max Z ≤ 0. The largest term of the sum is 1: left
        # to log1p, it does not swallow the others.
        D = Z - np.maximum.reduce(Z)
        below = np.sign(D)  # -1, and 0 for the largest
        ties = np.add.reduce(below) + (len(Z) - 1)  # of several largest terms, one is that 1
        others = ties - np.add.reduce(np.exp(D) * below)
        return Y * (np.log1p(others) - D)

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return Y / -_inside(A, Y)[0]

    def check_targets(self, Y: Array) -> None:
        off = np.add.reduce(Y) - 1
        flat = off.ravel()
        if flat.dot(flat) <= _ROUNDED**2 and extremes(Y)[0] >= 0:  # then so is each of them
            return
        off = np.abs(off)
        if np.minimum.reduce(Y, axis=None) >= 0 and np.maximum.reduce(off, axis=None) <= _ROUNDED:
            return
        check_finite("Y", Y)
        at = tuple(np.argwhere((off > _ROUNDED) | (Y < 0).any(axis=0))[0].tolist())
        raise ValueError(
            f"Column {', '.join(map(str, at))} of Y is {Y[:, *at]}, expected one-hot columns, or "
            "probabilities that sum to 1. Pass Y / Y.sum(axis=0) for shares, and integer labels "
            "(m,) as they are. Where each output is a yes or no by itself, use "
            'loss="binary_crossentropy" and "sigmoid".'
        )

    def targets(self, Y: Array, shape: Shape) -> Array:
        n, *of_labels = shape
        labels = Y[0] if Y.ndim == len(shape) and len(Y) == 1 else Y
        if n == 1 or labels.ndim != len(of_labels):
            return super().targets(Y, shape)
        return np.arange(n).reshape(n, *[1] * labels.ndim) == class_numbers(labels, n)


class Poisson(Loss):
    r"""J = 1/m Σ (A - Y log A), the Poisson negative log-likelihood without log(Y!); for A > 0.

    dA = 1 - Y/A. An A of exactly 0 counts as a little above.
    """

    multilabel = False
    domain = (0.0, math.inf)
    unsuitable = {
        ReLU: "takes log A, and relu is often exactly 0, without a slope: there nothing can be "
        'learned, and near 0 the gradients are too large. Use "softplus" there.'
    }
    target_limits = (0.0, sys.float_info.max)

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return A - Y * np.log(_inside(A, Y)[0])

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return 1 - Y / _inside(A, Y)[0]

    def _remedy(self, Y: Array) -> str:
        return ' Counts are not negative: use loss="mean_squared_error" for other numbers.'


def _between(low: float, high: float) -> str:
    if high == sys.float_info.max:
        return f"numbers of at least {low:g}"
    return f"{low:g} and {high:g}, or numbers between"


def _difference(A: Array, Y: Array, out: Array | None = None) -> Array:
    """Return A - Y, of arrays of one shape."""
    expect_one_shape(A=A, Y=Y)
    return np.subtract(A, Y, out=out)


def _inside(A: Any, Y: Any) -> tuple[Array, Array]:
    """Return A with a lower limit just above 0, and with an upper limit just below 1."""
    expect_one_shape(A=A, Y=Y)
    limits = np.finfo(A.dtype)
    return np.maximum(A, limits.tiny), np.minimum(A, 1 - limits.epsneg)
