"""Targets: what a loss cannot mean is refused everywhere, and flat ones for one output are not."""

import re

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import Dense, Sequential, functional
from tinynet.errors import NonFiniteError

M = 4
X = np.random.default_rng(1).standard_normal((2, M))
W = np.zeros((1, 2)), np.zeros((1, 1))


def binary(n=1):
    return Sequential([Dense(n, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)


def counts():
    return Sequential([Dense(1, "softplus")], "poisson", inputs=2, seed=1)


def classes():
    return Sequential([Dense(3, "softmax")], "categorical_crossentropy", inputs=2, seed=1)


def numbers():
    return Sequential([Dense(1)], "mean_squared_error", inputs=2, seed=1)


def on_disk(folder, Y):
    for name, array in (("X", X), ("Y", np.asarray(Y))):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array.T))
    return tn.open_rows(folder / "X.npy"), tn.open_rows(folder / "Y.npy")


def signs():
    return Sequential([Dense(1)], "hinge", inputs=2, seed=1)


def shares():
    return Sequential([Dense(2, "softmax")], "kl_divergence", inputs=2, seed=1)


class Limited(tn.losses.MeanSquaredError):
    target_limits = (-1.0, 10.0)


def limited():
    return Sequential([Dense(1)], Limited(), inputs=2, seed=1)


RIGHT = {**dict.fromkeys((binary, counts, numbers, signs, limited), np.ones((1, M))),
         classes: np.eye(3)[:, [0, 1, 2, 0]], shares: np.eye(2)[:, [0, 1, 1, 0]]}  # fmt: skip

# Each takes a model, targets of another convention, and a folder.
DOORS = {
    "fit": lambda model, Y, folder: model.fit(X, Y),
    "fit of a stream": lambda model, Y, folder: model.fit([(X, Y)]),
    "fit of data on disk": lambda model, Y, folder: model.fit(*on_disk(folder, Y)),
    "validation data": lambda model, Y, folder: model.fit(
        X, next(RIGHT[kind] for kind in RIGHT if kind().loss == model.loss), validation_data=(X, Y)
    ),
    "evaluate": lambda model, Y, folder: model.evaluate(X, Y),
    "cost": lambda model, Y, folder: (model.forward(X), model.cost(Y)),
    "back": lambda model, Y, folder: (model.forward(X), model.back(Y)),
    "check_gradients": lambda model, Y, folder: tn.testing.check_gradients(model, X, Y),
}

