r"""Dual numbers: arrays that carry their derivative along.

A dual number is x + ẋε with ε² = 0. Whatever is computed from Z + 1ε by elementwise functions
comes out as g(Z) + g'(Z)ε, exact to rounding (Wengert 1964; Griewank and Walther 2008, chapter 3).
So an activation that says only how to go forward can be taken back.

At a kink the slope is that from the left, as for the built-in activations: 0 for max(Z, 0) at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinynet._buffers import Array, all_finite

Partial = Callable[..., Any] | None  # None: the slope goes through as it is
_BLOCK = 1 << 14  # numbers at a time, for the same reason as in _out.py

_LN2, _LN10 = math.log(2), math.log(10)

# The derivative of a function of one array, from x and the function's value y.
_UNARY: dict[np.ufunc, Partial] = {
    np.positive: None,
    np.negative: lambda x, y: -1,
    np.exp: lambda x, y: y,
    np.exp2: lambda x, y: y * _LN2,
    np.expm1: lambda x, y: np.exp(x),
    np.log: lambda x, y: 1 / x,
    np.log2: lambda x, y: 1 / (x * _LN2),
    np.log10: lambda x, y: 1 / (x * _LN10),
    np.log1p: lambda x, y: 1 / (1 + x),
    np.sqrt: lambda x, y: 0.5 / y,
    np.cbrt: lambda x, y: 1 / (3 * y * y),
    np.square: lambda x, y: 2 * x,
    np.reciprocal: lambda x, y: -y * y,
    np.sin: lambda x, y: np.cos(x),
    np.cos: lambda x, y: -np.sin(x),
    np.tan: lambda x, y: 1 + y * y,
    np.arcsin: lambda x, y: 1 / np.sqrt((1 - x) * (1 + x)),
    np.arccos: lambda x, y: -1 / np.sqrt((1 - x) * (1 + x)),
    np.arctan: lambda x, y: 1 / (1 + x * x),
    np.sinh: lambda x, y: np.cosh(x),
    np.cosh: lambda x, y: np.sinh(x),
    np.tanh: lambda x, y: 1 - y * y,
    np.arcsinh: lambda x, y: 1 / np.hypot(1, x),
    np.arccosh: lambda x, y: 1 / np.sqrt((x - 1) * (x + 1)),
    np.arctanh: lambda x, y: 1 / ((1 - x) * (1 + x)),
    np.deg2rad: lambda x, y: math.pi / 180,
    np.rad2deg: lambda x, y: 180 / math.pi,
}

# The derivatives of a function of two arrays by each of them.
_BINARY: dict[np.ufunc, tuple[Partial, Partial]] = {
    np.add: (None, None),
    np.subtract: (None, lambda x1, x2, y: -1),
    np.multiply: (lambda x1, x2, y: x2, lambda x1, x2, y: x1),
    np.divide: (lambda x1, x2, y: 1 / x2, lambda x1, x2, y: -y / x2),
    np.power: (lambda x1, x2, y: np.where(x2 == 0, 0, x2 * np.power(x1, x2 - 1)), lambda x1, x2, y: y * np.log(x1)),
    np.logaddexp: (lambda x1, x2, y: np.exp(x1 - y), lambda x1, x2, y: np.exp(x2 - y)),
    np.logaddexp2: (lambda x1, x2, y: np.exp2(x1 - y), lambda x1, x2, y: np.exp2(x2 - y)),
    np.hypot: (lambda x1, x2, y: x1 / y, lambda x1, x2, y: x2 / y),
    np.arctan2: (
        lambda x1, x2, y: x2 / (x1 * x1 + x2 * x2),
        lambda x1, x2, y: -x1 / (x1 * x1 + x2 * x2),
    ),
    np.copysign: (lambda x1, x2, y: np.sign(x1) * np.sign(y), lambda x1, x2, y: 0),
}

# Flat between their jumps.
_FLAT = (np.sign, np.floor, np.ceil, np.rint, np.trunc, np.heaviside)
# What they return has no slope: booleans.
_TESTS = (
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.isfinite, np.isnan, np.isinf, np.signbit,
)  # fmt: skip
# Of two slopes at a tie, the one from the left.
_CHOICES: dict[np.ufunc, tuple[Callable[..., Any], Callable[..., Any]]] = {
    np.maximum: (np.greater, np.minimum),
    np.fmax: (np.greater, np.minimum),
    np.minimum: (np.less, np.maximum),
    np.fmin: (np.less, np.maximum),
}


class Dual(NDArrayOperatorsMixin):
    """An array and its slope; NumPy's elementwise functions and the operators take it as an array.

    >>> Z = Dual(np.array([0.0, 2.0]))
    >>> (Z * Z + np.exp(Z)).slope.round(4)
    array([ 1.    , 11.3891])
    """

    __slots__ = ("slope", "value")

    def __init__(self, value: Array, slope: Array | None = None) -> None:
        self.value = value
        self.slope = np.ones_like(value) if slope is None else slope

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    def __len__(self) -> int:
        return len(self.value)

    def copy(self) -> Dual:
        """Return a dual number that shares nothing with this one."""
        return Dual(self.value.copy(), self.slope.copy())

    def fill(self, number: float) -> None:
        """Make it `number` everywhere."""
        self[...] = number

    def clip(self, *limits: Any, **named: Any) -> Any:
        """Return it held between two numbers."""
        return np.clip(self, *limits, **named)

    def astype(self, dtype: Any, **options: Any) -> Dual:
        """Return it in another dtype."""
        return Dual(self.value.astype(dtype, **options), self.slope.astype(dtype, **options))

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[_mask(key)], self.slope[_mask(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.slope = self.slope.copy()  # which another number may share
        self.value[_mask(key)], self.slope[_mask(key)] = _value(value), _slope(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a question of Python's or NumPy's, not of a formula
            raise AttributeError(name)
        raise NoSlope(f"Z.{name}")

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise NoSlope("a conversion to a plain array (np.asarray, np.vectorize)")

    def __float__(self) -> float:
        raise NoSlope("a function of a single number (math.exp, float)")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__" or options:
            how = f".{method}" if method != "__call__" else f" with {', '.join(options)}="
            raise NoSlope(f"np.{ufunc.__name__}{how}")
        values = [_value(x) for x in inputs]
        if ufunc in _TESTS:
            return ufunc(*values)
        y = ufunc(*values)
        result = Dual(y, _slope_of(ufunc, inputs, values, y))
        if out is None:
            return result
        if not isinstance(out[0], Dual):
            raise NoSlope(f"np.{ufunc.__name__} with out= an array that does not come from Z")
        out[0].value[...], out[0].slope = result.value, result.slope
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        if function not in _FUNCTIONS:
            raise NoSlope(f"np.{function.__name__}")
        return _FUNCTIONS[function](*args, **kwargs)


def back(forward: Callable[[Any], Any], dA: Array, Z: Array, out: Array | None = None) -> Array:
    """Return dA times the slope of an elementwise `forward` at Z, in the dtype of Z.

    It takes some examples at a time, so that what is made on the way stays in the processor's cache.
    """
    dZ = np.empty(Z.shape, Z.dtype) if out is None else out
    m = Z.shape[-1]
    step = max(1, _BLOCK * m // max(1, Z.size))
    with np.errstate(all="ignore"):  # an infinite slope times 0 is seen to
        for start in range(0, m, step):
            some = np.s_[..., start : start + step]
            A = forward(Dual(Z[some].copy()))
            if np.shape(_value(A)) not in ((), Z[some].shape):
                raise NoSlope(f"something that makes shape {np.shape(_value(A))} of {Z[some].shape}")
            np.multiply(dA[some], _slope(A), out=dZ[some], casting="same_kind")
    return dZ


class NoSlope(TypeError):
    """What a formula uses that dual numbers do not go through."""


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def _slope(x: Any) -> Any:
    return x.slope if isinstance(x, Dual) else 0


def _mask(key: Any) -> Any:
    key = _value(key)
    if key is Ellipsis or (isinstance(key, np.ndarray) and key.dtype == bool):
        return key
    raise NoSlope("an index other than a mask, as in Z[Z > 0]")


def _slope_of(ufunc: np.ufunc, inputs: Any, values: Any, y: Array) -> Array:
    if ufunc in _UNARY:
        return _chain(_UNARY[ufunc], inputs[0].slope, *values, y)
    if ufunc in _BINARY:
        slopes = [
            _chain(partial, x.slope, *values, y)
            for partial, x in zip(_BINARY[ufunc], inputs, strict=True) if isinstance(x, Dual)
        ]  # fmt: skip
        slope = sum(slopes[1:], start=slopes[0])
        return slope if slope.shape == y.shape else np.array(np.broadcast_to(slope, y.shape))
    if ufunc is np.absolute:
        return _choose(np.greater, np.minimum, values[0], -values[0], inputs[0].slope, -inputs[0].slope)
    if ufunc in _CHOICES:
        return _choose(*_CHOICES[ufunc], *values, *map(_slope, inputs))
    if ufunc in _FLAT:
        return np.zeros_like(y)
    raise NoSlope(f"np.{ufunc.__name__}")


def _chain(partial: Partial, inner: Array, *arrays: Any) -> Array:
    """Return the product of slopes, which is 0 where one of them is, even if the other is infinite."""
    if partial is None:
        return inner
    outer = partial(*arrays)
    slope = np.asarray(outer * inner)
    if all_finite(slope):
        return slope
    return np.where((outer == 0) | (inner == 0), slope.dtype.type(0), slope)


def _choose(first_wins: Any, tied: Any, x1: Any, x2: Any, slope1: Any, slope2: Any) -> Any:
    """Return the slope of the one that is chosen; where they tie, that from the left."""
    first, tie = first_wins(x1, x2), np.equal(x1, x2)
    # Products, for np.where is far slower; what does not depend on Z has a slope of 0, a number.
    parts = [slope * chosen for slope, chosen in ((slope1, first), (slope2, ~first)) if isinstance(slope, np.ndarray)]
    slope = sum(parts[1:], start=parts[0])
    if not all_finite(slope):
        slope = np.where(first, slope1, slope2)
    return np.where(tie, tied(slope1, slope2), slope) if tie.any() else slope


def _where(condition: Any, x: Any, y: Any) -> Dual:
    condition = _value(condition)
    return Dual(np.where(condition, _value(x), _value(y)), np.where(condition, _slope(x), _slope(y)))


def _clip(x: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if out is not None or any(isinstance(limit, Dual) for limit in (low, high)):
        raise NoSlope("np.clip with out, or with limits that depend on Z")
    inside = (x.value > low) & (x.value < high)  # flat at the limits too
    return Dual(np.clip(x.value, low, high), x.slope * inside)


def _filled(make: Callable[..., Array]) -> Callable[..., Dual]:
    def like(x: Dual, *given: Any, **options: Any) -> Dual:
        value = make(x.value, *given, **options)
        return Dual(value, np.zeros_like(value))

    return like


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.copy: lambda x: x.copy(),
    np.zeros_like: _filled(np.zeros_like),
    np.ones_like: _filled(np.ones_like),
    np.empty_like: _filled(np.empty_like),
    np.full_like: _filled(np.full_like),
    np.shape: lambda x: x.shape,
}
