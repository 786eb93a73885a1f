"""Bad input is refused, nothing is changed by it, and the remedies that the message names work."""

import math
import re
from functools import cache, partial

import numpy as np
import pytest
from helpers import unchanged
from messages import raises

import tinynet as tn
from tinynet import SGD, Activation, Adam, Callback, Dense, Flatten, Initializer, Loss, Sequential
from tinynet.activations import ReLU
from tinynet.errors import NonFiniteError, NotBuiltError, ShapeError, UnknownNameError
from tinynet.layers.normalization import unscaled

RNG = np.random.default_rng(7)
X, Y, LABELS = RNG.standard_normal((2, 5)), RNG.standard_normal((1, 5)), np.array([0, 1, 2, 1, 0])
IMAGES, YES = np.ones((2, 2, 5)), np.ones((3, 5))


def network(loss="mean_squared_error", inputs=2, output=1, activation="identity"):
    return Sequential([Dense(3, "relu"), Dense(output, activation)], loss, inputs=inputs, seed=1)


def after(*passes):
    model = network()
    for run in passes:
        run(model)
    return model


run_forward, run_back = lambda model: model.forward(X), lambda model: model.back(Y)
MODELS = {
    "new": network,
    "forwarded": partial(after, run_forward),
    "passed": partial(after, run_forward, run_back),
    "unbuilt": partial(network, inputs=None),
    "lossless": partial(network, loss=None),
    "binary": partial(network, "binary_crossentropy", activation="sigmoid"),
    "several": partial(network, "binary_crossentropy", output=3, activation="sigmoid"),
    "classifier": partial(network, "categorical_crossentropy", output=3, activation="softmax"),
    "of 4": partial(network, "categorical_crossentropy", output=4, activation="softmax"),
    "ignoring": partial(
        network, tn.losses.CategoricalCrossentropy(ignore=-1), output=3, activation="softmax"
    ),
}


def used(kind, model):
    """Use a model as it is meant, and return what comes of it, to the bit."""
    if kind == "lossless":
        return model.forward(X).tobytes()
    right = {"classifier": LABELS, "binary": Y > 0, "several": YES}.get(kind, Y)
    model.fit(X, right, epochs=2, batch_size=2)
    return model.params.tobytes()


@cache
def expected_of(kind):
    """Return what comes of a model that has been used in no other way."""
    return used(kind, MODELS[kind]())


def put(value, at, array=X):
    array = array.copy()
    array[at] = value
    return array


# A case is what is passed, the error, and what its message contains. A remedy is a pair: its text
# there, and a function that makes of what was passed what is to be passed in its place.


def always(value):
    return lambda _: value


def where_not_finite(name):
    text = f"np.argwhere(~np.isfinite({name}))"
    return text, lambda array: put(0, tuple(np.argwhere(~np.isfinite(array)).T), array)


def as_floats(name):
    return f"{name}.astype(float)", lambda array: array.astype(float)


def reshaped(name, *shape):
    return f"{name}.reshape{shape}", lambda array: array.reshape(shape)


