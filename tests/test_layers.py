"""Layers beside Dense: against values by hand and PyTorch, in training and outside."""

import copy
import re
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    PReLU,
    Reshape,
    Sequential,
)
from tinynet.errors import NonFiniteError, ShapeError
from tinynet.layers import base, layer_norm, normalization

LAYERS = [
    (Activate("tanh"), 4), (Activate("softmax"), (2, 3)),
    (BatchNorm(), 4), (BatchNorm(activation="relu"), (2, 3)),
    (BatchNorm(momentum=0.5, epsilon=0.1), (2, 1, 3)), (BatchNorm(), (1, 2)),
    (Dense(3, "softmax", l2=0.1), (2, 4)), (Dense(2, "tanh"), (3, 2, 2)), (Dense(1), (1, 5)),
    (Dropout(), 4), (Dropout(0.2), (2, 3)), (Flatten(), 4), (Flatten(), (2, 3, 2)),
    (Dropout(per="channel"), 4), (Dropout(0.2, per="channel"), (2, 3, 2)),
    (LayerNorm(), 4), (LayerNorm(activation="tanh"), (2, 3)), (LayerNorm(epsilon=0.1), (2, 1, 3)),
    (PReLU(), 4), (PReLU(0.1, activation="tanh"), (2, 3)), (PReLU(-2.0), (3, 4, 5)),
    (LayerNorm(over="example"), 4), (LayerNorm(over="example"), (2, 1, 3)),
    (Reshape(6), (2, 3)), (Reshape((3, -1)), 6), (Reshape((-1, 2, 3)), (3, 4)),
]  # fmt: skip
OF_EVERY_KIND = [
    Reshape((2, 3)), BatchNorm(), Dropout(0.3), Flatten(), Dense(5), LayerNorm(activation="tanh"),
    Dropout(0.2), Dense(4), BatchNorm(), Activate("relu"), Dense(3), Activate("softmax"),
]  # fmt: skip
equal, close = np.testing.assert_array_equal, np.testing.assert_allclose


def network(dtype="float64", seed=1):
    """Return a model with layers of every kind, and X and Y."""
    model = Sequential(OF_EVERY_KIND, "categorical_crossentropy", inputs=6, dtype=dtype, seed=seed)
    rng = np.random.default_rng(2)
    return model, rng.standard_normal((6, 8)) * 3 + 1, rng.integers(3, size=8)


def alone(layer, X, training, dtype="float64"):
    """Return a model of one layer after a pass, whose loss has dA = A - Y."""
    model = Sequential([layer], "mean_squared_error", np.shape(X)[:-1], dtype, seed=1)
    model.forward(X, training=training)
    return model


# By hand


def test_batch_norm_by_hand():
    """Mean 2 and variance 1 of a batch, and what the running statistics make of it."""
    X = [[1.0, 3.0, 1.0, 3.0], [0.0, 0.0, 4.0, 4.0]]
    model = alone(BatchNorm(momentum=0.75, epsilon=3.0), X, training=True)
    cache, root = model.caches[0], np.sqrt(7.0)
    cache.gamma, cache.beta = [[10.0], [1.0]], [[5.0], [0.0]]
    model.forward(X, training=True)
    close(model.Z[1], [[0, 10, 0, 10], [-2 / root, -2 / root, 2 / root, 2 / root]])
    # Twice a quarter of the way: from 0 to 2, and from 1 to the unbiased variances 4/3 and 16/3.
    close(cache.running_mean, [[0.875], [0.875]])
    close(cache.running_variance, [[0.5625 + 0.4375 * 4 / 3], [0.5625 + 0.4375 * 16 / 3]])
    cache.running_mean, cache.running_variance = [[1.0], [2.0]], [[1.0], [6.0]]
    close(model.predict([[3.0], [2.0]]), [[5 + 10], [0]])


