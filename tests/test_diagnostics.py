"""The usual mistakes in a training are warned of, once, with what to write instead."""

import re
from functools import partial

import numpy as np
import pytest
from helpers import registered, unchanged
from messages import missing, raises, warns

import tinynet as tn
from tinynet import SGD, Activate, Adam, BatchNorm, Dense, Dropout, Flatten, LayerNorm, Reshape
from tinynet.schedules import Constant, Polynomial, Step, Warmup

X = np.random.default_rng(1).standard_normal((3, 8))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
YES = LABELS[np.newaxis] > 0
SQUARES, BINARY = "mean_squared_error", "binary_crossentropy"
CATEGORICAL = "categorical_crossentropy"


def train(layers, loss, Y, X=X, start=(), moves=True, **settings):
    """Train a model; some parameters are set before. If it does not move, W[1] stays as it was."""
    model = tn.Sequential(layers, loss, inputs=len(X), seed=1)
    for name, value in dict(start).items():
        getattr(model, name[0])[int(name[1:])][:] = value
    W, params = model.W[1].copy() if 1 in model.W else None, model.params.copy()
    model.fit(X, Y, **{"optimizer": SGD(0.1)} | settings)
    if moves:
        assert not np.array_equal(params, model.params)
    else:
        np.testing.assert_array_equal(W, model.W[1])


class Leaves(tn.Optimizer):
    """Makes new parameters, and leaves those of the model as they are."""

    def apply(self, params, grads):
        params = params - 0.1 * grads


def constant(value):
    """Return an initializer that gives all units the same weights."""
    return tn.Initializer.get("constant", value=value)


def normal(scale):
    return tn.Initializer.get("normal", scale=scale)


# Each training is a partial call of `train`; in a table, the words of its warning stand behind it.
training = partial(partial, train)
yes_or_no = partial(training, loss=BINARY, Y=YES)
classes = partial(training, loss=CATEGORICAL, Y=LABELS)
one = partial(training, [Dense(1)], SQUARES)


def deep(layer, count, rate=1e-4):
    layers = [*[layer] * count, Dense(1, "sigmoid")]
    return yes_or_no(layers, epochs=3, optimizer=SGD(rate))


def dead(*layers, **start):
    """Return a training that begins with such b that no gradient reaches W[1]."""
    loss = BINARY if layers[-1] == SIGMOID else SQUARES
    return training(layers, loss, YES, start=start, epochs=4, batch_size=4, moves=False)


