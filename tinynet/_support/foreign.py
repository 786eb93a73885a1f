"""Input of other libraries: an array where it means one thing only, or an error with a remedy.

pandas, polars, SciPy and PyTorch are known by the methods of their objects, never imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import ShapeError

_UNREADABLE = (ValueError, TypeError, RuntimeError)  # what np.asarray raises


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
        found = f"{name} is a masked array with {n_masked} masked entries"
        left_out = "leave out every example with masked entries"
        raise ValueError(f"{found}, expected numbers. Pass {name}.filled(0), or {left_out}.")
    try:
        array = np.asarray(value)
    except _UNREADABLE as error:
        raise _unreadable(value, name, error) from error
    if array.dtype == object and hasattr(value, "to_numpy") and all(map(_is_number, array.flat)):
        return np.array(array.tolist())  # a column of a nullable dtype
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


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, np.bool_))


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
    if isinstance(value, (list, tuple)):
        lengths = [len(row) for row in value if isinstance(row, (list, tuple, np.ndarray))]
        if len(lengths) == len(value) and len(set(lengths)) > 1 and _is_flat(value):
            at = next(i for i, n in enumerate(lengths) if n != lengths[0])
            found = f"{name} is inhomogeneous: {name}[0] has {lengths[0]} numbers and "
            found += f"{name}[{at}] has {lengths[at]}, expected as many. "
            padded = f"[[*row, *[0] * ({max(lengths)} - len(row))] for row in {name}]"
            return ValueError(f"{found}To fill up with 0, pass {padded}.")
        found = f"{name} is a {type(value).__name__} that NumPy cannot read ({error})"
        return type(error)(f"{found}, expected as many entries in each row. Pass an array.")
    return error


def _is_flat(rows: Iterable[Any]) -> bool:
    return all(np.ndim(number) == 0 for row in rows for number in row)


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
    if hasattr(value, "fillna"):
        filled = f"{name}.fillna(0).to_numpy(dtype=float)"
        text = f"Entries are missing. Leave these examples out, or pass {filled}."
        yield text, lambda: value.fillna(0).to_numpy(dtype=float)
    filled = f"np.nan_to_num({given}.astype(float))"
    text = f"Entries are missing. Leave these examples out, or pass {filled}."
    yield text, lambda: np.nan_to_num(array.astype(float))
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
    found = f"{name}[{', '.join(map(str, at))}] is {odd!r}."
    if name != "X" or array.ndim != 2 or not isinstance(odd, (str, bytes)):
        return f"{found} Replace it by a number."
    words, place = f"{spelled(value, name)}[{at[0]}]", f"row {at[0]}"
    if is_frame(value):
        column = list(value.columns)[at[1]]
        words, place = f"{name}[{column!r}].to_numpy()", f"column {column!r}"
    one_hot = f"({words} == np.unique({words})[:, None]).astype(float)"
    return f"{found} In place of {place}, use a row of 0 and 1 for each word: {one_hot}."
