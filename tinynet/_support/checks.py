"""Input checks: what a user passes is checked and cast here, once, or refused in words."""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from tinynet._support import foreign
from tinynet._support.arrays import Array, Shape, all_finite, reordered
from tinynet._support.foreign import spelled
from tinynet._support.quiet import quiet
from tinynet.errors import NonFiniteError, ShapeError

AsColumns: TypeAlias = "Callable[[Array, Shape], Array]"  # for labels and the shape of A[L]

OR_NONE = ", or None"
_MOST_DIMENSIONS = 64  # of a NumPy array
LONGEST_SHOWN = 300  # characters, of what a message repeats from a file


def integer(name: str, value: Any, least: int = 1, also: str = "") -> int:
    """Return `value` as an int, if it is one of at least `least` that a machine can count to.

    `also` says in a message what else is right.
    """
    try:
        number = operator.index(value)
    except TypeError:
        message = f"{name} is {value!r}, expected a whole number of at least {least}{also}."
        is_whole = isinstance(value, float) and value.is_integer()
        hint = f" Use {name}={value:.0f}." if is_whole and value >= least else ""
        raise TypeError(message + hint) from None
    bound = f"at least {least}" if number <= sys.maxsize else f"at most {sys.maxsize}"
    if not least <= number <= sys.maxsize or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, expected a whole number of {bound}{also}.")
    return number


def integer_or_none(name: str, value: Any) -> int | None:
    """Return `value` as an int of at least 1, or None."""
    return None if value is None else integer(name, value, also=OR_NONE)


def shown(value: Any) -> str:
    """Return the repr of a value for a message, cut off where a file made it long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


def file_path(name: str, path: Any, example: str) -> str:
    """Return the path of a file as absolute text: the working folder may change in a training.

    A "~" at its beginning is the folder of the user.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f'{name} is {shown(path)}, expected a path. Use {name}="{example}".')
    text = os.fsdecode(path)
    if not text.strip():
        raise ValueError(f'{name} is {shown(path)}, expected a path. Use {name}="{example}".')
    if "\0" in text:
        raise ValueError(f"{name} is {shown(path)}, expected a path without a null character.")
    return os.path.abspath(os.path.expanduser(text))


def written(shape: tuple[Any, ...], m: Any = "m") -> str:
    """Return the shape of an array of examples as people write it: (n, m)."""
    return f"({', '.join(map(str, (*shape, m)))})"


def example_shape(inputs: Any) -> Shape:
    """Return the shape of an example from a number or a tuple."""
    numbers = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    if len(numbers) >= _MOST_DIMENSIONS:
        limit = f"fewer than {_MOST_DIMENSIONS}: NumPy has no larger arrays"
        raise ValueError(f"inputs has {len(numbers)} dimensions, expected {limit}.")
    return tuple([integer("inputs", n) for n in numbers])


def numbers(value: Any, name: str, example: Shape = ()) -> Array:
    """Return an array of real numbers; `example` is the shape of an example, where it is known."""
    array = value if type(value) is np.ndarray else foreign.as_array(value, name, example)
    if array.dtype.kind not in "biuf":
        raise foreign.not_numbers(value, array, name)
    return array


def columns(
    X: Any,
    expected: Shape | None,
    dtype: np.dtype[Any] | None,
    name: str,
    whose: str = "",
    as_rows: bool = False,
) -> Array:
    """Return X in `dtype`, if it has at least one example of the `expected` shape, or of any.

    The dtype None is any dtype of numbers.

    With `as_rows`, an X that must be cast is cast to columns that lie as rows in memory.
    """
    if type(X) is np.ndarray and X.dtype == dtype and X.shape[:-1] == expected and X.size:
        return X
    value, X = X, numbers(X, name, expected or ())
    if value is not X:
        foreign.expect_columns(value, name, X.shape, expected)
    expected = X.shape[:-1] if expected is None else expected
    if X.ndim < 2 or X.shape[:-1] != expected:
        given = spelled(value, name)
        hint, shape = "", written(expected or ("n_0",))
        if X.ndim == 1:
            ways = []
            if expected in ((), X.shape):
                ways.append(f"{given}.reshape(-1, 1) for one example")
            if expected in ((), (1,)):
                ways.append(f"{given}.reshape(1, -1) for one feature")
            hint = f" Pass {', '.join(ways)}." if ways else ""
        elif X.ndim == 2 and X.shape[1:] == expected:
            hint = f" It looks transposed (examples are columns): pass {given}.T."
        else:
            hint = _other_axes(X.shape, expected, given)
        raise ShapeError(f"{name} has shape {X.shape}, expected {shape}{whose}.{hint}")
    if X.shape[-1] == 0:
        raise ShapeError(f"{name} has shape {X.shape}, expected at least one example (a column).")
    if dtype is None:
        return X
    with np.errstate(all="ignore"):  # a number too large for dtype is found as infinite
        if as_rows and X.dtype != dtype:
            return np.moveaxis(np.moveaxis(X, -1, 0).astype(dtype, order="C"), 0, -1)
        return X.astype(dtype, copy=False)


