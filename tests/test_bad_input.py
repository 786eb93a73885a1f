"""Bad input is refused in words, and nothing is half-changed by it."""

import re

import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Activation, Dense, Initializer, Loss, Sequential
from tinynet.errors import NonFiniteError, NotBuiltError, ShapeError, UnknownNameError

_rng = np.random.default_rng(7)
X = _rng.standard_normal((2, 5))
Y = _rng.standard_normal((1, 5))
LABELS = np.array([0, 1, 2, 1, 0])


def _network(loss="mean_squared_error", inputs=2, output=1, activation="identity"):
    return Sequential([Dense(3, "relu"), Dense(output, activation)], loss, inputs=inputs, seed=1)


def _passed():
    model = _network()
    model.forward(X)
    model.back(Y)
    return model


MODELS = {
    "new": _network,
    "passed": _passed,  # forward and back
    "unbuilt": lambda: _network(inputs=None),
    "lossless": lambda: _network(loss=None),
    "classifier": lambda: _network("categorical_crossentropy", output=3, activation="softmax"),
}


def _with(array, value, at):
    array = np.array(array)
    array[at] = value
    return array


def _state(model):
    """Return what a failed call must leave as it is, to the bit."""
    return repr(model), model.params.tobytes() if model.is_built else None


def _used(kind, model):
    """Use a model as it is meant, and return what comes of it, to the bit."""
    if kind == "lossless":
        return model.forward(X).tobytes()
    model.fit(X, LABELS if kind == "classifier" else Y, SGD(0.1), epochs=2, batch_size=2)
    return model.params.tobytes()


def _bad(kind, what, does, error, *fragments):
    return pytest.param(kind, does, error, fragments, id=f"{kind}: {what}")


ONE_D = (
    ShapeError,
    r"^X has shape \(5,\)",
    r"needed is \(2, m\)",
    r"X\.reshape\(-1, 1\)",
    r"X\.reshape\(1, -1\)",
)
TRANSPOSED = (
    ShapeError,
    r"^X has shape \(5, 2\)",
    r"needed is \(2, m\)",
    r"transposed",
    r"write X\.T",
)
FEATURES = (ShapeError, r"^X has shape \(3, 5\)", r"needed is \(2, m\)")
EMPTY = (ShapeError, r"^X has shape \(2, 0\)", "no example", "at least one column")
NAN = (NonFiniteError, r"X", "(?i)nan", r"np\.argwhere\(~np\.isfinite\(X\)\)")
INF = (NonFiniteError, r"X", "(?i)inf", r"np\.argwhere\(~np\.isfinite\(X\)\)")
Y_WIDTH = (ShapeError, r"Y has shape \(2, 5\)", r"A\[L\], \(1, 5\)")
Y_BATCH = (ShapeError, r"Y has shape \(1, 4\)", r"A\[L\], \(1, 5\)")
Y_ONE_D = (ShapeError, r"Y has shape \(5,\)", r"A\[L\], \(1, 5\)", r"write Y\.reshape\(1, -1\)")
Y_TRANSPOSED = (
    ShapeError,
    r"Y has shape \(5, 1\)",
    r"A\[L\], \(1, 5\)",
    "transposed",
    r"write Y\.T",
)
OBJECTS = (TypeError, "^X must hold real numbers", "dtype object", r"X\.astype\(float\)")
STRINGS = (TypeError, "^X must hold real numbers", "dtype <U", r"X\.astype\(float\)")
FORWARD_FIRST = (NotBuiltError, "no forward pass", r"call model\.forward\(X\) first")
NO_INPUTS = (
    NotBuiltError,
    "^the model has no parameters yet",
    r"; write .*inputs=n_0\), or call model\.forward\(X\)",
)
NO_LOSS = (ValueError, "no loss", r"loss=\.\.\.", "mean_squared_error")

