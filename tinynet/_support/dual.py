r"""Dual numbers: arrays that carry their derivative along.

A dual number is x + ẋε with ε² = 0. Whatever is computed from Z + 1ε by elementwise functions
comes out as g(Z) + g'(Z)ε, exact to rounding (Wengert 1964; Griewank and Walther 2008, chapter 3).
So an activation that says only how to go forward can be taken back.

At a kink the slope is that from the left, as for the built-in activations: 0 for max(Z, 0) at 0. So where
Z > 0 and the like have a tie, they answer as they would just left of it: a formula in two branches, as of
|Z|, then gets both its branch and the slopes in it from the same side. Only np.clip is flat at both limits.
"""

from __future__ import annotations

import contextvars
import math
import os
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinynet._support.arrays import Array, all_finite

Partial = Callable[..., Any] | None  # None: the slope goes through as it is
_BLOCK = 1 << 14  # numbers at a time, for the same reason as in _out.py

_NOT_FORMULAS = (
    os.path.dirname(os.path.dirname(__file__)),
    os.path.dirname(np.__file__),
)  # where the lines of no user's forward are

# Whether products of slopes are looked at: it takes time, and is needed only where a slope comes out infinite.
_CAREFUL = contextvars.ContextVar("careful", default=False)

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


def _power_slope(x1: Any, x2: Any) -> Any:
    if np.ndim(x2) == 0 and x2 == 2:  # the usual one, and np.power is slow
        return 2 * x1
    return np.where(x2 == 0, 0, x2 * np.power(x1, x2 - 1))


# The derivatives of a function of two arrays by each of them.
_BINARY: dict[np.ufunc, tuple[Partial, Partial]] = {
    np.add: (None, None),
    np.subtract: (None, lambda x1, x2, y: -1),
    np.multiply: (lambda x1, x2, y: x2, lambda x1, x2, y: x1),
    np.divide: (lambda x1, x2, y: 1 / x2, lambda x1, x2, y: -y / x2),
    np.power: (lambda x1, x2, y: _power_slope(x1, x2), lambda x1, x2, y: y * np.log(x1)),
    np.logaddexp: (lambda x1, x2, y: np.exp(x1 - y), lambda x1, x2, y: np.exp(x2 - y)),
    np.logaddexp2: (lambda x1, x2, y: np.exp2(x1 - y), lambda x1, x2, y: np.exp2(x2 - y)),
    np.hypot: (lambda x1, x2, y: x1 / y, lambda x1, x2, y: x2 / y),
    np.arctan2: (
        lambda x1, x2, y: x2 / (x1 * x1 + x2 * x2),
        lambda x1, x2, y: -x1 / (x1 * x1 + x2 * x2),
    ),
    np.fmod: (None, lambda x1, x2, y: -np.trunc(x1 / x2)),
    np.remainder: (None, lambda x1, x2, y: -np.floor(x1 / x2)),
}
_UNARY |= {np.radians: _UNARY[np.deg2rad], np.degrees: _UNARY[np.rad2deg]}
_BINARY |= {np.float_power: _BINARY[np.power]}

# Flat between their jumps.
_FLAT = (np.floor, np.ceil, np.rint, np.trunc, np.floor_divide)
# What they return has no slope: booleans.
_TESTS = (np.equal, np.not_equal, np.isfinite, np.isnan, np.isinf)
_ORDERS = (np.greater, np.greater_equal, np.less, np.less_equal)
# Of two slopes at a tie, the one from the left.
_CHOICES: dict[np.ufunc, tuple[Callable[..., Any], Callable[..., Any]]] = {
    np.maximum: (np.greater, np.minimum),
    np.fmax: (np.greater, np.minimum),
    np.minimum: (np.less, np.maximum),
    np.fmin: (np.less, np.maximum),
}


