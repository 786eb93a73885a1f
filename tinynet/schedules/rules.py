"""The schedules of the library."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Any

import attrs

from tinynet._support import checks
from tinynet._support.fields import factor, flag, fraction, integer, nonnegative, positive, share
from tinynet._support.quiet import quiet
from tinynet.schedules.base import Schedule, rate_field

_LEAST_GROWTH = 1.001  # of the periods of `Cosine`; with less, to find the current one takes long


@attrs.frozen(slots=False)
class Constant(Schedule):
    """The same learning rate at all times.

    Parameters
    ----------
    rate : float
        The rate; at least 0.

    >>> Constant(0.1).at(1000)
    0.1
    """

    rate: float = nonnegative()

    def at(self, t: int) -> float:
        return self.rate


@attrs.frozen(slots=False)
class Step(Schedule):
    """rate · drop^⌊t / every⌋: a stair, down every `every` steps.

    Parameters
    ----------
    rate : float
        The first rate; at least 0.
    drop : float
        The factor of each stair; above 0 and at most 1.
    every : int
        Steps of a stair; at least 1.

    >>> [Step(0.8, drop=0.5, every=10).at(t) for t in (0, 9, 10, 20)]
    [0.8, 0.8, 0.4, 0.2]
    """

    rate: float = nonnegative()
    drop: float = factor()
    every: int = integer()

    @quiet
    def at(self, t: int) -> float:
        return self.rate * self.drop ** (t // self.every)


@attrs.frozen(slots=False)
class Exponential(Schedule):
    """rate · decay^(t / interval), a fall by the same share again and again.

    Parameters
    ----------
    rate : float
        The first rate; at least 0.
    decay : float
        The share that is left after `interval` steps; above 0 and at most 1.
    interval : int
        At least 1.

    >>> Exponential(0.8, decay=0.5, interval=10).at(20)
    0.2
    """

    rate: float = nonnegative()
    decay: float = factor()
    interval: int = integer(1)

    @quiet
    def at(self, t: int) -> float:
        return self.rate * self.decay ** (t / self.interval)


@attrs.frozen(slots=False)
class InverseTime(Schedule):
    """rate / (1 + decay · ⌊t / interval⌋), the course's learning-rate decay with ``by="epoch"``.

    Parameters
    ----------
    rate : float
        The first rate; at least 0.
    decay : float
        At least 0.
    interval : int
        Steps from one lower rate to the next; at least 1.
    floor : bool
        With False, t / interval is not rounded down, and the rate falls at every step.

    >>> InverseTime(0.5, decay=1, interval=100, by="epoch").at(100)
    0.25
    >>> InverseTime(0.5, decay=1, interval=100, floor=False).at(50)
    0.3333333333333333
    """

    rate: float = nonnegative()
    decay: float = nonnegative()
    interval: int = integer(1)
    floor: bool = flag(True, or_number=True)

    @quiet
    def at(self, t: int) -> float:
        intervals = t // self.interval if self.floor else t / self.interval
        return self.rate / (1 + self.decay * intervals)


@attrs.frozen(slots=False)
class Polynomial(Schedule):
    """end + (rate - end) · (1 - t / steps)^power, and `end` from then on.

    Parameters
    ----------
    rate : float
        The first rate; at least 0.
    end : float
        The last rate; at least 0.
    steps : int
        Steps from the first rate to the last; at least 1.
    power : float
        Above 0; 1 is a straight line.

    >>> [Polynomial(1.0, end=0.5, steps=4).at(t) for t in (0, 2, 4, 100)]
    [1.0, 0.75, 0.5, 0.5]
    """

    rate: float = nonnegative()
    end: float = nonnegative()
    steps: int = integer()
    power: float = positive(1.0)

    @quiet
    def at(self, t: int) -> float:
        return self.end + (self.rate - self.end) * (1 - min(t / self.steps, 1)) ** self.power


@attrs.frozen(slots=False)
class Cosine(Schedule):
    """Half a wave of a cosine down, then a warm restart (SGDR, Loshchilov and Hutter 2017).

    After s of the n steps of a period::

        lowest + (rate - lowest) · (1 + cos(π · s / n)) / 2

    Parameters
    ----------
    rate, lowest : float
        At the beginning and the end of each period; `lowest` is at least 0 and at most `rate`.
    period : int
        Steps of the first period, at least 1.
    growth : float
        The length of each further period, as a multiple of the one before; 1, or at least 1.001.
    restart : bool
        Whether another period follows; if not, the rate stays at `lowest`.

    >>> [round(Cosine(1.0, period=4).at(t), 2) for t in range(6)]
    [1.0, 0.85, 0.5, 0.15, 1.0, 0.85]
    >>> [round(Cosine(1.0, period=4, restart=False).at(t), 2) for t in range(6)]
    [1.0, 0.85, 0.5, 0.15, 0.0, 0.0]
    """

    rate: float = nonnegative()
    period: int = integer()
    lowest: float = nonnegative(0.0)
    growth: float = positive(1.0)
    restart: bool = flag(True, or_number=True)

    def __attrs_post_init__(self) -> None:
        if self.lowest > self.rate:
            message = f"Cosine: lowest is {self.lowest}, expected at most the rate, {self.rate}."
            raise ValueError(f"{message} Lower it, or raise the rate.")
        if self.growth != 1 and self.growth < _LEAST_GROWTH:
            expected = f"expected 1, or at least {_LEAST_GROWTH}"
            raise ValueError(f"Cosine: growth is {self.growth}, {expected}. Use growth=1.")
        if self.growth > 1 and not self.restart:
            message = f"Cosine: growth is {self.growth}, expected 1 where no period follows."
            raise ValueError(f"{message} Leave growth out, or restart=False.")

    def at(self, t: int) -> float:
        length: float = self.period
        taken, length = self._within_period(t) if self.restart else (min(t, length), length)
        return _half_wave(self.rate, self.lowest, taken, length)

    def _within_period(self, t: float) -> tuple[float, float]:
        """Return how many steps of the current period are taken, and how many it has."""
        length: float = self.period
        if self.growth == 1:
            return t % length, length
        while t >= length:
            t, length = t - length, length * self.growth
        return t, length


def _half_wave(start: float, end: float, taken: float, length: float) -> float:
    """Return where half a wave of a cosine from `start` to `end` is after part of its length."""
    return end + (start - end) * (1 + math.cos(math.pi * taken / length)) / 2


def _several(name: str, value: Any, example: str) -> Iterable[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        found = f"Piecewise: {name} is {value!r}, expected several numbers"
        raise TypeError(f"{found}. Use {name}={example}.")
    return value


def _rates(values: Any) -> tuple[float, ...]:
    return tuple(map(float, _several("values", values, "(0.1, 0.01)")))


def _boundaries(values: Any) -> tuple[int, ...]:
    several = _several("boundaries", values, "(1000,)")
    return tuple([checks.integer("A boundary", value, 0) for value in several])


@attrs.frozen(slots=False)
class Piecewise(Schedule):
    """values[k] after more than k of the `boundaries`: constant rates, one after the other.

    A boundary is the last t of the value before it, as in Keras's ``PiecewiseConstantDecay``.

    Parameters
    ----------
    values : tuple of float
        The rates, each at least 0: one more than boundaries.
    boundaries : tuple of int
        Numbers of steps, rising, at least 0.

    >>> schedule = Piecewise((0.1, 0.01, 0.001), boundaries=(100, 200))
    >>> [schedule.at(t) for t in (0, 100, 101, 200, 201)]
    [0.1, 0.1, 0.01, 0.01, 0.001]
    """

    values: tuple[float, ...] = attrs.field(converter=_rates)
    boundaries: tuple[int, ...] = attrs.field(converter=_boundaries)

    def __attrs_post_init__(self) -> None:
        n = len(self.boundaries)
        if len(self.values) != n + 1:
            found = f"Piecewise: values has {len(self.values)} numbers, and boundaries {n}"
            raise ValueError(
                f"{found}, expected one more value than boundaries. Values come first."
            )
        if not all(0 <= value < math.inf for value in self.values):
            found = f"Piecewise: values is {self.values}"
            raise ValueError(f"{found}, expected finite numbers of at least 0.")
        if list(self.boundaries) != sorted(set(self.boundaries)):
            found = f"Piecewise: boundaries is {self.boundaries}"
            raise ValueError(f"{found}, expected rising numbers.")

    def at(self, t: int) -> float:
        return self.values[bisect.bisect_left(self.boundaries, t)]


@attrs.frozen(slots=False)
class OneCycle(Schedule):
    """Half a wave of a cosine up to `rate`, then half a wave far down (Smith and Topin 2018).

    The rate rises from rate / start_divisor over the first `warmup` of the steps, and falls to
    rate / (start_divisor · end_divisor), where it stays. It is PyTorch's ``OneCycleLR``; only
    the rate has a cycle, and not the momentum.

    Parameters
    ----------
    rate : float
        The largest one; at least 0.
    steps : int
        Length of the cycle, at least 1: with ``by="epoch"`` in epochs.
    warmup : float
        The share of the steps in which the rate rises; at least 0 and below 1.
    start_divisor, end_divisor : float
        Above 0.

    >>> schedule = OneCycle(0.1, steps=101)
    >>> [round(schedule.at(t), 4) for t in (0, 29, 30, 65, 100)]
    [0.004, 0.1, 0.1, 0.0492, 0.0]
    """

    rate: float = nonnegative()
    steps: int = integer()
    warmup: float = fraction(0.3)
    start_divisor: float = positive(25.0)
    end_divisor: float = positive(1e4)

    @quiet
    def at(self, t: int) -> float:
        start, last = self.rate / self.start_divisor, self.steps - 1
        peak = self.warmup * self.steps - 1  # the t of the largest rate, which may lie between two
        if peak > 0 and t <= peak:
            return _half_wave(start, self.rate, t, peak)
        return _half_wave(self.rate, start / self.end_divisor, min(t, last) - peak, last - peak)


@attrs.frozen(slots=False)
class Warmup(Schedule):
    """A straight line up to the first rate of another schedule, which then begins.

    Parameters
    ----------
    steps : int
        The length of the line; at least 1.
    then : float, Schedule, str or config
        What follows: a number, or a schedule of the same `by`. Its t is 0 at the end of the line.
    start : float
        The first rate as a share of the last, from 0 to 1; with 0 the first step moves nothing.

    >>> warmup = Warmup(5, then=Cosine(1.0, period=100, restart=False), start=0.0)
    >>> [round(warmup.at(t), 2) for t in (0, 1, 4, 5, 55, 105)]
    [0.0, 0.2, 0.8, 1.0, 0.5, 0.0]
    """

    steps: int = integer()
    then: float | Schedule = rate_field()
    start: float = share(0.1)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.then, Schedule) and self.then.by != self.by:
            message = f"Warmup: then is {self.then!r}, expected by={self.by!r} as here."
            raise ValueError(f"{message} Use by={self.by!r} there, or by={self.then.by!r} here.")

    def at(self, t: int) -> float:
        rate = self.then
        if isinstance(rate, Schedule):
            rate = rate.at(max(t - self.steps, 0))
        if t >= self.steps:
            return rate
        return rate * (self.start + (1 - self.start) * t / self.steps)
