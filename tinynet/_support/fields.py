"""Fields of attrs classes that many descriptions share: numbers in a range, counts, words."""

from __future__ import annotations

import math
from typing import Any

import attrs

from tinynet._support import arrays


@attrs.frozen
class _Range:
    """A validator: a number within these limits; NaN is within none."""

    expected: str
    low: float = -math.inf
    high: float = math.inf
    low_is_in: bool = True
    high_is_in: bool = False

    def __call__(self, instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
        above = value > self.low or (self.low_is_in and value == self.low)
        below = value < self.high or (self.high_is_in and value == self.high)
        if value is not None and not (above and below):
            raise ValueError(
                f"{type(instance).__name__}: {field.name} is {value!r}, expected {self.expected}."
            )


_FINITE = _Range("a finite number", low_is_in=False)
_POSITIVE = _Range("a finite number above 0", 0.0, low_is_in=False)
_NONNEGATIVE = _Range("a finite number of at least 0", 0.0)
_FRACTION = _Range("a number of at least 0 and below 1", 0.0, 1.0)
_FACTOR = _Range("a number above 0 and at most 1", 0.0, 1.0, low_is_in=False, high_is_in=True)
_SHARE = _Range("a number from 0 to 1", 0.0, 1.0, high_is_in=True)


def _real(default: Any, validator: Any, options: dict[str, Any]) -> Any:
    converter = attrs.converters.optional(float) if default is None else float
    return attrs.field(default=default, converter=converter, validator=validator, **options)


def finite(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a finite number; with the default None, also for None."""
    return _real(default, _FINITE, options)


def positive(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a finite number above 0; with the default None, also for None."""
    return _real(default, _POSITIVE, options)


def nonnegative(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a finite number of at least 0."""
    return _real(default, _NONNEGATIVE, options)


def fraction(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a number of at least 0 and below 1."""
    return _real(default, _FRACTION, options)


def factor(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a number above 0 and at most 1."""
    return _real(default, _FACTOR, options)


def share(default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for a number from 0 to 1."""
    return _real(default, _SHARE, options)


def integer(default: Any = attrs.NOTHING, least: int = 1, **options: Any) -> Any:
    """Return a field for an integer of at least `least`; with the default None, also for None."""

    def convert(value: Any, field: attrs.Attribute[Any]) -> int | None:
        if value is None and default is None:
            return None
        return arrays.integer(field.name, value, least)

    converter = attrs.Converter(convert, takes_field=True)
    return attrs.field(default=default, converter=converter, **options)


def one_of(*words: Any, default: Any = attrs.NOTHING, **options: Any) -> Any:
    """Return a field for one of a few words."""

    def check(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if value not in words:
            known = " or ".join(map(repr, words))
            raise ValueError(
                f"{type(instance).__name__}: {field.name} is {value!r}, expected {known}."
            )

    return attrs.field(default=default, validator=check, **options)
