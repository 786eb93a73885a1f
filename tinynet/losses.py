r"""Losses: a number J, and dA[L].

``value`` is the mean over the m examples of the sum over the outputs, and ``back`` is its
derivative per example, not divided by m (as every dA here). A loss may name its natural
``partner`` among the activations (sigmoid with binary cross-entropy, softmax with
categorical cross-entropy, identity with squared error): then dZ[L] is simply A[L] - Y, and
the value is computed from Z[L], exact however large |Z| is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks, give_out
from tinynet._support.checks import class_numbers, misfit
from tinynet._support.registry import Registered
from tinynet.activations import Activation, Identity, Sigmoid, Softmax


class Loss(Registered, ABC):
    """Base of all losses; to subclass it is to register. A[L] lies between the two numbers of ``domain``.

    >>> Loss.get("huber", delta=2.0)
    Huber(delta=2.0)
    """

    family = "loss"
    partner: ClassVar[Activation | None] = None
    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    misfits: ClassVar[
        dict[type[Activation], str]
    ] = {}  # activations before it that are likely a mistake, and why

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        give_out(cls, "back")

    @abstractmethod
    def value(self, A: Array, Y: Array) -> float:
        """Return J for A and Y of shape (n_L, m)."""

    @abstractmethod
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        """Return dA (n_L, m), per example: m times the derivative of `value`; in `out`, if there is one."""

    def each(self, A: Array, Y: Array) -> Array:
        """Return the loss of each example, (m,): `value` is their mean, and weights are for these.

        Left out by a subclass, it is found one example at a time.
        """
        return np.array(
            [self.value(A[..., i : i + 1], Y[..., i : i + 1]) for i in range(A.shape[-1])]
        )

    def partner_value(self, Z: Array, Y: Array) -> float:
        """Return J from Z[L], where the output activation is the partner."""
        return self.value(self._partners_output(Z), Y)

    def partner_each(self, Z: Array, Y: Array) -> Array:
        """Return the loss of each example from Z[L], where the output activation is the partner."""
        return self.each(self._partners_output(Z), Y)

    def _partners_output(self, Z: Array) -> Array:
        assert self.partner is not None, f"{type(self).__name__} has no partner"
        return self.partner.forward(Z)

    def partner_back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        """Return dZ[L] = A[L] - Y, where the output activation is the partner."""
        return np.subtract(A, Y, out=out)

    def targets(self, Y: Array, outputs: int) -> Array:
        """Return Y as columns; a loss that takes labels turns them into columns here."""
        return Y

    def check_targets(self, Y: Array) -> None:
        """Raise ValueError for a Y (n_L, m) that cannot be meant for this loss."""


class LossOfTerms(Loss):
    """Base of losses that are a sum of terms, one for each output of each example."""

    @abstractmethod
    def terms(self, A: Array, Y: Array) -> Array:
        """Return the terms (n_L, m) for A and Y of the same shape."""

    def partner_terms(self, Z: Array, Y: Array) -> Array:
        """Return the terms from Z[L], where the output activation is the partner."""
        return self.terms(self._partners_output(Z), Y)

    def value(self, A: Array, Y: Array) -> float:
        if np.shape(A) != np.shape(Y):  # they would be broadcast
            raise misfit(np.asarray(Y), np.shape(A))
        return _mean(self.terms(A, Y))

    def each(self, A: Array, Y: Array) -> Array:
        return _sums(self.terms(A, Y))

    def partner_value(self, Z: Array, Y: Array) -> float:
        return _mean(self.partner_terms(Z, Y))

    def partner_each(self, Z: Array, Y: Array) -> Array:
        return _sums(self.partner_terms(Z, Y))


def _mean(terms: Array) -> float:
    """Sum over the outputs, mean over the examples (the last axis), added up in float64."""
    return float(np.add.reduce(terms, axis=None, dtype=np.float64)) / terms.shape[-1]


def _sums(terms: Array) -> Array:
    """Sum over the outputs, in float64: one number an example."""
    return terms.sum(axis=tuple(range(terms.ndim - 1)), dtype=np.float64)


class MeanSquaredError(LossOfTerms):
    r"""J = 1/(2m) Σ (A - Y)², and dA = A - Y (hence the 1/2); the partner of identity.

    >>> MeanSquaredError().value(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    2.5
    """

    partner = Identity()

    def terms(self, A: Array, Y: Array) -> Array:
        return 0.5 * (A - Y) ** 2

    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.subtract(A, Y, out=out)


class MeanAbsoluteError(LossOfTerms):
    r"""J = 1/m Σ |A - Y|, and dA = sign(A - Y)."""

    def terms(self, A: Array, Y: Array) -> Array:
        return np.abs(A - Y)

    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.sign(np.subtract(A, Y, out=out), out=out)


@attrs.frozen
class Huber(LossOfTerms):
    r"""Half the square of d = A - Y where |d| ≤ delta, delta · (|d| - delta/2) beyond (Huber 1964).

    dA is d, held between -delta and delta.
    """

    delta: float = attrs.field(default=1.0, converter=float, validator=attrs.validators.gt(0))

    def terms(self, A: Array, Y: Array) -> Array:
        d = np.abs(A - Y)
        inside = np.minimum(d, self.delta)
        return inside * (d - 0.5 * inside)

    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return np.clip(np.subtract(A, Y, out=out), -self.delta, self.delta, out=out)


class BinaryCrossentropy(LossOfTerms):
    r"""J = -1/m Σ (Y log A + (1 - Y) log(1 - A)); the partner of sigmoid.

    dA = (1 - Y)/(1 - A) - Y/A. An A of exactly 0 or 1 is taken to be a little inside,
    so 0 · log 0 is 0, and no logarithm or quotient is infinite.

    >>> round(BinaryCrossentropy().value(np.array([[0.8, 0.9, 0.4]]), np.array([[1, 1, 0]])), 12)
    0.279776563579
    """

    partner = Sigmoid()
    domain = (0.0, 1.0)
    misfits = {
        Softmax: "takes each output for a yes or no of its own, and softmax makes them sum to 1; for one class of "
        'several write loss="categorical_crossentropy", for several yes or no "sigmoid"'
    }

    def terms(self, A: Array, Y: Array) -> Array:
        low, high = _inside(A)
        return -(Y * np.log(low) + (1 - Y) * np.log1p(-high))

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        low, high = _inside(A)
        return (1 - Y) / (1 - high) - Y / low

    def check_targets(self, Y: Array) -> None:
        if not np.array_equal(Y, np.rint(Y)):  # not labels, so nothing to say of them
            return
        for at in np.argwhere((Y != 0) & (Y != 1))[:1]:
            raise ValueError(
                f"Y[{', '.join(map(str, at))}] is {Y[tuple(at)]:g}, but binary cross-entropy takes 0 and 1, or a "
                "probability between; for labels -1 and 1 write (Y + 1) / 2"
            )

    def partner_terms(self, Z: Array, Y: Array) -> Array:
        # -log A = softplus(-Z) and -log(1 - A) = softplus(Z)
        return Y * np.logaddexp(0, -Z) + (1 - Y) * np.logaddexp(0, Z)


class CategoricalCrossentropy(LossOfTerms):
    r"""J = -1/m Σ Y log A over classes; the partner of softmax.

    Y is one-hot or, more generally, a distribution over the n_L classes in each column;
    or integer labels 0 … n_L - 1 of shape (m,) or (1, m). dA = -Y/A.

    >>> A = np.array([[0.5, 0.25], [0.5, 0.75]])
    >>> round(CategoricalCrossentropy().value(A, np.array([[1, 0], [0, 1]])), 12)
    0.490414626506
    """

    partner = Softmax()
    domain = (0.0, 1.0)
    misfits = {
        Sigmoid: "takes the outputs for the probabilities of classes, which sum to 1, and sigmoid's do not; for one "
        'class of several write "softmax", for several yes or no loss="binary_crossentropy"'
    }

    def terms(self, A: Array, Y: Array) -> Array:
        return Y * -np.log(_inside(A)[0])

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return Y / -_inside(A)[0]

    def partner_terms(self, Z: Array, Y: Array) -> Array:
        # -log A = log Σ exp(D) - D with D = Z - max Z ≤ 0. The largest term of the sum is 1:
        # left to log1p, it does not swallow the others.
        D = Z - np.maximum.reduce(Z)
        largest = D == 0
        others = np.add.reduce(np.exp(D) - largest) + (
            np.add.reduce(largest) - 1
        )  # of several largest, one is the 1
        return Y * (np.log1p(others) - D)

    def check_targets(self, Y: Array) -> None:
        sums = Y.sum(axis=0)
        for i in np.flatnonzero((np.abs(sums - 1) > 1e-2) | (Y < 0).any(axis=0))[:1]:
            raise ValueError(
                f"column {i} of Y is {Y[:, i]}, but categorical cross-entropy takes one-hot columns, or "
                "probabilities that sum to 1, or integer labels (m,); for several yes or no an example write "
                'loss="binary_crossentropy" and "sigmoid"'
            )

    def targets(self, Y: Array, outputs: int) -> Array:
        if Y.ndim == 0 or Y.shape[:-1] not in ((), (1,)) or Y.shape[:-1] == (outputs,):
            return Y
        return np.arange(outputs)[:, np.newaxis] == class_numbers(Y, outputs)


class Poisson(LossOfTerms):
    r"""J = 1/m Σ (A - Y log A), the Poisson negative log-likelihood without log(Y!); for A > 0.

    dA = 1 - Y/A. An A of exactly 0 is taken to be a little above.
    """

    domain = (0.0, math.inf)

    def terms(self, A: Array, Y: Array) -> Array:
        return A - Y * np.log(_inside(A)[0])

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return 1 - Y / _inside(A)[0]


def _inside(A: Any) -> tuple[Array, Array]:
    """Return A kept above 0, and A kept below 1."""
    limits = np.finfo(A.dtype)
    return np.maximum(A, limits.tiny), np.minimum(A, 1 - limits.epsneg)
