"""The model owns its arrays: views, passes, copies, files, and training by plain arithmetic."""

import copy
import gc
import io
import pickle
import re
import weakref
from functools import partial
from operator import attrgetter, methodcaller

import numpy as np
import pytest
from helpers import unchanged
from messages import raises
from test_properties import ENDS

from tinynet import SGD, Activation, BatchNorm, Dense, Dropout, Flatten, Layer, Loss, Sequential
from tinynet.errors import NonFiniteError, NotBuiltError, ShapeError
from tinynet.training.nonfinite import first_nonfinite

of_both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
with_every_end = pytest.mark.parametrize(("loss", "output"), ENDS)
equal = np.testing.assert_array_equal


class Same(Layer):
    """Declare nothing, and change nothing."""

    def forward(self, A_prev, cache):
        return A_prev.copy()

    def back(self, dZ, cache):
        return dZ.copy()


def squared(*layers, inputs=None, dtype="float64", seed=1):
    """Return a model of these layers with the mean squared error."""
    return Sequential(layers, "mean_squared_error", inputs, dtype, seed)


def network(dtype="float64", loss="categorical_crossentropy", output="softmax", l2=0.1, seed=1):
    """Return a network 4 → 5 → 3 → 2 whose parameters are all different from zero."""
    layers = [Dense(5, "tanh", l2=l2), Dense(3, "silu", l2=l2), Dense(2, output)]
    model = Sequential(layers, loss, inputs=4, dtype=dtype, seed=seed)
    model.params[:] = np.random.default_rng(seed).standard_normal(model.n_params)
    return model


def read_only(array):
    array.flags.writeable = False
    return array


def data(m=6, n=4, outputs=2, dtype="float64", seed=2):
    """Return X and one-hot Y, into which nothing may write."""
    rng = np.random.default_rng(seed)
    Y = rng.integers(outputs, size=m) == np.arange(outputs)[:, np.newaxis]
    return read_only(rng.standard_normal((n, m)).astype(dtype)), read_only(Y.astype(dtype))


def passed(model, X, Y):
    """Take the model forward and back, and return copies of all that it computed."""
    model.forward(X)
    model.back(Y, input_gradient=True)
    results = {
        f"{kind}[{l}]": array.copy()
        for kind in ("Z", "A", "dZ", "dA", "dW", "db")
        for l, array in getattr(model, kind).items()
    }
    return results | {"grads": model.grads.copy(), "J": np.array(model.cost(Y))}


def used(model=None):
    """Return a network after a pass forward and back."""
    model = model or network()
    passed(model, *data())
    return model


def arrays_of(cache):
    return {name: array for name, array in vars(cache).items() if isinstance(array, np.ndarray)}


def assert_same(expected, actual):
    """Assert that two dictionaries of arrays are equal to the bit."""
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        equal(array, actual[name], strict=True, err_msg=name)


# The arrays and who owns them


def test_views_share_memory_with_the_flat_vectors():
    """W, b, dW, db are views that tile params and grads without a gap, in the caches, too."""
    model = used()
    n = 5 * 4 + 5 + 3 * 5 + 3 + 2 * 3 + 2
    assert (n, (n,), (n,)) == (model.n_params, model.params.shape, model.grads.shape)
    assert ((4,), (2,)) == (model.inputs, model.outputs)
    for vector, kinds in ((model.params, (model.W, model.b)), (model.grads, (model.dW, model.db))):
        vector[:] = np.arange(n)
        found = [array for l in (1, 2, 3) for array in (kinds[0][l], kinds[1][l])]
        assert all(np.shares_memory(vector, array) for array in found)
        equal(np.arange(n), np.concatenate([array.ravel() for array in found]))
    for l, cache in enumerate(model.caches, 1):
        for name in ("W", "b", "dW", "db"):
            assert np.shares_memory(getattr(model, name)[l], getattr(cache, name))


@pytest.mark.parametrize("name", ["update", "pop", "setdefault", "clear"])
def test_arrays_are_no_dictionary(name):
    """What would change a copy, and not the model, is not there; the arrays print as they are."""
    W = used().W
    assert not hasattr(W, name)
    assert repr(dict(W)) == repr(W)
    assert ([1, 2, 3], [3, 2, 1], 3) == ([*W], [*reversed(W)], len(W))


