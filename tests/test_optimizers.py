"""The rules of the optimizers, against plain arithmetic, number by number, and PyTorch; and what is around them."""

import copy
import functools
import math
import pickle
from unittest import mock

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Adagrad, Adam, AdamW, Dense, Nadam, Optimizer, RMSprop, Sequential
from tinynet.optimizers import DecoupledDecay, rate_field
from tinynet.schedules import Constant, Exponential, InverseTime, Step

STEPS, SIZE = 50, 7
NOT_IN_TORCH = SGD(0.1, momentum=0.9, dampening=0.5, nesterov=True)
RULES = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, dampening=0.5),
    SGD(0.1, momentum=0.9, nesterov=True),
    NOT_IN_TORCH,
    RMSprop(),
    RMSprop(0.02, decay=0.9, epsilon=1e-3),
    RMSprop(0.02, momentum=0.8),
    RMSprop(0.02, centered=True),
    RMSprop(0.02, decay=0.95, momentum=0.8, centered=True),
    Adagrad(),
    Adagrad(InverseTime(0.1, 0.2, floor=False), epsilon=1e-3),
    Adam(),
    Adam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3),
    Adam(0.02, beta1=0.0, beta2=0.0),
    AdamW(),
    AdamW(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3),
    AdamW(Step(0.02, 0.5, 10), weight_decay=0.3),
    Nadam(),
    Nadam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, momentum_decay=0.1),
    Nadam(0.02, momentum_decay=0),
    Nadam(0.02, beta1=0.0),
]


def gradients(steps=STEPS, size=SIZE, seed=1):
    """Return gradients of several sizes, some parameters' a thousand times as large as others'."""
    return np.random.default_rng(seed).standard_normal((steps, size)) * np.geomspace(0.01, 10, size)


def moved(optimizer, grads, dtype=np.float64):
    """Return the parameters after each of some steps."""
    params, after = np.linspace(-1, 2, grads.shape[1]).astype(dtype), []
    for g in grads.astype(dtype):
        optimizer.update(params, g)
        after.append(params.copy())
    return np.array(after)


# The rules once more, a number at a time, as their papers write them


def by_sgd(o, p, grads, rate):
    v = 0.0
    for t, g in enumerate(grads, 1):
        v = o.momentum * v + (1 - o.dampening) * g
        p -= rate(t) * (o.momentum * v + (1 - o.dampening) * g if o.nesterov else v)
        yield p


def by_rmsprop(o, p, grads, rate):
    s = mean = v = 0.0
    for t, g in enumerate(grads, 1):
        s = o.decay * s + (1 - o.decay) * g * g
        mean = o.decay * mean + (1 - o.decay) * g
        quotient = g / (math.sqrt(s - mean * mean if o.centered else s) + o.epsilon)
        v = o.momentum * v + quotient
        p -= rate(t) * v
        yield p


def by_adagrad(o, p, grads, rate):
    for t, g in enumerate(grads, 1):
        p -= rate(t) * g / (math.sqrt(sum(other * other for other in grads[:t])) + o.epsilon)
        yield p


def by_adam(o, p, grads, rate):
    v = s = 0.0
    for t, g in enumerate(grads, 1):
        p -= rate(t) * getattr(o, "weight_decay", 0.0) * p
        v = o.beta1 * v + (1 - o.beta1) * g
        s = o.beta2 * s + (1 - o.beta2) * g * g
        p -= rate(t) * (v / (1 - o.beta1**t)) / (math.sqrt(s / (1 - o.beta2**t)) + o.epsilon)
        yield p


def by_nadam(o, p, grads, rate):
    def mu(t):
        return o.beta1 * (1 - 0.96 ** (t * o.momentum_decay) / 2)

    v = s = 0.0
    for t, g in enumerate(grads, 1):
        product = math.prod(mu(i) for i in range(1, t + 1))
        v = o.beta1 * v + (1 - o.beta1) * g
        s = o.beta2 * s + (1 - o.beta2) * g * g
        ahead = mu(t + 1) * v / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        p -= rate(t) * ahead / (math.sqrt(s / (1 - o.beta2**t)) + o.epsilon)
        yield p


BY_HAND = {
    SGD: by_sgd,
    RMSprop: by_rmsprop,
    Adagrad: by_adagrad,
    Adam: by_adam,
    AdamW: by_adam,
    Nadam: by_nadam,
}


