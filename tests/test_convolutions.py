"""Conv2D and Conv1D: by definition, by the course and by PyTorch; and what they refuse."""

import itertools
import math
import tracemalloc

import attrs
import numpy as np
import pytest
from messages import raises, warns

import tinynet as tn
from tinynet import Conv1D, Conv2D, Dense, Flatten, GlobalAveragePool, MaxPool2D, Sequential
from tinynet.errors import ShapeError
from tinynet.layers import lowering

equal, close = np.testing.assert_array_equal, np.testing.assert_allclose

CONVOLUTIONS = [  # and the shape of an example
    (Conv2D(4), (2, 6, 5)), (Conv2D(3, 1), (4, 3, 3)), (Conv2D(3, 1, stride=2), (4, 5, 4)),
    (Conv2D(3, (4, 5)), (2, 4, 5)), (Conv2D(1, (1, 3)), (1, 1, 3)),
    (Conv2D(3, (2, 3), stride=(3, 1)), (3, 9, 6)), (Conv2D(2, 2, stride=(5, 4)), (1, 12, 9)),
    (Conv2D(3, 5, padding="same"), (2, 6, 7)), (Conv2D(2, 4, padding="same"), (1, 5, 5)),
    (Conv2D(4, 3, stride=2, padding="same"), (2, 7, 6)),
    (Conv2D(2, 4, stride=3, padding="same"), (1, 9, 10)),
    (Conv2D(2, 2, padding=3), (2, 3, 4)), (Conv2D(2, (3, 2), padding=(0, 4)), (2, 4, 3)),
    (Conv2D(2, 3, padding=5, stride=4), (1, 5, 6)), (Conv2D(2, 5, padding=2), (1, 2, 1)),
    (Conv2D(3, 3, dilation=2), (2, 8, 9)), (Conv2D(3, (2, 3), dilation=(4, 1)), (2, 7, 5)),
    (Conv2D(2, 3, dilation=(3, 2), padding="same"), (1, 5, 6)),
    (Conv2D(2, 3, dilation=2, stride=2), (2, 9, 10)),
    (Conv2D(2, (3, 4), dilation=(4, 3), stride=(6, 2), padding=(5, 3)), (1, 11, 9)),
    (Conv2D(2, 3, dilation=3, stride=2, padding=4), (2, 6, 7)),
    (Conv2D(4, 3, groups=2, padding="same"), (6, 5, 4)), (Conv2D(6, 2, groups=3), (3, 4, 5)),
    (Conv2D(4, 3, groups=4, stride=2, dilation=2, padding=3), (4, 6, 5)),
    (Conv1D(3), (2, 7)), (Conv1D(3, 1), (2, 4)), (Conv1D(2, 5), (1, 5)),
    (Conv1D(3, 4, padding="same", stride=3), (2, 8)), (Conv1D(3, 2, padding=4), (2, 3)),
    (Conv1D(4, 3, dilation=2, groups=2, stride=3, padding=5), (6, 7)),
]  # fmt: skip
OF_EVERY_KIND = pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=repr)


def pair(value):
    """Return what a setting says of rows and of columns."""
    return value if isinstance(value, tuple) else (value, value)