# model, Y and what the message says; the entry is named
BAD = {
    "percentages": (
        binary, [[0, 255, 0, 127.5]], "Y[0, 1] is 255",
        "expects 0 and 1, or numbers between. Pass Y / Y.max(), or"),
    "of another sign": (
        binary, [[1, -1, 0.5, -0.5]], "Y[0, 1] is -1",
        "numbers between. Pass (Y + 1) / 2 for labels"),
    "class numbers": (
        binary, [[0, 1, 2, 3]], "Y[0, 2] is 2", "use softmax and categorical_crossentropy."),
    "counted from 1": (binary, [[1, 2, 2, 1]], "Y[0, 1] is 2", "Pass Y - 1 for labels 1 and 2."),
    "one a little large": (binary, [[0, 1, 0.5, 1.25]], "Y[0, 3] is 1.25"),
    "numbers up to 5": (
        binary, [[0.5, 2.5, -0.5, 5]], "Y[0, 1] is 2.5",
        'numbers between. For numbers use loss="mean_squared_error"'),
    "large fractions": (binary, [[0.5, 12.5, 80.25, 7.75]], "Y[0, 1] is 12.5", "Y / Y.max()"),
    "counts below 0": (
        counts, [[0, 2, -3, 1]], "Y[0, 2] is -3",
        "expects numbers of at least 0. Counts are not negative: use"),
    "columns of ones": (
        classes, np.ones((3, M)), "Column 0 of Y is [1. 1. 1.], expected one-hot columns",
        "for shares, and integer labels (m,) as they are. Where each output",
        'output is a yes or no by itself, use loss="binary_crossentropy" and "sigmoid".'),
    "one below 0": (
        classes, np.eye(3)[:, [2, 0, 1, 2]] + [[0.25], [0], [-0.25]],
        "Column 1 of Y is [ 1.25  0.   -0.25]"),
    "shares that are off": (classes, np.full((3, M), 0.34), "Column 0 of Y is [0.34 0.34 0.34]"),
    "no share": (shares, [[1, 0, 1, 1], [0, 0, 0, 0]], "Column 1 of Y is [0. 0.]"),
    "beyond the limits of one's own loss": (
        limited, [[0, 12, 0, -2]], re.compile(
            r"Y\[0, 1\] is 12\. Limited\(\) expects -1 and 10, or numbers between\.( |$)")),
    "labels of a hinge": (
        signs, [[1, 0, 1, 0]],
        "Y[0, 1] is 0. Hinge() expects -1 and 1. Pass np.where(Y > 0, 1, -1) for labels"),
    "squares that sum to m": (signs, [[0, 2, 0, 0]], "Y[0, 0] is 0"),
    "squares, one below 0": (signs, [[0, 0, 0, -2]], "Y[0, 0] is 0"),
    "counts of each class": (
        shares, [[1.0, 3, 2, 1], [1, 1, 2, 0]], "Column 0 of Y is [1. 1.]",
        "Pass Y / Y.sum(axis=0) for shares. Where"),
    "NaN in signs": (signs, [[1, np.nan, -1, 1]], "Y[0, 1] is nan"),
    "NaN, yes or no": (binary, [[0, 1, np.nan, 1]], "Y[0, 2] is nan"),
    "NaN in counts": (counts, [[0, 1, np.nan, 1]], "Y[0, 2] is nan"),
    "NaN in a class": (classes, np.full((3, M), np.nan), "Y[0, 0] is nan"),
    "infinity": (numbers, [[0, 1, -np.inf, 1]], "Y[0, 2] is -inf"),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", BAD)
def test_targets_a_loss_cannot_mean(name, door, tmp_path):
    """The message names the entry, and nothing has changed."""
    kind, Y, *words = BAD[name]
    model = kind()
    before = model.params.copy()
    with raises((ValueError, NonFiniteError), *words):
        DOORS[door](model, np.array(Y), tmp_path)
    np.testing.assert_array_equal(before, model.params)
    assert model.rng.bit_generator.state == kind().rng.bit_generator.state


@pytest.mark.parametrize("size", [0.5, 1, 1.5])
@pytest.mark.parametrize("door", DOORS)
def test_numbers_in_place_of_yes_or_no(door, size, tmp_path, monkeypatch):
    """The course has values for a few targets of noise; a training with such is a mistake."""
    rng, model = np.random.default_rng(5), binary()
    inputs, Y = rng.standard_normal((2, 40)), size * rng.standard_normal((1, 40))
    monkeypatch.setitem(globals(), "X", inputs)
    monkeypatch.setitem(RIGHT, binary, np.ones((1, 40)))
    before = model.params.copy()
    with raises(ValueError, "Y[0, ", 'loss="mean_squared_error" and the activation "identity"'):
        DOORS[door](model, Y, tmp_path)
    np.testing.assert_array_equal(before, model.params)


@pytest.mark.parametrize("name", [name for name in BAD if BAD[name][0] is binary])
def test_functions_of_the_course(name):
    Y, words = np.array(BAD[name][1]), BAD[name][2:]
    parameters = {"W1": W[0], "b1": W[1]}
    AL, caches = functional.L_model_forward(X, parameters)
    grads = functional.L_model_backward(AL, RIGHT[binary], caches)
    for call in (
        lambda: functional.compute_cost(AL, Y),
        lambda: functional.L_model_backward(AL, Y, caches),
        lambda: functional.gradient_check_n(parameters, grads, X, Y),
    ):
        with raises((ValueError, NonFiniteError), *words):
            call()


REMEDIES = {
    "percentages": lambda Y: Y / Y.max(), "of another sign": lambda Y: (Y + 1) / 2,
    "labels of a hinge": lambda Y: np.where(Y > 0, 1, -1),
    "counts of each class": lambda Y: Y / Y.sum(axis=0),
    "counted from 1": lambda Y: Y - 1,
}  # fmt: skip


@pytest.mark.parametrize("name", REMEDIES)
def test_remedies(name):
    """What the message says to pass is taken."""
    kind, Y, *_ = BAD[name]
    assert kind().fit(X, REMEDIES[name](np.array(Y))).epochs == 1


@pytest.mark.parametrize("m", [M, 5000])  # as few as are compared, and more
def test_the_same_targets_are_checked_once(m):
    """`back` trusts what `cost` has checked, until the next pass."""
    model, Y, inputs = binary(), np.ones((1, m), np.float32), np.resize(X, (len(X), m))
    model.forward(inputs)
    model.cost(Y)
    model.forward(inputs)
    Y[0, 3] = 2
    with raises(ValueError, "Y[0, 3] is 2"):
        model.back(Y)


def test_flat_targets_of_one_output(tmp_path):
    """For one output Y may be (m,): it gives bit for bit what (1, m) gives, everywhere."""
    flat = np.array([0.0, 1.0, 1.0, 0.0])
    for kind in (binary, counts, numbers):
        expected, metrics = kind(), ["mean_squared_error", "binary_accuracy", "f1"]
        row = flat[np.newaxis]
        expected.fit(X, row, epochs=2, batch_size=2, validation_data=(X, row), metrics=metrics)
        for data in ((X, flat), on_disk(tmp_path, flat)):
            model = kind()
            shuffle = isinstance(data[0], np.ndarray)
            if shuffle:
                model.fit(*data, epochs=2, batch_size=2, validation_data=(X, flat), metrics=metrics)
                np.testing.assert_array_equal(expected.params, model.params)
            assert model.evaluate(*data, metrics=metrics) == model.evaluate(X, row, metrics=metrics)
        model.forward(X)
        assert model.cost(row) == model.cost(flat)
        model.back(row)
        grads = model.grads.copy()
        model.back(flat)
        np.testing.assert_array_equal(grads, model.grads)
        assert model.evaluate([(X, flat)]) == model.evaluate(X, row)
    with raises(ValueError, "Y has shape (4,)"):
        binary(2).fit(X, flat)


class ZeroOrOne(tn.Loss):
    """(A - S)² with the signs S of the labels 0 and 1."""

    def targets(self, Y, shape):
        return 2 * super().targets(Y, shape) - 1

    def each(self, A, Y):
        return (A - Y) ** 2

    def back(self, A, Y):
        return 2 * (A - Y)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_targets_of_a_loss_that_turns_labels_into_others(dtype):
    """The loss sees what its `targets` returns, also where Y has the shape and dtype of A[L]."""
    model, Y = Sequential([Dense(1)], ZeroOrOne(), inputs=2, seed=1), np.array([[0, 1, 1, 0]])
    signs, Y = 2 * Y - 1, Y.astype(dtype)
    A = model.forward(X)
    expected, dW = np.mean((A - signs) ** 2), 2 * (A - signs) @ X.T / M
    np.testing.assert_allclose(model.cost(Y), expected, rtol=1e-6)
    model.back(Y)
    np.testing.assert_allclose(model.dW[1], dW, rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(X, Y)["loss"], expected, rtol=1e-6)
    np.testing.assert_allclose(model.fit(X, Y, epochs=1)["loss"][0], expected, rtol=1e-6)