@pytest.mark.parametrize("kind", ["W", "b", "dW", "db"])
def test_assigning_copies_into_the_vector(kind):
    """model.W[1] = M and cache.W = M write into the vector; neither takes the array itself."""
    model = used()
    arrays, vector = getattr(model, kind), model.grads if kind.startswith("d") else model.params
    for l, cache in enumerate(model.caches, 1):
        view = arrays[l]
        for owner, key, put in ((arrays, l, type(arrays).__setitem__), (cache, kind, setattr)):
            M = np.full(view.shape, 9.0)
            put(owner, key, M)
            M[:] = 0
            equal(9.0, view)
            put(owner, key, np.full(view.shape, 8, int).tolist())
            equal(8.0, view)
            for now in (arrays[l], getattr(model, kind)[l], getattr(cache, kind)):
                assert np.shares_memory(vector, now)
        arrays[l] += 1
        equal(9.0, view)


def test_parameters_by_name():
    """What get_parameters returns are copies, and set_parameters copies all of them or some."""
    model, other = network(), network(seed=3)
    given = model.get_parameters()
    assert list(given) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert_same({f"W{l}": W for l, W in model.W.items()}, {k: given[k] for k in given if "W" in k})
    other.set_parameters(given)
    equal(model.params, other.params, strict=True)
    for array in given.values():
        array[:] = 7
    equal(model.params, other.params)
    assert not (model.params == 7).any()
    model.set_parameters({"b2": [[1], [2], [3]]})
    expected = other.get_parameters() | {"b2": np.array([[1.0], [2.0], [3.0]])}
    assert_same(expected, model.get_parameters())
    single, normed = network("float32"), squared(Dense(3), BatchNorm(), inputs=2)
    single.set_parameters(expected)
    in_single = {name: array.astype("float32") for name, array in expected.items()}
    assert_same(in_single, single.get_parameters())
    assert list(normed.get_parameters()) == ["W1", "b1", "gamma2", "beta2"], "state is none"


def set_both(model, **bad):
    """Set parameters of which the first is right."""
    model.set_parameters({"W3": np.zeros((2, 3)), **bad})


def one_layer(ask):
    """Return a function that asks a model of which one layer alone has had a pass."""
    model = squared(Dense(4), Dense(1), inputs=2)
    model.forward_layer(1, np.ones((2, 3)))
    return lambda _: ask(model, np.ones((1, 3)))


def after_nan(ask):
    """Return a function that asks a model after a pass with an X that is refused."""

    def call(model):
        with pytest.raises(NonFiniteError):
            model.forward(X6 * np.nan)
        ask(model)

    return call


def layer_of(l, *shape):
    """Take an array into a layer of a network that has two layers of one size."""
    model = squared(Dense(4), Dense(3), Dense(4), inputs=2)
    return lambda _: model.forward_layer(l, np.ones(shape))