def zeros_around(n, kernel, stride, dilation, padding):
    """Return how many zeros there are before and after n entries."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return padding, padding
    span, outputs = (kernel - 1) * dilation + 1, int(np.ceil(n / stride))
    total = max(0, (outputs - 1) * stride + span - n)
    return total // 2, total - total // 2


def settings_of(layer, shape):
    """Return kernel, stride, dilation and zeros of each axis; a sequence is an image of one row."""
    fields = (layer.kernel, layer.stride, layer.dilation, layer.padding)
    axes = [values[: len(shape) - 1] for values in map(pair, fields)]
    zeros = [zeros_around(n, *of_axis) for n, *of_axis in zip(shape[1:], *axes, strict=True)]
    if len(shape) == 2:
        return [(1, *of_axis) for of_axis in axes[:2]] + [(1, *axes[2]), [(0, 0), *zeros]]
    return [*axes[:3], zeros]


def by_definition(layer, X, W, b):
    """Return Z, one number after the other."""
    (kh, kw), (sh, sw), (dh, dw), zeros = settings_of(layer, X.shape[:-1])
    is_sequence = X.ndim == 3
    if is_sequence:
        X, W = X[:, np.newaxis], W[:, :, np.newaxis]
    X = np.pad(X, [(0, 0), *zeros, (0, 0)])
    rows = (X.shape[1] - (kh - 1) * dh - 1) // sh + 1
    columns = (X.shape[2] - (kw - 1) * dw - 1) // sw + 1
    Z = np.zeros((layer.units, rows, columns, X.shape[-1]))
    of_group, units = len(X) // layer.groups, layer.units // layer.groups
    for u, r, s in np.ndindex(Z.shape[:-1]):
        channels = X[u // units * of_group :][:of_group]
        window = channels[:, r * sh :: dh, s * sw :: dw][:, :kh, :kw]
        Z[u, r, s] = np.einsum("cij,cijm->m", W[u], window) + b[u]
    return Z[:, 0] if is_sequence else Z


def drawn(layer, shape, m=3, dtype="float64"):
    """Return a model of one layer whose parameters are drawn, X and Y."""
    model, rng = Sequential([layer], "mean_squared_error", shape, dtype), np.random.default_rng(1)
    model.params[:] = rng.standard_normal(model.n_params)
    return model, rng.standard_normal((*shape, m)), rng.standard_normal((*model.outputs, m))


def other_orders(X):
    """Yield X in other orders in memory: rows, Fortran order, and with gaps."""
    yield np.moveaxis(np.moveaxis(X, -1, 0).copy(), 0, -1)
    yield np.asfortranarray(X)
    yield np.repeat(X, 2, axis=-1)[..., ::2]
    yield X[..., ::-1].copy()[..., ::-1]


# By definition


@OF_EVERY_KIND
@pytest.mark.parametrize("m", [1, 3])
def test_by_definition(layer, shape, m):
    """Z is the sum of the formula, in every order in memory."""
    model, X, _ = drawn(layer, shape, m)
    expected = by_definition(layer, X, model.W[1], model.b[1])
    assert expected.shape == (*layer.output_shape(shape), m)
    for A_prev in (X, *other_orders(X)):
        close(model.forward(A_prev), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS[::2], ids=repr)
def test_checks(layer, shape):
    """Each passes the checks of its family."""
    tn.testing.check_layer(layer, shape)


@OF_EVERY_KIND
def test_gradients_in_every_order(layer, shape):
    """Gradients are the same to the bit wherever X lies, and near for dZ in another order."""
    model, X, Y = drawn(layer, shape)
    model.forward(X)
    model.back(Y, input_gradient=True)
    grads, dX = model.grads.copy(), model.dA[0].copy()
    for A_prev in other_orders(X):
        model.forward(A_prev)
        model.back(Y, input_gradient=True)
        equal(model.grads, grads)
        equal(model.dA[0], dX)
    cache = model.caches[0]
    for dZ in other_orders(cache.dZ.copy()):
        close(layer.back(dZ, cache), dX, rtol=1e-12, atol=1e-12)
        close(model.grads, grads, rtol=1e-12, atol=1e-12)


@OF_EVERY_KIND
def test_a_few_rows_at_a_time(layer, shape, monkeypatch):
    """Arrays have the rows that are met, or as many as there is room for; numbers stay the same."""
    found = []
    for most in (1, 50, 500, 1 << 16):
        monkeypatch.setattr(lowering, "_BLOCK", most)
        monkeypatch.setattr(lowering, "_KERNELS", most)
        model, X, Y = drawn(layer, shape)
        of_rows = model.forward_layer(1, np.asfortranarray(X)).copy()  # which a model lays in order
        close(of_rows, model.forward(X), rtol=1e-12, atol=1e-12)
        model.back(Y, input_gradient=True)
        found.append((model.Z[1], model.dW[1], model.dA[0]))
        for ours, expected in zip(found[-1], found[0], strict=True):
            close(ours, expected, rtol=1e-12, atol=1e-12)
        (kh, kw), (stride, _), (dilation, _), _ = settings_of(layer, shape)
        *_, H, W, m = X[:, np.newaxis].shape if X.ndim == 3 else X.shape
        *_, rows, columns, _ = Y[:, np.newaxis].shape if Y.ndim == 3 else Y.shape
        row = {"in_order": shape[0] * W * m, "dlowered": kw * shape[0] * columns * m}
        row["of_rows"], few = model.W[1].size, layer.scratch(shape, m)
        for name, numbers in row.items():
            n_rows = min(rows if name == "of_rows" else H, max(1, most // numbers))
            assert math.prod(few[name]) == n_rows * numbers, f"{name} with room for {most}"
        met = (rows - 1) * stride + (kh - 1) * dilation + 1
        expected = row["dlowered"] * dilation * math.ceil(met / dilation)
        assert expected == math.prod(few["lowered"].shape)


def random_settings(rng):
    """Return a convolution and a shape that it takes."""
    groups = int(rng.integers(1, 4))
    axes = int(rng.integers(1, 3))
    kernel, stride, dilation = rng.integers(1, [[5], [7], [5]], (3, axes))
    padding = ["valid", "same", tuple(rng.integers(0, 6, axes))][rng.integers(3)]
    sizes = rng.integers(1, 11, axes)
    zeros = np.array(padding) if isinstance(padding, tuple) else 0
    if padding != "same":  # what it takes at least
        sizes = np.maximum(sizes, (kernel - 1) * dilation + 1 - 2 * zeros)
    settings = [tuple(map(int, s)) for s in (kernel, stride, dilation)]
    settings = settings if axes == 2 else [s[0] for s in settings]
    if isinstance(padding, tuple):
        padding = tuple(map(int, padding)) if axes == 2 else int(padding[0])
    kind = Conv2D if axes == 2 else Conv1D
    layer = kind(
        groups * int(rng.integers(1, 4)), settings[0], stride=settings[1], dilation=settings[2],
        padding=padding, groups=groups, l2=float(rng.integers(2)),
    )  # fmt: skip
    return layer, (groups * int(rng.integers(1, 3)), *map(int, sizes))


@pytest.mark.parametrize("seed", range(40))
def test_random_settings(seed):
    """Passes are right for settings that nobody chose."""
    rng = np.random.default_rng(seed)
    layer, shape = random_settings(rng)
    model, X, Y = drawn(layer, shape, m=int(rng.integers(1, 4)))
    expected = by_definition(layer, X, model.W[1], model.b[1])
    close(model.forward(X), expected, rtol=1e-12, atol=1e-12, err_msg=f"{layer} {shape}")
    assert tn.testing.check_gradients(model, X, Y) < 1e-6, f"{layer} {shape}"


@OF_EVERY_KIND
def test_single_precision(layer, shape):
    """Passes in float32 are near those in float64, and return float32, in a new array for Z too."""
    double, X, Y = drawn(layer, shape)
    single, *_ = drawn(layer, shape, dtype="float32")
    for model in (double, single):
        model.forward(X)
        model.back(Y, input_gradient=True)
    for ours, expected in ((single.A[1], double.A[1]), (single.dA[0], double.dA[0])):
        assert ours.dtype == np.float32
        close(ours, expected, rtol=1e-4, atol=1e-4)
    close(single.grads, double.grads, rtol=1e-4, atol=1e-4)
    cache, expected = single.caches[0], single.caches[0].Z
    cache.Z = None
    equal(layer.forward(cache.A_prev, cache), expected, strict=True)


def test_a_kernel_as_large_as_the_image_is_dense():
    """Then Z is that of Dense, for the examples as columns."""
    conv, X, _ = drawn(Conv2D(5, (3, 4)), (2, 3, 4))
    dense = Sequential([Dense(5)], "mean_squared_error", 24, "float64")
    dense.params[:] = conv.params
    close(conv.forward(X)[:, 0, 0], dense.forward(X.reshape(24, -1)), rtol=1e-12)


def test_a_step_of_several_batch_sizes():
    """A model that goes from one batch size to another and back has the same results."""
    model, X, Y = drawn(Conv2D(3, 3, padding="same", stride=2), (2, 5, 6), m=7)
    results = []
    for m in (7, 3, 7, 1, 7):
        model.forward(X[..., :m])
        model.back(Y[..., :m], input_gradient=True)
        results.append((m, model.A[1].copy(), model.dA[0].copy(), model.grads.copy()))
    for m, A, dX, grads in results:
        close(A, results[0][1][..., :m], rtol=1e-12, atol=1e-14)
        close(dX, results[0][2][..., :m], rtol=1e-12, atol=1e-14)
        if m == 7:
            equal(grads, results[0][3])


def test_penalty():
    """l2/2 · Σ W² is in the cost, and l2 · W in dW; b is not penalized."""
    plain, X, Y = drawn(Conv2D(4, 2), (2, 4, 3))
    model, *_ = drawn(Conv2D(4, 2, l2=0.3), (2, 4, 3))
    for each in (plain, model):
        each.forward(X)
        each.back(Y)
    W = model.W[1]
    assert model.cost(Y) == pytest.approx(plain.cost(Y) + 0.15 * np.sum(W**2), rel=1e-12)
    close(model.dW[1], plain.dW[1] + 0.3 * W, rtol=1e-12)
    equal(model.db[1], plain.db[1])


# The course, whose arrays are (m, H, W, C) and W (f, f, C_prev, C)


def as_examples_last(A):
    return np.ascontiguousarray(A.transpose(3, 1, 2, 0))


def of_course(A_prev, W, b, **settings):
    """Return a model of one convolution after its pass forward."""
    layer = Conv2D(W.shape[-1], W.shape[:2], **settings)
    X = as_examples_last(A_prev)
    model = Sequential([layer], "mean_squared_error", X.shape[:-1], "float64")
    model.W[1], model.b[1] = W.transpose(3, 2, 0, 1), b.reshape(-1, 1)
    model.forward(X)
    return model


@pytest.mark.parametrize(("m", "mean", "at", "values"), [
    (2, 0.5511276474566764, (0, 2, 1),
     [-2.17796037, 8.07171329, -0.5772704, 3.36286738, 4.48113645, -2.89198428, 10.99288867,
      3.03171932]),
    (10, 0.6923608807576931, (3, 2, 1),
     [-1.28912231, 2.27650251, 6.61941931, 0.95527176, 8.25132576, 2.31329639, 13.00689405,
      2.34576051]),
])  # fmt: skip
def test_conv_forward_of_the_course(m, mean, at, values):
    """The published values of conv_forward, with pad 1 and stride 2."""
    rng = np.random.RandomState(1)
    A_prev, W, b = rng.randn(m, 5, 7, 4), rng.randn(3, 3, 4, 8), rng.randn(1, 1, 1, 8)
    Z = of_course(A_prev, W, b, stride=2, padding=1).Z[1]
    assert np.mean(Z) == pytest.approx(mean, rel=1e-12)
    example, row, column = at
    close(Z[:, row, column, example], values, atol=5e-9)


def test_conv_backward_of_the_course():
    """The published means of conv_backward, which sums over the examples."""
    rng = np.random.RandomState(1)
    A_prev, W, b = rng.randn(10, 4, 4, 3), rng.randn(2, 2, 3, 8), rng.randn(1, 1, 1, 8)
    # The exercise goes back from its Z, in which b was added once for each of 12 products.
    model = of_course(A_prev, W, 12 * b, padding=2)
    model.back_layer(1, model.Z[1].copy())
    dA, dW, db = model.back_layer(1, model.Z[1].copy())[0], model.dW[1], model.db[1]
    assert np.mean(dA) == pytest.approx(9.608990675868993, rel=1e-12)
    assert 10 * np.mean(dW) == pytest.approx(10.581741275547557, rel=1e-12)
    assert 10 * np.mean(db) == pytest.approx(76.37106919563735, rel=1e-12)


# PyTorch


def expect_as_torch(torch, layer, shape, m):
    """Compare Z and all gradients with PyTorch's for the same parameters."""
    model, X, Y = drawn(layer, shape, m)
    model.forward(X)
    model.back(Y, input_gradient=True)
    rows = torch.from_numpy(np.moveaxis(X, -1, 0).copy()).requires_grad_()
    W, b = (torch.from_numpy(a.copy()).requires_grad_() for a in (model.W[1], model.b[1][:, 0]))
    _, stride, dilation, zeros = settings_of(layer, shape)
    n = len(shape) - 1
    sides = [side for of_axis in reversed(zeros[-n:]) for side in of_axis]
    convolve = torch.nn.functional.conv2d if n == 2 else torch.nn.functional.conv1d
    padded = torch.nn.functional.pad(rows, sides)
    Z = convolve(padded, W, b, stride[-n:], 0, dilation[-n:], layer.groups)
    (((Z - torch.from_numpy(np.moveaxis(Y, -1, 0).copy())) ** 2).sum() / (2 * m)).backward()
    last = [np.moveaxis(a.numpy(), 0, -1) for a in (Z.detach(), rows.grad)]
    tolerance = {"rtol": 1e-9, "atol": 1e-9, "err_msg": f"{layer} {shape}"}
    close(model.Z[1], last[0], **tolerance)
    close(model.dA[0], last[1] * m, **tolerance)
    close(model.dW[1], W.grad.numpy() + layer.l2 * model.W[1], **tolerance)
    close(model.db[1][:, 0], b.grad.numpy(), **tolerance)