COLUMNS, OF_A = (ShapeError, "(2, m)"), (ShapeError, "A[L]", "(1, 5)")
REAL, FINITE = (TypeError, "real numbers"), (NonFiniteError, "X", where_not_finite("X"))
BAD_X = {
    "1-D": (X[0], *COLUMNS, "X … (5,)"),
    "transposed": (X.T, *COLUMNS, "X … (5, 2)", "transposed", ("X.T", np.transpose)),
    "of three features": (np.ones((3, 5)), *COLUMNS, "X … (3, 5)"),
    "0-D": (3.0, *COLUMNS, "X … ()"),
    "3-D": (X[None], *COLUMNS, "X … (1, 2, 5)"),
    "of no example": (X[:, :0], ShapeError, "X … (2, 0)", "at least one … column"),
    "with NaN": (put(np.nan, (1, 3)), *FINITE, "nan"),
    "with Inf": (put(np.inf, (1, 3)), *FINITE, "inf"),
    "with -Inf": (put(-np.inf, (0, 0)), *FINITE, "-inf"),
    "of Inf": (np.full((2, 5), np.inf), *FINITE, "inf"),
    "beyond float32": (put(1e39, (1, 3)), NonFiniteError, "X", "inf", "float32"),
    "of objects": (X.astype(object), *REAL, "X", "object", as_floats("X")),
    "of strings": (X.astype(str), *REAL, "X", "<U", as_floats("X")),
    "complex": (X + 0j, *REAL, "X", "complex128", ("X.real", np.real)),
    "None": (None, *REAL, "X", "object", "pass an array"),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, "inhomogeneous"),
}
BAD_Y = {
    "of two rows": (np.ones((2, 5)), *OF_A, "Y … (2, 5)"),
    "of four examples": (Y[:, :4], *OF_A, "Y … (1, 4)"),
    "transposed": (Y.T, *OF_A, "Y … (5, 1)", "transposed", ("Y.T", np.transpose)),
    "3-D": (Y[None], *OF_A, "Y … (1, 1, 5)", reshaped("Y", 1, -1)),
    "of objects": (Y.astype(object), *REAL, "Y", "object", as_floats("Y")),
    "of strings": (Y.astype(str), *REAL, "Y", "<U", as_floats("Y")),
}
OF_3, RENUMBER = "3 rows", ("Y, classes = tn.from_labels(Y)", lambda Y: tn.from_labels(Y)[0])
IN_A_ROW = "Y, classes = tn.from_labels(np.ravel(Y))", lambda Y: tn.from_labels(np.ravel(Y))[0]
BAD_LABELS = {
    "too high": (put(3, 2, LABELS), ValueError, "3", "example 2", "0 to 2", OF_3, RENUMBER),
    "too high, in a row": (put(3, 2, LABELS)[None], ValueError, "3", "example 2", OF_3, IN_A_ROW),
    "from 1": (LABELS + 1, ValueError, "3", "example 2", OF_3, ("Pass Y - 1.", lambda Y: Y - 1)),
    "from 1, in a list": (
        (LABELS + 1).tolist(), ValueError, OF_3,
        ("Pass np.asarray(Y) - 1.", lambda Y: np.asarray(Y) - 1)),
    "of other numbers": (np.array([3, 5, 9])[LABELS], ValueError, "3", "example 0", RENUMBER),
    "negative": (put(-1, [0, 4], LABELS), ValueError, "-1", "example 0", "0 to 2", RENUMBER),
    "of four examples": (LABELS[:4], ShapeError, "Y … (4,)", "A[L]", "(3, 5), or labels (5,)"),
    "in a column": (LABELS[:, None], ShapeError, "Y … (5, 1)", "(3, 5)", ("Y.ravel()", np.ravel)),
    "as floats": (
        LABELS * 1.0, ShapeError, "(5,)", "float64", "(3, m)",
        ("Y.astype(int)", lambda Y: Y.astype(int))),
    "one-hot of two classes": (np.ones((2, 5)), ShapeError, "Y … (2, 5)", "A[L]", "(3, 5)"),
}  # fmt: skip
forward, predict = lambda m, X: m.forward(X), lambda m, X: m.predict(X)
evaluate, fit = lambda m, X: m.evaluate(X, Y), lambda m, X: m.fit(X, Y)
cost_of, back_of = lambda m, Y: m.cost(Y), lambda m, Y: m.back(Y)
evaluate_of, fit_to = lambda m, Y: m.evaluate(X, Y), lambda m, Y: m.fit(X, Y)
validate = lambda m, X_val: m.fit(X, Y, validation_data=(X_val, Y))  # noqa: E731
validate_by = lambda m, Y_val: m.fit(X, Y, validation_data=(X, Y_val))  # noqa: E731
USES = [
    ("new", (forward, predict, evaluate, fit, validate), BAD_X),
    ("passed", (forward, predict), BAD_X),
    ("unbuilt", (forward, predict), {what: BAD_X[what] for what in list(BAD_X)[5:]}),
    ("passed", (cost_of, back_of), BAD_Y),
    ("new", (evaluate_of, fit_to, validate_by), BAD_Y),
    ("unbuilt", (evaluate_of, fit_to), BAD_Y),
    ("classifier", (fit_to,), BAD_LABELS),
]
MODEL, DENSE = partial(Sequential, [Dense(1)]), partial(Dense, 3)
NORMAL, HUBER = partial(Initializer.get, "normal"), partial(Loss.get, "huber")
fit_with, predict_with = lambda m: partial(m.fit, X, Y), lambda m: partial(m.predict, X)
NOT_WHOLE = {ValueError: (0, -3, True), TypeError: (2.5, 3.0, "3")}
SETTINGS = [  # what has a setting, its name and what a message says of it, and bad values by error
    (always(Dense), "units … whole number of at least 1", NOT_WHOLE),
    (always(Dense), "units … whole number of at least 1", {TypeError: (None,)}),
    (always(MODEL), "inputs … whole number of at least 1", NOT_WHOLE),
    (fit_with, "epochs … whole number of at least 0", NOT_WHOLE | {ValueError: (-1, True)}),
    (fit_with, "epochs … whole number of at least 0", {TypeError: ([5], (), None)}),
    (fit_with, "batch_size … whole number of at least 1", NOT_WHOLE),
    (predict_with, "batch_size … whole number of at least 1", NOT_WHOLE),
    (lambda m: partial(m.predict_labels, X), "batch_size … at least 1", NOT_WHOLE),
    (fit_with, "optimizer", {UnknownNameError: ("sdg",), TypeError: (0.1, ["sgd"])}),
    (always(DENSE), "l2", {ValueError: (-0.1, math.nan)}),
    (always(DENSE), "activation", {UnknownNameError: ("rellu",), TypeError: (7, HUBER())}),
    (always(DENSE), "init", {UnknownNameError: ("he",)}),
    (always(network), "loss", {UnknownNameError: ("mean_square_error",)}),
    (always(SGD), "learning_rate", {ValueError: (-0.1, math.nan, math.inf)}),
    (always(SGD), "momentum", {ValueError: (1.0, -0.5)}),
    (always(partial(SGD, momentum=0.9)), "dampening", {ValueError: (1.5,)}),
    (always(Adam), "beta1", {ValueError: (1.0,)}),
    (always(Adam), "beta2", {ValueError: (1.0,)}),
    (always(Adam), "epsilon", {ValueError: (0.0,)}),
    (always(NORMAL), "scale", {ValueError: (-1.0,)}),
    (always(HUBER), "delta", {ValueError: (0.0,)}),
]


