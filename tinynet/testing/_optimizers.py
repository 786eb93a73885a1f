"""What every optimizer, every schedule and every initializer must pass."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.results import kind_of
from tinynet.initializers import Initializer
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.testing._expect import expect, unchanged

_START, _LOWEST = np.array([3.0, -2.0, 0.5]), np.array([4.0, -4.0, 2.0])


def check_way_down(optimizer: Optimizer) -> None:
    """Check that it descends |params - lowest|²/2 in place, the same way each time."""
    for dtype in map(np.dtype, (np.float64, np.float32)):
        first, second = (_after_20_steps(optimizer.fresh(), dtype) for _ in range(2))
        same, name = np.array_equal(first, second), type(optimizer).__name__
        expect(same, f"{name} moves the same parameters differently the second time.")


def _after_20_steps(optimizer: Optimizer, dtype: np.dtype[Any]) -> Array:
    name, before = type(optimizer).__name__, (optimizer.fresh(), repr(optimizer))
    params, lowest = _START.astype(dtype), _LOWEST.astype(dtype)
    for step in range(1, 21):
        unchanged(name, functools.partial(optimizer.update, params), grads=params - lowest)
        hint = "Look for a division by 0 (add epsilon), a root of less than 0, or steps that grow."
        found = f"{name} makes parameters that are not finite in step {step}: {params}. {hint}"
        expect(np.isfinite(params).all(), found)
    distance = np.linalg.norm(params - lowest)
    fix = "Check the sign." if distance > 2.7 else "Take larger steps."
    if np.array_equal(params, _START.astype(dtype)):
        fix = "Move params in place: params -= ..., because params = ... makes another array."
    message = f"{name} does not go down: the distance to the lowest point was 2.69 and is"
    expect(distance < 2.69, f"{message} {distance:.3g}. {fix}")
    for slot, array in optimizer.memory.items():
        fix = "Write into the array that slot returns: v *= ..., v += ..., not v = ..."
        expect(array.ndim == 0 or array.any(), f"{name} never writes its memory {slot!r}. {fix}")
    expect((optimizer, repr(optimizer)) == before, f"{name} shows its memory in equality or repr.")
    for slot, array in optimizer.memory.items():
        message = f"{name} has the memory {slot!r} in {array.dtype}, expected {dtype} as params."
        fits = array.ndim == 0 or array.dtype == dtype  # a single number may have another precision
        expect(fits, f"{message} Use self.slot({slot!r}, params).")
    return params


def check_restart(optimizer: Optimizer) -> None:
    """Check that a new optimizer with a copy of the memory continues bit for bit as the old one."""

    def five_steps(optimizer: Optimizer, params: Array) -> None:
        for _ in range(5):
            optimizer.update(params, params - _LOWEST)
            optimizer.end_epoch()

    first, params = optimizer.fresh(), _START.copy()
    five_steps(first, params)
    second, copied = Optimizer.get(first.config()), params.copy()
    second.memory.update({name: array.copy() for name, array in first.memory.items()})
    five_steps(first, params)
    five_steps(second, copied)
    message = f"{type(optimizer).__name__} continues differently with a copy of its memory."
    fix = "Store all it remembers in the arrays that self.slot returns."
    same = np.array_equal(params, copied, equal_nan=True)  # another check says what is not finite
    expect(same, f"{message} {fix}")


def check_rates(schedule: Schedule) -> None:
    """Check that a schedule gives finite numbers of at least 0, as a function of t alone."""
    name, times = type(schedule).__name__, (*range(100), 1_000, 99_999, 1_000_000)
    rates = [schedule.at(t) for t in times]
    for t, rate in zip(times, rates, strict=True):
        message = f"{name}.at({t}) is {rate!r}, expected a finite number of at least 0"
        is_number = isinstance(rate, (int, float, np.integer, np.floating))
        hint = f": it is {kind_of(rate)}. Return float(...)"
        expect(is_number, f"{message}{hint}.")
        expect(0 <= rate < np.inf, f"{message}.")
    other = Schedule.get(schedule.config())
    same = rates[::-1] == [other.at(t) for t in times[::-1]]
    expect(same, f"{name}.at gives another rate later, expected one by t and by nothing else.")


def check_draws(init: Initializer) -> None:
    """Check that it draws the shape it is asked for, from the generator it is given alone."""
    name = type(init).__name__
    for shape in ((3, 4), (4, 3), (1, 1), (5, 1)):
        for make in (np.random.default_rng, np.random.RandomState):
            first, second = init.draw(shape, make(7)), init.draw(shape, make(7))
            found = kind_of(first) if first is None else f"the shape {np.shape(first)}"
            expect(np.shape(first) == shape, f"{name} draws {found}, expected {shape}.")
            message = f"{name} draws numbers that are not finite for the shape {shape}"
            hint = "Look for a division by 0 or a logarithm of 0 where a size is 1"
            expect(np.isfinite(first).all(), f"{message}. {hint}.")
            same, hint = np.array_equal(first, second), "Use rng for all of them."
            expect(same, f"{name} draws other numbers from an equal generator. {hint}")


OPTIMIZER_CHECKS = (check_way_down, check_restart)
SCHEDULE_CHECKS = (check_rates,)
INITIALIZER_CHECKS = (check_draws,)
