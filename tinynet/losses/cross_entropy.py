"""Losses for a yes or no, and for one class of several."""

from __future__ import annotations

import sys

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, check_finite, extremes, scalar, sum_of_squares
from tinynet._support.blocks import by_blocks
from tinynet._support.fields import fraction, integer, positive
from tinynet._support.labels import class_numbers
from tinynet._support.quiet import quiet
from tinynet._support.results import expect_one_shape
from tinynet.activations import HardSigmoid, Sigmoid, Softmax
from tinynet.losses.base import Loss, above_0, below_1

# The course publishes values for targets of normal noise: their size, and how many there are.
_NOISE, _FEW = 5.0, 10

# By how much the sum of rounded probabilities may differ from 1. dZ = A - Y is as far off.
_ROUNDED = 1e-3


@attrs.frozen(slots=False)
class BinaryCrossentropy(Loss):
    r"""J = -1/m Σ (Y log A + (1 - Y) log(1 - A)) (Cox 1958); the partner is sigmoid.

    dA = (1 - Y)/(1 - A) - Y/A. An A of exactly 0 or 1 counts as a little inside, so 0 · log 0 is
    0, and no logarithm or quotient is infinite.

    Parameters
    ----------
    label_smoothing : float
        s in Y ← (1 - s) · Y + s/2, so that no output is drawn to 0 or 1 (Szegedy and others 2016);
        at least 0 and below 1, by keyword only. Metrics see Y as it is.
    pos_weight : float
        Multiplies the loss of a yes: J = -1/m Σ (pos_weight · Y log A + (1 - Y) log(1 - A)); above
        0, by keyword only. Where a no is more frequent, it is often the ratio of their numbers.

    >>> round(BinaryCrossentropy().value(np.array([[0.8, 0.9, 0.4]]), np.array([[1, 1, 0]])), 12)
    0.279776563579
    """

    label_smoothing: float = fraction(0.0, kw_only=True)
    pos_weight: float = positive(1.0, kw_only=True)

    partner = Sigmoid()
    multilabel = True
    domain = target_limits = (0.0, 1.0)
    unsuitable = {
        Softmax: "takes each output as a yes or no by itself, and softmax makes them sum to 1. For "
        'one class of several use loss="categorical_crossentropy", for several yes or no "sigmoid".'
    }

    # With settings, the formulas are those without, for other targets, times weights. Each formula
    # asks for itself whether there are any: a call to ask would cost each step of a small model.

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        weights = None
        if self.label_smoothing or self.pos_weight != 1:
            Y, weights = self._weighted(Y)
        low, high = above_0(A, Y), below_1(A)
        each = -(Y * np.log(low) + (1 - Y) * np.log1p(-high))
        return each if weights is None else weights * each

    @quiet
    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        if Z.shape != Y.shape:
            expect_one_shape(Z=Z, Y=Y)
        weights = None
        if self.label_smoothing or self.pos_weight != 1:
            Y, weights = self._weighted(Y)
        # -log A = softplus(-Z) and -log(1 - A) = softplus(Z). The activation softplus has the same
        # terms, max(Z, 0) and the logarithm, but here Y · Z must come between them: where Y is 1
        # and Z > 0, the difference is exactly 0.
        each = np.maximum(Z, scalar(0, Z.dtype)) - Y * Z
        each += np.log1p(np.exp(-np.abs(Z)))
        return each if weights is None else weights * each

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        weights = None
        if self.label_smoothing or self.pos_weight != 1:
            Y, weights = self._weighted(Y)
        low, high = above_0(A, Y), below_1(A)
        dA = (1 - Y) / (1 - high) - Y / low
        return dA if weights is None else weights * dA

    @by_blocks
    def back_from_Z(self, A: Array, Y: Array) -> Array:
        Y, weights = self._weighted(Y)
        return weights * (A - Y)

    @property
    def subtracts(self) -> bool:
        is_own = type(self).back_from_Z is BinaryCrossentropy.back_from_Z
        return super().subtracts or (is_own and not self.label_smoothing and self.pos_weight == 1)

    def _weighted(self, Y: Array) -> tuple[Array, Array]:
        """Return targets and weights with which the formula without settings is the one with them.

        Of smoothed targets Y and p = pos_weight, p Y log A + (1 - Y) log(1 - A) is w = p Y + 1 - Y
        times the formula for the targets p Y / w.
        """
        s = self.label_smoothing
        positive = self.pos_weight * ((1 - s) * Y + s / 2)
        weights = positive + ((1 - s) * (1 - Y) + s / 2)
        return positive / weights, weights

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
        if not set(np.unique(Y).tolist()) - {1, 2}:
            return " Pass Y - 1 for labels 1 and 2."
        return " Pass Y / Y.max(), or for class numbers use softmax and categorical_crossentropy."


