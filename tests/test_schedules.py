"""Learning rates that change: by closed forms, by PyTorch's schedulers, and within an optimizer."""

import copy
import math
from functools import partial

import numpy as np
import pytest
from helpers import registered

import tinynet as tn
from tinynet import SGD, Schedule
from tinynet.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    Piecewise,
    Polynomial,
    Step,
    Warmup,
)

RATES = [
    # schedule, {t: rate}, by hand
    (Constant(0.1), {0: 0.1, 5: 0.1, 10**9: 0.1}), (Step(0.8, drop=1, every=1), {0: 0.8, 7: 0.8}),
    (Step(0.8, 0.5, 10), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2, 100: 0.8 / 1024}),
    (Exponential(0.8, 0.25, interval=2), {0: 0.8, 1: 0.4, 3: 0.1}),
    (Exponential(0.8, 0.5), {1: 0.4, 3: 0.1}), (InverseTime(0.6, 0.5), {1: 0.4, 2: 0.3, 4: 0.2}),
    (InverseTime(0.6, 2, interval=4), {0: 0.6, 3: 0.6, 4: 0.2, 7: 0.2, 8: 0.12}),
    (InverseTime(0.6, 2, interval=4, floor=False), {0: 0.6, 2: 0.3, 4: 0.2, 8: 0.12}),
    # The course's lr_decay: rate / (1 + decay · ⌊epoch / interval⌋).
    (InverseTime(0.5, 1, 100, by="epoch"), {10: 0.5, 100: 0.25}),
    (InverseTime(0.3, 0.25, 100), {1000: 0.08571428571428572}),
    (InverseTime(0.5, 0.3, 100), {100: 0.3846153846153846}),
    (Polynomial(1, 0, 10), {0: 1, 1: 0.9, 5: 0.5, 9: 0.1, 10: 0, 11: 0, 1000: 0}),
    (Polynomial(1, 0.2, 10, power=2), {0: 1, 5: 0.4, 10: 0.2, 99: 0.2}),
    (Polynomial(0.2, 1, 4), {0: 0.2, 1: 0.4, 4: 1, 5: 1}),
    (Cosine(1, 4), {0: 1, 1: (1 + math.sqrt(0.5)) / 2, 2: 0.5, 4: 1, 6: 0.5, 402: 0.5}),
    (Cosine(1, 4, 0.5), {0: 1, 2: 0.75, 4: 1, 6: 0.75}), (Cosine(0.5, 4, 0.5), {2: 0.5, 4: 0.5}),
    (Cosine(1, 4, growth=2), {0: 1, 4: 1, 8: 0.5, 10: (1 - math.sqrt(0.5)) / 2, 12: 1, 28: 1}),
    (Cosine(1, 4, growth=1.5), {0: 1, 2: 0.5, 4: 1, 7: 0.5, 10: 1}),
    (Cosine(1, 7, growth=1.3), {7: 1}), (Cosine(1, 10, growth=1e308), {10: 1, 10**9: 1}),
    (Cosine(1, 4, lowest=0.2, restart=False), {0: 1, 2: 0.6, 4: 0.2, 5: 0.2, 8: 0.2}),
    (Piecewise((0.5, 0.3, 0.1), (2, 5)), {0: 0.5, 2: 0.5, 3: 0.3, 5: 0.3, 6: 0.1, 10**9: 0.1}),
    (Piecewise([0.5], []), {0: 0.5, 9: 0.5}), (Piecewise([0.5, 0], [0]), {0: 0.5, 1: 0}),
    (OneCycle(1, 10, 0.3, 4, 100), {0: 0.25, 1: 0.625, 2: 1, 9: 0.0025, 99: 0.0025}),
    (OneCycle(1, 9, warmup=0, start_divisor=2, end_divisor=1), {8: 0.5, 9: 0.5}),
    (OneCycle(1, 1), {0: 1 / 250_000, 5: 1 / 250_000}), (OneCycle(1, 4, 0.25), {0: 1}),
    (Warmup(4, 0.8, 0), {0: 0, 1: 0.2, 3: 0.6, 4: 0.8}), (Warmup(4, 0.8, 1), {0: 0.8, 5: 0.8}),
    (Warmup(4, 0.8), {0: 0.08, 2: 0.44, 4: 0.8, 100: 0.8}),
    (Warmup(4, Step(0.8, 0.5, 2), start=0), {0: 0, 3: 0.6, 4: 0.8, 5: 0.8, 6: 0.4}),
    (Warmup(2, Warmup(2, 0.8, start=0.5), start=0), {0: 0, 1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8}),
]  # fmt: skip
BY_STEP = [schedule for schedule, _ in RATES if schedule.by == "step"]