X6, Y6 = data()
NEEDS_BACK, NO_PASS = (NotBuiltError, "call model.back"), (NotBuiltError, "call model.forward(X)")
FORWARD = "Call model.forward(X) first."
NO_SUCH_PASS = f"There is no forward pass to look at (predict keeps none). {FORWARD}"
LAST = re.compile(f"^The last layer has had no forward pass. {re.escape(FORWARD)}$")
OF_L = IndexError, "expected 1 to 3"
# What is asked of a model that has gone forward and back, the error, and what its message contains
REFUSED = {
    **{
        f"{name} replaced": (lambda m, name=name: setattr(m, name, np.zeros(51)), AttributeError,
                             name, *remedy)
        for name, *remedy in (
            ("params", "replaced. Use model.params[:] = v."), ("grads", "Use model.grads[:] = v."),
            ("state", "Use model.state[:] = v."), ("W", "Use model.W[1] = M."),
            ("b", "Use model.b[1] = v."), ("dW", "Use model.dW[1] = M."),
            ("db", "Use model.db[1] = v."), ("Z",), ("A",),
            ("n_params", re.compile(r"^model.n_params cannot be replaced\.$")),
            ("layers", "Use a new model: Sequential([...])."),
            ("loss", "Use a new model: Sequential(..., loss=...)."))
    },
    **{
        f"{name} of {shape}": (partial(set_to, W=np.ones(shape)), ShapeError,
                               f"{name} … got shape {shape}", "expected shape (5, 4)")
        for name, set_to in (("W[1]", lambda m, W: m.W.__setitem__(1, W)),
                             ("W in layer 1", lambda m, W: setattr(m.caches[0], "W", W)),
                             ("W1", lambda m, W: set_both(m, W1=W)))
        for shape in ((), (1,), (5,), (4, 5), (1, 4), (5, 1), (5, 4, 1))
    },
    **{
        f"{kind}[{l!r}]": (
            lambda m, kind=kind, l=l: getattr(m, kind)[l], KeyError,
            f"{kind}[{l!r}], expected one of ", f"{kind}[1], {kind}[2], {kind}[3].",
            re.compile(r"3\]\.[\"']$"))
        for kind, l in (("W", 0), ("W", 4), ("b", -1), ("Z", 0), ("A", 4), ("dW", "1"))
    },
    "layer 0": (lambda m: m.forward_layer(0, X6), *OF_L, "layer 0"),
    "layer -1": (lambda m: m.forward_layer(-1, X6), *OF_L, "layer -1"),
    "layer '1'": (lambda m: m.forward_layer("1", X6), *OF_L, "layer '1'"),
    "layer 4": (lambda m: m.forward_layer(4, X6), *OF_L, "layer 4"),
    "layer 4 back": (lambda m: m.back_layer(4, X6), *OF_L),
    "an array of two others": (
        layer_of(1, 4, 5), ShapeError, "layer 1 (Dense) (it has the shape of A[1] and A[3])"),
    "an array of X": (layer_of(2, 2, 5), ShapeError, "layer 2 (Dense) (it has the shape of A[0])"),
    "an array of none": (layer_of(1, 9, 5), ShapeError, "for layer 1 (Dense)."),
    "one number an example": (layer_of(2, 4), ShapeError, "for layer 2 (Dense)."),
    "an array of three axes": (layer_of(3, 3, 4, 5), ShapeError, "for layer 3 (Dense)."),
    "dA[0] not asked for": (
        lambda m: (m.back(Y6), m.dA[0]), KeyError, "dA[0], expected one of dA[1], dA[2], dA[3].",
        re.compile(r"\. Call model\.back\(Y, input_gradient=True\) for it\.[\"']$")),
    "W of no layer": (
        lambda m: squared(Flatten(), inputs=2).W[1], KeyError, "W[1], expected one of none."),
    "dZ of the last pass": (lambda m: (m.forward(X6), m.dZ), *NEEDS_BACK),
    "dA of the last pass": (lambda m: (m.forward(X6), m.dA), *NEEDS_BACK),
    "dZ of one layer": (lambda m: (m.forward_layer(1, X6), m.dZ), *NEEDS_BACK),
    "back from nothing": (lambda m: network().back_layer(1, np.ones((5, 6))), *NO_PASS),
    "cost of a refused X": (after_nan(lambda m: m.cost(Y6)), *NO_PASS, NO_SUCH_PASS),
    "back of a refused X": (after_nan(lambda m: m.back(Y6)), *NO_PASS, NO_SUCH_PASS),
    "Z of a refused X": (after_nan(lambda m: m.Z), *NO_PASS, NO_SUCH_PASS),
    "cost of one layer": (one_layer(Sequential.cost), *NO_PASS, LAST),
    "back of one layer": (one_layer(Sequential.back), *NO_PASS, LAST),
    "A as a target": (
        lambda m: m.A.__setitem__(1, np.ones((5, 6))), TypeError, "A[1] is filled by passes",
        "A[1][:] ="),
    "parameter of no layer": (
        lambda m: set_both(m, W4=np.ones((2, 3))), KeyError, "no parameter 'W4'",
        "W1, b1, W2, b2, W3, b3"),
    "parameter transposed": (lambda m: set_both(m, W1=np.ones((4, 5))), ShapeError, "add .T"),
    "parameter in a row": (
        lambda m: set_both(m, b1=np.ones(5)), ShapeError, "b1 … (5,) … (5, 1)", ".reshape"),
    "parameter of None": (lambda m: set_both(m, b1=None), TypeError, "b1", "real numbers"),
    "misspelt": (lambda m: m.parms, AttributeError, "no attribute 'parms'"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    """It is said in words, nothing is broadcast, and no parameter is changed."""
    model, (call, error, *words) = used(), REFUSED[what]
    with unchanged(model), raises(error, *words):
        call(model)


BEFORE_X = [
    *map(attrgetter, ["params", "grads", "state", "n_params", "inputs", "outputs", "W", "b"]),
    *map(attrgetter, ["dW", "db", "Z", "A", "dZ", "dA", "caches"]), methodcaller("get_parameters"),
    methodcaller("set_parameters", {}), methodcaller("cost", np.ones((1, 3))),
    methodcaller("forward_layer", 1, np.ones((1, 3))), SGD().step,
]  # fmt: skip


@pytest.mark.parametrize("ask", BEFORE_X, ids=str)
def test_not_built(ask):
    """What there is only after the first X is not there before; how to have it is said."""
    model = squared(Dense(2))
    expected = "The model has no parameters yet, because its number of inputs is unknown. Use "
    expected += "Sequential(..., inputs=n_0), or call model.forward(X) or model.fit(X, Y) first."
    with raises(NotBuiltError, expected):
        ask(model)
    assert not model.is_built
    with raises(AttributeError, "no attribute 'parms'"):
        model.parms  # noqa: B018  another name is no matter of a first X
    model.forward(np.ones((3, 1)))
    assert model.is_built


FIRST_X = {
    "forward": lambda model, X: model.forward(X),
    "predict": lambda model, X: model.predict(X),
    "check": lambda model, X: model.check_inputs(X),
}


@pytest.mark.parametrize("use", FIRST_X)
def test_the_first_X_draws(use):
    """Without `inputs`, the first X that is finite draws what `inputs` would have drawn."""
    layers, X = (Flatten(), Dense(3, "relu"), Dense(2)), np.ones((2, 2, 5))
    built, unbuilt = squared(*layers, inputs=(2, 2)), squared(*layers)
    with raises(NonFiniteError, re.compile(r"^X\[0, 0, 0\] is nan")):
        FIRST_X[use](unbuilt, X * np.nan)
    assert not unbuilt.is_built
    FIRST_X[use](unbuilt, X)
    assert built.W[2].all()
    equal(built.params, unbuilt.params)


def test_few_names():
    """A model is used by few names."""
    names = [name for name in dir(Sequential) if not name.startswith("_")]
    assert len(names) <= 36, names


COPIES = copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))
every_copy = pytest.mark.parametrize("make", COPIES, ids=("copy", "deepcopy", "pickle"))