# Which axes of other layouts become ours: (m, T, n), (T, m, n), (T, n, m) and (m, H, W, C).
_ORDERS = ((2, 1, 0), (2, 0, 1), (1, 0, 2), (3, 1, 2, 0))


def _other_axes(shape: Shape, expected: Shape, given: str) -> str:
    """Return what makes images or sequences of another layout ours, if that is what they are."""
    last, size, remedy = f"np.moveaxis({given}, 0, -1)", math.prod(expected), ""
    if (1, *shape[:-1]) == expected:
        remedy = f"{given}[np.newaxis]"
    elif shape[1:] == expected:
        remedy = last
    elif (1, *shape[1:]) == expected:
        remedy = f"{last}[np.newaxis]"
    elif shape == expected:
        remedy = f"{given}[..., np.newaxis] for one example"
    elif len(shape) == 2 and len(expected) > 1 and size in shape:
        columns = given if shape[0] == size else f"{given}.T"
        remedy = f"{columns}.reshape{(*expected, -1)}"
    for order in _ORDERS if not remedy else ():
        if len(order) == len(shape) and tuple([shape[axis] for axis in order[:-1]]) == expected:
            remedy = f"{given}.transpose{order}"
            break
    return f" Channels or features come first, examples last. Pass {remedy}." if remedy else ""


def indices(name: str, X: Array, n: int | None, whose: str) -> Array:
    """Return X as indices from 0 to n - 1, if its numbers are such; n may be None for any."""
    most = sys.maxsize if n is None else n - 1
    is_right = (X >= 0) & (most >= X)
    if X.dtype.kind == "f":
        is_right &= np.rint(X) == X
    if not is_right.all():
        at = tuple(np.argwhere(~is_right)[0].tolist())
        expected = f"whole numbers from 0 to {most}" if n else "whole numbers of at least 0"
        found = f"{entry(name, at)} is {X[at]}, expected {expected}: indices{whose}"
        remedy = "np.unique(X, return_inverse=True) numbers what X holds."
        raise ValueError(f"{found}. {remedy.replace('X', name)}")
    return X.astype(np.intp, copy=False)


def targets(
    Y: Any,
    expected: Shape,
    dtype: np.dtype[Any],
    as_columns: AsColumns,
    rows: int = 0,
    X: Any = None,
) -> Array:
    """Return Y as columns of the `expected` shape, into which `as_columns` turns labels.

    A message may need what was passed as X, and its number of rows.
    """
    value, Y = Y, numbers(Y, "Y")
    given_Y = Y
    try:
        Y = as_columns(Y, expected)
    except ShapeError as error:  # a loss knows Y as an array
        error.args = (str(error).replace("Pass Y.", f"Pass {spelled(value, 'Y')}."),)
        raise
    if Y.shape != expected:
        by_rows = _with_examples_last(spelled(X, "X"), np.ndim(X))
        given = {"given": spelled(value, "Y"), "by_rows": by_rows}
        also = "" if Y.ndim == given_Y.ndim else f", or labels {expected[1:]}"
        raise wrong_targets(given_Y, expected, also, rows=rows, **given)
    return Y.astype(dtype, copy=False)


