"""Checks of settings: numbers, paths and shapes that a user passes, or a file holds."""

from __future__ import annotations

import operator
import os
import sys
from typing import Any

import numpy as np

from tinynet._support.arrays import Shape

DTYPES = ("float32", "float64")  # of a model
OR_NONE = ", or None"
_MOST_DIMENSIONS = 64  # of a NumPy array
LONGEST_SHOWN = 300  # characters, of what a message repeats


def integer(name: str, value: Any, least: int = 1, also: str = "") -> int:
    """Return `value` as an int, if it is one of at least `least` that a machine can count to.

    `also` says in a message what else is right.
    """
    try:
        number = operator.index(value)
    except TypeError:
        message = f"{name} is {shown(value)}, expected a whole number of at least {least}{also}."
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
    """Return the repr of a value for a message; of a long one its beginning, or its shape."""
    text = repr(value)
    if len(text) <= LONGEST_SHOWN:
        return text
    shape = getattr(value, "shape", None)
    is_array = isinstance(shape, tuple)
    return f"{type(value).__name__} of shape {shape}" if is_array else f"{text[:LONGEST_SHOWN]} ..."


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
    if not numbers:
        raise ValueError(f"inputs is {inputs!r}, expected the shape of an example: inputs=(n,).")
    if len(numbers) >= _MOST_DIMENSIONS:
        limit = f"fewer than {_MOST_DIMENSIONS}: NumPy has no larger arrays"
        raise ValueError(f"inputs has {len(numbers)} dimensions, expected {limit}.")
    return tuple([integer("inputs", n) for n in numbers])


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype of a model's numbers."""
    try:
        found = None if dtype is None else np.dtype(dtype)  # NumPy takes None for float64
    except TypeError:
        found = None
    if found is None or found not in map(np.dtype, DTYPES):
        raise ValueError(f'dtype is {dtype!r}, expected "float32" or "float64".')
    return found


def expect_flag(name: str, value: Any, remedy: str) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        found = f"{name} is {shown(value)}, expected True or False"
        raise TypeError(f"{found}. {remedy}")
