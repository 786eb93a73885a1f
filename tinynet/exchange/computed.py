"""Formulas that are computed as they were traced, and whether that is what they compute.

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


class Computed:
    """The target of a trace that computes at once. A handle is the number of an array.

    The same function of the same arrays is computed once, so that two masks Z > 0 are one. A
    subclass says what computes with arrays of its library: `functions`, `as_array`, `select`,
    `cast` and `fill`.
    """

    def __init__(self, Z: Any, dtype: Any, functions: Mapping[np.ufunc, Any]) -> None:
        self._arrays, self._handles = [Z], dict[Any, int]()
        self.Z, self.dtype = 0, np.dtype(dtype)
        self.functions: Mapping[np.ufunc, Callable[..., int]] = {
            ufunc: functools.partial(self._applied, function)
            for ufunc, function in functions.items()
        }

    def result(self, forward: Callable[[Any], Any]) -> Any:
        """Return what a formula computes from Z, and let go of all that it made meanwhile."""
        try:
            return self._of(traced(forward, self.Z, self))
        finally:
            self._arrays.clear()
            self._handles.clear()

    def _of(self, handle: int) -> Any:
        return self._arrays[handle]

    def _applied(self, function: Callable[..., Any], *handles: int) -> int:
        return self._once((function, handles), lambda: function(*map(self._of, handles)))

    def _once(self, key: Any, compute: Callable[[], Any]) -> int:
        """Return the handle of what was computed for a key, or is computed now."""
        if key not in self._handles:
            self._handles[key] = len(self._arrays)
            self._arrays.append(compute())
        return self._handles[key]

    # What a trace asks for.

    def constant(self, value: Array) -> int:
        key = value.dtype, value.shape, value.tobytes()
        return self._once(key, lambda: self.as_array(value))

    def where(self, mask: int, x: int, y: int) -> int:
        return self._applied(self.select, mask, x, y)

    def as_number(self, mask: int) -> int:
        return self._applied(self.cast, mask)

    def filled(self, like: int, number: int) -> int:
        return self._applied(self.fill, like, number)

    # What computes: here NumPy.

    def as_array(self, value: Array) -> Any:
        """Return a constant of a formula as an array of the library."""
        return value

    def select(self, mask: Any, x: Any, y: Any) -> Any:
        """Return x where a mask holds, and y elsewhere."""
        return np.where(mask, x, y)

    def cast(self, mask: Any) -> Any:
        """Return 1 where a mask holds, and 0 elsewhere."""
        return mask.astype(self.dtype)

    def fill(self, like: Any, number: Any) -> Any:
        """Return an array of the shape of `like` in which each number is this one."""
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
    found = Computed(Z.copy(), dtype, {each: each for each in functions}).result(forward)
    with np.errstate(all="ignore"):
        expected = np.asarray(forward(Z))
    near = 1e-4 if dtype == np.float32 else 1e-6  # rounding adds up; another formula is far off
    is_near = np.allclose(found, expected, rtol=near, atol=near, equal_nan=True)
    return found.shape == expected.shape and is_near
