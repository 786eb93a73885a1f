"""Every class that the package registers passes the check of its family, from the day it exists."""

import contextlib

import numpy as np
import pytest

from tinynet import (
    SGD,
    Activation,
    Dense,
    Initializer,
    Layer,
    Loss,
    Optimizer,
    Schedule,
    Sequential,
    datasets,
    testing,
)

STEP = {"family": "schedule", "name": "step", "rate": 0.1, "drop": 0.5, "every": 3}
LEAKY = {"name": "leaky_relu", "slope": 0.1}
# Settings of instances beside the one without arguments, which a class that needs some must have.
EXTRA = {
    Activation: {
        "leaky_relu": [{"slope": 0.0}, {"slope": 0.3}, {"slope": 1.0}],
        "elu": [{"alpha": 0.5}, {"alpha": 2.0}],
    },
    Layer: {
        "activate": [{"activation": "relu"}, {"activation": "softmax"}],
        "batch_norm": [
            {"momentum": 0.0, "epsilon": 0.1}, {"momentum": 0.5, "activation": "sigmoid"},
        ],
        "dense": [
            {"units": 3}, {"units": 1, "activation": "sigmoid"},
            {"units": 4, "activation": "relu", "l2": 0.1},
            {"units": 2, "activation": LEAKY, "init": "orthogonal", "l2": 1.0},
        ],
        "dropout": [{"rate": 0.0}, {"rate": 0.1}, {"rate": 0.9}],
        "layer_norm": [{"epsilon": 0.1, "activation": "relu"}],
        "reshape": [{"shape": 6}, {"shape": (1, 6)}, {"shape": (3, -1, 2)}],
    },
    Loss: {"huber": [{"delta": 0.1}, {"delta": 10.0}]},
    Optimizer: {
        "adagrad": [{"learning_rate": STEP}, {"learning_rate": 0.1, "clip_norm": 1.0}],
        "adam": [
            {"learning_rate": 0.01, "beta1": 0.0, "beta2": 0.5, "epsilon": 1e-3},
            {"learning_rate": STEP, "clip_value": 0.5},
        ],
        "adamw": [
            {"learning_rate": STEP, "weight_decay": 0.1}, {"weight_decay": 0.0, "clip_norm": 0.5},
        ],
        "nadam": [
            {"learning_rate": STEP, "clip_norm": 1.0}, {"beta1": 0.5, "momentum_decay": 0.0},
        ],
        "rmsprop": [
            {"decay": 0.9, "momentum": 0.5, "clip_value": 1.0}, {"centered": True},
            {"learning_rate": STEP, "momentum": 0.5, "centered": True, "clip_norm": 2.0},
        ],
        "sgd": [
            {"learning_rate": 0.1, "momentum": 0.9},
            {"learning_rate": 0.1, "momentum": 0.9, "dampening": 0.9},
            {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True},
            {"learning_rate": 0.1, "clip_norm": 1.0},
            {"learning_rate": STEP, "momentum": 0.5, "clip_value": 0.5},
            {"learning_rate": {**STEP, "by": "epoch"}},
        ],
    },
    Schedule: {
        "constant": [{"rate": 0.1}, {"rate": 0, "by": "epoch"}],
        "cosine": [
            {"rate": 0.1, "period": 7},
            {"rate": 0.1, "period": 7, "lowest": 0.01, "growth": 1.5},
            {"rate": 0.1, "period": 7, "restart": False, "by": "epoch"},
        ],
        "exponential": [
            {"rate": 0.1, "decay": 0.5},
            {"rate": 0.1, "decay": 0.9, "interval": 10, "by": "epoch"},
        ],
        "inverse_time": [
            {"rate": 0.1, "decay": 1, "interval": 10}, {"rate": 0.1, "decay": 0.1, "floor": False},
        ],
        "polynomial": [
            {"rate": 0.1, "end": 0.01, "steps": 9},
            {"rate": 0, "end": 0.1, "steps": 9, "power": 0.5},
        ],
        "step": [
            {"rate": 0.1, "drop": 0.5, "every": 3},
            {"rate": 0.1, "drop": 1, "every": 1, "by": "epoch"},
        ],
        "warmup": [{"steps": 5, "then": 0.1}, {"steps": 5, "then": STEP, "start": 0.0}],
    },
    Initializer: {
        "constant": [{"value": 0.5}],
        "normal": [{"scale": 0.0}, {"scale": 2.0}],
        "orthogonal": [{"gain": 2.0}],
    },
}  # fmt: skip
# The inputs of layers that do not take columns of 4 numbers
INPUT_SHAPES = {"flatten": (2, 3, 2), "reshape": (2, 3)}
CHECKS = {
    Activation: testing.check_activation,
    Layer: lambda layer: testing.check_layer(layer, INPUT_SHAPES.get(layer.registered_name, 4)),
    Loss: testing.check_loss,
    Optimizer: testing.check_optimizer,
    Schedule: testing.check_schedule,
    Initializer: testing.check_initializer,
}


