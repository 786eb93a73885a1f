"""Losses against values by hand, at the edges of their domains, and from Z[L] however large."""

import math

import numpy as np
import pytest
from helpers import registered
from messages import raises

import tinynet as tn
from tinynet import Activation, Dense, Loss, Sequential, testing
from tinynet.activations import Sigmoid, Tanh
from tinynet.errors import ShapeError
from tinynet.losses import BinaryCrossentropy, CategoricalCrossentropy
from tinynet.model.chain import Output

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
    ("log_cosh", {}, [[2, 1, 1e4]], [[1, 1, 0]], (math.log(math.cosh(1)) + 1e4 - LOG2) / 3,
     [[math.tanh(1), 0, 1]]),
    ("hinge", {}, [[0.5, 2, 1, -2, 1]], [[1, 1, -1, -1, 1]], 2.5 / 5, [[-1, 0, 1, 0, 0]]),
    ("kl_divergence", {}, [[0.5, 0.25], [0.5, 0.75]], [[1, 0.25], [0, 0.75]], LOG2 / 2,
     [[-2, -1], [0, -1]]),
    ("kl_divergence", {}, [[0.5], [0.5]], [[0.25], [0.75]], 0.75 * math.log(3) - LOG2,
     [[-0.5], [-1.5]]),
    ("binary_crossentropy", {"pos_weight": 3}, [[0.5, 0.25]], [[1, 0]],
     (3 * LOG2 + math.log(4 / 3)) / 2, [[-6, 4 / 3]]),
    ("binary_crossentropy", {"label_smoothing": 0.5}, [[0.5, 0.25]], [[1, 0]],
     (LOG2 + 0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / 2, [[-1, 0]]),
    ("categorical_crossentropy", {"label_smoothing": 0.5}, [[0.5, 0.25], [0.5, 0.75]],
     [[1, 0], [0, 1]], (LOG2 + 0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / 2,
     [[-1.5, -1], [-0.5, -1]]),
    ("categorical_crossentropy", {"ignore": -1, "label_smoothing": 0.5}, [[0.5, 0.25], [0.5, 0.75]],
     [[1, 0], [0, 0]], LOG2 / 2, [[-1.5, 0], [-0.5, 0]]),
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
@pytest.mark.parametrize("name", registered(Loss))
def test_out(name, dtype):
    """With out=, `back` fills and returns it."""
    loss, (A, Y) = Loss.get(name), np.random.default_rng(1).uniform(0.1, 0.9, (2, 3, 5))
    A, Y, out = A.astype(dtype), Y.astype(dtype), np.full(A.shape, np.nan, dtype)
    expected = loss.back(A, Y)
    assert loss.back(A, Y, out=out) is out, "the array given as out must be returned"
    np.testing.assert_array_equal(expected, out)


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
        ("kl_divergence", [[1], [0]], [[1], [0]], True),
        ("kl_divergence", [[1], [0]], [[0], [1]], False),
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
        ("kl_divergence", "softmax", [[1000], [0]], [[0], [1]], 1000),
        ("kl_divergence", "softmax", [[40], [0]], [[1], [0]], LITTLE),
        ("kl_divergence", "softmax", [[7], [7]], [[0.5], [0.5]], 0),
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


@both_dtypes
@pytest.mark.parametrize("copies", [1, 300])
def test_signs_of_few_and_of_many_differences(copies, dtype):
    """However dA is computed, the smallest difference counts, and NaN stays."""
    limits = np.finfo(dtype)
    ends = [limits.smallest_subnormal, limits.tiny, 1e-5, 3, limits.max, math.inf]
    Y = np.array([[0, math.nan, *ends, *(-end for end in ends)]] * copies, dtype)
    dA = Loss.get("mean_absolute_error").back(np.zeros_like(Y), Y, out=np.empty_like(Y))
    np.testing.assert_array_equal(np.sign(-Y), dA)


@pytest.mark.parametrize("name", registered(Loss))
def test_targets_of_another_shape(name):
    """They are refused with both shapes, because NumPy would broadcast them."""
    loss, members = Loss.get(name), {"each": lambda self, A, Y: A - Y, "back": None}
    for method in (loss.value, loss.each, loss.back, type("Own", (Loss,), members)().value):
        with pytest.raises(ShapeError, match=r"^Y has shape \(3,\).*\(1, 3\)"):
            method(np.ones((1, 3)), np.ones(3))


@pytest.mark.parametrize("name", ["categorical_crossentropy", "kl_divergence"])
def test_labels_become_columns(name):
    """Integer labels become one-hot columns, and columns stay as they are."""
    as_columns = Loss.get(name).targets
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
    found = f"Own.each returned shape {np.shape(each(np.ones((3, 4)), 0))}, expected (4,), or"
    with raises(ShapeError, found, "(3, 4)", "np.sum(..., axis=0)"):
        model.fit(X, np.ones((3, 4)), sample_weight=weights)


def test_a_number_for_each_position():
    """Of outputs at positions a loss gives a number for each output or for each example."""
    by_positions = type(
        "ByPositions",
        (Loss,),
        {"each": lambda self, A, Y: ((A - Y) ** 2).sum(axis=0), "back": lambda self, A, Y: A - Y},
    )
    with raises(ShapeError, "ByPositions.each returned shape (3, 4), expected (4,), or (2, 3, 4)"):
        by_positions().value(np.zeros((2, 3, 4)), np.ones((2, 3, 4)))


# Losses with settings

SMOOTH, WEIGHTED = {"label_smoothing": 0.2}, {"pos_weight": 2.0}
SETTINGS = [
    ("binary_crossentropy", SMOOTH), ("binary_crossentropy", WEIGHTED),
    ("binary_crossentropy", SMOOTH | WEIGHTED), ("categorical_crossentropy", SMOOTH),
    ("categorical_crossentropy", {"ignore": -1}), ("categorical_crossentropy", {"ignore": 2}),
    ("categorical_crossentropy", SMOOTH | {"ignore": -1}), ("kl_divergence", {}),
]  # fmt: skip
SHAPES = [(4, 6), (4, 5, 6), (4, 3, 2, 6), (4, 1)]


def outputs_and_targets(loss, shape, dtype="float64"):
    """Return Z, A behind the partner, and targets; some columns have none if a label is ignored."""
    rng = np.random.default_rng(7)
    Z = rng.standard_normal(shape)
    if loss.registered_name == "binary_crossentropy":
        Y = rng.integers(0, 2, shape) * 1.0
    else:
        Y = 1.0 * (np.argmax(rng.random(shape), axis=0) == np.indices(shape)[0])
        if getattr(loss, "ignore", None) is not None:
            Y *= rng.random(shape[1:]) < 0.7
    Z, Y = Z.astype(dtype), Y.astype(dtype)
    return Z, loss.partner.forward(Z), Y


@both_dtypes
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "fields"), SETTINGS)
def test_dZ_behind_the_partner(name, fields, shape, dtype):
    """dZ, the dA behind the partner's slope, and the differences of J are the same."""
    loss = Loss.get(name, **fields)
    Z, A, Y = outputs_and_targets(loss, shape)
    loss.check_targets(Y)
    dZ = loss.back_from_Z(A, Y)
    np.testing.assert_allclose(loss.partner.back(loss.back(A, Y), Z, A), dZ, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(loss.each(A, Y), loss.each_from_Z(Z, Y), rtol=1e-9, atol=1e-12)
    for at in ((0,) * len(shape), (-1,) * len(shape)):
        step = np.zeros(shape)
        step[at] = 1e-6
        sides = [loss.mean(loss.each_from_Z(Z + h, Y)) for h in (-step, step)]
        slope = (sides[1] - sides[0]) / 2e-6 * shape[-1]
        np.testing.assert_allclose(slope, dZ[at], rtol=1e-6, atol=1e-8)
    Z, A, Y = (array.astype(dtype) for array in (Z, A, Y))
    out = np.empty(shape, dtype)
    assert loss.back_from_Z(A, Y, out=out) is out
    np.testing.assert_allclose(dZ, out, atol=1e-6)
    results = loss.each(A, Y), loss.back(A, Y), loss.each_from_Z(Z, Y), loss.back_from_Z(A, Y)
    assert [np.dtype(dtype)] * 4 == [result.dtype for result in results]


@pytest.mark.parametrize("fields", [SMOOTH, WEIGHTED, SMOOTH | WEIGHTED], ids=str)
def test_binary_settings_of_pytorch(torch, fields):
    """The loss of each output, and dZ, are PyTorch's, for smoothed targets and a pos_weight."""
    loss = Loss.get("binary_crossentropy", **fields)
    Z, A, Y = outputs_and_targets(loss, (4, 6))
    logits, s = torch.tensor(Z, requires_grad=True), fields.get("label_smoothing", 0)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor((1 - s) * Y + s / 2), reduction="none",
        pos_weight=torch.tensor(fields.get("pos_weight", 1.0), dtype=torch.float64),
    )  # fmt: skip
    theirs.sum().backward()
    np.testing.assert_allclose(theirs.detach().numpy(), loss.each_from_Z(Z, Y), rtol=1e-12)
    np.testing.assert_allclose(logits.grad.numpy(), loss.back_from_Z(A, Y), rtol=1e-12)


