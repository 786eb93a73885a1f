"""Learning rates that change: by closed forms, by PyTorch's schedulers, and in the hands of an optimizer."""

import copy
import math

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Schedule
from tinynet.schedules import Constant, Cosine, Exponential, InverseTime, Polynomial, Step, Warmup

# The course's lr_decay: rate / (1 + decay · ⌊epoch / interval⌋).
COURSE = [
    # rate, epoch, decay, interval, expected
    (0.5, 100, 1, 100, 0.25),
    (0.5, 10, 1, 100, 0.5),
    (0.3, 1000, 0.25, 100, 0.08571428571428572),
    (0.5, 100, 0.3, 100, 0.3846153846153846),
]
RATES = [
    # schedule, {t: rate}, by hand
    (Constant(0.1), {0: 0.1, 5: 0.1, 10**9: 0.1}),
    (Step(0.8, 0.5, 10), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2, 100: 0.8 / 1024}),
    (Step(0.8, drop=1, every=1), {0: 0.8, 7: 0.8}),
    (Exponential(0.8, 0.5), {0: 0.8, 1: 0.4, 3: 0.1}),
    (Exponential(0.8, 0.25, interval=2), {0: 0.8, 1: 0.4, 3: 0.1}),
    (InverseTime(0.6, 0.5), {0: 0.6, 1: 0.4, 2: 0.3, 4: 0.2}),
    (InverseTime(0.6, 2, interval=4), {0: 0.6, 3: 0.6, 4: 0.2, 7: 0.2, 8: 0.12}),
    (InverseTime(0.6, 2, interval=4, floor=False), {0: 0.6, 2: 0.3, 4: 0.2, 8: 0.12}),
    (Polynomial(1, 0, 10), {0: 1, 1: 0.9, 5: 0.5, 9: 0.1, 10: 0, 11: 0, 1000: 0}),
    (Polynomial(1, 0.2, 10, power=2), {0: 1, 5: 0.4, 10: 0.2, 99: 0.2}),
    (Polynomial(0.2, 1, 4), {0: 0.2, 1: 0.4, 4: 1, 5: 1}),
    (Cosine(1, 4), {0: 1, 1: (1 + math.sqrt(0.5)) / 2, 2: 0.5, 4: 1, 6: 0.5, 402: 0.5}),
    (Cosine(1, 4, lowest=0.5), {0: 1, 2: 0.75, 4: 1, 6: 0.75}),
    (Cosine(0.5, 4, lowest=0.5), {0: 0.5, 2: 0.5, 4: 0.5}),
    (
        Cosine(1, 4, growth=2),
        {0: 1, 2: 0.5, 4: 1, 8: 0.5, 10: (1 - math.sqrt(0.5)) / 2, 12: 1, 20: 0.5, 28: 1},
    ),
    (Cosine(1, 4, growth=1.5), {0: 1, 2: 0.5, 4: 1, 7: 0.5, 10: 1}),
    (Cosine(1, 4, lowest=0.2, restart=False), {0: 1, 2: 0.6, 4: 0.2, 5: 0.2, 8: 0.2}),
    (Warmup(4, 0.8), {0: 0.08, 2: 0.44, 4: 0.8, 100: 0.8}),
    (Warmup(4, 0.8, start=0), {0: 0, 1: 0.2, 3: 0.6, 4: 0.8}),
    (Warmup(4, 0.8, start=1), {0: 0.8, 3: 0.8, 5: 0.8}),
    (Warmup(4, Step(0.8, 0.5, 2), start=0), {0: 0, 3: 0.6, 4: 0.8, 5: 0.8, 6: 0.4}),
    (Warmup(2, Warmup(2, 0.8, start=0.5), start=0), {0: 0, 1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8}),
]
SCHEDULES = [schedule for schedule, _ in RATES]


@pytest.mark.parametrize(("rate", "epoch", "decay", "interval", "expected"), COURSE)
def test_the_courses_decay(rate, epoch, decay, interval, expected):
    """InverseTime is the course's schedule, to the last digit."""
    schedule = InverseTime(rate, decay, interval, by="epoch")
    assert schedule.at(epoch) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("schedule", "rates"), RATES, ids=lambda value: repr(value) if attrs.has(type(value)) else ""
)
def test_rates(schedule, rates):
    """The rates are those of the closed form, by steps and by epochs."""
    for t, rate in rates.items():
        assert schedule.at(t) == pytest.approx(rate, rel=1e-12, abs=1e-16)
        assert schedule.at(np.int64(t)) == schedule.at(t)


def test_every_schedule_has_rates_here():
    """No class of the library is left out of the table."""
    known = {
        cls
        for cls in Schedule._classes.values()
        if getattr(tn.schedules, cls.__name__, None) is cls
    }
    assert set(map(type, SCHEDULES)) == known