SIGMOID, SOFTMAX = Dense(1, "sigmoid"), Dense(3, "softmax")
FLAT, FLAT_SIGMOID = Dense(4, init=constant(0.5)), Dense(1, "sigmoid", init=constant(0.5))
WARNED = {
    "softmax of one unit": (
        yes_or_no([Dense(4, "relu"), Dense(1, "softmax")], moves=False),
        "layer 2 (Dense)", "softmax … one unit … always 1", 'Dense(1, "sigmoid")'),
    "softmax twice": (
        classes([Dense(4, "softmax"), SOFTMAX]),
        "layer 2 (Dense) … softmax", "layer 1 (Dense)", '"relu"'),
    "softmax twice, with dropout between": (
        classes([Dense(4, "softmax"), Dropout(0.1), SOFTMAX]),
        "layer 3 (Dense) … softmax", "layer 1 (Dense)"),
    "softmax of softmax": (
        classes([SOFTMAX, Activate("softmax")]), "layer 2 (Activate) … softmax", "layer 1 (Dense)"),
    "sigmoid for classes": (
        classes([Dense(3, "sigmoid")]),
        "layer 1 (Dense)", "sigmoid", "CategoricalCrossentropy()", '"softmax"'),
    "sigmoid apart": (
        classes([Dense(3), Activate("sigmoid")]),
        "layer 2 (Activate)", "sigmoid", "CategoricalCrossentropy()"),
    "sigmoid, flattened": (
        classes([Dense(3, "sigmoid"), Flatten()]),
        "layer 1 (Dense)", "sigmoid", "CategoricalCrossentropy()"),
    "softmax for yes or no": (
        training([Dense(2, "softmax")], BINARY, np.eye(2)[:, LABELS % 2]),
        "softmax", "BinaryCrossentropy()", 'loss="categorical_crossentropy"'),
    "dropout at the end": (
        training([Dense(2), Dropout()], SQUARES, X[:2]), "layer 2 (Dropout)", "last layer"),
    "rate 0": (one(X[:1], optimizer=SGD(0), moves=False), "SGD(learning_rate=0.0, … is 0"),
    "schedule of 0": (one(X[:1], optimizer=SGD(Constant(0)), moves=False), "Constant(", "is 0"),
    "schedule that stays 0": (
        one(X[:1], optimizer=SGD(Step(0, 0.5, 10, by="epoch")), moves=False), "Step(", "is 0"),
    "outputs below 0": (
        yes_or_no([Dense(3, "tanh"), Dense(1)]),
        "identity", "no limits … 0 to 1", 'Dense(1, "sigmoid")'),
    "outputs of tanh": (
        yes_or_no([Dense(3, "tanh"), Dense(1, "tanh")]),
        "tanh", "-1 to 1 … 0 to 1", 'Dense(1, "sigmoid")'),
    "outputs above 1": (
        yes_or_no([Dense(3, "tanh"), Dense(1, "softplus", init=normal(9.0))]),
        "softplus", "0 to 1"),
    "outputs below 0 for counts": (
        training([Dense(3, "tanh"), Dense(1)], "poisson", YES), "identity", "0 to inf"),
    "squares too large": (
        one([[0.0]], X=[[3e10]], optimizer=Adam(0.1), epochs=3),
        "Adam(", "'s'", "finite", "clip_norm"),
    "squares too large, clipped": (
        one([[0.0]], X=[[3e10]], optimizer=Adam(0.1, clip_norm=1.0)),
        "X goes from 3e+10", "about 1"),
    "new parameters": (
        one(X[:1], optimizer="leaves", epochs=3, moves=False), "Leaves()", "params -= "),
    "steps too small": (
        one(X[:1], optimizer=SGD(1e-60), epochs=3, moves=False), "SGD(", "params -= "),
    "equal units": (
        yes_or_no([Dense(4, "tanh", init=constant(0.5)), FLAT_SIGMOID]),
        "all 4 units … layer 1 (Dense)", "W[1] … W[2]", 'init="auto"'),
    "equal units, activation apart": (
        yes_or_no([FLAT, Activate("tanh"), FLAT_SIGMOID]),
        "all 4 units … layer 1 (Dense)", "W[1] … W[3]"),
    "equal units, normalized": (
        yes_or_no([FLAT, BatchNorm(activation="tanh"), LayerNorm(), FLAT_SIGMOID]),
        "all 4 units … layer 1 (Dense)", "W[1] … W[4]"),
    "small weights": (
        deep(Dense(20, "relu", init=normal(0.01)), 8),
        "layer 1 (Dense)", re.compile(r"dZ\[1\] is \de-\d+ times dZ\[9\]"),
        "1 to 9", 'init="auto"'),
    "sigmoid in many layers": (
        deep(Dense(8, "sigmoid"), 12), "layer 1 (Dense)", "sigmoid … layers"),
    "linear": (deep(Dense(99, init=normal(0.01)), 9), "gradient", "layer 1 (Dense)"),
    "large weights": (
        deep(Dense(99, "relu", init=normal(1.0)), 9, 1e-6), "gradients", "dZ[1] … dZ[10]"),
    "dead": (
        dead(Dense(5, "relu"), SIGMOID, b1=-100),
        "layer 1 (Dense)", "all 5 units … layer 1 (Dense) … dead … relu"),
    "dead above others": (
        dead(Dense(5, "relu"), Dense(7, "relu"), SIGMOID, b2=-100),
        "layer 1 (Dense) and layer 2 (Dense)", "epoch", "all 7 units … layer 2 (Dense) … dead"),
    "dead hard_sigmoid": (
        dead(Dense(4, "hard_sigmoid"), Dense(1), b1=1e6),
        "all 4 units … layer 1 … dead … hard_sigmoid"),
    "dead tanh": (
        dead(Dense(4, "tanh"), Dense(1), b1=1e6), "all 4 units … layer 1 (Dense) … dead … tanh"),
    "dead, activation apart": (
        dead(Dense(5), Activate("relu"), SIGMOID, b1=-100),
        "layer 1 (Dense)", "all 5 units … layer 2 (Activate) … dead … relu"),
    "dead, dropout behind": (
        dead(Dense(5), Activate("relu"), Dropout(0.1), SIGMOID, b1=-100),
        "layer 1 (Dense)", "all 5 units … layer 2 (Activate) … dead"),
    "dead, reshaped": (
        dead(Dense(5), Reshape((5, 1)), Activate("relu"), Flatten(), SIGMOID, b1=-100),
        "all 5 units … layer 3 (Activate) … dead … relu"),
    "LayerNorm of one unit": (
        training([Dense(1), LayerNorm(), Dense(1)], SQUARES, X[:1], epochs=2, moves=False),
        "layer 1 (Dense)", "layer 2 (LayerNorm)"),
    "errors that cancel": (
        one([[0.5, 1.5]], np.ones((1, 2)), {"W1": 1}, moves=False, epochs=2), "model.dZ"),
    "loss grows": (
        one(X[:1] + 1, optimizer=SGD(2.0), epochs=60, batch_size=None),
        "loss grows … epoch", "SGD(learning_rate=2.0"),
    "cost grows": (
        one(X[:1] + 1, optimizer=SGD(3.0), epochs=5),
        re.compile(r"cost grows.* step: ([\d.e+]+, ){4}[\d.e+]+\. "), "SGD(learning_rate=3.0"),
    "zeros in several layers": (
        training([Dense(4, "relu", init="zeros"), Dense(3, "relu", init="zeros"),
                  Dense(1, init="zeros")], SQUARES, X[:1], moves=False),
        "all 3 units … layer 2 (Dense)"),
    "weights that stop the gradient": (  # with such small steps that W[2] stays 0
        training([Dense(4, "tanh"), Dense(2, "tanh"), Dense(1)], SQUARES, [[1.0]], X[:, :1],
                 {"W2": 0, "W3": [[1, 2]]}, moves=False, optimizer=SGD(1e-60), epochs=2),
        "layer 1 (Dense) … W[2]"),
}  # fmt: skip
# Two layers are at fault, or what shows before a step has another consequence in the steps.
TWICE = "zeros in several layers", "weights that stop the gradient", "squares too large"


