"""What all checks are made of."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.registry import Registered


def expect(holds: Any, message: str) -> None:
    """Raise an AssertionError where something does not hold."""
    if not holds:
        raise AssertionError(message)


_PLAIN = (bool, int, float, str, type(None), np.generic, Registered)


def check_description(thing: Registered) -> None:
    """See that a thing is its fields: plain data, and equal when it comes back from them."""
    name, family = type(thing).__name__, type(thing)
    for field in attrs.fields(family):
        if field.init:
            _expect_plain(f"the field {field.name} of {name}", getattr(thing, field.name))
    more = (
        vars(thing).keys() - {f.name for f in attrs.fields(family)}
        if hasattr(thing, "__dict__")
        else set()
    )
    more = {
        key for key in more if not isinstance(getattr(family, key, None), functools.cached_property)
    }
    hint = "make each a field (@attrs.frozen above the class, and slope: float = 0.1), or a file will not know it"
    expect(not more, f"{name} holds {', '.join(sorted(more))} beside its fields; {hint}")
    ways = {
        "its config": family.get(thing.config()),
        "copy": copy.copy(thing),
        "deepcopy": copy.deepcopy(thing),
    }
    if (
        getattr(sys.modules.get(family.__module__), name, None) is family
    ):  # else pickle cannot find it
        ways["pickle"] = pickle.loads(pickle.dumps(thing))
    for way, other in ways.items():
        expect(
            other == thing,
            f"{thing!r} comes back from {way} as {other!r}; make its settings attrs fields",
        )
        expect(
            hash(other) == hash(thing), f"{thing!r} and its equal from {way} have different hashes"
        )


def _expect_plain(what: str, value: Any) -> None:
    if isinstance(value, tuple):
        for item in value:
            _expect_plain(what, item)
        return
    hint = " (write a tuple)" if isinstance(value, (list, np.ndarray, set)) else ""
    kinds = f"a number, a string, a tuple of such, or a registered object{hint}"
    expect(
        isinstance(value, _PLAIN),
        f"{what} holds a {type(value).__name__}, but a field is saved, so it is {kinds}",
    )


def kept(name: str, call: Callable[..., Any], **arrays: Array) -> Any:
    """Call with copies of the arrays, and see that they are left alone."""
    given = {what: array.copy() for what, array in arrays.items()}
    result = call(*given.values())
    for what, array in given.items():
        same = np.array_equal(array, arrays[what], equal_nan=True)
        expect(same, f"{name} writes into {what}; compute in a new array, or in out")
    return result


def expect_array(what: str, result: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """See that a method returned an array, of this shape and dtype."""
    if type(result) is not np.ndarray:
        kind = "None (is a return missing?)" if result is None else f"a {type(result).__name__}"
        raise AssertionError(f"{what} returns {kind}; it must return an array of shape {shape}")
    expect(result.shape == shape, f"{what} returns shape {result.shape}; needed is {shape}")
    mend = ".astype(Z.dtype) behind it"
    if result.dtype == np.float64:
        mend = (
            f"float(np.sqrt(2)), np.zeros_like(Z) and so on where something is float64, or {mend}"
        )
    expect(result.dtype == dtype, f"{what} gives {result.dtype} for {dtype}; write {mend}")