def wrong_targets(
    Y: Array, expected: Shape, also: str = "", rows: int = 0, given: str = "Y", by_rows: str = ""
) -> ShapeError:
    """Return the error for a Y that has not the shape of A[L], nor the shape that `also` names.

    `given` is how to write the array of what the user passed as Y, and `by_rows` what to pass if
    the examples of X come first.
    """
    n, m = expected[0], expected[-1]
    other_units = Y.size and Y.size % m == 0 and Y.size // m != n
    is_transposed = Y.ndim == 2 and Y.shape[::-1] in (expected, expected[1:])
    order = reordered(Y.shape, expected) or reordered(Y.shape, expected[1:])
    fits_m, has_positions = Y.shape[-1:] == (m,), len(expected) > 2
    per_example = has_positions and Y.shape in ((m,), (1, m), (n, m))
    per_step = not has_positions and fits_m and Y.ndim == 2 and 1 < len(Y) == rows != n
    positions = " x ".join(map(str, expected[1:-1]))
    one_output = "Put Flatten() before the last Dense layers for one output an example"
    columns_of_X = f"The columns of X are its {m} examples. If its {rows} rows are the examples,"
    hints = (
        (per_example, f"{one_output}, or leave out sequences=True of a recurrent layer."),
        (is_transposed, f"It looks transposed (examples are columns): pass {given}.T."),
        (order, f"Its axes look to be in another order: pass {given}{order}."),
        (has_positions and fits_m, f"A[L] has {positions} positions, and Y must have as many."),
        (per_step, "For an output at each step, use sequences=True in the recurrent layers."),
        (Y.shape == (m, 1), f"Pass {given}.ravel() for labels."),
        (not has_positions and Y.size == math.prod(expected), f"Pass {given}.reshape({n}, -1)."),
        (rows and rows in Y.shape and not fits_m, f"{columns_of_X} {by_rows}"),
        (other_units, f"A[L] has as many rows as the last layer has units: {n}."),
        (rows, f"X has {m} examples, and Y must have as many."),
    )
    hint = next((f" {hint}" for fits, hint in hints if fits), "")
    return ShapeError(f"Y has shape {Y.shape}, expected that of A[L], {expected}{also}.{hint}")


def _with_examples_last(given_X: str, axes: int) -> str:
    """Return what to pass for an X of so many axes, of which the examples are the first."""
    if axes <= 2:
        return f"pass {given_X}.T."
    if axes == 3:
        return f"pass {given_X}.T for (m, T, n), or np.moveaxis({given_X}, 0, -1) for (m, n, T)."
    return (
        f"pass np.moveaxis({given_X}, 0, -1) for images (m, C, H, W), or "
        f"{given_X}.transpose(3, 1, 2, 0) for (m, H, W, C)."
    )


def weights(name: str, values: Any, m: int) -> Array:
    """Return weights as (m,) in float64, if they are finite and at least 0."""
    w = numbers(values, name)
    if w.shape not in ((m,), (1, m)):
        hint = f" Pass {spelled(values, name)}.reshape(-1)." if w.size == m else ""
        raise ShapeError(
            f"{name} has shape {w.shape}, expected ({m},), one weight for each example.{hint}"
        )
    w = w.reshape(m).astype(np.float64)
    check_finite(name, w)
    for i in np.flatnonzero(w < 0)[:1]:
        raise ValueError(f"{name}[{i}] is {w[i]:g}, expected a weight of at least 0.")
    return w


def expect_some_weight(w: Array) -> None:
    """Refuse weights that are all 0."""
    if not w.any():
        raise ValueError("All weights are 0, so no example counts. Give at least one a weight.")


def class_numbers(Y: Array, outputs: int) -> Array:
    """Return integer labels, if each is the number of one of several outputs."""
    if Y.dtype.kind not in "iu":
        found = f"Y has shape {Y.shape} and dtype {Y.dtype}"
        expected = f"expected one-hot columns ({outputs}, m) or integer labels (m,)"
        raise ShapeError(f"{found}, {expected}. Pass Y.astype(int) for labels.")
    for at in np.argwhere((Y < 0) | (outputs <= Y))[:1].tolist():
        of_example = Y.size == Y.shape[-1]  # else it is one of several positions
        found = f"The label of example {at[-1]}" if of_example else entry("Y", at)
        expected = f"expected 0 to {outputs - 1}, because A[L] has {outputs} rows"
        remedy = "Give the last layer more units, or renumber the labels."
        raise ValueError(f"{found} is {Y[tuple(at)]}, {expected}. {remedy}")
    return Y


@quiet
def check_finite(name: str, array: Array, start: int = 0) -> None:
    """Refuse an array with NaN or infinity; it may be a part, of the examples from `start` on."""
    if not all_finite(array):
        at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        found = f"{entry(name, (*at[:-1], at[-1] + start))} is {array[at]} in {array.dtype}"
        remedy = f"np.argwhere(~np.isfinite({name})) finds all such entries."
        if np.isinf(array[at]) and array.dtype != np.float64:  # perhaps it was finite when passed
            largest = f"{array.dtype} ends at {np.finfo(array.dtype).max:.2g}"
            remedy += f' If there are none, scale {name} or use dtype="float64": {largest}.'
        raise NonFiniteError(f"{found}, expected a finite number. {remedy}")


def entry(name: str, at: Iterable[Any]) -> str:
    """Return the name of an entry of an array as people write it: X[0, 1]."""
    return f"{name}[{', '.join(map(str, at))}]"
