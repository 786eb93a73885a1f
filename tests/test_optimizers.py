"""Optimizers: rules against plain arithmetic and PyTorch; settings, memory, steps, weight decay."""

import copy
import math
import pickle
import re
import sys
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from helpers import registered
from messages import raises

import tinynet as tn
from tinynet import SGD, Adagrad, Adam, AdamW, Dense, Lion, Nadam, Optimizer, RMSprop, Sequential
from tinynet.errors import NotBuiltError, ShapeError
from tinynet.schedules import Constant, Exponential, InverseTime, Step

NOT_IN_TORCH = [
    SGD(0.1, dampening=0.5), SGD(0.1, momentum=0.9, dampening=0.5, nesterov=True),
    Lion(), Lion(0.02, beta1=0.8, beta2=0.95), Lion(0.02, weight_decay=0.3),
    SGD(0.1, momentum=0.9, weight_decay=0.3), Adagrad(0.1, weight_decay=0.03),
    RMSprop(weight_decay=0.3), Nadam(0.02, weight_decay=0.3),
]  # fmt: skip
RULES = [
    *NOT_IN_TORCH, SGD(0.1), SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9, dampening=0.5),
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(), RMSprop(0.02, decay=0.9, epsilon=1e-3), RMSprop(0.02, momentum=0.8),
    RMSprop(0.02, centered=True), RMSprop(0.02, decay=0.95, momentum=0.8, centered=True),
    Adagrad(), Adagrad(InverseTime(0.1, 0.2, floor=False), epsilon=1e-3),
    Adam(), Adam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3), Adam(0.02, beta1=0.0, beta2=0.0),
    Adam(0.02, beta1=0.0), Adam(0.02, beta2=0.0), SGD(0.1, weight_decay=0.03),
    Adam(0.02, amsgrad=True), AdamW(0.02, beta2=0.8, weight_decay=0.3, amsgrad=True),
    AdamW(), AdamW(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3),
    Nadam(), Nadam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, momentum_decay=0.1),
    Nadam(0.02, momentum_decay=0), Nadam(0.02, beta1=0.0),
    *(cls(Step(0.02, 0.5, 10)) for cls in (SGD, RMSprop, Adagrad, Adam, AdamW, Lion, Nadam)),
]  # fmt: skip
BY_EPOCH = SGD(Exponential(0.1, 0.5, by="epoch"), momentum=0.5)
STATEFUL = [SGD(0.1, momentum=0.9), Adam(0.01), SGD(Step(0.1, 0.5, 3))]


def gradients(steps=50):
    """Return gradients of several sizes, some a thousand times as large as others."""
    return np.random.default_rng(1).standard_normal((steps, 7)) * np.geomspace(0.01, 10, 7)


def moved(optimizer, grads, dtype=np.float64):
    """Return the parameters after each step."""
    params, after = np.linspace(-1, 2, 7, dtype=dtype), []
    for g in grads.astype(dtype):
        optimizer.update(params, g)
        after.append(params.copy())
    return np.array(after)


def network(seed=1):
    """Return a model after a forward and a backward pass."""
    layers = [Dense(4, "tanh"), Dense(1, "sigmoid")]
    model = Sequential(layers, "binary_crossentropy", inputs=2, dtype="float64", seed=seed)
    model.forward(np.random.default_rng(1).standard_normal((2, 6)))
    model.back(np.ones((1, 6)))
    return model


class Plain(Optimizer):
    """The three lines of a user, without a learning rate."""

    def apply(self, params, grads):
        params -= grads


# The rules once more, as their papers write them: the step of number t, times the learning rate


def by_sgd(o, t, g, m):
    m.v = o.momentum * m.v + (1 - o.dampening) * g
    return o.momentum * m.v + (1 - o.dampening) * g if o.nesterov else m.v


def by_rmsprop(o, t, g, m):
    m.s = o.decay * m.s + (1 - o.decay) * g**2
    m.mean = o.decay * m.mean + (1 - o.decay) * g
    size = np.sqrt(m.s - m.mean**2 if o.centered else m.s)
    m.v = o.momentum * m.v + g / (size + o.epsilon)
    return m.v


def by_adagrad(o, t, g, m):
    m.s = m.s + g**2
    return g / (np.sqrt(m.s) + o.epsilon)


def by_adam(o, t, g, m):
    m.v = o.beta1 * m.v + (1 - o.beta1) * g
    m.s = o.beta2 * m.s + (1 - o.beta2) * g**2
    m.largest = np.maximum(m.largest, m.s) if o.amsgrad else m.s
    return (m.v / (1 - o.beta1**t)) / (np.sqrt(m.largest / (1 - o.beta2**t)) + o.epsilon)


def by_lion(o, t, g, m):
    step = np.sign(o.beta1 * m.v + (1 - o.beta1) * g)
    m.v = o.beta2 * m.v + (1 - o.beta2) * g
    return step


def by_nadam(o, t, g, m):
    mu = [o.beta1 * (1 - 0.96 ** (i * o.momentum_decay) / 2) for i in range(1, t + 2)]
    m.v = o.beta1 * m.v + (1 - o.beta1) * g
    m.s = o.beta2 * m.s + (1 - o.beta2) * g**2
    v = mu[-1] * m.v / (1 - math.prod(mu)) + (1 - mu[-2]) * g / (1 - math.prod(mu[:-1]))
    return v / (np.sqrt(m.s / (1 - o.beta2**t)) + o.epsilon)