MANY, LISTED = np.arange(400), {"W1": X[:, :3].T, "b1": YES[:, :1], "W2": Y[:, :3], "b2": Y[:, :1]}


def set_W(model, W):
    model.W[1] = W


def early(kind, ask, before, text):
    """Return a case of what is asked before the call that the message names."""
    call = lambda model, before: (before(model), ask(model))  # noqa: E731
    return kind, call, id, NotBuiltError, (text, always(before))


def instance(cls):
    return f"{cls.__name__}()", lambda cls: cls()


OTHERS = [
    early("new", run_back, run_forward, "model.forward(X)"),
    early("new", lambda m: m.cost(Y), run_forward, "model.forward(X)"),
    early("new", lambda m: m.Z[1], run_forward, "model.forward(X)"),
    early("forwarded", lambda m: m.dZ[1], run_back, "model.back(Y)"),
    early("forwarded", lambda m: m.dA[1], run_back, "model.back(Y)"),
    early("unbuilt", lambda m: m.params, run_forward, "model.forward(X)"),
    early("unbuilt", run_back, run_forward, "model.forward(X)"),
    ("new", predict, X[:, 0], *COLUMNS, "X … (2,)", reshaped("X", -1, 1)),
    ("unbuilt", fit, X[0], ShapeError, "(5,)", "(n_0, m)", reshaped("X", 1, -1)),
    ("unbuilt", fit, X.T, ShapeError, "Y … (1, 5)", "(1, 2)", ("X.T", np.transpose)),
    ("new", lambda m, below: Sequential([*below, Dense(1)], "huber").fit(IMAGES, YES[:1]), [],
     ShapeError, "Y has shape (1, 5)", "(1, 2, 5)", ("Flatten()", always([Flatten()]))),
    ("new", fit_to, Y * np.nan, NonFiniteError, "Y", "nan", where_not_finite("Y")),
    ("new", fit_to, None, TypeError, "Y", ("fit(X, Y)", always(Y))),
    ("new", lambda m, w: m.fit(X, Y, sample_weight=w), np.ones((5, 1)), ShapeError, "(5, 1)",
     "(5,)", ("sample_weight.reshape(-1)", np.ravel)),
    ("binary", fit_to, -YES[:1], ValueError, "Y[0, 0] is -1",
     ("(Y + 1) / 2", lambda Y: (Y + 1) / 2)),
    ("binary", lambda m, Y: tn.metrics.accuracy(Y, m.predict(X)), -YES[:1], ValueError,
     "is -1", ("(Y + 1) / 2", lambda Y: (Y + 1) / 2)),
    ("classifier", lambda m, kind: MODELS[kind]().fit(X, YES), "classifier", ValueError,
     "column 0 of Y", ('loss="binary_crossentropy" and "sigmoid"', always("several"))),
    ("classifier", lambda m, kind: MODELS[kind]().fit(X, put(3, 2, LABELS)), "classifier",
     ValueError, ("or give the last layer 4 units", always("of 4"))),
    ("classifier", lambda m, kind: MODELS[kind]().fit(X, put(3, 3, LABELS)), "classifier",
     ValueError, ("0 to 2, because A[L] has 3 rows. Give the last layer 4 units.", always("of 4"))),
    ("classifier", lambda m, kind: MODELS[kind]().fit(X, put(-1, 0, LABELS)), "classifier",
     ValueError, ("loss=tn.losses.CategoricalCrossentropy(ignore=-1) where -1 stands for no class",
                  always("ignoring"))),
    ("classifier", lambda m, case: MODELS[case[0]]().fit(X, case[1]),
     ("classifier", np.array([3, 5, 9, 11, 3])), ValueError,
     ("Use Y, classes = tn.from_labels(Y) and 4 units in the last layer.",
      lambda case: ("of 4", tn.from_labels(case[1])[0]))),
    ("new", lambda m, Y: Sequential([Dense(3, "softmax")], "categorical_crossentropy").fit(
        IMAGES, Y), np.array([[3, 5, 9, 3, 5]] * 2), ValueError, "Y[0, 0] is 3",
     ("Y = np.unique(Y, return_inverse=True)[1].reshape(np.shape(Y))",
      lambda Y: np.unique(Y, return_inverse=True)[1].reshape(np.shape(Y)))),
    ("classifier", fit_to, tn.from_labels(list("abcab")), ValueError,
     "Y is a tuple of two arrays, expected one array",
     ("tn.from_labels returns two: use Y, classes = tn.from_labels(...)", lambda pair: pair[0])),
    ("several", fit_to, LABELS, ShapeError, "Y has shape (5,)", "(3, 5)",
     ("np.eye(3)[:, Y]", lambda Y: np.eye(3)[:, Y])),
    ("several", fit_to, LABELS[None], ShapeError, "Y has shape (1, 5)",
     ("np.eye(3)[:, np.reshape(Y, (5,))]", lambda Y: np.eye(3)[:, np.reshape(Y, (5,))])),
    ("several", lambda m, kind: MODELS[kind]().fit(X, LABELS), "several", ShapeError,
     ('use loss="categorical_crossentropy" and "softmax"', always("classifier"))),
    *(("several", fit_to, Y, ShapeError, "A[L] has as many rows as the last layer has units: 3")
      for Y in (LABELS + 1, LABELS - 1, LABELS / 2)),
    ("unbuilt", lambda m, pair: m.fit(*pair), (X.T, Y.T), ShapeError, "(1, 2)",
     "columns of X are its 2 examples. If its 5 rows are", ("pass X.T and Y.T", always((X, Y)))),
    ("unbuilt", lambda m, pair: m.fit(*pair), (X[:1].T, Y.T), ShapeError, "(1, 1)",
     "The column of X is its one example", ("pass X.T and Y.T", always((X[:1], Y)))),
    ("unbuilt", lambda m, pair: Sequential([Dense(2)], "huber").fit(*pair), (X.T, X.T.tolist()),
     ShapeError, "(2, 2)", ("pass X.T and np.asarray(Y).T", always((X, X)))),
    ("unbuilt", lambda m, pair: m.fit(*pair), (X, X), ShapeError, "rows as the last layer"),
    ("unbuilt", lambda m, pair: m.fit(*pair), (X, X[:0]), ShapeError, "X has 5 examples, and Y"),
    ("new", lambda m, inputs: Sequential([Flatten()], inputs=inputs).predict(np.ones((1, 8, 9, 5))),
     (8, 9, 1), ShapeError, "(C, H, W, m)", ("write inputs=(1, 8, 9)", always((1, 8, 9)))),
    ("new", lambda m, case: Sequential([Flatten()], inputs=case[0]).predict(case[1]),
     ((8, 9, 3), np.ones((5, 3, 8, 9))), ShapeError, "(m, C, H, W)",
     ("write inputs=(3, 8, 9), and pass np.moveaxis(X, 0, -1)",
      lambda case: ((3, 8, 9), np.moveaxis(case[1], 0, -1)))),
    ("new", lambda m, l: m.forward_layer(l, X), 3, IndexError, "no layer 3", ("1 to 2", always(1))),
    ("new", lambda m, A: m.forward_layer(2, A), X, ShapeError, "layer 2 (Dense)", "A[1]", "(3, m)"),
    ("new", lambda m, A: m.forward_layer(2, A), YES * np.nan, NonFiniteError, "A[1][0, 0]",
     where_not_finite("A[1]")),
    ("new", lambda m, before: (m.forward_layer(1, X), before(m), m.back_layer(2, Y)), id,
     NotBuiltError, "layer 2 (Dense)",
     ("model.forward_layer(2, A_prev)", always(lambda m: m.forward_layer(2, YES)))),
    ("passed", lambda m, dA: m.back_layer(2, dA), X, ShapeError,
     "dA[2] … layer 2 (Dense)", "(2, 5)", "(1, m)"),
    ("passed", lambda m, dA: m.back_layer(2, dA), Y[:, :3], ShapeError, "dA[2]", "(1, 5)"),
    ("new", set_W, X[:, :3], ShapeError, "W[1]", "(3, 2)", "(2, 3)", (".T", np.transpose)),
    ("new", set_W, np.ones(6), ShapeError, "W[1]", "(6,)", reshaped("", 3, 2)),
    ("new", lambda m, l: m.W[l], 3, KeyError, "no W[3]", ("W[1], W[2]", always(2))),
    ("new", lambda m, optimizer: m.fit(X, Y, optimizer), SGD, TypeError, instance(SGD)),
    ("new", lambda m, name: Dense(3, name), ReLU, TypeError, instance(ReLU)),
    ("new", lambda m, name: Dense(3, name), "rellu", UnknownNameError, ("relu", always("relu"))),
    ("new", lambda m, field: Activation.get("leaky_relu", **{field: 1}), "slop", TypeError,
     "LeakyReLU", "slop", ("slope", always("slope"))),
    ("lossless", lambda m, kind: MODELS[kind]().fit(X, Y), "lossless", ValueError, "no loss",
     "mean_squared_error", ("loss=...", always("new"))),
    ("lossless", lambda m, Y: (m.forward(X), m.cost(Y)), Y, ValueError, "no loss", "loss=..."),
    ("unbuilt", lambda m, kind: MODELS[kind]().params, "unbuilt", NotBuiltError, "no parameters",
     ("inputs=n_0", always("new"))),
    ("unbuilt", lambda m, path: m.save(path), "never.npz", NotBuiltError, "inputs=n_0"),
    ("new", lambda m, momentum: SGD(0.1, momentum, nesterov=True), 0, ValueError,
     "SGD: nesterov is True with momentum 0, expected a momentum above 0. Use SGD",
     ("momentum=0.9, nesterov=True)", always(0.9))),
    ("new", lambda m, rate: SGD(rate), "fast", UnknownNameError, "schedule", "'fast'"),
    ("new", lambda m, rate: SGD(rate), None, TypeError, "None"),
    ("new", lambda m, name: m.fit(X, Y, metrics=[name]), "acuracy", UnknownNameError, "accuracy"),
    ("new", lambda m, dtype: MODEL(dtype=dtype), "int32", ValueError, "float32", "float64"),
    ("new", lambda m, dtype: MODEL(dtype=dtype), "half of it", ValueError, "half of it", "float32"),
    ("new", lambda m, dtype: MODEL(dtype=dtype), None, ValueError, "None", "float32"),
    ("new", lambda m, inputs: MODEL(inputs=inputs), (), ValueError, "inputs is ()", "inputs=(n,)"),
    ("passed", lambda m, w: m.cost(m.chain.last.A, w), Y > 0, ValueError, "Y is A[L]",
     "expected the targets", "Use model.cost(Y)"),
    ("passed", lambda m, A: m.back(A, Y), Y, TypeError, "input_gradient is array",
     "True or False", "use model.back(Y)"),
    ("new", lambda m, seed: MODEL(seed=seed), -1, ValueError, "seed is -1 … negative",
     ("seed=1", always(1))),
    ("new", lambda m, seed: MODEL(seed=seed), "1", TypeError, "seed is '1', expected a whole",
     ("seed=1", always(1))),
    *(("new", lambda m, how: m.fit(X, Y, **how), how, TypeError, *words,
       ("fit(X, Y, validation_data=(X_val, Y_val))", always({"validation_data": (X, Y)})))
      for how, *words in [
          ({"optimizer": X}, "optimizer is array", "expected an optimizer or its name"),
          ({"optimizer": (X, Y)}, "optimizer is (array"),
          ({"optimizer": X.tolist()}, "optimizer is [["),
          ({"epochs": Y}, "epochs is array", "expected a whole number"),
          ({"optimizer": "sgd", "epochs": MANY}, "epochs is ndarray of shape (400,), expected"),
      ]),
    ("new", lambda m, size: m.fit(X, Y, batch_size=size), MANY, TypeError,
     "batch_size is ndarray of shape (400,), expected a whole number"),
    ("new", lambda m, parameters: m.set_parameters(parameters), [*LISTED.values()] * 3,
     TypeError, "parameters is [array( … ..., expected a dictionary",
     ("dict(zip(model.get_parameters(), parameters))",
      lambda arrays: dict(zip(LISTED, arrays, strict=False)))),
    ("new", lambda m, layers: Sequential(layers), [], ValueError,
     "layers is empty, expected at least one layer",
     ("Sequential([Dense(1)])", always([Dense(1)]))),
    ("new", lambda m, layers: Sequential(layers), Dense(1), TypeError,
     ("Sequential([Dense(units=1", lambda layer: [layer])),
    ("new", lambda m, layers: Sequential(layers), [3], TypeError, "3", "layer"),
    ("new", lambda m, layers: Sequential(layers), [Dense], TypeError, "Dense("),
]  # fmt: skip


