r"""Exact derivatives of elementwise functions, by carrying them along with the values.

A dual number is a value and its derivative along the input. NumPy hands its functions a
`Dual` through ``__array_ufunc__`` and ``__array_function__``; each one applies the chain
rule, f(u) ↦ (f(u), f'(u) · u'), from the table below. Whatever mixes elements (a sum, a
sort, a matrix product) is not elementwise, and is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._buffers import Array

# ufunc -> its derivative, from the argument u and the result f.
_UNARY: dict[Any, Callable[[Any, Any], Any]] = {
    np.negative: lambda u, f: -1.0,
    np.positive: lambda u, f: 1.0,
    np.abs: lambda u, f: np.sign(u),
    np.fabs: lambda u, f: np.sign(u),
    np.exp: lambda u, f: f,
    np.exp2: lambda u, f: f * math.log(2),
    np.expm1: lambda u, f: np.exp(u),
    np.log: lambda u, f: 1 / u,
    np.log2: lambda u, f: 1 / (u * math.log(2)),
    np.log10: lambda u, f: 1 / (u * math.log(10)),
    np.log1p: lambda u, f: 1 / (1 + u),
    np.sqrt: lambda u, f: 0.5 / f,
    np.cbrt: lambda u, f: 1 / (3 * f * f),
    np.square: lambda u, f: 2 * u,
    np.reciprocal: lambda u, f: -f * f,
    np.sin: lambda u, f: np.cos(u),
    np.cos: lambda u, f: -np.sin(u),
    np.tan: lambda u, f: 1 + f * f,
    np.arcsin: lambda u, f: 1 / np.sqrt((1 - u) * (1 + u)),
    np.arccos: lambda u, f: -1 / np.sqrt((1 - u) * (1 + u)),
    np.arctan: lambda u, f: 1 / (1 + u * u),
    np.sinh: lambda u, f: np.cosh(u),
    np.cosh: lambda u, f: np.sinh(u),
    np.tanh: lambda u, f: (1 - f) * (1 + f),
    np.arcsinh: lambda u, f: 1 / np.sqrt(1 + u * u),
    np.arccosh: lambda u, f: 1 / np.sqrt((u - 1) * (u + 1)),
    np.arctanh: lambda u, f: 1 / ((1 - u) * (1 + u)),
}

# ufunc -> its two partial derivatives, from the arguments u, v and the result f. At a tie
# the second argument of maximum and minimum wins: max(Z, 0) has the slope 0 at 0, as ReLU.
_BINARY: dict[Any, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    np.add: lambda u, v, f: (1.0, 1.0),
    np.subtract: lambda u, v, f: (1.0, -1.0),
    np.multiply: lambda u, v, f: (v, u),
    np.divide: lambda u, v, f: (1 / v, -f / v),
    np.maximum: lambda u, v, f: (u > v, u <= v),
    np.minimum: lambda u, v, f: (u < v, u >= v),
    np.logaddexp: lambda u, v, f: (np.exp(u - f), np.exp(v - f)),
    np.power: lambda u, v, f: (v * u ** (v - 1), f * np.log(u)),
    np.float_power: lambda u, v, f: (v * u ** (v - 1), f * np.log(u)),
    np.arctan2: lambda u, v, f: (v / (u * u + v * v), -u / (u * u + v * v)),
    np.hypot: lambda u, v, f: (u / f, v / f),
}

# Constant between jumps: the result is a plain array and carries no derivative.
_FLAT = {
    np.sign, np.heaviside, np.floor, np.ceil, np.rint, np.trunc, np.isfinite, np.isnan, np.isinf, np.signbit,
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
}  # fmt: skip


def slope(f: Callable[[Any], Any], Z: Array) -> Array:
    """Return the derivative of the elementwise function `f` at every entry of `Z`.

    >>> slope(lambda Z: Z * np.tanh(Z), np.array([0.0, 1.0])).round(6)
    array([0.      , 1.181568])
    """
    A = f(Dual(Z, np.ones_like(Z)))
    return np.asarray(A.slope if isinstance(A, Dual) else np.zeros_like(Z))


class Dual(np.lib.mixins.NDArrayOperatorsMixin):
    """A value and its derivative along the input."""

    __array_priority__ = 100.0

    def __init__(self, value: Any, slope: Any) -> None:
        self.value = value
        self.slope = slope

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise _refusal("a conversion to a plain array")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        values = [_value(u) for u in inputs]
        if method != "__call__" or kwargs.keys() - {"out"}:
            raise _refusal(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"))
        (out,) = kwargs.get("out", (None,))
        if out is not None:
            result = self.__array_ufunc__(ufunc, method, *inputs)
            out.value, out.slope = result.value, result.slope
            return out
        if ufunc in _FLAT:
            return ufunc(*values)
        if ufunc in _UNARY:
            (u,), f = values, ufunc(*values)
            return Dual(f, _chain(_UNARY[ufunc](u, f), inputs[0].slope))
        if ufunc in _BINARY:
            f = ufunc(*values)
            with np.errstate(divide="ignore", invalid="ignore"):  # a partial that nothing flows through
                partials = _BINARY[ufunc](*values, f)
            flows = [_chain(p, u.slope) for p, u in zip(partials, inputs) if isinstance(u, Dual)]
            return Dual(f, flows[0] if len(flows) == 1 else flows[0] + flows[1])
        raise _refusal(f"np.{ufunc.__name__}")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in _FUNCTIONS:
            raise _refusal(f"np.{function.__name__}")
        return _FUNCTIONS[function](*args, **kwargs)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """As ndarray.clip."""
        return _clip(self, min, max)


def _where(condition: Any, x: Any, y: Any) -> Dual:
    return Dual(np.where(condition, _value(x), _value(y)), np.where(condition, _slope(x), _slope(y)))


def _clip(a: Any, a_min: Any = None, a_max: Any = None, **kwargs: Any) -> Any:
    low, high = kwargs.get("min", a_min), kwargs.get("max", a_max)
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _constant(value: float) -> Callable[..., Array]:
    return lambda a, *args, **kwargs: np.full_like(a.value, value)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.zeros_like: _constant(0),
    np.ones_like: _constant(1),
    np.shape: lambda a: a.shape,
    np.copy: lambda a, *args, **kwargs: Dual(a.value.copy(), a.slope.copy()),
}


def _value(u: Any) -> Any:
    return u.value if isinstance(u, Dual) else u


def _slope(u: Any) -> Any:
    return u.slope if isinstance(u, Dual) else 0.0


def _chain(partial: Any, inner: Array) -> Array:
    # A slope of 0 stops the flow even where the partial is infinite, as in where(Z > 0, sqrt(Z), 0).
    return np.multiply(partial, inner, where=inner != 0, out=np.zeros(np.broadcast(partial, inner).shape, inner.dtype))


def _refusal(what: str) -> TypeError:
    return TypeError(
        f"{what} is not elementwise, or its derivative is not known here, so this forward cannot be "
        "differentiated for you; write the derivative: def back(self, dA, Z, A): return dA * ..."
    )
