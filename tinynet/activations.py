r"""Activations: A = g(Z), and dZ from dA.

An activation knows only arrays. ``forward(Z)`` returns A. ``back(dA, Z, A)`` returns dZ, the
vector-Jacobian product, from Z or from A. The library's own methods also take ``out``, an array
for the result that does not overlap the inputs; a subclass need not take it.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import FEW, Array, expect_one_shape, scalar
from tinynet._support.blocks import by_blocks
from tinynet._support.fields import finite
from tinynet._support.normal import normal_density, times_normal_tail
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet._support.underflow import at_most, exp, positive_part

_UNLIMITED = (-math.inf, math.inf)


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

    def declares(self, name: str) -> bool:
        """Return whether `range` or `sums_to_1` is declared, and for this `forward`.

        A subclass with another `forward` does not inherit it.
        """
        for kind in type(self).__mro__:
            if name in vars(kind):
                return bool(getattr(self, name))
            if "forward" in vars(kind):
                break
        return False

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


class Identity(Activation):
    r"""A = Z. A model has one array for both, so nothing is copied."""

    range = _UNLIMITED

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return Z if out is Z else np.positive(Z, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        return dA if out is dA else np.positive(dA, out=out)


class Sigmoid(Activation):
    r"""A = 1 / (1 + exp(-Z)), and dZ = dA · A · (1 - A).

    >>> Sigmoid().forward(np.array([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    range = (0.0, 1.0)

    @quiet  # where A is 0, exp(-Z) is infinite, as it should be
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        E = np.exp(np.negative(Z, out), out)
        return np.reciprocal(np.add(E, scalar(1, E.dtype), out), out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        rest = np.subtract(scalar(1, A.dtype), A, out)
        return np.multiply(dA, np.multiply(A, rest, out), out)


@functools.lru_cache(maxsize=16)
def _certain(dtype: np.dtype[Any]) -> float:
    """Return a Z from which on sigmoid(Z) is 1 and Z · (1 - sigmoid(Z)) is 0, to the last digit."""
    return -1.5 * math.log(np.finfo(dtype).eps)


@functools.lru_cache(maxsize=16)
def _negligible(dtype: np.dtype[Any]) -> Array:
    """Return a |Z| below which Φ(Z) is 1/2 to the last digit."""
    return scalar(float(np.finfo(dtype).eps) / 8, dtype)


def _bounded(Z: Array, *others: Array) -> list[Array]:
    """Return the arrays with the largest number for infinity: times 0, that is 0 and not NaN."""
    if Z.size == 0 or abs(Z.item(np.abs(Z).argmax())) < math.inf:
        return [Z, *others]  # others are finite where Z is
    limits = np.finfo(Z.dtype)
    return [np.minimum(np.maximum(array, limits.min), limits.max) for array in (Z, *others)]


class Tanh(Activation):
    r"""A = tanh(Z), and dZ = dA · (1 - A²)."""

    range = (-1.0, 1.0)

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.tanh(Z, out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        square = np.multiply(A, A, out)
        return np.multiply(dA, np.subtract(scalar(1, A.dtype), square, out), out)


class ReLU(Activation):
    r"""A = max(Z, 0); the slope at 0 counts as 0. `back` expects the A that `forward` gives."""

    init = "he_average"
    range = (0.0, math.inf)

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        if type(Z) is np.ndarray and Z.size < FEW:
            return np.maximum(Z, scalar(0, Z.dtype), out=out)
        A = np.empty_like(Z) if out is None else out
        A.fill(0)  # of many numbers, np.maximum of two arrays is twice as fast
        return np.maximum(Z, A, out=A)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        return np.multiply(dA, np.sign(A, out), out)  # A is at least 0: its sign is the slope


@attrs.frozen(slots=False)
class LeakyReLU(Activation):
    r"""A = Z where Z > 0, slope · Z elsewhere (Maas, Hannun and Ng 2013).

    >>> LeakyReLU(slope=0.1).forward(np.array([[-1.0, 2.0]]))
    array([[-0.1,  2. ]])
    """

    slope: float = finite(0.01)
    init = "he_average"

    @property
    def range(self) -> tuple[float, float]:
        return _UNLIMITED if self.slope > 0 else (0.0, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        return np.maximum(Z, 0) + self.slope * np.minimum(Z, 0)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (Z > 0) + self.slope * dA * (Z <= 0)


@attrs.frozen(slots=False)
class ELU(Activation):
    r"""A = Z where Z > 0, alpha · (exp(Z) - 1) elsewhere (Clevert and others 2016)."""

    alpha: float = finite(1.0)
    init = "he_normal"

    @property
    def range(self) -> tuple[float, float]:
        return min(-self.alpha, 0.0), math.inf

    @by_blocks
    def forward(self, Z: Array) -> Array:
        return np.maximum(Z, 0) + self.alpha * np.expm1(np.minimum(Z, 0))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (Z > 0) + self.alpha * exp(at_most(Z, 0)) * dA * (Z <= 0)


class SELU(Activation):
    r"""A = λ · ELU(Z) with the α and λ that preserve mean 0 and variance 1 from layer to layer.

    Klambauer, Unterthiner, Mayr and Hochreiter (2017), equation 14; they draw W with
    variance 1/n_prev, which is why ``init`` is ``lecun_normal``.
    """

    init = "lecun_normal"
    scale: ClassVar[float] = 1.0507009873554804934193349852946
    elu: ClassVar[ELU] = ELU(1.6732632423543772848170429916717)
    range = (-1.7580993408473766, math.inf)  # from -scale · alpha on

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.multiply(self.elu.forward(Z, out=out), self.scale, out=out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        return np.multiply(self.elu.back(dA, Z, A, out=out), self.scale, out=out)


class Softplus(Activation):
    r"""A = log(1 + exp(Z)), and dZ = dA · sigmoid(Z) = dA · (1 - exp(-A)).

    `back` expects the A that `forward` gives.
    """

    range = (0.0, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        # This form has no large exponential, and is ten times as fast as np.logaddexp.
        return positive_part(Z) + np.log1p(exp(-np.abs(Z)))

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        minus_slope = np.expm1(np.negative(A, out=out), out=out)
        return np.multiply(dA, np.negative(minus_slope, out=out), out=out)


class SiLU(Activation):
    r"""A = Z · sigmoid(Z), also called swish (Elfwing, Uchibe and Doya 2018).

    With E = exp(Z), sigmoid(Z) = E / (1 + E), and dZ = dA · (E + A) / (1 + E).
    """

    init = "he_normal"
    range = (-0.27846454276107381, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        E = exp(at_most(Z, _certain(Z.dtype)))
        return np.maximum(Z, np.finfo(Z.dtype).min) * (E / (1 + E))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        certain = _certain(Z.dtype)
        E = exp(at_most(Z, certain))
        return dA * ((E + at_most(A, certain)) / (1 + E))


class GELU(Activation):
    r"""A = Z · Φ(Z), with the standard normal distribution function Φ (Hendrycks and Gimpel 2016).

    This is the exact form, not the approximation by tanh. With the density φ,
    dZ = dA · (Φ(Z) + Z · φ(Z)). `back` expects the A that `forward` gives.
    """

    init = "he_normal"
    range = (-0.16997120747990366, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        # Φ(Z) is 1 - Φ(-Z)
        return np.subtract(positive_part(Z), times_normal_tail(np.abs(Z)))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        # Φ(Z) is A / Z, and 1/2 where Z is so small that A may have lost digits.
        Z, A = _bounded(Z, A)
        slope = A / Z
        np.copyto(slope, scalar(0.5, Z.dtype), where=np.abs(Z) < _negligible(Z.dtype))
        density = normal_density(Z)
        slope += np.multiply(density, Z, out=density)
        slope *= dA
        return slope


class Mish(Activation):
    r"""A = Z · tanh(softplus(Z)) (Misra 2020).

    With E = exp(Z) and N = E (E + 2), tanh(softplus(Z)) = N / (N + 2), so one exponential is
    enough; and dZ = dA · (N / (N + 2) + Z · 4 E (E + 1) / (N + 2)²).
    """

    init = "he_normal"
    range = (-0.30884341301725, math.inf)

    @by_blocks
    def forward(self, Z: Array) -> Array:
        N = self._exponentials(Z)[1]
        return np.maximum(Z, np.finfo(Z.dtype).min) * (N / (N + 2))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        E, N = self._exponentials(Z)
        near = np.minimum(_bounded(Z)[0], 20)
        return dA * (N / (N + 2) + near * (4 * E * (E + 1) / (N + 2) ** 2))

    @staticmethod
    def _exponentials(Z: Array) -> tuple[Array, Array]:
        E = exp(at_most(Z, 20))  # beyond 20, tanh(softplus(Z)) is 1 to the last digit
        return E, E * (E + 2)


class HardSigmoid(Activation):
    r"""A = Z/6 + 1/2, limited to the range from 0 to 1; the slope at its corners counts as 0."""

    range = (0.0, 1.0)

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.clip(np.add(np.divide(Z, 6, out=out), 0.5, out=out), 0, 1, out=out)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA / 6 * (np.abs(Z) < 3)


class Softmax(Activation):
    r"""A[k] = exp(Z[k]) / Σ_j exp(Z[j]), over the units (the first axis) of each example.

    Its Jacobian is not diagonal: dZ = A · (dA - Σ_j A[j] dA[j]).

    >>> Softmax().forward(np.array([[1000.0, 0.0], [1000.0, np.log(3.0)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.75]])
    """

    range = (0.0, 1.0)
    sums_to_1 = True

    @quiet
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        largest = np.maximum.reduce(Z)
        if out is not None:  # np.subtract takes longer with a row than to copy it and subtract that
            np.copyto(out, largest)
            largest = out
        D = np.subtract(Z, largest, out)
        n = D.shape[0] if D.ndim else 1
        E = exp(D, out, least=n)  # the sum is at most n, so no A is subnormal either
        return np.divide(E, np.add.reduce(E), out=out)

    @quiet
    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        if out is None:
            expect_one_shape(dA=dA, Z=Z, A=A)
        weighted = np.add.reduce(np.multiply(A, dA, out=out))
        return np.multiply(A, np.subtract(dA, weighted, out=out), out=out)