def test_layer_norm_by_hand():
    """Each example has mean 0 and variance 1 over its units, before gamma and beta."""
    model = alone(LayerNorm(epsilon=3.0), [[1.0, 0.0], [3.0, 8.0]], training=False)
    close(model.Z[1], [[-0.5, -4 / np.sqrt(19)], [0.5, 4 / np.sqrt(19)]])
    model.caches[0].gamma, model.caches[0].beta = [[2.0], [0.0]], [[1.0], [7.0]]
    close(model.predict([[1.0], [3.0]]), [[0.0], [7.0]])


def test_shapes_by_hand():
    """C order within an example, both ways."""
    X = np.arange(24.0).reshape(12, 2)
    model = alone(Reshape((3, -1)), X, training=False)
    assert model.Z[1].shape == (3, 4, 2)
    for i, j in np.ndindex(3, 4):
        equal(model.Z[1][i, j], X[4 * i + j])
    equal(Sequential([Flatten()], inputs=(3, 4)).predict(model.A[1]), X)


@pytest.mark.parametrize("activation", ["relu", "softmax"])
def test_activate_is_the_activation_of_dense(activation):
    """Dense and Activate do what Dense with an activation does, the gradients too, bit for bit."""
    X, Y = np.random.default_rng(1).random((4, 6)), np.eye(3)[:, [0, 1, 2, 0, 1, 2]]
    results = []
    for layers in ([Dense(3, activation, init="he_normal")],
                   [Dense(3, init="he_normal"), Activate(activation)]):  # fmt: skip
        model = Sequential(layers, "categorical_crossentropy", 4, "float64", seed=1)
        model.params[:] += 1
        A = model.forward(X)
        model.back(Y, input_gradient=True)
        results.append((A, model.grads, model.dA[0], np.array(model.cost(Y))))
    for one, other in zip(*results, strict=True):
        equal(one, other)


def test_dense_takes_each_position_by_itself():
    """Along the first axis of (n, T, m) W and b are the same at each position, and so is Z."""
    X, Y = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    models = [
        Sequential([Dense(3, "tanh", l2=0.1)], "mean_squared_error", shape, "float64", seed=1)
        for shape in ((3, 4), 3)
    ]
    whole, each = models
    equal(whole.params, each.params)
    for given in (X, np.asfortranarray(X)):
        close(whole.forward(given)[:, 2], each.forward(X[:, 2]))
        close(whole.predict(given)[:, 2], each.predict(X[:, 2]))
    whole.back(Y, input_gradient=True)
    grads, l2_part = np.zeros_like(each.grads), None
    for t in range(4):
        each.forward(X[:, t])
        each.back(Y[:, t], input_gradient=True)
        close(each.dA[0], whole.dA[0][:, t])
        grads += each.grads
        l2_part = 0.1 * each.W[1]
    expected = grads[:9].reshape(3, 3) - 3 * l2_part  # the penalty is there once
    close(whole.dW[1], expected)
    close(whole.db[1].ravel(), grads[9:])


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2)])
def test_a_channel_is_dropped_whole(shape):
    """Each entry of the first axis is dropped at all its positions, and others at none."""
    model = alone(Dropout(0.5, per="channel"), np.ones((*shape, 30)), training=True)
    of_channels = model.A[1].reshape(4, -1, 30)
    equal(of_channels, np.broadcast_to(of_channels[:, :1], of_channels.shape))
    assert 0.3 < np.mean(of_channels == 0) < 0.7
    assert set(np.unique(of_channels)) == {0, 2}


def test_one_image_has_a_variance():
    """A batch of one example may be normalized where a channel has several positions."""
    image, row = np.random.default_rng(1).standard_normal((2, 3, 4, 1))
    A = alone(BatchNorm(), image, training=True).A[1]
    close(A.mean(axis=(1, 2)), 0, atol=1e-12)
    close(A.std(axis=(1, 2)), 1, rtol=1e-3)
    model = Sequential([BatchNorm(), Flatten(), Dense(1)], "mean_squared_error", inputs=(3, 4))
    model.fit(row, np.ones(1), epochs=2)
    with raises(ShapeError, "smallest batch of 1 examples has 1, expected at least 2"):
        Sequential([BatchNorm()], "mean_squared_error").fit(row[:, 0], row[:, 0])