@attrs.frozen(slots=False)
class CategoricalCrossentropy(Loss):
    r"""J = -1/m Σ Y log A over classes (Bridle 1990); the partner is softmax.

    Y is one-hot or, more generally, a distribution over the n_L classes in each column; or
    integer labels 0 … n_L - 1 of shape (m,) or (1, m). For outputs (n_L, T, m), one class at each
    position, labels are (T, m), and J sums over the positions. dA = -Y/A.

    Parameters
    ----------
    label_smoothing : float
        s in Y ← (1 - s) · Y + s/n_L, so that no output is drawn to 0 or 1 (Szegedy and others
        2016); at least 0 and below 1, by keyword only. Metrics see Y as it is.
    ignore : int, optional
        A label that stands for no target, as for the padding of a sequence. Its loss and dZ are 0,
        its one-hot column is all zeros, and metrics leave it out. J is still divided by m, the
        number of examples, and not, as in PyTorch, by the number of targets: so a batch counts by
        what it has. By keyword only.

    >>> A = np.array([[0.5, 0.25], [0.5, 0.75]])
    >>> round(CategoricalCrossentropy().value(A, np.array([[1, 0], [0, 1]])), 12)
    0.490414626506
    >>> loss = CategoricalCrossentropy(ignore=-1)
    >>> loss.targets(np.array([0, -1, 1]), (2, 3)).astype(int)
    array([[1, 0, 0],
           [0, 0, 1]])
    """

    label_smoothing: float = fraction(0.0, kw_only=True)
    ignore: int | None = integer(None, least=-sys.maxsize, optional=True, kw_only=True)

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
        if self.label_smoothing:
            Y = self._smoothed(Y)
        return Y * -np.log(above_0(A, Y))

    @quiet
    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        if Z.shape != Y.shape:
            expect_one_shape(Z=Z, Y=Y)
        if self.label_smoothing:
            Y = self._smoothed(Y)
        # -log A = log Σ exp(D) - D with D = Z - max Z ≤ 0. The largest term of the sum is 1: left
        # to log1p, it does not swallow the others.
        D = Z - np.maximum.reduce(Z)
        below = np.sign(D)  # -1, and 0 for the largest
        ties = np.add.reduce(below) + (len(Z) - 1)  # of several largest terms, one is that 1
        others = ties - np.add.reduce(np.exp(D) * below)
        return Y * (np.log1p(others) - D)

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return self._ratio(A, self._smoothed(Y) if self.label_smoothing else Y, out=out)

    @by_blocks
    def _ratio(self, A: Array, Y: Array) -> Array:
        return Y / -above_0(A, Y)

    @quiet
    def back_from_Z(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        # A · Σ Y - Y for the smoothed Y, where Σ Y is 1, or 0 without a target. The order of the
        # operations lets `out` be the only array of this size.
        share = 1 - self.label_smoothing
        dZ = np.subtract(A, self.label_smoothing / len(Y), out=out)
        dZ = np.multiply(dZ, np.add.reduce(Y, dtype=dZ.dtype) / share, out=dZ)
        return np.multiply(np.subtract(dZ, Y, out=dZ), share, out=dZ)

    @property
    def subtracts(self) -> bool:
        is_own = type(self).back_from_Z is CategoricalCrossentropy.back_from_Z
        is_plain = not self.label_smoothing and self.ignore is None
        return super().subtracts or (is_own and is_plain)

    @property
    def ignores(self) -> bool:
        return self.ignore is not None

    def _smoothed(self, Y: Array) -> Array:
        """Return smoothed targets; those without a target stay 0."""
        return (1 - self.label_smoothing) * Y + self.label_smoothing / len(Y) * np.add.reduce(Y)

    def check_targets(self, Y: Array) -> None:
        labels = ", and integer labels (m,) as they are"
        check_shares(Y, labels, zeros=self.ignores)

    def targets(self, Y: Array, shape: Shape) -> Array:
        n, *of_labels = shape
        labels = Y[0] if Y.ndim == len(shape) and len(Y) == 1 else Y
        if n == 1 or labels.ndim != len(of_labels):
            return super().targets(Y, shape)
        classes = np.arange(n).reshape(n, *[1] * labels.ndim)
        columns: Array = classes == class_numbers(labels, n, self.ignore)
        return columns if self.ignore is None else columns & (labels != self.ignore)


def check_shares(Y: Array, also: str = "", zeros: bool = False) -> None:
    """Raise ValueError for a Y whose columns are not shares that sum to 1, or with `zeros` to 0."""
    off = np.add.reduce(Y) - 1
    if zeros:
        off *= Y.any(axis=0)
    # Where the sum of the squares is so small, each of them is; it takes less time.
    is_1 = sum_of_squares(off.ravel()) <= _ROUNDED**2 or extremes(np.abs(off))[1] <= _ROUNDED
    if is_1 and extremes(Y)[0] >= 0:
        return
    check_finite("Y", Y)
    at = tuple(np.argwhere((np.abs(off) > _ROUNDED) | (Y < 0).any(axis=0))[0].tolist())
    raise ValueError(
        f"Column {', '.join(map(str, at))} of Y is {Y[:, *at]}, expected one-hot columns, or "
        f"probabilities that sum to 1. Pass Y / Y.sum(axis=0) for shares{also}. Where each output "
        'is a yes or no by itself, use loss="binary_crossentropy" and "sigmoid".'
    )
