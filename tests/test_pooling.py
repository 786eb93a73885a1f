"""MaxPool2D, AveragePool2D and GlobalAveragePool: by definition, by the course and by PyTorch."""

import tracemalloc

import numpy as np
import pytest

import tinynet as tn
from tinynet import (
    AveragePool2D,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool2D,
    Sequential,
)

equal, close = np.testing.assert_array_equal, np.testing.assert_allclose

SETTINGS = [  # of a pooling, and the shape of an example
    ({}, (3, 4, 6)), ({}, (2, 5, 7)), ({"size": 1}, (2, 3, 4)), ({"size": (1, 2)}, (1, 1, 4)),
    ({"size": (4, 3)}, (2, 4, 3)), ({"size": 3, "stride": 2}, (2, 7, 8)),
    ({"size": 3, "stride": 2}, (2, 6, 6)), ({"size": 3, "stride": 1}, (2, 5, 4)),
    ({"size": 2, "stride": (3, 5)}, (2, 9, 8)),
    ({"size": (2, 3), "stride": (1, 2)}, (2, 4, 9)), ({"padding": "same"}, (2, 5, 7)),
    ({"size": 3, "stride": 2, "padding": "same"}, (2, 6, 7)),
    ({"size": 4, "stride": 1, "padding": "same"}, (1, 5, 3)),
    ({"size": 2, "stride": 3, "padding": "same"}, (1, 7, 9)),
    ({"size": 2, "padding": 1}, (2, 4, 5)), ({"size": 3, "padding": 1}, (2, 6, 6)),
    ({"size": 3, "stride": 2, "padding": 1}, (2, 6, 7)),
    ({"size": (5, 2), "stride": (2, 1), "padding": (2, 0)}, (2, 6, 3)),
    ({"size": 3, "stride": 1, "padding": 2}, (1, 1, 2)),
]  # fmt: skip
LAYERS = [(kind(**how), shape) for kind in (MaxPool2D, AveragePool2D) for how, shape in SETTINGS]
LAYERS += [(GlobalAveragePool(), shape) for shape in ((3, 4, 5), (3, 7), (2, 1, 1), (1, 2, 3, 2))]
OF_EVERY_KIND = pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)


def pair(value):
    """Return what a setting says of rows and of columns."""
    return value if isinstance(value, tuple) else (value, value)


def starts(n, size, stride, padding):
    """Return where windows on n entries begin, below 0 within padding."""
    before = after = padding if isinstance(padding, int) else 0
    if padding == "same":
        total = max(0, (int(np.ceil(n / stride)) - 1) * stride + size - n)
        before, after = total // 2, total - total // 2
    return range(-before, n + after - size + 1, stride)


def windows(layer, shape):
    """Yield each window as its row and column in Z, and the slices of the image that it has."""
    stride = layer.size if layer.stride is None else layer.stride
    settings = zip(*map(pair, (layer.size, stride, layer.padding)), strict=True)
    axes = [
        [slice(max(0, start), min(n, start + size)) for start in starts(n, size, step, padding)]
        for n, (size, step, padding) in zip(shape[1:3], settings, strict=True)
    ]
    for r, rows in enumerate(axes[0]):
        for s, columns in enumerate(axes[1]):
            yield r, s, rows, columns


def by_definition(layer, X, dZ):
    """Return Z and dA_prev, one window after the other."""
    dX = np.zeros_like(X)
    if isinstance(layer, GlobalAveragePool):
        axes = tuple(range(1, X.ndim - 1))
        dX += np.expand_dims(dZ / np.prod(X.shape[1:-1]), axes)
        return X.mean(axis=axes), dX
    Z = np.zeros_like(dZ)
    for r, s, rows, columns in windows(layer, X.shape):
        window, part = X[:, rows, columns], dX[:, rows, columns]
        if isinstance(layer, AveragePool2D):
            Z[:, r, s] = window.mean(axis=(1, 2))
            part += (dZ[:, r, s] / (window.shape[1] * window.shape[2]))[:, np.newaxis, np.newaxis]
            continue
        for c, i in np.ndindex(len(X), X.shape[-1]):
            at = np.unravel_index(np.argmax(window[c, ..., i]), window.shape[1:3])
            Z[c, r, s, i] = window[c, ..., i][at]
            part[c, ..., i][at] += dZ[c, r, s, i]
    return Z, dX


def passes(layer, X, dZ):
    """Return Z and dA_prev of a layer."""
    model = Sequential([layer], "mean_squared_error", X.shape[:-1], X.dtype.name)
    Z = model.forward(X).copy()
    return Z, model.back_layer(1, dZ)[0].copy()