# Dropout


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mask_is_what_the_generator_draws(make, dtype):
    """It is ``rng.random((n, m)) < keep``, whatever the size and the precision."""
    X = np.ones((100, 70))  # more than is drawn at a time
    model = Sequential([Dropout(0.3)], inputs=100, dtype=dtype, seed=make(1))
    A = model.forward(X, training=True).copy()
    stays = make(1).random(X.shape) < 0.7
    equal(A, (stays / 0.7).astype(dtype))
    assert np.mean(stays) == pytest.approx(0.7, abs=0.02)
    assert not np.array_equal(model.forward(X, training=True), A), "each pass has another mask"


def test_nothing_is_dropped_outside_training():
    """Whatever went before, prediction is the identity, and draws nothing."""
    model = Sequential([Dense(5), Dropout(0.9), Dense(3)], "mean_squared_error", inputs=4, seed=1)
    plain = Sequential([Dense(5), Dense(3)], "mean_squared_error", inputs=4, seed=2)
    plain.params[:] = model.params
    X, Y, H = np.random.default_rng(1).standard_normal((4, 20)), np.ones((3, 20)), np.ones((5, 20))
    model.forward(X, training=True)
    model.forward_layer(2, H, training=True)
    drawn = copy.deepcopy(model.rng.bit_generator.state)
    for A in (model.forward(X), model.predict(X), model.predict(X, batch_size=7)):
        close(A, plain.predict(X), rtol=1e-5)
    assert model.evaluate(X, Y) == plain.evaluate(X, Y)
    equal(model.forward_layer(2, H), H)
    assert model.rng.bit_generator.state == drawn


def test_back_uses_the_mask_of_forward():
    """The mask stays until the next pass, however often back is called, and beside predict."""
    X, zeros = np.random.default_rng(1).standard_normal((5, 9)), np.zeros((5, 9))
    model = alone(Dropout(0.4), X, training=True)
    mask = model.caches[0].mask.copy()
    for _ in range(2):
        model.predict(X)
        model.back(zeros, input_gradient=True)
        equal(model.dA[0], mask * (mask * X))
    model.forward(X)
    model.back(zeros, input_gradient=True)
    equal(model.dA[0], X)


# Both modes


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_forward_without_an_array_for_Z(layer, shape):
    """Where ``cache.Z`` is None, `forward` makes an array like it, with the same numbers."""
    X = np.random.default_rng(3).standard_normal((*np.atleast_1d(shape), 5))
    model = alone(layer, X, training=False, dtype="float32")
    cache, expected = model.caches[0], model.Z[1]
    cache.Z = None
    Z = layer.forward(cache.A_prev, cache)
    assert Z is not expected
    equal(Z, expected, strict=True)


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_checks(layer, shape):
    """Each passes its family's check, and has right gradients with few examples and weights."""
    tn.testing.check_layer(layer, shape)
    rng = np.random.default_rng(4)
    for m in (2, 3, 8):
        model = Sequential([layer], "mean_squared_error", shape, seed=3)
        X, Y = (rng.standard_normal((*of_one, m)) for of_one in (model.inputs, model.outputs))
        for training in (False, True):
            for w in (None, rng.random(m)):
                settings = {"training": training, "sample_weight": w}
                assert tn.testing.check_gradients(model, X, Y, **settings) <= 1e-6


@pytest.mark.parametrize("training", [False, True])
def test_a_network_of_every_kind(training):
    """Its gradients are right, and its passes layer by layer are whole passes, with their draws."""
    (whole, X, Y), (by_layer, *_), L = network(), network(), len(OF_EVERY_KIND)
    assert tn.testing.check_gradients(whole, X, Y, training=training) <= 1e-6
    whole.forward(X, training=training)
    whole.back(Y, input_gradient=True)
    A, dA = X, whole.dA[L].copy()
    for l in range(1, L + 1):
        A = by_layer.forward_layer(l, A, training=training).copy()
    equal(A, whole.A[L])
    for l in range(L, 0, -1):
        dA, *_ = by_layer.back_layer(l, dA)
    close(dA, whole.dA[0], rtol=1e-10, atol=1e-13)
    close(by_layer.grads, whole.grads, rtol=1e-10, atol=1e-13)
    equal(by_layer.state, whole.state)


