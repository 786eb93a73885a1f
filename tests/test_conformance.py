"""Every class that the package registers passes the check of its family, from the day it exists."""

import contextlib

import numpy as np
import pytest
from helpers import registered

import tinynet as tn
from tinynet import Activation, Dense, Initializer, Layer, Loss, Optimizer, Sequential
from tinynet._support.registry import FAMILIES
from tinynet.layers import Composite

LEAKY = {"name": "leaky_relu", "slope": 0.1}
# Settings of instances beside the one without arguments, which a class that needs some must have.
# Schedules, and settings of optimizers, are checked in test_schedules.py and test_optimizers.py.
EXTRA = {
    Activation: {"leaky_relu": [{"slope": 0.0}, {"slope": 0.3}, {"slope": 1.0}],
                 "elu": [{"alpha": 0.5}, {"alpha": 2.0}], "celu": [{"alpha": 0.5}, {"alpha": 2.0}],
                 "gelu": [{"approximate": True}]},
    Layer: {
        "activate": [{"activation": "relu"}, {"activation": "softmax"}],
        "bidirectional": [{"layer": "batch_norm"}, {"layer": "layer_norm", "activation": "tanh"}],
        "branches": [
            {"branches": [["layer_norm"], [{"name": "dense", "units": 2}, "batch_norm"]]},
            {"branches": [["batch_norm"], ["dropout"]], "join": "add", "activation": "tanh"},
        ],
        "batch_norm": [{"momentum": 0, "epsilon": 0.1}, {"momentum": 0.5, "activation": "sigmoid"}],
        "average_pool2d": [{"size": (2, 1), "stride": (1, 2), "padding": (1, 0)}],
        "conv1d": [{"units": 3}, {"units": 2, "kernel": 2, "activation": "relu", "l2": 0.1}],
        "conv2d": [
            {"units": 3}, {"units": 4, "kernel": (1, 2), "activation": "tanh", "groups": 2},
            {"units": 2, "stride": 2, "padding": "same", "dilation": (2, 1), "l2": 0.1},
        ],
        "dense": [
            {"units": 3}, {"units": 1, "activation": "sigmoid"},
            {"units": 4, "activation": "relu", "l2": 0.1},
            {"units": 2, "activation": LEAKY, "init": "orthogonal", "l2": 1.0},
        ],
        "dropout": [{"rate": 0.0}, {"rate": 0.1}, {"rate": 0.9}],
        "embedding": [{"tokens": 5, "units": 3}],
        "gru": [{"units": 3}, {"units": 2, "sequences": True, "activation": "sigmoid"}],
        "layer_norm": [{"epsilon": 0.1, "activation": "relu"}],
        "prelu": [{"slope": -0.5, "activation": "relu"}],
        "lstm": [{"units": 3}, {"units": 2, "sequences": True, "activation": "sigmoid"}],
        "max_pool2d": [{"size": 3, "stride": 2, "padding": "same", "activation": "relu"}],
        "reshape": [{"shape": 6}, {"shape": (1, 6)}, {"shape": (3, -1, 2)}],
        "residual": [
            {"layers": [{"name": "dense", "units": 4}]},
            {"layers": ["batch_norm", {"name": "residual", "layers": ["dropout"]}]},
        ],
        "self_attention": [{"heads": 2}, {"heads": 4, "causal": True, "activation": "tanh"}],
        "simple_rnn": [{"units": 3}, {"units": 2, "sequences": True, "activation": "sigmoid"}],
    },
    Optimizer: {},
    Loss: {
        "binary_crossentropy": [
            {"label_smoothing": 0.2}, {"pos_weight": 3.0},
            {"label_smoothing": 0.1, "pos_weight": 0.5},
        ],
        "categorical_crossentropy": [
            {"label_smoothing": 0.2}, {"ignore": -1}, {"label_smoothing": 0.1, "ignore": 0},
        ],
        "huber": [{"delta": 0.1}, {"delta": 10.0}],
    },
    Initializer: {"constant": [{"value": 0.5}], "normal": [{"scale": 0.0}, {"scale": 2.0}],
                  "truncated_normal": [{"scale": 0.0}, {"scale": 2.0}],
                  "uniform": [{"scale": 0.0}, {"scale": 2.0}],
                  "orthogonal": [{"gain": 2.0}]},
    tn.Metric: {"top_k_accuracy": [{"k": 1}], "binary_accuracy": [{"threshold": 0.2}]},
}  # fmt: skip
# The inputs of layers that do not take columns of 4 numbers
INPUT_SHAPES = {
    "average_pool2d": (2, 4, 5), "bidirectional": (2, 3), "conv1d": (2, 5), "conv2d": (2, 4, 5),
    "flatten": (2, 3, 2), "global_average_pool": (2, 4, 5), "gru": (4, 5), "lstm": (4, 5),
    "max_pool2d": (2, 4, 5), "reshape": (2, 3), "self_attention": (4, 5), "simple_rnn": (4, 5),
}  # fmt: skip
CHECKS = {
    Activation: tn.testing.check_activation,
    Layer: lambda layer: tn.testing.check_layer(layer, INPUT_SHAPES.get(layer.registered_name, 4)),
    Loss: tn.testing.check_loss,
    Optimizer: tn.testing.check_optimizer,
    Initializer: tn.testing.check_initializer,
    tn.Metric: tn.testing.check_metric,
}


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


