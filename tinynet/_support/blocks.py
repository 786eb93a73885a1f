"""Results written into an array ``out``, at once or block by block."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.quiet import quiet, within
from tinynet._support.results import expect_one_shape
from tinynet.errors import ShapeError

# Numbers: the half a dozen arrays of a formula then fit into a processor's second-level cache.
_BLOCK = 1 << 14


def with_out(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls a method with arrays and ``out``: the method itself if it takes ``out``.

    A user's method need not take it. Then its result is copied into ``out``. The caller has
    switched floating-point flags off.
    """
    method = within(method)
    if _takes_out(getattr(method, "__func__", method)):
        return method

    def call(*arrays: Array, out: Array) -> Array:
        result = method(*arrays)
        if np.shape(result) != out.shape:
            raise ShapeError(
                f"{_title(method)} returned shape {np.shape(result)}, expected {out.shape}, the "
                "shape of its input."
            )
        np.copyto(out, result, casting="same_kind")
        return out

    return call


@functools.lru_cache(maxsize=512)
def _takes_out(function: Callable[..., Any]) -> bool:
    if isinstance(function, np.ufunc):  # has no signature before NumPy 2.4
        return True
    parameters = inspect.signature(function).parameters
    return "out" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _title(method: Callable[..., Any]) -> str:
    """Return the names of a method and its class, for messages."""
    owner = getattr(method, "__self__", None)
    if owner is None:  # a static method
        return getattr(method, "__qualname__", repr(method)).rpartition("<locals>.")[2]
    kind = owner if isinstance(owner, type) else type(owner)
    return f"{kind.__name__}.{method.__name__}"


def by_blocks(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method that is an elementwise formula take ``out``, and fill it block by block.

    What the formula computes on the way is as small as a block, and stays in the processor's
    cache. Arrays of several shapes, dtypes or memory orders are computed at once. A model's arrays
    fit together: it calls the method ``within``, which does not check them.
    """
    names = list(inspect.signature(formula).parameters)[1:]

    def fill(self: Any, *arrays: Array, out: Array) -> Array:
        if out.size <= _BLOCK and out.ndim:  # of arrays without dimensions NumPy makes numbers
            out[...] = formula(self, *arrays)
            return out
        flat, result = [array.reshape(-1) for array in arrays], out.reshape(-1)
        for start in range(0, result.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            result[part] = formula(self, *[array[part] for array in flat])
        return out

    @functools.wraps(formula)
    def method(self: Any, *arrays: Array, out: Array | None = None, **named: Array) -> Any:
        arrays = (*arrays, *[named.pop(name) for name in names[len(arrays) :] if name in named])
        like = arrays[0] if out is None else out
        if named or not all(_alike(like, array) for array in arrays):
            expect_one_shape(**dict(zip(names, arrays, strict=False)), **named)
            result = formula(self, *_floats(arrays), **named)
            return result if out is None else np.positive(result, out=out)
        return fill(self, *arrays, out=np.empty(like.shape, like.dtype) if out is None else out)

    del method.__wrapped__  # its signature would have no `out`
    checked: Any = quiet(method)
    checked.within = fill
    return cast("Callable[..., Any]", checked)


def _floats(values: Sequence[Any]) -> list[Any]:
    """Return lists as arrays, and whole numbers as floats if there are no others."""
    lists = (int, float, list, tuple)
    arrays = [np.asarray(value) if isinstance(value, lists) else value for value in values]
    if all(isinstance(array, np.ndarray) and array.dtype.kind in "biu" for array in arrays):
        return [array.astype(np.float64) for array in arrays]
    return arrays


def _alike(one: Any, other: Any) -> bool:
    """Return whether two arrays of floats have one shape and dtype, and lie in C order."""
    if type(one) is not np.ndarray or type(other) is not np.ndarray or one.dtype.kind != "f":
        return False
    in_order = one.flags.c_contiguous and other.flags.c_contiguous
    return in_order and one.shape == other.shape and one.dtype == other.dtype