@every_copy
def test_copies_train_apart(make):
    """A step of one of two leaves the other as it is, and both take the same course."""
    model, (X, Y) = network(), data(m=10)
    expected, other, kept = passed(model, X, Y), make(model), model.params.copy()
    assert_same(expected, passed(other, X, Y))
    for one in (other, model):
        equal(kept, model.params)
        SGD(0.1).step(one)
    kept = model.params.copy()
    first = other.fit(X, Y, SGD(0.1), epochs=3, batch_size=4)
    equal(kept, model.params)
    assert not np.array_equal(kept, other.params)
    again = model.fit(X, Y, SGD(0.1), epochs=3, batch_size=4)
    assert first == again, "the copies share their generator"
    equal(other.params, model.params)


@every_copy
def test_a_copy_of_what_is_not_built(make):
    """A model that has not seen an X can be copied, and each is built on its own."""
    model = squared(Dense(2))
    other = make(model)
    other.forward(np.ones((3, 1)))
    model.forward(np.ones((4, 1)))
    assert (other.n_params, model.n_params) == (8, 10)


def test_a_pickle_holds_no_pass():
    """A model that has been used is written as a new one is: no batch, no targets."""
    model = used()
    model.grads[:] = 0
    assert pickle.dumps(network()) == pickle.dumps(model)


# Passes


@of_both_dtypes
def test_the_four_lines(dtype):
    """Forward and back are the four lines of the mathematics, digit for digit but for rounding."""
    model, (X, Y) = network(dtype), data(dtype=dtype)
    actual, m, penalty = passed(model, X, Y), X.shape[1], 0
    expected = {"A[0]": X.astype(float)}
    for l, layer in enumerate(model.layers, 1):
        expected[f"Z[{l}]"] = model.W[l].astype(float) @ expected[f"A[{l - 1}]"] + model.b[l]
        expected[f"A[{l}]"] = layer.activation.forward(expected[f"Z[{l}]"])
        penalty += layer.l2 / 2 * np.sum(model.W[l].astype(float) ** 2)
    dA = expected["dA[3]"] = -Y / expected["A[3]"]
    for l, layer in reversed(list(enumerate(model.layers, 1))):
        Z, A, A_prev = (expected[name] for name in (f"Z[{l}]", f"A[{l}]", f"A[{l - 1}]"))
        dZ = expected[f"dZ[{l}]"] = layer.activation.back(dA, Z, A)
        expected[f"dW[{l}]"] = dZ @ A_prev.T / m + layer.l2 * model.W[l]
        expected[f"db[{l}]"] = dZ.sum(axis=1, keepdims=True) / m
        dA = expected[f"dA[{l - 1}]"] = model.W[l].T @ dZ
    expected["J"] = -np.sum(Y * np.log(expected["A[3]"])) / m + penalty
    close = 1e-5 if dtype == "float32" else 1e-12
    assert expected.keys() == actual.keys() - {"grads"}
    for name, array in expected.items():
        np.testing.assert_allclose(array, actual[name], rtol=close, atol=close, err_msg=name)


def test_gradients_after_the_pass_of_one_layer():
    """dA[L] is the loss's, or what layer L was last taken back from; layers below leave it."""
    model, (X, Y) = network(), data()
    model.forward(X)
    model.back(Y)
    model.back_layer(1, np.ones((5, 6)))
    equal(model.loss.back(model.A[3], Y), model.dA[3])
    for l in (1, 2, 3):
        X = model.forward_layer(l, X).copy()
    dA = np.full((2, 6), 7.0)
    model.back_layer(3, dA)
    dA[:] = 0  # the array remains the caller's
    equal(7.0, model.dA[3])
    equal(model.layers[2].activation.back(model.dA[3], model.Z[3], model.A[3]), model.dZ[3])