@pytest.mark.parametrize(("schedule", "rates"), RATES, ids=lambda value: repr(value)[:50])
def test_rates(schedule, rates):
    """The rates are those of the closed form, by steps and by epochs; it keeps its contract."""
    tn.testing.check_schedule(schedule)
    for t, rate in rates.items():
        assert schedule.at(t) == pytest.approx(rate, rel=1e-12, abs=1e-16)
        assert schedule.at(np.int64(t)) == schedule.at(t)


def test_every_schedule_has_rates_here():
    """The table has every class of the library."""
    assert set(registered(Schedule).values()) == {type(schedule) for schedule, _ in RATES}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("schedule", "make"), [
    (Step(0.3, 0.7, 6), lambda o, lr: lr.StepLR(o, 6, gamma=0.7)),
    (Exponential(0.3, 0.95), lambda o, lr: lr.ExponentialLR(o, 0.95)),
    (Polynomial(0.3, 0, 20, 2.0), lambda o, lr: lr.PolynomialLR(o, 20, power=2.0)),
    (Cosine(0.3, 30, restart=False), lambda o, lr: lr.CosineAnnealingLR(o, 30)),
    (Cosine(0.3, 20, 0.01), lambda o, lr: lr.CosineAnnealingWarmRestarts(o, 20, eta_min=0.01)),
    (Cosine(0.3, 3, growth=2), lambda o, lr: lr.CosineAnnealingWarmRestarts(o, 3, T_mult=2)),
    (OneCycle(0.3, 31), lambda o, lr: lr.OneCycleLR(o, 0.3, 31, cycle_momentum=False)),
    (OneCycle(0.3, 32, 0.17, 10, 50), lambda o, lr: lr.OneCycleLR(
        o, 0.3, 32, pct_start=0.17, div_factor=10, final_div_factor=50, cycle_momentum=False)),
    (Piecewise((0.3, 0.03, 0.003), (4, 19)), lambda o, lr: lr.MultiStepLR(o, [5, 20])),
    (Warmup(8, 0.3, start=0.25), lambda o, lr: lr.LinearLR(o, 0.25, total_iters=8)),
    (Warmup(8, Step(0.3, 0.5, 5), start=0.25), lambda o, lr: lr.ChainedScheduler(
        [lr.LinearLR(o, 0.25, total_iters=8), lr.MultiStepLR(o, [13, 18, 23, 28], gamma=0.5)])),
], ids=lambda value: repr(value)[:50] if isinstance(value, Schedule) else None)  # fmt: skip
def test_rates_are_those_of_torch(torch, schedule, make):
    """Thirty rates are those of PyTorch's scheduler, from 0.3."""
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, rates = make(theirs, torch.optim.lr_scheduler), []
    for _ in range(30):
        rates.append(theirs.param_groups[0]["lr"])
        scheduler.step()
    np.testing.assert_allclose([schedule.at(t) for t in range(30)], rates, rtol=1e-12, atol=1e-16)


def _moves(optimizer, steps, epoch):
    """Return how far each step moves a parameter whose gradient is 1; an epoch is so many steps."""
    params, moves = np.zeros(1), []
    for step in range(1, steps + 1):
        before = params.copy()
        optimizer.update(params, np.ones(1))
        moves.append(float(before[0] - params[0]))
        if step % epoch == 0:
            optimizer.end_epoch()
    return moves