class Dual(NDArrayOperatorsMixin):
    """An array and its slope; NumPy's elementwise functions and the operators take it as an array.

    The slope is an array too, or a number where it is the same everywhere: 1 of Z itself.

    >>> Z = Dual(np.array([0.0, 2.0]))
    >>> (Z * Z + np.exp(Z)).slope.round(4)
    array([ 1.    , 11.3891])
    """

    __slots__ = ("slope", "value")

    def __init__(self, value: Array, slope: Any = 1.0) -> None:
        self.value, self.slope = value, slope

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    def __len__(self) -> int:
        return len(self.value)

    def copy(self) -> Dual:
        """Return a dual number that shares nothing with this one."""
        return Dual(self.value.copy(), self.slope)

    def fill(self, number: float) -> None:
        """Make it `number` everywhere."""
        self[...] = number

    def clip(self, *limits: Any, **named: Any) -> Any:
        """Return it held between two numbers."""
        return np.clip(self, *limits, **named)

    def astype(self, dtype: Any, **options: Any) -> Dual:
        """Return it in another dtype."""
        return Dual(self.value.astype(dtype, **options), np.asarray(self.slope).astype(dtype))

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[_mask(key)], np.broadcast_to(self.slope, self.shape)[_mask(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.slope = np.full(
            self.shape, self.slope, self.dtype
        )  # a copy, for another number may share it
        self.value[_mask(key)], self.slope[_mask(key)] = _value(value), _slope(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a question of Python's or NumPy's, not of a formula
            raise AttributeError(name)
        raise NoSlope(f"Z.{name}")

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise NoSlope(
            "a plain array that Z is put into (np.asarray, np.vectorize, np.zeros: take np.zeros_like(Z))"
        )

    def __float__(self) -> float:
        raise NoSlope("a function of a single number (math.exp, float)")

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        if method != "__call__" or options:
            how = f".{method}" if method != "__call__" else f" with {', '.join(options)}="
            raise NoSlope(f"np.{ufunc.__name__}{how}")
        if ufunc not in _RULES:
            raise NoSlope(f"np.{ufunc.__name__}")
        result = _RULES[ufunc](ufunc, inputs, [x.value if type(x) is Dual else x for x in inputs])
        if out is None:
            return result
        if not isinstance(out[0], Dual):
            raise NoSlope(f"np.{ufunc.__name__} with out= an array that does not come from Z")
        out[0].value[...], out[0].slope = result.value, result.slope
        return out[0]

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Mapping[str, Any]
    ) -> Any:
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
    with np.errstate(all="ignore"):  # what is not finite is seen to
        for start in range(0, m, step):
            some = np.s_[..., start : start + step]
            slope = _slope_at(forward, Z[some])
            if not all_finite(np.asarray(slope)):
                slope = contextvars.copy_context().run(_carefully, forward, Z[some])
            np.multiply(dA[some], slope, out=dZ[some], casting="same_kind")
    return dZ


def _slope_at(forward: Callable[[Any], Any], Z: Array) -> Any:
    A = forward(Dual(Z.copy()))
    if np.shape(_value(A)) not in ((), Z.shape):
        raise NoSlope(f"something that makes shape {np.shape(_value(A))} of {Z.shape}")
    return _slope(A)


def _carefully(forward: Callable[[Any], Any], Z: Array) -> Any:
    """Return the slope once more, with products of slopes that are 0 where one is, though the other be infinite."""
    _CAREFUL.set(True)
    return _slope_at(forward, Z)


class NoSlope(TypeError):
    """What a formula uses that dual numbers do not go through."""

    @property
    def line(self) -> str:
        """Say on which line of the formula, if its source can be read."""
        frames = traceback.extract_tb(self.__traceback__)
        of_user = [
            frame
            for frame in frames
            if not frame.filename.startswith((*_NOT_FORMULAS, "<__array_function__"))
        ]
        return (
            f" in line {of_user[-1].lineno}, `{of_user[-1].line}`"
            if of_user and of_user[-1].line
            else ""
        )


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def _slope(x: Any) -> Any:
    return x.slope if isinstance(x, Dual) else 0


def _mask(key: Any) -> Any:
    key = _value(key)
    if key is Ellipsis or (isinstance(key, np.ndarray) and key.dtype == bool):
        return key
    if isinstance(key, slice) and key == slice(None):
        return key
    raise NoSlope("an index other than a mask, as in Z[Z > 0]")


def _unary(ufunc: np.ufunc, inputs: Any, values: Any) -> Dual:
    y = ufunc(*values)
    return Dual(y, _chain(_UNARY[ufunc], inputs[0].slope, *values, y))


def _binary(ufunc: np.ufunc, inputs: Any, values: Any) -> Dual:
    y = ufunc(*values)
    partials = zip(_BINARY[ufunc], inputs, strict=True)
    slopes = [_chain(partial, x.slope, *values, y) for partial, x in partials if type(x) is Dual]
    slope = slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1]
    return Dual(
        y,
        slope if getattr(slope, "shape", ()) in ((), y.shape) else np.broadcast_to(slope, y.shape),
    )


def _chain(partial: Partial, inner: Any, *arrays: Any) -> Any:
    """Return the product of slopes, which is 0 where one of them is, even if the other is infinite."""
    if partial is None:
        return inner
    outer = partial(*arrays)
    slope = outer if isinstance(inner, float) and inner == 1 else outer * inner
    if not _CAREFUL.get() or np.ndim(slope) == 0:
        return slope
    return np.where((outer == 0) | (inner == 0), slope.dtype.type(0), slope)


def _choice(ufunc: np.ufunc, inputs: Any, values: Any) -> Dual:
    y = ufunc(*values)
    return Dual(y, _slope_of_choice(*_CHOICES[ufunc], values, [_slope(x) for x in inputs], y.dtype))


def _slope_of_choice(first_wins: Any, tied: Any, values: Any, slopes: Any, dtype: Any) -> Any:
    """Return the slope of the one that is chosen; where they tie, that from the left."""
    first, tie, (slope1, slope2) = first_wins(*values), np.equal(*values), slopes
    if _CAREFUL.get():
        return _either(tie, tied(slope1, slope2), np.where(first, slope1, slope2), dtype)
    parts = [
        _where_chosen(slope, chosen, dtype) for slope, chosen in ((slope1, first), (slope2, ~first))
    ]
    slope = parts[0] if parts[1] is None else parts[1] if parts[0] is None else parts[0] + parts[1]
    if slope is None:
        return 0.0
    return _either(tie, tied(slope1, slope2), slope, dtype) if tie.any() else slope


def _where_chosen(slope: Any, chosen: Array, dtype: Any) -> Any:
    """Return the slope where it is chosen, 0 elsewhere; None if it is 0 everywhere."""
    # A product, for np.where is far slower.
    if np.ndim(slope):
        return slope * chosen
    return (
        None
        if slope == 0
        else chosen.astype(dtype)
        if slope == 1
        else np.multiply(chosen, slope, dtype=dtype)
    )


def _either(condition: Any, slope1: Any, slope2: Any, dtype: Any) -> Array:
    return np.where(condition, slope1, slope2).astype(dtype, copy=False)


def _compare(order: np.ufunc, inputs: Any, values: Any) -> Array:
    """Return the answer of > and the like; where they tie, that just left of here, if x1 - x2 has a slope."""
    answer, tie = order(*values), np.equal(*values)
    if not tie.any():
        return answer
    rise = np.subtract(*map(_slope, inputs))
    return np.where(tie & (rise != 0), order(-rise, 0), answer)


def _sign(x: Any) -> Any:
    """Return -1, 0 or 1, as a plain array; that just left of here at a zero with a slope."""
    sign = np.sign(_value(x))
    zero = sign == 0
    return np.where(zero, -np.sign(_slope(x)), sign).astype(sign.dtype) if zero.any() else sign


def _flat(value: Array) -> Dual:
    return Dual(value, 0.0)


def _heaviside(x: Any, at_0: Any) -> Dual:
    sign = _sign(x)
    return _flat(np.where(sign == 0, _value(at_0), sign > 0).astype(sign.dtype))


def _absolute(x: Dual) -> Dual:
    return Dual(np.absolute(x.value), x.slope * _sign(x))


def _copysign(x1: Any, x2: Any) -> Dual:
    sign = np.copysign(1, _value(x2)) if not isinstance(x2, Dual) else _sign(x2)
    result = np.absolute(x1) * np.where(sign == 0, 1, sign).astype(np.result_type(_value(x1)))
    return result if isinstance(result, Dual) else _flat(result)


# Functions that have a sign of their own at 0, where it must be that just left of it.
_SIGNED: dict[np.ufunc, Callable[..., Any]] = {
    np.sign: lambda x: _flat(_sign(x)),
    np.heaviside: _heaviside,
    np.absolute: _absolute,
    np.fabs: _absolute,
    np.copysign: _copysign,
    np.signbit: lambda x: _sign(x) < 0,
}

_RULES: dict[np.ufunc, Callable[[np.ufunc, Any, Any], Any]] = (
    dict.fromkeys(_UNARY, _unary)
    | dict.fromkeys(_BINARY, _binary)
    | dict.fromkeys(_CHOICES, _choice)
    | dict.fromkeys(_ORDERS, _compare)
    | dict.fromkeys(_FLAT, lambda ufunc, inputs, values: _flat(ufunc(*values)))
    | dict.fromkeys(_TESTS, lambda ufunc, inputs, values: ufunc(*values))
    | dict.fromkeys(_SIGNED, lambda ufunc, inputs, values: _SIGNED[ufunc](*inputs))
)


def _where(condition: Any, x: Any, y: Any) -> Dual:
    condition, value = _value(condition), np.where(_value(condition), _value(x), _value(y))
    return Dual(value, _either(condition, _slope(x), _slope(y), value.dtype))


def _select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    chosen = default
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        chosen = _where(condition, choice, chosen)
    return chosen


def _piecewise(x: Dual, conditions: Any, functions: Any) -> Any:
    pieces = [piece(x) if callable(piece) else piece for piece in functions]
    return _select(conditions, pieces[: len(conditions)], (*pieces[len(conditions) :], 0)[0])


def _sinc(x: Dual) -> Dual:
    y, at = np.sinc(x.value), np.where(x.value == 0, 1, x.value)
    return Dual(
        y, x.slope * np.where(x.value == 0, 0, (np.cos(math.pi * x.value) - y) / at).astype(y.dtype)
    )


def _clip(
    x: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if out is not None or any(isinstance(limit, Dual) for limit in (low, high)):
        raise NoSlope("np.clip with out, or with limits that depend on Z")
    inside = (x.value > low) & (x.value < high)  # flat at the limits too
    return Dual(np.clip(x.value, low, high), _either(inside, x.slope, 0.0, x.dtype))


def _filled(make: Callable[..., Array]) -> Callable[..., Dual]:
    def like(x: Dual, *given: Any, **options: Any) -> Dual:
        return _flat(make(x.value, *given, **options))

    return like


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.select: _select,
    np.piecewise: _piecewise,
    np.sinc: _sinc,
    np.round: lambda x, *digits: _flat(np.round(x.value, *digits)),
    np.copy: lambda x: x.copy(),
    np.zeros_like: _filled(np.zeros_like),
    np.ones_like: _filled(np.ones_like),
    np.empty_like: _filled(np.empty_like),
    np.full_like: _filled(np.full_like),
    np.shape: lambda x: x.shape,
}