def test_no_X_after_the_pass_of_one_layer():
    """The pass of a later layer leaves no X of the model, and None is not taken for it."""
    model = network()
    model.forward_layer(2, np.ones((5, 6)))
    with raises(TypeError, "X has dtype object", "Pass an array"):
        model.forward(None)


def test_activations_write_into_the_models_arrays():
    """Whichever way a pass goes, an activation is handed an array of the model as out."""
    given = []

    def watched(array, out):
        given.append(out)
        return np.positive(array, out=out)

    class Watching(Activation):
        forward = lambda self, Z, out=None: watched(Z, out)  # noqa: E731
        back = lambda self, dA, Z, A, out=None: watched(dA, out)  # noqa: E731

    model, X = Sequential([Dense(2, Watching())], "huber", inputs=2, seed=1), np.ones((2, 3))
    model.forward(X)
    model.back(X)
    expected = [model.A[1], model.dZ[1]] * 2
    model.forward_layer(1, X)
    model.back_layer(1, X)
    assert [*map(id, expected)] == [*map(id, given)]


@with_every_end
def test_dA_on_demand(loss, output):
    """dA[L] is there though a pass began at dZ[L], dA[0] if it was asked for; back adds nothing."""
    model, (X, Y) = network(loss=loss, output=output), data()
    expected = passed(model, X, Y)
    for asked in (True, False, True, True):
        model.back(Y, input_gradient=asked)
        equal(expected["grads"], model.grads)
        assert expected["J"] == model.cost(Y)
        assert [0] * asked + [1, 2, 3] == sorted(model.dA), "a dA[0] not asked for is a stale one"
        equal(Loss.get(loss).back(model.A[3], Y), model.dA[3])
        dZ = Activation.get(output).back(model.dA[3], model.Z[3], model.A[3])
        np.testing.assert_allclose(dZ, model.dZ[3], rtol=1e-12, atol=1e-14)
        if asked:
            equal(expected["dA[0]"], model.dA[0])
            np.testing.assert_allclose(model.W[1].T @ model.dZ[1], model.dA[0], rtol=1e-12)


def test_a_layer_that_declares_nothing_adds_nothing():
    """No parameters, the same shape, no cost; and dA[0] only where it was asked for."""
    model, (X, Y) = squared(Same(), inputs=2), data(n=2)
    assert (model.n_params, model.inputs, model.outputs) == (0, (2,), (2,))
    for asked in (False, True, False):
        assert model.loss.value(model.forward(X), Y) == model.cost(Y)
        model.back(Y, input_gradient=asked)
        assert [0] * asked + [1] == sorted(model.dA)


@of_both_dtypes
@pytest.mark.parametrize("other", ["float64", "float32", "int8", "bool", "list"])
def test_dtype_is_kept(dtype, other):
    """Data of any dtype is cast at the door: everything is computed and held in the model's."""
    model, unbuilt, (X, Y) = network(dtype), Sequential([Dense(2)], dtype=dtype), data()
    X = np.round(X)
    given = (X.tolist(), Y.tolist()) if other == "list" else (X.astype(other), Y.astype(other))
    results = passed(model, *given)
    results |= {"predict": model.predict(given[0]), "layer": model.forward_layer(1, given[0])}
    results |= {"back_layer": model.back_layer(1, np.ones((5, 6)))[0], "dA of it": model.dA[1]}
    results |= dict(zip("XY", model.check_data(*given), strict=True))
    model.fit(*given, SGD(0.1, momentum=0.9), epochs=2, batch_size=4, validation_data=given)
    results |= {"params": model.params, "grads": model.grads, "W": model.W[1]}
    results |= {"params of a copy": copy.copy(model).params}
    results |= {"of one unbuilt": unbuilt.forward(given[0]), "its parameters": unbuilt.params}
    del results["J"]
    expected = dict.fromkeys(results, np.dtype(dtype))
    assert expected == {name: array.dtype for name, array in results.items()}


def test_targets_and_weights_are_cast():
    """Cost and gradients are those of Y and weights in the model's dtype, to the bit."""
    model, (X, Y) = network("float32"), data()
    model.forward(X)
    results = []
    for dtype in ("float64", "float32"):
        targets, weights = ((Y + 1) / (1 + len(Y))).astype(dtype), np.arange(1, 7).astype(dtype) / 7
        for each in (None, weights):
            model.back(targets, sample_weight=each)
            results.append((model.cost(targets, each), model.grads.tobytes()))
    assert results[:2] == results[2:]