BY_HAND = {
    SGD: by_sgd, RMSprop: by_rmsprop, Adagrad: by_adagrad,
    Adam: by_adam, AdamW: by_adam, Lion: by_lion, Nadam: by_nadam,
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_rules_by_plain_arithmetic(rule):
    """Fifty steps are those of the formula, after a reset too, and in float32 to its precision."""
    grads, optimizer, single, expected = gradients(), rule.fresh(), rule.fresh(), []
    p, m = np.linspace(-1, 2, 7), SimpleNamespace(v=0.0, s=0.0, mean=0.0, largest=0.0)
    for t, g in enumerate(grads, 1):
        rate = rule.learning_rate
        rate = rate.at(t - 1) if isinstance(rate, tn.Schedule) else rate
        p = p - rate * rule.weight_decay * p
        p = p - rate * BY_HAND[type(rule)](rule, t, g, m)
        expected.append(p)
    actual = moved(optimizer, grads)
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-13)
    optimizer.reset()
    np.testing.assert_array_equal(moved(optimizer, grads), actual)
    np.testing.assert_allclose(moved(single, grads, np.float32), actual, rtol=2e-4, atol=2e-5)
    assert {array.dtype for array in single.memory.values() if array.ndim} <= {np.dtype("float32")}


def test_every_rule_is_tested():
    """The table has every optimizer of the library."""
    known = set(registered(Optimizer).values())
    assert set(BY_HAND) == known == {type(optimizer) for optimizer in RULES}


def test_equal_gradients_for_long():
    """A centered RMSprop whose gradients never change divides by epsilon at last, not by less."""
    params, optimizer = np.zeros(5), RMSprop(1e-9, decay=0.5, centered=True)
    for _ in range(200):
        optimizer.update(params, np.array([0.1, 1 / 3, 7.7, 1e-3, 123.456]))
        assert np.isfinite(params).all()


# PyTorch's own steps


def in_torch(torch, o, parameters):
    """Return PyTorch's optimizer of the same rule and settings."""
    names = {"epsilon": "eps", "decay": "alpha"}
    settings = {names.get(name, name): value for name, value in o.config().items()}
    for name in ("family", "name", "clip_norm", "clip_value", "learning_rate"):
        del settings[name]
    if "beta1" in settings:
        settings["betas"] = settings.pop("beta1"), settings.pop("beta2")
    if isinstance(o, Adagrad):
        settings["lr_decay"] = getattr(o.learning_rate, "decay", 0)
    cls = getattr(torch.optim, {Nadam: "NAdam"}.get(type(o), type(o).__name__))
    optimizer = cls(parameters, lr=o.rate(), **settings)
    if isinstance(o, SGD) and o.momentum:  # there, the first gradient is not dampened
        optimizer.state[parameters[0]]["momentum_buffer"] = torch.zeros_like(parameters[0])
    return optimizer


@pytest.fixture
def torch():
    """Return PyTorch, computing in float64, NAdam's product of momenta included."""
    module = pytest.importorskip("torch")
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


@pytest.mark.parametrize(("rule", "clip", "rtol"), [
    *((rule, {}, 1e-11) for rule in RULES if rule not in NOT_IN_TORCH and type(rule) is not Lion),
    *((rule, {"clip_value": 0.5}, 1e-11) for rule in (SGD(0.1, momentum=0.9), Adam(0.01))),
    *((rule, {"clip_norm": 2.0}, 1e-6) for rule in (SGD(0.1, momentum=0.9), Adam(0.01))),
])  # fmt: skip
def test_rules_are_those_of_torch(rule, clip, rtol, torch):
    """Fifty steps agree with PyTorch's, which adds 1e-6 to the norm that it clips by."""
    parameter, expected = torch.tensor(np.linspace(-1, 2, 7), requires_grad=True), []
    theirs = in_torch(torch, rule.fresh(), [parameter])
    for t, g in enumerate(gradients()):
        if isinstance(rule.learning_rate, Step):
            theirs.param_groups[0]["lr"] = rule.learning_rate.at(t)
        parameter.grad = torch.tensor(g)
        for name, limit in clip.items():
            clips = "clip_grad_value_" if name == "clip_value" else "clip_grad_norm_"
            getattr(torch.nn.utils, clips)([parameter], limit)
        theirs.step()
        expected.append(parameter.detach().numpy().copy())
    ours = moved(rule.evolve(**clip), gradients())
    np.testing.assert_allclose(ours, expected, rtol=rtol, atol=rtol / 10)


# Settings


ABOVE_0, BELOW_1 = "expected a finite number above 0", "expected a number of at least 0 and below 1"
BAD_LIMITS = (0, -1, math.nan, math.inf)