def registered(family):
    """Return the package's own classes of a family by name, without those that tests define."""
    classes = {name: family._classes[name] for name in family.names()}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("tinynet.")}


def instances(family):
    """Return the instances of a family that are checked."""
    things = []
    for name, cls in registered(family).items():
        with contextlib.suppress(TypeError):  # it needs arguments
            things.append(cls())
        things += [family.get(name, **fields) for fields in EXTRA[family].get(name, [])]
    return things


@pytest.mark.parametrize("family", EXTRA, ids=lambda family: family.family)
def test_tables_are_complete(family):
    """A registered class is checked, and no entry of the tables stands for a class that is gone."""
    checked = {type(thing) for thing in instances(family)}
    missing = [cls.__name__ for cls in registered(family).values() if cls not in checked]
    assert missing == [], f"add the arguments that these need to EXTRA[{family.__name__}]"
    shapes = INPUT_SHAPES if family is Layer else {}
    assert {*EXTRA[family], *shapes} <= registered(family).keys()


@pytest.mark.parametrize(
    ("family", "thing"),
    [
        pytest.param(family, thing, id=repr(thing))
        for family in EXTRA
        for thing in instances(family)
    ],
)
def test_contract(family, thing):
    """Everything keeps the contract of its family."""
    CHECKS[family](thing)


# Gradients of whole models

ACTIVATIONS, LOSSES = sorted(registered(Activation)), sorted(registered(Loss))


def inside(loss, activation):
    """Return whether the values of an activation lie within the domain of a loss."""
    low, high = Loss.get(loss).domain
    A = Activation.get(activation).forward(np.linspace(-5, 5, 40).reshape(2, 20))
    return low < A.min() and A.max() < high


PAIRS = [(loss, output) for loss in LOSSES for output in ACTIVATIONS if inside(loss, output)]


def targets(loss, n, m):
    """Return targets that suit a loss: one-hot columns where A[L] is positive, else any numbers."""
    rng = np.random.default_rng(5)
    if np.isinf(loss.domain[0]):
        return 2 * rng.standard_normal((n, m))
    return (rng.integers(n, size=m) == np.arange(n)[:, np.newaxis]).astype(float)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_with_every_activation_inside(activation):
    """The gradients of a network are right with any activation in its hidden layers."""
    layers = [Dense(5, activation), Dense(4, activation, l2=0.1), Dense(2)]
    model = Sequential(layers, "mean_squared_error", inputs=3, dtype="float64")
    rng = np.random.default_rng(2)
    model.params[:] = rng.standard_normal(model.n_params)  # no b is zero, so no Z lies on a kink
    X, Y = rng.standard_normal((3, 6)), targets(model.loss, 2, 6)
    assert testing.check_gradients(model, X, Y) <= 1e-6


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_of_every_pair_at_the_end(loss, output):
    """The gradients are right for a loss with every output of its domain, partner or not."""
    model = Sequential([Dense(4, "tanh"), Dense(3, output, l2=0.01)], loss, inputs=3, seed=3)
    X = np.random.default_rng(4).standard_normal((3, 6))
    assert testing.check_gradients(model, X, targets(model.loss, 3, 6)) <= 1e-6


def test_pairs_hold_partners_and_others():
    """The tested pairs contain some that begin at dZ[L] and some that begin at dA[L]."""
    losses = {name: Loss.get(name) for name in LOSSES}
    partners = {
        (name, loss.partner.registered_name) for name, loss in losses.items() if loss.partner
    }
    best = {("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")}
    others = {("categorical_crossentropy", "sigmoid"), ("mean_squared_error", "softmax")}
    assert best <= partners <= set(PAIRS)
    assert others | {("poisson", "softplus")} <= set(PAIRS) - partners


@pytest.mark.parametrize("m", [1, 2, 7])
def test_gradients_of_every_batch_size(m):
    """The 1/m is right for one example and for many."""
    layers = [Dense(4, "sigmoid", l2=0.3), Dense(3, "softmax", l2=0.2)]
    model = Sequential(layers, "categorical_crossentropy", inputs=5, seed=6)
    rng = np.random.default_rng(7)
    X, Y = rng.standard_normal((5, m)), rng.integers(3, size=m)
    assert testing.check_gradients(model, X, Y) <= 1e-6


def test_a_trained_model_is_left_as_it_is():
    """check_gradients takes the model's own parameters and changes nothing in the model."""
    model = Sequential([Dense(3, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", seed=8)
    X, Y = datasets.make_moons(20, seed=9)
    model.fit(X, Y, optimizer=SGD(0.5), epochs=3)

    def state():
        return [array.tobytes() for array in (model.params, model.grads, model.A[2])]

    before = state()
    testing.check_gradients(model, X[:, :5], Y[:, :5])
    assert state() == before
