"""Methods that write their result where they are told: into an array ``out``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs.exceptions import FrozenInstanceError

from tinynet._support.arrays import Array
from tinynet._support.registry import FrozenError
from tinynet.errors import ShapeError

_BLOCK = (
    1 << 14
)  # numbers, so that the half a dozen arrays of a formula fit into a processor's second-level cache


def give_out(cls: type, *methods: str) -> None:
    """Let those methods of a class that are written without ``out`` take it: their result is copied there."""
    for name in methods:
        own, held = getattr(cls, name), inspect.getattr_static(cls, name)
        code = getattr(own, "__code__", None)
        if code and "out" not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            setattr(cls, f"_own_{name}", held)  # where attrs sees it, when it makes the class again
            setattr(
                cls,
                name,
                _given_out(own, own_self=not isinstance(held, (staticmethod, classmethod))),
            )


def _given_out(method: Callable[..., Any], own_self: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    def with_out(self: Any, *arrays: Array, out: Array | None = None, **named: Array) -> Any:
        try:
            result = method(self, *arrays, **named) if own_self else method(*arrays, **named)
        except FrozenInstanceError:
            raise FrozenError(self) from None
        if out is None:
            return result
        if np.shape(result) != out.shape:
            raise ShapeError(
                f"{type(self).__name__}.{method.__name__} returned shape {np.shape(result)} "
                f"for an input of shape {np.shape((*arrays, *named.values())[0])}; it must keep the shape"
            )
        np.copyto(out, result, casting="same_kind")
        return out

    return with_out


def by_blocks(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method that is an elementwise formula take ``out``, and fill it block by block.

    What the formula computes on the way is as small as a block, and stays in the processor's cache.
    Arrays of several shapes, dtypes or memory orders are computed at once.
    """
    names = list(inspect.signature(formula).parameters)[1:]

    @functools.wraps(formula)
    def method(self: Any, *arrays: Array, out: Array | None = None, **named: Array) -> Any:
        arrays = (*arrays, *[named.pop(name) for name in names[len(arrays) :] if name in named])
        like = arrays[0] if out is None else out
        if named or not all(_alike(like, array) for array in arrays):
            result = formula(self, *arrays, **named)
            return result if out is None else np.positive(result, out=out)
        out = np.empty(like.shape, like.dtype) if out is None else out
        flat, result = [array.reshape(-1) for array in arrays], out.reshape(-1)
        for start in range(0, result.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            result[part] = formula(self, *[array[part] for array in flat])
        return out

    return method


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two arrays of floats have one shape, one dtype, and lie in memory in C order."""
    if (
        one.__class__ is not np.ndarray
        or other.__class__ is not np.ndarray
        or one.dtype.kind != "f"
    ):
        return False
    return (
        one.shape == other.shape
        and one.dtype == other.dtype
        and one.flags.c_contiguous
        and other.flags.c_contiguous
    )
