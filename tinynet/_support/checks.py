"""The door: what a user hands in is checked and cast here, once, or refused in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, all_finite, integer
from tinynet.errors import NonFiniteError, ShapeError

_MOST_DIMENSIONS = 64  # of an array of NumPy


def written(shape: tuple[Any, ...], m: str = "m") -> str:
    """Return the shape of an array of examples as people write it: (n, m)."""
    return f"({', '.join(map(str, (*shape, m)))})"


def example_shape(inputs: Any) -> Shape:
    """Return the shape of an example from a number or a tuple."""
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    if len(given) >= _MOST_DIMENSIONS:
        raise ValueError(
            f"inputs has {len(given)} dimensions; an array of examples has at most {_MOST_DIMENSIONS}"
        )
    return tuple(integer("inputs", n) for n in given)


def numbers(array: Any, name: str) -> Array:
    """Return an array of real numbers."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers; got dtype {array.dtype}; write {name}.astype(float)"
        )
    return array


def columns(X: Any, needed: Shape, dtype: np.dtype[Any], name: str, whose: str = "") -> Array:
    """Return X in `dtype` if it is columns of the `needed` shape, at least one."""
    if type(X) is np.ndarray and X.dtype == dtype and X.shape[:-1] == needed and X.size:
        return X
    X = numbers(X, name)
    if X.ndim < 2 or X.shape[:-1] != needed:
        hint = ""
        if X.ndim == 1:
            hint = f"; write {name}.reshape(-1, 1) for one example, {name}.reshape(1, -1) for one feature"
        elif X.ndim == 2 and X.shape[1:] == needed:
            hint = f"; it looks transposed (examples are columns): write {name}.T"
        raise ShapeError(
            f"{name} has shape {X.shape}; needed is {written(needed or ('n_0',))}{whose}{hint}"
        )
    if X.shape[-1] == 0:
        raise ShapeError(
            f"{name} has shape {X.shape}: there is no example in it; give at least one column"
        )
    with np.errstate(over="ignore"):  # what is too large for dtype is found as infinite
        return X.astype(dtype, copy=False)


def targets(
    Y: Any,
    needed: Shape,
    dtype: np.dtype[Any],
    as_columns: Callable[[Array, int], Array],
    rows: int = 0,
) -> Array:
    """Return Y as columns of the `needed` shape in `dtype`.

    `as_columns` is the loss's way with labels; `rows` is how many X has, for the error's sake.
    """
    if isinstance(Y, np.ndarray) and Y.dtype == dtype and Y.shape == needed:
        return Y
    Y = as_columns(numbers(Y, "Y"), needed[0])
    if Y.shape != needed:
        raise misfit(Y, needed, rows=rows)
    return Y.astype(dtype, copy=False)


def misfit(Y: Array, needed: Shape, also: str = "", rows: int = 0) -> ShapeError:
    """Return the error for a Y that has not the shape of A[L], with what else it may be; X has `rows`, if known."""
    return ShapeError(
        f"Y has shape {Y.shape}; needed is that of A[L], {needed}{also}{_mend_targets(Y, needed, rows)}"
    )


def _mend_targets(Y: Array, needed: Shape, rows: int) -> str:
    if Y.shape == needed[::-1]:
        return "; it looks transposed (examples are columns): write Y.T"
    if Y.shape == (needed[-1], 1):
        return "; for labels write Y.ravel()"
    if Y.size == math.prod(needed):
        return f"; write Y.reshape({needed[0]}, -1)"
    if rows and rows in Y.shape:
        return f"; X has {needed[-1]} examples, for its examples are columns: if they are its {rows} rows, write X.T"
    if Y.size and Y.size % needed[-1] == 0 and Y.size // needed[-1] != needed[0]:
        return f"; A[L] has as many rows as the last layer has units: {needed[0]}"
    return f"; X has {needed[-1]} examples, and Y must have as many" if rows else ""


def class_numbers(Y: Array, outputs: int) -> Array:
    """Return integer labels (m,) or (1, m) as (m,), each the number of one of several outputs."""
    if Y.dtype.kind not in "iu":
        columns = f"one-hot columns ({outputs}, m) nor integer labels (m,); for labels write Y.astype(int)"
        raise ShapeError(f"Y of shape {Y.shape} and dtype {Y.dtype} is neither {columns}")
    labels = Y.reshape(-1)
    for i in np.flatnonzero((labels < 0) | (labels >= outputs))[:1]:
        raise ValueError(
            f"label {labels[i]} of example {i} is out of range: A[L] has {outputs} rows, so labels go "
            f"from 0 to {outputs - 1}; give the last layer more units or renumber the labels"
        )
    return labels


@np.errstate(over="ignore", invalid="ignore")
def check_finite(name: str, array: Array) -> None:
    """Refuse an array with NaN or Inf."""
    if not all_finite(array):
        at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        where, hint = (
            ", ".join(map(str, at)),
            f"find all such with np.argwhere(~np.isfinite({name}))",
        )
        raise NonFiniteError(
            f"{name}[{where}] is {array[at]} in {array.dtype}; it must be a finite number; {hint}"
        )
