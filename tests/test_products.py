"""Products of small arrays: on one thread, and equal to those of NumPy. Where arrays begin."""

import math
import types

import numpy as np
import pytest

import tinynet as tn
from tinynet._support import arrays, products

LIMIT, LARGE = products._ONE_THREAD, products._LARGE
WITH_VECTOR = products._ONE_THREAD_WITH_VECTOR
ON_ONE_THREAD = arrays.ON_ONE_THREAD


class Counted(np.ndarray):
    """An array that records the shapes (n, k, m) of its products."""

    made: list = []

    def dot(self, other, out=None):
        self.made.append((*self.shape, other.shape[1]))
        return super().dot(other, out)

    @classmethod
    def matmul(cls, one, other, out):
        cls.made.append((*one.shape, other.shape[1]))
        return np.matmul(one, other, out)


SHAPES = [
    (100, 30, 200), (100, 30, 569), (3, 600, 500), (1, 800, 900), (2, 2, 200_000), (700, 900, 1),
    (64, 64, 128), (10, 784, 128), (128, 127, 32), (17, 331, 97), (2, 1, 2),
    (30, 64, 784), (4, 8000, 50), (2, 300_000, 3), (2, 200_000, 4), (1, 100, 6000), (900, 700, 1),
    (5, 100_000, 1), (7, 1, 100_000), (1, 300_000, 2),
    (1, 20_000, 1), (1, 1, 20_000), (20_000, 1, 1), (2, 20_000, 1),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_are_small_and_equal_the_whole(shape, dtype, monkeypatch):
    counted = types.SimpleNamespace(ndarray=Counted, matmul=Counted.matmul)
    monkeypatch.setattr(products, "np", counted)
    n, k, m = shape
    rng = np.random.default_rng(1)
    for one, other in (
        (rng.random((n, k), dtype), rng.random((k, m), dtype)),
        (rng.random((n, k), dtype), rng.random((m, k), dtype).T),
        (rng.random((k, n), dtype).T, rng.random((k, m), dtype)),
    ):
        out = np.full((n, m), np.nan, dtype)
        Counted.made.clear()
        assert products.product(one.view(Counted), other, out) is out
        np.testing.assert_allclose(out, one @ other, rtol=1e-4 if dtype is np.float32 else 1e-12)
        threaded = [made for made in Counted.made if math.prod(made) >= limit_of(made)]
        assert threaded == [], "parts that several threads would compute"
        assert sum(map(math.prod, Counted.made)) == n * k * m, "nothing is computed twice"


def limit_of(shape):
    """Return from how many multiplications on a product is computed in parts."""
    of_vectors = sum(size > 1 for size in shape) <= 1
    if of_vectors:
        return ON_ONE_THREAD
    return WITH_VECTOR if 1 in (shape[0], shape[2]) else LIMIT


@pytest.mark.parametrize(
    "shape", [(100, 30, 174), (1, 800, 575), (1, ON_ONE_THREAD - 1, 1), (2000, 40, 100)], ids=str
)
def test_what_has_one_part_is_the_product_itself(shape):
    n, k, m = shape
    rng = np.random.default_rng(1)
    one, other, out = rng.random((n, k)), rng.random((k, m)), np.empty((n, m))
    Counted.made.clear()
    products.product(one.view(Counted), other, out)
    assert [shape] == Counted.made
    np.testing.assert_array_equal(one.dot(other), out)


@pytest.mark.parametrize(("multiplications", "longest", "in_parts"), [
    (1, 1, False), (WITH_VECTOR - 1, 1000, False), (WITH_VECTOR, 1000, True),
    (LARGE - 1, 1000, True), (LARGE, 1000, False), (WITH_VECTOR - 1, ON_ONE_THREAD - 1, False),
    (ON_ONE_THREAD, ON_ONE_THREAD, True),
])  # fmt: skip
def test_only_where_threads_cost_more_than_they_save(multiplications, longest, in_parts):
    assert (products.dot_for(multiplications, longest) is not np.ndarray.dot) == in_parts


class Recording(tn.Dense):
    """A layer that records the function of its products."""

    dots: list = []

    def bind_forward(self, cache):
        self.dots.append(cache.dot)
        return super().bind_forward(cache)


@pytest.mark.parametrize(("inputs", "units", "m", "in_parts"), [
    (2, 4, 32, False),
    (2, 4, 20_000, True),  # the sum of dZ over the examples is a product of two vectors
    (20_000, 1, 1, True),  # and so is Z
    (1, 20_000, 1, True),
    (30, 100, 569, True),
    (30, 100, 700, False),  # 2,100,000 multiplications
    (784, 128, 32, False),
])  # fmt: skip
def test_a_model_knows_where_products_are_small(inputs, units, m, in_parts):
    Recording.dots.clear()
    model = tn.Sequential([Recording(units)], "mean_squared_error", inputs=inputs, seed=1)
    model.forward(np.ones((inputs, m), np.float32))
    expected = products.product if in_parts else np.ndarray.dot
    assert {expected} == set(Recording.dots)


@pytest.mark.parametrize("m", [100, 200, 600])
def test_a_pass_in_parts_gives_the_same(m, monkeypatch):
    """Whether products are computed in parts changes no more than the last digits."""
    rng, results = np.random.default_rng(1), []
    X, Y = rng.random((30, m)), rng.random((2, m))
    for one_thread in (1 << 9, 1 << 60):
        monkeypatch.setattr(products, "_ONE_THREAD", one_thread)
        monkeypatch.setattr(products, "_ONE_THREAD_WITH_VECTOR", one_thread)
        monkeypatch.setattr(products, "ON_ONE_THREAD", one_thread >> 4)
        layers = [tn.Dense(100, "tanh", l2=0.1), tn.Dense(1, "tanh"), tn.Dense(2)]
        model = tn.Sequential(layers, "mean_squared_error", dtype="float64", seed=1)
        model.forward(X)
        model.back(Y, input_gradient=True)
        results.append([model.grads.copy(), model.A[3].copy(), model.dA[0].copy()])
    for in_parts, whole in zip(*results, strict=True):
        np.testing.assert_allclose(in_parts, whole, atol=1e-12)


@pytest.mark.parametrize("size", [0, 1, ON_ONE_THREAD, ON_ONE_THREAD + 1, 100_000])
def test_sum_of_squares(size):
    vector = np.arange(size) % 7.0
    assert arrays.sum_of_squares(vector) == np.square(vector).sum()
    assert arrays.sum_of_products(vector, vector + 1) == (vector * (vector + 1)).sum()
    for at in {0, size - 1} & set(range(size)):
        vector[at] = np.nan
        assert not arrays.all_finite(vector), f"NaN at {at} of {size}"


@pytest.mark.parametrize("size", [1, 2 * ON_ONE_THREAD, 2 * ON_ONE_THREAD + 1])
def test_squares_that_overflow(size):
    """Their sum is infinite, and the numbers count as finite."""
    vector = np.full(size, 1e30, np.float32)
    with np.errstate(over="ignore"):
        assert arrays.sum_of_squares(vector) == np.inf
        assert arrays.all_finite(vector)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_begin_at_a_line_of_the_cache(dtype):
    """The arrays of every pass do, whatever their sizes, and are known as the model's own."""
    layers = [tn.Dense(7, "relu"), tn.BatchNorm(activation="tanh"), tn.LayerNorm(), tn.Dense(3)]
    model = tn.Sequential(layers, "mean_squared_error", inputs=5, dtype=dtype, seed=1)
    for m in (3, 8):
        model.forward(np.ones((5, m)), training=True)
        model.back(np.ones((3, m)))
        for l, cache in enumerate(model.caches, start=1):
            names = ["Z", "A", "dZ", "dA", *layers[l - 1].scratch((7,), m)]
            found = {name: getattr(cache, name).ctypes.data % 64 for name in names}
            assert found == dict.fromkeys(names, 0), f"layer {l}, m = {m}"
            assert model.storage.holds(cache.Z[:1]), f"layer {l}, m = {m}"


def test_arrays_of_ones_begin_at_a_line_of_the_cache():
    """The matrix above the ones of a batch normalization begins there, and the ones stay ones."""
    model = tn.Sequential([tn.BatchNorm()], "mean_squared_error", inputs=8, seed=1)
    model.forward(np.ones((8, 256)), training=True)
    with_ones = model.caches[0].with_ones
    assert (with_ones.shape, with_ones.ctypes.data % 64) == ((10, 256), 0)
    assert (with_ones[8:] == 1).all()


@pytest.mark.parametrize("m", [ON_ONE_THREAD, ON_ONE_THREAD + 1, 20_000])
def test_many_examples_are_checked_in_parts(m):
    model = tn.Sequential([tn.Dense(2, "relu")], "mean_squared_error", inputs=2, dtype="float64")
    X = np.ones((2, m))
    model.forward(X)
    X[1, m - 1] = np.nan
    with pytest.raises(tn.errors.NonFiniteError, match=f"X\\[1, {m - 1}\\] is nan"):
        model.forward(X)


def test_the_weighted_mean_of_many_losses():
    each, w = np.arange(20_000) % 5.0, np.arange(20_000) % 3.0
    assert tn.Loss.mean(each, w) == (each * w).sum() / 20_000