@pytest.mark.parametrize("name", WARNED)
def test_a_mistake_is_warned_of(name):
    """A likely mistake is warned of once, at the line that called fit, and training continues."""
    train_wrongly, *words = WARNED[name]
    with warns(*words, times=2 if name in TWICE else 1) as caught:
        train_wrongly()
    assert {warning.filename for warning in caught} == {__file__}


def test_a_schedule_that_is_over():
    """An optimizer whose rate has come to 0 is warned of when it is used again."""
    model, optimizer = tn.Sequential([Dense(1)], SQUARES, seed=1), SGD(Polynomial(0.1, 0, 5))
    model.fit(X, X[:1], optimizer=optimizer, epochs=5)
    with warns("Polynomial(", "is 0"):
        model.fit(X, X[:1], optimizer=optimizer)


# The last activation and the loss, targets and sizes: what shows before the first step.

M = 200
MANY = np.random.default_rng(2).standard_normal((4, M))
NUMBERS = MANY[:1] * MANY[1:2]
CLASS = np.arange(M) % 3
HIDDEN = Dense(8, "relu")
LOGITS = [HIDDEN, Dense(3)]
HOUSES = 2e5 + 5e4 * NUMBERS
PIXELS = np.random.default_rng(3).integers(0, 256, (9, M))