@pytest.mark.parametrize(("make", "settings", "message"), [
    *((SGD, {"clip_norm": bad}, f"clip_norm is {float(bad)}, {ABOVE_0}") for bad in BAD_LIMITS),
    *((Adam, {"clip_value": bad}, f"clip_value is {float(bad)}, {ABOVE_0}") for bad in BAD_LIMITS),
    (Adam, {"clip_value": "much"}, "much"),
    (SGD, {"clip_norm": 1, "clip_value": 2}, "clip_norm=1.0 and clip_value=2.0, expected one"),
    (RMSprop, {"decay": 1}, f"RMSprop: decay is 1.0, {BELOW_1}"),
    (RMSprop, {"momentum": 1}, f"momentum is 1.0, {BELOW_1}"),
    (Adagrad, {"epsilon": 0}, f"epsilon is 0.0, {ABOVE_0}"),
    (AdamW, {"weight_decay": -1}, "weight_decay is -1.0, .* at least 0"),
    (SGD, {"weight_decay": math.inf}, "weight_decay is inf, .* at least 0"),
    (Adam, {"amsgrad": "yes"}, "Adam: amsgrad is 'yes', expected True or False"),
    (SGD, {"momentum": 0.9, "nesterov": "no"}, "SGD: nesterov is 'no', expected True or False"),
    (SGD, {"momentum": 0.9, "nesterov": 2}, "SGD: nesterov is 2, expected True or False"),
    (RMSprop, {"centered": "no"}, "RMSprop: centered is 'no', expected True or False"),
    (Lion, {"beta2": 1}, f"Lion: beta2 is 1.0, {BELOW_1}"),
    (Nadam, {"momentum_decay": -1}, "momentum_decay is -1.0, .* at least 0"),
    (Nadam, {"learning_rate": -1}, "learning_rate is -1.0, .* at least 0, or a schedule"),
    (SGD().evolve, {"momentum": 1}, f"momentum is 1.0, {BELOW_1}"),
])  # fmt: skip
def test_bad_settings(make, settings, message):
    """A setting that means nothing is refused, with what it is and what is expected."""
    with pytest.raises(ValueError, match=message):
        make(**settings)


@pytest.mark.parametrize(("optimizer", "expected"), [
    (Adagrad(Constant(1), clip_value=2),
     "learning_rate=Constant(rate=1.0), epsilon=1e-10, clip_value=2.0"),
    (SGD(clip_norm=1),
     "learning_rate=0.01, momentum=0.0, dampening=0.0, nesterov=False, clip_norm=1.0"),
    (RMSprop(), "learning_rate=0.01, decay=0.99, epsilon=1e-08, momentum=0.0, centered=False"),
    (Adagrad(), "learning_rate=0.01, epsilon=1e-10"),
    (AdamW(), "learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01"),
    (Adagrad(weight_decay=0.1), "learning_rate=0.01, epsilon=1e-10, weight_decay=0.1"),
    (Lion(), "learning_rate=0.0001, beta1=0.9, beta2=0.99"),
    (Adam(amsgrad=True),
     "learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=True"),
    (Nadam(), "learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08, momentum_decay=0.004"),
])  # fmt: skip
def test_repr(optimizer, expected):
    """It has PyTorch's defaults; clipping, by keyword only, is last and only if there is any."""
    assert repr(optimizer) == f"{type(optimizer).__name__}({expected})"
    with pytest.raises(TypeError, match="SGD takes at most 4 values, learning_rate, momentum"):
        SGD(0.1, 0.0, 0.0, False, 1.0)


@pytest.mark.parametrize("rule", [*RULES, BY_EPOCH], ids=repr)
def test_descriptions_with_clipping(rule):
    """Clipping is a part of equality, hash and config; memory is not; a copy of it continues."""
    optimizer, used = rule.evolve(clip_norm=0.5), rule.evolve(clip_norm=0.5)
    for checked in (rule, optimizer, rule.evolve(clip_value=0.5)):
        tn.testing.check_optimizer(checked)
    moved(used, gradients(3))
    pickled = pickle.loads(pickle.dumps(used))
    for other in (Optimizer.get(used.config()), copy.deepcopy(used), pickled):
        for what in (hash, repr, Optimizer.config, lambda description: description):
            assert what(other) == what(optimizer)
    assert rule.evolve(clip_value=0.5) != optimizer


# Memory


@pytest.mark.parametrize(("optimizer", "names"), [
    (SGD(), ""), (SGD(momentum=0.9), "t velocity"), (SGD(Exponential(0.1, 0.5)), "t"),
    (BY_EPOCH.evolve(momentum=0), "epoch"), (Adam(), "s t v"), (AdamW(), "s t v"),
    (Adam(amsgrad=True), "largest_s s t v"), (Nadam(), "lost s t v"), (Lion(), "t v"),
    (RMSprop(momentum=0.9, centered=True), "mean mean_square t velocity"),
    (RMSprop(), "mean_square t"), (Adagrad(), "sum_of_squares t"),
], ids=repr)  # fmt: skip
def test_names_in_memory(optimizer, names):
    """A checkpoint stores the memory by these names, so they stay as they are."""
    moved(optimizer, gradients(2))
    assert sorted(optimizer.memory) == names.split()


class Halves(Optimizer):
    """A user's rule with memory, which does not work by blocks."""

    def apply(self, params, grads):
        mean = self.slot("mean", params)
        mean += grads
        mean *= 0.5
        params -= mean


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", [
    SGD(momentum=0.9), SGD(momentum=0.99, nesterov=True), Adam(), AdamW(), Nadam(beta2=0.9),
    RMSprop(decay=0.9, centered=True, momentum=0.9), Adagrad(), Halves(),
], ids=repr)  # fmt: skip
def test_no_subnormal_numbers_are_left(optimizer, dtype):
    """After gradients of exactly 0, memory is 0 or large enough for a normal number."""
    optimizer, params = optimizer.fresh(), np.ones(9, dtype)
    for _ in range(3):
        optimizer.update(params, np.linspace(-1, 1, 9).astype(dtype))
    steps = 1_664 if dtype is np.float32 else 8_192
    for _ in range(steps):
        optimizer.update(params, np.zeros(9, dtype))
    smallest = np.finfo(dtype).tiny
    for name, array in optimizer.memory.items():
        left = (array != 0) & (np.abs(array) < smallest)
        assert not left.any(), f"{name} holds {array} after {steps} steps without a gradient"


