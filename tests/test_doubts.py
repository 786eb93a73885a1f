"""The usual mistakes of setting up a training are told, before it begins, with what to write."""

import contextlib
import re
import warnings

import numpy as np
import pytest

from tinynet import (
    SGD,
    Activate,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Initializer,
    LayerNorm,
    Optimizer,
    Reshape,
    Sequential,
)
from tinynet.errors import TrainingWarning
from tinynet.schedules import Constant, Polynomial, Step, Warmup

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
        (
            [Dense(4, "softmax"), Dropout(0.1), Dense(3, "softmax")], "categorical_crossentropy", LABELS,
            r"layer 1 \(Dense\) ends in softmax, and so does the last layer, layer 3 \(Dense\)",
        ),
        (
            [Dense(3, "softmax"), Activate("softmax")], "categorical_crossentropy", LABELS,
            r"layer 1 \(Dense\) ends in softmax, and so does the last layer, layer 2 \(Activate\)",
        ),
        (
            [Dense(3), Activate("sigmoid")], "categorical_crossentropy", LABELS,
            r"layer 2 \(Activate\), ends in sigmoid, but CategoricalCrossentropy\(\) takes",
        ),
        (
            [Dense(3, "sigmoid"), Flatten()], "categorical_crossentropy", LABELS,
            r"layer 1 \(Dense\), ends in sigmoid, but CategoricalCrossentropy\(\) takes",
        ),
        (
            [Dense(2), Dropout()], "mean_squared_error", X[:2],
            r"layer 2 \(Dropout\) is the last layer, so outputs are dropped in training",
        ),
    ],
    ids=["one unit", "twice", "sigmoid", "binary", "dropout between", "apart", "apart sigmoid", "flatten", "dropout"],
)  # fmt: skip
def test_a_doubt_is_a_warning(layers, loss, Y, told):
    """What may be meant is warned of, by layer, and training goes on."""
    with pytest.warns(TrainingWarning, match=told):
        model, _ = trained(layers, loss, Y)
    assert model.is_built


def test_a_learning_rate_of_zero():
    """Parameters that cannot change are told of."""
    with pytest.warns(
        UserWarning, match=r"the learning rate of SGD\(learning_rate=0.0, .*\) is 0, so"
    ):
        model, before = trained([Dense(1)], "mean_squared_error", X[:1], SGD(0))
    np.testing.assert_array_equal(model.params, before)


def same(value):
    """Return an initializer without chance."""
    return Initializer.get("constant", value=value)