def drawn(layer, shape, m=3, digits=None):
    """Return X, whose numbers are often equal if they have few digits, and dZ."""
    rng = np.random.default_rng(1)
    X, dZ = rng.standard_normal((*shape, m)), rng.standard_normal((*layer.output_shape(shape), m))
    return (X if digits is None else X.round(digits)), dZ


def other_orders(X):
    """Yield X in other orders in memory: rows, Fortran order, and with gaps."""
    yield np.moveaxis(np.moveaxis(X, -1, 0).copy(), 0, -1)
    yield np.asfortranarray(X)
    yield np.repeat(X, 2, axis=-1)[..., ::2]


# By definition


@OF_EVERY_KIND
@pytest.mark.parametrize(("m", "digits"), [(1, None), (3, None), (3, 0)])
def test_by_definition(layer, shape, m, digits):
    """Z and dA_prev are those of the formula, with equal entries too, in every order in memory."""
    X, dZ = drawn(layer, shape, m, digits)
    expected = by_definition(layer, X, dZ)
    for A_prev in (X, *other_orders(X)):
        for of_Z in (dZ, *other_orders(dZ)):
            for ours, right in zip(passes(layer, A_prev, of_Z), expected, strict=True):
                close(ours, right, rtol=1e-12, atol=1e-14)


@OF_EVERY_KIND
def test_checks(layer, shape):
    """Each passes the checks of its family."""
    tn.testing.check_layer(layer, shape)


@OF_EVERY_KIND
def test_forward_without_an_array_for_Z(layer, shape):
    """Where ``cache.Z`` is None, `forward` makes an array like it, with the same numbers."""
    X, _ = drawn(layer, shape)
    model = Sequential([layer], "mean_squared_error", shape, "float32")
    expected = model.forward(X)
    cache = model.caches[0]
    cache.Z = None
    equal(layer.forward(cache.A_prev, cache), expected, strict=True)


def test_the_first_of_equal_entries():
    """dZ goes to the first, row by row, and to no other."""
    X = np.zeros((1, 4, 4, 1))
    X[0, 1, 0] = X[0, 0, 1] = 1  # of these the one in row 0 is first
    Z, dX = passes(MaxPool2D(2), X, np.full((1, 2, 2, 1), 5.0))
    equal(Z[0, ..., 0], [[1, 0], [0, 0]])
    equal(dX[0, ..., 0], [[0, 5, 5, 0], [0, 0, 0, 0], [5, 0, 5, 0], [0, 0, 0, 0]])


def test_padding_is_never_the_largest():
    """A window of negative entries has a negative maximum, and an average of what is there."""
    X = np.full((1, 3, 3, 2), -2.0)
    for kind in (MaxPool2D, AveragePool2D):
        for padding in (1, "same"):
            model = Sequential([kind(3, 2, padding)], inputs=(1, 3, 3))
            equal(model.predict(X), np.full((1, 2, 2, 2), -2.0))


def test_relu_after_the_maximum_is_relu_before_it():
    """The two orders have the same A, and the same gradients."""
    X, Y = np.random.default_rng(1).standard_normal((2, 2, 6, 6, 5))
    results = []
    for layers in ([Conv2D(3, 1, init="normal"), MaxPool2D(activation="relu")],
                   [Conv2D(3, 1, "relu", init="normal"), MaxPool2D()]):  # fmt: skip
        layers += [Flatten(), Dense(2)]
        model = Sequential(layers, "mean_squared_error", (2, 6, 6), "float64", seed=1)
        model.forward(X)
        model.back(Y[:, 0, 0], input_gradient=True)
        results.append((model.A[4].copy(), model.dA[0].copy(), model.grads.copy()))
    for one, other in zip(*results, strict=True):
        close(one, other, rtol=1e-12, atol=1e-15)


def test_the_largest_number():
    """The largest number of the precision is a maximum like any other."""
    X = np.zeros((1, 2, 2, 1), np.float32)
    X[0, 1, 1] = np.finfo(np.float32).max
    Z, dX = passes(MaxPool2D(2), X, np.ones((1, 1, 1, 1), np.float32))
    equal(Z.ravel(), X[0, 1, 1])
    equal(dX.ravel(), [0, 0, 0, 1])


# The course, whose arrays are (m, H, W, C)


def as_examples_last(A):
    return np.ascontiguousarray(np.asarray(A).transpose(3, 1, 2, 0))


