"""Results: what a method returned, or a user passes, is written where it belongs, or refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.examples import reordered
from tinynet.errors import NonFiniteError, ShapeError


def write(view: Array, value: Any, name: str, where: str = "") -> None:
    """Copy `value` into `view`. There is no broadcasting, because it would hide a wrong shape."""
    if value is view:
        return
    array = np.asarray(value)
    if array.shape != view.shape:
        hint = "" if value is None else reshaping(array.shape, view.shape, name)
        got = kind_of(value) if value is None else f"shape {array.shape}"
        raise ShapeError(f"{name}{where} got {got}, expected shape {view.shape}.{hint}")
    if array.dtype == view.dtype:
        view[...] = array
        return
    try:
        with np.errstate(all="ignore", over="raise"):
            cast = array.astype(view.dtype)  # not in place: an error leaves the view as it is
    except FloatingPointError:
        found = f"{name}{where} got numbers up to {np.abs(array).max():.3g}"
        most = f"expected at most {np.finfo(view.dtype).max:.3g} in {view.dtype}"
        raise NonFiniteError(f'{found}, {most}. Use dtype="float64", or smaller ones.') from None
    view[...] = cast


def into(buffer: Array, result: Any, name: str, where: str) -> Array:
    """Return `buffer` with `result` in it, which a method may have returned as another array."""
    if result is buffer:
        return buffer
    shape = buffer.shape
    if not isinstance(result, np.ndarray):
        message = f"{name} is {kind_of(result)}{where}, expected an array of shape {shape}."
        raise ShapeError(message)
    if result.shape != shape:
        hint = reshaping(result.shape, shape)
        raise ShapeError(f"{name} has shape {result.shape}{where}, expected {shape}.{hint}")
    buffer[...] = result
    return buffer


def reshaping(found: Shape, expected: Shape, name: str = "") -> str:
    """Return what turns one shape into the other, if something does; `name` may be a gradient."""
    if len(found) == 2 and found[::-1] == expected:
        return " It looks transposed: add .T."
    order = reordered(found, expected)
    if order:
        return f" Its axes look to be in another order: add {order}."
    if math.prod(found) == math.prod(expected):
        return f" Add .reshape{expected}, or keepdims=True in a sum or mean."
    if name.startswith("d") and expected[-1] == 1:
        return " Sum over the examples along the last axis: np.sum(..., axis=1, keepdims=True)."
    return ""


def expect_one_shape(**arrays: Any) -> None:
    """Refuse arrays of several shapes, which NumPy would broadcast; Z, or else A, is right."""
    right = "Z" if "Z" in arrays else "A"
    expected = np.shape(arrays[right])
    for name, array in arrays.items():
        if np.shape(array) != expected:
            found = f"{name} has shape {np.shape(array)}, expected that of {right}, {expected}"
            raise ShapeError(f"{found}.{reshaping(np.shape(array), expected)}")


def kind_of(result: Any) -> str:
    """Return what a method returned in place of an array, in words."""
    return "None (is a return missing?)" if result is None else f"a {type(result).__name__}"
