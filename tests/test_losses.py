"""Losses against values by hand, at the edges of their domains, and from Z[L] however large."""

import math

import numpy as np
import pytest
from messages import raises

from tinynet import Activation, Dense, Loss, Sequential, testing
from tinynet.activations import Sigmoid, Tanh
from tinynet.errors import ShapeError
from tinynet.losses import BinaryCrossentropy

LOG2, E = math.log(2), math.e
LITTLE = math.log1p(math.exp(-40))
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# loss, fields, A, Y, J and dA
VALUES = [
    ("mean_squared_error", {}, [[1, 3]], [[0, 4]], 0.5, [[1, -1]]),
    ("mean_squared_error", {}, [[1, 3], [2, 0]], [[0, 0], [0, 1]], 15 / 4, [[1, 3], [2, -1]]),
    ("mean_absolute_error", {}, [[1, -3, 2]], [[0, 0, 2]], 4 / 3, [[1, -1, 0]]),
    ("huber", {"delta": 2}, [[1, 5, -5]], [[0, 0, 0]], (0.5 + 8 + 8) / 3, [[1, 2, -2]]),
    ("binary_crossentropy", {}, [[0.5, 0.25]], [[1, 0]], (LOG2 + math.log(4 / 3)) / 2,
     [[-2, 4 / 3]]),
    ("binary_crossentropy", {}, [[0.5]], [[0.25]], LOG2, [[1]]),
    ("categorical_crossentropy", {}, [[0.5, 0.25], [0.5, 0.75]], [[1, 1], [0, 0]], 1.5 * LOG2,
     [[-2, -4], [0, 0]]),
    ("categorical_crossentropy", {}, [[0.25], [0.75]], [[1], [1]], math.log(16 / 3),
     [[-4], [-4 / 3]]),
    ("poisson", {}, [[1, E]], [[2, 1]], E / 2, [[-1, 1 - 1 / E]]),
]  # fmt: skip


@both_dtypes
@pytest.mark.parametrize(("name", "fields", "A", "Y", "J", "dA"), VALUES)
def test_values_by_hand(name, fields, A, Y, J, dA, dtype):
    """J is the mean over the examples of the sum over the outputs, and dA its slope times m."""
    loss, A, Y = Loss.get(name, **fields), np.array(A, dtype), np.array(Y, dtype)
    rtol = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(J, loss.value(A, Y), rtol=rtol)
    np.testing.assert_allclose(dA, loss.back(A, Y), rtol=rtol)


@both_dtypes
@pytest.mark.parametrize(
    ("name", "A", "Y", "right"),
    [
        ("binary_crossentropy", [[0, 1]], [[0, 1]], True),
        ("binary_crossentropy", [[0, 1]], [[1, 0]], False),
        ("categorical_crossentropy", [[1], [0]], [[1], [0]], True),
        ("categorical_crossentropy", [[1], [0]], [[0], [1]], False),
        ("poisson", [[0]], [[0]], True),
        ("poisson", [[0]], [[1]], False),
    ],
)
def test_outputs_at_the_edge(name, A, Y, right, dtype):
    """An A of exactly 0 or 1 costs nothing where it is right, a finite amount where it is wrong."""
    loss, A, Y = Loss.get(name), np.array(A, dtype), np.array(Y, dtype)
    assert np.isfinite(loss.back(A, Y)).all()
    if right:
        np.testing.assert_allclose(0, loss.value(A, Y), atol=np.finfo(dtype).eps)
    else:
        assert 10 < loss.value(A, Y) < 1000


