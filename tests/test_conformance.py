"""Everything registered in the package passes its family's check: a new class is tested the moment it exists."""

import contextlib

import numpy as np
import pytest

import tinynet as tn
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
    testing,
)

SCHEDULE = {"family": "schedule", "name": "step", "rate": 0.1, "drop": 0.5, "every": 3}
# Instances beside the one made without arguments. A class that needs arguments must have an entry here.
EXTRA = {
    Activation: {
        "leaky_relu": [{"slope": 0.0}, {"slope": 0.3}, {"slope": 1.0}],
        "elu": [{"alpha": 0.5}, {"alpha": 2.0}],
    },
    Layer: {
        "activate": [{"activation": "relu"}, {"activation": "softmax"}],
        "batch_norm": [
            {"momentum": 0.0, "epsilon": 0.1},
            {"momentum": 0.5, "activation": "sigmoid"},
        ],
        "dense": [
            {"units": 3},
            {"units": 1, "activation": "sigmoid"},
            {"units": 4, "activation": "relu", "l2": 0.1},
            {
                "units": 2,
                "activation": {"name": "leaky_relu", "slope": 0.1},
                "init": "orthogonal",
                "l2": 1.0,
            },
        ],
        "dropout": [{"rate": 0.0}, {"rate": 0.1}, {"rate": 0.9}],
        "layer_norm": [{"epsilon": 0.1, "activation": "relu"}],
        "reshape": [{"shape": 6}, {"shape": (1, 6)}, {"shape": (3, -1, 2)}],
    },
    Loss: {"huber": [{"delta": 0.1}, {"delta": 10.0}]},
    Optimizer: {
        "adagrad": [{"learning_rate": SCHEDULE}, {"learning_rate": 0.1, "clip_norm": 1.0}],
        "adam": [
            {"learning_rate": 0.01, "beta1": 0.0, "beta2": 0.5, "epsilon": 1e-3},
            {"learning_rate": SCHEDULE, "clip_value": 0.5},
        ],
        "adamw": [
            {"learning_rate": SCHEDULE, "weight_decay": 0.1},
            {"weight_decay": 0.0, "clip_norm": 0.5},
        ],
        "nadam": [
            {"learning_rate": SCHEDULE, "clip_norm": 1.0},
            {"beta1": 0.5, "momentum_decay": 0.0},
        ],
        "rmsprop": [
            {"decay": 0.9, "momentum": 0.5, "clip_value": 1.0},
            {"centered": True},
            {"learning_rate": SCHEDULE, "momentum": 0.5, "centered": True, "clip_norm": 2.0},
        ],
        "sgd": [
            {"learning_rate": 0.1, "momentum": 0.9},
            {"learning_rate": 0.1, "momentum": 0.9, "dampening": 0.9},
            {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True},
            {"learning_rate": 0.1, "clip_norm": 1.0},
            {"learning_rate": SCHEDULE, "momentum": 0.5, "clip_value": 0.5},
            {"learning_rate": {**SCHEDULE, "by": "epoch"}},
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
            {"rate": 0.1, "decay": 1, "interval": 10},
            {"rate": 0.1, "decay": 0.1, "floor": False},
        ],
        "polynomial": [
            {"rate": 0.1, "end": 0.01, "steps": 9},
            {"rate": 0, "end": 0.1, "steps": 9, "power": 0.5},
        ],
        "step": [
            {"rate": 0.1, "drop": 0.5, "every": 3},
            {"rate": 0.1, "drop": 1, "every": 1, "by": "epoch"},
        ],
        "warmup": [{"steps": 5, "then": 0.1}, {"steps": 5, "then": SCHEDULE, "start": 0.0}],
    },
    Initializer: {
        "constant": [{"value": 0.5}],
        "normal": [{"scale": 0.0}, {"scale": 2.0}],
        "orthogonal": [{"gain": 2.0}],
    },
}
# The input of a layer, where columns of 4 numbers are not what it takes.
INPUT_SHAPES = {"flatten": (2, 3, 2), "reshape": (2, 3)}


def registered(family):
    """Return the package's own classes of a family by name; what a test defines is not among them."""
    classes = {name: family._classes[name] for name in family.names()}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("tinynet.")}


def instances(family):
    """Return everything of a family that is checked, as parameters of a test."""
    made = []
    for name, cls in registered(family).items():
        with contextlib.suppress(
            TypeError
        ):  # it needs arguments: test_every_class_is_checked sees that it gets some
            made.append(cls())
        made += [family.get(name, **fields) for fields in EXTRA[family].get(name, [])]
    return [pytest.param(thing, id=repr(thing)) for thing in made]


ACTIVATIONS, LOSSES = sorted(registered(Activation)), sorted(registered(Loss))


def inside(loss, activation):
    """Tell whether the values of an activation lie within the domain of a loss."""
    low, high = loss.domain
    A = activation.forward(np.linspace(-5, 5, 40).reshape(2, 20))
    return low < A.min() and A.max() < high