def setting(make, says, value):
    return lambda model, value: make(model)(**{says.split()[0]: value})


CASES = [
    *((kind, call, *case) for kind, calls, bad in USES for call in calls for case in bad.values()),
    *(
        (kind, setting(make, says, value), value, error, says, repr(value))
        for kind in ("new", "unbuilt")
        for make, says, bad in SETTINGS
        for error, values in bad.items()
        for value in values
    ),
    *OTHERS,
]


def texts(words):
    return [word[0] if isinstance(word, tuple) else word for word in words]


@pytest.mark.parametrize(("kind", "call", "bad", "error", "words"), [
    pytest.param(kind, call, bad, error, words, id=f"{kind}: {', '.join(texts(words))}")
    for kind, call, bad, error, *words in CASES
])  # fmt: skip
def test_bad_input(kind, call, bad, error, words):
    """The error says what is wrong, nothing is changed, and to do what the message says works."""
    model = MODELS[kind]()
    state = repr(model), model.is_built and model.params.tobytes()
    with raises(error, *texts(words)):
        call(model, bad)
    assert state == (repr(model), model.is_built and model.params.tobytes())
    for remedy in (word[1] for word in words if isinstance(word, tuple)):
        call(MODELS[kind](), remedy(bad))
    assert expected_of(kind) == used(kind, model)


