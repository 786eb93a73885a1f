"""What every optimizer, every schedule and every initializer must pass."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.initializers import Initializer
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.testing._expect import expect, kept


def check_way_down(optimizer: Optimizer) -> None:
    """See that it goes down a slope, in place, and keeps its memory to itself."""
    name, fresh = type(optimizer).__name__, copy.deepcopy(optimizer)
    fresh.reset()
    for dtype in map(np.dtype, (np.float64, np.float32)):
        runs: list[Array] = []
        for other in (copy.deepcopy(fresh), copy.deepcopy(fresh)):
            params, lowest = (np.array(at, dtype) for at in ([3.0, -2.0, 0.5], [4.0, -4.0, 2.0]))
            for _ in range(20):  # down |params - lowest|²/2
                update = functools.partial(other.update, params)
                kept(name, update, grads=params - lowest)
                expect(
                    np.isfinite(params).all(),
                    f"{name} makes parameters that are not finite: {params}",
                )
            runs.append(params)
            far = np.linalg.norm(params - lowest)
            hint = "is the sign right?" if far > 2.7 else ""
            if np.array_equal(params, np.array([3.0, -2.0, 0.5], dtype)):
                hint = "params are as before: move them in place, params -= ..., for params = params - ... makes others"
            told = f"{name} does not go down: 2.69 from the lowest point at first, then {far:.3g}"
            expect(far < 2.69, told + f"; {hint}" * bool(hint))
            for what, memory in other.memory.items():
                hint = "write into the array that recall returns: v *= ..., v += ..., not v = ..."
                expect(
                    memory.ndim == 0 or memory.any(),
                    f"{name} never writes its memory {what!r}; {hint}",
                )
                fits = (
                    memory.dtype == dtype or memory.ndim == 0
                )  # a single number is not the parameters' precision
                expect(fits, f"{name} remembers {what} in {memory.dtype} for parameters in {dtype}")
            expect(
                (other, repr(other)) == (fresh, repr(fresh)),
                f"{name}: its memory shows in equality or repr",
            )
        expect(
            np.array_equal(runs[0], runs[1]),
            f"{name} moves the same parameters differently the second time",
        )


def check_restart(optimizer: Optimizer) -> None:
    """See that a new optimizer with a copy of the memory goes on bit for bit as the old one."""

    def go_on(optimizer: Optimizer, params: Array) -> None:
        for _ in range(5):
            optimizer.update(params, params - np.array([4.0, -4.0, 2.0]))
            optimizer.end_epoch()

    first, params = copy.deepcopy(optimizer), np.array([3.0, -2.0, 0.5])
    first.reset()
    go_on(first, params)
    second, again = Optimizer.get(first.config()), params.copy()
    second.memory.update(copy.deepcopy(first.memory))
    go_on(first, params)
    go_on(second, again)
    hint = "what it remembers must be in recall's arrays, all of it"
    same = np.array_equal(params, again)
    expect(
        same,
        f"{type(optimizer).__name__} goes on otherwise with a copy of its memory than with its own: {hint}",
    )


def check_rates(schedule: Schedule) -> None:
    """See that a schedule gives finite numbers of at least 0, by t and by nothing else."""
    name, times = type(schedule).__name__, (*range(100), 1_000, 99_999, 1_000_000)
    rates = [schedule.at(t) for t in times]
    for t, rate in zip(times, rates, strict=True):
        expect(isinstance(rate, (float, int)), f"{name}.at({t}) must be a number; it is {rate!r}")
        expect(
            0 <= rate < np.inf,
            f"{name}.at({t}) is {rate}; a learning rate is finite and at least 0",
        )
    other = Schedule.get(schedule.config())
    expect(
        rates[::-1] == [other.at(t) for t in times[::-1]],
        f"{name}.at must go by t and by nothing else",
    )


def check_draws(init: Initializer) -> None:
    """See that it draws the shape it is asked for, from the generator it is handed."""
    name = type(init).__name__
    makers: tuple[Callable[[int], Any], ...] = (np.random.default_rng, np.random.RandomState)
    for shape, make in (
        (shape, make) for shape in ((3, 4), (4, 3), (1, 1), (5, 1)) for make in makers
    ):
        first, second = init.draw(shape, make(7)), init.draw(shape, make(7))
        expect(np.shape(first) == shape, f"{name} draws shape {np.shape(first)} for {shape}")
        expect(np.isfinite(first).all(), f"{name} draws numbers that are not finite")
        expect(
            np.array_equal(first, second),
            f"{name} does not draw from the generator it is given alone",
        )


OPTIMIZER_CHECKS = (check_way_down, check_restart)
SCHEDULE_CHECKS = (check_rates,)
INITIALIZER_CHECKS = (check_draws,)
