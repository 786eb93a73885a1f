"""The model owns its arrays: views, passes, copies, files, and training against computations by hand."""

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet import SGD, Activation, BatchNorm, Dense, Dropout, Layer, Loss, Sequential
from tinynet.errors import NotBuiltError, ShapeError, UnknownNameError
from tinynet.training.nonfinite import first_nonfinite

DTYPES = ["float32", "float64"]
ACTIVATIONS = [
    name
    for name in Activation.names()
    if Activation._classes[name].__module__.startswith("tinynet.")
]
# (loss, output activation) where the two are partners, and where they are not
ENDS = [
    ("binary_crossentropy", "sigmoid"),
    ("categorical_crossentropy", "softmax"),
    ("mean_squared_error", "identity"),
    ("binary_crossentropy", "softmax"),
    ("mean_squared_error", "tanh"),
    ("huber", "gelu"),
    ("poisson", "softplus"),
]


class _Flat(Layer):
    """Turn images into columns."""

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)

    def forward(self, A_prev, cache):
        return A_prev.reshape(-1, A_prev.shape[-1])

    def back(self, dZ, cache):
        return dZ.reshape(cache.A_prev.shape)


class _Same(Layer):
    """Declare nothing, and change nothing."""

    def forward(self, A_prev, cache):
        return A_prev.copy()

    def back(self, dZ, cache):
        return dZ.copy()


def network(dtype="float64", loss="categorical_crossentropy", output="softmax", l2=0.1, seed=1):
    """Return a network 4 → 5 → 3 → 2 whose parameters are all different from zero."""
    layers = [Dense(5, "tanh", l2=l2), Dense(3, "silu", l2=l2), Dense(2, output)]
    model = Sequential(layers, loss, inputs=4, dtype=dtype, seed=seed)
    model.params[:] = np.random.default_rng(seed).standard_normal(model.n_params)
    return model


def data(m=6, n=4, outputs=2, dtype="float64", seed=2):
    """Return X and one-hot Y."""
    rng = np.random.default_rng(seed)
    Y = rng.integers(outputs, size=m) == np.arange(outputs)[:, np.newaxis]
    return rng.standard_normal((n, m)).astype(dtype), Y.astype(dtype)


def passed(model, X, Y):
    """Take the model forward and back, and return copies of all that it computed."""
    model.forward(X)
    model.back(Y, input_gradient=True)
    kinds = {
        "Z": model.Z,
        "A": model.A,
        "dZ": model.dZ,
        "dA": model.dA,
        "dW": model.dW,
        "db": model.db,
    }
    results = {
        f"{kind}[{l}]": array.copy()
        for kind, arrays in kinds.items()
        for l, array in arrays.items()
    }
    return results | {"grads": model.grads.copy(), "J": np.array(model.cost(Y))}


def assert_same(expected, actual):
    """Assert that two dictionaries of arrays are equal to the bit."""
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(array, actual[name], strict=True, err_msg=name)


def assert_close(expected, actual, dtype):
    """Assert that two dictionaries of arrays agree to rounding."""
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(
            array, actual[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


# The arrays and who owns them ----------------------------------------------------------


def test_views_share_memory_with_the_flat_vectors():
    """W, b, dW, db are views that tile params and grads without a gap, in the caches, too."""
    model = network()
    model.forward(data()[0])
    for vector, kinds in ((model.params, (model.W, model.b)), (model.grads, (model.dW, model.db))):
        vector[:] = np.arange(vector.size)
        found = [array for l in (1, 2, 3) for array in (kinds[0][l], kinds[1][l])]
        assert all(np.shares_memory(vector, array) for array in found)
        np.testing.assert_array_equal(
            np.arange(vector.size), np.concatenate([array.ravel() for array in found])
        )
    for l, cache in enumerate(model.caches, 1):
        for name in ("W", "b", "dW", "db"):
            assert np.shares_memory(getattr(model, name)[l], getattr(cache, name))


@pytest.mark.parametrize("kind", ["W", "b", "dW", "db"])
def test_assigning_copies_into_the_vector(kind):
    """model.W[1] = M and cache.W = M write into the vector; neither takes the array itself."""
    model = network()
    model.forward(data()[0])
    vector = model.grads if kind.startswith("d") else model.params
    for l, cache in enumerate(model.caches, 1):
        view = getattr(model, kind)[l]
        for value in (np.full(view.shape, 7.0), np.full(view.shape, 8, int).tolist()):
            getattr(model, kind)[l] = value
            assert np.shares_memory(vector, getattr(model, kind)[l])
            np.testing.assert_array_equal(value, view)
        M = np.full(view.shape, 9.0)
        setattr(cache, kind, M)
        assert np.shares_memory(vector, getattr(cache, kind))
        M[:] = 0
        np.testing.assert_array_equal(np.full(view.shape, 9.0), view)
        getattr(model, kind)[l] += 1
        np.testing.assert_array_equal(np.full(view.shape, 10.0), view)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 5), (1, 4), (5, 1), (5, 4, 1)])
def test_assigning_another_shape_raises(shape):
    """Nothing is broadcast: another shape raises, says both shapes, and changes nothing."""
    model = network()
    model.forward(data()[0])
    kept = model.params.copy()
    with pytest.raises(ShapeError, match=r"W\[1\] got .*, expected shape \(5, 4\)"):
        model.W[1] = np.ones(shape)
    with pytest.raises(ShapeError, match=r"W in layer 1 .* expected shape \(5, 4\)"):
        model.caches[0].W = np.ones(shape)
    np.testing.assert_array_equal(kept, model.params)