def test_infinite_running_statistics_end_a_training():
    """They do, although cost, gradients and parameters are finite; the step is undone."""
    X = np.random.default_rng(1).normal(size=(3, 64)).astype(np.float32)
    X[0, 40] = 3e20  # in the third batch; its square is infinite in float32
    model = tn.Sequential([BatchNorm(), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    with pytest.raises(tn.errors.NonFiniteError, match="step 3: running_variance"):
        model.fit(X, X[1:2], tn.SGD(0.01), batch_size=16, shuffle=False)
    assert np.isfinite(model.values).all()


def test_threads_predict_alike():
    """Eight threads with one model each, or the same, get to the bit what one alone gets."""
    models = [network("float32", seed=seed)[0] for seed in (1, 2)]
    inputs = [np.random.default_rng(m).standard_normal((6, m)) for m in (100, 500, 501)]
    for model in models:
        model.forward(inputs[0], training=True)
    states = [model.state.copy() for model in models]
    jobs = [(model.predict, X) for model in models for X in inputs] * 20
    expected = [predict(X) for predict, X in jobs]
    with ThreadPoolExecutor(8) as pool:
        for A, actual in zip(expected, [pool.submit(*job) for job in jobs], strict=True):
            equal(actual.result(), A)
    for model, state in zip(models, states, strict=True):
        equal(model.state, state)


def test_training_reduces_the_cost():
    """A network of all kinds of layers learns, and computes everything in its precision."""
    model, X, Y = network("float32")
    before = model.evaluate(X, Y)["loss"]
    model.fit(X, Y, tn.Adam(0.01), epochs=300)
    assert model.evaluate(X, Y)["loss"] < 0.5 * before
    arrays = [a for kind in (model.Z, model.A, model.dZ, model.dA) for a in kind.values()]
    assert {array.dtype.name for array in arrays} == {"float32"}


def test_fit_is_training_and_evaluate_is_not():
    """`fit` drops units and moves the running statistics; validation and evaluation do neither."""
    X, Y = np.random.default_rng(1).standard_normal((3, 40)) + 4, np.ones((1, 40))
    layers = [BatchNorm(momentum=0.0), Dropout(0.5), Dense(1)]
    model = Sequential(layers, "mean_squared_error", inputs=3, seed=1)
    model.fit(X, Y, epochs=1, batch_size=None, validation_data=(X * 100, Y))
    close(model.state[:3], X.mean(axis=1), rtol=1e-5)
    assert 0 < np.mean(model.caches[1].mask > 0) < 1
    state = model.state.copy()
    model.evaluate(X * 100, Y)
    equal(model.state, state)


def test_batch_norm_of_one_example():
    """One example has no variance: training refuses it with what to do, prediction takes it."""
    model, X = Sequential([Dense(3), BatchNorm()], "huber", inputs=2, seed=1), np.ones((2, 1))
    with raises(
        ShapeError, "one example in layer 2 (BatchNorm)", "Choose a batch_size … or use LayerNorm."
    ):
        model.forward(X, training=True)
    equal(model.state[3:], np.ones(3))
    assert model.predict(X).shape == (3, 1)
    rng = np.random.default_rng(1)
    with raises(ShapeError, "layer 2 (BatchNorm)", "Use another batch_size"):
        model.fit(rng.random((2, 9)), np.ones((3, 9)), batch_size=4)
    assert np.isfinite(model.fit(rng.random((2, 10)), np.ones((3, 10)), batch_size=4)["loss"]).all()


def test_what_layers_declare():
    """Only the weights of Dense decay; the running statistics are state."""
    model = network()[0]
    assert [W.shape for W in model.decaying] == [(5, 6), (4, 5), (3, 4)]
    assert model.state.size == 2 * (2 + 4)  # (2, 3) has two channels
    names = "gamma2 beta2 W5 b5 gamma6 beta6 W8 b8 gamma9 beta9 W11 b11"
    assert names == " ".join(model.get_parameters())


# Numerics


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=repr)
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_means_in_single_precision(layer, order):
    """A mean of a thousand deviations, or a million, leaves the variance right and positive."""
    X = (1000 + np.random.default_rng(1).standard_normal((300, 400))).astype("float32", order=order)
    single, double = alone(layer, X, True, "float32"), alone(layer, X.astype("float64"), True)
    close(single.Z[1], double.Z[1], atol=1e-3)
    close(single.caches[0].std, double.caches[0].std, rtol=1e-5)
    close(single.state, double.state, rtol=1e-5)
    assert np.isfinite(alone(layer, X * 1000, True, "float32").Z[1]).all()
    constant = alone(layer, np.full((3, 5), 1e6), True, "float32")
    close(constant.Z[1], np.zeros((3, 5)), atol=1e-3)


NORMS = [BatchNorm(), LayerNorm(), LayerNorm(over="example")]


@pytest.mark.parametrize("layer", NORMS, ids=repr)
@pytest.mark.parametrize("training", [True, False])
def test_long_rows_give_what_short_rows_do(layer, training, monkeypatch):
    """NumPy combines rows of any length with a column or a row in the same way, to the bit."""
    X, dA = np.random.default_rng(1).standard_normal((2, 7, 5, 7)).astype("float32")
    results = []
    # Rows are long; or two are taken as one, with one left over; or seven are; or all are.
    for longest in (0, 10, 40, 1 << 60):
        monkeypatch.setattr(normalization, "_HALF_BUFFER", longest)
        model = alone(layer, X, training, "float32")
        model.back(dA, input_gradient=True)
        results.append([model.Z[1].copy(), model.dA[0].copy(), model.grads.copy()])
    for name, of_long, *others in zip(("Z", "dA_prev", "grads"), *results, strict=True):
        for other in others:
            assert of_long.tobytes() == other.tobytes(), name


@pytest.mark.parametrize("layer", NORMS, ids=repr)
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-13)])
def test_products_give_what_numpy_does(layer, dtype, bound, monkeypatch):
    """Up to rounding, the products of BLAS give what NumPy's loops give."""
    rng, results = np.random.default_rng(1), []
    X, Y, again = rng.standard_normal((3, 12, 2, 300)).astype(dtype)
    params = rng.standard_normal(2 * 24)
    for shortest in (300, 1 << 60):
        monkeypatch.setattr(normalization, "_SHORTEST", shortest)
        monkeypatch.setattr(layer_norm, "_MANY", shortest)
        model = alone(layer, again, True, dtype)
        assert (shortest == 300) == ("factors" in vars(model.caches[0]))
        model.params[:] = params[: model.n_params]
        model.forward(X, training=True)
        model.back(Y, input_gradient=True)
        results.append([model.Z[1], model.dA[0], model.grads, model.state])
    for of_products, expected in zip(*results, strict=True):
        close(of_products, expected, rtol=bound, atol=bound)