def test_a_refused_pass_leaves_the_state():
    """Where a later layer refuses a pass of training, the statistics are as before it."""
    layers = [BatchNorm(), Flatten(), Dense(2), BatchNorm()]
    model = squared(*layers, inputs=(3, 4))
    before = model.state.copy()
    with raises(ShapeError, "layer 4 (BatchNorm)"):
        model.forward(np.random.default_rng(1).standard_normal((3, 4, 1)), training=True)
    equal(before, model.state)
    with raises(NotBuiltError, "model.forward(X)"):
        model.back(np.ones((2, 1)))


def test_data_of_another_batch_size_is_not_held():
    """A model holds the X and Y of its last pass, and of no other."""
    model = network()
    held = []
    for m in (6, 5):
        X, Y = (array.copy() for array in data(m))
        model.forward(X)
        model.back(Y)
        held += [weakref.ref(X), weakref.ref(Y)]
        del X, Y
    gc.collect()
    assert [False, False, True, True] == [ref() is not None for ref in held]


def test_alternating_batch_sizes():
    """Batches of changing sizes, more than are kept, each give what a fresh model gives."""
    model = network()
    for m in (3, 5, 3, 1, 2, 4, 6, 7, 3, 5, 1):
        X, Y = data(m=m, seed=m)
        assert_same(passed(network(), X, Y), passed(model, X, Y))


def test_predict_writes_nothing():
    """Predicting and evaluating leaves the last pass as it is, and what predict returned too."""
    model, (X, Y) = used(), data(seed=9)
    caches = [dict(vars(cache)) for cache in model.caches]
    before = [copy.deepcopy(arrays_of(cache)) for cache in model.caches]
    expected = network().forward(X).copy()
    returned = model.predict(X)
    for batch_size in (None, 6, 4, 1, 100):
        np.testing.assert_allclose(expected, model.predict(X, batch_size), rtol=1e-12)
        equal(expected.argmax(axis=0), model.predict_labels(X, batch_size=batch_size))
        model.evaluate(X, Y, metrics=["accuracy"], batch_size=batch_size)
    for kept, arrays, cache in zip(caches, before, model.caches, strict=True):
        assert_same(arrays, arrays_of(cache))
        assert kept.keys() == vars(cache).keys()
        assert all(vars(cache)[name] is thing for name, thing in kept.items())
    model.predict(-X)
    model.forward(-X)
    equal(expected, returned)


@pytest.mark.parametrize(("A", "settings", "expected"), [
    ([[0.1, 0.5, 0.51, 0.9]], {}, [0, 0, 1, 1]),
    ([[0.1, 0.5, 0.51, 0.9]], {"threshold": 0.05}, [1, 1, 1, 1]),
    ([[0.2, 0.7, 0.3], [0.5, 0.1, 0.3], [0.3, 0.2, 0.4]], {}, [1, 0, 2]),
])  # fmt: skip
def test_predict_labels(A, settings, expected):
    """One output is compared with the threshold, or 0.5; of several the largest is the class."""
    model = squared(Dense(len(A)), inputs=len(A))
    model.W[1] = np.eye(len(A))
    actual = model.predict_labels(np.array(A), **settings)
    equal(expected, actual)
    assert actual.dtype.kind == "i"


def test_examples_of_more_than_one_axis():
    """Images, with the examples on the last axis, go every way that their columns go."""
    rng = np.random.default_rng(4)
    images, Y = rng.standard_normal((2, 3, 7)), rng.standard_normal((1, 7))
    columns = images.reshape(6, 7)
    flat, plain = (squared(Flatten(), Dense(1), inputs=shape) for shape in ((2, 3), 6))
    for model, X in ((flat, images), (plain, columns)):
        model.forward_layer(1, X)
        model.fit(X, Y, SGD(0.1), epochs=2, batch_size=4)
    equal(plain.params, flat.params)
    for batch_size in (None, 3):
        equal(plain.predict(columns, batch_size), flat.predict(images, batch_size))
    equal(images, squared(Same(), inputs=(2, 3)).predict(images, batch_size=3))


def test_what_forward_returned_may_be_the_targets():
    """Training towards a model's own last output sees that output, not the next one."""
    model = squared(Dense(3, "tanh"), inputs=4)
    Y = model.forward(X6)
    model.params[:] *= 2
    assert model.fit(X6, Y, batch_size=None)["loss"][0] > 0