@pytest.mark.parametrize("kind", ["new", "unbuilt"])
def test_X_is_refused_before_Y(kind):
    """Where both are wrong the error is about X, whether the model is built or not."""
    with raises(NonFiniteError, "X[1, 3] is nan"):
        MODELS[kind]().fit(put(np.nan, (1, 3)), Y.T)


# Training that diverges

WHERE = re.compile(r"[Ee]poch (\d+), step (\d+): .*\[(\d)\] of layer \3 \(Dense\)", re.DOTALL)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("rate", [1e10, 1e30, 1e38, 1e300])
def test_divergence_is_stopped(rate, batch_size, momentum):
    """The step at which a number is not finite is named with its layer, and is not taken."""
    model, after_steps = network(), Callback()
    params = [model.params.copy()]
    after_steps.on_batch_end = lambda batch, logs: params.append(model.params.copy())
    settings = {"epochs": 50, "batch_size": batch_size, "callbacks": [after_steps]}
    with raises(NonFiniteError, "learning rate", f"learning_rate={rate!r}") as caught:
        model.fit(X, Y, SGD(rate, momentum=momentum), **settings)
    epoch, step, _ = map(int, WHERE.match(str(caught.value)).groups())
    assert np.isfinite(params).all()
    assert params[-1].tobytes() == model.params.tobytes()
    assert len(params) == (epoch - 1) * (1 if batch_size is None else 3) + step


