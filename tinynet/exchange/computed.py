"""Whether what was traced of a formula computes what the formula does.

A formula may draw random numbers, count its calls or round to integers, which no trace shows. So
the operations that were traced are computed with NumPy, and compared.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.exchange.trace import traced

_NUMBERS = 1000  # how many are compared at least


class Arrays:
    """The target of a trace that computes at once, with NumPy. A handle is the number of an array.

    `functions` are those of another target. The same function of the same arrays is computed once,
    so that two masks Z > 0 are one.
    """

    def __init__(self, Z: Array, functions: Iterable[np.ufunc]) -> None:
        self._arrays, self._handles = [Z], dict[Any, int]()
        self.Z, self.dtype = 0, Z.dtype
        self.functions: Mapping[np.ufunc, Callable[..., int]] = {
            function: functools.partial(self._applied, function) for function in functions
        }

    def of(self, handle: int) -> Array:
        """Return the array of a handle."""
        return self._arrays[handle]

    def _applied(self, function: Callable[..., Any], *handles: int) -> int:
        return self._once((function, handles), lambda: function(*map(self.of, handles)))

    def _once(self, key: Any, compute: Callable[[], Array]) -> int:
        """Return the handle of what was computed for a key, or is computed now."""
        if key not in self._handles:
            self._handles[key] = len(self._arrays)
            self._arrays.append(compute())
        return self._handles[key]

    def constant(self, value: Any) -> int:
        return self._once((value.dtype, value.shape, value.tobytes()), lambda: value)

    def where(self, mask: int, x: int, y: int) -> int:
        return self._applied(np.where, mask, x, y)

    def as_number(self, mask: int) -> int:
        return self._applied(self.dtype.type, mask)

    def filled(self, like: int, number: int) -> int:
        return self._applied(_filled, like, number)


def _filled(like: Array, number: Array) -> Array:
    return np.broadcast_to(number, like.shape)


def computes_same(
    forward: Callable[[Any], Any], shape: Shape, dtype: Any, functions: Iterable[np.ufunc]
) -> bool:
    """Return whether a formula gives the same traced, for examples of a shape.

    >>> is_same = [
    ...     computes_same(forward, (2,), np.float32, [np.multiply, np.greater])
    ...     for forward in (lambda Z: Z * 2, lambda Z: Z * 2 if isinstance(Z, np.ndarray) else Z)
    ... ]
    >>> is_same
    [True, False]
    """
    m = max(1, _NUMBERS // math.prod(shape))
    Z = np.random.default_rng(1).uniform(-4, 4, (*shape, m)).astype(dtype)
    arrays = Arrays(Z.copy(), functions)
    found = arrays.of(traced(forward, arrays.Z, arrays))
    with np.errstate(all="ignore"):
        expected = np.asarray(forward(Z))
    near = 1e-4 if dtype == np.float32 else 1e-6  # rounding adds up; another formula is far off
    is_near = np.allclose(found, expected, rtol=near, atol=near, equal_nan=True)
    return found.shape == expected.shape and is_near
