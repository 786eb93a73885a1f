"""What training allocates and copies; and results that no block size changes."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from helpers import registered

import tinynet as tn
from tinynet import BatchNorm, Dense, Dropout, Flatten, LayerNorm, Reshape, schedules
from tinynet._support import blocks
from tinynet.activations.base import bound_activation
from tinynet.data.batches import ArrayBatches
from tinynet.layers.base import means
from tinynet.optimizers import base

OPTIMIZERS = [
    tn.SGD(0.1), tn.SGD(0.1, momentum=0.9, dampening=0.5),
    tn.SGD(0.1, momentum=0.9, nesterov=True), tn.SGD(0.1, clip_norm=1e-3),
    tn.SGD(schedules.Exponential(0.1, 0.99), clip_value=1e-6), tn.Adam(0.01),
    tn.Adam(schedules.Warmup(5, 0.01), clip_norm=1e-3), tn.AdamW(0.01), tn.Nadam(0.01),
    tn.Adam(0.01, amsgrad=True), tn.Lion(0.01, weight_decay=0.1), tn.SGD(0.1, weight_decay=0.1),
    tn.RMSprop(0.01), tn.RMSprop(0.01, momentum=0.9, centered=True), tn.Adagrad(0.01),
]  # fmt: skip
BLOCK = tn.Residual([Dense(150, "relu"), tn.Residual([BatchNorm()]), Dense(200)], activation="relu")
BY_BLOCKS = sorted(registered(tn.Activation).keys() - {"softmax"})
# NumPy adds b to Z through a buffer of at most 8,192 numbers.
NUMPY_BUFFER = 8192 * 8 + 4096
equal = np.testing.assert_array_equal


def network(hidden="relu", outputs="softmax", loss="categorical_crossentropy", l2=0.0):
    """Return a model whose arrays are all larger than NumPy's buffers, and a batch for it."""
    layers = [Dense(200, hidden, l2=l2), Dense(180, hidden), Dense(170, outputs)]
    model, rng = tn.Sequential(layers, loss, inputs=300, seed=1), np.random.default_rng(1)
    assert min(layer.units for layer in layers) * 256 * 4 > NUMPY_BUFFER
    X, Y = rng.random((300, 256), np.float32), np.eye(170, dtype=np.float32)
    return model, X, Y[:, rng.integers(170, size=256)]


def peak_of(call):
    """Return the most bytes held at a time in a call, after a first one."""
    call()
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def expect_no_array(step):
    """Expect that the second step and later ones hold no array of a batch."""
    peak = peak_of(step)
    assert peak < NUMPY_BUFFER, f"a step held {peak:,} bytes"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("hidden", ["identity", "relu", "sigmoid", "tanh"])
def test_a_step_allocates_no_array(hidden, optimizer):
    """The second step and all later ones use the arrays of the first."""
    model, X, Y = network(hidden, l2=0.01)
    optimizer.reset()
    expect_no_array(lambda: (model.forward(X), model.back(Y), optimizer.step(model)))


@pytest.mark.parametrize(("outputs", "loss"), [
    ("tanh", "mean_squared_error"), ("sigmoid", "huber"), ("tanh", "mean_absolute_error"),
    ("softmax", tn.losses.CategoricalCrossentropy(label_smoothing=0.1, ignore=-1)),
    ("tanh", "log_cosh"), ("softmax", "kl_divergence"),
])  # fmt: skip
def test_a_loss_without_its_partner_allocates_no_array(outputs, loss):
    """Where back-propagation begins at dA[L], that too is written into an array that is there."""
    model, X, Y = network("tanh", outputs, loss)
    expect_no_array(lambda: (model.forward(X), model.back(Y)))