class Swish2(tn.Activation):
    """Declares no range."""

    def forward(self, Z):
        return Z / (1 + np.exp(-2 * Z))


class Squash(tn.Activation):
    """Declares its range."""

    range = (-1.0, 1.0)

    def forward(self, Z):
        return Z / (1 + np.abs(Z))


class Percent(tn.activations.Sigmoid):
    """Has another range than the class that it is made from, and does not declare it."""

    def forward(self, Z, out=None):
        return 100 / (1 + np.exp(-Z))

    def back(self, dA, Z, A, out=None):
        return 100 * super().back(dA, Z, A / 100)


class Offset(tn.losses.Poisson):
    """Has another formula than the class that it is made from, so relu suits it."""

    def each(self, A, Y):
        return super().each(A + 1, Y) - 1

    def back(self, A, Y, out=None):
        return super().back(A + 1, Y)


def ending(activation, units=1):
    return [HIDDEN, Dense(units, activation)]


# layers, loss, X, Y, and what the message says
MISMATCHES = {
    "forgotten softmax": (
        LOGITS, CATEGORICAL, MANY, CLASS, "layer 2 (Dense)", "identity", 'Dense(3, "softmax")'),
    "forgotten softmax, Activate": (
        [*LOGITS, Activate("identity")], CATEGORICAL, MANY, CLASS, "identity", '"softmax"'),
    "relu for classes": (
        ending("relu", 3), CATEGORICAL, MANY, CLASS, "relu", "at least 0", '"softmax"'),
    "hard_sigmoid for classes": (
        ending("hard_sigmoid", 3), CATEGORICAL, MANY, CLASS, "hard_sigmoid", '"softmax"'),
    "forgotten sigmoid": (
        ending("identity"), BINARY, MANY, NUMBERS > 0, "no limits", 'Dense(1, "sigmoid")'),
    "a declared range": (
        ending("squash"), BINARY, MANY, NUMBERS > 0, "squash", "-1 to 1", '"sigmoid"'),
    "an undeclared range": (
        ending("swish2", 3), CATEGORICAL, MANY, CLASS, "swish2", "A[L] goes", '"softmax"'),
    "counts, identity": (
        ending("identity"), "poisson", MANY, CLASS[np.newaxis], "identity", '"softplus"'),
    "counts, relu": (ending("relu"), "poisson", MANY, CLASS[np.newaxis], "relu", '"softplus"'),
    "counts, sigmoid": (
        ending("sigmoid"), "poisson", MANY, CLASS[np.newaxis], "0 to 2", "0 to 1", '"softplus"'),
    "sigmoid, up to 150": (
        ending("sigmoid"), SQUARES, MANY, 75 + 75 * np.tanh(NUMBERS), "Y goes", "sigmoid … 0 to 1"),
    "tanh, up to 30": (
        ending("tanh"), SQUARES, MANY, 30 * np.tanh(NUMBERS), "tanh … -1 to 1", "Y goes"),
    "relu below 0": (ending("relu"), "huber", MANY, NUMBERS, "at least 0", '"identity"'),
    "softplus, a row below 0": (
        ending("softplus", 2), SQUARES, MANY, np.vstack([NUMBERS**2, NUMBERS]), "row 1 of Y"),
    "softmax, sums of 5": (
        ending("softmax", 3), SQUARES, MANY, 5 * np.eye(3)[:, CLASS], "sum to 5", "sum to 1"),
    "house prices": (ending("identity"), SQUARES, MANY, HOUSES, "Y goes", "about 1"),
    "house prices, flat": (ending("identity"), SQUARES, MANY, HOUSES[0], "Y goes", "about 1"),
    "X times 1000": (ending("identity"), SQUARES, 1000 * MANY, NUMBERS, "row … of X", "about 1"),
    "one column": (
        ending("identity"), SQUARES, MANY * [[1], [1], [1e6], [1]], NUMBERS, "row 2 of X"),
    "a constant row": (
        ending("softmax", 3), CATEGORICAL, np.vstack([1000 * MANY, np.ones(M)]), CLASS, "of X"),
    "pixels": (ending("softmax", 3), CATEGORICAL, PIXELS, CLASS, "0 to 255", "X / 255"),
    "images": (
        [Flatten(), *ending("softmax", 3)], CATEGORICAL, PIXELS.reshape(3, 3, M), CLASS, "X / 255"),
}  # fmt: skip
REMEDY = re.compile(r"(?<=Use )[XY] = .*?(?=, and| for )")


