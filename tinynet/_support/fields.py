"""Fields of attrs classes that many descriptions share: numbers in a range, counts, words."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from tinynet._support import checks

_ABOVE_0 = math.ulp(0.0)
_BELOW_1 = math.nextafter(1.0, 0.0)
_LARGEST = sys.float_info.max


def _refuse(instance: Any, field: attrs.Attribute[Any], value: Any, expected: str) -> None:
    raise ValueError(f"{type(instance).__name__}: {field.name} is {value!r}, expected {expected}.")


def _numbers(expected: str, least: float, most: float) -> Callable[..., Any]:
    """Return a function that makes fields for numbers from `least` to `most`, without NaN.

    With the default None a field also takes None.
    """

    def make(default: Any = attrs.NOTHING, **options: Any) -> Any:
        def convert(value: Any, instance: Any, field: attrs.Attribute[Any]) -> float | None:
            if value is None and default is None:
                return None
            number = float(value)
            if not least <= number <= most:
                _refuse(instance, field, number, expected)
            return number

        converter = attrs.Converter(convert, takes_self=True, takes_field=True)
        return attrs.field(default=default, converter=converter, **options)

    return make


finite = _numbers("a finite number", -_LARGEST, _LARGEST)
positive = _numbers("a finite number above 0", _ABOVE_0, _LARGEST)
nonnegative = _numbers("a finite number of at least 0", 0.0, _LARGEST)
fraction = _numbers("a number of at least 0 and below 1", 0.0, _BELOW_1)
share_below_1 = _numbers("a number above 0 and below 1", _ABOVE_0, _BELOW_1)
factor = _numbers("a number above 0 and at most 1", _ABOVE_0, 1.0)
share = _numbers("a number from 0 to 1", 0.0, 1.0)


def integer(
    default: Any = attrs.NOTHING, least: int = 1, optional: bool = False, **options: Any
) -> Any:
    """Return a field for a whole number of at least `least`; `optional` takes None too."""

    def convert(value: Any, field: attrs.Attribute[Any]) -> int | None:
        also = checks.OR_NONE if optional else ""
        is_none = optional and value is None
        return None if is_none else checks.integer(field.name, value, least, also)

    converter = attrs.Converter(convert, takes_field=True)
    return attrs.field(default=default, converter=converter, **options)


def one_of(*words: Any, default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for one of a few words; what is equal to a word becomes this word."""

    def convert(value: Any, instance: Any, field: attrs.Attribute[Any]) -> Any:
        if value not in words:
            _refuse(instance, field, value, " or ".join(map(repr, words)))
        return words[words.index(value)]

    converter = attrs.Converter(convert, takes_self=True, takes_field=True)
    return attrs.field(default=default, converter=converter, **options)


def flag(default: bool, or_number: bool = False, **options: Any) -> Any:
    """Return a field for True or False, and with `or_number` for 0 and 1 too.

    Elsewhere a number is refused, because it may mean something else.
    """

    def check(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
        is_number = or_number and isinstance(value, int) and value in (0, 1)
        if not isinstance(value, (bool, np.bool_)) and not is_number:
            _refuse(instance, field, value, "True or False")

    return attrs.field(default=default, validator=check, **options)


def path_field(example: str) -> Any:
    """Return a field for the path of a file, which becomes absolute."""

    def convert(path: Any) -> str:
        return checks.file_path("path", path, example)

    return attrs.field(converter=convert)