BAD_X = {
    "X 1-D": (X[0], *ONE_D),
    "X transposed": (X.T, *TRANSPOSED),
    "X of three features": (np.ones((3, 5)), *FEATURES),
    "X of no example": (X[:, :0], *EMPTY),
    "X with NaN": (_with(X, np.nan, (1, 3)), *NAN),
    "X with Inf": (_with(X, np.inf, (1, 3)), *INF),
    "X with -Inf": (_with(X, -np.inf, (0, 0)), *INF),
    "X all Inf": (np.full((2, 5), np.inf), *INF),
    "X beyond float32": (_with(X, 1e39, (1, 3)), *INF),
    "X of objects": (X.astype(object), *OBJECTS),
    "X of strings": (X.astype(str), *STRINGS),
    "X complex": (X + 0j, TypeError, "X must hold real numbers", "complex128"),
    "X None": (None, TypeError, "X must hold real numbers", "dtype object"),
    "X ragged": ([[1.0, 2.0], [3.0]], ValueError, "inhomogeneous|X"),
    "X 0-D": (3.0, ShapeError, r"X has shape \(\)", r"needed is \(2, m\)"),
    "X 3-D": (X[np.newaxis], ShapeError, r"X has shape \(1, 2, 5\)", r"needed is \(2, m\)"),
}
BAD_Y = {
    "Y of two rows": (np.ones((2, 5)), *Y_WIDTH),
    "Y of four examples": (Y[:, :4], *Y_BATCH),
    "Y 1-D": (Y[0], *Y_ONE_D),
    "Y transposed": (Y.T, *Y_TRANSPOSED),
    "Y of objects": (
        Y.astype(object),
        TypeError,
        "Y must hold real numbers",
        r"Y\.astype\(float\)",
    ),
    "Y of strings": (Y.astype(str), TypeError, "Y must hold real numbers", r"Y\.astype\(float\)"),
}
BAD_LABELS = {
    "label too high": (
        _with(LABELS, 3, 2),
        ValueError,
        "label 3 of example 2",
        "3 rows",
        "from 0 to 2",
    ),
    "label negative": (
        _with(LABELS, -1, 1),
        ValueError,
        "label -1 of example 1",
        "from 0 to 2",
        "renumber",
    ),
    "label too high, in a row": (
        _with(LABELS, 3, 2)[np.newaxis],
        ValueError,
        "label 3 of example 2",
        "3 rows",
    ),
    "labels of four examples": (
        LABELS[:4],
        ShapeError,
        r"Y has shape \(3, 4\)",
        r"A\[L\], \(3, 5\)",
    ),
    "labels as floats": (
        LABELS * 1.0,
        ShapeError,
        r"\(5,\)",
        "float64",
        r"\(3, m\)",
        r"Y\.astype\(int\)",
    ),
    "one-hot of two classes": (
        np.ones((2, 5)),
        ShapeError,
        r"Y has shape \(2, 5\)",
        r"A\[L\], \(3, 5\)",
    ),
}
BAD_FIT = {
    "Y with NaN": (
        lambda m: m.fit(X, Y * np.nan),
        NonFiniteError,
        "Y",
        r"np\.argwhere\(~np\.isfinite\(Y\)\)",
    ),
    "epochs negative": (lambda m: m.fit(X, Y, epochs=-1), ValueError, "epochs", "at least 0", "-1"),
    "epochs 2.5": (lambda m: m.fit(X, Y, epochs=2.5), TypeError, "epochs", "whole number", r"2\.5"),
    "batch_size 0": (
        lambda m: m.fit(X, Y, batch_size=0),
        ValueError,
        "batch_size",
        "at least 1",
        "is 0",
    ),
    "batch_size 2.5": (
        lambda m: m.fit(X, Y, batch_size=2.5),
        TypeError,
        "batch_size",
        "whole number",
        r"2\.5",
    ),
    "optimizer unknown": (
        lambda m: m.fit(X, Y, "sdg"),
        UnknownNameError,
        "optimizer",
        "'sdg'",
        "nearest first: sgd",
    ),
    "optimizer a number": (lambda m: m.fit(X, Y, 0.1), TypeError, r"0\.1", "optimizer"),
    "optimizer a class": (lambda m: m.fit(X, Y, SGD), TypeError, "SGD", r"write SGD\("),
    "metric unknown": (
        lambda m: m.fit(X, Y, metrics=["acuracy"]),
        UnknownNameError,
        "'acuracy'",
        "accuracy",
    ),
    "validation X transposed": (lambda m: m.fit(X, Y, validation_data=(X.T, Y)), *TRANSPOSED),
    "validation X with NaN": (lambda m: m.fit(X, Y, validation_data=(X * np.nan, Y)), *NAN),
    "validation Y of four examples": (
        lambda m: m.fit(X, Y, validation_data=(X, Y[:, :4])),
        *Y_BATCH,
    ),
}