@pytest.mark.parametrize("l", [1, 2, 3])
def test_training_mode_is_of_one_pass(l):
    """After a layer was taken forward as in training, a plain pass is a plain pass."""
    model = squared(Dense(6, "relu"), BatchNorm(), Dropout(0.5), Dense(3), dtype="float32")
    X = np.random.default_rng(1).standard_normal((4, 8))
    model.fit(X, X[:3])
    expected, state = model.predict(X), model.state.copy()
    model.forward(X, training=True)
    A_prev = np.ones((4 if l == 1 else 6, 8))
    model.forward_layer(l, A_prev, training=True)
    model.state[:] = state
    for _ in range(2):
        equal(expected, model.forward(X))
        equal(state, model.state)
        model.forward_layer(l, A_prev)


def test_another_generator_draws_from_the_next_pass_on():
    """A generator that takes the place of a model's own is the one that dropout draws from."""
    first, second = (squared(Dropout(0.5), inputs=4, seed=seed) for seed in (1, 2))
    masked = [first.forward(np.ones((4, 20)), training=True).copy() for _ in range(2)]
    second.forward(np.ones((4, 20)), training=True)
    second.rng = np.random.default_rng(1)
    for expected in masked:
        equal(expected, second.forward(np.ones((4, 20)), training=True))


# What is written of it: repr, summary and file


@pytest.mark.parametrize(("layers", "settings", "expected"), [
    ([Dense(1000, "relu"), Dense(1, "sigmoid")], {"loss": "binary_crossentropy", "inputs": 20},
     "20 -> 1000 relu -> 1 sigmoid; binary_crossentropy; float32; 22,001 parameters"),
    ([Flatten(), Dense(1)], {"inputs": (3, 4), "dtype": "float64"},
     "3x4 -> 12 identity -> 1 identity; no loss; float64; 13 parameters"),
    ([Dense(3, "tanh"), Dense(1)], {"loss": "huber"},
     "? -> ? tanh -> ? identity; huber; float32; not built"),
])  # fmt: skip
def test_repr(layers, settings, expected):
    """The sizes, the activations, the loss, the dtype and the number of parameters."""
    assert f"<Sequential {expected}>" == repr(Sequential(layers, **settings))


def test_summary():
    """A line on the model, and a table with a line a layer; no line ends in blanks."""
    model = squared(Flatten(), Dense(1000, "relu"), Dense(1, "sigmoid"), inputs=(2, 3))
    expected = [
        repr(model).strip("<>"),
        "l  layer    activation  Z, A       parameters",
        "1  Flatten  identity    (6, m)     none",
        "2  Dense    relu        (1000, m)  W 6,000 + b 1,000",
        "3  Dense    sigmoid     (1, m)     W 1,000 + b 1",
    ]
    assert expected == model.summary().split("\n")
    assert str(model.summary()) == repr(model.summary()) == "\n".join(expected)


def test_summary_in_ascii(monkeypatch):
    """Where the standard output has ASCII only, what is printed of a model has too."""
    model = squared(Flatten(), Dense(1000, "relu"), inputs=(2, 3))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    print(model)
    print(model.summary())
    stream.flush()
    lines = stream.buffer.getvalue().decode("ascii").splitlines()
    assert lines[0].startswith("<Sequential 2x3 -> 6 identity -> 1000 relu; ")
    assert lines[1] == lines[0].strip("<>")


def test_the_first_that_is_not_finite():
    """It is named with its layer, forward before back; of finite arrays it is none."""
    model = used(squared(Same(), Dense(2), inputs=4))
    assert first_nonfinite(model) is None
    for kind, l in (("dA", 1), ("dW", 2), ("dZ", 2), ("Z", 2), ("Z", 1)):
        getattr(model, kind)[l][:] = np.inf
        name = type(model.layers[l - 1]).__name__
        assert f"{kind}[{l}] of layer {l} ({name})" == first_nonfinite(model)


# Training


@of_both_dtypes
@with_every_end
def test_evaluate_is_cost(loss, output, dtype):
    """evaluate is the cost of a forward pass, penalties once, in one pass or by parts."""
    X, Y = data(m=7)
    model, bare = (network(dtype, loss, output, l2) for l2 in (0.3, 0.0))
    for one in (model, bare):
        one.forward(X)
    penalty = 0.15 * sum(np.sum(model.W[l] ** 2) for l in (1, 2))
    expected = pytest.approx(bare.cost(Y) + penalty, rel=1e-5)
    costs = [model.evaluate(X, Y, batch_size=size)["loss"] for size in (None, 7, 3, 1)]
    assert [expected] * 5 == [model.cost(Y), *costs]


