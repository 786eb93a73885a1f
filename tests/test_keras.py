"""What the page "Coming from Keras" says of Keras."""

import os

import numpy as np
import pytest

import tinynet as tn
from tinynet.schedules import Cosine, Exponential, InverseTime, Piecewise, Polynomial, Step

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported
keras = pytest.importorskip("keras", reason="an extra is not installed")
K, S = keras.optimizers, keras.optimizers.schedules
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")

N, M = 3, 7
RNG = np.random.default_rng(1)
NUMBERS, Z = RNG.standard_normal((2, N, M))
LABELS, W = RNG.integers(0, N, M), RNG.random(M) + 0.1
SHARES = RNG.dirichlet(np.ones(N), M).T
YES, COUNTS = RNG.integers(0, 2, (N, M)) * 1.0, RNG.integers(0, 5, (N, M)) * 1.0


def network(loss, activation):
    """Return a model of one layer that passes its inputs on to an activation."""
    layer = tn.Dense(N, activation, init="zeros")
    model = tn.Sequential([layer], loss, inputs=N, dtype="float64")
    model.W[1] = np.eye(N)
    return model


# Our loss, the activation before it, Y, the loss in Keras, and the factor.
LOSSES = [
    ("categorical_crossentropy", "softmax", np.eye(N)[LABELS].T, "CategoricalCrossentropy", 1),
    (tn.losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", np.eye(N)[LABELS].T,
     keras.losses.CategoricalCrossentropy(label_smoothing=0.1), 1),
    ("kl_divergence", "softmax", SHARES, "KLDivergence", 1),
    ("mean_squared_error", "identity", NUMBERS, "MeanSquaredError", N / 2),
    ("mean_absolute_error", "identity", NUMBERS, "MeanAbsoluteError", N),
    ("huber", "identity", NUMBERS, "Huber", N),
    ("log_cosh", "identity", NUMBERS, "LogCosh", N),
    ("binary_crossentropy", "sigmoid", YES, "BinaryCrossentropy", N),
    (tn.losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", YES,
     keras.losses.BinaryCrossentropy(label_smoothing=0.1), N),
    ("poisson", "softplus", COUNTS, "Poisson", N),
    ("hinge", "identity", 2 * YES - 1, "Hinge", N),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "activation", "Y", "theirs", "factor"), LOSSES)
def test_losses_of_keras(ours, activation, Y, theirs, factor):
    """The cost is Keras's loss times the factor on the page."""
    loss = getattr(keras.losses, theirs)() if isinstance(theirs, str) else theirs
    model = network(ours, activation)
    A = model.forward(Z)
    expected = factor * float(loss(Y.T, A.T))
    assert expected == pytest.approx(model.cost(Y), rel=1e-5)


def test_hinge_of_keras_takes_0_and_1():
    """Keras's hinge takes labels 0 and 1 for -1 and 1."""
    hinge = keras.losses.Hinge()
    assert float(hinge(YES.T, Z.T)) == pytest.approx(float(hinge(2 * YES.T - 1, Z.T)))


def test_weights_of_examples():
    """The loss of Keras is the mean weight times the loss of `evaluate`."""
    theirs = keras.losses.MeanSquaredError()(NUMBERS.T, Z.T, sample_weight=W)
    ours = network("mean_squared_error", "identity").evaluate(Z, NUMBERS, sample_weight=W)["loss"]
    assert N / 2 * float(theirs) == pytest.approx(W.mean() * ours, rel=1e-5)


def test_penalty():
    """L2(c) of Keras is l2 = 2 c."""
    model = tn.Sequential([tn.Dense(N, l2=0.6)], "mean_squared_error", inputs=N, seed=1)
    model.forward(Z)
    without = network("mean_squared_error", "identity")
    without.W[1] = model.W[1]
    without.forward(Z)
    expected = float(keras.regularizers.L2(0.3)(model.W[1]))
    assert expected == pytest.approx(model.cost(NUMBERS) - without.cost(NUMBERS), rel=1e-4)


