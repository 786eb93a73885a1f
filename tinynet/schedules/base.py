"""The abstract schedule, and the field of an optimizer for a learning rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs

from tinynet._support.fields import one_of
from tinynet._support.registry import Registered


@attrs.frozen(slots=False, kw_only=True)
class Schedule(Registered, ABC):
    """Base of all schedules; to subclass it is to register.

    Parameters
    ----------
    by : {"step", "epoch"}
        What t counts; by keyword only. With "epoch", the steps of a schedule are epochs.

    >>> Schedule.get("cosine", rate=0.1, period=100).at(50)
    0.05
    """

    family = "schedule"
    modules = ("tinynet.schedules.rules",)
    by: str = one_of("step", "epoch", default="step")

    @classmethod
    def _hint(cls, spec: Any) -> str:
        if isinstance(spec, str) and _is_number(spec):
            return f" Use the number {spec}."
        if callable(spec) and not isinstance(spec, type):
            return " Write class MySchedule(tn.Schedule), with def at(self, t): pass MySchedule()."
        return super()._hint(spec)

    @abstractmethod
    def at(self, t: int) -> float:
        """Return the learning rate after `t` steps (or epochs): ``at(0)`` is for the first step."""


def _is_number(text: str) -> bool:
    try:
        return len(text) <= 20 and math.isfinite(float(text))  # a file may hold a longer name
    except ValueError:
        return False


def _number_or_schedule(value: Any, instance: Any, field: attrs.Attribute[Any]) -> float | Schedule:
    """Return a learning rate as a float, or as a schedule from an instance, a config or a name."""
    described: Any = (Registered, Mapping, str, type)  # `get` explains what is wrong
    if isinstance(value, described) or callable(value):
        return Schedule.get(value)
    rate = float(value)
    if not 0 <= rate < math.inf:
        expected = "a finite number of at least 0, or a schedule"
        raise ValueError(
            f"{type(instance).__name__}: {field.name} is {rate!r}, expected {expected}."
        )
    return rate


def rate_field(default: Any = attrs.NOTHING) -> Any:
    """Return a field for a learning rate: a number, or a `Schedule`, by name or config too.

    In a custom optimizer with this field, ``self.rate()`` is the rate of the current step:

    >>> import numpy as np
    >>> import tinynet as tn
    >>> @attrs.frozen(slots=False)
    ... class Signs(tn.Optimizer):
    ...     learning_rate: float | tn.Schedule = rate_field(0.01)
    ...
    ...     def apply(self, params, grads):
    ...         params -= self.rate() * np.sign(grads)
    >>> Signs(tn.schedules.Step(0.1, drop=0.5, every=10)).rate(later=10)
    0.05
    """
    converter = attrs.Converter(_number_or_schedule, takes_self=True, takes_field=True)
    return attrs.field(default=default, converter=converter)