POOL_FORWARD = [  # kind, size, stride, rows of A_prev, A
    (MaxPool2D, 3, 1, 5,
     [[[[1.74481176, 0.90159072, 1.65980218], [1.74481176, 1.46210794, 1.65980218],
        [1.74481176, 1.6924546, 1.65980218]],
       [[1.14472371, 0.90159072, 2.10025514], [1.14472371, 0.90159072, 1.65980218],
        [1.14472371, 1.6924546, 1.65980218]],
       [[1.13162939, 1.51981682, 2.18557541], [1.13162939, 1.51981682, 2.18557541],
        [1.13162939, 1.6924546, 2.18557541]]],
      [[[1.19891788, 0.84616065, 0.82797464], [0.69803203, 0.84616065, 1.2245077],
        [0.69803203, 1.12141771, 1.2245077]],
       [[1.96710175, 0.84616065, 1.27375593], [1.96710175, 0.84616065, 1.23616403],
        [1.62765075, 1.12141771, 1.2245077]],
       [[1.96710175, 0.86888616, 1.27375593], [1.96710175, 0.86888616, 1.23616403],
        [1.62765075, 1.12141771, 0.79280687]]]]),
    (MaxPool2D, 3, 2, 5,
     [[[[1.74481176, 0.90159072, 1.65980218], [1.74481176, 1.6924546, 1.65980218]],
       [[1.13162939, 1.51981682, 2.18557541], [1.13162939, 1.6924546, 2.18557541]]],
      [[[1.19891788, 0.84616065, 0.82797464], [0.69803203, 1.12141771, 1.2245077]],
       [[1.96710175, 0.86888616, 1.27375593], [1.62765075, 1.12141771, 0.79280687]]]]),
    (AveragePool2D, 3, 2, 5,
     [[[[-0.03010467, -0.00324021, -0.33629886], [0.12893444, 0.22242847, 0.1250676]],
       [[-0.38268052, 0.23257995, 0.6259979], [-0.09525515, 0.268511, 0.46605637]]],
      [[[-0.17313416, 0.32377198, -0.34317572], [0.02030094, 0.14141479, -0.01231585]],
       [[0.42944926, 0.08446996, -0.27290905], [0.15077452, 0.28911175, 0.00123239]]]]),
    (MaxPool2D, 4, 1, 4,
     [[[[1.74481176, 1.6924546, 2.10025514]]], [[[1.19891788, 1.51981682, 2.18557541]]]]),
    (AveragePool2D, 4, 1, 4,
     [[[[-0.09498456, 0.11180064, -0.14263511]]], [[[-0.09525108, 0.28325018, 0.33035185]]]]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "size", "stride", "rows", "A"), POOL_FORWARD)
def test_pool_forward_of_the_course(kind, size, stride, rows, A):
    """The published values of pool_forward."""
    A_prev = np.random.RandomState(1).randn(2, rows, rows, 3)
    model = Sequential([kind(size, stride)], inputs=(3, rows, rows), dtype="float64")
    close(model.predict(as_examples_last(A_prev)), as_examples_last(A), atol=5e-9)


@pytest.mark.parametrize(("kind", "at_1_1"), [
    (MaxPool2D, [[0, 0], [5.05844394, -1.68282702], [0, 0]]),
    (AveragePool2D,
     [[0.08485462, 0.2787552], [1.26461098, -0.25749373], [1.17975636, -0.53624893]]),
])  # fmt: skip
def test_pool_backward_of_the_course(kind, at_1_1):
    """The published values of pool_backward, of the second example in its second row."""
    rng = np.random.RandomState(1)
    X, dZ = as_examples_last(rng.randn(5, 5, 3, 2)), as_examples_last(rng.randn(5, 4, 2, 2))
    assert np.mean(dZ) == pytest.approx(0.14571390272918056, rel=1e-12)
    _, dX = passes(kind(2, 1), X, dZ)
    close(dX[:, 1, :, 1].T, at_1_1, atol=5e-9)


# PyTorch


def of_torch(torch, layer, rows):
    """Return PyTorch's pooling of rows; its padding goes to half of the size."""
    pool = torch.nn.functional
    if isinstance(layer, GlobalAveragePool):
        return rows.mean(dim=tuple(range(2, rows.ndim)))
    stride = None if layer.stride is None else pair(layer.stride)
    padding = (0, 0) if layer.padding == "valid" else pair(layer.padding)
    if isinstance(layer, MaxPool2D):
        return pool.max_pool2d(rows, pair(layer.size), stride, padding)
    how = {"count_include_pad": False}
    return pool.avg_pool2d(rows, pair(layer.size), stride, padding, **how)


def has_torch(layer):
    """Return whether PyTorch has such a pooling."""
    padding = getattr(layer, "padding", "valid")
    if isinstance(padding, str):
        return padding == "valid"
    return all(2 * p <= k for p, k in zip(pair(padding), pair(layer.size), strict=True))


AS_TORCH = [(layer, shape) for layer, shape in LAYERS if has_torch(layer)]