@pytest.mark.parametrize("name", ["params", "grads", "W", "b", "dW", "db", "Z", "A", "n_params"])
def test_whole_attributes_are_not_rebound(name):
    """model.params = v does not quietly put another array in the vector's place."""
    model = network()
    with pytest.raises(AttributeError):
        setattr(model, name, np.zeros(model.n_params))


@pytest.mark.parametrize(
    ("kind", "missing"), [("W", 0), ("W", 4), ("b", -1), ("Z", 0), ("A", 4), ("dW", "1")]
)
def test_there_is_no_such_layer(kind, missing):
    """Layers are numbered from 1 to L, and only A and dA have a 0."""
    model = network()
    model.forward(data()[0])
    with pytest.raises(KeyError, match=kind):
        getattr(model, kind)[missing]


def test_shapes():
    """Every array has the shape of the mathematics."""
    model, (X, Y) = network(), data(m=6)
    results = passed(model, X, Y)
    n = (4, 5, 3, 2)
    expected = {f"A[{l}]": (n[l], 6) for l in range(4)} | {f"dA[{l}]": (n[l], 6) for l in range(4)}
    for l in (1, 2, 3):
        expected |= {
            f"Z[{l}]": (n[l], 6),
            f"dZ[{l}]": (n[l], 6),
            f"dW[{l}]": (n[l], n[l - 1]),
            f"db[{l}]": (n[l], 1),
        }
    assert expected == {
        name: array.shape for name, array in results.items() if name not in ("grads", "J")
    }
    assert (
        model.n_params == model.params.size == model.grads.size == 5 * 4 + 5 + 3 * 5 + 3 + 2 * 3 + 2
    )


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("used", [False, True])
def test_copies_carve_their_own_views(make, used):
    """A copy has the same numbers in a vector of its own, and its views lie in that one."""
    model, (X, Y) = network(), data()
    if used:
        passed(model, X, Y)
    other = make(model)
    assert (model.layers, model.loss, model.dtype) == (other.layers, other.loss, other.dtype)
    np.testing.assert_array_equal(model.params, other.params, strict=True)
    np.testing.assert_array_equal(model.grads, other.grads, strict=True)
    assert not np.shares_memory(model.params, other.params)
    assert not np.shares_memory(model.grads, other.grads)
    assert all(
        np.shares_memory(other.params, array)
        for kind in (other.W, other.b)
        for array in kind.values()
    )
    expected, kept = passed(model, X, Y), model.params.copy()
    other.W[1] = np.zeros((5, 4))
    other.params[5:] = 0
    assert not other.W[3].any()
    np.testing.assert_array_equal(kept, model.params)
    assert_same(expected, passed(model, X, Y))


def test_a_pickle_holds_no_pass():
    """What is written of a model that has been used is what is written of a new one: no batch, no targets."""
    used, fresh = network(), network()
    passed(used, *data())
    used.grads[:] = 0
    assert pickle.dumps(fresh) == pickle.dumps(used)


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_copies_train_apart(make):
    """Training one of two copies leaves the other as it is, and then both take the same course."""
    model, (X, Y) = network(), data(m=10)
    other, kept = make(model), model.params.copy()
    first = other.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=4)
    np.testing.assert_array_equal(kept, model.params)
    assert not np.array_equal(kept, other.params)
    assert first == model.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=4), (
        "the copies share their generator"
    )
    np.testing.assert_array_equal(other.params, model.params)


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_of_what_is_not_built(make):
    """A model that has not seen an X can be copied, and each is built on its own."""
    model = Sequential([Dense(2)], "mean_squared_error", seed=1)
    other = make(model)
    other.forward(np.ones((3, 1)))
    model.forward(np.ones((4, 1)))
    assert (other.n_params, model.n_params) == (8, 10)


# Passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), ENDS)
def test_layer_by_layer(loss, output, dtype):
    """forward_layer and back_layer one after the other give what forward and back give."""
    model, (X, Y) = network(dtype, loss, output), data(dtype=dtype)
    expected = passed(model, X, Y)
    model.grads[:] = np.nan
    A = X
    for l in (1, 2, 3):
        A = model.forward_layer(l, A)
        np.testing.assert_array_equal(expected[f"A[{l}]"], A)
        np.testing.assert_array_equal(expected[f"Z[{l}]"], model.Z[l])
    dA, actual = expected["dA[3]"], {}
    for l in (3, 2, 1):
        dA, dW, db = model.back_layer(l, dA)
        actual |= {f"dA[{l - 1}]": dA, f"dW[{l}]": dW, f"db[{l}]": db}
        np.testing.assert_array_equal(dW, model.dW[l])
    assert_close({name: expected[name] for name in actual}, actual, dtype)
    assert_same(expected, passed(model, X, Y))


def test_gradients_are_of_the_last_pass_of_one_layer():
    """After `forward_layer` there is no gradient yet; after `back_layer` its dZ and dA are there to look at."""
    model, (X, Y) = network(), data()
    passed(model, X, Y)
    for l in (1, 2, 3):
        X = model.forward_layer(l, X).copy()
        with pytest.raises(NotBuiltError, match=r"Call model\.back"):
            model.dZ  # noqa: B018
    dA = np.full((2, 6), 7.0)
    model.back_layer(3, dA)
    np.testing.assert_array_equal(dA, model.dA[3])
    np.testing.assert_array_equal(
        model.layers[2].activation.back(dA, model.Z[3], model.A[3]), model.dZ[3]
    )


def test_dA_of_the_last_layer():
    """dA[L] is that of the loss, or what the last layer was last taken back from; the layers below do not touch it."""
    model, (X, Y) = network(), data()
    model.forward(X)
    model.back(Y)
    model.back_layer(1, np.ones((5, 6)))
    np.testing.assert_array_equal(model.loss.back(model.A[3], Y), model.dA[3])
    model.back_layer(3, np.full((2, 6), 7.0))
    np.testing.assert_array_equal(np.full((2, 6), 7.0), model.dA[3])