def test_metrics_by_hand():
    """Loss and metrics of evaluate and fit are what a hand computes from predictions."""
    model, (X, Y), (Xv, Yv) = network(l2=0.0), data(m=9), data(m=5, seed=7)

    def largest(Y, A):
        return A.max()

    def by_hand(X, Y, prefix=""):
        A = model.predict(X)
        hits = [A[:, i].argmax() == Y[:, i].argmax() for i in range(Y.shape[1])]
        found = {"accuracy": sum(hits) / len(hits), "largest": A.max()}
        found["loss"] = -np.log(A[Y == 1]).mean()
        return {prefix + name: value for name, value in found.items()}

    told = {"metrics": ["accuracy", largest], "batch_size": None}
    expected = by_hand(X, Y)
    assert expected == pytest.approx(model.evaluate(X, Y, **told))
    history = model.fit(X, Y, SGD(0.5), epochs=1, validation_data=(Xv, Yv), **told)
    expected |= by_hand(Xv, Yv, "val_")
    assert expected == pytest.approx({name: values[0] for name, values in history.items()})


def test_labels_are_targets():
    """Integer labels, flat or as a row, train and judge as one-hot columns do."""
    X, Y = data(m=9)
    results = []
    for targets in (Y, Y.argmax(axis=0), Y.argmax(axis=0)[np.newaxis]):
        model, told = network(), {"metrics": ["accuracy"], "batch_size": 4}
        history = model.fit(X, targets, epochs=3, validation_data=(X, targets), **told)
        results.append((history, model.params.tolist(), model.evaluate(X, targets, **told)))
    assert results[0] == results[1] == results[2]


@of_both_dtypes
@pytest.mark.parametrize("batch_size", [None, 1, 4, 5, 10, 64])
@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_is_the_loop(batch_size, shuffle, dtype):
    """fit is forward, cost, back and step over batches, ordered by the model's generator."""
    model, (X, Y), m = network(dtype), data(m=10, dtype=dtype), 10
    other, optimizer, losses = copy.deepcopy(model), SGD(0.1, momentum=0.9), []
    for _ in range(3):
        total, size = 0.0, min(batch_size or m, m)
        order = other.rng.permutation(m) if shuffle and size < m else np.arange(m)
        for start in range(0, m, size):
            chosen = order[start : start + size]
            other.forward(X[:, chosen])
            total += other.cost(Y[:, chosen]) * len(chosen)
            other.back(Y[:, chosen])
            optimizer.step(other)
        losses.append(total / m)
    history = model.fit(X, Y, SGD(0.1, momentum=0.9), 3, batch_size, shuffle)
    close = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(losses, history["loss"], rtol=close)
    np.testing.assert_allclose(other.params, model.params, rtol=close, atol=close)


@pytest.mark.parametrize("seed", [int, np.random.default_rng, np.random.RandomState])
def test_same_seed_same_result(seed):
    """The same seed, a number or a generator, gives the same first parameters and training."""
    X, Y = data(m=10)
    runs = []
    for start in (1, 1, 2):
        model = squared(Dense(5, "relu"), Dense(2), inputs=4, dtype="float32", seed=seed(start))
        first = model.params.tolist()
        runs.append((first, model.fit(X, Y, epochs=3, batch_size=3), model.params.tolist()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


@pytest.mark.parametrize("of", ["X", "Y"])
def test_a_stream_may_yield_what_a_pass_returned(of):
    """The arrays of a pass are copied before the next pass writes into them."""
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((2, 3, 8))

    def trained(copied):
        net = Sequential([Dense(3, "tanh"), Dense(3)], "mean_squared_error", inputs=3, seed=1)

        def batches():
            for _ in range(3):
                A = net.forward(X) if of == "Y" else (net.forward(X), net.A[1])[1]
                A = A.copy() if copied else A
                yield (A, Y) if of == "X" else (X * 2, A)

        net.fit(batches, optimizer=SGD(0.1), epochs=2, steps_per_epoch=3)
        return net.params

    np.testing.assert_array_equal(trained(True), trained(False))


def test_parameters_may_be_swapped():
    """Views of the model itself are read before anything is written."""
    net = Sequential([Dense(3, "tanh"), Dense(3)], inputs=3, seed=1)
    W1, W2 = net.W[1].copy(), net.W[2].copy()
    net.set_parameters({"W1": net.W[2], "W2": net.W[1]})
    np.testing.assert_array_equal(W2, net.W[1])
    np.testing.assert_array_equal(W1, net.W[2])
    for value, error in ((np.full((3, 3), np.nan), NonFiniteError), (W1 + 0j, TypeError)):
        with pytest.raises(error, match="W2"):
            net.set_parameters({"W1": W1, "W2": value})
        np.testing.assert_array_equal(W2, net.W[1])
    with pytest.raises(TypeError, match="expected a dictionary"):
        net.set_parameters([W1, W2])


def test_an_error_in_a_property_is_its_own():
    """A subclass's property that fails names what it did not find."""

    class Mine(Sequential):
        @property
        def first(self):
            return self.nope

    with pytest.raises(AttributeError, match="nope"):
        Mine([Dense(1)]).first  # noqa: B018