def _schedulers(torch):
    """Return pairs of a schedule and what makes PyTorch's of the same rates, from 0.3."""
    optim = torch.optim.lr_scheduler
    return {
        "step": (Step(0.3, 0.7, 6), lambda o: optim.StepLR(o, 6, gamma=0.7)),
        "exponential": (Exponential(0.3, 0.95), lambda o: optim.ExponentialLR(o, 0.95)),
        "polynomial": (Polynomial(0.3, 0, 20, 2.0), lambda o: optim.PolynomialLR(o, 20, power=2.0)),
        "cosine": (
            Cosine(0.3, 20, 0.01),
            lambda o: optim.CosineAnnealingWarmRestarts(o, 20, eta_min=0.01),
        ),
        "growing": (
            Cosine(0.3, 3, growth=2),
            lambda o: optim.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        ),
        "warm-up": (Warmup(8, 0.3, start=0.25), lambda o: optim.LinearLR(o, 0.25, total_iters=8)),
        "warm-up before a stair": (
            Warmup(8, Step(0.3, 0.5, 5), start=0.25),
            lambda o: optim.ChainedScheduler(
                [
                    optim.LinearLR(o, 0.25, total_iters=8),
                    optim.MultiStepLR(o, [13, 18, 23, 28], gamma=0.5),
                ]
            ),
        ),
    }


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(
    "name",
    ["step", "exponential", "polynomial", "cosine", "growing", "warm-up", "warm-up before a stair"],
)
def test_rates_are_those_of_torch(name):
    """Thirty rates are those of PyTorch's scheduler."""
    torch = pytest.importorskip("torch")
    schedule, make = _schedulers(torch)[name]
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, rates = make(theirs), []
    for _ in range(30):
        rates.append(theirs.param_groups[0]["lr"])
        scheduler.step()
    np.testing.assert_allclose([schedule.at(t) for t in range(30)], rates, rtol=1e-12, atol=1e-16)


def _moves(optimizer, steps, epoch=10**9):
    """Return by how much each step moves a parameter whose gradient is 1."""
    params, moves = np.zeros(1), []
    for step in range(1, steps + 1):
        before = params.copy()
        optimizer.update(params, np.ones(1))
        moves.append(float(before[0] - params[0]))
        if step % epoch == 0:
            optimizer.end_epoch()
    return moves


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_by_step(schedule):
    """Step after step has the rate of its number; the count is the memory's t, and an epoch's end changes nothing."""
    optimizer = SGD(schedule)
    assert optimizer.rate() == schedule.at(0)
    assert _moves(optimizer, 12, epoch=5) == pytest.approx(
        [schedule.at(t) for t in range(12)], abs=1e-14
    )
    assert optimizer.rate() == schedule.at(12)
    assert optimizer.rate(later=3) == schedule.at(15)
    assert optimizer.memory == {"t": 12}
    assert (optimizer.memory["t"].shape, optimizer.memory["t"].dtype) == ((), np.int64)


def test_a_schedule_by_epoch():
    """The rate changes when an epoch has ended, and not before."""
    optimizer = SGD(Exponential(0.8, 0.5, by="epoch"))
    assert _moves(optimizer, 7, epoch=3) == pytest.approx([0.8] * 3 + [0.4] * 3 + [0.2])
    assert optimizer.rate() == pytest.approx(0.2)
    assert optimizer.memory == {"epoch": 2}
    optimizer.reset()
    assert optimizer.rate() == 0.8


def test_fit_counts_epochs():
    """In fit the rate changes from epoch to epoch, and goes on in the next fit."""
    rates = []

    class Watched(SGD):
        def update(self, params, grads):
            rates.append(self.rate())
            super().update(params, grads)

    model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=2, seed=1)
    optimizer = Watched(Step(0.1, 0.5, 1, by="epoch"))
    for _ in range(2):
        model.fit(np.ones((2, 6)), np.ones((1, 6)), optimizer, epochs=2, batch_size=3)
    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]


def test_a_number_needs_no_memory():
    """With a fixed rate nothing is counted or remembered."""
    optimizer = SGD(0.25)
    assert _moves(optimizer, 3, epoch=1) == [0.25] * 3
    assert (optimizer.rate(), optimizer.rate(100), optimizer.memory) == (0.25, 0.25, {})


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adagrad", "adam", "adamw", "nadam"])
def test_every_optimizer_takes_a_schedule(name):
    """A schedule is worth the numbers it gives: step by step, as with an optimizer of that rate and the same memory."""
    schedule = Warmup(3, Step(0.1, 0.5, 2), start=0.5)
    scheduled, params = tn.Optimizer.get(name, learning_rate=schedule), np.array([1.0, -2.0])
    expected, memory = params.copy(), {}
    for t in range(8):
        grads = np.array([math.sin(t + 1), math.cos(t)])
        scheduled.update(params, grads)
        fixed = tn.Optimizer.get(name, learning_rate=schedule.at(t))
        fixed.memory.update(memory)
        fixed.update(expected, grads)
        memory = fixed.memory
        np.testing.assert_allclose(params, expected, rtol=1e-14)
    assert scheduled.memory["t"] == 8