NORMAL = Initializer.get("normal", scale=0.01)
YES_OR_NO = np.tile([[0, 1]], 4)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            [Dense(4, "tanh", init=same(0.5)), Dense(1, "sigmoid", init=same(0.5))],
            r'all 4 units of layer 1 \(Dense\) have the same weights, in W\[1\] and in W\[2\], .* init="auto"',
        ),
        (
            [
                Dense(4, "relu", init="zeros"),
                Dense(3, "relu", init="zeros"),
                Dense(1, "sigmoid", init="zeros"),
            ],
            r"all 3 units of layer 2 \(Dense\) have the same weights",
        ),
        (
            [Dense(4, init=same(0.5)), Activate("tanh"), Dense(1, "sigmoid", init=same(0.5))],
            r"all 4 units of layer 1 \(Dense\) have the same weights, in W\[1\] and in W\[3\]",
        ),
        (
            [
                Dense(4, init=same(0.5)),
                BatchNorm(activation="tanh"),
                LayerNorm(),
                Dense(1, "sigmoid", init=same(0.5)),
            ],
            r"all 4 units of layer 1 \(Dense\) have the same weights, in W\[1\] and in W\[4\]",
        ),
        (
            [*[Dense(20, "relu", init=NORMAL)] * 8, Dense(1, "sigmoid")],
            r'reaches layer 1 \(Dense\): dZ\[1\] is \de-\d+ times dZ\[9\]; .* from layer 1 to 9.* init="auto"',
        ),
        (
            [*[Dense(8, "sigmoid")] * 12, Dense(1, "sigmoid")],
            r"next to nothing .*sigmoid in many layers",
        ),
        (
            [*[Dense(99, init=Initializer.get("normal"))] * 9, Dense(1, "sigmoid")],
            r"next to nothing of the gradient reaches layer 1",
        ),
        (
            [
                *[Dense(99, "relu", init=Initializer.get("normal", scale=1.0))] * 9,
                Dense(1, "sigmoid"),
            ],
            r"the gradients grow on their way down: dZ\[1\] is .* times as large as dZ\[10\]",
        ),
    ],
    ids=["constant", "zeros", "activate", "normalized", "small", "sigmoid", "linear", "large"],
)
def test_an_initialization_that_stalls(layers, told):
    """What keeps a deep network from learning is told by layer, before or at the first step, once."""
    model = Sequential(layers, "binary_crossentropy", inputs=3, seed=1)
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        model.fit(X, YES_OR_NO, optimizer=SGD(1e-6), epochs=3)
    messages = [str(doubt.message) for doubt in doubts]
    assert sum(bool(re.search(told, message)) for message in messages) == 1, messages
    assert {doubt.filename for doubt in doubts} == {__file__}, (
        "the warning points at the line that called fit"
    )


@pytest.mark.parametrize(
    ("activations", "b", "told"),
    [
        ([("relu", 5), ("sigmoid", 1)], {1: -100}, r"of layer 1 \(Dense\) .*: all 5 units of layer 1 .* are dead"),
        (
            [("relu", 5), ("relu", 7), ("sigmoid", 1)], {2: -100},
            r"of layer 1 \(Dense\) and layer 2 \(Dense\) .* for a whole epoch, .* all 7 units of layer 2 ",
        ),
        ([("hard_sigmoid", 4), ("identity", 1)], {1: 1e6}, r"all 4 units of layer 1 .* dead \(hard_sigmoid is flat"),
        ([("tanh", 4), ("identity", 1)], {1: 1e6}, r"all 4 units of layer 1 \(Dense\) are dead \(tanh is flat there"),
    ],
)  # fmt: skip
def test_dead_units(activations, b, told):
    """Layers that do not move for an epoch are told, with how many units of which layer are dead, once a fit."""
    layers = [Dense(units, activation) for activation, units in activations]
    loss = "binary_crossentropy" if activations[-1][0] == "sigmoid" else "mean_squared_error"
    model = Sequential(layers, loss, inputs=3, seed=1)
    for l, shift in b.items():
        model.b[l][:] = shift
    before = model.W[1].copy()
    with pytest.warns(UserWarning, match=told) as doubts:
        model.fit(X, YES_OR_NO, epochs=4, batch_size=4)
    np.testing.assert_array_equal(before, model.W[1])
    assert len(doubts) == 1


@pytest.mark.parametrize(
    ("between", "told"),
    [
        (
            [Activate("relu")],
            r"of layer 1 \(Dense\) .*: all 5 units of layer 2 \(Activate\) are dead \(relu is flat",
        ),
        (
            [Activate("relu"), Dropout(0.1)],
            r"of layer 1 \(Dense\) .*: all 5 units of layer 2 \(Activate\) are dead",
        ),
        (
            [Reshape((5, 1)), Activate("relu"), Flatten()],
            r"all 5 units of layer 3 \(Activate\) are dead \(relu",
        ),
    ],
)
def test_dead_units_of_a_layer_apart(between, told):
    """Where the activation is a layer of its own, it is that one that is named, with its units."""
    model = Sequential(
        [Dense(5), *between, Dense(1, "sigmoid")], "binary_crossentropy", inputs=3, seed=1
    )
    model.b[1][:] = -100
    with pytest.warns(UserWarning, match=told) as doubts:
        model.fit(X, YES_OR_NO, epochs=3, batch_size=4)
    assert len(doubts) == 1


