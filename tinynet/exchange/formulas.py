"""NumPy's functions as formulas over others, for libraries that lack them.

They are precise to rounding where the result is near 1 or larger. Near 0, where np.expm1 and
np.log1p have all digits, the formulas have so many digits behind the decimal point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_LN2, _LN10 = math.log(2), math.log(10)

# What is computed where all arguments are masks.
ON_MASKS: dict[np.ufunc, np.ufunc] = {
    np.add: np.logical_or, np.maximum: np.logical_or, np.bitwise_or: np.logical_or,
    np.multiply: np.logical_and, np.minimum: np.logical_and, np.bitwise_and: np.logical_and,
    np.bitwise_xor: np.logical_xor, np.not_equal: np.logical_xor, np.invert: np.logical_not,
}  # fmt: skip


def _arctan(x: Any) -> Any:
    """Return arctan(x) by its series, for an angle that was halved twice."""
    is_far = np.abs(x) > 1
    tangent = np.where(is_far, 1 / x, x)
    for _ in range(2):
        tangent = tangent / (1 + np.sqrt(1 + tangent * tangent))
    square, series = tangent * tangent, 0.0  # at most 0.04, so that 12 terms have all digits
    for n in range(23, 0, -2):
        series = 1 / n - square * series
    angle = 4 * tangent * series
    return np.where(is_far, np.sign(x) * (math.pi / 2) - angle, angle)


def _arctan2(y: Any, x: Any) -> Any:
    angle = np.arctan(np.where(np.equal(y, 0), y, y / x))
    half_turn = math.pi * np.where(np.signbit(y), -1.0, 1.0)
    return np.where(np.signbit(x), angle + half_turn, angle)


def _remainder(x: Any, y: Any) -> Any:
    """Return the remainder that has the sign of y; that of np.fmod has the sign of x."""
    rest = np.fmod(x, y)
    return np.where(np.sign(rest) * np.sign(y) < 0, rest + y, rest)


def _log_sum(largest: Any, difference: Any) -> Any:
    return largest + np.log1p(np.exp(-np.abs(difference)))


FORMULAS: dict[np.ufunc, Callable[..., Any]] = {
    np.exp2: lambda x: np.power(2.0, x),
    np.expm1: lambda x: np.exp(x) - 1,
    np.log2: lambda x: np.log(x) / _LN2,
    np.log10: lambda x: np.log(x) / _LN10,
    np.log1p: lambda x: np.log(1 + x),
    np.cbrt: lambda x: np.sign(x) * np.power(np.abs(x), 1 / 3),
    np.square: lambda x: x * x,
    np.tan: lambda x: np.sin(x) / np.cos(x),
    np.arctan: _arctan,
    np.arcsin: lambda x: np.arctan(x / np.sqrt((1 - x) * (1 + x))),
    np.arccos: lambda x: math.pi / 2 - np.arcsin(x),
    np.arctan2: _arctan2,
    np.sinh: lambda x: (np.exp(x) - np.exp(-x)) / 2,
    np.cosh: lambda x: (np.exp(x) + np.exp(-x)) / 2,
    np.arcsinh: lambda x: np.sign(x) * np.log(np.abs(x) + np.hypot(1, x)),
    np.arccosh: lambda x: np.log(x + np.sqrt((x - 1) * (x + 1))),
    np.arctanh: lambda x: np.log((1 + x) / (1 - x)) / 2,
    np.deg2rad: lambda x: x * (math.pi / 180),
    np.rad2deg: lambda x: x * (180 / math.pi),
    np.logaddexp: lambda x, y: _log_sum(np.maximum(x, y), x - y),
    np.logaddexp2: lambda x, y: _log_sum(np.maximum(x, y) * _LN2, (x - y) * _LN2) / _LN2,
    np.hypot: lambda x, y: np.sqrt(x * x + y * y),
    np.float_power: np.power,
    np.remainder: _remainder,
    np.floor_divide: lambda x, y: np.rint((x - np.remainder(x, y)) / y),
    np.trunc: lambda x: np.sign(x) * np.floor(np.abs(x)),
    np.fabs: np.absolute,
    np.fmax: lambda x, y: np.where(np.isnan(x), y, np.where(np.isnan(y), x, np.maximum(x, y))),
    np.fmin: lambda x, y: np.where(np.isnan(x), y, np.where(np.isnan(y), x, np.minimum(x, y))),
    np.signbit: lambda x: np.where(np.equal(x, 0), 1 / x, x) < 0,  # 1 / -0.0 is -infinity
    np.copysign: lambda x, y: np.abs(x) * np.where(np.signbit(y), -1.0, 1.0),
    np.heaviside: lambda x, at_0: np.where(np.equal(x, 0), at_0, x > 0),
    np.not_equal: lambda x, y: np.logical_not(np.equal(x, y)),
    np.isfinite: lambda x: np.logical_not(np.logical_or(np.isnan(x), np.isinf(x))),
}
FORMULAS |= {np.radians: FORMULAS[np.deg2rad], np.degrees: FORMULAS[np.rad2deg]}


def _clip(x: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **named: Any) -> Any:
    low, high = named.pop("min", a_min), named.pop("max", a_max)
    x = x if low is None else np.maximum(x, low)
    x = x if high is None else np.minimum(x, high)
    return np.positive(x, out=out, **named)


def _select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Any:
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        default = np.where(condition, choice, default)
    return default


def _piecewise(x: Any, conditions: Sequence[Any], functions: Sequence[Any]) -> Any:
    pieces = [piece(x) if callable(piece) else piece for piece in functions]
    n = len(conditions)  # the last condition that holds counts, not the first as in np.select
    return _select(conditions[::-1], pieces[:n][::-1], (*pieces[n:], 0)[0])


def _sinc(x: Any) -> Any:
    angle = math.pi * x
    return np.where(np.equal(x, 0), 1.0, np.sin(angle) / angle)


def _round(x: Any, decimals: int = 0) -> Any:
    scale = 10.0**decimals
    return np.rint(x * scale) / scale if decimals else np.rint(x)


# NumPy's functions that are no ufuncs.
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.clip: _clip, np.select: _select, np.piecewise: _piecewise, np.sinc: _sinc, np.round: _round,
    np.zeros_like: lambda x, dtype=None, **_: np.full_like(x, 0, dtype),
    np.ones_like: lambda x, dtype=None, **_: np.full_like(x, 1, dtype),
    np.empty_like: lambda x, dtype=None, **_: np.full_like(x, 0, dtype),
}  # fmt: skip