@pytest.mark.parametrize(
    "given",
    [
        Warmup(3, Cosine(0.1, 10), by="step"),
        {
            "name": "warmup",
            "steps": 3,
            "then": {"family": "schedule", "name": "cosine", "rate": 0.1, "period": 10},
        },
        Warmup(3, Cosine(0.1, 10)).config(),
    ],
    ids=["instance", "config by hand", "config"],
)
def test_ways_to_say_it(given):
    """An instance and a config are the same; and all of it comes back from an optimizer's config, copy and hash."""
    optimizer = SGD(given, momentum=0.5)
    assert optimizer.learning_rate == Warmup(3, Cosine(0.1, 10))
    assert optimizer == tn.Optimizer.get(optimizer.config()) == copy.deepcopy(optimizer)
    assert hash(optimizer) == hash(copy.deepcopy(optimizer))
    assert optimizer != SGD(Cosine(0.1, 10), momentum=0.5)


def test_a_schedule_of_ones_own():
    """A subclass is registered, taken by name, and checked."""

    class Halving(Schedule):
        def at(self, t):
            return 0.5**t

    tn.testing.check_schedule(Halving())
    assert _moves(SGD("halving"), 4) == [1, 0.5, 0.25, 0.125]
    assert Warmup(2, "halving").then == Halving()
    assert SGD("halving").config()["learning_rate"] == {
        "family": "schedule",
        "name": "halving",
        "by": "step",
    }


def test_repr():
    """What is counted is told last, and only where it is not steps."""
    assert repr(Step(0.1, 0.5, 10)) == "Step(rate=0.1, drop=0.5, every=10)"
    assert repr(Constant(0.1, by="epoch")) == "Constant(rate=0.1, by='epoch')"
    warmup = Warmup(steps=2, then=Step(rate=0.1, drop=0.5, every=10), start=0.1)
    assert repr(warmup) == "Warmup(steps=2, then=Step(rate=0.1, drop=0.5, every=10), start=0.1)"
    assert warmup == Warmup(2, Step(0.1, 0.5, 10))


BAD = {
    "rate negative": (lambda: Constant(-0.1), ValueError, "'rate' must be >= 0: -0.1"),
    "rate NaN": (lambda: Constant(math.nan), ValueError, "'rate' must be >= 0: nan"),
    "rate infinite": (lambda: Constant(math.inf), ValueError, "'rate' must be < inf: inf"),
    "by what": (lambda: Constant(0.1, by="batch"), ValueError, r"by must be 'step' or 'epoch'; got 'batch'"),
    "drop 0": (lambda: Step(0.1, 0, 5), ValueError, "'drop' must be > 0: 0"),
    "drop 2": (lambda: Step(0.1, 2, 5), ValueError, "'drop' must be <= 1: 2"),
    "every 0": (lambda: Step(0.1, 0.5, 0), ValueError, "every is 0, expected a whole number of at least 1"),
    "every 2.5": (lambda: Step(0.1, 0.5, 2.5), TypeError, "every is 2.5, expected a whole number"),
    "decay 2": (lambda: Exponential(0.1, 2), ValueError, "'decay' must be <= 1: 2"),
    "decay negative": (lambda: InverseTime(0.1, -1), ValueError, "'decay' must be >= 0: -1"),
    "interval 0": (lambda: InverseTime(0.1, 1, 0), ValueError, "interval is 0, expected a whole number of at least 1"),
    "end negative": (lambda: Polynomial(0.1, -1, 5), ValueError, "'end' must be >= 0: -1"),
    "power 0": (lambda: Polynomial(0.1, 0, 5, 0), ValueError, "'power' must be > 0: 0"),
    "period 0": (lambda: Cosine(0.1, 0), ValueError, "period is 0, expected a whole number of at least 1"),
    "lowest above": (lambda: Cosine(0.1, 5, 0.2), ValueError, "lowest must be at most rate; got lowest=0.2, rate=0.1"),
    "growth 0.5": (lambda: Cosine(0.1, 5, growth=0.5), ValueError, "'growth' must be >= 1: 0.5"),
    "growth alone": (lambda: Cosine(0.1, 5, growth=2, restart=False), ValueError, "growth=2.0: leave it, or restart"),
    "steps 0": (lambda: Warmup(0, 0.1), ValueError, "steps is 0, expected a whole number of at least 1"),
    "start 2": (lambda: Warmup(5, 0.1, start=2), ValueError, "'start' must be <= 1: 2"),
    "then negative": (lambda: Warmup(5, -0.1), ValueError, "'then' must be >= 0: -0.1"),
    "two counts": (lambda: Warmup(5, Constant(0.1, by="epoch")), ValueError,
                   r"by='step' and then=Constant\(rate=0.1, by='epoch'\): write by='step' there, or by='epoch' here"),
    "unknown name": (lambda: SGD("cosin"), tn.errors.UnknownNameError, "no schedule is called 'cosin'.*first: cosine"),
    "fields left out": (lambda: SGD("cosine"), TypeError, "rate.*period"),
    "a class": (lambda: SGD(Cosine), TypeError, r"not the name, .* of a tinynet schedule; write Cosine\(\)"),
    "of another family": (lambda: SGD(tn.Loss.get("huber")), TypeError, r"Huber\(.*\) is not the name, .* schedule"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_settings(what):
    """A setting that means nothing is refused, with what was given and what is needed."""
    make, error, told = BAD[what]
    with pytest.raises(error, match=told):
        make()
