"""X and Y: what a user passes is read as columns of numbers here, once, or refused in words.

pandas, polars, SciPy and PyTorch are known by the methods of their objects, never imported.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, entry
from tinynet._support.checks import written
from tinynet.errors import ShapeError

_NUMBERED = "np.unique({0}, return_inverse=True) numbers what {0} holds."
_UNREADABLE = (ValueError, TypeError, RuntimeError)  # what np.asarray raises


def numbers(value: Any, name: str, example: Shape = ()) -> Array:
    """Return an array of real numbers; `example` is the shape of an example, where it is known."""
    array = value if type(value) is np.ndarray else as_array(value, name, example)
    if array.dtype.kind not in "biuf":
        raise not_numbers(value, array, name)
    return array


def as_array(value: Any, name: str, example: Shape = ()) -> Array:
    """Return an array of what another library, or a list, holds.

    `example` is the shape of an example, where it is known; it separates rows from columns.
    """
    if hasattr(value, "tocsr"):
        ways = _by_orientation(f"{name}.toarray()", value.shape, example)
        large = "If that is too large for memory, pass batches (X, Y) of it."
        found = f"{name} is a sparse {type(value).__name__} of shape {tuple(value.shape)}"
        raise TypeError(f"{found}, expected an array. Pass {ways}. {large}")
    n_masked = np.count_nonzero(getattr(value, "mask", 0)) if hasattr(value, "filled") else 0
    if n_masked:
        found = f"{name} is a masked array with {n_masked} masked entries, expected numbers"
        raise ValueError(f"{found}. Pass {name}.filled(0), or leave out examples that have any.")
    try:
        array = np.asarray(value)
    except _UNREADABLE as error:
        raise _unreadable(value, name, error) from error
    may_be_nullable = array.dtype == object and hasattr(value, "to_numpy")
    if may_be_nullable and all(isinstance(number, (Real, np.bool_)) for number in array.flat):
        return np.array(array.tolist())
    return array


def expect_columns(value: Any, name: str, shape: Shape, example: Shape | None) -> None:
    """Refuse a data frame, if its rows may be the examples and its columns too.

    `example` is the shape of an example, or None where it is taken from this very X.
    """
    if not is_frame(value) or (example is not None and shape != (*example, *example)):
        return
    found = f"{name} is a {type(value).__name__} of shape {shape}, which may have examples as rows"
    ways = _by_orientation(f"{name}.to_numpy()", shape, ())
    raise ShapeError(f"{found}, expected an array with examples as columns. Pass {ways}.")


def is_frame(value: Any) -> bool:
    """Return whether this is a data frame, as pandas and polars have them."""
    return hasattr(value, "to_numpy") and hasattr(value, "columns")


def _by_orientation(array: str, shape: Shape, example: Shape) -> str:
    """Return how to write `array`, of this shape, with examples as columns."""
    fits = shape[:1] == example, shape[1:] == example
    if fits == (True, False):
        return array
    if fits == (False, True):
        return f"{array}.T"
    return f"{array}.T if its rows are the examples, or {array} if its columns are"


def spelled(value: Any, name: str) -> str:
    """Return what to write for the array of a value, to call methods of an array on it."""
    if isinstance(value, np.ndarray):
        return name
    return f"{name}.to_numpy()" if hasattr(value, "to_numpy") else f"np.asarray({name})"


def as_examples(X: Any, expected: Shape | None, name: str, whose: str = "") -> Array:
    """Return X as an array, if it has at least one example of the `expected` shape, or of any."""
    value, X = X, numbers(X, name, expected or ())
    if value is not X:
        expect_columns(value, name, X.shape, expected)
    if X.ndim < 2 or expected not in (None, X.shape[:-1]):
        hint = _other_axes(X.shape, expected or (), spelled(value, name))
        shape = written(expected or ("n_0",))
        raise ShapeError(f"{name} has shape {X.shape}, expected {shape}{whose}.{hint}")
    if X.size == 0:
        least = "number an example" if X.shape[-1] else "example (a column)"
        raise ShapeError(f"{name} has shape {X.shape}, expected at least one {least}.")
    return X


# Which axes of other layouts become ours: (m, T, n), (T, m, n), (T, n, m), and (m, H, W, C) and
# (H, W, C, m).
_ORDERS = ((2, 1, 0), (2, 0, 1), (1, 0, 2), (3, 1, 2, 0), (2, 0, 1, 3))


def _other_axes(shape: Shape, expected: Shape, given: str) -> str:
    """Return what turns an array of another layout into columns, if something does.

    `given` is how to write the array, and `expected` the shape of an example, or () for any.
    """
    if len(shape) == 1:
        ways = []
        if expected in ((), shape):
            ways.append(f"{given}.reshape(-1, 1) for one example")
        if expected in ((), (1,)):
            ways.append(f"{given}.reshape(1, -1) for one feature")
        return f" Pass {', '.join(ways)}." if ways else ""
    if len(shape) == 2 and shape[1:] == expected:
        return f" It looks transposed (examples are columns): pass {given}.T."
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
        flat = given if shape[0] == size else f"{given}.T"
        remedy = f"{flat}.reshape{(*expected, -1)}"
    for order in _ORDERS if not remedy else ():
        if len(order) == len(shape) and tuple([shape[axis] for axis in order[:-1]]) == expected:
            remedy = f"{given}.transpose{order}"
            break
    is_image, channels_first = len(expected) == 3, (*expected[-1:], *expected[:-1])
    if is_image and given == "X" and not remedy and channels_first in (shape[:-1], shape[1:]):
        axes = f"(C, H, W, m): write inputs={channels_first}"
        if shape[:-1] != channels_first:
            axes = f"(m, C, H, W): write inputs={channels_first}, and pass {last}"
        return f" X looks to be {axes}."
    return f" Channels or features come first, examples last. Pass {remedy}." if remedy else ""


class Inputs:
    """What a model takes as X: numbers in its dtype."""

    are_indices = False
    n_indices: int | None = None  # how many there are, from 0 on; None is any number

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def checked(
        self, X: Any, shape: Shape | None, name: str = "X", whose: str = "", as_rows: bool = False
    ) -> Array:
        """Return X in the dtype, if it has at least one example of this shape, or of any.

        With `as_rows`, what is cast lies as rows in memory.
        """
        if type(X) is np.ndarray and X.dtype == self.dtype and X.shape[:-1] == shape and X.size:
            return X
        X = as_examples(X, shape, name, whose)
        with np.errstate(all="ignore"):  # a number too large for the dtype is found as infinite
            if as_rows and X.dtype != self.dtype:
                return np.moveaxis(np.moveaxis(X, -1, 0).astype(self.dtype, order="C"), 0, -1)
            return X.astype(self.dtype, copy=False)

    def check_gradient(self) -> None:
        """Refuse to compute dA[0] of what has no gradient."""


class Indices(Inputs):
    """What a model takes as X if its first layer is an embedding: indices."""

    are_indices = True

    def __init__(self, n_indices: int | None, whose: str) -> None:
        super().__init__(np.dtype(np.intp))
        self.n_indices, self.whose = n_indices, whose

    def checked(
        self, X: Any, shape: Shape | None, name: str = "X", whose: str = "", as_rows: bool = False
    ) -> Array:
        """Return X as whole numbers, if all its entries are indices."""
        try:
            X = as_examples(X, shape, name, whose or self.whose)
        except TypeError as error:  # in place of words, numbers want a row for each word
            found, _, for_numbers = str(error).partition(" In place of ")
            error.args = (f"{found} {_NUMBERED.format(name)}" if for_numbers else found,)
            raise
        n = self.n_indices
        most = sys.maxsize if n is None else n - 1
        is_right = (X >= 0) & (most >= X)
        if X.dtype.kind == "f":
            is_right &= np.rint(X) == X
        if not is_right.all():
            at = tuple(np.argwhere(~is_right)[0].tolist())
            expected = f"whole numbers from 0 to {most}" if n else "whole numbers of at least 0"
            found = f"{entry(name, at)} is {X[at]}, expected {expected}: indices{self.whose}"
            raise ValueError(f"{found}. {_NUMBERED.format(name)}")
        return X.astype(self.dtype, copy=False)

    def check_gradient(self) -> None:
        """Refuse to compute dA[0] of indices."""
        found = f"X holds indices{self.whose}, and indices have no gradient"
        raise ValueError(f"{found}. Leave input_gradient out.")


def targets(
    Y: Any, expected: Shape, dtype: np.dtype[Any], as_columns: Callable[..., Array], X: Any = None
) -> Array:
    """Return Y as columns of the `expected` shape, into which `as_columns` turns labels.

    A message may need what was passed as X.
    """
    array = Y if type(Y) is np.ndarray and Y.dtype == dtype else numbers(Y, "Y")
    try:
        columns = as_columns(array, expected)
    except ValueError as error:  # a loss knows Y as an array, and labels (1, m) as (m,)
        message = str(error).replace("Pass Y", f"Pass {spelled(Y, 'Y')}")
        flat = "from_labels(Y)" if array.ndim == 1 else "from_labels(np.ravel(Y))"
        error.args = (message.replace("from_labels(Y)", flat),)
        raise
    if columns.shape != expected:
        also = "" if columns.ndim == array.ndim else f", or labels {expected[1:]}"
        raise wrong_targets(array, expected, also, spelled(Y, "Y"), X)
    return columns.astype(dtype, copy=False)


def wrong_targets(
    Y: Array, expected: Shape, also: str = "", given: str = "Y", X: Any = None
) -> ShapeError:
    """Return the error for a Y that has not the shape of A[L], nor the shape that `also` names.

    `given` is how to write the array of what the user passed as Y; with it came X.
    """
    n, m = expected[0], expected[-1]
    other_units = Y.size and Y.size % m == 0 and Y.size // m != n
    is_transposed = Y.ndim == 2 and Y.shape[::-1] in (expected, expected[1:])
    order = reordered(Y.shape, expected) or reordered(Y.shape, expected[1:])
    fits_m, has_positions = Y.shape[-1:] == (m,), len(expected) > 2
    per_example = has_positions and Y.shape in ((m,), (1, m), (n, m))
    positions = " x ".join(map(str, expected[1:-1]))
    one_output = "Put Flatten() before the last Dense layers for one output an example"
    per_step = not has_positions and fits_m and Y.ndim == 2 and 1 < len(Y) == _steps(X)
    by_rows = "" if X is None else _examples_last(Y, m, given, X)
    hints = (
        (_are_labels(Y, expected), _for_labels(Y, expected, given)),
        (per_example, f"{one_output}, or leave out sequences=True of a recurrent layer."),
        (is_transposed, f"It looks transposed (examples are columns): pass {given}.T."),
        (order, f"Its axes look to be in another order: pass {given}{order}."),
        (has_positions and fits_m, f"A[L] has {positions} positions, and Y must have as many."),
        (per_step, "For an output at each step, use sequences=True in the recurrent layers."),
        (Y.shape == (m, 1), f"Pass {given}.ravel() for labels."),
        (not has_positions and Y.size == math.prod(expected), f"Pass {given}.reshape({n}, -1)."),
        (by_rows, by_rows),
        (other_units, f"A[L] has as many rows as the last layer has units: {n}."),
        (X is not None, f"X has {m} examples, and Y must have as many."),
    )
    hint = next((f" {hint}" for fits, hint in hints if fits), "")
    return ShapeError(f"Y has shape {Y.shape}, expected that of A[L], {expected}{also}.{hint}")


def _are_labels(Y: Array, expected: Shape) -> bool:
    """Return whether these are numbers of outputs, for a loss that takes columns."""
    n, *of_labels = expected
    fits = n > 1 and Y.size > 0 and Y.shape in (tuple(of_labels), (1, *of_labels))
    return fits and Y.dtype.kind in "iu" and bool(Y.min() >= 0 and Y.max() < n)


def _for_labels(Y: Array, expected: Shape, given: str) -> str:
    labels = given if Y.ndim == 1 else f"np.reshape({given}, {expected[1:]})"
    one_hot = f"np.eye({expected[0]})[:, {labels}]"
    loss = 'use loss="categorical_crossentropy" and "softmax"'
    return f"For labels of classes {loss}, or pass one-hot columns, {one_hot}."


def _steps(X: Any) -> int:
    """Return how many steps the examples of X have, if they are sequences; else 0."""
    shape = np.shape(X)
    are_tokens = len(shape) == 2 and shape[1] > 1 and np.asarray(X).dtype.kind in "iu"
    return shape[-2] if len(shape) == 3 or are_tokens else 0


def _examples_last(Y: Array, m: int, given: str, X: Any) -> str:
    """Return what to pass if the rows of X, and perhaps of Y, look to be the examples, or "".

    In a network without a fixed number of inputs, the m columns of X are taken as the examples.
    """
    rows, axes, X_given = np.shape(X)[0], np.ndim(X), spelled(X, "X")
    Y_too = Y.ndim == 2 and len(Y) == rows
    if rows not in Y.shape or (Y.shape[-1] == m and not (Y_too and rows > m)):
        return ""
    are = f"columns of X are its {m} examples" if m > 1 else "column of X is its one example"
    moved, end = f"np.moveaxis({X_given}, 0, -1)", f", and {given}.T." if Y_too else "."
    ways = f"{X_given}.T{end.replace(',', '')}"
    if axes == 3:
        ways = f"{X_given}.T for (m, T, n), or {moved} for (m, n, T){end}"
    elif axes > 3:
        other = f"{X_given}.transpose(3, 1, 2, 0) for (m, H, W, C){end}"
        ways = f"{moved} for images (m, C, H, W), or {other}"
    return f"The {are}. If its {rows} rows are the examples, pass {ways}"


def reordered(found: Shape, expected: Shape) -> str:
    """Return the ``.transpose(...)`` that turns one shape into the other, or "".

    Of several that do, it is the one that moves the last axis first, or the first axis last.
    """
    n = len(found)
    if n < 3 or sorted(found) != sorted(expected):
        return ""
    likely = [(n - 1, *range(n - 1)), (*range(1, n), 0)]
    for axes in itertools.chain(likely, itertools.permutations(range(n))):
        if tuple([found[axis] for axis in axes]) == expected:
            return f".transpose{axes}"
    return ""


def _unreadable(value: Any, name: str, error: Exception) -> Exception:
    """Return the error for what NumPy cannot make an array of."""
    if hasattr(value, "detach"):
        steps = (
            (getattr(value, "requires_grad", False), ".detach()"),
            (str(getattr(value, "device", "cpu")) != "cpu", ".cpu()"),
            ("bfloat16" in str(getattr(value, "dtype", "")), ".float()"),
        )
        call = name + "".join([step for is_needed, step in steps if is_needed])
        found = f"{name} is a {type(value).__name__} that NumPy cannot read ({error})"
        return TypeError(f"{found}, expected an array. Pass {call}.numpy().")
    is_pair = isinstance(value, tuple) and [type(part) for part in value] == [np.ndarray] * 2
    if name == "Y" and is_pair:
        found = "Y is a tuple of two arrays, expected one array. tn.from_labels returns two"
        return type(error)(f"{found}: use Y, classes = tn.from_labels(...).")
    if isinstance(value, (list, tuple)):
        lengths = [len(row) for row in value if isinstance(row, (list, tuple, np.ndarray))]
        are_uneven = len(lengths) == len(value) and len(set(lengths)) > 1
        if are_uneven and all(np.ndim(number) == 0 for row in value for number in row):
            at = next(i for i, n in enumerate(lengths) if n != lengths[0])
            found = f"{name} is inhomogeneous: {name}[0] has {lengths[0]} numbers and "
            found += f"{name}[{at}] has {lengths[at]}, expected as many. "
            padded = f"[[*row, *[0] * ({max(lengths)} - len(row))] for row in {name}]"
            return ValueError(f"{found}To fill up with 0, pass {padded}.")
        found = f"{name} is a {type(value).__name__} that NumPy cannot read ({error})"
        return type(error)(f"{found}, expected as many entries in each row. Pass an array.")
    return error


def not_numbers(value: Any, array: Array, name: str) -> TypeError:
    """Return the error for an array whose entries are not real numbers."""
    if array.ndim == 0:
        return _no_array(value, array, name)
    found = f"{name} has dtype {array.dtype}, expected real numbers."
    given = spelled(value, name)
    if array.dtype.kind == "c":
        return TypeError(f"{found} Pass {given}.real.")
    if array.dtype.names:
        return TypeError(f"{found} {_fields_remedy(array.dtype, name)}")
    if array.dtype.kind == "M":
        days = f'({given} - {given}.min()) / np.timedelta64(1, "D")'
        return TypeError(f"{found} For days since the first, pass {days}.")
    if array.dtype.kind == "m":
        return TypeError(f'{found} For seconds, pass {given} / np.timedelta64(1, "s").')
    for text, convert in _conversions(value, array, name, given):
        if _works(convert):
            return TypeError(f"{found} {text}")
    return TypeError(f"{found} {_first_odd_entry(value, array, name)}")


def _fields_remedy(dtype: Any, name: str) -> str:
    """Return how to stack the fields of a structured array, or those that are numbers."""
    numbers = [field for field in dtype.names if dtype[field].kind in "biuf"]
    odd = [field for field in dtype.names if field not in numbers]
    if not numbers:
        return "None of its fields holds numbers."
    fields = repr(numbers) if odd else f"{name}.dtype.names"
    axis = ", axis=-1" if name == "rows" else ""
    which = f"The field {odd[0]!r} holds {dtype[odd[0]]}. For the others, pass" if odd else "Pass"
    return f"{which} np.stack([{name}[field] for field in {fields}]{axis})."


def _no_array(value: Any, array: Array, name: str) -> TypeError:
    """Return the error for one thing in place of an array."""
    found = f"{name} is a {type(value).__name__}, expected an array of real numbers."
    if isinstance(value, dict):
        return TypeError(f"{found} For a row a key, pass np.stack(list({name}.values())).")
    if isinstance(value, (set, frozenset)):
        return TypeError(f"{found} A set has no order: pass a list.")
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        examples = f"np.stack(list({name}), axis=-1) if it gives examples"
        batches = f"np.concatenate(list({name}), axis=-1) if it gives batches of columns"
        return TypeError(f"{found} Pass {examples}, or {batches}.")
    found = f"{name} has dtype {array.dtype}, expected real numbers."
    return TypeError(f"{found} Pass an array, and not a {type(value).__name__}.")


def _conversions(
    value: Any, array: Array, name: str, given: str
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield remedies for an array of words or objects, and what they do; the first that works."""
    are_labels, are_words = name == "Y", all(isinstance(word, (str, bytes)) for word in array.flat)
    if are_labels and are_words:
        yield f"Pass {given}.astype(int).", lambda: array.astype(int)
    yield f"Pass {given}.astype(float).", lambda: array.astype(float)
    missing = "Entries are missing. Leave these examples out, or pass"
    if hasattr(value, "fillna"):
        filled = f"{name}.fillna(0).to_numpy(dtype=float)"
        yield f"{missing} {filled}.", lambda: value.fillna(0).to_numpy(dtype=float)
    filled = f"np.nan_to_num({given}.astype(float))"
    yield f"{missing} {filled}.", lambda: np.nan_to_num(array.astype(float))
    if are_labels:
        for labels, dtype in ((name, array.dtype), (f"{given}.astype(str)", str)):
            one_each = labels if array.ndim == 1 else f"np.ravel({labels})"
            text = f"For labels, use Y, classes = tn.from_labels({one_each})."
            yield text, partial(_labels_of, array, dtype)


def _labels_of(words: Array, dtype: Any) -> Array:
    return np.unique(words.astype(dtype), return_inverse=True)[1]


def _works(convert: Callable[[], Any]) -> bool:
    try:
        return bool(np.isfinite(convert()).all())
    except _UNREADABLE:
        return False


def _first_odd_entry(value: Any, array: Array, name: str) -> str:
    """Return which entry is not a number, and what to do about it."""
    at = next((at for at in np.ndindex(array.shape) if not _works(partial(float, array[at]))), None)
    if at is None:
        return "Pass an array of numbers."
    odd = array[at].item() if isinstance(array[at], np.generic) else array[at]
    found = f"{entry(name, at)} is {odd!r}."
    if name != "X" or array.ndim != 2 or not isinstance(odd, (str, bytes)):
        return f"{found} Replace it by a number."
    words, place = f"{spelled(value, name)}[{at[0]}]", f"row {at[0]}"
    if is_frame(value):
        column = list(value.columns)[at[1]]
        words, place = f"{name}[{column!r}].to_numpy()", f"column {column!r}"
    one_hot = f"({words} == np.unique({words})[:, None]).astype(float)"
    return f"{found} In place of {place}, use a row of 0 and 1 for each word: {one_hot}."