def trained(layers, loss, X, Y, optimizer, epochs=50):
    """Return the model and its error, if one ended the training."""
    model = tn.Sequential(layers, loss, seed=1)
    try:
        model.fit(X, Y, optimizer, epochs=epochs)
    except tn.errors.NonFiniteError as error:
        return model, str(error)
    return model, ""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", MISMATCHES)
def test_a_mismatch(name, optimizer):
    """It is warned of, and an error names the same cause first; a typed remedy lets it learn."""
    layers, loss, X, Y, *words = MISMATCHES[name]
    with pytest.warns(tn.errors.TrainingWarning) as caught:
        error = trained(layers, loss, X, Y, optimizer)[1]
    message = str(caught[0].message)
    assert not missing(message, words), message
    if error:
        cause = error.split("as before this step", 1)[1].split(". ", 1)[1]
        assert cause[:20] == message[:20], error
    if remedy := REMEDY.search(message):
        names = {"X": np.asarray(X), "Y": np.asarray(Y), "np": np}
        exec(remedy[0], names)
        with warns(times=0):
            before, failed = trained(layers, loss, names["X"], names["Y"], "adam", 0)
            after, failed = trained(layers, loss, names["X"], names["Y"], tn.Adam(0.01))
        losses = [each.evaluate(names["X"], names["Y"])["loss"] for each in (before, after)]
        assert not failed
        assert losses[1] < 0.9 * losses[0]


def test_the_cause_comes_before_the_first_step():
    """A fit that takes no step warns of it."""
    with warns('"softmax"'):
        trained(LOGITS, CATEGORICAL, MANY, CLASS, "sgd", 0)


def test_a_resumed_run_is_not_warned_again(tmp_path):
    """Its first part was."""
    path = tmp_path / "run.npz"
    model = tn.Sequential(ending("tanh"), SQUARES, seed=1)
    with warns("tanh"):
        model.fit(MANY, 30 * NUMBERS, epochs=1, checkpoint=path)
    with warns(times=0):
        tn.resume(path, MANY, 30 * NUMBERS, epochs=2)


def test_a_stream_is_scaled_where_it_is_read():
    """There is no array that a remedy could be typed for."""
    model = tn.Sequential(ending("identity"), SQUARES, seed=1)
    with warns("of X goes", "where it is read"):
        model.fit([(1000 * MANY, NUMBERS)], optimizer=SGD(1e-5))