@pytest.mark.parametrize("optimizer", RULES, ids=repr)
def test_rules_by_plain_arithmetic(optimizer):
    """Fifty steps of each rule are those of its formula, computed for one number after the other."""
    given = optimizer.learning_rate

    def rate(t):
        return given.at(t - 1) if isinstance(given, tn.Schedule) else given

    grads = gradients()
    starts = np.linspace(-1, 2, SIZE).tolist()
    columns = [
        list(BY_HAND[type(optimizer)](optimizer, p, grads[:, k].tolist(), rate))
        for k, p in enumerate(starts)
    ]
    np.testing.assert_allclose(
        moved(copy.deepcopy(optimizer), grads), np.transpose(columns), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("optimizer", RULES, ids=repr)
def test_rules_in_single_precision(optimizer):
    """In float32 the steps are the same to its precision, and nothing is remembered in float64 but single numbers."""
    optimizer, other = copy.deepcopy(optimizer), copy.deepcopy(optimizer)
    single = moved(optimizer, gradients(), np.float32)
    np.testing.assert_allclose(single, moved(other, gradients()), rtol=2e-4, atol=2e-5)
    assert {array.dtype for array in optimizer.memory.values() if array.ndim} <= {
        np.dtype("float32")
    }


def test_every_rule_is_tested():
    """No optimizer of the library is left out of the table."""
    known = {
        cls
        for cls in Optimizer._classes.values()
        if getattr(tn.optimizers, cls.__name__, None) is cls
    }
    assert set(BY_HAND) == known == {type(optimizer) for optimizer in RULES}


# PyTorch's own steps


def in_torch(torch, o, parameters):
    """Return PyTorch's optimizer of the same rule and settings."""
    rate, optim = o.rate(), torch.optim
    if isinstance(o, SGD):
        theirs = optim.SGD(
            parameters, rate, momentum=o.momentum, dampening=o.dampening, nesterov=o.nesterov
        )
        for p in parameters if o.momentum else ():  # there, the first gradient is not dampened
            theirs.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return theirs
    if isinstance(o, RMSprop):
        return optim.RMSprop(
            parameters, rate, o.decay, o.epsilon, momentum=o.momentum, centered=o.centered
        )
    if isinstance(o, Adagrad):
        return optim.Adagrad(parameters, rate, getattr(o.learning_rate, "decay", 0), eps=o.epsilon)
    named = {"lr": rate, "betas": (o.beta1, o.beta2), "eps": o.epsilon}
    if isinstance(o, Nadam):
        return optim.NAdam(parameters, momentum_decay=o.momentum_decay, **named)
    return (
        optim.AdamW(parameters, weight_decay=o.weight_decay, **named)
        if isinstance(o, AdamW)
        else optim.Adam(parameters, **named)
    )


@pytest.fixture
def torch():
    """Hand out PyTorch, computing in float64, NAdam's product of momenta included."""
    module = pytest.importorskip("torch")
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


def moved_by_torch(torch, optimizer, grads, around=lambda parameter: None):
    """Return the parameters after each of some steps of PyTorch."""
    parameter = torch.tensor(np.linspace(-1, 2, grads.shape[1]), requires_grad=True)
    theirs, after = in_torch(torch, optimizer, [parameter]), []
    for t, g in enumerate(grads):
        if isinstance(optimizer.learning_rate, tn.Schedule) and not isinstance(optimizer, Adagrad):
            theirs.param_groups[0]["lr"] = optimizer.learning_rate.at(t)
        parameter.grad = torch.tensor(g)
        around(parameter)
        theirs.step()
        after.append(parameter.detach().numpy().copy())
    return np.array(after)


@pytest.mark.parametrize("optimizer", [rule for rule in RULES if rule != NOT_IN_TORCH], ids=repr)
def test_rules_are_those_of_torch(optimizer, torch):
    """Fifty steps agree with PyTorch's."""
    grads, optimizer = gradients(), copy.deepcopy(optimizer)
    theirs = moved_by_torch(torch, optimizer, grads)
    optimizer.reset()
    np.testing.assert_allclose(moved(optimizer, grads), theirs, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.9), Adam(0.01)], ids=repr)