def test_a_copy_of_an_optimizer_has_no_model():
    """The blocks of its last step are views of a model's vectors; a pickle leaves them out."""
    optimizer = Adam(0.1)
    optimizer.step(network())
    for other in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        assert other._scratch == {"names": ("v", "s")}
        other.step(network())
        assert other.memory["t"] == 2, "a copy goes on with the memory"
    unused = pickle.loads(pickle.dumps(AdamW(0.1)))
    unused.step(network())
    assert unused.memory["t"] == 1


def test_fresh_and_evolve():
    """`fresh` has no memory; `evolve` and copies have Adam's moments in arrays of their own."""
    used, reference = Adam(0.1, clip_norm=1), Adam(0.05, clip_norm=1)
    moved(used, gradients(3))
    moved(reference, gradients(3))
    slower, other, params = used.evolve(learning_rate=0.05), used.fresh(), np.ones((3, 7))
    assert (slower, other, other.memory) == (reference, used, {})
    before = copy.deepcopy(used.memory)
    for optimizer, vector in zip((slower, reference, copy.copy(used)), params, strict=True):
        optimizer.update(vector, gradients(1)[0])
    np.testing.assert_array_equal(params[0], params[1])
    np.testing.assert_equal(used.memory, before)
    with pytest.raises(TypeError, match=r"Adam has no field 'rate'\. Its fields are learning_rate"):
        used.evolve(rate=0.5)


OF_ANOTHER = (
    "holds the memory of another model, expected its own. "
    "Use optimizer.fresh() here, or optimizer.reset()."
)


@pytest.mark.parametrize("rule", STATEFUL, ids=repr)
def test_memory_of_another_model(rule):
    """A step of a second model of the same shapes is refused, and the remedies work."""
    optimizer, first, second, expected = rule.fresh(), *map(network, (1, 2, 2))
    optimizer.step(first)
    rule.fresh().step(expected)
    before, memory = second.params.copy(), copy.deepcopy(optimizer.memory)
    for stepped in (optimizer, optimizer.evolve(learning_rate=0.5), copy.copy(optimizer)):
        with raises(ValueError, re.compile("^This optimizer holds"), OF_ANOTHER):
            stepped.step(second)
    np.testing.assert_array_equal(second.params, before)
    np.testing.assert_equal(optimizer.memory, memory)
    optimizer.step(first)  # still its own
    for remedy in (optimizer.fresh, lambda: optimizer.reset() or optimizer):
        second.params[:] = before
        remedy().step(second)
        np.testing.assert_array_equal(second.params, expected.params)


def test_an_optimizer_without_memory_serves_many_models():
    """Plain gradient descent steps one model after another; a copy of a model is another."""
    optimizer, model = SGD(0.1), network()
    others = [model, copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for other in others:
        optimizer.step(other)
        np.testing.assert_array_equal(other.params, model.params)
    assert len({id(other.identity) for other in others}) == 4


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adagrad", "adam", "adamw", "nadam"])
def test_five_folds_with_one_optimizer(name):
    """`fit` begins anew for each model, as with a fresh one, and continues for the same."""
    X, Y = tn.datasets.make_moons(60, seed=1)
    shared = Optimizer.get(name, learning_rate=Step(0.04, 0.9, 20), clip_norm=1.0)
    for fold in range(5):
        rows, params = np.arange(60) % 5 != fold, []
        for optimizer in (shared, shared.fresh()):
            model = network(fold)
            first = model.fit(X[:, rows], Y[:, rows], optimizer, epochs=30, batch_size=16)
            model.fit(X[:, rows], Y[:, rows], optimizer, batch_size=16)
            assert first["loss"][-1] < 0.9 * first["loss"][0]
            params.append(model.params)
        np.testing.assert_array_equal(*params)
        assert shared.memory["t"] == 31 * 3
    with pytest.raises(ShapeError):  # and what is refused resets nothing
        network().fit(np.ones((5, 4)), np.ones((1, 4)), shared)
    assert shared.memory["t"] == 31 * 3


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda two: pickle.loads(pickle.dumps(two))])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("rule", STATEFUL, ids=repr)
def test_copies_continue(rule, together, duplicate):
    """A copy of model and optimizer continues exactly; copied together, they belong together."""
    model, optimizer = network(), rule.fresh()
    optimizer.step(model)
    pair = [optimizer, model]
    copied, twin = duplicate(pair) if together else map(duplicate, pair)
    for stepped, other in [(copied, model), (optimizer, twin)] if together else []:
        with pytest.raises(ValueError, match="another model"):
            stepped.step(other)
    for stepped, its_own in ((optimizer, model), (copied, twin)) * 3:
        stepped.begin(its_own)
        stepped.step(its_own)
    np.testing.assert_array_equal(twin.params, model.params)


@attrs.frozen
class Summing(Optimizer):
    """A rule whose class has slots, and which works by blocks in every step."""

    def apply(self, params, grads):
        for p, g, total, _ in self.blocks(params, grads, "total"):
            total += g
            p -= total


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda two: pickle.loads(pickle.dumps(two))])
def test_copies_of_a_slotted_rule_move_their_own_vectors(duplicate):
    """A class with slots has a way of its own to be copied, and takes no blocks along either."""
    everything = [Summing(), np.zeros(3), np.ones(3)]
    for _ in range(2):
        everything[0].update(*everything[1:])
    rule, params, grads = duplicate(everything)
    rule.update(params, grads)
    np.testing.assert_array_equal([-6, -6, -6], params)  # 1 + 2 + 3