@pytest.mark.parametrize("l", [0, 4, -1, "1"])
def test_layer_by_layer_of_no_such_layer(l):
    """A number that is no layer's is refused."""
    model = network()
    with pytest.raises(IndexError, match="expected 1 to 3"):
        model.forward_layer(l, data()[0])


@pytest.mark.parametrize(
    ("l", "shape", "others"),
    [
        (1, (4, 5), "A[1] and A[3]"),
        (2, (2, 5), "A[0]"),
        (1, (9, 5), ""),
        (2, (4,), ""),
        (3, (3, 4, 5), ""),
    ],
)
def test_a_layer_that_is_handed_another_layers_array(l, shape, others):
    """The refusal names the arrays that have this shape, if any has it."""
    model = Sequential([Dense(4), Dense(3), Dense(4)], inputs=2)
    with pytest.raises(ShapeError, match=rf"layer {l} \(Dense\)") as refused:
        model.forward_layer(l, np.ones(shape))
    found = str(refused.value).partition("it has the shape of ")[2].partition(")")[0]
    assert others == found


def test_activations_write_into_the_models_arrays():
    """Whichever way a pass goes, an activation is handed an array of the model as out, so that it need make none."""
    given = []

    class Watching(Activation):
        def forward(self, Z, out=None):
            given.append(out)
            return np.positive(Z, out=out)

        def back(self, dA, Z, A, out=None):
            given.append(out)
            return np.positive(dA, out=out)

    model, X = Sequential([Dense(2, Watching())], "huber", inputs=2, seed=1), np.ones((2, 3))
    model.forward(X)
    model.back(X)
    expected = [model.A[1], model.dZ[1]] * 2
    model.forward_layer(1, X)
    model.back_layer(1, X)
    assert list(map(id, expected)) == list(map(id, given))


@pytest.mark.parametrize(("loss", "output"), ENDS)
def test_dA_on_demand(loss, output):
    """dA[L] is there whether or not the pass began at dZ[L], and dA[0] if it was asked for."""
    model, (X, Y) = network(loss=loss, output=output), data()
    model.forward(X)
    model.back(Y)
    assert sorted(model.dA) == [1, 2, 3]
    np.testing.assert_array_equal(Loss.get(loss).back(model.A[3], Y), model.dA[3])
    dZ = Activation.get(output).back(model.dA[3], model.Z[3], model.A[3])
    np.testing.assert_allclose(dZ, model.dZ[3], rtol=1e-12, atol=1e-14)
    with pytest.raises(KeyError, match=r"dA\[0\]"):
        model.dA[0]
    model.back(Y, input_gradient=True)
    np.testing.assert_allclose(model.W[1].T @ model.dZ[1], model.dA[0], rtol=1e-12)
    model.back(Y)
    assert 0 not in model.dA, "a dA[0] that was not asked for is a stale one"


def test_dA_0_only_where_it_was_asked_for():
    """A layer that computes dA_prev in any case does not make dA[0] appear."""
    model, (X, Y) = Sequential([_Same()], "mean_squared_error", 2, "float64"), data(n=2)
    for input_gradient, expected in ((False, [1]), (True, [0, 1]), (False, [1])):
        model.forward(X)
        model.back(Y, input_gradient=input_gradient)
        assert expected == sorted(model.dA)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_four_lines(dtype):
    """Forward and back are the four lines of the mathematics, digit for digit but for rounding."""
    model, (X, Y) = network(dtype), data(dtype=dtype)
    actual, m = passed(model, X, Y), X.shape[1]
    expected = {"A[0]": X.astype(float)}
    for l, layer in enumerate(model.layers, 1):
        expected[f"Z[{l}]"] = model.W[l].astype(float) @ expected[f"A[{l - 1}]"] + model.b[l]
        expected[f"A[{l}]"] = layer.activation.forward(expected[f"Z[{l}]"])
    dA = expected["dA[3]"] = -Y / expected["A[3]"]
    for l, layer in reversed(list(enumerate(model.layers, 1))):
        dZ = expected[f"dZ[{l}]"] = layer.activation.back(
            dA, expected[f"Z[{l}]"], expected[f"A[{l}]"]
        )
        expected[f"dW[{l}]"] = dZ @ expected[f"A[{l - 1}]"].T / m + layer.l2 * model.W[l]
        expected[f"db[{l}]"] = dZ.sum(axis=1, keepdims=True) / m
        dA = expected[f"dA[{l - 1}]"] = model.W[l].T @ dZ
    penalty = sum(
        layer.l2 / 2 * np.sum(model.W[l].astype(float) ** 2)
        for l, layer in enumerate(model.layers, 1)
    )
    expected["J"] = -np.sum(Y * np.log(expected["A[3]"])) / m + penalty
    actual.pop("grads")
    assert_close(expected, {name: actual[name] for name in expected}, dtype)
    assert expected.keys() == actual.keys()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), ENDS)
def test_weights_of_examples(loss, output, dtype):
    """Each example's part in the cost and in all gradients is times its weight; the mean is over all examples."""
    model, (X, Y), w = (
        network(dtype, loss, output, l2=0.0),
        data(dtype=dtype),
        np.array([2, 0, 1, 0.5, 1, 3]),
    )
    each = [passed(model, X[:, [i]], Y[:, [i]]) for i in range(len(w))]
    model.forward(X)
    model.back(Y, sample_weight=w)
    parts = {
        name: [k * one[name] for k, one in zip(w, each, strict=True)]
        for name in ("J", "grads", "dZ[3]", "dA[3]")
    }
    expected = {name: np.mean(parts[name], axis=0) for name in ("J", "grads")}
    expected |= {name: np.hstack(parts[name]) for name in ("dZ[3]", "dA[3]")}
    J = model.cost(Y, sample_weight=w)
    actual = {"J": J, "grads": model.grads, "dZ[3]": model.dZ[3], "dA[3]": model.dA[3]}
    assert_close(expected, actual, dtype)
    for call in (model.cost, model.back):
        with pytest.raises(ValueError, match=r"^sample_weight\[2\] is -1"):
            call(Y, sample_weight=[1, 1, -1, 1, 1, 1])


