r"""Z · Φ(Z) and its slope, with the standard normal distribution Φ, which NumPy does not have.

Φ(z) is erfc(-z/√2) / 2, and Python has erfc for one number. To call it for each of a few numbers
takes less time than to compute with arrays. For more numbers there is a polynomial: for x ≥ 0,
x · Φ(-x) = exp(-x²/2) · w · F(w) with w = x / (x + k). w is between 0 and 1, and F is so smooth
that a polynomial is enough. Shepherd and Laframboise (1981) found this for erfc, with
t = (x - k) / (x + k), which is 2w - 1. The polynomials here are in w - 1/2. Their largest
relative error is the smallest possible for their degree and k, found by Remez's exchange in 50
digits for the x at which x · Φ(-x) is a normal number; from x = 0 to 16 it may grow to twice as
much, because the rounding of x² is larger there. k was varied in steps of a few hundredths.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, scalar
from tinynet._support.underflow import at_most, exp, has_floats, log_smallest, positive_part
from tinynet.activations.limits import bounded

# k, and the coefficients, lowest power first. The relative errors are at most 1.7e-8 and 2.0e-16
# below x = 5, and 2.6e-8 and 4.2e-16 beyond.
_SINGLE = (2.92, (
    0.72606261029, -0.99740572011, 0.86037479325, -0.29623510765, -0.20831779214, 0.19027802187,
    0.10389627975, -0.098879668764, -0.081511464576,
))  # fmt: skip
_DOUBLE = (5.53, (
    0.77400947272463871, -1.3724677785964927, 2.1511163515324756, -2.9603475701123885,
    3.5355152850244229, -3.5916607213258369, 2.9926540631310017, -1.8918750167310232,
    0.70861646640172482, 0.10117006266682116, -0.33740055806410307, 0.16773609380914162,
    0.05498812125269395, -0.10371907706922287, 0.015864234015220087, 0.047755008457100019,
    -0.021021305056083631, -0.022062276125137743, 0.011022328754270398, 0.0098951899930120758,
))  # fmt: skip


# For large x, x · Φ(-x) and the density are 0.4 exp(-x²/2). They are normal numbers where that
# exponential is at least `_LEAST` times the smallest normal number. Below, they count as 0.
_LEAST = 3

_FEW = 32  # numbers: to call erfc for each takes less time than 25 calls of NumPy


def times_normal(Z: Array) -> Array:
    """Return Z · Φ(Z), with 0 for negative numbers that are not normal."""
    if has_floats(Z) and Z.size <= _FEW and Z.itemsize <= 4:  # float64 would lose digits of z/√2
        erfc, minus_root_half, lowest = math.erfc, -math.sqrt(0.5), -_reach(Z.dtype)
        A = [
            -0.0 if z < lowest else 0.5 * z * erfc(z * minus_root_half) for z in Z.ravel().tolist()
        ]
        return np.array(A, Z.dtype).reshape(Z.shape)
    # Φ(Z) is 1 - Φ(-Z)
    return np.subtract(positive_part(Z), _times_normal_tail(np.abs(Z)))


def times_normal_slope(Z: Array, A: Array) -> Array:
    """Return the derivative of Z · Φ(Z), which is Φ(Z) + Z · φ(Z); A is Z · Φ(Z)."""
    squares = np.square(Z)
    # The comparisons are written so that NaN counts as far from 0, and as near.
    is_far = squares.size > 0 and not squares.item(squares.argmax()) <= _reach(Z.dtype) ** 2
    if is_far:
        Z, A = bounded(Z, A)
    slope = A / Z  # Φ(Z)
    if squares.size and not squares.item(squares.argmin()) > 0:
        # There Φ(Z) is 1/2 to the last digit, and A may have lost digits.
        np.copyto(slope, scalar(0.5, Z.dtype), where=squares == 0)
    squares *= scalar(-0.5, squares.dtype)
    z_density = exp(squares, least=_LEAST) if is_far else np.exp(squares, squares)
    z_density *= Z
    z_density *= scalar(1 / math.sqrt(2 * math.pi), z_density.dtype)
    slope += z_density
    return slope


def _times_normal_tail(x: Array) -> Array:
    """Return x · Φ(-x) for x ≥ 0, and 0 where that is not a normal number.

    It has full relative precision except that of exp(-x²/2): x² is rounded, so the result is off
    by up to x²/4 units in the last place. The largest x that matters is 38.
    """
    limit = _reach(x.dtype)
    near = at_most(x, limit)
    tail = _times_tail(near)
    return tail if near is x else tail * (x <= limit)


@functools.lru_cache(maxsize=16)
def _reach(dtype: np.dtype[Any]) -> float:
    """Return the largest x at which x · Φ(-x) does not count as 0."""
    return math.sqrt(-2 * log_smallest(dtype, _LEAST))


def _times_tail(x: Array) -> Array:
    k, half, highest, coefficients, lowest = _polynomial(x.dtype)
    w = x / (x + k)
    t = w - half
    F = t * highest
    for coefficient in coefficients:
        F += coefficient
        F *= t
    F += lowest
    F *= w
    exponent = np.square(x)
    exponent *= scalar(-0.5, x.dtype)
    F *= np.exp(exponent, exponent)  # x is at most _reach, so this exponential is normal
    return F


@functools.lru_cache(maxsize=16)
def _polynomial(dtype: np.dtype[Any]) -> tuple[Array, Array, Array, Sequence[Array], Array]:
    """Return k, 1/2, and the coefficients: the highest, those between, and the lowest."""
    k, lowest_first = _SINGLE if dtype.itemsize <= 4 else _DOUBLE
    lowest, *between, highest = [scalar(number, dtype) for number in lowest_first]
    return scalar(k, dtype), scalar(0.5, dtype), highest, between[::-1], lowest
