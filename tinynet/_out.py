"""Methods that write their result where they are told: into an array ``out``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._buffers import Array
from tinynet.errors import ShapeError

_BLOCK = 1 << 14


def give_out(cls: type, *methods: str) -> None:
    """Let those methods of a class that are written without ``out`` take it: their result is copied there."""
    for name in methods:
        own = getattr(cls, name)
        code = getattr(own, "__code__", None)
        if code and "out" not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            setattr(cls, f"_own_{name}", own)  # where attrs sees it, when it makes the class again
            setattr(cls, name, _given_out(own))


def _given_out(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def with_out(self: Any, *arrays: Array, out: Array | None = None) -> Any:
        result = method(self, *arrays)
        if out is None:
            return result
        if np.shape(result) != out.shape:
            raise ShapeError(
                f"{type(self).__name__}.{method.__name__} returned shape {np.shape(result)} "
                f"for an input of shape {arrays[0].shape}; it must keep the shape"
            )
        np.copyto(out, result, casting="same_kind")
        return out

    return with_out


def by_blocks(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method that is an elementwise formula take ``out``, and fill it block by block.

    What the formula computes on the way is as small as a block, and stays in the processor's cache.
    """

    @functools.wraps(formula)
    def method(self: Any, *arrays: Array, out: Array | None = None) -> Any:
        like = arrays[0]
        if not isinstance(like, np.ndarray):  # a number, or one that carries its slope
            return formula(self, *arrays)
        if out is None and like.size > _BLOCK and like.dtype.kind == "f":
            out = np.empty(like.shape, like.dtype)
        if out is None or not all(array.flags.c_contiguous for array in (out, *arrays)):
            result = formula(self, *arrays)
            return result if out is None else np.positive(result, out=out)
        flat, result = [array.reshape(-1) for array in arrays], out.reshape(-1)
        for start in range(0, result.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            result[part] = formula(self, *[array[part] for array in flat])
        return out

    return method