OVERFLOWS = {
    "Z[1] of layer 1": {"W1": 3e38},
    "Z[2] of layer 2": {"W2": 3e38, "b1": 9.0},
    "[1] of layer 1": {"W2": 1e22, "b1": 9.0},
    "dW[2] of layer 2": {"W1": 1e20, "b1": 1e20, "b2": 1e20},
}


@pytest.mark.parametrize("where", OVERFLOWS)
def test_the_first_overflow_is_named(where):
    """The layer that is named is the one where the first number overflows, forward or backward."""
    model = network()
    for name, value in OVERFLOWS[where].items():
        getattr(model, name[0])[int(name[1])][:] = value
    with unchanged(model), raises(NonFiniteError, "epoch 1, step 1: ", f"{where} (Dense)"):
        model.fit(1 + X**2, Y, SGD(1e-3), batch_size=None)


class OfSums(tn.Layer):
    """A custom layer that shows in a row what is not finite in A_prev."""

    def scratch(self, input_shape, m):
        return {"sums": (m,)}

    def input_probe(self, cache):
        return cache.sums

    def forward(self, A_prev, cache):
        return np.multiply(A_prev, A_prev.sum(axis=0, out=cache.sums) > 0, out=cache.Z)

    def back(self, dZ, cache):
        return dZ