@pytest.mark.parametrize("schedule", BY_STEP, ids=repr)
def test_a_schedule_by_step(schedule):
    """Each step has the rate of its number, the memory's t; the end of an epoch changes nothing."""
    optimizer = SGD(schedule)
    assert optimizer.rate() == schedule.at(0)
    expected = [schedule.at(t) for t in range(12)]
    assert _moves(optimizer, 12, epoch=5) == pytest.approx(expected, abs=1e-14)
    assert optimizer.rate() == schedule.at(12)
    assert optimizer.rate(later=3) == schedule.at(15)
    assert optimizer.memory == {"t": 12}
    assert (optimizer.memory["t"].shape, optimizer.memory["t"].dtype) == ((), np.int64)


def test_a_schedule_by_epoch():
    """The rate changes at the end of an epoch only; with a fixed rate nothing is counted."""
    optimizer, fixed = SGD(Exponential(0.8, 0.5, by="epoch")), SGD(0.25)
    assert _moves(optimizer, 7, epoch=3) == pytest.approx([0.8] * 3 + [0.4] * 3 + [0.2])
    assert optimizer.rate() == pytest.approx(0.2)
    assert optimizer.memory == {"epoch": 2}
    optimizer.reset()
    assert optimizer.rate() == 0.8
    assert _moves(fixed, 3, epoch=1) == [0.25] * 3
    assert (fixed.rate(), fixed.rate(100), fixed.memory) == (0.25, 0.25, {})


def test_fit_counts_epochs():
    """In fit the rate changes from epoch to epoch, and continues in the next fit."""
    rates = []

    class Watched(SGD):
        def apply(self, params, grads):
            rates.append(self.rate())
            super().apply(params, grads)

    model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=2, seed=1)
    optimizer = Watched(Step(0.1, 0.5, 1, by="epoch"))
    for _ in range(2):
        model.fit(np.ones((2, 6)), np.ones((1, 6)), optimizer, epochs=2, batch_size=3)
    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]


def test_ways_to_describe_a_schedule():
    """An instance and a config are the same; an optimizer's config, copy and hash contain it."""
    warmup = Warmup(3, Cosine(0.1, 10))
    then = {"family": "schedule", "name": "cosine", "rate": 0.1, "period": 10}
    for description in (warmup, {"name": "warmup", "steps": 3, "then": then}, warmup.config()):
        optimizer = SGD(description, momentum=0.5)
        assert optimizer.learning_rate == warmup
        assert optimizer == tn.Optimizer.get(optimizer.config()) == copy.deepcopy(optimizer)
        assert hash(optimizer) == hash(copy.deepcopy(optimizer))
        assert optimizer != SGD(Cosine(0.1, 10), momentum=0.5)


def test_a_custom_schedule():
    """A subclass is registered, accepted by name, and checked; `by` is shown if not "step"."""

    class Halving(Schedule):
        def at(self, t):
            return 0.5**t

    tn.testing.check_schedule(Halving())
    assert _moves(SGD("halving"), 4, epoch=9) == [1, 0.5, 0.25, 0.125]
    assert Warmup(2, "halving").then == Halving()
    config = {"family": "schedule", "name": "halving", "by": "step"}
    assert SGD("halving").config()["learning_rate"] == config
    assert repr(Constant(0.1, by="epoch")) == "Constant(rate=0.1, by='epoch')"
    warmup = "Warmup(steps=2, then=Step(rate=0.1, drop=0.5, every=10), start=0.1)"
    assert repr(Warmup(2, Step(0.1, 0.5, 10))) == warmup


COUNT = "expected a whole number of at least 1"
AT_LEAST_0 = "expected a finite number of at least 0"