# Optimizers of Keras and of tinynet that take the same steps.
TINY = {"epsilon": 1e-12}  # where it stands makes no difference then
OPTIMIZERS = [
    (K.SGD(0.1, 0.9), tn.SGD(0.1, 0.9)),
    (K.SGD(0.1, 0.9, nesterov=True), tn.SGD(0.1, 0.9, nesterov=True)),
    (K.SGD(0.1, clipvalue=0.5), tn.SGD(0.1, clip_value=0.5)),
    (K.SGD(0.1, global_clipnorm=0.5), tn.SGD(0.1, clip_norm=0.5)),
    (K.Adam(0.01, **TINY), tn.Adam(0.01, **TINY)),
    (K.Adam(0.01, amsgrad=True, **TINY), tn.Adam(0.01, amsgrad=True, **TINY)),
    (K.RMSprop(0.01, 0.99, **TINY), tn.RMSprop(0.01, **TINY)),
    (K.Adagrad(0.01, 0.0, **TINY), tn.Adagrad(0.01, **TINY)),
    (K.Lion(0.01), tn.Lion(0.01)),
    (K.Nadam(**TINY), tn.Nadam(0.001, momentum_decay=1.0, **TINY)),
]


@pytest.mark.parametrize(("theirs", "ours"), OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_optimizers_of_keras(theirs, ours):
    """Keras's optimizer takes the same steps, up to where epsilon stands."""
    start, grads = RNG.standard_normal(5), RNG.standard_normal((6, 5))
    params, variable = start.copy(), keras.Variable(start, dtype="float32")
    theirs.build([variable])
    for grad in grads:
        ours.update(params, grad.copy())
        theirs.apply_gradients([(keras.ops.convert_to_tensor(grad, "float32"), variable)])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), params, rtol=1e-4, atol=1e-6)


SCHEDULES = [
    (S.ExponentialDecay(0.1, 10, 0.5), Exponential(0.1, 0.5, interval=10)),
    (S.ExponentialDecay(0.1, 10, 0.5, staircase=True), Step(0.1, drop=0.5, every=10)),
    (S.InverseTimeDecay(0.1, 10, 0.5), InverseTime(0.1, 0.5, interval=10, floor=False)),
    (S.PolynomialDecay(0.1, 30, 0.01), Polynomial(0.1, 0.01, 30)),
    (S.PiecewiseConstantDecay([10, 30], [0.1, 0.05, 0.01]), Piecewise([0.1, 0.05, 0.01], [10, 30])),
    (S.CosineDecay(0.1, 30), Cosine(0.1, 30, restart=False)),
    (S.CosineDecayRestarts(0.1, 10), Cosine(0.1, 10, growth=2)),
]


@pytest.mark.parametrize(("theirs", "ours"), SCHEDULES, ids=lambda one: type(one).__name__)
def test_schedules_of_keras(theirs, ours):
    """Keras's schedule has the same learning rates."""
    steps = [0, 1, 9, 11, 15, 29, 31, 49]  # float32 decides whether a restart is at 10 or 11
    if isinstance(theirs, S.PiecewiseConstantDecay):
        steps += [10, 30]
    expected = [float(theirs(t)) for t in steps]
    np.testing.assert_allclose(expected, [ours.at(t) for t in steps], rtol=1e-4, atol=1e-7)


DEFAULTS = [
    (keras.layers.LeakyReLU, "negative_slope", 0.3),
    (keras.layers.BatchNormalization, "momentum", 0.99),
    (keras.layers.BatchNormalization, "epsilon", 1e-3),
    (keras.layers.LayerNormalization, "epsilon", 1e-3),
    (keras.callbacks.EarlyStopping, "patience", 0),
    (keras.callbacks.EarlyStopping, "restore_best_weights", False),
    (K.Adam, "epsilon", 1e-7),
    (K.AdamW, "weight_decay", 0.004),
    (K.Lion, "learning_rate", 1e-3),
    (K.RMSprop, "learning_rate", 1e-3),
    (K.RMSprop, "rho", 0.9),
    (K.Adagrad, "learning_rate", 1e-3),
    (K.Adagrad, "initial_accumulator_value", 0.1),
]


@pytest.mark.parametrize(("kind", "setting", "expected"), DEFAULTS)
def test_defaults_of_keras(kind, setting, expected):
    """The page has Keras's default."""
    found = getattr(kind(), setting)
    assert expected == pytest.approx(float(found))


def test_statistics_of_batch_norm():
    """The running variance is m / (m - 1) times Keras's."""
    theirs = keras.layers.BatchNormalization(momentum=0.0)
    theirs(Z.T.astype("float32"), training=True)
    model = tn.Sequential([tn.BatchNorm(momentum=0.0)], "mean_squared_error", inputs=N, seed=1)
    model.forward(Z, training=True)
    running = model.state[N:]
    expected = M / (M - 1) * keras.ops.convert_to_numpy(theirs.moving_variance)
    np.testing.assert_allclose(expected, running, rtol=1e-4)