@pytest.mark.parametrize("layer", NORMS, ids=repr)
def test_an_infinite_number_stays_in_its_unit(layer):
    """A prediction is the same for many examples and for few, also where Z or squares overflow."""
    model = Sequential([Dense(8), layer], inputs=8, dtype="float32", seed=1)
    model.W[1] = np.diag([1e10, 1, 1, 1, 1, 1, 1, 1])
    X = np.random.default_rng(1).standard_normal((8, 300))
    X[0, :2] = 1e30, 1e15
    few, many = model.predict(X[:, :8]), model.predict(X)
    assert np.isfinite(few[1:, 1:]).all()
    close(many[:, :8], few, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n", "rows"), [
    (1 << 13, 128), (134, 67), (260, 65), (100, 100), (40, 40), (262, 65), (8209, 65),
])  # fmt: skip
def test_rows_that_are_taken_as_one(n, rows):
    """They are longer than half of a buffer, and a divisor of n if one below twice that is."""
    assert (rows, 64) == LayerNorm().scratch((n,), 64)["repeated_row"]


@pytest.mark.parametrize(("dtype", "passes"), [("float32", 1200), ("float64", 7500)])
def test_running_statistics_of_dead_units(dtype, passes):
    """They decay to 0 and leave no subnormal number, which 0.9 times would round to itself."""
    X = np.random.default_rng(1).standard_normal((3, 8)).astype(dtype)
    model = alone(BatchNorm(), X, True, dtype)
    X[0], X[2], living = 0, [1, -1] * 4, slice(1, 3)  # a mean alone may be 0, too
    mean, variance = model.caches[0].running_mean, model.caches[0].running_variance
    for _ in range(passes):
        model.forward(X, training=True)
        size = np.abs(model.state)
        assert not ((size > 0) & (size < np.finfo(dtype).tiny)).any(), f"{model.state}"
    assert mean[0] == variance[0] == mean[2] == 0
    close(mean[living, 0], X[living].mean(axis=1), rtol=1e-5, atol=1e-7)
    close(variance[living, 0], X[living].var(axis=1, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=repr)
def test_a_small_epsilon_and_a_dead_unit(layer):
    """What does not vary has a deviation of nearly 0, and its gradients are numbers."""
    layer, zeros = attrs.evolve(layer, epsilon=1e-40), np.zeros((3, 4), np.float32)
    model = alone(layer, zeros, True, "float32")
    model.back(zeros, input_gradient=True)
    for array in (model.Z[1], model.dA[0], model.grads):
        assert (array == 0).all()


@pytest.mark.parametrize(
    "first", [BatchNorm(), Dropout(), Reshape((2, 2)), LayerNorm(), Activate("relu")], ids=repr
)
@pytest.mark.parametrize("training", [False, True])
def test_a_nan_in_X_is_found_by_any_layer(first, training):
    """Also where the first layer does not add up all inputs in every unit."""
    model = Sequential([first, Flatten(), Dense(1)], "mean_squared_error", inputs=4, seed=1)
    X = np.ones((4, 5))
    X[3, 2] = np.nan
    with raises(NonFiniteError, "X[3, 2] is nan"):
        model.forward(X, training=training)


def test_what_layers_share_is_read_only():
    """The columns of 1/m are made once, and no layer writes into what another one reads."""
    model = Sequential([LayerNorm()], inputs=(3, 4))
    model.forward(np.ones((3, 4, 5)))
    cache = model.caches[0]
    assert base.mean_column(cache, 4) is base.mean_column(cache, 4)
    for shared in (cache.means[1], base.mean_column(cache, 1), base.mean_column(cache, 4)):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1


# PyTorch


# Our layer, the shape of an example, and PyTorch's layer for rows of such examples.
AS_TORCH = [
    (BatchNorm(), (4,), lambda nn: nn.BatchNorm1d(4)),
    (BatchNorm(momentum=0.0, epsilon=0.1), (4,), lambda nn: nn.BatchNorm1d(4, 0.1, 1.0)),
    (BatchNorm(momentum=0.5, epsilon=1e-3), (2, 3), lambda nn: nn.BatchNorm1d(2, 1e-3, 0.5)),
    (BatchNorm(), (3, 2, 4), lambda nn: nn.BatchNorm2d(3)),
    (LayerNorm(), (4,), lambda nn: nn.LayerNorm(4)),
    (LayerNorm(epsilon=0.1, over="example"), (2, 3), lambda nn: nn.LayerNorm((2, 3), 0.1)),
    (LayerNorm(over="example"), (3, 2, 2), lambda nn: nn.LayerNorm((3, 2, 2))),
    (LayerNorm(), (5, 3), lambda nn: of_channels(nn, nn.LayerNorm(5))),
    (LayerNorm(epsilon=0.1), (5, 3, 2), lambda nn: of_channels(nn, nn.LayerNorm(5, 0.1))),
    (Dense(2), (4,), lambda nn: nn.Linear(4, 2)),
    (Dense(2), (4, 3), lambda nn: of_channels(nn, nn.Linear(4, 2))),
    (Dense(3), (2, 3, 4), lambda nn: of_channels(nn, nn.Linear(2, 3))),
]  # fmt: skip
PAIRS = (
    ("gamma", "weight"), ("beta", "bias"), ("W", "weight"), ("b", "bias"),
    ("running_mean", "running_mean"), ("running_variance", "running_var"),
)  # fmt: skip


def of_channels(nn, layer):
    """Return a layer of PyTorch's that takes (m, n, ...) along n, its second axis."""

    class OfChannels(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, rows):
            return self.layer(rows.movedim(1, -1)).movedim(-1, 1)

    return OfChannels()


@pytest.mark.parametrize(
    ("layer", "shape", "theirs"), AS_TORCH, ids=[f"{layer} {shape}" for layer, shape, _ in AS_TORCH]
)
def test_as_torch(torch, layer, shape, theirs):
    """Passes, gradients and running statistics are PyTorch's on rows, with its defaults, too."""
    theirs = theirs(torch.nn).double()
    inner = getattr(theirs, "layer", theirs)
    ours = Sequential([layer], "mean_squared_error", shape, "float64", seed=1)
    rng = np.random.default_rng(5)
    ours.params[:] = rng.standard_normal(ours.n_params)
    ours.forward(rng.standard_normal((*shape, 7)))
    cache = ours.caches[0]
    with torch.no_grad():
        for name in cache.parameters:
            parameter = getattr(inner, dict(PAIRS)[name])
            parameter.copy_(torch.from_numpy(getattr(cache, name)).reshape(parameter.shape))
    for training in (True, True, False, True, False):
        X = rng.standard_normal((*shape, 7)) * 3 + 5
        Y = rng.standard_normal((*ours.outputs, 7))
        ours.forward(X, training=training)
        ours.back(Y, input_gradient=True)
        rows = torch.from_numpy(np.moveaxis(X, -1, 0).copy()).requires_grad_()
        theirs.train(training)
        theirs.zero_grad()
        A = theirs(rows)
        J = ((A - torch.from_numpy(np.moveaxis(Y, -1, 0).copy())) ** 2).sum() / (2 * 7)
        J.backward()
        pairs = [
            (ours.A[1], np.moveaxis(A.detach().numpy(), 0, -1)),
            (ours.dA[0], np.moveaxis(rows.grad.numpy(), 0, -1) * 7),
        ]
        for mine, other in PAIRS:
            if mine in vars(cache) and mine.startswith("running"):
                pairs.append((vars(cache)[mine], getattr(inner, other).numpy()))
            elif mine in vars(cache):
                pairs.append((vars(cache)[f"d{mine}"], getattr(inner, other).grad.numpy()))
        for mine, other in pairs:
            close(mine.reshape(other.shape), other, rtol=1e-9, atol=1e-9)


def test_prelu_by_hand():
    """Z, the gradient of the slopes, a sum over positions, and dA[0]; at 0 the slope counts."""
    X = np.array([[-2.0, 0, 3], [1, -4, -8]])
    model = alone(PReLU(0.5), X, training=False)
    equal([[-1, 0, 3], [1, -2, -4]], model.Z[1])
    model.back(model.Z[1] - [[1, 2, 3], [4, 5, 6]], input_gradient=True)
    cache = model.caches[0]
    close(cache.dslope, [[-2 / 3], [(-4 * 5 - 8 * 6) / 3]], rtol=1e-12)
    equal([[0.5, 1, 3], [4, 2.5, 3]], model.dA[0])
    model = alone(PReLU(0.5), X.reshape(1, 2, 3), training=False)
    model.back(model.Z[1] - 1, input_gradient=True)
    close(model.caches[0].dslope, [[-14 / 3]], rtol=1e-12)
    assert model.n_params == 1
    assert model.decaying == []


@pytest.mark.parametrize("shape", [(4,), (2, 3), (3, 4, 5)], ids=str)
def test_prelu_of_pytorch(torch, shape):
    """Z, dA[0] and the gradient of the slopes are those of torch.nn.PReLU."""
    X = np.random.default_rng(1).standard_normal((*shape, 6))
    X[0, ..., :2] = 0
    model, theirs = alone(PReLU(), X, training=True), torch.nn.PReLU(shape[0]).double()
    rows = torch.from_numpy(np.moveaxis(X, -1, 0).copy()).requires_grad_()
    Z = theirs(rows)
    (Z**2 / 2).sum().backward()
    model.back(np.zeros_like(X), input_gradient=True)
    close(model.Z[1], np.moveaxis(Z.detach().numpy(), 0, -1), rtol=1e-12)
    close(model.dA[0], np.moveaxis(rows.grad.numpy(), 0, -1), rtol=1e-12)
    close(6 * model.caches[0].dslope.ravel(), theirs.weight.grad.numpy(), rtol=1e-12)


class TwiceDense(Dense):
    """A subclass with a forward and a back of its own."""

    def forward(self, A_prev, cache):
        Z = super().forward(A_prev, cache)
        Z *= 2
        return Z

    def back(self, dZ, cache):
        return super().back(2 * dZ, cache)


def test_a_subclass_of_dense_has_its_own_passes():
    """A chain calls what the subclass defines, and not what is bound for Dense."""
    how = {"loss": "mean_squared_error", "seed": 1, "dtype": "float64"}
    models = [Sequential([kind(3, l2=0.1), kind(2)], **how) for kind in (Dense, TwiceDense)]
    X, Y = np.random.default_rng(1).random((2, 4, 5))
    plain, doubled = [model.forward(X).copy() for model in models]
    np.testing.assert_allclose(4 * plain, doubled)
    assert tn.testing.check_gradients(models[1], X, Y[:2]) < 1e-7


class Blocks(tn.Layer):
    """Z = A_prev, with a parameter that several initializers draw."""

    def parameters(self, input_shape):
        inits = ("zeros", tn.Initializer.get("constant", value=2.0), {"name": "normal"})
        return {"W": tn.Parameter((6, 2), inits)}

    def forward(self, A_prev, cache):
        return A_prev

    def back(self, dZ, cache):
        cache.dW = np.zeros((6, 2))
        return dZ


def test_several_initializers_draw_a_block_of_rows_each():
    """They are given as for a field, and stand one below the other, drawn in this order."""
    W = Sequential([Blocks()], inputs=2, dtype="float64", seed=1).W[1]
    drawn = tn.Initializer.get("normal").draw((2, 2), np.random.default_rng(1))
    np.testing.assert_array_equal(W, np.concatenate([np.zeros((2, 2)), np.full((2, 2), 2), drawn]))


def test_what_a_layer_has_is_no_attribute_of_the_model():
    """The message says where gamma is, and where a running mean is."""
    model = Sequential([Dense(3), BatchNorm()], "mean_squared_error", inputs=2, seed=1)
    with raises(AttributeError, 'in layer 2 (BatchNorm). Use model.get_parameters()["gamma2"], or'):
        _ = model.gamma
    model.forward(np.ones((2, 4)))
    assert model.get_parameters()["gamma2"].tolist() == model.caches[1].gamma.tolist()
    with raises(AttributeError, "Use model.caches[1].running_mean after a pass."):
        _ = model.running_mean
    assert model.caches[1].running_mean.shape == (3, 1)
    with raises(AttributeError, "no attribute 'gama'"):
        _ = model.gama
    within = Sequential([tn.Residual([BatchNorm()])], inputs=2)
    with raises(AttributeError, re.compile(r"it is in layer 1\.1 \(BatchNorm\)\.$")):
        _ = within.running_mean