def _of_another_model():
    optimizer = SGD(0.1, momentum=0.9)
    Sequential([Dense(1)], "mean_squared_error", inputs=2, seed=1).fit(X, Y, optimizer)
    return optimizer


CALLS = [
    *(_bad("new", f"forward, {what}", lambda m, x=x: m.forward(x), *told) for what, (x, *told) in BAD_X.items()),
    *(_bad("passed", f"forward, {what}", lambda m, x=x: m.forward(x), *told) for what, (x, *told) in BAD_X.items()),
    *(_bad("new", f"predict, {what}", lambda m, x=x: m.predict(x), *told) for what, (x, *told) in BAD_X.items()),
    *(_bad("new", f"evaluate, {what}", lambda m, x=x: m.evaluate(x, Y), *told) for what, (x, *told) in BAD_X.items()),
    *(_bad("new", f"fit, {what}", lambda m, x=x: m.fit(x, Y), *told) for what, (x, *told) in BAD_X.items()),
    *(_bad("passed", f"cost, {what}", lambda m, y=y: m.cost(y), *told) for what, (y, *told) in BAD_Y.items()),
    *(_bad("passed", f"back, {what}", lambda m, y=y: m.back(y), *told) for what, (y, *told) in BAD_Y.items()),
    *(_bad("new", f"evaluate, {what}", lambda m, y=y: m.evaluate(X, y), *told) for what, (y, *told) in BAD_Y.items()),
    *(_bad("new", f"fit, {what}", lambda m, y=y: m.fit(X, y), *told) for what, (y, *told) in BAD_Y.items()),
    *(_bad("unbuilt", f"fit, {what}", lambda m, y=y: m.fit(X, y), *told) for what, (y, *told) in BAD_Y.items()),
    *(_bad("classifier", what, lambda m, y=y: m.fit(X, y), *told) for what, (y, *told) in BAD_LABELS.items()),
    *(_bad("new", f"fit, {what}", does, *told) for what, (does, *told) in BAD_FIT.items()),
    *(_bad("unbuilt", f"fit, {what}", does, *told) for what, (does, *told) in BAD_FIT.items() if "valid" not in what),
    _bad("unbuilt", "forward, X 1-D", lambda m: m.forward(X[0]), ShapeError, r"\(5,\)", r"\(n_0, m\)",
         r"X\.reshape\(-1, 1\)"),
    _bad("unbuilt", "forward, X of objects", lambda m: m.forward(X.astype(object)), *OBJECTS),
    _bad("unbuilt", "forward, X of no example", lambda m: m.forward(X[:, :0]), *EMPTY),
    _bad("unbuilt", "forward, X with NaN", lambda m: m.forward(X.T * np.nan), *NAN),
    _bad("unbuilt", "fit, X transposed", lambda m: m.fit(X.T, Y), ShapeError, r"Y has shape \(1, 5\)", r"\(1, 2\)"),
    _bad("unbuilt", "predict, X with Inf", lambda m: m.predict(X.T + np.inf), *INF),
    _bad("unbuilt", "evaluate, Y of two rows", lambda m: m.evaluate(X, np.ones((2, 5))), *Y_WIDTH),
    _bad("unbuilt", "forward, images into Dense", lambda m: m.forward(np.ones((2, 2, 5))), ShapeError,
         r"layer 1 \(Dense\)", r"\(n_prev, m\), not arrays \(2, 2, m\); write X\.reshape\(-1, X\.shape\[-1\]\)"),
    _bad("unbuilt", "params", lambda m: m.params, *NO_INPUTS),
    _bad("unbuilt", "W", lambda m: m.W[1], *NO_INPUTS),
    _bad("unbuilt", "back", lambda m: m.back(Y), NotBuiltError, r"model\.forward\(X\)"),
    _bad("unbuilt", "save", lambda m: m.save("never.npz"), *NO_INPUTS),
    _bad("new", "back before forward", lambda m: m.back(Y), *FORWARD_FIRST),
    _bad("new", "cost before forward", lambda m: m.cost(Y), *FORWARD_FIRST),
    _bad("new", "Z before forward", lambda m: m.Z[1], *FORWARD_FIRST),
    _bad("new", "dZ before back", lambda m: (m.forward(X), m.dZ), NotBuiltError, "dZ", r"call model\.back\(Y\) first"),
    _bad("new", "back_layer before forward_layer", lambda m: (m.forward_layer(1, X), m.back_layer(2, Y)), NotBuiltError,
         r"layer 2 \(Dense\)", r"model\.forward_layer\(2, A_prev\)"),
    _bad("new", "forward_layer 3", lambda m: m.forward_layer(3, X), IndexError, "no layer 3", "from 1 to 2"),
    _bad("new", "forward_layer 0", lambda m: m.forward_layer(0, X), IndexError, "no layer 0", "from 1 to 2"),
    _bad("new", "forward_layer, width", lambda m: m.forward_layer(2, X), ShapeError, r"layer 2 \(Dense\)", r"A\[1\]",
         r"\(2, 5\)", r"\(3, m\)"),
    _bad("new", "forward_layer, NaN", lambda m: m.forward_layer(2, np.full((3, 5), np.nan)), NonFiniteError,
         r"^A\[1\]\[0, 0\] is nan", r"isfinite\(A\[1\]\)"),
    _bad("passed", "back_layer, width", lambda m: m.back_layer(2, X), ShapeError,
         r"^dA\[2\] has shape \(2, 5\); needed is \(1, m\) for layer 2 \(Dense\)"),
    _bad("passed", "back_layer, batch", lambda m: m.back_layer(2, Y[:, :3]), ShapeError, r"dA\[2\]", r"\(1, 3\)",
         r"\(1, 5\)"),
    _bad("lossless", "cost", lambda m: (m.forward(X), m.cost(Y)), *NO_LOSS),
    _bad("lossless", "fit", lambda m: m.fit(X, Y), *NO_LOSS),
    _bad("new", "W of another shape", lambda m: m.W.__setitem__(1, np.ones((3, 5))), ShapeError, r"W\[1\]", r"\(3, 2\)",
         r"\(3, 5\)"),
    _bad("new", "W of one number", lambda m: m.W.__setitem__(1, 0.0), ShapeError, r"W\[1\]", r"\(3, 2\)", r"\(\)"),
    _bad("new", "W of no layer", lambda m: m.W[3], KeyError, r"no W\[3\]", "1, 2"),
    _bad("new", "optimizer of another model", lambda m: m.fit(X, Y, _of_another_model()), ValueError, r"\(3,\)",
         r"\(13,\)", r"reset\(\)"),
    _bad("new", "predict, batch_size 0", lambda m: m.predict(X, batch_size=0), ValueError, "^batch_size", "at least 1"),
    _bad("new", "predict_labels, batch_size 0", lambda m: m.predict_labels(X, batch_size=0), ValueError, "^batch_size"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "does", "error", "fragments"), CALLS)
