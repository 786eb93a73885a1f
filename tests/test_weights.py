"""Weights of examples and classes: in the cost, in every gradient, in training and evaluation."""

import numpy as np
import pytest
from helpers import unchanged
from messages import raises

from tinynet import SGD, Dense, Loss, Sequential, testing
from tinynet.errors import NonFiniteError, ShapeError

X = np.random.default_rng(1).standard_normal((3, 8))
Y = np.eye(2)[:, np.random.default_rng(3).integers(2, size=8)]  # suits every loss
W = np.array([1, 2, 0, 3, 1, 0, 1, 2])  # how often each example counts
MEAN_1 = W * (8 / W.sum())
PAIRS = [
    ("binary_crossentropy", "sigmoid"), ("binary_crossentropy", "hard_sigmoid"),
    ("categorical_crossentropy", "softmax"), ("categorical_crossentropy", "sigmoid"),
    ("mean_squared_error", "identity"), ("mean_squared_error", "tanh"),
    ("mean_absolute_error", "identity"), ("huber", "tanh"), ("poisson", "softplus"),
    ("of_the_mean_alone", "tanh"),
]  # fmt: skip
close = np.testing.assert_allclose


class OfTheMeanAlone(Loss):
    """A user's loss without `each`, which is weighted one example at a time."""

    def value(self, A, Y):
        return float(np.sum((A - Y) ** 4)) / A.shape[-1]

    def back(self, A, Y):
        return 4 * (A - Y) ** 3


def network(loss="huber", output="tanh"):
    """Return a model with two outputs and a penalty."""
    return Sequential([Dense(4, "tanh", l2=0.1), Dense(2, output)], loss, 3, "float64", seed=2)


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_weights_in_a_pass(loss, output):
    """A weight is a number of copies, for cost and gradients, and a factor of an example's dZ."""
    model, copies = network(loss, output), np.repeat(np.arange(8), W)
    fractions = np.random.default_rng(4).uniform(0, 3, 8)
    assert testing.check_gradients(model, X, Y, sample_weight=fractions) <= 1e-6
    model.forward(X)
    J, _ = model.cost(Y, MEAN_1), model.back(Y, sample_weight=MEAN_1)
    grads, dA, dZ = model.grads.copy(), model.dA[2].copy(), model.dZ[2].copy()
    model.back(Y)
    close(model.dA[2] * MEAN_1, dA, rtol=1e-12)
    close(model.dZ[2] * MEAN_1, dZ, rtol=1e-12)
    model.forward(X[:, copies])
    model.back(Y[:, copies])
    close(model.cost(Y[:, copies]), J, rtol=1e-12)
    close(model.grads, grads, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("scale", [1, 7.5])
@pytest.mark.parametrize("batch_size", [None, 3])
def test_training_with_weights(batch_size, scale):
    """`fit` scales weights to a mean of 1; an example of weight 0 leaves no trace."""
    model, other, losses = network(), network(), []
    settings = {"batch_size": batch_size, "shuffle": False, "sample_weight": scale * W}
    history = model.fit(X, Y, SGD(0.1), epochs=5, **settings)
    for _ in range(5):
        total = 0
        for start in range(0, 8, batch_size or 8):
            part = slice(start, start + (batch_size or 8))
            other.forward(X[:, part])
            total += other.cost(Y[:, part], MEAN_1[part]) * len(MEAN_1[part])
            other.back(Y[:, part], sample_weight=MEAN_1[part])
            SGD(0.1).step(other)
        losses.append(total / 8)
    close(losses, history["loss"], rtol=1e-12)
    close(other.params, model.params, rtol=1e-12)
    expected = model.evaluate(X[:, W > 0], Y[:, W > 0], sample_weight=W[W > 0])["loss"]
    for w in (W, 9 * W):
        assert expected == pytest.approx(model.evaluate(X, Y, sample_weight=w)["loss"])


def test_balanced_classes():
    """A class of one in ten is learned as one of five in ten."""
    y, recalls = (np.arange(200) % 10 == 0).astype(int)[np.newaxis], []
    points = np.random.default_rng(5).standard_normal((1, 200)) + 2 * y
    for class_weight in (None, "balanced", {0: 1.0, 1: 9.0}):
        model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", 1, seed=1)
        model.fit(points, y, SGD(0.5), epochs=60, class_weight=class_weight)
        recalls.append(model.evaluate(points, y, metrics=["recall"])["recall"])
    assert recalls[0] < 0.5 < 0.8 < recalls[1]
    assert recalls[1] == pytest.approx(recalls[2], abs=0.05)


@pytest.mark.parametrize(("weights", "error", "words"), [
    (np.ones(7), ShapeError, "sample_weight has shape (7,), expected (8,)"),
    (np.ones((8, 1)), ShapeError, "Pass sample_weight.reshape(-1)"),
    (-np.ones(8), ValueError, "sample_weight[0] is -1"),
    (np.full(8, np.nan), NonFiniteError, "sample_weight[0] is nan"),
    (np.zeros(8), ValueError, "All weights are 0"),
    ("balanced", TypeError, "sample_weight has dtype … real numbers"),
])  # fmt: skip
def test_weights_that_are_refused(weights, error, words):
    """Wrong weights are refused with what is expected, and change nothing."""
    model = network()
    with unchanged(model), raises(error, words):
        model.fit(X, Y, sample_weight=weights)
    model.forward(X)
    if np.any(weights):  # a pass takes weights as they are
        for call in (model.cost, model.back):
            with raises(error, words):
                call(Y, sample_weight=weights)


@pytest.mark.parametrize(("class_weight", "remedy", "mended"), [
    ([1, 2], "dict(enumerate(class_weight))", {0: 1, 1: 2}),
    ({"0": 1, 1: 2}, "the number 0", {0: 1, 1: 2}),
])  # fmt: skip
def test_remedies_for_class_weights(class_weight, remedy, mended):
    """A list, and labels as texts, are refused with what is right, and that is taken."""
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)
    X, Y = np.random.default_rng(1).random((2, 4)), np.array([0, 1, 1, 0])
    with raises(ValueError, remedy):
        model.fit(X, Y, class_weight=class_weight)
    assert model.fit(X, Y, class_weight=mended).epochs == 1


def test_metrics_where_few_examples_count():
    """They are tried on some examples before the first step, of which none may count."""
    inputs, weights = np.random.default_rng(5).standard_normal((3, 5000)), np.zeros(5000)
    weights[1] = 1  # not among those
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    targets = inputs[:1] > 0
    history = model.fit(inputs, targets, epochs=1, sample_weight=weights, metrics=["accuracy"])
    assert history["accuracy"][0] in (0.0, 1.0)
