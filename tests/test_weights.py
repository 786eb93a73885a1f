"""Weights of examples and classes: in the cost, in every gradient, in training and in judgement."""

import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Dense, Loss, Sequential, testing
from tinynet.errors import ShapeError

RNG = np.random.default_rng(1)
X = RNG.standard_normal((3, 8))
W = np.array([1, 2, 0, 3, 1, 0, 1, 2])  # how often each example counts
PAIRS = [
    ("binary_crossentropy", "sigmoid"), ("binary_crossentropy", "hard_sigmoid"),
    ("categorical_crossentropy", "softmax"), ("categorical_crossentropy", "sigmoid"),
    ("mean_squared_error", "identity"), ("mean_squared_error", "tanh"),
    ("mean_absolute_error", "identity"), ("huber", "tanh"), ("poisson", "softplus"),
]  # fmt: skip


def network(loss, output, **how):
    """Return a model with two outputs and a penalty."""
    return Sequential(
        [Dense(4, "tanh", l2=0.1), Dense(2, output)], loss, 3, "float64", seed=2, **how
    )


def targets(loss, m=8):
    """Return targets that suit every loss: one-hot columns."""
    return np.eye(2)[:, np.random.default_rng(3).integers(2, size=m)]


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_a_weight_is_a_number_of_copies(loss, output):
    """Cost and gradients are, times m, those of the data in which each example stands as often as it weighs."""
    Y, model = targets(loss), network(loss, output)
    copies = np.repeat(np.arange(8), W)
    scaled = W * (8 / W.sum())  # to a mean of 1
    model.forward(X)
    J, _ = model.cost(Y, scaled), model.back(Y, sample_weight=scaled)
    grads = model.grads.copy()
    model.forward(X[:, copies])
    model.back(Y[:, copies])
    np.testing.assert_allclose(model.cost(Y[:, copies]), J, rtol=1e-12)
    np.testing.assert_allclose(model.grads, grads, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_with_weights(loss, output):
    """All gradients, dA[0] too, are those of the weighted cost."""
    weights = np.random.default_rng(4).uniform(0, 3, 8)
    assert (
        testing.check_gradients(network(loss, output), X, targets(loss), sample_weight=weights)
        <= 1e-6
    )


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_dA_and_dZ_are_weighted(loss, output):
    """What is per example is times the weight of the example, asked for or not."""
    Y, model = targets(loss), network(loss, output)
    model.forward(X)
    model.back(Y)
    dA, dZ = model.dA[2].copy(), model.dZ[2].copy()
    model.back(Y, sample_weight=W)
    np.testing.assert_allclose(dA * W, model.dA[2], rtol=1e-12)
    np.testing.assert_allclose(dZ * W, model.dZ[2], rtol=1e-12)


def test_a_loss_with_value_alone():
    """A user's loss that knows only the mean is weighted one example at a time."""

    class Quartic(Loss):
        def value(self, A, Y):
            return float(np.sum((A - Y) ** 4)) / A.shape[-1]

        def back(self, A, Y):
            return 4 * (A - Y) ** 3

    model, Y = network("quartic", "tanh"), targets("quartic")
    assert testing.check_gradients(model, X, Y, sample_weight=W) <= 1e-6
    A = model.forward(X)
    np.testing.assert_allclose(((A - Y) ** 4).sum(axis=0), model.loss.each(A, Y), rtol=1e-12)


@pytest.mark.parametrize("scale", [1, 7.5])
@pytest.mark.parametrize("batch_size", [None, 3])
def test_training_with_weights(batch_size, scale):
    """`fit` scales weights to a mean of 1 and goes by them; an example of weight 0 leaves no trace."""
    Y, model, other = targets("huber"), *(network("huber", "tanh") for _ in range(2))
    history = model.fit(
        X, Y, SGD(0.1), epochs=5, batch_size=batch_size, shuffle=False, sample_weight=scale * W
    )
    scaled, losses = W * (8 / W.sum()), []
    for _ in range(5):
        total = 0
        for start in range(0, 8, batch_size or 8):
            part = slice(start, start + (batch_size or 8))
            other.forward(X[:, part])
            total += other.cost(Y[:, part], scaled[part]) * len(scaled[part])
            other.back(Y[:, part], sample_weight=scaled[part])
            SGD(0.1).step(other)
        losses.append(total / 8)
    np.testing.assert_allclose(losses, history["loss"], rtol=1e-12)
    np.testing.assert_allclose(other.params, model.params, rtol=1e-12)
    kept, judged = np.flatnonzero(W), model.evaluate(X, Y, sample_weight=W)["loss"]
    assert judged == pytest.approx(model.evaluate(X, Y, sample_weight=9 * W)["loss"])
    assert judged == pytest.approx(
        model.evaluate(X[:, kept], Y[:, kept], sample_weight=W[kept])["loss"]
    )


def test_balanced_classes():
    """A class of one in ten is learned as one of five in ten."""
    y = (np.arange(200) % 10 == 0).astype(int)
    points = np.random.default_rng(5).standard_normal((1, 200)) + 2 * y
    recalls = {}
    for class_weight in (None, "balanced", {0: 1.0, 1: 9.0}):
        model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", 1, seed=1)
        model.fit(points, y[np.newaxis], SGD(0.5), epochs=60, class_weight=class_weight)
        recalls[str(class_weight)] = model.evaluate(points, y[np.newaxis], metrics=["recall"])[
            "recall"
        ]
    assert recalls["None"] < 0.5 < 0.8 < recalls["balanced"]
    assert recalls["balanced"] == pytest.approx(recalls["{0: 1.0, 1: 9.0}"], abs=0.05)


@pytest.mark.parametrize(
    ("weights", "error", "told"),
    [
        (np.ones(7), ShapeError, r"sample_weight has shape \(7,\), expected \(8,\)"),
        (np.ones((8, 1)), ShapeError, r"Pass sample_weight.reshape\(-1\)"),
        (-np.ones(8), ValueError, r"sample_weight\[0\] is -1"),
        (np.full(8, np.nan), tn.errors.NonFiniteError, r"sample_weight\[0\] is nan"),
        (np.zeros(8), ValueError, "All weights are 0"),
        ("balanced", TypeError, "sample_weight has dtype .* real numbers"),
    ],
)
def test_weights_that_are_none(weights, error, told):
    """Other weights are refused with what is needed, and change nothing."""
    model, Y = network("huber", "tanh"), targets("huber")
    before = model.params.copy()
    with pytest.raises(error, match=told):
        model.fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(before, model.params)
    model.forward(X)
    if "All" not in told:
        for call in (model.cost, lambda Y, w: model.back(Y, sample_weight=w)):
            with pytest.raises(error, match=told):
                call(Y, weights)
