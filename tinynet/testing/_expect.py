"""What all checks are made of."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.registry import Registered
from tinynet._support.results import kind_of

_PLAIN = (bool, int, float, str, type(None), np.generic, Registered, tuple)


def expect(holds: Any, message: str) -> None:
    """Raise an AssertionError where something does not hold."""
    if not holds:
        raise AssertionError(message)


def check_description(thing: Registered) -> None:
    """Check that a thing is its fields: plain data, and equal when it comes back from them."""
    name, family = type(thing).__name__, type(thing)
    _check_decorated(family)
    for field in attrs.fields(family):
        if field.init:
            _expect_plain(f"The field {field.name} of {name}", getattr(thing, field.name))
    fields = {field.name for field in attrs.fields(family)}
    for key in sorted(getattr(thing, "__dict__", {}).keys() - fields):
        is_cached = isinstance(getattr(family, key, None), functools.cached_property)
        hint = "Make it a field (@attrs.frozen above the class, and slope: float = 0.1 in it)."
        expect(is_cached, f"{name} holds {key} beside its fields, which no file will know. {hint}")
    copies = {"its config": family.get(thing.config()), "copy": copy.copy(thing)}
    for way, other in (copies | copies_of(thing, family)).items():
        message = f"{thing!r} comes back from {way} as {other!r}."
        expect(other == thing, f"{message} Make its settings attrs fields.")
        same_hash = hash(other) == hash(thing)
        expect(same_hash, f"{thing!r} and its equal from {way} have different hashes.")


def copies_of(thing: Any, family: type) -> dict[str, Any]:
    """Return copies by the way they are made; pickle cannot find every class."""
    copies = {"deepcopy": copy.deepcopy(thing)}
    if getattr(sys.modules.get(family.__module__), family.__name__, None) is family:
        copies["pickle"] = pickle.loads(pickle.dumps(thing))
    return copies


def _check_decorated(family: type) -> None:
    """Check that attrs has seen the fields of a class, and those that it gives another value."""
    fields = {field.name for field in attrs.fields(family)}
    for name, value in vars(family).items():
        is_hidden = name in fields and not isinstance(value, types.MemberDescriptorType)
        if is_hidden or type(value).__name__ == "_CountingAttr":
            field = f"{name}: {type(value).__name__} = {value!r}" if is_hidden else f"{name}: float"
            found = f"{family.__name__} has the field {name}, but no @attrs.frozen above the class"
            fix = f"Add @attrs.frozen and a type: {field}."
            raise AssertionError(f"{found}, or no type, so its value is not used. {fix}")


def _expect_plain(what: str, value: Any) -> None:
    for item in value if isinstance(value, tuple) else ():
        _expect_plain(what, item)
    hint = " Use a tuple." if isinstance(value, (list, np.ndarray, set)) else ""
    message = f"{what} holds a {type(value).__name__}, expected a number, a string, a tuple of"
    can_be_saved = isinstance(value, _PLAIN)
    expect(can_be_saved, f"{message} these or a registered object, as it is saved.{hint}")


def unchanged(name: str, call: Callable[..., Any], **arrays: Array) -> Any:
    """Return what a call with copies of the arrays returns, if it leaves them as they are."""
    copies = {what: array.copy() for what, array in arrays.items()}
    result = call(*copies.values())
    for what, array in copies.items():
        same = np.array_equal(array, arrays[what], equal_nan=True)
        expect(same, f"{name} writes into {what}. Compute in a new array, or in out.")
    return result


def expect_array(what: str, call: Callable[..., Any], like: Array, **arrays: Array) -> Array:
    """Return what a call returns, as `unchanged` does, if it has the shape of `like`."""
    result, shape = unchanged(what, call, **arrays), like.shape
    is_array = type(result) is np.ndarray
    expect(is_array, f"{what} returns {kind_of(result)}, expected an array of shape {shape}.")
    expect(result.shape == shape, f"{what} returns shape {result.shape}, expected {shape}.")
    return result


def expect_dtype(what: str, result: Array, name: str, array: Array) -> None:
    """Check that a result has the dtype of the array of this name that it is computed from."""
    hint = f"Add .astype({name}.dtype)."
    if result.dtype == np.float64:
        hint = (
            "np.where(..., 1, 0.1), np.sqrt(2) and np.zeros(shape) make float64. Write "
            f"np.where(..., {name}, 0.1 * {name}), float(np.sqrt(2)) and np.zeros_like({name}), or "
            f"add .astype({name}.dtype)."
        )
    message = f"{what} gives {result.dtype} for {array.dtype}, expected {array.dtype}. {hint}"
    expect(result.dtype == array.dtype, message)


def expect_dtypes(check: Callable[[], None], numbers: Callable[[], None], right: str) -> None:
    """Run a check of dtypes; where it fails, run that of the numbers, which matter more.

    `right` says what is right if only the dtype is wrong.
    """
    try:
        check()
        return
    except AssertionError as error:
        fault = str(error)
    except Exception:  # what is not an array shows in the check of the numbers
        return
    try:
        numbers()
    except Exception as error:
        basic = str(error) if isinstance(error, AssertionError) else f"back fails: {error!r}."
        raise AssertionError(f"{basic} Besides, {fault}") from None
    raise AssertionError(f"{right}{fault}")


def expect_any_layout(what: str, call: Callable[..., Any], *arrays: Array) -> None:
    """Check that a result depends on the numbers, not on how they lie in memory."""
    result = call(*arrays)
    layouts: tuple[Callable[[Array], Array], ...] = (np.copy, np.asfortranarray, _strided)
    for chosen in itertools.product(layouts, repeat=len(arrays)):
        others = [lay_out(array) for lay_out, array in zip(chosen, arrays, strict=True)]
        same = np.allclose(call(*others), result, equal_nan=True)
        expect(same, f"{what} of the same numbers differs in another memory order.")


def _strided(array: Array) -> Array:
    return np.repeat(array, 2, axis=-1)[..., ::2]


def times(ratios: Array) -> str:
    """Return what all ratios are equal to, as text; "" if they differ or are not finite."""
    same = ratios.size and np.isfinite(ratios).all() and np.allclose(ratios, ratios[:1], rtol=1e-4)
    return f"{ratios[0]:.6g} times" if same else ""