def test_clipping_is_that_of_torch(rule, torch):
    """By value as in PyTorch to the last digits, by norm but for the 1e-6 that it adds to the norm."""
    grads, utils = gradients(), torch.nn.utils
    ours = moved(attrs.evolve(rule, clip_value=0.5), grads)
    theirs = moved_by_torch(torch, rule, grads, lambda p: utils.clip_grad_value_([p], 0.5))
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
    ours = moved(attrs.evolve(rule, clip_norm=2.0), grads)
    theirs = moved_by_torch(torch, rule, grads, lambda p: utils.clip_grad_norm_([p], 2.0))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


# Settings


BAD = {
    "clip_norm 0": (lambda: SGD(clip_norm=0), ValueError, "'clip_norm' must be > 0: 0.0"),
    "clip_norm negative": (lambda: SGD(clip_norm=-1), ValueError, "'clip_norm' must be > 0: -1.0"),
    "clip_norm NaN": (lambda: SGD(clip_norm=math.nan), ValueError, "'clip_norm' must be > 0: nan"),
    "clip_norm infinite": (lambda: SGD(clip_norm=math.inf), ValueError, "'clip_norm' must be < inf: inf"),
    "clip_value 0": (lambda: Adam(clip_value=0), ValueError, "'clip_value' must be > 0: 0.0"),
    "clip_value infinite": (lambda: Adam(clip_value=math.inf), ValueError, "'clip_value' must be < inf: inf"),
    "clip_value a word": (lambda: Adam(clip_value="much"), ValueError, "much"),
    "both": (lambda: SGD(clip_norm=1, clip_value=2), ValueError, "clip_norm=1.0 and clip_value=2.0: leave one of them"),
    "by position": (lambda: SGD(0.1, 0.0, 0.0, False, 1.0), TypeError, "positional"),
    "decay 1": (lambda: RMSprop(decay=1), ValueError, "'decay' must be < 1.0: 1.0"),
    "momentum 1": (lambda: RMSprop(momentum=1), ValueError, "'momentum' must be < 1.0: 1.0"),
    "epsilon 0": (lambda: Adagrad(epsilon=0), ValueError, "'epsilon' must be > 0: 0.0"),
    "weight_decay negative": (lambda: AdamW(weight_decay=-1), ValueError, "'weight_decay' must be >= 0: -1.0"),
    "momentum_decay negative": (lambda: Nadam(momentum_decay=-1), ValueError, "'momentum_decay' must be >= 0: -1.0"),
    "rate negative": (lambda: Nadam(-1), ValueError, "'learning_rate' must be >= 0: -1.0"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_settings(what):
    """A setting that means nothing is refused, with what was given and what is needed."""
    make, error, told = BAD[what]
    with pytest.raises(error, match=told):
        make()


@pytest.mark.parametrize(
    ("optimizer", "again", "expected"),
    [
        (SGD(0.1, clip_norm=1), SGD(learning_rate=0.1, momentum=0.0, dampening=0.0, nesterov=False, clip_norm=1.0),
         "SGD(learning_rate=0.1, momentum=0.0, dampening=0.0, nesterov=False, clip_norm=1.0)"),
        (Adagrad(Constant(1), clip_value=2),
         Adagrad(learning_rate=Constant(rate=1.0), epsilon=1e-10, clip_value=2.0),
         "Adagrad(learning_rate=Constant(rate=1.0), epsilon=1e-10, clip_value=2.0)"),
        (AdamW(), AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01),
         "AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)"),
    ],
)  # fmt: skip
def test_repr(optimizer, again, expected):
    """It is what makes an equal one; clipping is told last, and only if there is any."""
    assert repr(optimizer) == expected
    assert again == optimizer


@pytest.mark.parametrize(
    "optimizer", [attrs.evolve(rule, clip_norm=0.5) for rule in RULES], ids=repr
)
def test_descriptions_with_clipping(optimizer):
    """Clipping is a part of equality, hash and config; what is remembered is not, before and after steps."""
    used = copy.deepcopy(optimizer)
    moved(used, gradients(3))
    for other in (
        Optimizer.get(used.config()),
        copy.deepcopy(used),
        pickle.loads(pickle.dumps(used)),
    ):
        assert other == optimizer
        assert (hash(other), repr(other), other.config()) == (
            hash(optimizer),
            repr(optimizer),
            optimizer.config(),
        )
    assert attrs.evolve(optimizer, clip_norm=None, clip_value=0.5) != optimizer


def test_defaults():
    """The defaults are PyTorch's, and Adam's those it always had."""
    assert RMSprop(0.01, decay=0.99, epsilon=1e-8, momentum=0.0, centered=False) == RMSprop()
    assert Adagrad(0.01, epsilon=1e-10) == Adagrad()
    assert AdamW(0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01) == AdamW()
    assert Nadam(0.002, beta1=0.9, beta2=0.999, epsilon=1e-8, momentum_decay=0.004) == Nadam()


# What is remembered


@pytest.mark.parametrize(
    "optimizer", [*RULES, SGD(Exponential(0.1, 0.5, by="epoch"), momentum=0.5)], ids=repr
)
def test_a_restart_from_memory(optimizer):
    """Half the steps, its memory copied into a new optimizer, and the other half: bit for bit the same."""
    grads, whole = gradients(40), copy.deepcopy(optimizer)
    params, after = np.ones(SIZE), []
    for t, g in enumerate(grads, 1):
        whole.update(params, g)
        if t % 5 == 0:
            whole.end_epoch()
        after.append(params.copy())
        if t == 20:
            saved = {name: array.copy() for name, array in whole.memory.items()}
    resumed, params = Optimizer.get(optimizer.config()), after[19].copy()
    resumed.memory.update(saved)
    for t, g in enumerate(grads[20:], 21):
        resumed.update(params, g)
        if t % 5 == 0:
            resumed.end_epoch()
        np.testing.assert_array_equal(params, after[t - 1])


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (SGD(), set()),
        (SGD(momentum=0.9), {"velocity"}),
        (RMSprop(), {"mean_square"}),
        (RMSprop(momentum=0.9, centered=True), {"mean_square", "mean", "velocity"}),
        (Adagrad(), {"sum_of_squares"}),
        (Adam(), {"t", "v", "s"}),
        (Nadam(), {"t", "v", "s", "lost"}),
        (SGD(Exponential(0.1, 0.5)), {"t"}),
        (SGD(Exponential(0.1, 0.5, by="epoch")), {"epoch"}),
    ],
    ids=repr,
)
def test_names_in_memory(optimizer, names):
    """A checkpoint keeps the memory by these names, so they stay as they are."""
    moved(optimizer, gradients(2))
    assert set(optimizer.memory) == names


