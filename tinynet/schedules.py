"""Schedules: learning rates that change with the number of steps, or of epochs, that have been taken.

A schedule is a function of that number and of nothing else; who counts is the optimizer. It stands
wherever a learning rate does:

>>> from tinynet import SGD
>>> optimizer = SGD(Exponential(0.1, decay=0.9, by="epoch"))
>>> optimizer.rate()
0.1
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
from attrs.validators import ge, gt, le, lt

from tinynet._support.arrays import integer
from tinynet._support.registry import Registered, one_of


@attrs.frozen(slots=False)
class Schedule(Registered, ABC):
    """Base of all schedules; to subclass it is to register.

    Parameters
    ----------
    by : {"step", "epoch"}
        What t counts; by keyword only. Where a schedule speaks of steps, they are epochs with "epoch".
    """

    family = "schedule"
    by: str = attrs.field(default="step", kw_only=True, validator=one_of("step", "epoch"))

    @abstractmethod
    def at(self, t: int) -> float:
        """Return the learning rate after `t` steps (or epochs), so that of the first step is ``at(0)``."""


def _number_or_schedule(value: Any) -> float | Schedule:
    """Return a learning rate as it is kept: a float, or a schedule from an instance, a config or a name."""
    described: Any = (
        Registered,
        Mapping,
        str,
        type,
    )  # a class, or what is no schedule, get refuses in words
    return Schedule.get(value) if isinstance(value, described) else float(value)


def _nonnegative(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
    """Refuse a learning rate below 0, infinite or NaN; a schedule has seen to its own numbers."""
    if not isinstance(value, Schedule):
        ge(0)(instance, field, value)
        lt(math.inf)(instance, field, value)


def rate_field(default: Any = attrs.NOTHING) -> Any:
    """Return the field of an attrs class that takes a learning rate: a number, or a `Schedule`, by name or config too.

    With it, a rule of your own is told the rate of a step by
    :meth:`Optimizer.rate <tinynet.optimizers.base.Optimizer.rate>`:

    >>> import numpy as np
    >>> import tinynet as tn
    >>> @attrs.frozen
    ... class Signs(tn.Optimizer):
    ...     learning_rate: float | tn.Schedule = rate_field(0.01)
    ...
    ...     def update(self, params, grads):
    ...         params -= self.rate() * np.sign(grads)
    >>> Signs(Step(0.1, drop=0.5, every=10)).rate(later=10)
    0.05
    """
    return attrs.field(default=default, converter=_number_or_schedule, validator=_nonnegative)


def _whole(value: Any, field: attrs.Attribute[Any]) -> int:
    return integer(field.name, value)


def _rate(default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, converter=float, validator=_nonnegative)


def _count(default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, converter=attrs.Converter(_whole, takes_field=True))


def _factor(*validators: Any, default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, converter=float, validator=list(validators))


@attrs.frozen
class Constant(Schedule):
    """The same learning rate at all times.

    >>> Constant(0.1).at(1000)
    0.1
    """

    rate: float = _rate()

    def at(self, t: int) -> float:
        return self.rate


@attrs.frozen
class Step(Schedule):
    """rate · drop^⌊t / every⌋: down a stair every so many steps.

    Parameters
    ----------
    rate : float
        The first one, at least 0.
    drop : float
        Above 0, and at most 1.
    every : int
        At least 1.

    >>> [Step(0.8, drop=0.5, every=10).at(t) for t in (0, 9, 10, 20)]
    [0.8, 0.8, 0.4, 0.2]
    """

    rate: float = _rate()
    drop: float = _factor(gt(0), le(1))
    every: int = _count()

    def at(self, t: int) -> float:
        return self.rate * self.drop ** (t // self.every)


@attrs.frozen
class Exponential(Schedule):
    """rate · decay^(t / interval).

    Parameters
    ----------
    rate : float
        The first one, at least 0.
    decay : float
        What is left of it after `interval` steps, as a share: above 0, and at most 1.
    interval : int
        At least 1.

    >>> Exponential(0.8, decay=0.5, interval=10).at(20)
    0.2
    """

    rate: float = _rate()
    decay: float = _factor(gt(0), le(1))
    interval: int = _count(default=1)

    def at(self, t: int) -> float:
        return self.rate * self.decay ** (t / self.interval)


@attrs.frozen
class InverseTime(Schedule):
    """rate / (1 + decay · ⌊t / interval⌋), the course's learning-rate decay with ``by="epoch"``.

    Parameters
    ----------
    rate, decay : float
        At least 0.
    interval : int
        At least 1.
    floor : bool
        Whether the quotient is rounded down to a whole number; without, the rate falls at every step.

    >>> InverseTime(0.5, decay=1, interval=100, by="epoch").at(100)
    0.25
    >>> InverseTime(0.5, decay=1, interval=100, floor=False).at(50)
    0.3333333333333333
    """

    rate: float = _rate()
    decay: float = _factor(ge(0), lt(math.inf))
    interval: int = _count(default=1)
    floor: bool = True

    def at(self, t: int) -> float:
        return self.rate / (
            1 + self.decay * (t // self.interval if self.floor else t / self.interval)
        )


@attrs.frozen
class Polynomial(Schedule):
    """end + (rate - end) · (1 - t / steps)^power, and `end` from then on.

    Parameters
    ----------
    rate, end : float
        The first and the last, at least 0.
    steps : int
        How many there are between them, at least 1.
    power : float
        Above 0; 1 is a straight line.

    >>> [Polynomial(1.0, end=0.5, steps=4).at(t) for t in (0, 2, 4, 100)]
    [1.0, 0.75, 0.5, 0.5]
    """

    rate: float = _rate()
    end: float = _rate()
    steps: int = _count()
    power: float = _factor(gt(0), lt(math.inf), default=1.0)

    def at(self, t: int) -> float:
        return self.end + (self.rate - self.end) * (1 - min(t / self.steps, 1)) ** self.power


@attrs.frozen
class Cosine(Schedule):
    """Down half a wave of a cosine, and up again at once: warm restarts (SGDR, Loshchilov and Hutter 2017).

    With s of a period's n steps taken::

        lowest + (rate - lowest) · (1 + cos(π · s / n)) / 2

    Parameters
    ----------
    rate : float
        At the beginning of each period.
    period : int
        Steps of the first period, at least 1.
    lowest : float
        At the end of each period; at least 0 and at most `rate`.
    growth : float
        How many times as long as the one before a period is; at least 1.
    restart : bool
        Whether another period follows; without, the rate stays at `lowest`.

    >>> [round(Cosine(1.0, period=4).at(t), 2) for t in range(6)]
    [1.0, 0.85, 0.5, 0.15, 1.0, 0.85]
    >>> [round(Cosine(1.0, period=4, restart=False).at(t), 2) for t in range(6)]
    [1.0, 0.85, 0.5, 0.15, 0.0, 0.0]
    """

    rate: float = _rate()
    period: int = _count()
    lowest: float = _rate(default=0.0)
    growth: float = _factor(ge(1), lt(math.inf), default=1.0)
    restart: bool = True

    def __attrs_post_init__(self) -> None:
        if self.lowest > self.rate:
            raise ValueError(
                f"lowest must be at most rate; got lowest={self.lowest}, rate={self.rate}"
            )
        if self.growth > 1 and not self.restart:
            raise ValueError(
                f"growth is for periods that follow; got growth={self.growth}: leave it, or restart=False"
            )

    def at(self, t: int) -> float:
        taken, length = (
            self._within_period(t) if self.restart else (min(t, self.period), self.period)
        )
        return (
            self.lowest + (self.rate - self.lowest) * (1 + math.cos(math.pi * taken / length)) / 2
        )

    def _within_period(self, t: float) -> tuple[float, float]:
        """Return how many steps of its period have been taken, and how many it has."""
        length: float = self.period
        if self.growth == 1:
            return t % length, length
        while t >= length:
            t, length = t - length, length * self.growth
        return t, length


@attrs.frozen
class Warmup(Schedule):
    """Up a straight line to the first rate of another schedule, which then begins.

    Parameters
    ----------
    steps : int
        How long the line is; at least 1.
    then : Schedule, number, name or config
        Its t is counted from the end of the line, and it counts the same, steps or epochs.
    start : float
        Where the line begins, as a share of the rate at its end, from 0 to 1; with 0, the first step goes nowhere.

    >>> warmup = Warmup(5, then=Cosine(1.0, period=100, restart=False), start=0.0)
    >>> [round(warmup.at(t), 2) for t in (0, 1, 4, 5, 55, 105)]
    [0.0, 0.2, 0.8, 1.0, 0.5, 0.0]
    """

    steps: int = _count()
    then: float | Schedule = rate_field()
    start: float = _factor(ge(0), le(1), default=0.1)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.then, Schedule) and self.then.by != self.by:
            raise ValueError(
                f"a warm-up and what comes then count the same; got by={self.by!r} and then={self.then!r}: "
                f"write by={self.by!r} there, or by={self.then.by!r} here"
            )

    def at(self, t: int) -> float:
        if t >= self.steps:
            return self._then_at(t - self.steps)
        return self._then_at(0) * (self.start + (1 - self.start) * t / self.steps)

    def _then_at(self, t: int) -> float:
        return self.then.at(t) if isinstance(self.then, Schedule) else self.then
