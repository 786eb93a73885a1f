"""Layers beside Dense: against values by hand and PyTorch, in training and outside, and what they leave behind."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinynet as tn
from tinynet import Activate, BatchNorm, Dense, Dropout, Flatten, LayerNorm, Reshape, Sequential
from tinynet.errors import NonFiniteError, ShapeError

LAYERS = [
    (Activate("tanh"), 4),
    (Activate("softmax"), (2, 3)),
    (BatchNorm(), 4),
    (BatchNorm(activation="relu"), (2, 3)),
    (BatchNorm(momentum=0.5, epsilon=0.1), (2, 1, 3)),
    (Dropout(), 4),
    (Dropout(0.2), (2, 3)),
    (Flatten(), 4),
    (Flatten(), (2, 3, 2)),
    (LayerNorm(), 4),
    (LayerNorm(activation="tanh"), (2, 3)),
    (LayerNorm(epsilon=0.1), (2, 1, 3)),
    (Reshape(6), (2, 3)),
    (Reshape((3, -1)), 6),
    (Reshape((-1, 2, 3)), (3, 4)),
]
OF_EVERY_KIND = [
    Reshape((2, 3)), BatchNorm(), Dropout(0.3), Flatten(), Dense(5), LayerNorm(activation="tanh"), Dropout(0.2),
    Dense(4), BatchNorm(), Activate("relu"), Dense(3), Activate("softmax"),
]  # fmt: skip


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


# By hand ---------------------------------------------------------------------------------


def test_batch_norm_by_hand():
    """Mean 2 and variance 1 of a batch, and what the running statistics make of it."""
    X = [[1.0, 3.0, 1.0, 3.0], [0.0, 0.0, 4.0, 4.0]]
    layer = BatchNorm(momentum=0.75, epsilon=3.0)
    model = alone(layer, X, training=True)
    cache = model.caches[0]
    cache.gamma, cache.beta = [[10.0], [1.0]], [[5.0], [0.0]]
    model.forward(X, training=True)
    root = np.sqrt(7.0)
    np.testing.assert_allclose(
        model.Z[1], [[0, 10, 0, 10], [-2 / root, -2 / root, 2 / root, 2 / root]]
    )
    # Twice a quarter of the way, from 0 to the mean 2, and from 1 to the unbiased variances 4/3 and 16/3.
    np.testing.assert_allclose(cache.running_mean, [[0.875], [0.875]])
    np.testing.assert_allclose(
        cache.running_variance, [[0.5625 + 0.4375 * 4 / 3], [0.5625 + 0.4375 * 16 / 3]]
    )
    cache.running_mean, cache.running_variance = [[1.0], [2.0]], [[1.0], [6.0]]
    np.testing.assert_allclose(model.predict([[3.0], [2.0]]), [[5 + 10], [0]])


def test_layer_norm_by_hand():
    """Each example has mean 0 and variance 1 over its units, before gamma and beta."""
    model = alone(LayerNorm(epsilon=3.0), [[1.0, 0.0], [3.0, 8.0]], training=False)
    np.testing.assert_allclose(model.Z[1], [[-0.5, -4 / np.sqrt(19)], [0.5, 4 / np.sqrt(19)]])
    model.caches[0].gamma, model.caches[0].beta = [[2.0], [0.0]], [[1.0], [7.0]]
    np.testing.assert_allclose(model.predict([[1.0], [3.0]]), [[0.0], [7.0]])


def test_shapes_by_hand():
    """C order within an example, both ways."""
    X = np.arange(24.0).reshape(12, 2)
    model = alone(Reshape((3, -1)), X, training=False)
    assert model.Z[1].shape == (3, 4, 2)
    for i, j in np.ndindex(3, 4):
        np.testing.assert_array_equal(model.Z[1][i, j], X[4 * i + j])
    back = Sequential([Flatten()], inputs=(3, 4)).predict(model.A[1])
    np.testing.assert_array_equal(back, X)


@pytest.mark.parametrize("activation", ["relu", "softmax"])
def test_activate_is_the_activation_of_dense(activation):
    """Dense and Activate do what Dense with an activation does, the gradients too, bit for bit."""
    X, Y = np.random.default_rng(1).standard_normal((4, 6)), np.eye(3)[:, [0, 1, 2, 0, 1, 2]]
    at_once = Sequential(
        [Dense(3, activation, init="he_normal")], "categorical_crossentropy", 4, "float64", seed=1
    )
    apart = Sequential(
        [Dense(3, init="he_normal"), Activate(activation)],
        "categorical_crossentropy",
        4,
        "float64",
        seed=1,
    )
    for model in (at_once, apart):
        model.params[:] += 1
        model.forward(np.abs(X))
        model.back(Y, input_gradient=True)
    assert at_once.cost(Y) == apart.cost(Y)
    for one, other in (
        (at_once.A[1], apart.A[2]),
        (at_once.grads, apart.grads),
        (at_once.dA[0], apart.dA[0]),
    ):
        np.testing.assert_array_equal(one, other)


# Dropout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mask_is_what_the_generator_draws(make, dtype):
    """It is ``rng.random((n, m)) < keep``, whatever the size and the precision."""
    X = np.ones((100, 70))  # more than is drawn at a time
    model = Sequential([Dropout(0.3)], inputs=100, dtype=dtype, seed=make(1))
    A = model.forward(X, training=True).copy()
    kept = make(1).random(X.shape) < 0.7
    np.testing.assert_array_equal(A, (kept / 0.7).astype(dtype))
    assert np.mean(kept) == pytest.approx(0.7, abs=0.02)
    assert not np.array_equal(model.forward(X, training=True), A), "each pass has a mask of its own"


def test_nothing_is_dropped_outside_training():
    """Whatever went before, prediction is the identity, and draws nothing."""
    model = Sequential([Dense(5), Dropout(0.9), Dense(3)], "mean_squared_error", inputs=4, seed=1)
    plain = Sequential([Dense(5), Dense(3)], "mean_squared_error", inputs=4, seed=2)
    plain.params[:] = model.params
    X, Y = np.random.default_rng(1).standard_normal((4, 20)), np.ones((3, 20))
    model.forward(X, training=True)
    model.forward_layer(2, np.ones((5, 20)), training=True)
    drawn = copy.deepcopy(model.rng.bit_generator.state)
    for A in (model.forward(X), model.predict(X), model.predict(X, batch_size=7)):
        np.testing.assert_allclose(A, plain.predict(X), rtol=1e-5)
    assert model.evaluate(X, Y) == plain.evaluate(X, Y)
    np.testing.assert_array_equal(model.forward_layer(2, np.ones((5, 20))), np.ones((5, 20)))
    assert model.rng.bit_generator.state == drawn


def test_back_goes_by_the_units_that_were_kept():
    """The mask stays until the next pass, however often back is called; predict in between is no matter."""
    X = np.random.default_rng(1).standard_normal((5, 9))
    model = alone(Dropout(0.4), X, training=True)
    mask = model.caches[0].mask.copy()
    for _ in range(2):
        model.predict(X)
        model.back(np.zeros((5, 9)), input_gradient=True)
        np.testing.assert_array_equal(model.dA[0], mask * (mask * X))
    model.forward(X)
    model.back(np.zeros((5, 9)), input_gradient=True)
    np.testing.assert_array_equal(model.dA[0], X)


# Both modes ------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("m", [2, 3, 8])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_gradients(layer, shape, m, training):
    """Every gradient is right, for all shapes, in training and outside."""
    model = Sequential([layer], "mean_squared_error", shape, seed=3)
    rng = np.random.default_rng(4)
    X, Y = (rng.standard_normal((*of_example, m)) for of_example in (model.inputs, model.outputs))
    weight = rng.random(m)
    for sample_weight in (None, weight):
        assert (
            tn.testing.check_gradients(model, X, Y, training=training, sample_weight=sample_weight)
            <= 1e-6
        )


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_checks(layer, shape):
    """Each passes its family's check for examples of any shape."""
    tn.testing.check_layer(layer, shape)