@pytest.mark.parametrize(("rule", "name"), [
    (Summing(), "total"), (SGD(1.0, momentum=0.5), "velocity"), (Adagrad(1.0), "sum_of_squares"),
], ids=repr)  # fmt: skip
def test_another_array_in_the_memory(rule, name):
    """A step computes with what is in the memory now, where a file has put another array there."""
    optimizer, params, grads = rule.fresh(), np.zeros(3), np.ones(3)
    optimizer.update(params, grads)
    first = params.copy()
    optimizer.update(params, grads)
    second = params.copy()
    optimizer.memory[name] = np.zeros(3)
    optimizer.update(params, grads)
    np.testing.assert_array_equal(first, params - second)
    np.testing.assert_array_equal(1, optimizer.memory[name])


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_integers_are_refused(rule):
    """The numbers of a rule are no integers: as such they would be 0, and move nothing."""
    params, grads, optimizer = np.zeros(3, int), np.ones(3, int), rule.fresh()
    with pytest.raises(TypeError, match="params has dtype int64, expected floats"):
        optimizer.update(params, grads)
    assert not params.any()
    params = params.astype(float)  # as the message says
    optimizer.update(params, grads)
    assert params.all()


# A step: clip, apply, count


def seen(optimizer, grads):
    """Return how far a step of `Plain` moves parameters: the gradients that it was given."""
    params, before = np.zeros(np.shape(grads), np.asarray(grads).dtype), np.copy(grads)
    optimizer.update(params, grads)
    np.testing.assert_array_equal(grads, before)
    return -params


@pytest.mark.parametrize(("clip", "grads", "expected"), [
    ({}, [3, -4], [3, -4]), ({"clip_norm": 5}, [3, -4], [3, -4]),
    ({"clip_norm": 10}, [3, -4], [3, -4]), ({"clip_norm": 4}, [3, -4], [2.4, -3.2]),
    ({"clip_norm": 1}, [0, 0], [0, 0]), ({"clip_norm": 1}, [], []),
    ({"clip_norm": 1}, [3e30, -4e30], [0.6, -0.8]),
    ({"clip_norm": 1e-30}, [3e-25, -4e-25], [0.6e-30, -0.8e-30]),
    ({"clip_norm": 1}, [math.nan, 1], [math.nan, 1]),
    ({"clip_value": 3.5}, [3, -4], [3, -3.5]),
    ({"clip_value": 3.5}, [math.nan, math.inf], [math.nan, 3.5]),
])  # fmt: skip
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_clipped(clip, grads, expected, dtype, rtol):
    """The whole vector is scaled to the norm, or each number limited; grads stay as they are."""
    result = seen(Plain(**clip), np.array(grads, dtype))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=rtol)


def test_clipping_of_any_array():
    """Squares beyond float64, matrices, strided views, integers and a model's gradients will do."""
    grads, model = np.arange(12.0).reshape(3, 4), network()
    large, small = np.array([3e300, -4e300]), np.array([3e-290, 4e-290])
    np.testing.assert_allclose(seen(Plain(clip_norm=1), large), [0.6, -0.8], rtol=1e-14)
    np.testing.assert_allclose(seen(Plain(clip_norm=1e-300), small), [6e-301, 8e-301], rtol=1e-14)
    for array in (grads, grads.T, grads[:, ::2], grads.astype(int)):
        optimizer, params = Plain(clip_norm=2), np.zeros(array.shape)
        optimizer.update(params, array)
        np.testing.assert_allclose(-params, 2 * array / np.linalg.norm(array), rtol=1e-14)
    before, grads = model.params.copy(), model.grads.copy()
    Plain(clip_norm=1e-3).step(model)
    expected = grads * 1e-3 / np.linalg.norm(grads)
    np.testing.assert_allclose(before - model.params, expected, rtol=1e-10)
    np.testing.assert_array_equal(model.grads, grads)


@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.25}], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_clipping_of_every_rule(rule, clip):
    """Each rule moves as it does without clipping by gradients that are clipped beforehand."""
    grads, before = gradients(10), np.clip(gradients(10), -0.25, 0.25)
    if "clip_norm" in clip:
        before = np.array([g * min(1, 0.5 / np.linalg.norm(g)) for g in grads])
    assert not np.array_equal(before, grads)
    actual = moved(rule.evolve(**clip), grads)
    np.testing.assert_allclose(actual, moved(rule.fresh(), before), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.25}], ids=str)
def test_clipping_of_other_sizes_and_dtypes(clip):
    """One optimizer without memory clips vectors of any size and dtype in turn."""
    optimizer = SGD(1.0, **clip)
    for size, dtype in ((4, "f8"), (16, "f8"), (16, "f4"), (4, "f8")):
        params, grads = np.zeros(size, dtype), np.full(size, 2.0, dtype)
        optimizer.update(params, grads)
        expected = clip.get("clip_value", 0.5 / size**0.5)
        assert optimizer._scratch["clipped"].dtype == dtype
        np.testing.assert_allclose(params, np.full(size, -expected), rtol=1e-6)