class ScaledOnly(tn.LayerNorm):
    """A layer with another forward than its parent: what its parent shows is no longer true."""

    def forward(self, A_prev, cache):
        cache.std[...] = 1
        return A_prev * cache.gamma + cache.beta


class NotCentered(tn.BatchNorm):
    """The same, of a normalization with running statistics."""

    def normalize(self, A_prev, cache):
        np.copyto(unscaled(cache), A_prev)
        cache.std[...] = 1


class PartOfUnits(Dense):
    """A unit sees one feature, so the first one does not show the others."""

    def scratch(self, input_shape, m):
        return {}

    def forward(self, A_prev, cache):
        return np.diag(cache.W)[:, np.newaxis] * A_prev[: self.units] + cache.b


FIRST_LAYERS = [
    Dense(3, "relu"), Dense(1, "sigmoid"), tn.BatchNorm(activation="sigmoid"), tn.LayerNorm(),
    tn.LayerNorm(over="example"), tn.Activate("relu"), tn.Dropout(0.5),
    tn.Residual([Dense(4, "relu")]), OfSums(), ScaledOnly(), NotCentered(), PartOfUnits(4),
]  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", FIRST_LAYERS, ids=repr)
def test_no_entry_of_X_is_overlooked(layer, bad):
    """Wherever one entry is not finite it is found, in training or not, and one after the other."""
    good = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
    model = Sequential([layer, Dense(1)], inputs=4, seed=1)
    for at in np.ndindex(good.shape):
        X = good.copy()
        X[at] = bad
        for training in (False, True, True, False):
            assert np.isfinite(model.forward(good, training)).all()
            with raises(NonFiniteError, f"X[{at[0]}, {at[1]}] is {bad}"):
                model.forward(X, training)


def test_numbers_beyond_the_dtype():
    """What is finite in float64 is not found where it was passed, so there is another remedy."""
    X, Y = np.array([[1.0, 1e39]]), np.ones((1, 2))
    how = {"layers": [Dense(1)], "loss": "mean_squared_error", "seed": 1}
    with raises(NonFiniteError, "X[0, 1] is inf in float32", "float32 ends at 3.4e+38"):
        Sequential(**how).fit(X, Y)
    assert np.isfinite(Sequential(**how, dtype="float64").predict(X)).all()
    with raises(NonFiniteError, 'scale Y or use dtype="float64"'):
        Sequential(**how).fit(Y, X)
