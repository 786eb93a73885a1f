r"""Activations: A = g(Z), and dZ from dA.

An activation knows only arrays. ``forward(Z)`` gives A; ``back(dA, Z, A)`` gives dZ, the
vector-Jacobian product, from Z or A, whichever serves. ``out`` is an array for the result,
not overlapping the inputs; a subclass that does not name it is given it all the same (its
result is copied there).
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support import dual as _dual
from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks, give_out
from tinynet._support.normal import normal_density, normal_tail
from tinynet._support.registry import Registered


class Activation(Registered, ABC):
    """Base of all activations; to subclass it is to register.

    ``init`` names the initializer that suits a layer with this activation, for ``init="auto"``.

    >>> Activation.get("leaky_relu", slope=0.1)
    LeakyReLU(slope=0.1)
    """

    family = "activation"
    init: ClassVar[str] = "glorot_uniform"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_arguments(cls)
        give_out(cls, "forward", "back")

    @abstractmethod
    def forward(self, Z: Array, out: Array | None = None) -> Array:
        """Return A = g(Z), of the shape and dtype of Z; examples are the last axis."""

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        """Return dZ, the derivative of g at Z applied to dA; all of one shape.

        Left out by a subclass, it is dA times the slope of `forward`, by dual numbers: exact for an
        elementwise `forward` of NumPy's functions and operators. Where that cannot be, a TypeError names
        what `forward` uses that has no slope.
        """
        try:
            return _dual.back(self.forward, dA, Z, out)
        except _dual.NoSlope as found:
            raise TypeError(
                f"{type(self).__name__}.forward cannot be differentiated by itself, for it uses {found}{found.line}; "
                "use NumPy's elementwise functions and operators, or write def back(self, dA, Z, A) that returns dZ"
            ) from None


def _check_arguments(cls: type[Activation]) -> None:
    """Refuse a `forward` or `back` that cannot take what it will be handed."""
    for method, needed in (("forward", ("Z",)), ("back", ("dA", "Z", "A"))):
        held = vars(cls).get(method)
        code = getattr(held, "__code__", None)
        if held is None or code is None or code.co_flags & inspect.CO_VARARGS:
            continue
        given = code.co_varnames[: code.co_argcount]
        names, optional = (
            tuple(name for name in given[1:] if name != "out"),
            len(held.__defaults__ or ()),
        )
        too_few, too_many = len(names) < len(needed), len(given) - optional > len(needed) + 1
        if (
            given[:1] == needed[:1]
            or too_few
            or too_many
            or (set(names) == set(needed) and names != needed)
        ):
            write = f"def {method}(self, {', '.join(needed)})"
            raise TypeError(
                f"{cls.__name__}.{method} takes ({', '.join(given)}), but is called as {write}: write that"
            )


class Identity(Activation):
    r"""A = Z."""

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.positive(Z, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.positive(dA, out=out)


@np.errstate(over="ignore")  # where A is 0, exp(-Z) is infinite, as it should be
def _sigmoid(Z: Array, out: Array | None = None) -> Array:
    E = np.exp(np.negative(Z, out=out), out=out)
    return np.reciprocal(np.add(E, 1, out=out), out=out)


class Sigmoid(Activation):
    r"""A = 1 / (1 + exp(-Z)), and dZ = dA · A · (1 - A).

    >>> Sigmoid().forward(np.array([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return _sigmoid(Z, out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(dA, np.multiply(A, np.subtract(1, A, out=out), out=out), out=out)


class Tanh(Activation):
    r"""A = tanh(Z), and dZ = dA · (1 - A²)."""

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.tanh(Z, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(dA, np.subtract(1, np.multiply(A, A, out=out), out=out), out=out)


class ReLU(Activation):
    r"""A = max(Z, 0); the slope at 0 is taken as 0. `back` takes A to be what `forward` gives."""

    init = "he_normal"

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        zeros = np.empty_like(Z) if out is None else out
        zeros.fill(0)  # np.maximum is three times faster with an array than with the number
        return np.maximum(Z, zeros, out=zeros)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(
            dA, np.sign(A, out=out), out=out
        )  # A is 0 or positive: its sign is the slope


@attrs.frozen
class LeakyReLU(Activation):
    r"""A = Z where Z > 0, slope · Z elsewhere (Maas, Hannun and Ng 2013).

    >>> LeakyReLU(slope=0.1).forward(np.array([[-1.0, 2.0]]))
    array([[-0.1,  2. ]])
    """

    slope: float = attrs.field(default=0.01, converter=float)
    init = "he_normal"

    @by_blocks
    def forward(self, Z: Array) -> Array:
        return np.maximum(Z, 0) + self.slope * np.minimum(Z, 0)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (Z > 0) + self.slope * dA * (Z <= 0)


@attrs.frozen
class ELU(Activation):
    r"""A = Z where Z > 0, alpha · (exp(Z) - 1) elsewhere (Clevert, Unterthiner and Hochreiter 2016)."""

    alpha: float = attrs.field(default=1.0, converter=float)
    init = "he_normal"

    @by_blocks
    def forward(self, Z: Array) -> Array:
        return np.maximum(Z, 0) + self.alpha * np.expm1(np.minimum(Z, 0))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (Z > 0) + self.alpha * np.exp(np.minimum(Z, 0)) * dA * (Z <= 0)


class SELU(Activation):
    r"""A = λ · ELU(Z) with the α and λ that keep mean 0 and variance 1 from layer to layer.

    Klambauer, Unterthiner, Mayr and Hochreiter (2017), equation 14; they draw W with
    variance 1/n_prev, which is why ``init`` is ``lecun_normal``.
    """

    init = "lecun_normal"
    scale: ClassVar[float] = 1.0507009873554804934193349852946
    elu: ClassVar[ELU] = ELU(1.6732632423543772848170429916717)

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.multiply(self.elu.forward(Z, out=out), self.scale, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(self.elu.back(dA, Z, A, out=out), self.scale, out=out)


class Softplus(Activation):
    r"""A = log(1 + exp(Z)), and dZ = dA · sigmoid(Z)."""

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.logaddexp(Z, 0, out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        return np.multiply(dA, _sigmoid(Z, out), out=out)


class SiLU(Activation):
    r"""A = Z · sigmoid(Z), also called swish (Elfwing, Uchibe and Doya 2018).

    With S = sigmoid(Z), dZ = dA · (S + A · (1 - S)).
    """

    init = "he_normal"

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        return np.multiply(Z, _sigmoid(Z, out), out=out)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (_sigmoid(Z) + A * _sigmoid(-Z))


class GELU(Activation):
    r"""A = Z · Φ(Z), Φ the distribution function of the standard normal (Hendrycks and Gimpel 2016).

    This is the exact form, not the approximation by tanh; with the density φ,
    dZ = dA · (Φ(Z) + Z · φ(Z)). `back` takes A to be what `forward` gives.
    """

    init = "he_normal"

    @by_blocks
    def forward(self, Z: Array) -> Array:
        x = np.abs(Z)
        return 0.5 * Z + 0.5 * x - x * normal_tail(x)  # for Φ(Z) is 1 - Φ(-Z)

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        nothing = np.copysign(np.finfo(Z.dtype).tiny, Z)  # makes Φ(Z) = A / Z good where Z is 0
        return dA * ((A + 0.5 * nothing) / (Z + nothing) + Z * normal_density(Z))


class Mish(Activation):
    r"""A = Z · tanh(softplus(Z)) (Misra 2020).

    With E = exp(Z) and N = E (E + 2), tanh(softplus(Z)) = N / (N + 2), so one exponential
    serves for all; and dZ = dA · (N / (N + 2) + Z · 4 E (E + 1) / (N + 2)²).
    """

    init = "he_normal"

    @by_blocks
    def forward(self, Z: Array) -> Array:
        N = self._exponentials(Z)[1]
        return Z * (N / (N + 2))

    @by_blocks
    def back(self, dA: Array, Z: Array, A: Array) -> Array:
        E, N = self._exponentials(Z)
        return dA * (N / (N + 2) + np.minimum(Z, 20) * (4 * E * (E + 1) / (N + 2) ** 2))

    @staticmethod
    def _exponentials(Z: Array) -> tuple[Array, Array]:
        E = np.exp(np.minimum(Z, 20))  # beyond 20, tanh(softplus(Z)) is 1 to the last digit
        return E, E * (E + 2)


class HardSigmoid(Activation):
    r"""A = Z/6 + 1/2, held between 0 and 1; the slope at the two corners is taken as 0."""

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

    def forward(self, Z: Array, out: Array | None = None) -> Array:
        E = np.exp(np.subtract(Z, np.maximum.reduce(Z), out=out), out=out)
        return np.divide(E, np.add.reduce(E), out=out)

    def back(self, dA: Array, Z: Array, A: Array, out: Array | None = None) -> Array:
        weighted = np.add.reduce(np.multiply(A, dA, out=out))
        return np.multiply(A, np.subtract(dA, weighted, out=out), out=out)