@pytest.mark.parametrize("thing", [t for family in EXTRA for t in instances(family)], ids=repr)
def test_contract(thing):
    """Everything keeps the contract of its family."""
    CHECKS[FAMILIES[thing.family]](thing)


class UpsideDown(Composite):
    """Gives its layers a view of A_prev that does not lie in C order."""

    def output_shape(self, input_shape):
        return self.chain_output_shapes(input_shape)[0]

    def forward(self, A_prev, cache):
        return cache.chains[0].forward(A_prev[::-1])

    def back(self, dZ, cache):
        return cache.chains[0].back(dZ)[::-1]


@pytest.mark.parametrize("layer", [t for t in instances(Layer) if t.takes == "numbers"], ids=repr)
def test_layers_take_views(layer):
    """A layer within another computes from a view as it does from an array."""
    tn.testing.check_layer(UpsideDown([layer]), INPUT_SHAPES.get(layer.registered_name, 4))


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
    if loss.target_limits == (-1, 1):
        return rng.choice([-1.0, 1.0], (n, m))
    if np.isinf(loss.domain[0]):
        return 2 * rng.standard_normal((n, m))
    return (rng.integers(n, size=m) == np.arange(n)[:, np.newaxis]).astype(float)


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_of_every_pair_at_the_end(loss, output):
    """The gradients are right for a loss with every output of its domain, partner or not."""
    model = Sequential([Dense(4, "tanh"), Dense(3, output, l2=0.01)], loss, inputs=3, seed=3)
    X = np.random.default_rng(4).standard_normal((3, 6))
    assert tn.testing.check_gradients(model, X, targets(model.loss, 3, 6)) <= 1e-6


def test_pairs_hold_partners_and_others():
    """The tested pairs contain some that begin at dZ[L] and some that begin at dA[L]."""
    with_partner = [Loss.get(name) for name in LOSSES if Loss.get(name).partner]
    partners = {(loss.registered_name, loss.partner.registered_name) for loss in with_partner}
    best = {("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")}
    others = {("categorical_crossentropy", "sigmoid"), ("mean_squared_error", "softmax")}
    assert best <= partners <= set(PAIRS)
    assert others | {("poisson", "softplus")} <= set(PAIRS) - partners


def test_a_trained_model_is_left_as_it_is():
    """check_gradients takes the model's own parameters and changes nothing in the model."""
    model = Sequential([Dense(3, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", seed=8)
    X, Y = tn.datasets.make_moons(20, seed=9)
    model.fit(X, Y, optimizer=tn.SGD(0.5), epochs=3)

    def state():
        return [array.tobytes() for array in (model.params, model.grads, model.A[2])]

    before = state()
    tn.testing.check_gradients(model, X[:, :5], Y[:, :5])
    assert state() == before
