"""What training allocates: arrays once, then nothing; and what is computed by blocks is what is computed at once."""

import tracemalloc

import numpy as np
import pytest

import tinynet as tn
from tinynet import schedules
from tinynet._support import blocks as _out
from tinynet._support.blocks import with_out
from tinynet.data.batches import ArrayBatches
from tinynet.optimizers import base

OPTIMIZERS = [
    tn.SGD(0.1),
    tn.SGD(0.1, momentum=0.9, dampening=0.5),
    tn.SGD(0.1, momentum=0.9, nesterov=True),
    tn.SGD(0.1, clip_norm=1e-3),
    tn.SGD(schedules.Exponential(0.1, 0.99), clip_value=1e-6),
    tn.Adam(0.01),
    tn.Adam(schedules.Warmup(5, 0.01), clip_norm=1e-3),
    tn.AdamW(0.01),
    tn.Nadam(0.01),
    tn.RMSprop(0.01),
    tn.RMSprop(0.01, momentum=0.9, centered=True),
    tn.Adagrad(0.01),
]
# The library's own; other tests may have registered others.
BY_BLOCKS = [
    name
    for name, cls in sorted(tn.Activation._classes.items())
    if cls.__module__ == tn.activations.__name__ and name != "softmax"
]
# NumPy adds b to Z through a buffer of its own, of at most 8,192 numbers.
NUMPY_BUFFER = 8192 * 8 + 4096


def network(hidden="relu", outputs="softmax", loss="categorical_crossentropy", l2=0.0, inputs=300):
    """Return a model whose arrays are all larger than NumPy's buffers, and a batch for it."""
    model = tn.Sequential(
        [tn.Dense(200, hidden, l2=l2), tn.Dense(180, hidden), tn.Dense(170, outputs)],
        loss,
        inputs=inputs,
        seed=1,
    )
    rng = np.random.default_rng(1)
    X, Y = (
        rng.random((inputs, 256), np.float32),
        np.eye(170, dtype=np.float32)[:, rng.integers(170, size=256)],
    )
    return model, X, Y


def held_by(function, first=1):
    """Return the most bytes held at one time in a call of a function, and those left, by tracemalloc."""
    function()
    tracemalloc.start()
    for _ in range(first):  # NumPy fills caches of its own in the first calls
        function()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    function()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before, after - before


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("hidden", ["identity", "relu", "sigmoid", "tanh"])
def test_a_step_allocates_no_array(hidden, optimizer):
    """The second step and all later ones make do with the arrays of the first."""
    model, X, Y = network(hidden, l2=0.01)
    optimizer.reset()

    def step():
        model.forward(X)
        model.back(Y)
        optimizer.step(model)

    smallest = min(model.A[l].nbytes for l in model.A) if step() is None else 0
    assert smallest > NUMPY_BUFFER, "the network must be large enough to tell"
    peak, left = held_by(step)
    assert peak < NUMPY_BUFFER, (
        f"a step held {peak:,} bytes; the smallest array of a batch has {smallest:,}"
    )
    assert left < 200, f"a step left {left} bytes behind"


@pytest.mark.parametrize(
    "hidden",
    ["elu", "gelu", "hard_sigmoid", "leaky_relu", "mish", "selu", "silu", "softmax", "softplus"],
)
def test_formulas_in_blocks_hold_blocks(hidden):
    """An activation that needs arrays on the way computes in `out`, or holds only some as large as a block."""
    activation = tn.Activation.get(hidden)
    Z = np.random.default_rng(1).standard_normal((1000, 500)).astype(np.float32)
    A, dZ = activation.forward(Z), np.empty_like(Z)
    for call in (lambda: activation.forward(Z, out=A), lambda: activation.back(Z, Z, A, out=dZ)):
        peak, _ = held_by(call)
        assert peak < Z.nbytes / 2, f"it held {peak:,} bytes for an array of {Z.nbytes:,}"


@pytest.mark.parametrize(("outputs", "loss"), [
    ("tanh", "mean_squared_error"), ("sigmoid", "huber"), ("tanh", "mean_absolute_error"),
])  # fmt: skip
def test_a_loss_without_its_partner_allocates_no_array(outputs, loss):
    """Where back-propagation begins at dA[L], that too is written into an array that is there."""
    model, X, Y = network("tanh", outputs, loss)

    def step():
        model.forward(X)
        model.back(Y)

    peak, _ = held_by(step)
    assert peak < NUMPY_BUFFER


