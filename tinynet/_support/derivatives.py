"""The derivatives of NumPy's elementwise functions, as tables for dual numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Partial = Callable[..., Any] | None  # None: the derivative is 1

_LN2, _LN10 = math.log(2), math.log(10)

# The derivative of a function of one array, from x and the value y of the function.
UNARY: dict[np.ufunc, Partial] = {
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


def _power_by_base(x1: Any, x2: Any) -> Any:
    if np.ndim(x2) == 0 and x2 == 2:  # the usual exponent, and np.power is slow
        return 2 * x1
    return np.where(x2 == 0, 0, x2 * np.power(x1, x2 - 1))


# The derivatives of a function of two arrays by each of them.
BINARY: dict[np.ufunc, tuple[Partial, Partial]] = {
    np.add: (None, None),
    np.subtract: (None, lambda x1, x2, y: -1),
    np.multiply: (lambda x1, x2, y: x2, lambda x1, x2, y: x1),
    np.divide: (lambda x1, x2, y: 1 / x2, lambda x1, x2, y: -y / x2),
    np.power: (lambda x1, x2, y: _power_by_base(x1, x2), lambda x1, x2, y: y * np.log(x1)),
    np.logaddexp: (lambda x1, x2, y: np.exp(x1 - y), lambda x1, x2, y: np.exp(x2 - y)),
    np.logaddexp2: (lambda x1, x2, y: np.exp2(x1 - y), lambda x1, x2, y: np.exp2(x2 - y)),
    np.hypot: (lambda x1, x2, y: x1 / y, lambda x1, x2, y: x2 / y),
    np.arctan2: (lambda x1, x2, y: x2 / (x1 * x1 + x2 * x2),
                 lambda x1, x2, y: -x1 / (x1 * x1 + x2 * x2)),
    np.fmod: (None, lambda x1, x2, y: -np.trunc(x1 / x2)),
    np.remainder: (None, lambda x1, x2, y: -np.floor(x1 / x2)),
}  # fmt: skip
UNARY |= {np.radians: UNARY[np.deg2rad], np.degrees: UNARY[np.rad2deg]}
BINARY |= {np.float_power: BINARY[np.power]}
# Of both kinds, the derivatives by each of the arrays.
PARTIALS = {function: (derivative,) for function, derivative in UNARY.items()} | BINARY

# Functions that are flat between their jumps.
FLAT = (np.floor, np.ceil, np.rint, np.trunc, np.floor_divide)
# Functions that return booleans.
TESTS = (np.equal, np.not_equal, np.isfinite, np.isnan, np.isinf)
ORDERS = (np.greater, np.greater_equal, np.less, np.less_equal)
# Functions that choose: when the first array wins, and which slope at a tie is that from the left.
CHOICES: dict[np.ufunc, tuple[np.ufunc, np.ufunc]] = dict.fromkeys(
    (np.maximum, np.fmax), (np.greater, np.minimum)
) | dict.fromkeys((np.minimum, np.fmin), (np.less, np.maximum))