def test_back_is_idempotent():
    """Going back twice gives the same gradients as once: none is added to the last ones."""
    model, (X, Y) = network(), data()
    expected = passed(model, X, Y)
    for _ in range(2):
        model.back(Y, input_gradient=True)
        np.testing.assert_array_equal(expected["grads"], model.grads)
        np.testing.assert_array_equal(expected["dA[0]"], model.dA[0])
    assert expected["J"] == model.cost(Y)


def test_back_before_forward():
    """What a pass fills cannot be had before it."""
    model, (X, Y) = network(), data()
    for ask in (
        lambda: model.back(Y),
        lambda: model.cost(Y),
        lambda: model.Z,
        lambda: model.back_layer(1, X),
    ):
        with pytest.raises(NotBuiltError, match="forward"):
            ask()
    model.forward(X)
    with pytest.raises(NotBuiltError, match="back"):
        model.dZ  # noqa: B018
    model.back(Y)
    model.forward(X)
    with pytest.raises(NotBuiltError, match="back"):
        model.dA  # noqa: B018 (a new forward pass makes the last gradients stale)
    unbuilt = Sequential([Dense(2)])
    with pytest.raises(NotBuiltError, match="inputs"):
        unbuilt.params  # noqa: B018


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", ["float64", "float32", "int8", "bool", "list"])
def test_dtype_is_kept(dtype, other):
    """Data of any dtype is cast once, at the door: everything is computed and held in the model's."""
    model, (X, Y) = network(dtype), data()
    X = np.round(X)
    given = (X.tolist(), Y.tolist()) if other == "list" else (X.astype(other), Y.astype(other))
    results = passed(model, *given)
    results |= {"predict": model.predict(given[0]), "layer": model.forward_layer(1, given[0])}
    results |= {"back_layer": model.back_layer(1, np.ones((5, 6)))[0], "dA of it": model.dA[1]}
    results |= dict(zip("XY", model.check_data(*given), strict=True))
    model.fit(
        *given, optimizer=SGD(0.1, momentum=0.9), epochs=2, batch_size=4, validation_data=given
    )
    results |= {"params": model.params, "grads": model.grads, "W": model.W[1]}
    unbuilt = Sequential([Dense(2)], dtype=dtype)
    results |= {
        "output of one unbuilt": unbuilt.forward(given[0]),
        "parameters of one unbuilt": unbuilt.params,
    }
    assert {name: np.dtype(dtype) for name in results if name != "J"} == {
        name: array.dtype for name, array in results.items() if name != "J"
    }


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda array: np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda array: np.lib.stride_tricks.as_strided(array.copy(), writeable=False),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_memory_order_does_not_matter(layout, dtype):
    """However X and Y lie in memory, the results are the same, and X and Y are left alone."""
    model, (X, Y) = network(dtype), data(m=7, dtype=dtype)
    expected = passed(model, X, Y)
    X_, Y_ = layout(X), layout(Y)
    assert_close(expected, passed(model, X_, Y_), dtype)
    np.testing.assert_allclose(expected["A[3]"], model.predict(X_), rtol=1e-5)
    np.testing.assert_array_equal(X, X_)
    np.testing.assert_array_equal(Y, Y_)


@pytest.mark.parametrize(("loss", "output"), ENDS)
def test_what_was_in_the_caches_does_not_matter(loss, output):
    """Everything is computed anew: NaN in caches, scratch and gradients leaves no trace."""
    model, (X, Y) = network(loss=loss, output=output), data()
    expected = passed(model, X, Y)
    parameters = [model.params]
    for cache in model.caches:
        for array in vars(cache).values():
            if (
                isinstance(array, np.ndarray)
                and array is not X
                and not np.shares_memory(array, parameters[0])
            ):
                array[...] = np.nan
    model.grads[:] = np.nan
    assert_same(expected, passed(model, X, Y))


def test_alternating_batch_sizes():
    """Batches of changing sizes, more than are kept, each give what a fresh model gives."""
    model = network()
    for m in (3, 5, 3, 1, 2, 4, 6, 7, 3, 5, 1):
        X, Y = data(m=m, seed=m)
        assert_same(passed(network(), X, Y), passed(model, X, Y))


def test_predict_writes_nothing():
    """Predicting, evaluating and asking for labels leaves the last pass and the parameters as they are."""
    model, (X, Y) = network(), data()
    model.forward(X)
    model.back(Y, input_gradient=True)
    arrays = [
        array
        for cache in model.caches
        for array in vars(cache).values()
        if isinstance(array, np.ndarray)
    ]
    kept, caches = [array.copy() for array in arrays], [dict(vars(cache)) for cache in model.caches]
    other = data(m=6, seed=9)
    expected = network().forward(other[0]).copy()
    for batch_size in (None, 6, 4, 1, 100):
        np.testing.assert_allclose(
            expected, model.predict(other[0], batch_size=batch_size), rtol=1e-12
        )
        np.testing.assert_array_equal(
            expected.argmax(axis=0), model.predict_labels(other[0], batch_size=batch_size)
        )
        model.evaluate(*other, metrics=["accuracy"], batch_size=batch_size)
    for before, array in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(before, array)
    for before, cache in zip(caches, model.caches, strict=True):
        assert before.keys() == vars(cache).keys()
        assert all(vars(cache)[name] is array for name, array in before.items())