@pytest.mark.parametrize(("layer", "shape"), AS_TORCH, ids=repr)
@pytest.mark.parametrize(("m", "digits"), [(1, None), (4, None), (4, 0)])
def test_as_torch(torch, layer, shape, m, digits):
    """Z and dA_prev are PyTorch's, with equal entries too."""
    X, dZ = drawn(layer, shape, m, digits)
    rows = torch.from_numpy(np.moveaxis(X, -1, 0).copy()).requires_grad_()
    Z = of_torch(torch, layer, rows)
    Z.backward(torch.from_numpy(np.moveaxis(dZ, -1, 0).copy()))
    ours = passes(layer, X, dZ)
    close(ours[0], np.moveaxis(Z.detach().numpy(), 0, -1), rtol=1e-9, atol=1e-9)
    close(ours[1], np.moveaxis(rows.grad.numpy(), 0, -1), rtol=1e-9, atol=1e-9)


# In a model


@pytest.mark.parametrize("m", [1, 64])
def test_a_pass_allocates_no_array_of_a_batch(m):
    """The second step needs no array of a batch: beside NumPy's own buffers, hardly anything."""
    layers = [
        MaxPool2D(3, 1, "same"), MaxPool2D(), AveragePool2D(3, 2, padding=1), GlobalAveragePool(),
    ]  # fmt: skip
    model = Sequential(layers, "mean_squared_error", (8, 40, 40), seed=1)
    X, Y = np.ones((8, 40, 40, m), np.float32), np.zeros((8, m), np.float32)
    peaks = []
    for _ in range(4):
        tracemalloc.start()
        model.forward(X)
        model.back(Y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    buffers = 3 * np.getbufsize() * X.itemsize  # a buffer for each array of a call of NumPy
    rest = min(peaks) - buffers  # Python may hold a few bytes more in one step than in another
    assert rest < 2_000, f"a step held {rest:,} bytes beside NumPy's buffers"


def test_masks_are_booleans():
    """What a maximum remembers takes one byte for each window."""
    model = Sequential([MaxPool2D(), Flatten(), Dense(1)], "mean_squared_error", (2, 6, 6))
    cache = model.storage.chain(5).caches[0]
    assert cache.is_largest.dtype == cache.is_open.dtype == bool
    assert cache.is_open.shape == (2, 3, 3, 5)


def test_sequences_to_columns():
    """The average over the times of a sequence is what Dense takes, whatever their number."""
    layers = [Conv1D(4, 3, "relu"), GlobalAveragePool(), Dense(2)]
    for T in (3, 10):
        model = Sequential(layers, "mean_squared_error", inputs=(2, T), seed=1)
        X, Y = np.random.default_rng(1).random((2, T, 6)), np.ones((2, 6))
        assert tn.testing.check_gradients(model, X, Y) < 1e-6


# What check_layer must find


class AllEqualMaxPool2D(MaxPool2D):
    """Its dZ goes to each of several equal entries."""

    def back(self, dZ, cache):
        cache.is_open.fill(True)
        dA_prev = cache.dA_prev
        for r, s, rows, columns in windows(self, cache.A_prev.shape):
            part = cache.A_prev[:, rows, columns] == cache.Z[:, r : r + 1, s : s + 1]
            dA_prev[:, rows, columns] = part * dZ[:, r : r + 1, s : s + 1]
        return dA_prev


class CountsPaddingAveragePool2D(AveragePool2D):
    """Its dA_prev is divided by the size of a window, whatever of it is in the image."""

    def back(self, dZ, cache):
        dA_prev = cache.dA_prev
        dA_prev.fill(0)
        for r, s, rows, columns in windows(self, dA_prev.shape):
            dA_prev[:, rows, columns] += dZ[:, r : r + 1, s : s + 1] / np.prod(pair(self.size))
        return dA_prev


def test_planted_faults():
    """A wrong pooling does not pass, except where windows do not overlap and have their entries."""
    tn.testing.check_layer(AllEqualMaxPool2D(2), (2, 4, 6))
    with pytest.raises(AssertionError):
        tn.testing.check_layer(AllEqualMaxPool2D(3, 1), (2, 4, 6))
    tn.testing.check_layer(CountsPaddingAveragePool2D(2), (2, 4, 6))
    with pytest.raises(AssertionError):
        tn.testing.check_layer(CountsPaddingAveragePool2D(2, padding=1), (2, 4, 6))


# Settings and shapes


def test_settings_mean_the_same():
    """A stride that is None is the size; a number is a pair of it."""
    assert MaxPool2D(2) == MaxPool2D((2, 2)) == MaxPool2D([2, 2])
    assert MaxPool2D(3).output_shape((1, 9, 10)) == MaxPool2D(3, 3).output_shape((1, 9, 10))
    layer = AveragePool2D((2, 3), 2, padding=(1, 2), activation="tanh")
    assert layer == AveragePool2D.get(layer.config())
    assert repr(layer) == (
        "AveragePool2D(size=(2, 3), stride=2, padding=(1, 2), activation=Tanh())"
    )