@pytest.mark.parametrize("layer", [
    tn.Activate("relu"), BatchNorm(), BatchNorm(activation="relu"), Dropout(0.2), LayerNorm(),
    Reshape((20, 10)), tn.PReLU(), BLOCK,
    tn.Branches([[Dense(90, "tanh"), Dense(100)], [Dense(110)]], activation="relu"),
    tn.Branches([[Dense(200)]]),
    tn.Branches([[Dense(200)], [BLOCK], [tn.Residual([Dense(200)])]], join="add"),
    tn.Residual([Reshape((20, 10)), tn.Bidirectional(Dropout(0.2)), Flatten(), Dense(200)]),
    tn.Residual([Reshape((5, 40)), tn.Bidirectional(tn.SimpleRNN(5, True)), Flatten(), Dense(200)]),
    tn.Residual([Reshape((200, 1)), tn.Conv1D(200, 1, l2=0.1), Flatten()]),
    tn.Residual([Reshape((100, 2)), tn.GlobalAveragePool(), Dense(200)]),
    tn.Residual([Reshape((2, 10, 10)), tn.AveragePool2D(3, 1, "same"), Flatten()]),
    LayerNorm(over="example"), tn.Residual([Reshape((2, 100)), LayerNorm(), Flatten()]),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("training", [False, True])
def test_a_pass_of_every_layer_allocates_no_array(layer, training):
    """Neither forward nor back needs an array as large as a batch, in layer 1 or later."""
    after = [Flatten() if isinstance(layer, Reshape) else Dropout(0.1), Dense(170)]
    layers = [layer, *after, Dense(200), layer, *after]
    model = tn.Sequential(layers, "mean_squared_error", inputs=200, seed=1)
    rng = np.random.default_rng(1)
    X, Y = rng.random((200, 256), np.float32), rng.random((170, 256), np.float32)
    expect_no_array(lambda: (model.forward(X, training=training), model.back(Y)))


def test_long_columns_of_means_are_freed():
    """A column as long as a large batch is not held when its model is gone."""
    column = weakref.ref(means(1 << 15, np.dtype(np.float32))[1])
    gc.collect()
    assert column() is None


@pytest.mark.parametrize("shape", [(900, 1), (7, 140), (7, 900)], ids=str)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax"])
def test_a_bound_activation_allocates_no_array(name, shape):
    """What a model calls for A and dZ computes in these arrays, whether they are small or large."""
    Z, dA = np.random.default_rng(1).standard_normal((2, *shape))
    A, dZ = np.empty_like(Z), np.empty_like(Z)
    forward, back = bound_activation(tn.Activation.get(name), Z, A, dZ)
    held = {"forward": peak_of(lambda: forward(Z)), "back": peak_of(lambda: back(dA, Z, A))}
    if name == "softmax":  # NumPy subtracts a row through a buffer
        del held["back"]
    assert max(held.values()) < Z.nbytes / 2, held


class Watch(tn.Callback):
    """Measure what steps of `fit` hold, and what they have left, after the first `warm` steps."""

    def __init__(self, warm):
        self.warm, self.steps, self.peak, self.left, self.begin = warm, 0, 0, 0, 0

    def on_batch_begin(self, batch, logs):
        tracemalloc.reset_peak()
        self.before, _ = tracemalloc.get_traced_memory()

    def on_batch_end(self, batch, logs):
        after, peak = tracemalloc.get_traced_memory()
        self.steps += 1
        self.begin = after if self.steps <= self.warm else self.begin
        if self.steps > self.warm:
            self.peak, self.left = max(self.peak, peak - self.before), after - self.begin


@pytest.mark.parametrize("batch_size", [128, 100])
def test_a_step_of_fit_allocates_no_array(batch_size):
    """Beside the few numbers that a loss of few outputs computes, steps of `fit` hold no array."""
    (hidden, X, _), watch = network(outputs="relu"), Watch(warm=3)
    model = tn.Sequential([*hidden.layers, Dense(5)], "mean_squared_error", inputs=300, seed=1)
    settings = {"batch_size": batch_size, "sample_weight": np.arange(1, 257), "callbacks": [watch]}
    tracemalloc.start()
    model.fit(X, X[:5], tn.Adam(1e-4), epochs=3, **settings)
    tracemalloc.stop()
    assert watch.steps == 6 + 3 * (batch_size == 100)
    assert 0 < watch.peak < NUMPY_BUFFER, f"a step held {watch.peak:,} bytes"


def left_by(step, steps):
    """Return the bytes that steps leave behind. In the first ones NumPy fills its own caches."""
    for number in range(300 + steps):
        step()
        if number == 299:
            before, _ = tracemalloc.get_traced_memory()
    return tracemalloc.get_traced_memory()[0] - before


def test_four_thousand_steps_leave_nothing():
    """Memory does not grow with the steps of `fit`, or of passes, through layers of every kind."""
    layers = [Reshape((2, 1)), Flatten(), Dense(4, "relu"), BatchNorm(), Dropout(0.1), LayerNorm()]
    layers += [Dense(1), tn.Activate("sigmoid")]
    model = tn.Sequential(layers, "binary_crossentropy", inputs=2, seed=1)
    X, watch, optimizer = np.ones((2, 4_400), np.float32), Watch(warm=200), tn.Adam(1e-6)
    X[:, ::2] = 0
    x, y = X[:, :4].copy(), X[:1, :4].copy()
    tracemalloc.start()
    model.fit(X, X[:1], optimizer, batch_size=2, callbacks=[watch])
    left = left_by(
        lambda: (model.forward(x, training=True), model.back(y), optimizer.step(model)), 2_000
    )
    tracemalloc.stop()
    assert watch.left < 400, f"2,000 steps of fit left {watch.left} bytes behind"
    assert left < 400, f"2,000 steps left {left} bytes behind"


def expect_nothing_left(optimizer, *activations):
    """Expect that steps of an optimizer through these activations leave nothing behind."""
    layers = [Dense(3, name) for name in activations]
    model = tn.Sequential(layers, "mean_squared_error", inputs=3, seed=1)
    X = np.ones((3, 2), np.float32)
    tracemalloc.start()
    left = left_by(lambda: (model.forward(X), model.back(X), optimizer.step(model)), 200)
    tracemalloc.stop()
    assert left < 1_000, f"200 steps left {left} bytes behind"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_steps_of_every_optimizer_leave_nothing(optimizer):
    """Memory does not grow with its steps."""
    expect_nothing_left(optimizer.fresh(), "tanh", "softmax")


def test_steps_through_every_activation_leave_nothing():
    """Memory does not grow with passes through activations of every kind."""
    expect_nothing_left(tn.SGD(0.1), "softmax", *BY_BLOCKS)


def test_the_last_batch_has_its_arrays():
    """An epoch's full batches and its smaller last one find their arrays again."""
    model, X, Y = network()
    model.fit(X, Y, batch_size=100)
    full, odd = model.storage.chain(100), model.storage.chain(56)
    model.fit(X, Y, batch_size=100)
    assert model.storage.chain(100) is full
    assert model.storage.chain(56) is odd
    assert (full.m, odd.m) == (100, 56)


def test_predict_has_no_arrays_of_the_way_back():
    """What predict computes with has Z and A, and no dZ and dA."""
    cache, *_ = network()[0].storage.private_chain(3).caches
    assert {"Z", "A", "dZ", "dA"} & vars(cache).keys() == {"Z", "A"}


def test_predict_stores_small_arrays():
    """Those for four batch sizes serve again, without X; large ones are freed."""
    model, X, _ = network()
    A = model.predict(X[:, :2])
    before = A.copy()
    for m in (1, 2, 3, 4):
        model.predict(X[:, :m])
    stored = dict(model.storage._idle)
    assert stored.keys() == {1, 2, 3, 4}
    chains = [chain for idle in stored.values() for chain in idle]
    for m in (1, 2, 3, 4):
        model.predict(-X[:, :m])
    assert [chain for idle in model.storage._idle.values() for chain in idle] == chains
    assert all(chain.first.A_prev is None for chain in chains)
    equal(A, before)
    model.predict(np.ones((len(X), 10_000)))
    assert 10_000 not in model.storage._idle
    model.predict(X[:, :5])
    assert model.storage._idle.keys() == {5}


def test_few_batch_sizes_have_arrays():
    """With each new batch size the arrays of the oldest of four are freed."""
    model, *_ = network()
    chains = [weakref.ref(model.use_chain(m)) for m in range(1, 7)]
    gc.collect()
    assert [chain() is not None for chain in chains] == [False] * 2 + [True] * 4


@pytest.mark.parametrize(("l2", "expected"), [(0.0, {"like_Z"}), (0.1, {"like_Z", "l2_W"})])
def test_scratch_only_for_what_is_computed(l2, expected):
    """A layer without a penalty asks for no array as large as W."""
    assert expected == Dense(3, l2=l2).scratch((4,), 5).keys()


def test_one_array_where_an_activation_does_nothing():
    """Without an activation A is Z and dZ is dA, the same array; with one they are two."""
    model = tn.Sequential([Dense(3), Dense(2, "tanh")], "huber", inputs=4, seed=1)
    model.forward(np.ones((4, 5)))
    model.back(np.ones((2, 5)))
    same = [(model.A[l] is model.Z[l], model.dZ[l] is model.dA[l]) for l in (1, 2)]
    assert [(True, True), (False, False)] == same


class Computing(tn.Layer):
    """Declare three numbers and two bits for each example, and an array that has none of them."""

    def scratch(self, input_shape, m):
        bits = tn.layers.Scratch((2, m), dtype=bool)
        return {"numbers": (3, m), "bits": bits, "of_layer": (5, 5)}

    def forward(self, A_prev, cache):
        return A_prev.copy()

    def back(self, dZ, cache):
        return dZ.copy()


@pytest.mark.parametrize(("layers", "inputs", "numbers"), [
    ([Computing()], (4,), 2 * 4 + 2 * 4 + 5), ([Flatten()], (2, 3), 2 * 6 + 2 * 6),
    ([Computing(), Reshape((2, 2))], (4,), 2 * 4 + (2 * 4 + 5) + 2 * 4),
])  # fmt: skip
def test_examples_of_a_pass(layers, inputs, numbers):
    """X and its cast, Z, A and what is computed in are in bounds of 8 MB, and 256 kB when idle."""
    storage = tn.Sequential(layers, inputs=inputs, dtype="float64").storage
    assert numbers == storage.numbers_an_example
    assert (2**23 // 8 // numbers, 2**18 // 8 // numbers) == (
        storage.examples_at_a_time, storage.idle_examples
    )  # fmt: skip
    large = tn.Sequential([Flatten()], inputs=10**6).storage
    assert (32, 0) == (large.examples_at_a_time, large.idle_examples)


VIEWS = {
    "itself": lambda A: A, "slice": lambda A: A[:, 1:4], "reversed": lambda A: A[:, ::-1],
    "reshaped": lambda A: A.reshape(2, 2, -1).reshape(A.shape), "T": lambda A: A.T.T,
}  # fmt: skip
USES = {
    "forward": lambda model, X, Y: (model.forward(X), model.back(Y)),
    "fit": lambda model, X, Y: model.fit(X, Y, batch_size=None, epochs=3, validation_data=(X, Y)),
    "layer": lambda model, X, Y: (model.forward_layer(3, X), model.back_layer(3, Y)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("name", ["A1", "A3", "Z2", "dA2", "dZ3", "dA0", "W3", "dW1", "dW2"])
def test_an_X_that_lies_in_the_model(name, use):
    """It is copied before a pass or a step overwrites it; so are views of it."""
    X, Y = np.random.default_rng(0).standard_normal((2, 4, 6))
    layers = [Dense(4, "tanh"), Dense(4, "tanh"), Dense(4)]
    for view in VIEWS.values():
        results = []
        for copied in (np.copy, lambda part: part):
            model = tn.Sequential(layers, "mean_squared_error", 4, "float64", seed=1)
            model.forward(X)
            model.back(Y, input_gradient=True)
            part = copied(view(getattr(model, name[:-1])[int(name[-1])]))
            use(model, part, Y[:, : part.shape[1]])
            results.append((model.grads, model.params))
        equal(*results)


@pytest.mark.parametrize("name", ["W", "dW"])
def test_a_first_X_that_lies_in_the_model(name):
    """It is copied before the first pass too, and a step does not move it."""
    results = []
    for copied in (np.copy, lambda part: part):
        model = tn.Sequential([Dense(4)], "mean_squared_error", 4, "float64", seed=1)
        model.fit(copied(getattr(model, name)[1]), np.ones((4, 4)), epochs=3)
        results.append(model.params)
    equal(*results)


def test_rows_are_not_copied():
    """X.T of an array with an example in each row is gathered as it is; columns are copied once."""
    rows, Y = np.random.default_rng(1).random((50, 7)), np.ones((1, 50))
    columns = np.ascontiguousarray(rows.T)
    assert np.shares_memory(ArrayBatches((rows.T, Y, None), 10).rows[0], rows)
    assert not np.shares_memory(ArrayBatches((columns, Y, None), 10).rows[0], columns)


@pytest.mark.parametrize("shuffle", [True, False])
def test_memory_order_makes_no_difference_to_fit(shuffle):
    """X in rows and in columns gives the same parameters, bit for bit."""
    trained = []
    for order in "CF":
        model, *arrays = network()
        arrays = [np.array(array, order=order) for array in arrays]
        model.fit(*arrays, epochs=2, batch_size=60, shuffle=shuffle)
        trained.append(model.params)
    equal(*trained)


# Results by blocks


@pytest.mark.parametrize("name", ["softmax", *BY_BLOCKS])
def test_formulas_in_blocks_hold_blocks(name):
    """An activation computes in `out`, or holds only arrays as large as a block."""
    activation = tn.Activation.get(name)
    Z = np.random.default_rng(1).standard_normal((1000, 500)).astype(np.float32)
    A, dZ = activation.forward(Z), np.empty_like(Z)
    for call in (lambda: activation.forward(Z, out=A), lambda: activation.back(Z, Z, A, out=dZ)):
        peak = peak_of(call)
        assert peak < Z.nbytes / 2, f"it held {peak:,} bytes for an array of {Z.nbytes:,}"


@pytest.mark.parametrize("name", BY_BLOCKS)
def test_formulas_by_blocks(name, monkeypatch):
    """An activation gives the same numbers whether its array is one block or many."""
    activation, results = tn.Activation.get(name), []
    Z, dA = np.random.default_rng(1).standard_normal((2, 13, 17))
    for block in (10, 221, 1000):
        monkeypatch.setattr(blocks, "_BLOCK", block)
        A, dZ = activation.forward(Z, out=np.full_like(Z, np.nan)), np.full_like(Z, np.nan)
        results.append((A, activation.back(dA, Z, A, out=dZ), activation.forward(Z)))
        np.testing.assert_allclose(results[-1], results[0], rtol=1e-14)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_updates_by_blocks(optimizer, monkeypatch):
    """A vector of several blocks and a bit moves as it does in one piece."""
    rng, moved = np.random.default_rng(1), []
    start, gradients = rng.standard_normal(1003), rng.standard_normal((3, 1003))
    for block in (100, 1003, 5000):
        monkeypatch.setattr(base, "_BLOCK", block)
        optimizer = optimizer.fresh()
        moved.append(start.copy())
        for grads in gradients:
            optimizer.update(moved[-1], grads)
        equal(moved[0], moved[-1])
    assert not np.any(moved[0] == start), "every parameter moves"


@pytest.mark.parametrize("lie_as", ["rows", "columns"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("shape", [(300,), (10, 6, 5)], ids=str)
def test_fit_copies_all_examples_at_most_once(lie_as, dtype, shape):
    """X is cast to rows, or copied to rows, but not both; rows of the dtype are not copied."""
    X = np.arange(6_000 * 300).reshape(6_000, *shape).astype(dtype)
    X = np.moveaxis(X % 7, 0, -1) if lie_as == "rows" else np.moveaxis(X % 7, 0, -1).copy()
    Y = X.reshape(300, -1)[:1].astype(np.float32)
    layers = [Flatten(), Dense(1)] if len(shape) > 1 else [Dense(1)]
    models = [tn.Sequential(layers, "mean_squared_error", inputs=shape, seed=1) for _ in range(2)]
    tracemalloc.start()
    models[0].fit(X, Y, tn.SGD(1e-6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    copies = 0 if lie_as == "rows" and dtype is np.float32 else 1
    in_bytes = 4 * X.size
    assert copies * in_bytes < peak < (copies + 0.5) * in_bytes
    models[1].fit(np.ascontiguousarray(X, np.float32), Y, tn.SGD(1e-6))
    equal(*[model.params for model in models])


def test_frozen_layers_keep_subnormal_parameters():
    """A frozen layer stays as it is, bit for bit."""
    model = tn.Sequential([Dense(2), Dense(1)], "mean_squared_error", inputs=2, seed=1)
    model.W[1] = before = np.full((2, 2), 1e-40, np.float32)
    X = np.ones((2, 8), np.float32)
    model.fit(X, X[:1], epochs=1, callbacks=[tn.Freeze([1])])
    np.testing.assert_array_equal(model.W[1], before)


@pytest.mark.parametrize(("l2", "optimizer"), [
    (10.0, tn.SGD(0.09)), (0.0, tn.AdamW(0.5, weight_decay=1.8)),
], ids=repr)  # fmt: skip
def test_weight_decay_leaves_no_subnormal_parameter(l2, optimizer):
    """Where all gradients are 0, W shrinks to 0, and not to a number that is slow."""
    model = tn.Sequential([Dense(3, l2=l2), Dense(1)], "mean_squared_error", inputs=2, seed=1)
    X = np.zeros((2, 64), np.float32)
    while model.W[1].any():  # an epoch multiplies it by 0.1: some seven would be subnormal
        model.fit(X, X[:1], optimizer.fresh(), batch_size=None)
        left = np.abs(model.params[model.params != 0])
        assert not (left < np.finfo(np.float32).tiny).any()


def test_a_model_frees_what_its_passes_need():
    """No column of a number for each position and example outlives the model."""
    X = np.zeros((3, 16, 16, 64), np.float32)
    layers = [tn.Conv2D(4, 1), tn.BatchNorm(), tn.Dense(3), tn.LayerNorm()]

    def use():
        model = tn.Sequential(layers, "mean_squared_error", inputs=X.shape[:-1])
        for m in (16, 32, 64):
            model.back(np.zeros_like(model.forward(X[..., :m], training=True)))

    use()
    gc.collect()
    tracemalloc.start()
    try:
        use()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < X[0, ..., 0].nbytes * 16, f"{held} bytes are held after the model is gone"