def test_predict_in_threads():
    """Eight threads that predict with one model get, to the bit, what one alone gets."""
    model = network("float32")
    model.forward(data()[0])
    caches, inputs = (
        list(model.caches),
        [data(m=5 + k % 3, seed=k, dtype="float32")[0] for k in range(64)],
    )
    expected = [model.predict(X) for X in inputs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for one, X, many in zip(expected, inputs, pool.map(model.predict, inputs), strict=True):
                np.testing.assert_array_equal(one, many, err_msg=f"m = {X.shape[1]}")
    assert all(before is cache for before, cache in zip(caches, model.caches, strict=True))


def test_predictions_stay_valid():
    """What predict returns is the caller's: no later pass overwrites it."""
    model, (X, _) = network(), data()
    A = model.predict(X)
    kept = A.copy()
    model.predict(-X)
    model.forward(-X)
    np.testing.assert_array_equal(kept, A)


@pytest.mark.parametrize(
    ("A", "threshold", "expected"),
    [
        ([[0.1, 0.5, 0.51, 0.9]], 0.5, [0, 0, 1, 1]),
        ([[0.1, 0.5, 0.51, 0.9]], 0.05, [1, 1, 1, 1]),
        ([[0.2, 0.7, 0.3], [0.5, 0.1, 0.3], [0.3, 0.2, 0.4]], 0.5, [1, 0, 2]),
    ],
)
def test_predict_labels(A, threshold, expected):
    """One output is compared with the threshold; of several the largest is the class."""
    model = Sequential([Dense(len(A))], inputs=len(A), dtype="float64")
    model.W[1] = np.eye(len(A))
    actual = model.predict_labels(np.array(A), threshold=threshold)
    np.testing.assert_array_equal(expected, actual)
    assert actual.dtype.kind == "i"
    if threshold == 0.5:
        np.testing.assert_array_equal(
            expected, model.predict_labels(np.array(A)), err_msg="the default is 0.5"
        )


def test_examples_of_more_than_one_axis():
    """Images, with the examples on the last axis, go every way that their columns go."""
    rng = np.random.default_rng(4)
    images, Y = rng.standard_normal((2, 3, 7)), rng.standard_normal((1, 7))
    columns = images.reshape(6, 7)
    flat = Sequential([_Flat(), Dense(1)], "mean_squared_error", (2, 3), "float64", seed=1)
    plain = Sequential([_Flat(), Dense(1)], "mean_squared_error", 6, "float64", seed=1)
    for model, X in ((flat, images), (plain, columns)):
        model.forward_layer(1, X)
        model.fit(X, Y, SGD(0.1), epochs=2, batch_size=4)
    np.testing.assert_array_equal(plain.params, flat.params)
    for batch_size in (None, 3):
        np.testing.assert_array_equal(
            plain.predict(columns, batch_size), flat.predict(images, batch_size)
        )
    same = Sequential([_Same()], inputs=(2, 3), dtype="float64")
    np.testing.assert_array_equal(images, same.predict(images, batch_size=3))


def test_a_layer_that_declares_nothing_adds_nothing():
    """It has no parameters, keeps the shape, and costs nothing."""
    model, (X, Y) = Sequential([_Same()], "mean_squared_error", 2, "float64"), data(n=2)
    assert model.n_params == 0
    assert model.outputs == model.inputs == (2,)
    assert model.loss.value(model.forward(X), Y) == model.cost(Y)


# What it says of itself ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "settings", "expected"),
    [
        (
            [Dense(1000, "relu"), Dense(1, "sigmoid")], {"loss": "binary_crossentropy", "inputs": 20},
            "<Sequential 20 → 1000 relu → 1 sigmoid; binary_crossentropy; float32; 22,001 parameters>",
        ),
        (
            [_Flat(), Dense(1)], {"inputs": (3, 4), "dtype": "float64"},
            "<Sequential 3×4 → 12 identity → 1 identity; no loss; float64; 13 parameters>",
        ),
        (
            [Dense(3, "tanh"), Dense(1)], {"loss": "huber"},
            "<Sequential ? → ? tanh → ? identity; huber; float32; not built>",
        ),
    ],
)  # fmt: skip
def test_repr(layers, settings, expected):
    """The sizes from the inputs to the outputs, the activations, the loss, the dtype and the number of parameters."""
    assert expected == repr(Sequential(layers, **settings))


def test_summary():
    """A line on the model, and a table with a line a layer; no line ends in blanks."""
    model = Sequential(
        [_Flat(), Dense(1000, "relu"), Dense(1, "sigmoid")], "binary_crossentropy", (2, 3)
    )
    expected = [
        "Sequential 2×3 → 6 identity → 1000 relu → 1 sigmoid; binary_crossentropy; float32; 8,001 parameters",
        "l  layer  activation  Z, A       parameters",
        "1  _Flat  identity    (6, m)     none",
        "2  Dense  relu        (1000, m)  W 6,000 + b 1,000",
        "3  Dense  sigmoid     (1, m)     W 1,000 + b 1",
    ]
    assert expected == model.summary().split("\n")


def test_the_first_that_is_not_finite():
    """It is named with its layer, forward before back; where all arrays are finite, it is none of them."""
    model, (X, Y) = (
        Sequential([_Same(), Dense(2)], "mean_squared_error", 4, "float64", seed=1),
        data(),
    )
    passed(model, X, Y)
    assert first_nonfinite(model) is None
    for kind, l, expected in (
        ("dA", 1, "dA[1] of layer 1 (_Same)"),
        ("dW", 2, "dW[2] of layer 2 (Dense)"),
        ("dZ", 2, "dZ[2] of layer 2 (Dense)"),
        ("A", 2, "A[2] of layer 2 (Dense)"),
        ("Z", 1, "Z[1] of layer 1 (_Same)"),
    ):
        getattr(model, kind)[l][:] = np.inf
        assert expected == first_nonfinite(model)