@pytest.mark.parametrize("fields", [SMOOTH, {"ignore": -1}, SMOOTH | {"ignore": 2}], ids=str)
def test_categorical_settings_of_pytorch(torch, fields):
    """Smoothing and ignored labels are PyTorch's; its mean is over the labels that count."""
    loss = Loss.get("categorical_crossentropy", **fields)
    labels = np.array([0, 1, 2, -1, 2, 3]) if loss.ignore == -1 else np.array([0, 1, 2, 0, 2, 3])
    Y = loss.targets(labels, (4, 6)).astype(float)
    Z, A, _ = outputs_and_targets(loss, (4, 6))
    logits = torch.tensor(Z.T.copy(), requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(
        logits, torch.tensor(labels), reduction="none",
        label_smoothing=fields.get("label_smoothing", 0.0), ignore_index=fields.get("ignore", -100),
    )  # fmt: skip
    theirs.sum().backward()
    np.testing.assert_allclose(
        theirs.detach().numpy(), loss.each_from_Z(Z, Y).sum(axis=0), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(
        logits.grad.numpy().T, loss.back_from_Z(A, Y), rtol=1e-11, atol=1e-15
    )


def test_others_of_pytorch(torch):
    """kl_divergence, log_cosh and hinge against PyTorch's functions."""
    Z, A, Y = outputs_and_targets(Loss.get("kl_divergence"), (4, 6))
    Y = (Y + 0.1) / 1.4
    theirs = torch.nn.functional.kl_div(torch.tensor(A).log(), torch.tensor(Y), reduction="none")
    np.testing.assert_allclose(
        theirs.numpy(), Loss.get("kl_divergence").each(A, Y), rtol=1e-12, atol=1e-15
    )
    expected = torch.log(torch.cosh(torch.tensor(Z - Y))).numpy()
    np.testing.assert_allclose(expected, Loss.get("log_cosh").each(Z, Y), rtol=1e-9)
    signs = torch.sign(torch.tensor(Y - 0.5))
    expected = torch.relu(1 - signs * torch.tensor(Z)).numpy()
    np.testing.assert_array_equal(expected, Loss.get("hinge").each(Z, signs.numpy()))


def test_defaults_are_to_the_bit_what_they_were():
    """Without settings, dZ[L] is A - Y by np.subtract itself, and in a subclass too."""
    for name in ("binary_crossentropy", "categorical_crossentropy", "mean_squared_error"):
        loss = Loss.get(name)
        assert loss.subtracts
        assert Output(loss, loss.partner).back_from_Z is np.subtract
    own = {"back_from_Z": lambda self, A, Y: 2 * (A - Y)}
    for kind in (BinaryCrossentropy, CategoricalCrossentropy):
        assert not type("Twice", (kind,), own)().subtracts, "a class with its own is asked"
        assert type("Below", (kind,), {})().subtracts


@pytest.mark.parametrize(("name", "fields"), SETTINGS)
def test_gradients_with_settings(name, fields):
    """Gradients of a model are right behind the partner and behind another activation, weighted."""
    loss = Loss.get(name, **fields)
    X = np.random.default_rng(3).standard_normal((3, 6))
    _, _, Y = outputs_and_targets(loss, (4, 6))
    for output in ("sigmoid", "softmax"):
        model = Sequential([Dense(4, "tanh"), Dense(4, output)], loss, inputs=3, seed=1)
        assert testing.check_gradients(model, X, Y) <= 1e-6


def test_label_smoothing_is_not_seen_by_metrics():
    """Metrics see the targets that were passed, and J grows by the smoothing alone."""
    labels, X = np.array([0, 1, 1]), 50 * np.eye(3)[:2] + [[0, 0, 0], [0, 0, 50]]
    model = Sequential([Dense(2, "softmax")], Loss.get("categorical_crossentropy", **SMOOTH),
                       inputs=2, dtype="float64")  # fmt: skip
    model.W[1] = np.eye(2)
    found = model.evaluate(X, labels, metrics=["accuracy", "log_loss"])
    assert found["accuracy"] == 1
    assert found["log_loss"] < 1e-12
    np.testing.assert_allclose(0.1 * 50, found["loss"], rtol=1e-9)


def test_an_ignored_label():
    """Its column is zeros in every integer dtype, and it adds nothing to J, dZ and dW."""
    for dtype in (np.int8, np.int64, np.uint8):
        labels = np.array([1, 2, 0], dtype)
        columns = Loss.get("categorical_crossentropy", ignore=2).targets(labels, (3, 3))
        np.testing.assert_array_equal([[0, 0, 1], [1, 0, 0], [0, 0, 0]], columns)
    loss = Loss.get("categorical_crossentropy", ignore=-100)
    X = np.random.default_rng(3).standard_normal((2, 4))
    model = Sequential([Dense(3, "softmax")], loss, inputs=2, seed=1, dtype="float64")
    model.forward(X)
    J = model.cost([0, -100, 2, 1])
    model.back([0, -100, 2, 1])
    dW = model.dW[1].copy()
    np.testing.assert_array_equal(0, model.dZ[1][:, 1])
    model.forward(X[:, [0, 2, 3]])
    np.testing.assert_allclose(J, 3 / 4 * model.cost([0, 2, 1]), rtol=1e-12)
    model.back([0, 2, 1])
    np.testing.assert_allclose(dW, 3 / 4 * model.dW[1], rtol=1e-12)
    history = model.fit(X, [0, -100, 2, 1], epochs=3)
    assert history["loss"][-1] < history["loss"][0]
    with raises(ValueError, "The label of example 3 is 7", "expected 0 to 2"):
        model.cost([0, -100, 2, 7])


@pytest.mark.parametrize(("labels", "remedy"), [
    ([-1, 2, 3, 1, 2], "Pass np.where(Y == -1, -1, Y - 1)."),
    ([-1, 3, 5, 9, 3], "Number the other labels from 0, and leave -1 as it is."),
    ([-1, 0, 2, -2, 1], "Number the other labels from 0, and leave -1 as it is."),
])  # fmt: skip
def test_labels_beside_those_that_are_ignored(labels, remedy):
    """The remedy leaves alone what stands for no class, and works."""
    model = Sequential([Dense(3, "softmax")], CategoricalCrossentropy(ignore=-1), seed=1)
    X, Y = np.ones((2, 5)), np.array(labels)
    with raises(ValueError, "expected 0 to 2", remedy):
        model.fit(X, Y)
    if "np.where" in remedy:
        model.fit(X, np.where(Y == -1, -1, Y - 1))


@pytest.mark.parametrize("shape", [(5,), (4, 5)], ids=str)
def test_metrics_leave_ignored_labels_out(shape):
    """Accuracy, weighted or not, and a custom function see the labels that count, and no others."""
    rng = np.random.default_rng(3)
    X, labels = rng.standard_normal((3, *shape)), rng.integers(3, size=shape)
    ignored, w = rng.random(shape) < 0.4, rng.random(shape[-1]) + 0.1
    loss = Loss.get("categorical_crossentropy", ignore=-1)
    inputs = X.shape[:-1] if len(shape) > 1 else 3
    model = Sequential([Dense(3, "softmax")], loss, inputs=inputs, seed=1)
    right = model.predict(X).argmax(axis=0) == labels

    def columns(Y, A):
        assert Y.shape == A.shape == (3, (~ignored).sum())
        return Y.sum()

    Y = np.where(ignored, -1, labels)
    found = model.evaluate(X, Y, metrics=["accuracy", columns])
    np.testing.assert_allclose(right[~ignored].mean(), found["accuracy"], rtol=1e-12)
    assert found["columns"] == (~ignored).sum()
    weights = np.broadcast_to(w, shape)[~ignored]
    expected = np.average(right[~ignored], weights=weights)
    found = model.evaluate(X, Y, metrics=["accuracy"], sample_weight=w)
    np.testing.assert_allclose(expected, found["accuracy"], rtol=1e-6)
    history = model.fit(X, Y, epochs=2, metrics=["accuracy"], validation_data=(X, Y))
    assert 0 <= history["val_accuracy"][-1] <= 1
    assert np.isnan(model.evaluate(X, np.full(shape, -1), metrics=["accuracy"])["accuracy"])


TAKEN = {
    "many signs": ("hinge", np.where(np.arange(4097) % 2, 1, -1)[np.newaxis].astype(np.int8)),
    "many shares": ("kl_divergence", np.full((3, 400), 0.3333)),  # each is off by a little
    "noise for few": ("binary_crossentropy", np.linspace(-2.9, 2.6, 60).reshape(1, 20, 3)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_targets_that_are_taken(name):
    """Neither a small dtype, nor many rounded shares, nor many outputs of few examples matter."""
    loss, Y = TAKEN[name]
    assert Loss.get(loss).check_targets(Y) is None


def test_metrics_of_a_hinge():
    """With targets -1 and 1 an output above 0 is a yes, for metrics and for labels."""
    X = np.random.default_rng(1).standard_normal((2, 60))
    Y = np.where(X[0] > 0.3, 1, -1)
    model = Sequential([Dense(1)], "hinge", inputs=2, seed=1)
    names = ["accuracy", "binary_accuracy", "f1", "roc_auc", "mean_absolute_error"]
    model.fit(X, Y, tn.Adam(0.05), epochs=30, metrics=names, validation_data=(X, Y))
    found, A = model.evaluate(X, Y, metrics=names), model.predict(X)
    labels = model.predict_labels(X)
    assert found["accuracy"] == np.mean(labels == (Y > 0)) == found["binary_accuracy"] > 0.8
    assert labels.tolist() == (A[0] > 0).astype(int).tolist()
    assert found["roc_auc"] == tn.metrics.roc_auc(Y > 0, A)
    np.testing.assert_allclose(found["mean_absolute_error"], np.mean(np.abs(A - Y)), rtol=1e-6)
    strict = model.evaluate(X, Y, metrics=[tn.metrics.Accuracy(threshold=1)])
    assert strict["accuracy(threshold=1.0)"] == np.mean((A[0] > 1) == (Y > 0))


@pytest.mark.parametrize(("name", "fields", "words"), [
    ("binary_crossentropy", {"label_smoothing": 1}, "at least 0 and below 1"),
    ("categorical_crossentropy", {"label_smoothing": -0.1}, "at least 0 and below 1"),
    ("binary_crossentropy", {"pos_weight": 0}, "above 0"),
    ("binary_crossentropy", {"pos_weight": math.nan}, "above 0"),
    ("categorical_crossentropy", {"ignore": 0.5}, "whole number"),
])  # fmt: skip
def test_refused_settings(name, fields, words):
    """What a setting cannot mean is refused with its name."""
    with raises((ValueError, TypeError), *fields, words):
        Loss.get(name, **fields)


def test_settings_in_prints_and_configs():
    """A setting shows where it is not the default; a config without it is that of an older file."""
    loss = Loss.get("categorical_crossentropy", ignore=-1)
    assert repr(loss) == "CategoricalCrossentropy(ignore=-1)"
    assert Loss.get(loss.config()) == loss
    old = {"family": "loss", "name": "categorical_crossentropy"}
    assert repr(Loss.get(old)) == "CategoricalCrossentropy()"
    assert repr(Loss.get("binary_crossentropy")) == "BinaryCrossentropy()"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_log_cosh_keeps_its_digits(dtype):
    """Of a small difference d it is d²/2 - d⁴/12, and of a large one d - log 2."""
    d = np.array([1e-8, 1e-5, 1e-3, 19.9, 20.1, 50, 1e4], dtype)
    wide = d.astype("f8")
    expected = np.where(wide < 1, wide**2 / 2 - wide**4 / 12, wide - LOG2)
    each = Loss.get("log_cosh").each(d, np.zeros_like(d))
    np.testing.assert_allclose(each, expected, rtol=4 * np.finfo(dtype).eps + 1e-13)
    assert each.dtype == dtype