def test_a_parents_rule_is_neither_clipped_nor_counted_again():
    """A step is clipped and counted once, whatever `apply` passes to its parent's."""
    rates, rate = [], Step(0.1, 0.5, 1)

    @attrs.frozen
    class Penalized(SGD):
        def apply(self, params, grads):
            rates.append((self.rate(), self.number()))
            super().apply(params, grads + 10 * params)
            rates.append((self.rate(), self.number()))

    optimizer, plain, params = Penalized(rate, 0.5, clip_value=0.5), SGD(rate, 0.5), np.ones((2, 2))
    for _ in range(4):
        optimizer.update(params[0], np.array([3.0, 0.25]))
        plain.update(params[1], np.array([0.5, 0.25]) + 10 * params[1])
    np.testing.assert_allclose(params[0], params[1], rtol=1e-14)
    assert rates == [pair for t in range(4) for pair in [(0.1 / 2**t, t + 1)] * 2]
    assert optimizer.memory["t"] == 4


def test_a_rule_that_counts_by_itself():
    """A memory called t that the rule writes is not added to again, and may go in a reset."""

    class Counting(Optimizer):
        def apply(self, params, grads):
            t = self.slot("t", np.zeros((), np.int64))
            t += 1
            params -= grads / t
            if t == 3:
                self.reset()

    optimizer = Counting(clip_value=1)
    for count in (1, 2, None, 1):
        optimizer.update(np.zeros(2), np.ones(2))
        assert optimizer.memory.get("t") == count


@attrs.frozen(slots=False)
class CountsInFloats(Optimizer):
    """A rule with a vector, and with a count that is no integer."""

    def apply(self, params, grads):
        total, t = self.slot("total", params), self.slot("t", np.zeros(()))
        total += grads
        params -= total / (1 + t)


def test_a_count_of_another_dtype():
    """What a rule calls t is made by the rule, if it makes one."""
    rule, params = CountsInFloats(), np.zeros(2)
    for _ in range(2):
        rule.update(params, np.ones(2))
    np.testing.assert_array_equal(params, [-2, -2])
    assert (rule.memory["t"], rule.memory["t"].dtype) == (2, np.float64)


def test_rules_of_users():
    """A rule with `update` in place of `apply` is refused; a rate of another type is the rate."""
    Signs = type("Signs", (Optimizer,), {"update": lambda self, params, grads: None})
    with pytest.raises(TypeError, match=r"abstract class Signs .*apply"):
        Signs(clip_norm=1)
    members = {"__annotations__": {"learning_rate": int}, "learning_rate": 2}
    optimizer = attrs.frozen(type("Unconverted", (Plain,), members))()
    assert optimizer.rate() == optimizer.rate(later=3) == 2


class Below0(Constant, name="below_0"):
    """A schedule that moves parameters up the gradient."""

    def at(self, t):
        return -self.rate


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_step_is_no_larger_than_its_bound(rule, dtype):
    """`fit` copies no parameters and looks at none where their norm cannot become large."""
    rng, largest, optimizer = np.random.default_rng(1), 0.0, rule.fresh()
    params = rng.standard_normal(30).astype(dtype)
    for size in (1e-25, 1e-3, 1e18, 1.0, *10.0 ** rng.uniform(-12, 6, 100)):
        grads = (size * rng.standard_normal(30)).astype(dtype) * (rng.random(30) < 0.7)
        largest = max(largest, math.hypot(*grads))
        bound = math.hypot(*params) + optimizer.largest_change(largest)
        assert bound < math.inf or isinstance(rule, Lion), "the rule has no bound"
        optimizer.update(params, grads)
        assert math.hypot(*params) <= bound * (1 + 1e-6), f"the bound of {rule!r} is too low"


@pytest.mark.parametrize("rule", [
    SGD(1.0), SGD(1.0, momentum=0.9), SGD(1.0, momentum=0.9, dampening=0.5),
    SGD(1.0, momentum=0.9, nesterov=True),
], ids=repr)  # fmt: skip
def test_equal_gradients_reach_the_bound(rule):
    """The velocity of SGD sums up gradients, and the bound is as large as that sum can be."""
    optimizer, params, grads = rule.fresh(), np.zeros(4), np.ones(4)
    for _ in range(300):
        before = params.copy()
        optimizer.update(params, grads)
    step = math.hypot(*(params - before))
    assert math.isclose(step, optimizer.largest_change(math.hypot(*grads)), rel_tol=1e-9)


@pytest.mark.parametrize(("rule", "expected"), [
    (SGD(0.5), 3.0), (SGD(2.0), 6.0), (SGD(2.0, momentum=0.75, dampening=0.5), 12.0),
    (SGD(1.0, weight_decay=1.0), 3.0), (Adagrad(2.0, epsilon=0.5), 12.0),
    (Adam(2.0, epsilon=0.5), 24.0), (Nadam(2.0, epsilon=0.5), 24.0),
    (RMSprop(1.0, epsilon=0.5, momentum=0.75), 24.0),
], ids=repr)  # fmt: skip
def test_bounds_by_hand(rule, expected):
    """A rate below 1 counts as 1; sums of momentum, two means and 1 / epsilon are factors."""
    assert expected == rule.largest_change(3.0)


@pytest.mark.parametrize(("rule", "gradient"), [
    (RMSprop(1e-9, decay=0, epsilon=1.1e-20, momentum=0.9, centered=True), 1e19),
    (Adam(1e22, epsilon=1e6), 1e19), (Adam(1e32, beta1=1 - 1e-12), 1e-13),
], ids=repr)  # fmt: skip
def test_what_a_rule_computes_may_overflow(rule, gradient):
    """A quotient or product may be infinite in float32 where the step in formulas is not."""
    params, grads = np.ones((2, 1), np.float32)
    grads[:] = gradient
    bound = rule.largest_change(gradient)
    rule.update(params, grads)
    assert not np.isfinite(params).all()
    assert bound > 1e37, "fit would not look at the parameters"


