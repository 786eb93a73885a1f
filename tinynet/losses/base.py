"""The abstract loss, and what its formulas share."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from tinynet._support.arrays import Array, Shape, check_finite, entry, extremes, mean_of_examples
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet._support.results import expect_one_shape
from tinynet._support.underflow import at_least, at_most
from tinynet.activations import Activation
from tinynet.errors import ShapeError


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
    modules = (
        "tinynet.losses.divergence", "tinynet.losses.hinge", "tinynet.losses.huber",
        "tinynet.losses.log_cosh", "tinynet.losses.poisson",
    )  # fmt: skip
    _formulas = frozenset({"each", "value", "back"})
    partner: ClassVar[Activation | None] = None
    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    target_limits: ClassVar[tuple[float, float]] = (-sys.float_info.max, sys.float_info.max)
    multilabel: ClassVar[bool | None] = None
    unsuitable: ClassVar[dict[type[Activation], str]] = {}
    threshold: ClassVar[float] = 0.5  # of an output that is a yes

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

    def back_from_Z(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        """Return dZ[L] where the last activation is the partner: A - Y.

        A loss whose settings change that has its own, and says in `subtracts` when they do not.
        """
        return np.subtract(A, Y, out=out)

    @property
    def subtracts(self) -> bool:
        """Whether `back_from_Z` is A - Y, so that a model subtracts without a call."""
        return type(self).back_from_Z is Loss.back_from_Z

    @property
    def ignores(self) -> bool:
        """Whether a column of zeros in Y stands for no target, so that metrics leave it out."""
        return False

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

    mean = staticmethod(quiet(mean_of_examples))  # J, of what `each` returned

    def is_partner(self, activation: Activation) -> bool:
        """Return whether dZ[L] is that of `back_from_Z` behind this activation."""
        return self.declares("partner") and self.partner == activation

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


def _between(low: float, high: float) -> str:
    if high == sys.float_info.max:
        return f"numbers of at least {low:g}"
    return f"{low:g} and {high:g}, or numbers between"


def difference(A: Array, Y: Array, out: Array | None = None) -> Array:
    """Return A - Y, of arrays of one shape."""
    expect_one_shape(A=A, Y=Y)
    return np.subtract(A, Y, out=out)


def above_0(A: Array, Y: Array) -> Array:
    """Return A with a lower limit just above 0; Y has one shape with it."""
    expect_one_shape(A=A, Y=Y)
    return at_least(A, np.finfo(A.dtype).tiny)


def below_1(A: Array) -> Array:
    """Return A with an upper limit just below 1."""
    return at_most(A, 1 - np.finfo(A.dtype).epsneg)
