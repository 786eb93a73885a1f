"""Products of small arrays: on one thread, and equal to those of NumPy. Where arrays begin."""

import numpy as np
import pytest

import tinynet as tn
from tinynet._support import arrays, products

LIMIT, LARGE = products._ONE_THREAD, products._LARGE
ON_ONE_THREAD = arrays.ON_ONE_THREAD


class Counted(np.ndarray):
    """An array that records how many multiplications its products make."""

    made: list = []

    def dot(self, other, out=None):
        self.made.append(self.shape[0] * self.shape[1] * other.shape[1])
        return super().dot(other, out)


SHAPES = [
    (100, 30, 200), (100, 30, 569), (3, 600, 500), (1, 800, 900), (2, 2, 200_000), (700, 900, 1),
    (64, 64, 128), (10, 784, 128), (128, 127, 32), (17, 331, 97),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_are_small_and_equal_the_whole(shape, dtype):
    n, k, m = shape
    rng = np.random.default_rng(1)
    for one, other in (
        (rng.random((n, k), dtype), rng.random((k, m), dtype)),
        (rng.random((n, k), dtype), rng.random((m, k), dtype).T),
        (rng.random((k, n), dtype).T, rng.random((k, m), dtype)),
    ):
        out = np.full((n, m), np.nan, dtype)
        Counted.made.clear()
        products._dot_in_parts(one.view(Counted), other, out)
        np.testing.assert_allclose(out, one @ other, rtol=1e-5 if dtype is np.float32 else 1e-13)
        one_row = k * m
        assert max(Counted.made) < max(LIMIT, one_row + 1), f"a part of {max(Counted.made)}"
        assert sum(Counted.made) == n * one_row, "each row is computed once"


@pytest.mark.parametrize(("multiplications", "in_parts"), [
    (1, False), (LIMIT - 1, False), (LIMIT, True), (LARGE - 1, True), (LARGE, False),
])  # fmt: skip
def test_only_where_threads_cost_more_than_they_save(multiplications, in_parts):
    assert (products.dot_for(multiplications) is not np.ndarray.dot) == in_parts


@pytest.mark.parametrize("m", [100, 200, 600])
def test_a_pass_in_parts_gives_the_same(m, monkeypatch):
    """Whether products are computed in parts changes no more than the last digits."""
    rng, results = np.random.default_rng(1), []
    X, Y = rng.random((30, m)), rng.random((2, m))
    for one_thread in (1 << 9, 1 << 60):
        monkeypatch.setattr(products, "_ONE_THREAD", one_thread)
        layers = [tn.Dense(100, "tanh", l2=0.1), tn.Dense(2)]
        model = tn.Sequential(layers, "mean_squared_error", dtype="float64", seed=1)
        model.forward(X)
        model.back(Y, input_gradient=True)
        results.append([model.grads.copy(), model.A[2].copy(), model.dA[0].copy()])
    for in_parts, whole in zip(*results, strict=True):
        np.testing.assert_allclose(in_parts, whole, atol=1e-12)


@pytest.mark.parametrize("size", [0, 1, ON_ONE_THREAD, ON_ONE_THREAD + 1, 100_000])
def test_sum_of_squares(size):
    vector = np.arange(size) % 7.0
    assert arrays.sum_of_squares(vector) == np.square(vector).sum()
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