@pytest.mark.parametrize(("error", "make", "settings", "message"), [
    (ValueError, Constant, (-0.1,), f"Constant: rate is -0.1, {AT_LEAST_0}"),
    (ValueError, Constant, (math.nan,), f"rate is nan, {AT_LEAST_0}"),
    (ValueError, Constant, (math.inf,), f"rate is inf, {AT_LEAST_0}"),
    (ValueError, Step, (0.1, 0, 5), "drop is 0.0, expected a number above 0 and at most 1"),
    (ValueError, Step, (0.1, 2, 5), "drop is 2.0, expected a number above 0 and at most 1"),
    (ValueError, Step, (0.1, 0.5, 0), f"every is 0, {COUNT}"),
    (TypeError, Step, (0.1, 0.5, 2.5), f"every is 2.5, {COUNT}"),
    (ValueError, Exponential, (0.1, 2), "decay is 2.0, expected a number above 0 and at most 1"),
    (ValueError, InverseTime, (0.1, -1), f"decay is -1.0, {AT_LEAST_0}"),
    (ValueError, InverseTime, (0.1, 1, 0), f"interval is 0, {COUNT}"),
    (ValueError, Polynomial, (0.1, -1, 5), f"end is -1.0, {AT_LEAST_0}"),
    (ValueError, Polynomial, (0.1, 0, 5, 0), "power is 0.0, expected a finite number above 0"),
    (ValueError, Cosine, (0.1, 0), f"period is 0, {COUNT}"),
    (ValueError, Cosine, (0.1, 5, 0.2), "lowest is 0.2, expected at most the rate, 0.1"),
    (ValueError, Cosine, (0.1, 5, 0, 0.5), "growth is 0.5, expected 1, or at least 1.001"),
    (ValueError, Cosine, (0.1, 5, 0, 1 + 2**-52), "expected 1, or at least 1.001"),
    (ValueError, Cosine, (0.1, 5, 0, 2, False), "growth is 2.0, .* Leave growth out"),
    (TypeError, Piecewise, (0.1, (5,)), r"values is 0.1, .* Use values=\(0.1, 0.01\)"),
    (TypeError, Piecewise, ((1, 2), 5), r"boundaries is 5, .* Use boundaries=\(1000,\)"),
    (ValueError, Piecewise, ((5, 9), ()), "values has 2 numbers, and boundaries 0"),
    (ValueError, Piecewise, ((0.1, -1), (5,)), "values is .*expected finite numbers of at least 0"),
    (ValueError, Piecewise, ((3, 2, 1), (5, 5)), r"boundaries is \(5, 5\), expected rising"),
    (ValueError, Piecewise, ((2, 1), (-1,)), "A boundary is -1, expected a whole number"),
    (TypeError, Piecewise, ((2, 1), (0.5,)), "A boundary is 0.5, expected a whole number"),
    (ValueError, OneCycle, (0.1, 0), f"steps is 0, {COUNT}"),
    (ValueError, OneCycle, (0.1, 5, 1), "warmup is 1.0, expected a number of at least 0"),
    (ValueError, OneCycle, (0.1, 5, 0.5, 0), "start_divisor is 0.0, expected a finite"),
    (ValueError, partial(InverseTime, floor=2), (0.1, 0.5), "floor is 2, expected True or False"),
    (ValueError, partial(Cosine, restart="no"), (0.1, 5), "restart is 'no', expected True"),
    (ValueError, Warmup, (0, 0.1), f"steps is 0, {COUNT}"),
    (ValueError, Warmup, (5, 0.1, 2), "start is 2.0, expected a number from 0 to 1"),
    (ValueError, Warmup, (5, -0.1), f"then is -0.1, {AT_LEAST_0}, or a schedule"),
    (ValueError, Warmup, (5, Constant(0.1, by="epoch")),
     r"then is Constant\(rate=0.1, by='epoch'\), .* Use by='step' there, or by='epoch' here"),
    (ValueError, Schedule.get, (Constant(1).config() | {"by": "batch"},),
     "by is 'batch', expected 'step' or 'epoch'"),
    (tn.errors.UnknownNameError, SGD, ("cosin",), "schedule .*'cosin'.*first: cosine"),
    (TypeError, SGD, ("cosine",), "rate.*period"),
    (TypeError, SGD, (Cosine,), r"schedule.*Cosine\(rate=.*period="),
    (TypeError, SGD, (tn.Loss.get("huber"),), r"Huber\(.*schedule"),
])  # fmt: skip
def test_bad_settings(error, make, settings, message):
    """A setting that means nothing is refused, with what it is and what is expected."""
    with pytest.raises(error, match=message):
        make(*settings)