@pytest.mark.parametrize("rule", [
    SGD(1e10), Adam(epsilon=1e-20), RMSprop(epsilon=1e-30), Adagrad(epsilon=1e-30), Lion(),
    AdamW(2.0, weight_decay=1.0), SGD(Below0(0.1), weight_decay=0.1),
], ids=repr)  # fmt: skip
def test_no_bound(rule):
    """A rate, an epsilon or a decay that may make parameters large leaves a step without bound."""
    assert rule.largest_change(1.0) == math.inf


class Warm(SGD):
    """A rate that depends on what the user counts."""

    def rate(self, later=0):
        return 0.5 * super().rate(later)


@pytest.mark.parametrize("optimizer", [Warm(0.1), Warm(0.1, weight_decay=0.5)], ids=repr)
def test_a_rate_of_its_own(optimizer):
    """A subclass may compute the learning rate in another way, and each step asks it."""
    params, expected, grads = np.ones(3), np.ones(3), np.array([1.0, 2.0, 3.0])
    same = SGD(0.05, weight_decay=optimizer.weight_decay)
    for _ in range(3):
        optimizer.update(params, grads)
        same.update(expected, grads)
    np.testing.assert_array_equal(expected, params)


STEP = ["update", "apply", "is_of"]


@pytest.mark.parametrize(("rule", "expected"), [
    (SGD(0.1), [*STEP, "move"]),
    (SGD(0.1, momentum=0.5), [*STEP, "rate", "move_with_momentum", "_count"]),
    (Adam(), [*STEP, "rate", "move", "<lambda>", "average", "average", "_count"]),
    (Summing(), ["update", "apply", "blocks", "is_of", "_count"]),
], ids=repr)  # fmt: skip
def test_calls_of_a_step(rule, expected):
    """A step takes few calls of Python functions, and none that looks up what is known."""
    calls, optimizer, vectors = [], rule.fresh(), tuple(np.ones((2, 3)))
    optimizer.update(*vectors)
    sys.setprofile(lambda frame, event, _: event == "call" and calls.append(frame.f_code.co_name))
    optimizer.update(*vectors)
    sys.setprofile(None)
    assert expected == calls


# Decoupled weight decay


@attrs.frozen
class Decaying(SGD):
    """As a user writes it."""

    weight_decay: float = 0.5


@pytest.mark.parametrize(("decaying", "plain"), [
    (AdamW(0.1, weight_decay=0.5), Adam(0.1)), (Decaying(0.1), SGD(0.1)),
    (Decaying(Constant(0.1), clip_norm=0.1), SGD(0.1, clip_norm=0.1)),
    *((cls(0.1, weight_decay=0.5), cls(0.1)) for cls in (SGD, Adagrad, Lion, Nadam, RMSprop)),
], ids=repr)  # fmt: skip
def test_only_weights_decay_in_a_model(decaying, plain):
    """In step(model) W shrinks and b does not; in an update of a bare vector, all of it does."""
    ours, other, bare = network(), network(), network()
    for model in (ours, other, bare):
        model.b[1], model.b[2] = np.ones((4, 1)), np.ones((1, 1))
    for view in other.decaying:
        view *= 0.95
    assert [view.shape for view in other.decaying] == [(4, 2), (1, 4)]
    expected = bare.params * 0.95
    decaying.fresh().step(ours)
    plain.fresh().step(other)
    np.testing.assert_allclose(ours.params, other.params, rtol=1e-14)
    decaying.fresh().update(bare.params, bare.grads)
    plain.fresh().update(expected, bare.grads)
    np.testing.assert_allclose(bare.params, expected, rtol=1e-14)


def test_what_decays():
    """Views of the parameters that are declared to decay; a model may have none."""
    shapes = {"W": (2, 3), "b": (2, 1), "W_x": (1, 2), "w": (1, 1), "gamma": (3,)}
    odd = {name: tn.Parameter(s, "zeros", name[0] == "W") for name, s in shapes.items()}
    Odd = type("Odd", (Dense,), {"parameters": lambda self, input_shape: odd})
    model, params = Sequential([Odd(2), Dense(2)], inputs=3), np.ones(3)
    assert [view.shape for view in model.decaying] == [(2, 3), (1, 2), (2, 2)]
    assert all(np.shares_memory(view, model.params) for view in model.decaying)
    assert Sequential([tn.BatchNorm()], inputs=3).decaying == []
    with pytest.raises(NotBuiltError):
        Sequential([Dense(2)]).decaying  # noqa: B018
    Decaying(0.1).update(params, np.zeros(3), decaying=[])
    np.testing.assert_array_equal(params, 1)

    class Counting(Decaying):
        def apply(self, params, grads):
            self.slot("five counts", np.zeros(5))[...] += 1  # memory of another size than params

    optimizer = Counting(0.1)
    for _ in range(2):
        optimizer.update(params, np.zeros(3), [params[1:]])
    np.testing.assert_allclose(params, [1, 0.9025, 0.9025])


@attrs.frozen
class OfRows(Optimizer):
    """A rule of a user for matrices: each row of the gradient is divided by its norm."""

    learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.5)

    def apply(self, params, grads):
        params -= self.rate() * grads / np.linalg.norm(grads, axis=1, keepdims=True)


