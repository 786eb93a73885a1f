"""The usual mistakes of setting up a training are told, before it begins, with what to write."""

import warnings

import numpy as np
import pytest

from tinynet import SGD, Dense, Sequential

X = np.random.default_rng(1).standard_normal((3, 8))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def trained(layers, loss, Y, optimizer=None):
    """Return a model after one epoch, and its parameters before it."""
    model = Sequential(layers, loss, inputs=3, seed=1)
    before = model.params.copy()
    model.fit(X, Y, optimizer=optimizer or SGD(0.1))
    return model, before


@pytest.mark.parametrize(
    ("layers", "loss", "Y", "told"),
    [
        (
            [Dense(4, "relu"), Dense(1, "softmax")], "binary_crossentropy", LABELS[None] > 0,
            r'layer 2 \(Dense\), takes softmax of one unit, which is always 1.*write Dense\(1, "sigmoid"\)',
        ),
        (
            [Dense(4, "softmax"), Dense(3, "softmax")], "categorical_crossentropy", LABELS,
            r"layer 1 \(Dense\) ends in softmax, and so does the last layer, layer 2 \(Dense\)",
        ),
        (
            [Dense(3, "sigmoid")], "categorical_crossentropy", LABELS,
            r'layer 1 \(Dense\), ends in sigmoid, but CategoricalCrossentropy\(\) takes .* write "softmax"',
        ),
        (
            [Dense(2, "softmax")], "binary_crossentropy", np.eye(2)[:, LABELS % 2],
            r'ends in softmax, but BinaryCrossentropy\(\) takes .* write loss="categorical_crossentropy"',
        ),
    ],
    ids=["one unit", "twice", "sigmoid", "binary"],
)  # fmt: skip
def test_a_doubt_is_a_warning(layers, loss, Y, told):
    """What may be meant is warned of, by layer, and training goes on."""
    with pytest.warns(UserWarning, match=told):
        model, _ = trained(layers, loss, Y)
    assert model.is_built


def test_a_learning_rate_of_zero():
    """Parameters that cannot change are told of."""
    with pytest.warns(UserWarning, match=r"the learning rate of SGD\(learning_rate=0.0, .*\) is 0, so"):
        model, before = trained([Dense(1)], "mean_squared_error", X[:1], SGD(0))
    np.testing.assert_array_equal(model.params, before)


@pytest.mark.parametrize(
    ("layers", "loss", "Y"),
    [
        ([Dense(4, "relu"), Dense(1, "sigmoid")], "binary_crossentropy", LABELS[None] > 0),
        ([Dense(4, "relu"), Dense(3, "softmax")], "categorical_crossentropy", LABELS),
        ([Dense(4, "softmax"), Dense(2)], "mean_squared_error", X[:2]),
        ([Dense(1, "sigmoid")], "binary_crossentropy", np.full((1, 8), 0.3)),
        ([Dense(3, "softmax")], "categorical_crossentropy", np.full((3, 8), 1 / 3)),
        ([Dense(3, "softmax")], "categorical_crossentropy", np.full((3, 8), 0.3333)),
    ],
)
def test_what_is_right_is_not_doubted(layers, loss, Y):
    """Nothing is said where nothing is wrong; soft targets are right."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model, before = trained(layers, loss, Y)
    assert not told
    assert not np.array_equal(model.params, before)


@pytest.mark.parametrize(
    ("loss", "Y", "told"),
    [
        ("binary_crossentropy", np.tile([[-1, 1]], 4), r"Y\[0, 0\] is -1, .* takes 0 and 1, .* write \(Y \+ 1\) / 2$"),
        ("binary_crossentropy", np.tile([[1, 2]], 4), r"Y\[0, 1\] is 2, "),
        ("categorical_crossentropy", np.ones((3, 8)), r"column 0 of Y is \[1. 1. 1.\], .* probabilities that sum to 1"),
        ("categorical_crossentropy", np.tile([[2], [-1], [0]], 8), r"column 0 of Y is \[ 2. -1.  0.\]"),
        ("categorical_crossentropy", np.full((3, 8), 0.5), r'write loss="binary_crossentropy" and "sigmoid"'),
        ("categorical_crossentropy", np.array([[1, 0, 0]] * 4 + [[2, -1, 0]] * 4).T, "column 4 of Y is "),
    ],
)
def test_labels_that_cannot_be_meant(loss, Y, told):
    """Targets of another convention are refused before the first step, with how to turn them into the right ones."""
    model = Sequential([Dense(len(Y), "softmax" if len(Y) > 1 else "sigmoid")], loss, inputs=3, seed=1)
    before = model.params.copy()
    with pytest.raises(ValueError, match=told):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.params, before)


def test_divergence_tells_how_the_cost_went():
    """A loss that explodes is told with the last costs and the learning rate."""
    model = Sequential([Dense(5), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.raises(ArithmeticError, match=r"too large .*SGD\(learning_rate=50.*the cost went ") as raised:
        model.fit(X, X[:1], optimizer=SGD(50), epochs=200, batch_size=4)
    costs = [float(J) for J in str(raised.value).split("the cost went ")[1].split(", ")]
    assert costs[0] < costs[-1] or np.isnan(costs[-1])
    assert 2 <= len(costs) <= 5