def test_a_rate_that_is_no_float():
    """A user's rate of another type, not converted, is the rate all the same."""

    @attrs.frozen
    class Unconverted(Plain):
        learning_rate: int = 2

    assert Unconverted().rate() == Unconverted().rate(later=3) == 2


def test_equal_gradients_for_long():
    """A centered RMSprop whose gradients never change divides by epsilon in the end, and by nothing less."""
    params, optimizer = np.zeros(5), RMSprop(1e-9, decay=0.5, centered=True)
    for _ in range(200):
        optimizer.update(params, np.array([0.1, 1 / 3, 7.7, 1e-3, 123.456]))
        assert np.isfinite(params).all()


# Clipping


class Plain(Optimizer):
    """The three lines of a user, without a learning rate."""

    def update(self, params, grads):
        params -= grads


def seen(optimizer, grads):
    """Return by what a step of `Plain` moves parameters, which is what it was given as gradients."""
    params, kept = np.zeros(np.shape(grads), np.asarray(grads).dtype), np.copy(grads)
    optimizer.update(params, grads)
    np.testing.assert_array_equal(grads, kept)
    return -params


@pytest.mark.parametrize(
    ("clip", "grads", "expected"),
    [
        ({}, [3, -4], [3, -4]),
        ({"clip_norm": 5}, [3, -4], [3, -4]),
        ({"clip_norm": 10}, [3, -4], [3, -4]),
        ({"clip_norm": 4}, [3, -4], [2.4, -3.2]),
        ({"clip_norm": 1}, [3, -4], [0.6, -0.8]),
        ({"clip_norm": 1}, [0, 0], [0, 0]),
        ({"clip_norm": 1}, [], []),
        ({"clip_norm": 1}, [3e30, -4e30], [0.6, -0.8]),
        ({"clip_norm": 1e-30}, [3e-25, -4e-25], [0.6e-30, -0.8e-30]),
        ({"clip_norm": 1}, [math.nan, 1], [math.nan, 1]),
        ({"clip_value": 3.5}, [3, -4], [3, -3.5]),
        ({"clip_value": 3.5}, [math.nan, math.inf], [math.nan, 3.5]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_clipped(clip, grads, expected, dtype):
    """The whole vector is scaled to the norm, or each number held within the limits; grads stay as they are."""
    result = seen(Plain(**clip), np.array(grads, dtype))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_clipping_where_squares_overflow():
    """Gradients whose squares are beyond float64 have their norm all the same."""
    np.testing.assert_allclose(
        seen(Plain(clip_norm=1), np.array([3e300, -4e300])), [0.6, -0.8], rtol=1e-14
    )
    np.testing.assert_allclose(
        seen(Plain(clip_norm=1e-300), np.array([3e-290, 4e-290])), [6e-301, 8e-301], rtol=1e-14
    )


def test_clipping_of_any_array():
    """A matrix, a strided view and whole numbers are clipped as well, for a rule that takes them."""
    grads = np.arange(12.0).reshape(3, 4)
    for array in (grads, grads.T, grads[:, ::2], grads.astype(int)):
        optimizer, params = Plain(clip_norm=2), np.zeros(array.shape)
        optimizer.update(params, array)
        np.testing.assert_allclose(-params, 2 * array / np.linalg.norm(array), rtol=1e-14)


@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.25}], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_clipping_of_every_rule(rule, clip):
    """Each rule moves as it does without clipping by gradients that are clipped beforehand."""
    grads = gradients(10)
    if "clip_norm" in clip:
        before = np.array([g * min(1, 0.5 / np.linalg.norm(g)) for g in grads])
    else:
        before = np.clip(grads, -0.25, 0.25)
    assert not np.array_equal(before, grads)
    expected = moved(copy.deepcopy(rule), before)
    np.testing.assert_allclose(
        moved(attrs.evolve(rule, **clip), grads), expected, rtol=1e-12, atol=1e-15
    )


def model_and_batch():
    """Return a model that has gone forward and back."""
    layers = [Dense(4, "tanh"), Dense(1, "sigmoid")]
    model = Sequential(layers, "binary_crossentropy", inputs=3, dtype="float64", seed=1)
    model.forward(np.random.default_rng(1).standard_normal((3, 6)))
    model.back(np.ones((1, 6)))
    return model


def test_a_models_step_is_clipped():
    """The norm is that of all the model's gradients together."""
    model = model_and_batch()
    before, grads = model.params.copy(), model.grads.copy()
    Plain(clip_norm=1e-3).step(model)
    np.testing.assert_allclose(
        before - model.params, grads * 1e-3 / np.linalg.norm(grads), rtol=1e-10
    )
    np.testing.assert_array_equal(model.grads, grads)


@attrs.frozen
class Penalized(SGD):
    """A rule that hands its parent other gradients than it was given."""

    l2: float = 10.0

    def update(self, params, grads):
        super().update(params, grads + self.l2 * params)


def test_super_is_not_clipped_again():
    """A step is clipped once, before the outermost update: what that hands to its parent is its own affair."""
    params = np.array([1.0, -1.0])
    Penalized(0.1, clip_value=0.5).update(params, np.array([3.0, 0.25]))
    np.testing.assert_allclose(params, [1 - 0.1 * (0.5 + 10), -1 - 0.1 * (0.25 - 10)])


def test_super_is_not_counted_again():
    """A step counts once, with or without its parent's update, and the rate is that of the step until its end."""
    rates = []

    class Watching(Adam):
        def update(self, params, grads):
            rates.append((self.rate(), self.number()))
            super().update(params, grads)
            rates.append((self.rate(), self.number()))

    optimizer, params, expected = Watching(Step(0.1, 0.5, 1)), np.ones(3), np.ones(3)
    plain = Adam(Step(0.1, 0.5, 1))
    for g in gradients(4, 3):
        optimizer.update(params, g)
        plain.update(expected, g)
    np.testing.assert_array_equal(params, expected)
    assert rates == [pair for t in range(4) for pair in [(0.1 / 2**t, t + 1)] * 2]
    assert {name: optimizer.memory[name].tolist() for name in ("t", "v")} == {
        "t": 4,
        "v": plain.memory["v"].tolist(),
    }


def test_a_rule_that_counts_by_itself():
    """A memory called t that the rule adds to is not added to once more."""

    class Counting(Optimizer):
        def update(self, params, grads):
            t = self.recall("t", np.zeros((), np.int64))
            t += 1
            params -= grads / t

    optimizer = Counting(clip_value=1)
    for _ in range(3):
        optimizer.update(np.zeros(2), np.ones(2))
    assert optimizer.memory["t"] == 3


def test_a_step_that_fails_is_not_counted():
    """What is refused has not been a step."""
    optimizer = Adam(clip_norm=1)
    optimizer.update(np.zeros(2), np.ones(2))
    with pytest.raises(tn.errors.ShapeError, match="flat vectors"):
        optimizer.update(np.zeros((2, 1)), np.ones((2, 1)))
    assert optimizer.memory["t"] == 1


def test_an_update_that_is_watched():
    """A test that puts a spy around update sees every step, and steps are counted and clipped as ever."""
    inner = Adam.update
    spied = Adam(0.1, clip_norm=0.5)
    with mock.patch.object(Adam, "update", autospec=True, side_effect=inner) as spy:
        params = moved(spied, gradients(3))
    assert spy.call_count == 3
    np.testing.assert_array_equal(params, moved(Adam(0.1, clip_norm=0.5), gradients(3)))


def test_ways_to_write_update():
    """A static method, a borrowed one, a partial and a decorated one are clipped like any other."""

    class Static(Optimizer):
        @staticmethod
        def update(params, grads):
            params -= grads

    class Borrowed(Optimizer):
        update = Plain.update

    class Partial(Optimizer):
        def _move(self, params, grads, factor):
            params += factor * self.clip_norm * grads

        update = functools.partialmethod(_move, factor=-1)

    @attrs.frozen(slots=False)
    class WithDict(Plain):
        pass

    @attrs.frozen
    class Slotted(Optimizer):
        learning_rate: float = rate_field(1.0)

        def update(self, params, grads):
            params -= self.rate() * grads

    for cls in (Static, Borrowed, Partial, WithDict, Slotted):
        np.testing.assert_allclose(seen(cls(clip_norm=1), np.array([3.0, -4.0])), [0.6, -0.8])
        assert repr(cls(clip_norm=1)).endswith("clip_norm=1.0)")


# Decoupled weight decay


@attrs.frozen
class Decaying(DecoupledDecay, SGD):
    """As a user writes it."""

    weight_decay: float = 0.5

    def update(self, params, grads):
        self.decay(params, grads)
        super().update(params, grads)


@pytest.mark.parametrize(
    ("decaying", "plain"),
    [
        (AdamW(0.1, weight_decay=0.5), Adam(0.1)),
        (Decaying(0.1), SGD(0.1)),
        (Decaying(Constant(0.1), clip_norm=0.1), SGD(0.1, clip_norm=0.1)),
    ],
    ids=["adamw", "of a user", "scheduled and clipped"],
)
def test_only_weights_decay_in_a_model(decaying, plain):
    """In step(model) W shrinks and b does not; in an update of a bare vector, all of it does."""
    ours, other, bare = model_and_batch(), model_and_batch(), model_and_batch()
    for l in (1, 2):
        for model in (ours, other, bare):
            model.b[l] = np.ones_like(model.b[l])
        other.W[l] *= 0.95
    decaying.reset()
    decaying.step(ours)
    plain.step(other)
    np.testing.assert_allclose(ours.params, other.params, rtol=1e-14)

    decaying.reset()
    expected = bare.params * 0.95
    plain.reset()
    plain.update(expected, bare.grads)
    decaying.update(bare.params, bare.grads)
    np.testing.assert_allclose(bare.params, expected, rtol=1e-14)


def test_a_rule_that_forgets_while_it_steps():
    """A reset within an update leaves nothing for the step to clear away."""

    @attrs.frozen
    class Forgetful(Decaying):
        def update(self, params, grads):
            super().update(params, grads)
            self.reset()

    ours, other = model_and_batch(), model_and_batch()
    Forgetful(0.1).step(ours)
    Decaying(0.1).step(other)
    np.testing.assert_array_equal(ours.params, other.params)


def test_weights():
    """A model's weights are views of what is called W…, and of nothing else."""

    @attrs.frozen
    class Odd(Dense):
        def parameters(self, input_shape):
            shapes = {"W": (2, 3), "b": (2, 1), "W_x": (1, 2), "w": (1, 1), "gamma": (3,)}
            return {
                name: tn.Parameter(shape, tn.Initializer.get("zeros"))
                for name, shape in shapes.items()
            }

    model = Sequential([Odd(2), Dense(2)], inputs=3)
    assert [view.shape for view in model.weights] == [(2, 3), (1, 2), (2, 2)]
    assert all(np.shares_memory(view, model.params) for view in model.weights)
    with pytest.raises(tn.errors.NotBuiltError):
        Sequential([Dense(2)]).weights  # noqa: B018


def test_a_refused_step_decays_nothing():
    """Vectors of another size than those remembered are refused before anything decays, and then all is as ever."""
    optimizer, model = AdamW(0.1, weight_decay=0.5), model_and_batch()
    optimizer.update(np.ones(3), np.ones(3))
    before = model.params.copy()
    with pytest.raises(ValueError, match="one optimizer serves one model"):
        optimizer.step(model)
    with pytest.raises(tn.errors.ShapeError, match=r"\(3,\) and \(4,\)"):
        optimizer.update(model.params[:3], np.ones(4))
    params, expected, plain = np.ones(3), np.full(3, 0.95), Adam(0.1)
    plain.memory.update({name: array.copy() for name, array in optimizer.memory.items()})
    plain.update(expected, np.zeros(3))
    optimizer.update(params, np.zeros(3))
    np.testing.assert_allclose(params, expected, rtol=1e-14)
    np.testing.assert_array_equal(model.params, before)


def test_a_layer_without_weights():
    """Where a model has none, nothing decays in step(model)."""

    class Scale(Dense):
        def parameters(self, input_shape):
            return {"b": tn.Parameter((self.units, 1), tn.Initializer.get("constant", value=1.0))}

        def forward(self, A_prev, cache):
            return A_prev + cache.b

        def back(self, dZ, cache):
            cache.db = 0 * cache.b
            return dZ

    model = Sequential([Scale(2)], "mean_squared_error", inputs=2, seed=1)
    model.forward(np.ones((2, 3)))
    model.back(np.ones((2, 3)))
    Decaying(0.1).step(model)
    np.testing.assert_array_equal(model.params, 1)


@pytest.mark.parametrize("name", ["rmsprop", "adagrad", "adam", "adamw", "nadam"])
def test_they_train(name):
    """By name, each brings down the cost of a network."""
    X, Y = tn.datasets.make_moons(100, seed=1)
    model = Sequential(
        [Dense(8, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1
    )
    optimizer = Optimizer.get(name, learning_rate=0.02, clip_norm=1.0)
    history = model.fit(X, Y, optimizer, epochs=30)
    assert history["loss"][-1] < 0.7 * history["loss"][0]


# The parameter after each step, from 0.
STEPS_BY_HAND = [
    (SGD(0.5), [1, 2], [-0.5, -1.5]),
    (SGD(0.5, dampening=0.5), [2, 4], [-0.5, -1.5]),
    (SGD(1, momentum=0.5), [4, 4], [-4, -10]),
    (SGD(0.5, momentum=0.5, dampening=0.5), [4, 4], [-1, -2.5]),
    (SGD(1, momentum=0.5, nesterov=True), [4, 4], [-6, -13]),
    (SGD(1, momentum=0.5, dampening=0.5, nesterov=True), [4, 4], [-3, -6.5]),
    (Adam(0.5, beta1=0, beta2=0, epsilon=1), [1, 3], [-0.25, -0.625]),
    # v̂ = 1, ŝ = 1; then v = 7/4, s = 39/16, so v̂ = 7/3, ŝ = 39/7
    (
        Adam(1, beta1=0.5, beta2=0.75, epsilon=1),
        [1, 3],
        [-0.5, -0.5 - (7 / 3) / (math.sqrt(39 / 7) + 1)],
    ),
]


@pytest.mark.parametrize(("optimizer", "grads", "expected"), STEPS_BY_HAND)
def test_steps_by_hand(optimizer, grads, expected):
    """Each step is the one of the formula; after a reset, the first is the first again."""
    for _ in range(2):
        params, actual = np.zeros(1), []
        for gradient in grads:
            optimizer.update(params, np.array([gradient], float))
            actual.append(params[0])
        np.testing.assert_allclose(expected, actual, rtol=1e-14)
        optimizer.reset()


@pytest.mark.parametrize(
    "settings", [{}, {"beta1": 0.5, "beta2": 0.75}, {"beta1": 0.0}, {"beta2": 0.0}]
)
def test_adam_under_a_constant_gradient(settings):
    """The corrected means of equal gradients are that gradient, so every step is as long as the learning rate."""
    optimizer, params = Adam(0.25, epsilon=1e-300, **settings), np.zeros(2)
    for t in range(1, 6):
        optimizer.update(params, np.array([100.0, -0.01]))
        np.testing.assert_allclose([-0.25 * t, 0.25 * t], params, rtol=1e-12)