def test_a_layer_without_W_that_lets_nothing_through():
    """LayerNorm of a single unit is always beta: it is named, and no W of it."""
    model = Sequential([Dense(1), LayerNorm(), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.warns(
        UserWarning,
        match=r"of layer 1 \(Dense\) .*: layer 2 \(LayerNorm\) lets no gradient through",
    ):
        model.fit(X, X[:1], epochs=2)


def test_weights_that_let_nothing_through():
    """Where the gradient is stopped by W, not by an activation, it is W that is named."""
    model = Sequential(
        [Dense(4, "tanh"), Dense(2, "tanh"), Dense(1)], "mean_squared_error", inputs=3, seed=1
    )
    model.W[2][:] = 0
    model.W[3] = [[1, 2]]
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        model.fit(X[:, :1], [[1.0]], optimizer=SGD(1e-60), epochs=2)  # so small that W[2] stays 0
    told = r"of layer 1 \(Dense\) were exactly 0 .*: W\[2\] lets no gradient through"
    assert [bool(re.search(told, str(doubt.message))) for doubt in doubts] == [False, True]


class Leaves(Optimizer):
    """Makes new parameters, and leaves those of the model as they are."""

    def update(self, params, grads):
        params = params - 0.1 * grads


@pytest.mark.parametrize("optimizer", [SGD(1e-60), "leaves"])
def test_an_update_without_effect(optimizer):
    """Where there are gradients, and no parameter moves for an epoch, the optimizer is named."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.warns(UserWarning, match=r"left every parameter as it was .*params -= ") as doubts:
        model.fit(X, X[:1], optimizer=optimizer, epochs=3)
    assert len(doubts) == 1


@pytest.mark.parametrize(
    ("last", "loss", "told"),
    [
        (
            Dense(1),
            "binary_crossentropy",
            r'ends in identity, and A\[L\] goes from -\d.*from 0 to 1; write "sigmoid"',
        ),
        (
            Dense(1, "tanh"),
            "binary_crossentropy",
            r'ends in tanh, and A\[L\] goes from -0.*; write "sigmoid" there',
        ),
        (
            Dense(1, "softplus", init=Initializer.get("normal", scale=9.0)),
            "binary_crossentropy",
            "ends in softplus",
        ),
        (Dense(1), "poisson", r"ends in identity, .* takes it from 0 to inf$"),
    ],
)
def test_an_output_that_the_loss_does_not_take(last, loss, told):
    """An activation that leaves the domain of the loss is told before training, with the one that does not."""
    model = Sequential([Dense(3, "tanh"), last], loss, inputs=3, seed=1)
    with pytest.warns(UserWarning, match=told), contextlib.suppress(ArithmeticError):
        model.fit(X, YES_OR_NO)


def test_a_memory_that_is_lost():
    """Gradients whose squares are infinite leave a parameter where it is for ever, and that is told."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
    with pytest.warns(
        UserWarning, match=r"Adam\(.*remembers as 's' is not finite any more.*clip_norm"
    ) as doubts:
        model.fit([[3e10]], [[0.0]], Adam(0.1), epochs=3)
    assert len(doubts) == 1
    Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1).fit(
        [[3e10]], [[0.0]], Adam(0.1, clip_norm=1.0)
    )


def test_a_loss_that_grows_from_epoch_to_epoch():
    """Slow divergence, less than tenfold in the first steps, is told by the losses of the epochs."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.warns(
        UserWarning, match=r"the loss grows from epoch to epoch: .*The learning rate is"
    ) as doubts:
        model.fit(X, X[:1] + 1, optimizer=SGD(2.0), epochs=60, batch_size=None)
    assert len(doubts) == 1


def test_a_first_cost_that_is_small_by_chance():
    """A batch of one example may cost nearly nothing, and is no measure for those after it."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
    model.W[1] = [[1.0]]
    errors = [1e-4, 0.2, 0.25, 0.3, 0.35]
    model.fit(
        np.ones((1, 5)), [[1 + error for error in errors]], SGD(1e-6), batch_size=1, shuffle=False
    )
    assert model.cost([[2.0]]) > 0


def test_nothing_left_to_learn():
    """A network that has A[L] = Y stands still, rightly."""
    model = Sequential([Dense(4, "tanh"), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    before = model.params.copy()
    model.fit(X, model.predict(X), epochs=3, batch_size=None)
    np.testing.assert_array_equal(before, model.params)


@pytest.mark.parametrize(("error", "doubted"), [(2.0**-11, False), (0.5, True)])
def test_gradients_that_cancel(error, doubted):
    """Errors that cancel are a minimum; if they are small, nobody asks what stopped the gradients."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=1, seed=1)
    model.W[1] = [[1.0]]
    told = (
        pytest.warns(TrainingWarning, match=r"look at model\.dZ")
        if doubted
        else contextlib.nullcontext()
    )
    with told:
        model.fit([[1.0, 1.0]], [[1 - error, 1 + error]], optimizer=SGD(0.1), epochs=2)
    assert model.W[1] == 1


def test_one_epoch_alive_is_enough():
    """Units that are dead for one batch only, or for one example, are no matter."""
    model = Sequential([Dense(1, "relu"), Dense(1)], "mean_squared_error", inputs=1, seed=1)
    model.W[1], model.W[2] = [[1.0]], [[1.0]]
    model.fit([[-1.0, -2.0, -3.0, 4.0]], [[0.0, 0.0, 0.0, 1.0]], epochs=2, batch_size=1)
    assert model.W[1][0, 0] != 1


@pytest.mark.parametrize(("rate", "told"), [(3.0, True), (0.01, False)])
def test_a_cost_that_grows(rate, told):
    """A cost that grows by more than tenfold in the first five steps is told with its course, before it is NaN."""
    model = Sequential([Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        model.fit(X, X[:1] + 1, optimizer=SGD(rate), epochs=5)
    number = r"[\d.e+]+"
    expected = [
        rf"the cost grows from step to step: {number}(, {number}){{4}}. The learning rate is likely too"
    ] * told
    assert len(doubts) == len(expected)
    for doubt, pattern in zip(doubts, expected, strict=True):
        assert re.search(pattern, str(doubt.message)), doubt.message


@pytest.mark.parametrize(
    ("schedule", "doubted"),
    [
        (Constant(0), True),
        (Step(0, 0.5, 10, by="epoch"), True),
        (Constant(0.1), False),
        (Warmup(100, 0.1, start=0), False),
        (Polynomial(0.1, 0, 2), False),
    ],
    ids=repr,
)
def test_a_schedule_of_zeros(schedule, doubted):
    """A schedule is doubted if its rate is 0 and stays so, not if it begins or ends there."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trained([Dense(1)], "mean_squared_error", X[:1], SGD(schedule))
    assert [
        "is 0, so the parameters will not change" in str(warning.message) for warning in told
    ] == [True] * doubted


def test_a_schedule_that_is_over():
    """Who trains again with an optimizer whose rate has come to 0 is told."""
    model, optimizer = (
        Sequential([Dense(1)], "mean_squared_error", inputs=3, seed=1),
        SGD(Polynomial(0.1, 0, 5)),
    )
    model.fit(X, X[:1], optimizer=optimizer, epochs=5)
    with pytest.warns(UserWarning, match="is 0, so the parameters will not change"):
        model.fit(X, X[:1], optimizer=optimizer)


@pytest.mark.parametrize(
    ("layers", "loss", "Y"),
    [
        ([Dense(4, "relu"), Dense(1, "sigmoid")], "binary_crossentropy", LABELS[None] > 0),
        ([Dense(1, "sigmoid", init="zeros")], "binary_crossentropy", LABELS[None] > 0),
        ([Dense(3, "softmax", init="zeros")], "categorical_crossentropy", LABELS),
        (
            [Dense(4, "tanh", init="zeros"), Dense(1, "sigmoid")],
            "binary_crossentropy",
            LABELS[None] > 0,
        ),
        ([Dense(4, "tanh"), Dense(3, "softmax", init="zeros")], "categorical_crossentropy", LABELS),
        ([*[Dense(9, "relu")] * 20, Dense(1, "sigmoid")], "binary_crossentropy", LABELS[None] > 0),
        (
            [*[Dense(9, "sigmoid")] * 4, Dense(1, "sigmoid")],
            "binary_crossentropy",
            LABELS[None] > 0,
        ),
        ([Dense(4, "relu"), Dense(3, "softmax")], "categorical_crossentropy", LABELS),
        ([Dense(4, "softmax"), Dense(2)], "mean_squared_error", X[:2]),
        (
            [Dense(4), Activate("relu"), Dropout(0.1), Dense(3), Activate("softmax")],
            "categorical_crossentropy",
            LABELS,
        ),
        (
            [Dense(4, "softmax"), BatchNorm(), Dense(3, "softmax"), Flatten()],
            "categorical_crossentropy",
            LABELS,
        ),
        (
            [Dense(4), LayerNorm(activation="relu"), Dense(1, "sigmoid")],
            "binary_crossentropy",
            LABELS[None] > 0,
        ),
        (
            [Dense(4, "sigmoid", init=same(0)), Dropout(), Dense(1, init=same(0))],
            "mean_squared_error",
            X[:1],
        ),
        ([Dropout(0.1), Reshape((3, 1)), Flatten(), Dense(2)], "mean_squared_error", X[:2]),
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
        (
            "binary_crossentropy",
            np.tile([[-1, 1]], 4),
            r"Y\[0, 0\] is -1, .* takes 0 and 1, .* write \(Y \+ 1\) / 2$",
        ),
        ("binary_crossentropy", np.tile([[1, 2]], 4), r"Y\[0, 1\] is 2, "),
        (
            "categorical_crossentropy",
            np.ones((3, 8)),
            r"column 0 of Y is \[1. 1. 1.\], .* probabilities that sum to 1",
        ),
        (
            "categorical_crossentropy",
            np.tile([[2], [-1], [0]], 8),
            r"column 0 of Y is \[ 2. -1.  0.\]",
        ),
        (
            "categorical_crossentropy",
            np.full((3, 8), 0.5),
            r'write loss="binary_crossentropy" and "sigmoid"',
        ),
        (
            "categorical_crossentropy",
            np.array([[1, 0, 0]] * 4 + [[2, -1, 0]] * 4).T,
            "column 4 of Y is ",
        ),
    ],
)
def test_labels_that_cannot_be_meant(loss, Y, told):
    """Targets of another convention are refused before the first step, with how to turn them into the right ones."""
    model = Sequential(
        [Dense(len(Y), "softmax" if len(Y) > 1 else "sigmoid")], loss, inputs=3, seed=1
    )
    before = model.params.copy()
    with pytest.raises(ValueError, match=told):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.params, before)


def test_divergence_tells_how_the_cost_went():
    """A loss that explodes is told with the last costs and the learning rate."""
    model = Sequential([Dense(5), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.raises(
        ArithmeticError, match=r"too large .*SGD\(learning_rate=50.*the cost went "
    ) as raised:
        model.fit(X, X[:1], optimizer=SGD(50), epochs=200, batch_size=4)
    costs = [float(J) for J in str(raised.value).split("the cost went ")[1].split(", ")]
    assert costs[0] < costs[-1] or np.isnan(costs[-1])
    assert 2 <= len(costs) <= 5