SMALL_NOISE = 0.1 * np.random.default_rng(4).standard_normal((1, M))
FITS = {
    "tanh, -1 and 1": (ending("tanh"), SQUARES, MANY, np.sign(NUMBERS)),
    "tanh, a little beyond": (ending("tanh"), SQUARES, MANY, 1.1 * np.sign(NUMBERS)),
    "sigmoid, noise": (ending("sigmoid"), SQUARES, MANY, (NUMBERS > 0) + SMALL_NOISE),
    "relu, noise": (ending("relu"), SQUARES, MANY, np.maximum(NUMBERS, 0) + SMALL_NOISE),
    "hard_sigmoid, 0 to 1": (ending("hard_sigmoid"), SQUARES, MANY, NUMBERS > 0),
    "hard_sigmoid, yes or no": (ending("hard_sigmoid"), BINARY, MANY, NUMBERS > 0),
    "an undeclared range": (ending("percent"), SQUARES, MANY, 50 + 40 * np.tanh(NUMBERS)),
    "softmax, smoothed": (ending("softmax", 3), SQUARES, MANY, 0.9 * np.eye(3)[:, CLASS] + 0.1),
    "another formula": (ending("relu"), "offset", MANY, CLASS[np.newaxis]),
    "linear": ([Dense(1)], SQUARES, MANY, HOUSES),
    "steps that fit X": (ending("identity"), SQUARES, 1000 * MANY, NUMBERS, SGD(1e-8)),
    "steps that fit Y": (ending("identity"), SQUARES, MANY, HOUSES, SGD(1e-7)),
    "normalized first": ([BatchNorm(), *ending("identity")], SQUARES, 1000 * MANY, NUMBERS),
    "normalized second": (
        [Dense(8), BatchNorm(activation="relu"), Dense(1)], SQUARES, 1000 * MANY, NUMBERS),
    "pixels up to 1": (ending("softmax", 3), CATEGORICAL, PIXELS / 255, CLASS),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_no_warning_of_what_fits(name):
    """Noise around a limit, small steps for large numbers and unknown ranges are right."""
    layers, loss, X, Y, optimizer = (*FITS[name], SGD(0.001))[:5]
    with warns(times=0):
        assert trained(layers, loss, X, Y, optimizer, 3)[1] == ""


def test_ranges_are_what_forward_gives():
    """Every declared range holds all values, and they come near its limits."""
    Z = np.append(np.linspace(-60, 60, 120_001), [-1e9, 1e9])[np.newaxis]
    kinds = registered(tn.Activation).values()
    settings = [
        ("leaky_relu", {"slope": -0.5}), ("leaky_relu", {"slope": 0.0}), ("elu", {"alpha": -2.0}),
        ("elu", {"alpha": 3.0}), ("gelu", {"approximate": True}),
    ]  # fmt: skip
    others = [tn.Activation.get(name, **fields) for name, fields in settings]
    for activation in [*[kind() for kind in kinds], *others]:
        A = activation.forward(np.vstack([Z, 0 * Z]))[0]
        low, high = activation.limits()
        assert low <= A.min() + 1e-12, activation
        assert A.max() <= high, activation
        assert A.min() - low < 1e-6 or (low, A.min() < 0) == (-np.inf, True), activation
        assert high - A.max() < 1e-6 or (high, A.max() > 10) == (np.inf, True), activation


RIGHT = {
    "yes or no": yes_or_no([Dense(4, "relu"), SIGMOID]),
    "one layer of zeros": yes_or_no([Dense(1, "sigmoid", init="zeros")]),
    "one layer of zeros with softmax": classes([Dense(3, "softmax", init="zeros")]),
    "zeros below": yes_or_no([Dense(4, "tanh", init="zeros"), SIGMOID]),
    "zeros above": classes([Dense(4, "tanh"), Dense(3, "softmax", init="zeros")]),
    "20 layers of relu": yes_or_no([*[Dense(9, "relu")] * 20, SIGMOID]),
    "4 layers of sigmoid": yes_or_no([*[Dense(9, "sigmoid")] * 4, SIGMOID]),
    "classes": classes([Dense(4, "relu"), SOFTMAX]),
    "softmax inside": training([Dense(4, "softmax"), Dense(2)], SQUARES, X[:2]),
    "activations apart": classes(
        [Dense(4), Activate("relu"), Dropout(0.1), Dense(3), Activate("softmax")]),
    "softmax normalized": classes([Dense(4, "softmax"), BatchNorm(), SOFTMAX, Flatten()]),
    "LayerNorm": yes_or_no([Dense(4), LayerNorm(activation="relu"), SIGMOID]),
    "dropout of equal units": training(
        [Dense(4, "sigmoid", init=constant(0)), Dropout(), FLAT], SQUARES, X[[0, 1, 2, 0]]),
    "dropout first": training(
        [Dropout(0.1), Reshape((3, 1)), Flatten(), Dense(2)], SQUARES, X[:2]),
    "soft targets": training([SIGMOID], BINARY, np.full((1, 8), 0.3)),
    "soft classes": training([SOFTMAX], CATEGORICAL, np.full((3, 8), 1 / 3)),
    "soft classes rounded": training([SOFTMAX], CATEGORICAL, np.full((3, 8), 0.3333)),
    "small rate": one(X[:1] + 1, optimizer=SGD(0.01), epochs=5),
    "constant rate": one(X[:1], optimizer=SGD(Constant(0.1))),
    "rate that begins at 0": one(X[:1], optimizer=SGD(Warmup(100, 0.1, start=0)), epochs=2),
    "rate that ends at 0": one(X[:1], optimizer=SGD(Polynomial(0.1, 0, 2))),
    "small errors that cancel": one(
        [[1 - 2.0**-11, 1 + 2.0**-11]], np.ones((1, 2)), {"W1": 1}, moves=False, epochs=2),
    "first cost small by chance": one(
        [[1.0001, 1.2, 1.25, 1.3, 1.35]], np.ones((1, 5)), {"W1": 1},
        batch_size=1, shuffle=False, optimizer=SGD(1e-6)),
    "one example alive": training(
        [Dense(1, "relu"), Dense(1)], SQUARES, [[0.0, 0.0, 0.0, 1.0]], [[-1.0, -2.0, -3.0, 4.0]],
        {"W1": 1, "W2": 1}, epochs=2, batch_size=1),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_no_warning_of_what_is_right(name):
    """Nothing is said where nothing is wrong; soft targets are right."""
    with warns(times=0):
        RIGHT[name]()


def test_nothing_left_to_learn():
    """A network that has A[L] = Y stands still, without a warning."""
    model = tn.Sequential([Dense(4, "tanh"), Dense(1)], SQUARES, inputs=3, seed=1)
    with unchanged(model), warns(times=0):
        model.fit(X, model.predict(X), epochs=3, batch_size=None)


ONE_BELOW_0 = np.column_stack([np.eye(3)[:, LABELS[:7]], [2, -1, 0]])
OTHER_LABELS = {
    "-1 and 1": (BINARY, np.tile([[-1, 1]], 4), "Y[0, 0] is -1", "0 and 1", "(Y + 1) / 2"),
    "1 and 2": (BINARY, np.tile([[1, 2]], 4), "Y[0, 1] is 2"),
    "all": (CATEGORICAL, np.ones((3, 8)), "column 0 of Y is [1. 1. 1.]", "sum to 1"),
    "below 0": (CATEGORICAL, np.tile([[2], [-1], [0]], 8), "column 0 of Y is [ 2. -1.  0.]"),
    "one below 0": (CATEGORICAL, ONE_BELOW_0, "column 7 of Y is [ 2. -1.  0.]"),
    "halves": (CATEGORICAL, np.full((3, 8), 0.5), 'loss="binary_crossentropy"', '"sigmoid"'),
    "the last": (CATEGORICAL, np.eye(3)[:, LABELS] + [[0] * 7 + [1]], "column 7 of Y is [1. 2. 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_LABELS)
def test_labels_of_another_convention(name):
    """They are refused before the first step, with how to turn them into the right ones."""
    loss, Y, *words = OTHER_LABELS[name]
    model = tn.Sequential([SOFTMAX if len(Y) > 1 else SIGMOID], loss, inputs=3, seed=1)
    with unchanged(model), raises(ValueError, *words):
        model.fit(X, Y)


def test_the_course_of_a_divergence():
    """The error of a loss that explodes has the last costs and the learning rate."""
    model = tn.Sequential([Dense(5), Dense(1)], SQUARES, inputs=3, seed=1)
    with raises(ArithmeticError, "too large", "SGD(learning_rate=50") as caught:
        model.fit(X, X[:1], optimizer=SGD(50), epochs=200, batch_size=4)
    course = re.search(r"cost [a-z ]+:? ([-+.\w]+(, [-+.\w]+)+)", str(caught.value))[1]
    costs = [float(J.rstrip(".")) for J in course.split(", ")]
    assert costs[0] < costs[-1] or np.isnan(costs[-1])
    assert 2 <= len(costs) <= 5
