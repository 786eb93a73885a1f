r"""Dual numbers: arrays that carry their derivative along.

A dual number is x + ẋε with ε² = 0. Elementwise functions turn Z + 1ε into g(Z) + g'(Z)ε, exact
to rounding (Wengert 1964; Griewank and Walther 2008, chapter 3). So `forward` is enough to find
the derivative of an activation.

At a kink the slope is that from the left, as for the built-in activations: 0 for max(Z, 0) at 0.
So at a tie, Z > 0 and the like answer as just left of it: a formula in two branches, as of |Z|,
then gets its branch and the slopes in it from the same side. Only np.clip is flat at both limits.
"""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinynet._support.arrays import Array, all_finite
from tinynet._support.derivatives import CHOICES, FLAT, ORDERS, PARTIALS, TESTS, Partial

_BLOCK = 1 << 14  # numbers at a time, for the same reason as in blocks.py
# Where no formula of a user is: in the folders of tinynet and of NumPy.
_NOT_FORMULAS = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep, os.path.dirname(np.__file__) + os.sep,
    "<__array_function__",
)  # fmt: skip


class Dual(NDArrayOperatorsMixin):
    """An array and its slope; NumPy's elementwise functions and the operators take it as an array.

    The slope is an array too, or a number where it is the same everywhere: 1 for Z itself.

    >>> Z = Dual(np.array([0.0, 2.0]))
    >>> (Z * Z + np.exp(Z)).slope.round(4)
    array([ 1.    , 11.3891])
    """

    __slots__ = ("slope", "value")

    def __init__(self, value: Array, slope: Any = 1.0) -> None:
        self.value, self.slope = value, slope

    # What a formula may use of an array:

    def __len__(self) -> int:
        return len(self.value)

    def copy(self) -> Dual:
        return Dual(self.value.copy(), self.slope)

    def fill(self, number: float) -> None:
        self[...] = number

    def clip(self, *limits: Any, **named: Any) -> Any:
        return _clip(self, *limits, **named)  # np.clip takes min and max since NumPy 2.1

    def astype(self, dtype: Any, **options: Any) -> Dual:
        return Dual(self.value.astype(dtype, **options), np.asarray(self.slope).astype(dtype))

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[_mask(key)], np.broadcast_to(self.slope, self.shape)[_mask(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        # The slope is copied first, because another number may share it.
        self.slope = np.full(self.shape, self.slope, self.dtype)
        self.value[_mask(key)], self.slope[_mask(key)] = _value(value), _slope(value)

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "size", "dtype"):
            return getattr(self.value, name)
        if name.startswith("__"):  # Python or NumPy asks, not a formula
            raise AttributeError(name)
        raise NoSlope(f"Z.{name}")

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise NoSlope(
            "a plain array (np.asarray, np.vectorize, or np.zeros in place of np.zeros_like(Z))"
        )

    def __float__(self) -> float:
        raise NoSlope("a function of a single number (math.exp, float)")

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        if method != "__call__" or options or ufunc not in _RULES:
            how = f" with {', '.join(options)}=" if options else ""
            raise NoSlope(f"np.{ufunc.__name__}{how if method == '__call__' else f'.{method}'}")
        result = _RULES[ufunc](ufunc, inputs, [x.value if type(x) is Dual else x for x in inputs])
        if out is None:
            return result
        if not isinstance(out[0], Dual):
            raise NoSlope(f"np.{ufunc.__name__} with out= an array that does not come from Z")
        out[0].value[...], out[0].slope = result.value, result.slope
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in _FUNCTIONS:
            raise NoSlope(f"np.{function.__name__}")
        return _FUNCTIONS[function](*args, **kwargs)


def back(forward: Callable[[Any], Any], dA: Array, Z: Array, out: Array | None = None) -> Array:
    """Return dA times the slope of an elementwise `forward` at Z, in the dtype of Z.

    It takes some examples at a time, so that intermediate arrays stay in the processor's cache.
    """
    dZ = np.empty(Z.shape, Z.dtype) if out is None else out
    m = Z.shape[-1]
    step = max(1, _BLOCK * m // max(1, Z.size))
    with np.errstate(all="ignore"):  # what is not finite is looked for
        for start in range(0, m, step):
            some = np.s_[..., start : start + step]
            A, shape = forward(Dual(Z[some].copy())), Z[some].shape
            if np.shape(_value(A)) not in ((), shape):
                raise NoSlope(f"something that makes shape {np.shape(_value(A))} of {shape}")
            np.multiply(dA[some], _slope(A), out=dZ[some], casting="same_kind")
    return dZ


class NoSlope(TypeError):
    """What a formula uses that dual numbers do not pass through."""

    @property
    def line(self) -> str:
        """Return the line of the formula, if its source can be read."""
        return line_of_formula(self)


def line_of_formula(error: BaseException) -> str:
    """Return the line in which a formula raised an error, to end a sentence with, or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = (f for f in reversed(frames) if not f.filename.startswith(_NOT_FORMULAS))
    last = next(outside, None)
    return f" in line {last.lineno}, `{last.line}`" if last and last.line else ""


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def _slope(x: Any) -> Any:
    return x.slope if isinstance(x, Dual) else 0


def _mask(key: Any) -> Any:
    key = _value(key)
    is_all = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
    if is_all or (isinstance(key, np.ndarray) and key.dtype == bool):
        return key
    raise NoSlope("an index other than a mask, as in Z[Z > 0]")


def _sum(slopes: list[Any]) -> Any:
    """Return the sum of one or two slopes."""
    return slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1]


def _smooth(ufunc: np.ufunc, inputs: Any, values: Any) -> Dual:
    y = ufunc(*values)
    partials = zip(PARTIALS[ufunc], inputs, strict=True)
    slope = _sum([_chain(part, x.slope, *values, y) for part, x in partials if type(x) is Dual])
    fits = getattr(slope, "shape", ()) in ((), y.shape)
    return Dual(y, slope if fits else np.broadcast_to(slope, y.shape))


def _chain(partial: Partial, inner: Any, *arrays: Any) -> Any:
    """Return the product of two slopes, by the chain rule; 0 times an infinite slope is 0."""
    if partial is None:
        return inner
    outer = partial(*arrays)
    slope = outer if isinstance(inner, float) and inner == 1 else outer * inner
    if np.ndim(slope) == 0 or all_finite(slope):
        return slope
    return np.where((outer == 0) | (inner == 0), slope.dtype.type(0), slope)


def _choice(ufunc: np.ufunc, inputs: Any, values: Any) -> Dual:
    """Return the larger or the smaller of two; where they tie, with the slope from the left."""
    first_wins, left = CHOICES[ufunc]
    y, first, tie = ufunc(*values), first_wins(*values), np.equal(*values)
    slopes = [_slope(x) for x in inputs]
    pairs = zip(slopes, (first, ~first), strict=True)
    # A product with the choice is far faster than np.where.
    terms = [np.multiply(s, at, dtype=y.dtype) for s, at in pairs if np.ndim(s) or s != 0]
    slope: Any = _sum(terms) if terms else 0.0
    if terms and not all_finite(slope):
        slope = np.where(first, *slopes).astype(y.dtype)
    return Dual(y, _either(tie, left(*slopes), slope, y.dtype) if tie.any() else slope)


def _either(condition: Any, slope1: Any, slope2: Any, dtype: Any) -> Array:
    return np.where(condition, slope1, slope2).astype(dtype, copy=False)


def _compare(order: np.ufunc, inputs: Any, values: Any) -> Array:
    """Return the answer of > and the like; at a tie with a slope, the answer just left of it."""
    answer, tie = order(*values), np.equal(*values)
    if not tie.any():
        return answer
    rise = np.subtract(*map(_slope, inputs))
    return np.where(tie & (rise != 0), order(-rise, 0), answer)


def _sign(x: Any) -> Any:
    """Return -1, 0 or 1, as a plain array; at a zero with a slope, the sign just left of it."""
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
    sign = _sign(x2) if isinstance(x2, Dual) else np.copysign(1, x2)
    result = np.absolute(x1) * np.where(sign == 0, 1, sign).astype(np.result_type(_value(x1)))
    return result if isinstance(result, Dual) else _flat(result)


# Functions with a sign of their own at 0, where it must be the sign just left of it.
SIGNED: dict[np.ufunc, Callable[..., Any]] = {
    np.sign: lambda x: _flat(_sign(x)),
    np.heaviside: _heaviside,
    np.absolute: _absolute,
    np.fabs: _absolute,
    np.copysign: _copysign,
    np.signbit: lambda x: _sign(x) < 0,
}

_RULES: dict[np.ufunc, Callable[[np.ufunc, Any, Any], Any]] = (
    dict.fromkeys(PARTIALS, _smooth)
    | dict.fromkeys(CHOICES, _choice)
    | dict.fromkeys(ORDERS, _compare)
    | dict.fromkeys(FLAT, lambda ufunc, inputs, values: _flat(ufunc(*values)))
    | dict.fromkeys(TESTS, lambda ufunc, inputs, values: ufunc(*values))
    | dict.fromkeys(SIGNED, lambda ufunc, inputs, values: SIGNED[ufunc](*inputs))
)


def _where(condition: Any, x: Any, y: Any) -> Dual:
    condition = _value(condition)
    value = np.where(condition, _value(x), _value(y))
    return Dual(value, _either(condition, _slope(x), _slope(y), value.dtype))


def _select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        default = _where(condition, choice, default)
    return default


def _piecewise(x: Dual, conditions: Any, functions: Any) -> Any:
    pieces = [piece(x) if callable(piece) else piece for piece in functions]
    n = len(conditions)  # the last condition that holds counts, not the first as in np.select
    return _select(conditions[::-1], pieces[:n][::-1], (*pieces[n:], 0)[0])


def _sinc(x: Dual) -> Dual:
    y, at = np.sinc(x.value), np.where(x.value == 0, 1, x.value)
    slope = np.where(x.value == 0, 0, (np.cos(math.pi * x.value) - y) / at)
    return Dual(y, x.slope * slope.astype(y.dtype))


def _clip(x: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **named: Any) -> Any:
    low, high = named.pop("min", a_min), named.pop("max", a_max)
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if out is not None or named or any(isinstance(limit, Dual) for limit in (low, high)):
        raise NoSlope("np.clip with out, or with limits that depend on Z")
    inside = (x.value > low) & (x.value < high)  # flat at the limits too
    return Dual(np.clip(x.value, low, high), _either(inside, x.slope, 0.0, x.dtype))


def _of_value(function: Callable[..., Array]) -> Callable[..., Dual]:
    return lambda x, *arguments, **options: _flat(function(x.value, *arguments, **options))


_FLAT_TOO = (np.round, np.zeros_like, np.ones_like, np.empty_like, np.full_like)
_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where, np.clip: _clip, np.select: _select, np.piecewise: _piecewise, np.sinc: _sinc,
    np.copy: Dual.copy, np.shape: lambda x: x.shape,
    **{function: _of_value(function) for function in _FLAT_TOO},
}  # fmt: skip
