"""Losses against values by hand, at the edges of their domains, and from Z[L] however far out it is."""

import math

import numpy as np
import pytest

from tinynet import Activation, Dense, Loss, Sequential
from tinynet.errors import ShapeError

DTYPES = [np.float32, np.float64]
LOG2, E = math.log(2), math.e
LITTLE = math.log1p(math.exp(-40))

# loss, fields, A, Y, J and dA
VALUES = [
    ("mean_squared_error", {}, [[1, 3]], [[0, 4]], 0.5, [[1, -1]]),
    (
        "mean_squared_error",
        {},
        [[1, 3], [2, 0]],
        [[0, 0], [0, 1]],
        (1 + 9 + 4 + 1) / 4,
        [[1, 3], [2, -1]],
    ),
    ("mean_absolute_error", {}, [[1, -3, 2]], [[0, 0, 2]], 4 / 3, [[1, -1, 0]]),
    ("huber", {"delta": 2}, [[1, 5, -5]], [[0, 0, 0]], (0.5 + 8 + 8) / 3, [[1, 2, -2]]),
    (
        "binary_crossentropy",
        {},
        [[0.5, 0.25]],
        [[1, 0]],
        (LOG2 + math.log(4 / 3)) / 2,
        [[-2, 4 / 3]],
    ),
    ("binary_crossentropy", {}, [[0.5]], [[0.25]], LOG2, [[1]]),
    (
        "categorical_crossentropy",
        {},
        [[0.5, 0.25], [0.5, 0.75]],
        [[1, 1], [0, 0]],
        1.5 * LOG2,
        [[-2, -4], [0, 0]],
    ),
    (
        "categorical_crossentropy",
        {},
        [[0.25], [0.75]],
        [[1], [1]],
        math.log(16 / 3),
        [[-4], [-4 / 3]],
    ),
    ("poisson", {}, [[1, E]], [[2, 1]], E / 2, [[-1, 1 - 1 / E]]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "fields", "A", "Y", "J", "dA"), VALUES)
def test_values_by_hand(name, fields, A, Y, J, dA, dtype):
    """J is the mean over the examples of the sum over the outputs, and dA its slope, not divided by m."""
    loss, A, Y = Loss.get(name, **fields), np.array(A, dtype), np.array(Y, dtype)
    rtol = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(J, loss.value(A, Y), rtol=rtol)
    np.testing.assert_allclose(dA, loss.back(A, Y), rtol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
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
    """An A of exactly 0 or 1 costs nothing where it is right, much but not infinitely much where it is wrong."""
    loss, A, Y = Loss.get(name), np.array(A, dtype), np.array(Y, dtype)
    assert np.isfinite(loss.back(A, Y)).all()
    if right:
        np.testing.assert_allclose(0, loss.value(A, Y), atol=np.finfo(dtype).eps)
    else:
        assert 10 < loss.value(A, Y) < 1000


@pytest.mark.parametrize("dtype", DTYPES)
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
    """With its partner at the end, the cost is exact far out, where A is 0 or 1 to the last digit; weighted, too."""
    Z = np.array(Z, dtype)
    model = Sequential([Dense(len(Z), output)], loss, inputs=len(Z), dtype=dtype)
    model.W[1] = np.eye(len(Z))
    model.forward(Z)
    np.testing.assert_allclose(J, model.cost(Y), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(
        3 * J, model.cost(Y, sample_weight=[3] * Z.shape[1]), rtol=4 * np.finfo(dtype).eps
    )


class _Worst(Loss):
    """A user's loss that is no sum of terms: the largest error of an example."""

    partner = Activation.get("relu")

    def value(self, A, Y):
        return float(np.abs(A - Y).max(axis=tuple(range(A.ndim - 1))).mean())

    def back(self, A, Y):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("Z", "A"),
    [
        ([[1, -2, 3], [0, 4, -1]], [[1, 0, 3], [0, 4, 0]]),
        ([[[1, -2, 3], [0, 4, -1]]], [[[1, 0, 3], [0, 4, 0]]]),
    ],
)
def test_the_loss_of_each_example(Z, A):
    """It is left to `value`, an example at a time, from A as from Z, and for examples of more than one axis."""
    loss, Z, A = _Worst(), np.array(Z), np.array(A)
    for targets, expected in ((0, [1, 4, 3]), (1, [1, 3, 2])):
        Y = np.full(A.shape, targets)
        np.testing.assert_array_equal(expected, loss.each(A, Y))
        np.testing.assert_array_equal(expected, loss.partner_each(Z, Y))


def test_terms_are_added_up_in_float64():
    """The mean and the sum of many equal terms in float32 have more digits than float32 has."""
    loss, A = Loss.get("mean_absolute_error"), np.full((1, 100_000), 0.1, np.float32)
    np.testing.assert_allclose(float(A[0, 0]), loss.value(A, np.zeros_like(A)), rtol=1e-12)
    np.testing.assert_allclose(
        [float(A[0, 0]) * 100_000], loss.each(A.T, np.zeros_like(A.T)), rtol=1e-12
    )


def test_examples_are_the_last_axis():
    """Outputs may have more than one axis: J is the sum over all of them, and the mean over the last."""
    A, expected = np.ones((2, 3, 4)), 0.5 * 2 * 3
    assert expected == Loss.get("mean_squared_error").value(A, np.zeros_like(A))


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "poisson"])
def test_targets_of_another_shape(name):
    """They are refused with both shapes, for NumPy would broadcast them."""
    with pytest.raises(ShapeError, match=r"^Y has shape \(3,\).*\(1, 3\)"):
        Loss.get(name).value(np.ones((1, 3)), np.ones(3))


@pytest.mark.parametrize(
    ("Y", "outputs", "columns"),
    [
        ([2, 0, 1], 3, [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),  # as many examples as classes
        ([[2, 0, 1]], 3, [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
        ([[0, 1, 1]], 1, [[0, 1, 1]]),  # columns already, of the one output
        ([[0, 1], [1, 0]], 2, [[0, 1], [1, 0]]),
    ],
)
def test_labels_become_columns(Y, outputs, columns):
    """Integer labels become one-hot columns, and columns stay as they are."""
    actual = Loss.get("categorical_crossentropy").targets(np.array(Y), outputs)
    np.testing.assert_array_equal(columns, actual)


def test_a_loss_without_a_partner_has_no_value_from_Z():
    """To ask for it is a mistake that is told with the loss's name."""
    with pytest.raises(AssertionError, match="Huber has no partner"):
        Loss.get("huber").partner_value(np.ones((1, 1)), np.ones((1, 1)))