@pytest.mark.parametrize("training", [False, True])
def test_gradients_of_a_network(training):
    """So they are in a network of all kinds of layers."""
    model, X, Y = network()
    assert tn.testing.check_gradients(model, X, Y, training=training) <= 1e-6


@pytest.mark.parametrize("training", [False, True])
def test_layer_by_layer(training):
    """`forward_layer` and `back_layer` do what `forward` and `back` do, with the same draws."""
    (whole, X, Y), (by_layer, *_) = network(), network()
    whole.forward(X, training=training)
    whole.back(Y, input_gradient=True)
    A = X
    for l in range(1, len(OF_EVERY_KIND) + 1):
        A = by_layer.forward_layer(l, A, training=training).copy()
    np.testing.assert_array_equal(A, whole.A[len(OF_EVERY_KIND)])
    dA = whole.dA[len(OF_EVERY_KIND)].copy()
    for l in range(len(OF_EVERY_KIND), 0, -1):
        dA, *_ = by_layer.back_layer(l, dA)
    np.testing.assert_allclose(dA, whole.dA[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(by_layer.grads, whole.grads, rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(by_layer.state, whole.state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_is_kept(dtype):
    """No array of a pass is in another precision than the model's."""
    model, X, Y = network(dtype)
    for training in (True, False):
        model.forward(X, training=training)
        model.back(Y, input_gradient=True)
        kinds = [model.Z, model.A, model.dZ, model.dA]
        assert {array.dtype.name for kind in kinds for array in kind.values()} == {dtype}


def test_copies_keep_the_state(tmp_path):
    """What comes back from a file, from pickle and from deepcopy predicts alike, bit for bit, and trains on alike."""
    model, X, _ = network("float32")
    for _ in range(3):
        model.forward(X, training=True)
    assert model.state.size == 2 * (6 + 4)
    model.save(tmp_path / "net.npz")
    expected = model.predict(X)
    loaded = tn.load(tmp_path / "net.npz")
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.layers == model.layers
        np.testing.assert_array_equal(other.state, model.state)
        np.testing.assert_array_equal(other.predict(X), expected)
        assert not np.shares_memory(other.state, model.state)
        if other is not loaded:  # a file does not hold the generator
            again = copy.deepcopy(model)
            np.testing.assert_array_equal(
                other.forward(X, training=True), again.forward(X, training=True)
            )


def test_threads_predict_alike():
    """Two models in two threads, and one model in several, predict what they predict alone."""
    models = [network(seed=seed)[0] for seed in (1, 2)]
    X = np.random.default_rng(3).standard_normal((6, 500))
    for model in models:
        model.forward(X, training=True)
    expected, states = (
        [model.predict(X) for model in models],
        [model.state.copy() for model in models],
    )
    with ThreadPoolExecutor(8) as pool:
        for k, A in [(k, pool.submit(models[k].predict, X)) for k in [0, 1] * 20]:
            np.testing.assert_array_equal(A.result(), expected[k])
    for model, state in zip(models, states, strict=True):
        np.testing.assert_array_equal(model.state, state)


def test_training_reduces_the_cost():
    """A network of all kinds of layers learns, by passes of training and steps."""
    model, X, Y = network("float32")
    before = model.evaluate(X, Y)["loss"]
    model.fit(X, Y, optimizer=tn.Adam(0.01), epochs=300)
    assert model.evaluate(X, Y)["loss"] < 0.5 * before


def test_fit_is_training_and_evaluate_is_not():
    """`fit` drops units and moves the running statistics; validation and evaluation do neither."""
    X, Y = np.random.default_rng(1).standard_normal((3, 40)) + 4, np.ones((1, 40))
    model = Sequential(
        [BatchNorm(momentum=0.0), Dropout(0.5), Dense(1)], "mean_squared_error", inputs=3, seed=1
    )
    model.fit(X, Y, epochs=1, batch_size=None, validation_data=(X * 100, Y))
    np.testing.assert_allclose(model.state[:3], X.mean(axis=1), rtol=1e-5)
    assert 0 < np.mean(model.caches[1].mask > 0) < 1
    state, expected = model.state.copy(), model.predict(X)
    model.evaluate(X * 100, Y)
    np.testing.assert_array_equal(model.state, state)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(("m", "refused"), [(9, True), (10, False)])
def test_fit_that_leaves_one_example_over(m, refused):
    """The last batch of an epoch may be one example: BatchNorm says which batch_size will not do."""
    model = Sequential([BatchNorm(), Dense(1)], "mean_squared_error", inputs=3, seed=1)
    X, Y = np.random.default_rng(1).standard_normal((3, m)), np.ones((1, m))
    if refused:
        with pytest.raises(ShapeError, match=r"layer 1 \(BatchNorm\).* Use another batch_size"):
            model.fit(X, Y, batch_size=4)
    else:
        assert np.isfinite(model.fit(X, Y, batch_size=4)["loss"]).all()


# Numerics --------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=repr)
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_means_in_single_precision(layer, order):
    """A mean a thousand times the deviation does not spoil the variance, nor one of a million make it negative."""
    X = (1000 + np.random.default_rng(1).standard_normal((300, 400))).astype("float32", order=order)
    single, double = alone(layer, X, True, "float32"), alone(layer, X.astype("float64"), True)
    np.testing.assert_allclose(single.Z[1], double.Z[1], atol=1e-3)
    np.testing.assert_allclose(single.caches[0].std, double.caches[0].std, rtol=1e-5)
    np.testing.assert_allclose(single.state, double.state, rtol=1e-5)
    assert np.isfinite(alone(layer, X * 1000, True, "float32").Z[1]).all()
    constant = alone(layer, np.full((3, 5), 1e6), True, "float32")
    np.testing.assert_allclose(constant.Z[1], np.zeros((3, 5)), atol=1e-3)


@pytest.mark.parametrize(
    "first", [BatchNorm(), Dropout(), Reshape((2, 2)), LayerNorm(), Activate("relu")], ids=repr
)
@pytest.mark.parametrize("training", [False, True])
def test_a_nan_in_X_is_found_by_any_layer(first, training):
    """Also where the first layer does not add up all inputs in every unit."""
    model = Sequential([first, Flatten(), Dense(1)], "mean_squared_error", inputs=4, seed=1)
    X = np.ones((4, 5))
    X[3, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"X\[3, 2\] is nan"):
        model.forward(X, training=training)


# What does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Dropout(1), ValueError, "rate is 1.0, expected a number of at least 0 and below 1"),
        (lambda: Dropout(-0.1), ValueError, "rate is -0.1, expected a number of at least 0 and below 1"),
        (lambda: BatchNorm(momentum=1.0), ValueError, "momentum is 1.0, expected .* below 1"),
        (lambda: BatchNorm(epsilon=0), ValueError, "epsilon is 0.0, expected .* above 0"),
        (lambda: LayerNorm(epsilon=float("inf")), ValueError, "epsilon is inf, expected a finite number"),
        (lambda: Reshape((-1, -1)), ValueError, r"shape is \(-1, -1\), expected .* one of which may be -1"),
        (lambda: Reshape((2, 0)), ValueError, r"shape is \(2, 0\), expected whole numbers of at least 1"),
        (lambda: Reshape(()), ValueError, r"shape is \(\), expected .*Reshape\(\(8, 8\)\)"),
        (lambda: Reshape(2.5), TypeError, r"shape is 2.5, expected whole numbers"),
        (lambda: Activate("rellu"), tn.errors.UnknownNameError, "No activation is called 'rellu'.*: relu"),
        (
            lambda: Sequential([Dense(12), Reshape((5, 2))], inputs=3), ShapeError,
            r"layer 2 \(Reshape\): An example of shape \(12,\) has 12 numbers, expected 10 for Reshape\(shape=\(5, 2\)\)",
        ),
        (
            lambda: Sequential([Reshape((5, -1))], inputs=(3, 4)), ShapeError,
            r"layer 1 \(Reshape\): An example of shape \(3, 4\) has 12 numbers, expected a multiple of 5",
        ),
        (
            lambda: Sequential([Dense(2)], inputs=(3, 4)), ShapeError,
            r"layer 1 \(Dense\): .*\(3, 4, m\), expected columns .* put Flatten\(\)",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(make, error, told):
    """A setting or a shape that cannot be meant is refused in words."""
    with pytest.raises(error, match=told):
        make()


SETTLED = [BatchNorm(momentum=np.float32(0.5), epsilon=1), LayerNorm(epsilon=1), Dropout(0)]


@pytest.mark.parametrize("layer", SETTLED, ids=repr)
def test_settings_are_floats(layer):
    """A whole number or one of NumPy's is kept as a float, which any file and any repr holds."""
    numbers = [
        value for name, value in layer.config().items() if name in ("momentum", "epsilon", "rate")
    ]
    assert {float} == set(map(type, numbers))


def test_batch_norm_of_one_example():
    """One example has no variance: training refuses it with what to do, prediction takes it."""
    model = Sequential([Dense(3), BatchNorm()], "mean_squared_error", inputs=2, seed=1)
    with pytest.raises(
        ShapeError, match=r"one example in layer 2 \(BatchNorm\), .* batch_size .* LayerNorm"
    ):
        model.forward(np.ones((2, 1)), training=True)
    np.testing.assert_array_equal(model.state[3:], np.ones(3))
    assert model.predict(np.ones((2, 1))).shape == (3, 1)


def test_weight_decay_leaves_gamma_and_beta_alone():
    """Only what is declared to decay does."""
    model = Sequential([Dense(3), BatchNorm(), LayerNorm()], "mean_squared_error", inputs=2)
    assert [W.shape for W in model.decaying] == [(3, 2)]
    assert [sorted(held) for held in model.storage.param_views] == [
        ["W", "b"],
        ["beta", "gamma"],
        ["beta", "gamma"],
    ]


# PyTorch ---------------------------------------------------------------------------------


@pytest.fixture
def torch():
    """Return PyTorch, if it is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch")


def assert_as_torch(torch, layer, theirs, shape, modes, rtol):
    """Compare passes of a layer, one after the other, with those of PyTorch's module on rows."""
    theirs = theirs.double()
    ours = Sequential([layer], "mean_squared_error", shape, "float64", seed=1)
    cache, rng = ours.storage.chain(7).caches[0], np.random.default_rng(5)
    cache.gamma, cache.beta = rng.standard_normal((2, *cache.gamma.shape))
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(cache.gamma).reshape(theirs.weight.shape))
        theirs.bias.copy_(torch.from_numpy(cache.beta).reshape(theirs.bias.shape))
    for training in modes:
        X, Y = rng.standard_normal((2, *shape, 7)) * 3 + 5
        ours.forward(X, training=training)
        ours.back(Y, input_gradient=True)
        rows = torch.from_numpy(np.moveaxis(X, -1, 0).copy()).requires_grad_()
        theirs.train(training)
        theirs.zero_grad()
        A = theirs(rows.reshape(7, -1) if isinstance(layer, BatchNorm) else rows).reshape(7, *shape)
        J = ((A - torch.from_numpy(np.moveaxis(Y, -1, 0).copy())) ** 2).sum() / (2 * 7)
        J.backward()
        pairs = [
            (ours.A[1], np.moveaxis(A.detach().numpy(), 0, -1)),
            (ours.dA[0], np.moveaxis(rows.grad.numpy(), 0, -1) * 7),
            (cache.dgamma.ravel(), theirs.weight.grad.numpy().ravel()),
            (cache.dbeta.ravel(), theirs.bias.grad.numpy().ravel()),
        ]
        if isinstance(layer, BatchNorm):
            pairs.append((cache.running_mean.ravel(), theirs.running_mean.numpy()))
            pairs.append((cache.running_variance.ravel(), theirs.running_var.numpy()))
        for mine, other in pairs:
            np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
@pytest.mark.parametrize(("momentum", "epsilon"), [(0.9, 1e-5), (0.0, 0.1), (0.5, 1e-3)])
def test_batch_norm_as_torch(torch, shape, momentum, epsilon):
    """Forward, gradients and running statistics are PyTorch's, in training and outside."""
    theirs = torch.nn.BatchNorm1d(int(np.prod(shape)), eps=epsilon, momentum=1 - momentum)
    ours = BatchNorm(momentum=momentum, epsilon=epsilon)
    assert_as_torch(torch, ours, theirs, shape, [True, True, False, True, False], 1e-9)


def test_defaults_are_those_of_torch(torch):
    """Without arguments BatchNorm and LayerNorm are PyTorch's."""
    assert_as_torch(torch, BatchNorm(), torch.nn.BatchNorm1d(3), (3,), [True, True, False], 1e-9)
    assert_as_torch(torch, LayerNorm(), torch.nn.LayerNorm(3), (3,), [True, False], 1e-9)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_layer_norm_as_torch(torch, shape, epsilon):
    """Forward and gradients are PyTorch's, over all entries of an example."""
    theirs = torch.nn.LayerNorm(shape, eps=epsilon)
    assert_as_torch(torch, LayerNorm(epsilon=epsilon), theirs, shape, [True, False], 1e-9)