@both_dtypes
@pytest.mark.parametrize(
    ("loss", "output", "Z", "Y", "J"),
    [
        ("binary_crossentropy", "sigmoid", [[1000, -3000]], [[0, 1]], 2000),
        ("binary_crossentropy", "sigmoid", [[40, -40]], [[1, 0]], LITTLE),
        ("binary_crossentropy", "sigmoid", [[0]], [[0.25]], LOG2),
        ("categorical_crossentropy", "softmax", [[1000], [0]], [[0], [1]], 1000),
        ("categorical_crossentropy", "softmax", [[1040], [1000]], [[1], [0]], LITTLE),
        ("categorical_crossentropy", "softmax", [[7], [7], [7]], [[0], [1], [0]], math.log(3)),
        ("mean_squared_error", "identity", [[1000]], [[0]], 500_000),
    ],
)
def test_cost_from_Z(loss, output, Z, Y, J, dtype):
    """With its partner at the end, the cost is exact where A is 0 or 1; weighted, too."""
    Z = np.array(Z, dtype)
    model = Sequential([Dense(len(Z), output)], loss, inputs=len(Z), dtype=dtype)
    model.W[1] = np.eye(len(Z))
    model.forward(Z)
    rtol, weights = 4 * np.finfo(dtype).eps, [3] * Z.shape[1]
    np.testing.assert_allclose(J, model.cost(Y), rtol=rtol)
    np.testing.assert_allclose(3 * J, model.cost(Y, sample_weight=weights), rtol=rtol)


def test_cost_from_integers():
    """Z may be integers, where somebody calls the formula."""
    loss = Loss.get("binary_crossentropy")
    Z, Y = np.array([[1, -2, 3]]), np.array([[0.0, 1.0, 0.5]])
    np.testing.assert_array_equal(loss.each_from_Z(Z, Y), loss.each_from_Z(Z.astype(float), Y))


def largest_error(self, A, Y):
    return float(np.abs(A - Y).max(axis=tuple(range(A.ndim - 1))).mean())


def test_the_loss_of_each_example():
    """Without `each`, it is the `value` of one example at a time, from A as from Z."""
    members = {"partner": Activation.get("relu"), "value": largest_error, "back": None}
    loss, columns = type("Worst", (Loss,), members)(), np.array([[1, -2, 3], [0, 4, -1]])
    for Z in (columns, columns[np.newaxis]):
        for targets, expected in ((0, [1, 4, 3]), (1, [1, 3, 2])):
            Y = np.full(Z.shape, targets)
            np.testing.assert_array_equal(expected, loss.each(np.maximum(Z, 0), Y))
            np.testing.assert_array_equal(expected, loss.each_from_Z(Z, Y))


def test_neither_each_nor_value():
    """A loss without a formula is refused with its name and with what to write."""
    loss = type("Nothing", (Loss,), {"back": None})()
    message = "Nothing defines neither each nor value. Write def each(self, A, Y), which returns"
    with raises(TypeError, message):
        loss.each(np.ones((1, 2)), np.ones((1, 2)))


def test_float64_sums():
    """The mean over many equal terms in float32 has more digits than float32 has; weighted, too."""
    loss, A = Loss.get("mean_absolute_error"), np.full((1, 100_000), 0.1, np.float32)
    each, term = loss.each(A, np.zeros_like(A)), float(A[0, 0])
    np.testing.assert_allclose(term, loss.value(A, np.zeros_like(A)), rtol=1e-12)
    np.testing.assert_allclose(3 * term, loss.mean(each, np.full(100_000, 3.0)), rtol=1e-12)
    np.testing.assert_allclose(1e5 * term, loss.mean(each.T, np.ones(1)), rtol=1e-12)


def test_examples_are_the_last_axis():
    """Outputs may have more than one axis: J is their sum, and the mean over the last axis."""
    A, expected = np.ones((2, 3, 4)), 0.5 * 2 * 3
    assert expected == Loss.get("mean_squared_error").value(A, np.zeros_like(A))


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "poisson"])
def test_targets_of_another_shape(name):
    """They are refused with both shapes, because NumPy would broadcast them."""
    with pytest.raises(ShapeError, match=r"^Y has shape \(3,\).*\(1, 3\)"):
        Loss.get(name).value(np.ones((1, 3)), np.ones(3))