@OF_EVERY_KIND
def test_as_torch(torch, layer, shape):
    """Z, dA_prev, dW and db are PyTorch's."""
    for m in (1, 4):
        expect_as_torch(torch, layer, shape, m)


def test_random_settings_as_torch(torch):
    """So they are for settings that nobody chose."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        layer, shape = random_settings(rng)
        expect_as_torch(torch, layer, shape, int(rng.integers(1, 5)))


# Training


NETWORK = [
    Conv2D(8, 3, padding="same", l2=1e-4), MaxPool2D(activation="relu"), Conv2D(16, 3, "relu"),
    Flatten(), Dense(10, "softmax"),
]  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    return tn.load_digits()


def test_trains(digits):
    """A small network learns digits, also from images that lie as rows, to the bit."""
    X, y = digits.X_train.reshape(1, 8, 8, -1), digits.y_train
    models = [Sequential(NETWORK, "categorical_crossentropy", (1, 8, 8), seed=1) for _ in range(2)]
    as_rows = next(other_orders(X))
    for model, images in zip(models, (X, as_rows), strict=True):
        model.fit(images, y, tn.Adam(0.01), epochs=3, batch_size=32)
    equal(models[0].params, models[1].params)
    test = digits.X_test.reshape(1, 8, 8, -1)
    assert models[0].evaluate(test, digits.y_test, ["accuracy"])["accuracy"] > 0.9


def test_files(tmp_path):
    """A model with every setting comes back from its file."""
    layers = [
        Conv2D(4, (3, 2), "relu", stride=(1, 2), padding=(1, 0), dilation=2, groups=2, l2=0.1),
        MaxPool2D((2, 1), padding="same"), Conv2D(2, padding="same", init="orthogonal"),
    ]  # fmt: skip
    model = Sequential(layers, "mean_squared_error", (2, 9, 9), seed=1)
    model.save(tmp_path / "net.npz")
    loaded = tn.load(tmp_path / "net.npz")
    assert model.layers == loaded.layers
    X = np.random.default_rng(1).random((2, 9, 9, 5))
    equal(model.predict(X), loaded.predict(X))


def test_the_first_layer_computes_no_gradient_of_its_input():
    """Nobody needs dA[0], unless it is asked for."""
    model, X, Y = drawn(Conv2D(3), (2, 5, 5))
    model.forward(X)
    model.back(Y)
    cache = model.caches[0]
    assert cache.dA_prev is None
    assert np.isnan(cache.dZ_rows).all(), "the rows of dZ are for dA_prev only"


@pytest.mark.parametrize("order", [lambda X: X, lambda X: next(other_orders(X))])
def test_a_step_allocates_no_array_of_a_batch(order):
    """The second step holds less than any array of a batch, and no more with a larger batch."""
    layers = [
        Conv2D(6, 3, "relu", padding="same", l2=0.1), MaxPool2D(3, 2), Conv2D(8, 3, stride=2),
        MaxPool2D(activation="relu"), Conv2D(8, 2, dilation=2, groups=2), GlobalAveragePool(),
        Dense(10),
    ]  # fmt: skip
    peaks = []
    for m in (64, 256):
        model = Sequential(layers, "mean_squared_error", (1, 28, 28), seed=1)
        X = order(np.random.default_rng(1).random((1, 28, 28, m), np.float32))
        Y = np.zeros((10, m), np.float32)
        for _ in range(2):
            tracemalloc.start()
            model.forward(X)
            model.back(Y)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        peaks.append(peak)
    assert max(peaks) < 100_000, f"a step held {peaks} bytes"


def test_predictions_of_many_images_take_little_memory():
    """They are made in parts."""
    model = Sequential(NETWORK, "categorical_crossentropy", (1, 8, 8), seed=1)
    X = np.zeros((1, 8, 8, 20_000), np.float32)
    model.predict(X[..., :10])
    tracemalloc.start()
    A = model.predict(X)
    peak = tracemalloc.get_traced_memory()[1] - A.nbytes
    tracemalloc.stop()
    assert peak < 20e6, f"predict held {peak:,} bytes"


ONE = tn.Initializer.get("constant", value=1.0)


@pytest.mark.parametrize(("layers", "times"), [
    ([Conv2D(4, 2, init=ONE), Conv2D(3, 1, init=ONE)], 1),
    ([Conv2D(4, 2, init=ONE), Conv2D(3, 1)], 0), ([Conv2D(4, 2), Conv2D(3, 1, init=ONE)], 0),
    ([Conv2D(4, 2, init=ONE, groups=2), Conv2D(3, 1, init=ONE)], 0),
    ([Conv2D(4, 2, init=ONE), Conv2D(4, 1, init=ONE, groups=2)], 0),
])  # fmt: skip
def test_units_that_stay_the_same(layers, times):
    """Units that begin alike, and are one for the next convolution, are reported."""

    X, Y = np.random.default_rng(1).random((2, 4, 5, 20)), np.zeros((4, 3, 4, 20))
    model = Sequential(layers, "mean_squared_error", seed=1)
    with warns(*["All 4 units of layer 1 (Conv2D) have the same weights"][:times], times=times):
        model.fit(X, Y[: layers[1].units], epochs=1)


# What check_layer must find


class FlippedConv2D(Conv2D):
    """Its Z has W flipped, and its gradients do not."""

    def forward(self, A_prev, cache):
        W = cache.W.copy()
        cache.W = W[:, :, ::-1, ::-1]
        Z = super().forward(A_prev, cache)
        cache.W = W
        return Z


class SummedConv2D(Conv2D):
    """Its dW is a sum over the examples and no mean."""

    def back(self, dZ, cache):
        dA_prev = super().back(dZ, cache)
        cache.dW *= dZ.shape[-1]
        return dA_prev


class ShiftedConv2D(Conv2D):
    """Its dA_prev is off by one column."""

    def back(self, dZ, cache):
        dA_prev = super().back(dZ, cache)
        dA_prev[...] = np.roll(dA_prev, 1, axis=2)
        return dA_prev


@pytest.mark.parametrize("wrong", [FlippedConv2D, SummedConv2D, ShiftedConv2D])
def test_planted_faults(wrong):
    """A wrong convolution does not pass."""
    with pytest.raises(AssertionError):
        tn.testing.check_layer(wrong(3, 3), (2, 5, 6))


# Settings and shapes


def test_settings_mean_the_same():
    """A number is a pair of it, and a list, as in a file of JSON, is a pair."""
    layer = Conv2D(4, 3, stride=2, padding=1, dilation=1)
    assert layer == Conv2D(4, [3, 3], stride=(2, 2), padding=(1, 1), dilation=[1, 1])
    assert layer == Conv2D.get(layer.config())
    assert repr(Conv2D(4, (3, 5), "relu", groups=2, padding="same")) == (
        "Conv2D(units=4, kernel=(3, 5), activation=ReLU(), padding='same', groups=2)"
    )
    assert (
        repr(Conv1D(4, dilation=2))
        == "Conv1D(units=4, kernel=3, activation=Identity(), dilation=2)"
    )


def test_same_gives_as_many_as_keras():
    """They are ceil(n / stride), whatever the kernel."""
    for n, kernel, stride in itertools.product(range(1, 8), (1, 2, 3, 4), (1, 2, 3, 5)):
        layer = Conv2D(1, kernel, stride=stride, padding="same")
        assert layer.output_shape((1, n, 9)) == (1, -(-n // stride), -(-9 // stride))


def test_what_a_convolution_declares():
    """W is (units, C / groups, kh, kw) and decays; b is (units, 1) and does not."""
    model = Sequential([Conv2D(4, (3, 2), groups=2), Flatten(), Dense(1)], inputs=(6, 5, 5))
    assert model.W[1].shape == (4, 3, 3, 2)
    assert model.b[1].shape == (4, 1)
    assert [W.shape for W in model.decaying] == [(4, 3, 3, 2), (1, 48)]
    assert Sequential([Conv1D(4, 5, groups=2)], inputs=(6, 9)).W[1].shape == (4, 3, 5)


@pytest.mark.parametrize(("layer", "shape", "fit"), [
    (Conv2D(3, (3, 5)), (1, 4, 4), {"kernel": (3, 4)}),
    (Conv2D(3, 4, dilation=3, padding=1), (1, 4, 9), {"kernel": (2, 4)}),
    (Conv1D(3, 5, dilation=2), (1, 4), {"kernel": 2}), (MaxPool2D(3), (1, 2, 5), {"size": (2, 3)}),
])  # fmt: skip
def test_the_remedies_for_large_windows_work(layer, shape, fit):
    """Both the smaller kernel and the padding that the message names give a model."""
    with raises(ShapeError, " or ".join(f"Use {k}={v}" for k, v in fit.items())):
        layer.output_shape(shape)
    for settings in (fit, {"padding": "same"}):
        assert min(attrs.evolve(layer, **settings).output_shape(shape)) >= 1


def test_images_without_channels():
    """The first X has no channels: the message names the layer and the remedy, which works."""
    X, Y = np.random.default_rng(1).random((8, 8, 20)), np.zeros((2, 20))

    def new(**settings):
        layers = [Conv2D(3), GlobalAveragePool(), Dense(2)]
        return Sequential(layers, "mean_squared_error", seed=1, **settings)

    with raises(ShapeError, "layer 1 (Conv2D)", "(8, 8, m)", "(C, H, W, m)", "X[np.newaxis]"):
        new().fit(X, Y)
    new().fit(X[np.newaxis], Y, epochs=1)
    new(inputs=(1, 8, 8)).fit(X[np.newaxis], Y, epochs=1)
    with raises(ShapeError, "X has shape (8, 8, 20), expected (1, 8, 8, m)", "X[np.newaxis]"):
        new(inputs=(1, 8, 8)).fit(X, Y)
    columns = Sequential([tn.Reshape((1, 8, 8)), Conv2D(3)], "mean_squared_error", inputs=(8, 8))
    assert columns.predict(X).shape == (3, 6, 6, 20)


@pytest.mark.parametrize(("given", "inputs", "words", "remedy"), [
    ((20, 3, 8, 8), (3, 8, 8), "np.moveaxis(X, 0, -1)", lambda X: np.moveaxis(X, 0, -1)),
    ((20, 8, 8, 3), (3, 8, 8), "X.transpose(3, 1, 2, 0)", lambda X: X.transpose(3, 1, 2, 0)),
    ((8, 8, 3, 20), (3, 8, 8), "X.transpose(2, 0, 1, 3)", lambda X: X.transpose(2, 0, 1, 3)),
    ((20, 8, 8), (1, 8, 8), "np.moveaxis(X, 0, -1)[np.newaxis]",
     lambda X: np.moveaxis(X, 0, -1)[np.newaxis]),
    ((20, 3, 9), (3, 9), "np.moveaxis(X, 0, -1)", lambda X: np.moveaxis(X, 0, -1)),
    ((20, 9, 3), (3, 9), "X.transpose(2, 1, 0)", lambda X: X.transpose(2, 1, 0)),
    ((9, 20, 3), (3, 9), "X.transpose(2, 0, 1)", lambda X: X.transpose(2, 0, 1)),
    ((9, 3, 20), (3, 9), "X.transpose(1, 0, 2)", lambda X: X.transpose(1, 0, 2)),
    ((27, 20), (3, 9), "X.reshape(3, 9, -1)", lambda X: X.reshape(3, 9, -1)),
    ((20, 64), (1, 8, 8), "X.T.reshape(1, 8, 8, -1)", lambda X: X.T.reshape(1, 8, 8, -1)),
    ((3, 9), (3, 9), "X[..., np.newaxis] for one example", lambda X: X[..., np.newaxis]),
])  # fmt: skip
def test_images_in_another_order(given, inputs, words, remedy):
    """Images and sequences with other axes, as other libraries have them, and the remedy works."""
    kind = Conv2D if len(inputs) == 3 else Conv1D
    model = Sequential([kind(2)], "mean_squared_error", inputs=inputs)
    X = np.zeros(given)
    with raises(ShapeError, f"X has shape {given}", f"Pass {words}."):
        model.forward(X)
    assert model.forward(remedy(X)).shape[-1] == (20 if 20 in given else 1)