def test_arrays_of_any_shape_decay():
    """A rule for matrices has a weight decay, too; arrays of two shapes are refused."""
    params, grads = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 4.0], [0.0, 2.0]])
    rule = OfRows(weight_decay=0.2)
    rule.update(params, grads)  # 0.9 · params - 0.5 · [[0.6, 0.8], [0, 1]]
    np.testing.assert_allclose(params, [[0.6, 1.4], [2.7, 3.1]], rtol=1e-12)
    before = params.copy()
    with raises(ShapeError, "(2, 2) and (2, 3), expected one shape. Pass one gradient for each"):
        rule.update(params, np.ones((2, 3)))
    with raises(TypeError, "params has dtype int64", "params.astype(float)"):
        rule.update(params.astype(np.int64), grads)
    np.testing.assert_array_equal(before, params)


def test_decay_without_a_rate():
    """The message for a rule without a learning rate gives the line with which it decays."""
    params = np.ones(2)
    field = "learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.01)"
    found = "Plain has no field learning_rate, expected one: self.rate() and weight decay need it. "
    remedy = f"Put @attrs.frozen(slots=False) above the class, and in it write {field}."
    with raises(AttributeError, found + remedy):
        Plain(weight_decay=0.1).update(params, params)
    np.testing.assert_array_equal(np.ones(2), params)
    names = {"tn": tn, "attrs": attrs, "Plain": Plain}
    exec(f"@attrs.frozen(slots=False)\nclass PlainWithRate(Plain):\n    {field}", names)
    names["PlainWithRate"](weight_decay=0.1).update(params, np.zeros(2))
    np.testing.assert_allclose(params, 0.999, rtol=1e-12)


def test_decay_of_plain_gradient_descent_is_a_penalty():
    """Without momentum it is the step of a penalty l2 of the layers, to rounding."""
    plain, penalized = [
        Sequential([Dense(3, "tanh", l2=l2), Dense(1, l2=l2)], "mean_squared_error", inputs=2,
                   dtype="float64", seed=1) for l2 in (0, 0.1)
    ]  # fmt: skip
    X, Y = np.random.default_rng(1).standard_normal((2, 2, 8))
    plain.fit(X, Y[:1], SGD(0.1, weight_decay=0.1), epochs=5)
    penalized.fit(X, Y[:1], SGD(0.1), epochs=5)
    np.testing.assert_allclose(plain.params, penalized.params, rtol=1e-12)


def test_amsgrad_does_not_forget_a_large_gradient():
    """After one large gradient the steps stay small, where those of Adam grow again."""
    ends = []
    for amsgrad in (False, True):
        params, optimizer = np.zeros(1), Adam(0.1, beta2=0.5, amsgrad=amsgrad)
        for g in (100, *[1] * 30):
            before = params.copy()
            optimizer.update(params, np.array([float(g)]))
        ends.append(abs(params - before).item())
    assert ends[0] > 0.1
    assert ends[1] < 0.1 / 20


class Huge(tn.Schedule):
    """A rate that is infinite in float32, from the second step on."""

    def at(self, t):
        return 1e39 if t else 0.1


def test_a_rate_that_is_infinite_in_float32():
    """Times a gradient of 0 it is NaN: the step is refused."""
    model, X = Sequential([Dense(1)], "mean_squared_error", inputs=3), np.zeros((3, 8))
    with pytest.raises(tn.errors.NonFiniteError, match="step 2"):
        model.fit(X, X[:1], SGD(Huge()), batch_size=4)
    assert np.isfinite(model.params).all()


def test_a_refused_step_changes_nothing():
    """Vectors of another size than the memory are refused before anything decays or is counted."""
    optimizer, model = AdamW(0.1, weight_decay=0.5, clip_norm=1), network()
    optimizer.update(np.ones(3), np.ones(3))
    before, memory = model.params.copy(), copy.deepcopy(optimizer.memory)
    for one in (optimizer, optimizer.evolve()):
        with pytest.raises(ValueError, match=r"memory 'v' has shape \(3,\).*optimizer.fresh\(\)"):
            one.step(model)
    flat = "expected flat vectors of one size. Pass"
    with raises(ShapeError, f"(3,) and (4,), {flat} one gradient for each parameter."):
        optimizer.update(model.params[:3], np.ones(4))
    for one in (optimizer, optimizer.fresh(), SGD(0.1, weight_decay=0.5)):
        with raises(ShapeError, f"(3, 1), {flat} params.reshape(-1) and grads.reshape(-1)."):
            one.update(model.params[:3, np.newaxis], np.ones((3, 1)))
    np.testing.assert_array_equal(model.params, before)
    np.testing.assert_equal(optimizer.memory, memory)


def test_a_refused_fit_leaves_the_memory(tmp_path):
    """The optimizer continues with its own model as if nothing had been tried."""
    (X, Y), sgd, first = tn.datasets.make_moons(40, seed=1), SGD(0.1, momentum=0.9), network()
    first.fit(X, Y, sgd)
    before = copy.deepcopy(sgd.memory)
    with pytest.raises(FileNotFoundError, match="Make the folder first"):
        network().fit(X, Y, sgd, checkpoint=tmp_path / "nowhere" / "run.npz")
    np.testing.assert_equal(sgd.memory, before)
    sgd.step(first)


def test_a_schedule_begins_anew_before_it_is_judged():
    """With another model the rate is that of the first step, also for what is warned of."""
    (X, Y), other = tn.datasets.make_moons(40, seed=1), network()
    sgd, before = SGD(tn.schedules.Polynomial(rate=0.1, steps=10, end=0.0)), other.params.copy()
    network().fit(X, Y, sgd, epochs=20)
    other.fit(X, Y, sgd, epochs=2)
    assert not np.array_equal(before, other.params)