def test_labels_become_columns():
    """Integer labels become one-hot columns, and columns stay as they are."""
    as_columns = Loss.get("categorical_crossentropy").targets
    one_hot = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    for Y, outputs, columns in (
        ([2, 0, 1], 3, one_hot),  # as many examples as classes
        ([[2, 0, 1]], 3, one_hot),
        ([[0, 1, 1]], 1, [[0, 1, 1]]),  # columns already, of the one output
        ([[0, 1], [1, 0]], 2, [[0, 1], [1, 0]]),
    ):
        shape = np.shape(columns)
        assert shape[0] == outputs
        np.testing.assert_array_equal(columns, as_columns(np.array(Y), shape))


@pytest.mark.parametrize("positions", [(4,), (2, 3), (1,)])
def test_labels_of_positions(positions):
    """For outputs (n_L, T, m), labels are (T, m), or (1, T, m)."""
    as_columns = Loss.get("categorical_crossentropy").targets
    labels = np.random.default_rng(1).integers(0, 3, (*positions, 5))
    one_hot = np.moveaxis(np.eye(3)[labels], -1, 0)
    for Y in (labels, labels[np.newaxis], one_hot):
        np.testing.assert_array_equal(one_hot, as_columns(Y, one_hot.shape))


def doubled(method):
    return {method: lambda self, A, Y: 2 * getattr(BinaryCrossentropy, method)(self, A, Y)}


PARTNERS = [
    ({}, True), ({"check_targets": lambda self, Y: None}, True), (doubled("each"), False),
    (doubled("value"), False), (doubled("back"), False),
    (doubled("back") | {"partner": Sigmoid()}, True), (doubled("back") | {"partner": None}, False),
]  # fmt: skip


@pytest.mark.parametrize(("members", "is_partner"), PARTNERS)
def test_partner_of_a_subclass(members, is_partner):
    """A subclass with another formula inherits no partner, nor does a class below it."""
    changed = type("Changed", (BinaryCrossentropy,), members)
    for loss in (changed(), type("Below", (changed,), {})()):
        assert loss.is_partner(Sigmoid()) == is_partner
        assert not loss.is_partner(Tanh())


def test_gradients_of_a_subclass():
    """A subclass with another formula is differentiated by its own back, not as A[L] - Y."""
    loss = type("Doubled", (BinaryCrossentropy,), doubled("each") | doubled("back"))()
    model = Sequential([Dense(1, "sigmoid")], loss, inputs=2, seed=1)
    assert testing.check_gradients(model, [[1, 2, 3], [3, 1, 2]], [[0, 1, 1]]) <= 1e-6


def test_a_loss_without_a_partner():
    """Its loss from Z is an error with the name of the loss."""
    with pytest.raises(AssertionError, match="Huber has no partner"):
        Loss.get("huber").each_from_Z(np.ones((1, 1)), np.ones((1, 1)))


SHAPES_OF_EACH = {
    "over the examples": lambda A, Y: ((A - Y) ** 2).sum(axis=1),
    "transposed": lambda A, Y: ((A - Y) ** 2).T,
    "a number": lambda A, Y: ((A - Y) ** 2).mean(),
    "one of them": lambda A, Y: ((A - Y) ** 2)[:, :1],
}


@pytest.mark.parametrize("weights", [None, np.ones(4)])
@pytest.mark.parametrize("name", SHAPES_OF_EACH)
def test_a_wrong_shape_from_each(name, weights):
    """What is no number for each example is refused, and never summed up wrongly."""
    each, members = SHAPES_OF_EACH[name], {"back": lambda self, A, Y: A - Y}
    loss = type("Own", (Loss,), members | {"each": lambda self, A, Y: each(A, Y)})()
    X = np.arange(8.0).reshape(2, 4) / 8
    model = Sequential([Dense(3)], loss, inputs=2, seed=1)
    with pytest.raises(
        ShapeError, match=r"Own\.each returned shape .*expected \(4,\), or \(3, 4\)"
    ):
        model.fit(X, np.ones((3, 4)), sample_weight=weights)