# Files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), [*ENDS, (None, "relu")])
def test_save_and_load(tmp_path, loss, output, dtype):
    """A loaded model has the same description and, to the bit, the same parameters and predictions."""
    model, (X, _) = network(dtype, loss, output), data()
    model.save(tmp_path / "net.npz")
    for load in (tn.load, Sequential.load):
        other = load(tmp_path / "net.npz")
        assert (model.layers, model.loss, model.dtype, repr(model)) == (
            other.layers, other.loss, other.dtype, repr(other)
        )  # fmt: skip
        np.testing.assert_array_equal(model.params, other.params, strict=True)
        np.testing.assert_array_equal(model.predict(X), other.predict(X), strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"], "a temporary file is left"


def test_file_is_data(tmp_path):
    """The file is an archive that NumPy reads without pickle, with the arrays named as in the mathematics."""
    model = network()
    model.save(str(tmp_path / "net.npz"))
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        assert {"W1", "b1", "W2", "b2", "W3", "b3"} < set(file.files)
        np.testing.assert_array_equal(model.W[2], file["W2"])


def test_save_and_load_of_ones_own(tmp_path):
    """A user's activation with attrs fields comes back; where its class is missing, the error says so."""

    @attrs.frozen
    class Scaled(Activation, name="my_scaled"):
        scale: float = 2.0
        inner: Activation = attrs.field(default="tanh", converter=Activation.get)

        def forward(self, Z):
            return self.scale * self.inner.forward(Z)

    model = Sequential([Dense(3, Scaled(0.5, "sigmoid")), Dense(1, Scaled())], inputs=2, seed=1)
    model.save(tmp_path / "net.npz")
    other = tn.load(tmp_path / "net.npz")
    assert Scaled(0.5, "sigmoid") == other.layers[0].activation
    X = data(n=2)[0]
    np.testing.assert_array_equal(model.predict(X), other.predict(X), strict=True)
    del Activation._classes["my_scaled"]
    with pytest.raises(UnknownNameError, match=r"Layer 1.*my_scaled"):
        tn.load(tmp_path / "net.npz")


# Training ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), ENDS)
def test_evaluate_is_cost(loss, output, dtype):
    """evaluate gives the cost of a forward pass, penalties included once, in one pass or by parts."""
    model, (X, Y) = network(dtype, loss, output, l2=0.3), data(m=7)
    model.forward(X)
    expected = model.cost(Y)
    bare = network(dtype, loss, output, l2=0.0)
    bare.forward(X)
    penalty = 0.15 * sum(np.sum(model.W[l] ** 2) for l in (1, 2))
    assert bare.cost(Y) + penalty == pytest.approx(expected, rel=1e-5)
    for batch_size in (None, 7, 3, 1):
        assert expected == pytest.approx(
            model.evaluate(X, Y, batch_size=batch_size)["loss"], rel=1e-5
        )


def test_metrics_by_hand():
    """Loss and accuracy of evaluate and fit are what a hand computes from predictions."""
    model, (X, Y) = network(l2=0.0), data(m=9)
    Xv, Yv = data(m=5, seed=7)

    def by_hand(X, Y):
        A = model.predict(X)
        hits = [A[:, i].argmax() == Y[:, i].argmax() for i in range(Y.shape[1])]
        return {"loss": -np.log(A[Y == 1]).mean(), "accuracy": sum(hits) / len(hits)}

    def largest(Y, A):
        return A.max()

    metrics = ["accuracy", largest]
    before, judged = by_hand(X, Y), model.evaluate(X, Y, metrics=metrics)
    assert before | {"largest": model.predict(X).max()} == pytest.approx(judged)
    history = model.fit(
        X, Y, optimizer=SGD(0.5), epochs=1, batch_size=None, validation_data=(Xv, Yv), metrics=metrics
    )  # fmt: skip
    after = by_hand(Xv, Yv)
    expected = (
        before
        | {"largest": judged["largest"]}
        | {f"val_{name}": value for name, value in after.items()}
    )
    expected["val_largest"] = model.predict(Xv).max()
    assert expected == pytest.approx({name: values[0] for name, values in history.items()})


def test_labels_are_targets():
    """Integer labels, flat or as a row, train and judge as one-hot columns do."""
    X, Y = data(m=9)
    results = []
    for targets in (Y, Y.argmax(axis=0), Y.argmax(axis=0)[np.newaxis]):
        model = network()
        history = model.fit(
            X, targets, epochs=3, batch_size=4, validation_data=(X, targets), metrics=["accuracy"]
        )
        results.append(
            (history, model.params.tolist(), model.evaluate(X, targets, metrics=["accuracy"]))
        )
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [None, 1, 4, 5, 10, 64])
@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_is_the_loop(batch_size, shuffle, dtype):
    """fit is forward, cost, back and step over the batches, in an order from the model's generator."""
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
    history = model.fit(
        X, Y, SGD(0.1, momentum=0.9), epochs=3, batch_size=batch_size, shuffle=shuffle
    )
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(losses, history["loss"], rtol=tolerance)
    np.testing.assert_allclose(other.params, model.params, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shuffle", [False, True])
def test_order_of_examples(shuffle):
    """Each epoch takes every example once, the odd last batch too; shuffled, in another order each time."""
    m, seen = 11, []

    def record(Y, A):
        np.testing.assert_allclose(Y, A, rtol=1e-12)  # X and Y are shuffled alike
        seen.append(Y[0].tolist())
        return 0.0

    model = Sequential([Dense(1)], "mean_squared_error", inputs=1, dtype="float64", seed=3)
    model.W[1] = [[1.0]]
    X = np.arange(m, dtype=float)[np.newaxis]
    model.fit(X, X, SGD(1e-300), epochs=4, batch_size=4, shuffle=shuffle, metrics=[record])
    assert [list(range(m))] * 4 == [sorted(order) for order in seen]
    assert len({tuple(order) for order in seen}) == (4 if shuffle else 1)
    assert shuffle or seen[0] == list(range(m))
    np.testing.assert_array_equal(np.arange(m)[np.newaxis], X)


@pytest.mark.parametrize("seed", [5, np.random.default_rng, np.random.RandomState])
def test_same_seed_same_result(seed):
    """The same seed, a number or a generator, gives the same first parameters and the same training."""
    X, Y = data(m=10)
    runs = []
    for start in (1, 1, 2):
        layers = [Dense(5, "relu"), Dense(2, "softmax")]
        model = Sequential(
            layers,
            "categorical_crossentropy",
            4,
            seed=seed(start) if callable(seed) else seed + start,
        )
        first = model.params.tolist()
        runs.append((first, model.fit(X, Y, epochs=3, batch_size=3), model.params.tolist()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_history():
    """The history has a number an epoch of each thing measured, and continues in a second fit in its own."""
    model, (X, Y) = network(), data(m=10)
    for epochs in (0, 1, 5):
        history = model.fit(
            X, Y, epochs=epochs, batch_size=3, validation_data=(X, Y), metrics=["accuracy"]
        )
        expected = {"loss", "accuracy", "val_loss", "val_accuracy"} if epochs else set()
        assert expected == set(history)
        assert all(len(values) == epochs for values in history.values())
        assert all(type(value) is float for values in history.values() for value in values)


def test_training_goes_down():
    """On a set that can be learnt, the loss goes down and all examples are learnt."""
    X, Y = tn.datasets.make_circles(60, noise=0.02, seed=4)
    layers = [Dense(8, "tanh"), Dense(1, "sigmoid")]
    model = Sequential(layers, "binary_crossentropy", seed=5)
    history = model.fit(
        X, Y, SGD(0.5, momentum=0.9), epochs=150, batch_size=20, metrics=["accuracy"]
    )
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert model.evaluate(X, Y, metrics=["accuracy"])["accuracy"] == 1


def test_failed_fit_builds_nothing():
    """A fit that is refused leaves a model without inputs as it was, so that it can be called rightly."""
    model, (X, Y) = Sequential([Dense(2, "softmax")], "categorical_crossentropy", seed=1), data(m=6)
    with pytest.raises(ShapeError):
        model.fit(X.T, Y)
    model.fit(X, Y)
    expected = Sequential([Dense(2, "softmax")], "categorical_crossentropy", seed=1)
    expected.fit(X, Y)
    np.testing.assert_array_equal(expected.params, model.params)


# Any network ---------------------------------------------------------------------------


@st.composite
def problems(draw):
    """Draw a network of any depth, widths, activations and dtype, with a batch."""
    widths = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    names = [draw(st.sampled_from(ACTIVATIONS)) for _ in widths[2:]]
    loss, output = draw(st.sampled_from(ENDS))
    layers = [
        Dense(n, name, l2=draw(st.sampled_from([0.0, 0.1])))
        for n, name in zip(widths[1:], [*names, output], strict=True)
    ]
    dtype, m, seed = (
        draw(st.sampled_from(DTYPES)),
        draw(st.integers(1, 7)),
        draw(st.integers(0, 1000)),
    )
    model = Sequential(layers, loss, inputs=widths[0], dtype=dtype, seed=seed)
    model.params[:] = np.random.default_rng(seed).standard_normal(model.n_params)
    return model, *data(m, widths[0], widths[-1], dtype, seed)


any_network = settings(derandomize=True, deadline=None, max_examples=50)


@any_network
@given(problems())
def test_any_network_has_right_gradients(problem):
    """The gradients of any network agree with differences."""
    model, X, Y = problem
    assert tn.testing.check_gradients(model, X, Y) <= 1e-6


@any_network
@given(problems())
def test_any_network_is_consistent(problem):
    """In any network: shapes, dtype, predict as forward, back again as back, examples apart as together."""
    model, X, Y = problem
    results = passed(model, X, Y)
    assert all(array.dtype == model.dtype for name, array in results.items() if name != "J")
    assert all(np.isfinite(array).all() for array in results.values())
    for l in range(1, len(model.layers) + 1):
        assert (
            results[f"Z[{l}]"].shape
            == results[f"dZ[{l}]"].shape
            == (model.layers[l - 1].units, X.shape[1])
        )
    np.testing.assert_array_equal(results[f"A[{len(model.layers)}]"], model.predict(X))
    assert_same(results, passed(model, X, Y))
    assert_same(results, passed(copy.deepcopy(model), X, Y))
    tolerance = 1e-3 if model.dtype == np.float32 else 1e-9
    each = [passed(model, X[:, [i]], Y[:, [i]]) for i in range(X.shape[1])]
    np.testing.assert_allclose(
        np.mean([one["grads"] for one in each], axis=0),
        results["grads"],
        rtol=tolerance,
        atol=tolerance,
    )
    assert np.mean([one["J"] for one in each]) == pytest.approx(results["J"], rel=tolerance)


@any_network
@given(problems())
def test_any_network_goes_down(problem):
    """A small enough step against the gradient lowers the cost of any network by rate · |gradient|²."""
    model, X, Y = problem
    double = Sequential(model.layers, model.loss, model.inputs, "float64")
    double.params[:] = model.params
    results = passed(double, X, Y)
    square = np.vdot(results["grads"], results["grads"])
    SGD(1e-7 / (1 + square)).step(double)
    double.forward(X)
    expected = results["J"] - 1e-7 * square / (1 + square)
    assert double.cost(Y) == pytest.approx(expected, rel=0, abs=2e-9 + 1e-13 * results["J"])


@any_network
@given(problems())
def test_any_network_is_saved(tmp_path_factory, problem):
    """Any network comes back from its file equal to the bit."""
    model, X, _ = problem
    path = tmp_path_factory.getbasetemp() / "any.npz"
    model.save(path)
    np.testing.assert_array_equal(model.predict(X), tn.load(path).predict(X), strict=True)


def test_what_forward_returned_may_come_back_as_X():
    """An X that is one of the model's own arrays is not overwritten by the pass that it goes into."""
    layers, X = (
        [Dense(4, "tanh"), Dense(3, "tanh")],
        np.random.default_rng(0).standard_normal((3, 5)),
    )
    ours, copied = (
        Sequential(layers, "mean_squared_error", 3, "float64", seed=1) for _ in range(2)
    )
    ours.forward(ours.forward(X))
    copied.forward(copied.forward(X).copy())
    for model in (ours, copied):
        model.back(X)
    np.testing.assert_array_equal(copied.grads, ours.grads)


def test_what_forward_returned_may_be_the_targets():
    """Training towards a model's own last output sees that output, not the next one."""
    X = np.random.default_rng(0).standard_normal((3, 5))
    model = Sequential([Dense(3, "tanh")], "mean_squared_error", 3, "float64", seed=1)
    Y = model.forward(X)
    model.params[:] *= 2
    assert model.fit(X, Y, batch_size=None)["loss"][0] > 0


def test_arrays_that_no_pass_has_filled_are_refused():
    """After a pass through one layer alone, cost and back say what is missing; assigning to A says so too."""
    model = Sequential([Dense(4), Dense(1)], "mean_squared_error", 2, seed=1)
    model.forward_layer(1, np.ones((2, 3)))
    for call in (model.cost, model.back):
        with pytest.raises(
            NotBuiltError, match=r"last layer has had no forward pass\. Call model\.forward\(X\)"
        ):
            call(np.ones((1, 3)))
    with pytest.raises(TypeError, match=r"A\[1\] is filled by passes"):
        model.A[1] = np.ones((4, 3))


def test_a_loss_with_another_value_does_not_inherit_the_partner():
    """A weighted binary cross-entropy that overrides value and back is what is trained on."""
    parent = type(Loss.get("binary_crossentropy"))

    class Sevenfold(parent):
        def value(self, A, Y):
            return 7 * super().value(A, Y)

        def back(self, A, Y):
            return 7 * super().back(A, Y)

    X, Y = np.random.default_rng(0).standard_normal((2, 5)), np.array([[0, 1, 1, 0, 1]])
    plain, seven = (
        Sequential([Dense(1, "sigmoid")], loss, 2, "float64", seed=1)
        for loss in (parent(), Sevenfold())
    )
    for model in (plain, seven):
        model.forward(X)
        model.back(Y)
    np.testing.assert_allclose(7 * plain.grads, seven.grads, rtol=1e-12)
    np.testing.assert_allclose(7 * plain.cost(Y), seven.cost(Y), rtol=1e-12)


# What comes back, and what kind of pass it is ------------------------------------------


@pytest.mark.parametrize(
    "view",
    [lambda A: A, lambda A: A[:, :], lambda A: A.reshape(A.shape), lambda A: A.T.T],
    ids=["itself", "slice", "reshape", "T"],
)
@pytest.mark.parametrize("kind", ["A", "dA", "dZ", "Z"])
def test_what_a_pass_wrote_may_be_its_input(kind, view):
    """Arrays of the last pass, and views of them, can be handed in again: the pass reads before it writes."""
    model, (X, _) = (
        Sequential([Dense(4, "tanh"), Dense(4)], "mean_squared_error", 4, "float64", seed=1),
        data(),
    )
    model.forward(X)
    model.back(np.ones((4, X.shape[1])))
    given = getattr(model, kind)[2]
    copied = given.copy()
    expected = Sequential([Dense(4, "tanh"), Dense(4)], "mean_squared_error", 4, "float64", seed=1)
    for other, handed_in in ((expected, copied), (model, view(given))):
        other.forward(handed_in)
        other.back(np.ones((4, X.shape[1])))
    np.testing.assert_array_equal(expected.grads, model.grads)


@pytest.mark.parametrize("l", [1, 2, 3])
def test_training_mode_is_of_one_pass(l):
    """After a layer was taken forward as in training, a plain pass is a plain pass."""
    layers = [Dense(6, "relu"), BatchNorm(), Dropout(0.5), Dense(3)]
    model = Sequential(layers, "mean_squared_error", 4, seed=1)
    X = np.random.default_rng(1).standard_normal((4, 8))
    model.fit(X, X[:3])
    expected, state = model.predict(X), model.state.copy()
    model.forward(X, training=True)
    model.state[:] = state
    model.forward_layer(l, np.ones((model.caches[l - 1].A_prev.shape[0], 8)), training=True)
    model.state[:] = state
    np.testing.assert_array_equal(expected, model.forward(X))
    np.testing.assert_array_equal(state, model.state)
    model.forward_layer(l, np.ones((model.caches[l - 1].A_prev.shape[0], 8)))
    np.testing.assert_array_equal(expected, model.forward(X))
    np.testing.assert_array_equal(state, model.state)