def test_a_refused_call(kind, does, error, fragments):
    """The error is of its class and says what is wrong; afterwards it is as if the call had never been made."""
    model, untouched = MODELS[kind](), MODELS[kind]()
    before = _state(model)
    with pytest.raises(error) as caught:
        does(model)
    for fragment in fragments:
        assert re.search(fragment, str(caught.value)), (
            f"{fragment!r} is not in {str(caught.value)!r}"
        )
    assert before == _state(model), "half-changed"
    assert _used(kind, untouched) == _used(kind, model), (
        "used afterwards, it does not do as one never misused"
    )


SETTINGS = {
    "units 0": (lambda: Dense(0), ValueError, "^units", "is 0, expected a whole number of at least 1"),
    "units negative": (lambda: Dense(-3), ValueError, "units", "is -3, expected a whole number of at least 1"),
    "units 2.5": (lambda: Dense(2.5), TypeError, "units", "whole number", r"2\.5"),
    "units 3.0": (lambda: Dense(3.0), TypeError, "units", "whole number", r"3\.0"),
    "units '3'": (lambda: Dense("3"), TypeError, "units", "whole number", "'3'"),
    "units True": (lambda: Dense(True), (TypeError, ValueError), "units", "whole number", "True"),
    "units None": (lambda: Dense(None), TypeError, "units", "whole number", "None"),
    "l2 negative": (lambda: Dense(3, l2=-0.1), ValueError, "l2", ">= ?0|≥ 0", r"-0\.1"),
    "l2 NaN": (lambda: Dense(3, l2=float("nan")), ValueError, "l2", "nan"),
    "rate negative": (lambda: SGD(-0.1), ValueError, "learning_rate", ">= ?0|≥ 0", r"-0\.1"),
    "rate NaN": (lambda: SGD(float("nan")), ValueError, "learning_rate", "nan"),
    "rate infinite": (lambda: SGD(float("inf")), ValueError, "learning_rate", "inf"),
    "rate a word": (lambda: SGD("fast"), UnknownNameError, "no schedule is called 'fast'"),
    "rate None": (lambda: SGD(None), TypeError, "NoneType"),
    "momentum 1": (lambda: SGD(0.1, momentum=1), ValueError, "momentum", r"1\.0"),
    "momentum negative": (lambda: SGD(0.1, momentum=-0.5), ValueError, "momentum", r"-0\.5"),
    "dampening 1.5": (lambda: SGD(0.1, 0.9, dampening=1.5), ValueError, "dampening", r"1\.5"),
    "beta1 of 1": (lambda: tn.Adam(beta1=1), ValueError, "beta1", r"1\.0"),
    "beta2 of 1": (lambda: tn.Adam(beta2=1), ValueError, "beta2", r"1\.0"),
    "epsilon 0": (lambda: tn.Adam(epsilon=0), ValueError, "epsilon", r"0\.0"),
    "nesterov alone": (lambda: SGD(0.1, nesterov=True), ValueError, "^nesterov needs momentum",
                       r"write SGD\(.*momentum=0.9, nesterov=True\)"),
    "activation unknown": (lambda: Dense(3, "rellu"), UnknownNameError, "activation", "'rellu'", "first: relu, "),
    "activation a number": (lambda: Dense(3, 7), TypeError, "7", "activation"),
    "activation a loss": (lambda: Dense(3, Loss.get("huber")), TypeError, "Huber", "activation"),
    "activation a class": (lambda: Dense(3, tn.activations.ReLU), TypeError, r"write ReLU\("),
    "activation of another field": (lambda: Activation.get("leaky_relu", slop=1), TypeError, "LeakyReLU", "slop"),
    "initializer unknown": (lambda: Dense(3, init="he"), UnknownNameError, "initializer", "'he'", "he_normal"),
    "scale negative": (lambda: Initializer.get("normal", scale=-1), ValueError, "scale", r"-1"),
    "loss unknown": (lambda: Sequential([Dense(1)], "mean_square_error"), UnknownNameError, "loss",
                     "first: mean_squared_error, "),
    "delta 0": (lambda: Loss.get("huber", delta=0), ValueError, "delta", r"0\.0"),
    "optimizer unknown": (lambda: tn.Optimizer.get("sdg"), UnknownNameError, "optimizer", "'sdg'", "first: sgd"),
    "layer unknown": (lambda: tn.Layer.get("dens"), UnknownNameError, "layer", "'dens'", "first: dense"),
    "no layers": (lambda: Sequential([]), ValueError, "^a model needs .* one layer", r"Sequential\(\[Dense\(1\)\]\)"),
    "layers not a list": (lambda: Sequential(Dense(1)), TypeError, "Dense"),
    "a layer a number": (lambda: Sequential([3]), TypeError, "3", "layer"),
    "a layer a class": (lambda: Sequential([Dense]), TypeError, "Dense", r"write Dense\("),
    "inputs 0": (lambda: Sequential([Dense(1)], inputs=0), ValueError, "inputs is 0, .* at least 1"),
    "inputs 2.5": (lambda: Sequential([Dense(1)], inputs=2.5), TypeError, "inputs", "whole number", r"2\.5"),
    "inputs an image": (lambda: Sequential([Dense(1)], inputs=(2, 3)), ShapeError, r"layer 1 \(Dense\)",
                        r"\(n_prev, m\)", r"X\.reshape\(-1, X\.shape\[-1\]\)"),
    "dtype int32": (lambda: Sequential([Dense(1)], dtype="int32"), ValueError, "float32", "float64", "int32"),
    "dtype a word": (lambda: Sequential([Dense(1)], dtype="single precision"), TypeError, "single precision"),
    "seed negative": (lambda: Sequential([Dense(1)], seed=-1), ValueError, "negative"),
}  # fmt: skip