@pytest.mark.parametrize(
    "layer",
    [
        tn.Activate("relu"), tn.BatchNorm(), tn.BatchNorm(activation="relu"), tn.Dropout(0.2), tn.LayerNorm(),
        tn.Reshape((20, 10)),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("training", [False, True])
def test_a_pass_of_every_layer_allocates_no_array(layer, training):
    """Neither forward nor back needs an array as large as a batch, at the first layer or within."""
    dense = [
        tn.Dense(200),
        tn.Flatten() if isinstance(layer, tn.Reshape) else tn.Dropout(0.1),
        tn.Dense(170),
    ]
    model = tn.Sequential(
        [layer, *dense[1:], *dense[:1], layer, *dense[1:]], "mean_squared_error", inputs=200, seed=1
    )
    rng = np.random.default_rng(1)
    X, Y = rng.random((200, 256), np.float32), rng.random((170, 256), np.float32)

    def step():
        model.forward(X, training=training)
        model.back(Y)

    peak, left = held_by(step, first=20)
    assert peak < NUMPY_BUFFER, f"a step held {peak:,} bytes"
    assert left < 200, f"a step left {left} bytes behind"


def test_ten_thousand_steps_leave_nothing():
    """Memory does not grow."""
    model = tn.Sequential(
        [tn.Dense(4, "relu"), tn.Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1
    )
    X, Y, optimizer = np.ones((2, 4), np.float32), np.ones((1, 4), np.float32), tn.Adam()

    def steps():
        for _ in range(10_000):
            model.forward(X)
            model.back(Y)
            optimizer.step(model)

    model.forward(X)
    _, left = held_by(steps)
    assert left < 1_000, f"10,000 steps left {left} bytes behind"


def test_the_odd_last_batch_keeps_its_caches():
    """An epoch's full batches and its smaller last one find their arrays again."""
    model, X, Y = network()
    model.fit(X, Y, batch_size=100)
    full, odd = model.storage.chain(100), model.storage.chain(56)
    model.fit(X, Y, batch_size=100)
    assert model.storage.chain(100) is full
    assert model.storage.chain(56) is odd


@pytest.mark.parametrize(("l2", "expected"), [(0.0, {"dZ_mean"}), (0.1, {"dZ_mean", "l2_W"})])
def test_room_only_for_what_is_computed(l2, expected):
    """A layer without a penalty asks for no array as large as W."""
    assert expected == tn.Dense(3, l2=l2).scratch((4,), 5).keys()


def test_rows_are_not_copied():
    """X.T of an array with an example in each row is gathered from where it lies; columns are copied once."""
    rows = np.random.default_rng(1).random((50, 7))
    Y = np.ones((1, 50))
    assert np.shares_memory(ArrayBatches([rows.T, Y], 10).rows[0], rows)
    assert not np.shares_memory(ArrayBatches([np.ascontiguousarray(rows.T), Y], 10).rows[0], rows)


@pytest.mark.parametrize("shuffle", [True, False])
def test_memory_order_makes_no_difference_to_fit(shuffle):
    """X in rows and in columns gives the same parameters, bit for bit."""
    trained = []
    for order in "CF":
        model, X, Y = network()
        model.fit(
            np.array(X, order=order),
            np.array(Y, order=order),
            epochs=2,
            batch_size=60,
            shuffle=shuffle,
        )
        trained.append(model.params)
    np.testing.assert_array_equal(trained[0], trained[1])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_updates_by_blocks(optimizer, monkeypatch):
    """A vector of several blocks and a bit moves as it does in one piece."""
    rng, moved = np.random.default_rng(1), []
    start, gradients = rng.standard_normal(1003), rng.standard_normal((3, 1003))
    for block in (100, 1003, 5000):
        monkeypatch.setattr(base, "_BLOCK", block)
        optimizer = tn.Optimizer.get(optimizer.config())
        params = start.copy()
        for grads in gradients:
            optimizer.update(params, grads)
        moved.append(params)
    np.testing.assert_array_equal(moved[0], moved[1])
    np.testing.assert_array_equal(moved[0], moved[2])
    assert not np.any(moved[0] == start), "every parameter moves"


@pytest.mark.parametrize("name", BY_BLOCKS)
def test_formulas_by_blocks(name, monkeypatch):
    """An activation gives the same numbers whether its array is one block or many."""
    rng, activation = np.random.default_rng(1), tn.Activation.get(name)
    Z, dA = rng.standard_normal((2, 13, 17))
    results = []
    for block in (10, 221, 1000):
        monkeypatch.setattr(_out, "_BLOCK", block)
        A = activation.forward(Z, out=np.full_like(Z, np.nan))
        results.append(
            (A, activation.back(dA, Z, A, out=np.full_like(Z, np.nan)), activation.forward(Z))
        )
    for result in results[1:]:
        for expected, actual in zip(results[0], result, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_loss_of_a_user_without_out():
    """A loss written as `back(self, A, Y)` serves all the same: its result is copied to where it is wanted."""

    class Squared(tn.Loss):
        def value(self, A, Y):
            return float(((A - Y) ** 2).sum() / A.shape[-1])

        def back(self, A, Y):
            return 2 * (A - Y)

    tn.testing.check_loss(Squared())
    A, Y, out = np.ones((2, 3)), np.zeros((2, 3)), np.empty((2, 3))
    assert with_out(Squared().back)(A, Y, out=out) is out
    np.testing.assert_array_equal(out, np.full((2, 3), 2.0))