PAIRS = [
    (loss, output)
    for loss in LOSSES
    for output in ACTIVATIONS
    if inside(Loss.get(loss), Activation.get(output))
]


def targets(loss, n, m):
    """Return targets that suit a loss: one-hot columns where A[L] is positive, else any numbers."""
    rng = np.random.default_rng(5)
    if np.isinf(loss.domain[0]):
        return 2 * rng.standard_normal((n, m))
    return (rng.integers(n, size=m) == np.arange(n)[:, np.newaxis]).astype(float)


@pytest.mark.parametrize("family", EXTRA, ids=lambda family: family.family)
def test_every_class_is_checked(family):
    """A registered class can be made without arguments, or has an entry in the table."""
    checked = {type(parameter.values[0]) for parameter in instances(family)}
    missed = [cls.__name__ for cls in registered(family).values() if cls not in checked]
    assert not missed, (
        f"make an entry in EXTRA[{family.__name__}] with the arguments that these classes need"
    )


def test_tables_name_what_exists():
    """No entry of the tables stands for a class that is gone."""
    gone = [
        name for family, extra in EXTRA.items() for name in extra if name not in registered(family)
    ]
    gone += [name for name in INPUT_SHAPES if name not in registered(Layer)]
    assert not gone, f"these names are not registered: {gone}"


@pytest.mark.parametrize("activation", instances(Activation))
def test_activation(activation):
    """Every activation keeps the contract of its family."""
    testing.check_activation(activation)


@pytest.mark.parametrize("layer", instances(Layer))
def test_layer(layer):
    """Every layer keeps the contract of its family."""
    testing.check_layer(layer, INPUT_SHAPES.get(layer.registered_name, 4))


@pytest.mark.parametrize("loss", instances(Loss))
def test_loss(loss):
    """Every loss keeps the contract of its family."""
    testing.check_loss(loss)


@pytest.mark.parametrize("optimizer", instances(Optimizer))
def test_optimizer(optimizer):
    """Every optimizer keeps the contract of its family."""
    testing.check_optimizer(optimizer)


@pytest.mark.parametrize("schedule", instances(Schedule))
def test_schedule(schedule):
    """Every schedule keeps the contract of its family."""
    testing.check_schedule(schedule)


@pytest.mark.parametrize("init", instances(Initializer))
def test_initializer(init):
    """Every initializer keeps the contract of its family."""
    testing.check_initializer(init)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_with_every_activation_inside(activation):
    """The gradients of a network are right whatever activation its hidden layers have."""
    layers = [Dense(5, activation), Dense(4, activation, l2=0.1), Dense(2)]
    model = Sequential(layers, "mean_squared_error", inputs=3, dtype="float64")
    rng = np.random.default_rng(2)
    model.params[:] = rng.standard_normal(model.n_params)  # no b is zero, so no Z lies on a kink
    X, Y = rng.standard_normal((3, 6)), targets(model.loss, 2, 6)
    assert testing.check_gradients(model, X, Y) <= 1e-6


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_of_every_pair_at_the_end(loss, output):
    """The gradients are right for a loss with every output activation of its domain, partner or not."""
    model = Sequential([Dense(4, "tanh"), Dense(3, output, l2=0.01)], loss, inputs=3, seed=3)
    X = np.random.default_rng(4).standard_normal((3, 6))
    assert testing.check_gradients(model, X, targets(model.loss, 3, 6)) <= 1e-6


def test_pairs_hold_partners_and_others():
    """The pairs that are tested contain those that start at dZ[L] and those that start at dA[L]."""
    partners = {
        (name, loss.partner.registered_name) for name in LOSSES if (loss := Loss.get(name)).partner
    }
    assert (
        {("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")}
        <= partners
        <= set(PAIRS)
    )
    others = {
        ("categorical_crossentropy", "sigmoid"),
        ("mean_squared_error", "softmax"),
        ("poisson", "softplus"),
    }
    assert others <= set(PAIRS) - partners


@pytest.mark.parametrize("m", [1, 2, 7])
def test_gradients_of_every_batch_size(m):
    """The 1/m is right for one example and for many."""
    layers = [Dense(4, "sigmoid", l2=0.3), Dense(3, "softmax", l2=0.2)]
    model = Sequential(layers, "categorical_crossentropy", inputs=5, seed=6)
    rng = np.random.default_rng(7)
    assert (
        testing.check_gradients(model, rng.standard_normal((5, m)), rng.integers(3, size=m)) <= 1e-6
    )


def test_a_trained_model_is_checked_where_it_is():
    """check_gradients takes the model's own parameters and leaves the model as it is."""
    model = Sequential([Dense(3, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", seed=8)
    X, Y = tn.datasets.make_moons(20, seed=9)
    model.fit(X, Y, optimizer=SGD(0.5), epochs=3)
    params, grads, A = model.params.copy(), model.grads.copy(), model.caches[-1].A.copy()
    testing.check_gradients(model, X[:, :5], Y[:, :5])
    for kept, now in ((params, model.params), (grads, model.grads), (A, model.caches[-1].A)):
        np.testing.assert_array_equal(kept, now)