@pytest.mark.parametrize("what", SETTINGS)
def test_a_refused_setting(what):
    """A setting that means nothing is refused where it is written."""
    makes, error, *fragments = SETTINGS[what]
    with pytest.raises(error) as caught:
        makes()
    for fragment in fragments:
        assert re.search(fragment, str(caught.value)), (
            f"{fragment!r} is not in {str(caught.value)!r}"
        )


# Training that diverges


@pytest.fixture
def seen(monkeypatch):
    """Return the parameters as they were after each update by SGD."""
    updates, update = [], SGD.update

    def noted(self, params, grads):
        update(self, params, grads)
        updates.append(params.copy())

    monkeypatch.setattr(SGD, "update", noted)
    return updates


WHERE = re.compile(r"epoch (\d+), step (\d+): .*\[(\d)\] of layer \3 \(Dense\)", re.DOTALL)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("rate", [1e10, 1e30, 1e38, 1e300])
def test_divergence_is_stopped(seen, rate, batch_size, momentum):
    """The step at which a number is no longer finite is named with its layer, and is not taken."""
    model = _network()
    seen.append(model.params.copy())
    with pytest.raises(NonFiniteError) as caught:
        model.fit(X, Y, SGD(rate, momentum=momentum), epochs=50, batch_size=batch_size)
    message = str(caught.value)
    found = WHERE.match(message)
    assert found, message
    assert "learning rate" in message, message
    assert f"learning_rate={rate!r}" in message, message
    assert np.isfinite(model.params).all()
    finite = [params for params in seen if np.isfinite(params).all()]
    assert finite[-1].tobytes() == model.params.tobytes(), (
        "parameters are not those before the step"
    )
    epoch, step, _ = map(int, found.groups())
    steps = 1 if batch_size is None else 3
    assert len(finite) == (epoch - 1) * steps + step, (
        "another step is named than the one that failed"
    )


PLANTED = {
    "Z[1]": ({"W": {1: 3e38}}, r"Z\[1\] of layer 1 \(Dense\)"),
    "Z[2]": ({"W": {2: 3e38}, "b": {1: 9.0}}, r"Z\[2\] of layer 2 \(Dense\)"),
    "dZ[1]": ({"W": {2: 1e22}, "b": {1: 9.0}}, r"(dZ|dA)\[1\] of layer 1 \(Dense\)"),
    "dW[2]": ({"W": {1: 1e20}, "b": {1: 1e20, 2: 1e20}}, r"dW\[2\] of layer 2 \(Dense\)"),
}


@pytest.mark.parametrize("where", PLANTED)
def test_the_first_layer_is_named(where):
    """The layer that is named is the one where the first number overflows, on the way there and back."""
    planted, named = PLANTED[where]
    model = _network()
    for kind, values in planted.items():
        for l, value in values.items():
            views = getattr(model, kind)
            views[l] = np.full(views[l].shape, value)
    before = model.params.tobytes()
    with pytest.raises(NonFiniteError, match=f"^epoch 1, step 1: {named}"):
        model.fit(1 + X**2, Y, SGD(1e-3), batch_size=None)
    assert before == model.params.tobytes()
