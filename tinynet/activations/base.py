"""The abstract activation, and the derivative of one that has no `back`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import with_out
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet._support.results import expect_one_shape

UNLIMITED = (-math.inf, math.inf)
Formula: TypeAlias = Callable[..., Any]  # of Z, or of dA, Z and A


class Activation(Registered, ABC):
    """Base of all activations; to subclass it is to register.

    ``init`` names the initializer that suits a layer with this activation, for ``init="auto"``.
    ``range`` is (low, high), the limits of A, or None where they are not known; and
    ``sums_to_1`` says whether each column of A sums to 1. With them `fit` can warn of a loss or of
    targets that do not fit.

    >>> Activation.get("leaky_relu", slope=0.1)
    LeakyReLU(slope=0.1)
    """

    family = "activation"
    modules = (
        "tinynet.activations.elu", "tinynet.activations.gelu", "tinynet.activations.pieces",
        "tinynet.activations.silu", "tinynet.activations.softsign",
    )  # fmt: skip
    _formulas = frozenset({"forward", "bind_forward"})
    _of_numbers = {int: "Dense({}): the number of inputs is not given"}
    init: ClassVar[str] = "glorot_uniform"
    sums_to_1: ClassVar[bool] = False

    @property
    def range(self) -> tuple[float, float] | None:
        """The limits of A, (low, high); a subclass may have a class attribute in its place."""
        return None

    def limits(self) -> tuple[float, float] | None:
        """Return `range`, if it is declared for this `forward` as two numbers."""
        limits = self.range if self.declares("range") else None
        return limits if isinstance(limits, tuple) and len(limits) == 2 else None

    def gives_shares(self) -> bool:
        """Return whether each column of A sums to 1, as declared for this `forward`."""
        return self.sums_to_1 and self.declares("sums_to_1")

    @abstractmethod
    def forward(self, Z: Array) -> Array:
        """Return A = g(Z), of the shape and dtype of Z; examples are the last axis."""

    if TYPE_CHECKING:  # a subclass without `out` is right

        def back(self, dA: Array, Z: Array, A: Array) -> Array: ...

    else:

        def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
            """Return dZ, the derivative of g at Z applied to dA; all have one shape.

            A subclass without `back` gets dA times the slope of `forward`, by dual numbers. This
            is exact for an elementwise `forward` of NumPy's functions and operators. For any
            other, a TypeError names what in `forward` has no slope.
            """
            expect_one_shape(dA=dA, Z=Z, A=A)
            return _by_dual_numbers(self, dA, Z, out)


class BoundActivation(Activation):
    """Base of activations that look up functions and numbers once for each batch size.

    That saves a tenth of the time of a small network. A subclass defines `bind_forward` and
    `bind_back`, and `forward` and `back` call these. A subclass of `ReLU` may still define
    `forward` or `back`: then a model calls that, and binds the other one.
    """

    @abstractmethod
    def bind_forward(self, Z: Array, out: Array | None) -> Formula:
        """Return A as a function of Z, for arrays of the shape and dtype of this Z.

        It computes in `out`, or in a new array if that is None.
        """

    @abstractmethod
    def bind_back(self, A: Array, out: Array | None) -> Formula:
        """Return dZ as a function of dA, Z and A, for arrays of the shape and dtype of this A.

        It computes in `out`, or in a new array if that is None.
        """

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Any:
        Z = _with_dtype(Z)
        return self.bind_forward(Z, out)(Z)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Any:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        A = _with_dtype(A)
        return self.bind_back(A, out)(dA, Z, A)


def bound_activation(
    activation: Activation, Z: Array, A: Array, dZ: Array | None
) -> tuple[Formula, Formula]:
    """Return what a chain calls for `forward` and `back` of an activation: they fill A and dZ.

    A chain that only predicts has no dZ, and calls only the first.
    """
    forward: Formula = partial(with_out(activation.forward), out=A)
    back: Formula = partial(with_out(activation.back), out=dZ)
    if isinstance(activation, BoundActivation):
        kind = type(activation)
        if kind.forward is BoundActivation.forward:
            forward = activation.bind_forward(Z, A)
        if kind.back is BoundActivation.back:
            back = activation.bind_back(A, dZ)
    return forward, back


def _with_dtype(Z: Any) -> Any:
    """Return what has a dtype of NumPy, such as an array, as it is, and an array of all else."""
    return Z if isinstance(getattr(Z, "dtype", None), np.dtype) else np.asarray(Z)


def _by_dual_numbers(activation: Activation, dA: Array, Z: Array, out: Array | None) -> Array:
    from tinynet._support import dual  # only where it is needed: it takes a while to import

    try:
        return dual.back(activation.forward, dA, Z, out)
    except dual.NoSlope as found:
        raise TypeError(
            f"{type(activation).__name__}.forward cannot be differentiated, because it uses "
            f"{found}{found.line}. Use NumPy's elementwise functions and operators, or write "
            "def back(self, dA, Z, A), which returns dZ."
        ) from None
