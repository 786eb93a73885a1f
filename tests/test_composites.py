"""Layers made of layers: the same chain, one level down."""

import copy
import gc
import io
import weakref
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from messages import raises, warns

import tinynet as tn
from tinynet import Bidirectional, Branches, Dense, Residual, Sequential
from tinynet.errors import NonFiniteError, ShapeError
from tinynet.layers import Composite

M = 12  # examples
rng = np.random.default_rng(1)
X, Y = rng.standard_normal((3, M)), rng.standard_normal((2, M))


@attrs.frozen
class Sum(tn.Layer):
    """Z = the sum of what chains make of A_prev, written with the seam alone."""

    chains: tuple

    def forward(self, A_prev, cache):
        return sum(chain.forward(A_prev) for chain in cache.chains)

    def back(self, dZ, cache):
        return sum(chain.back(dZ) for chain in cache.chains)


@attrs.frozen
class Scaled(Composite):
    """Z = g · what a chain makes of half of A_prev, with a parameter g of its own."""

    def chain_input_shape(self, input_shape):
        return (input_shape[0] - 1,)

    def output_shape(self, input_shape):
        return (2,)

    def parameters(self, input_shape):
        return {"g": tn.Parameter((2, 1), tn.Initializer.get("constant", value=1.0))}

    def forward(self, A_prev, cache):
        cache.inner = cache.chains[0].forward(A_prev[:-1])
        return cache.g * cache.inner

    def back(self, dZ, cache):
        cache.dg = (dZ * cache.inner).mean(axis=1, keepdims=True)
        dA_prev = np.zeros_like(cache.A_prev)
        dA_prev[:-1] = cache.chains[0].back(cache.g * dZ)
        return dA_prev


RNN = tn.SimpleRNN(1, sequences=True)
REGULAR = Residual([tn.BatchNorm(), tn.Dropout(0.3), Dense(3, "tanh", l2=0.1)])
BRANCHES = Branches([[Dense(4, "relu"), Dense(2, "tanh")], [Dense(2)]])
DEEP = Residual([
    Branches([[Dense(2, "tanh")], [REGULAR, Dense(1)]]),
    tn.Reshape((1, 3)), Bidirectional(Residual([RNN, RNN])), tn.Flatten(), Dense(3),
])  # fmt: skip
BLOCKS = {  # layers made of layers for three inputs; paths of W, in a model whose layer 2 it is
    "residual": (Residual([Dense(4, "tanh"), Dense(3)]), [1, (2, 1), (2, 2), 3]),
    "with an activation": (Residual([Dense(3, "sigmoid")], activation="tanh"), [1, (2, 1), 3]),
    "with state, draws and a penalty": (REGULAR, [1, (2, 3), 3]),
    "concatenated": (BRANCHES, [1, (2, 1, 1), (2, 1, 2), (2, 2, 1), 3]),
    "added": (
        Branches([[Dense(2)], [Dense(4, "elu"), Dense(2)], [Dense(2, "tanh")]], join="add"),
        [1, (2, 1, 1), (2, 2, 1), (2, 2, 2), (2, 3, 1), 3]),
    "one branch": (Branches([[Dense(4, "elu"), Dense(2)]], join="add"), [1, (2, 1), (2, 2), 3]),
    "a custom sum": (Sum(((Dense(3),), (Dense(3, "tanh"),))), [1, (2, 1, 1), (2, 2, 1), 3]),
    "a parameter of its own": (Scaled([Dense(2, "sigmoid")]), [1, (2, 1), 3]),
    "nested": (
        Residual([Dense(3, "tanh"), Residual([Dense(5, "elu"), Dense(3)])]),
        [1, (2, 1), (2, 2, 1), (2, 2, 2), 3]),
    "three deep": (
        DEEP,
        [1, (2, 1, 1, 1), (2, 1, 2, 1, 3), (2, 1, 2, 2), (2, 3, 1, 1, 1), (2, 3, 1, 1, 2),
         (2, 3, 2, 1, 1), (2, 3, 2, 1, 2), (2, 5), 3]),
}  # fmt: skip
of_every_block = pytest.mark.parametrize("block", [b for b, _ in BLOCKS.values()], ids=BLOCKS)


def model(block, **kwargs):
    """Return a model whose layer 2 is the block."""
    options = {"inputs": 3, "dtype": "float64", "seed": 4} | kwargs
    return Sequential([Dense(3, "tanh"), block, Dense(2)], "mean_squared_error", **options)


def trained(net, **kwargs):
    net.fit(X, Y, tn.AdamW(0.01, weight_decay=0.1), **({"epochs": 3, "batch_size": 5} | kwargs))
    return net


@pytest.mark.parametrize(("block", "paths"), BLOCKS.values(), ids=BLOCKS)
def test_paths(block, paths):
    """Parameters are listed depth first, by paths, and the flat vector has them in this order."""
    net = model(block)
    assert list(net.W) == paths
    flat = np.concatenate([view.ravel() for view in net.get_parameters().values()])
    np.testing.assert_array_equal(flat, net.params)
    for path in net.W:
        net.W[path] = np.full(net.W[path].shape, 0.5)
        assert np.shares_memory(net.W[path], net.params), path
        assert (net.W[path] == 0.5).all(), path
    labels = [line.split()[0] for line in str(net.summary()).splitlines()[2:]]
    assert {".".join(map(str, np.atleast_1d(path))) for path in net.W} <= set(labels), labels


@of_every_block
def test_checks(block):
    """Gradients, modes, memory orders: whatever is checked in a layer holds for its chains."""
    tn.testing.check_layer(block, 3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("end", ["sigmoid", "identity"])
def test_a_chain_is_its_layers(end, training):
    """A chain is computed as the same layers in a model are, bit for bit, in every array."""
    inner = [Dense(4, "tanh", l2=0.1), tn.LayerNorm(), tn.BatchNorm(), tn.Dropout(0.3)]
    inner.append(Dense(3, end))
    flat = Sequential(inner, "mean_squared_error", inputs=3, dtype="float64", seed=2)
    deep = Sequential([Residual(inner)], "mean_squared_error", inputs=3, dtype="float64", seed=2)
    np.testing.assert_array_equal(flat.params, deep.params)
    np.testing.assert_array_equal(X + flat.forward(X, training), deep.forward(X, training))
    np.testing.assert_array_equal(flat.state, deep.state)
    target = rng.standard_normal((3, M))
    deep.back(target, input_gradient=True)
    dX = dA = deep.dZ[1].copy()
    for l in (5, 4, 3, 2, 1):
        dX = flat.back_layer(l, dX)[0]
    np.testing.assert_array_equal(dA + dX, deep.dA[0])
    np.testing.assert_array_equal(flat.grads, deep.grads)
    for name in ("Z", "A", "dZ", "dA"):
        expected, actual = getattr(flat, name), getattr(deep, name)
        for l in range(1, 6):
            np.testing.assert_array_equal(expected[l], actual[1, l], err_msg=f"{name}[1, {l}]")


@of_every_block
def test_trains(block):
    """Training lowers the cost, and predicting draws nothing and changes nothing."""
    net = model(block)
    costs = net.fit(X, Y, tn.Adam(0.02), epochs=60, batch_size=6)["loss"]
    assert costs[-1] < costs[0], costs
    values = net.values.copy()
    np.testing.assert_array_equal(net.predict(X), net.predict(X))
    np.testing.assert_array_equal(net.forward(X), net.predict(X))
    np.testing.assert_array_equal(values, net.values)


@of_every_block
def test_files(block):
    """A model comes back from its file, and from its description, with every inner array."""
    net, file = trained(model(block)), io.BytesIO()
    net.save(file)
    file.seek(0)
    back = tn.load(file)
    assert net.layers == back.layers
    np.testing.assert_array_equal(net.values, back.values)
    np.testing.assert_array_equal(net.predict(X), back.predict(X))


@of_every_block
def test_resume(block, tmp_path):
    """A run that is stopped in an epoch continues as one that never was, draws included."""

    class Stop(tn.Callback):
        def on_batch_end(self, batch, logs):
            if self.run.epoch == 1 and batch == 2 and not resumed:
                raise KeyboardInterrupt

    path, resumed = tmp_path / "run.npz", []
    options = {"optimizer": tn.Adam(0.01), "epochs": 4, "batch_size": 5}
    whole, stopped = model(block), model(block)
    whole.fit(X, Y, **options)
    options["optimizer"] = tn.Adam(0.01)
    stopped.fit(X, Y, **options, callbacks=[Stop()], checkpoint=path, checkpoint_every=1)
    assert not np.array_equal(whole.params, stopped.params), "the run was not stopped"
    resumed.append(True)
    net, _ = tn.resume(path, X, Y, callbacks=[Stop()])
    np.testing.assert_array_equal(whole.values, net.values)


@of_every_block
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies(block, copied):
    """A copy has arrays of its own, in chains too, and continues as the first does."""
    net = trained(model(block))
    other, before = copied(net), net.values.copy()
    trained(other)
    np.testing.assert_array_equal(before, net.values)
    np.testing.assert_array_equal(trained(net).values, other.values)


def test_what_no_pass_has_filled():
    """It is NaN, in layers within layers too."""
    net = model(Residual([Dense(4, "tanh"), Dense(3)]))
    net.forward(X)
    net.back_layer(3, Y)
    for path in (1, (2, 1), (2, 2)):
        assert np.isnan([net.dZ[path], net.dA[path]]).all(), path


def test_weight_decay():
    """Decay acts on the W of inner layers, and on no inner b."""
    net = model(BRANCHES)
    net.b[2, 1, 1] = np.ones(net.b[2, 1, 1].shape)
    net.forward(X)
    net.back(Y)
    net.grads[:] = 0
    before = net.get_parameters()
    tn.AdamW(0.1, weight_decay=0.5).step(net)
    for path, W in net.W.items():
        label = ".".join(map(str, np.atleast_1d(path)))
        np.testing.assert_allclose(W, 0.95 * before[f"W{label}"], err_msg=label)
        np.testing.assert_array_equal(net.b[path], before[f"b{label}"], err_msg=label)


def test_penalties():
    """The cost has the penalties of inner layers, in every nesting."""
    inner = Branches([[Dense(1)], [Residual([Dense(3, l2=0.2)]), Dense(2)]])
    net = model(Residual([inner, Dense(3, l2=0.1)]))
    A = net.forward(X)
    expected = 0.1 * np.sum(net.W[2, 1, 2, 1, 1] ** 2) + 0.05 * np.sum(net.W[2, 2] ** 2)
    assert net.cost(A) == pytest.approx(expected)
    assert not Residual([inner.chains[0][0], Residual([Dense(3)])]).is_penalized


def test_a_layer_in_two_places():
    """One Dense in two places is two layers: a layer owns no arrays."""
    dense = Dense(3, "tanh")
    net = model(Residual([dense, dense]))
    assert not np.shares_memory(net.W[2, 1], net.W[2, 2])
    net.forward(X)
    net.back(Y)
    assert not np.array_equal(net.dW[2, 1], net.dW[2, 2])
    tn.testing.check_gradients(net, X, Y)


@pytest.mark.parametrize(("frozen", "moved"), [
    ([2], [1, 3]), ([(2, 3)], [1, (2, 1, 1, 1), (2, 1, 2, 1, 3), (2, 1, 2, 2), (2, 5), 3]),
    ([1, (2, 1, 2, 1), (2, 3, 2, 1, 2), 3],
     [(2, 1, 1, 1), (2, 1, 2, 2), (2, 3, 1, 1, 1), (2, 3, 1, 1, 2), (2, 3, 2, 1, 1), (2, 5)]),
])  # fmt: skip
def test_freeze(frozen, moved):
    """A frozen path, at any depth, stays as it is with all layers within; the others move."""
    net = model(DEEP)
    before, state = {path: W.copy() for path, W in net.W.items()}, net.state.copy()
    trained(net, callbacks=[tn.Freeze(frozen)])
    assert moved == [path for path, W in net.W.items() if not np.array_equal(W, before[path])]
    has_moved = frozen == [(2, 3)]  # the only one that leaves the BatchNorm 2.1.2.1.1 out
    assert has_moved != np.array_equal(state, net.state)


def test_small_batches():
    """A batch of one example is refused for a BatchNorm at any depth, named by its path."""
    with raises(ShapeError, "smallest batch … 1", "at least 2 … layer 2.1.2.1.1 (BatchNorm)"):
        trained(model(DEEP), batch_size=11)
    with raises(ShapeError, "layer 2.1.2.1.1 (BatchNorm)", "at least 2"):
        model(DEEP).forward(X[:, :1], training=True)
    assert model(DEEP).predict(X[:, :1]).shape == (2, 1)


def test_summary():
    """Layers within a layer are below it, indented by their depth, with their shapes."""
    table = str(model(DEEP).summary()).splitlines()[2:]
    expected = [
        "1          Dense            tanh        (3, m)     W 9 + b 3",
        "2          Residual         identity    (3, m)     63 within",
        "2.1          Branches       identity    (3, m)     30 within",
        "2.1.1.1        Dense        tanh        (2, m)     W 6 + b 2",
        "2.1.2.1        Residual     identity    (3, m)     18 within",
        "2.1.2.1.1        BatchNorm  identity    (3, m)     gamma 3 + beta 3",
        "2.1.2.1.2        Dropout    identity    (3, m)     none",
        "2.1.2.1.3        Dense      tanh        (3, m)     W 9 + b 3",
        "2.1.2.2        Dense        identity    (1, m)     W 3 + b 1",
    ]
    assert expected == table[: len(expected)]


def test_threads():
    """Two models of the same layers, trained in two threads, do not meet in a cache."""
    alone = [trained(model(REGULAR, seed=seed), epochs=20).values for seed in (1, 2)]
    nets = [model(REGULAR, seed=seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda net: trained(net, epochs=20), nets))
    for expected, net in zip(alone, nets, strict=True):
        np.testing.assert_array_equal(expected, net.values)


def test_what_is_wrong_inside_is_named():
    """An error names the inner layer by its path."""

    class Wide(tn.Layer):
        def forward(self, A_prev, cache):
            return np.concatenate([A_prev, A_prev])

        def back(self, dZ, cache):
            return dZ

    class Flat(tn.Activation):
        def forward(self, Z):
            return Z * np.inf

        def back(self, dA, Z, A):
            return dA

    @attrs.frozen(slots=False)
    class Named(Wide):
        activation: tn.Activation = "tanh"

    with raises(ShapeError, "layer 2.2 (Wide)", "(6, 12)", "expected … (3, 12)"):
        model(Residual([Dense(3), Wide()])).forward(X)
    for depth, path in enumerate(("2, 1", "2, 1, 1", "2, 1, 1, 1"), 2):
        block, label = Residual([Dense(3, "flat"), Dense(3)]), path.replace(", ", ".")
        for _ in range(depth - 2):
            block = Branches([[block]])
        with raises(NonFiniteError, f"A[{path}] of layer {label} (Dense)"):
            model(block).fit(X, Y)
        with raises(AssertionError, f"The first array that is not finite is A[{path}]."):
            tn.testing.check_gradients(model(block), X, Y)
    with raises(ValueError, "layer 2 (Sum)", "empty chain", "at least one layer"):
        model(Sum(((),)))
    expected = "expected a tuple of chains, each a tuple of layers. For one chain return "
    expected += "(self.layers,), with a comma, and convert names and configs with tn.Layer.get."
    for chains in ((Dense(3),), (("dense",),)):
        with raises(TypeError, f"layer 2 (Sum) has the chains {chains}, {expected}"):
            model(Sum(chains))
        with raises(TypeError, "Sum in layer 2 (Residual) has the chains ("):
            model(Residual([Sum(chains)]))
    with raises(TypeError, "layer 2.1 (Named) has the activation 'tanh'", "get('tanh')"):
        model(Residual([Named()]))
    net = model(Residual([Dense(3)]))
    with raises(KeyError, "W[2, 2]", "W[1], W[2, 1], W[3]"):
        net.W[2, 2]
    with raises(ShapeError, "W[2, 1]", "(3, 3)"):
        net.W[2, 1] = np.ones((2, 2))


def test_diagnostics_see_inside():
    """Units of an inner layer that all begin alike are reported by their path."""
    one = tn.Initializer.get("constant", value=0.5)
    same = [Dense(3, "tanh", init=one), Dense(3, init=one)]
    with warns("layer 2.1 (Dense)", "W[2, 1] and in W[2, 2]"):
        model(Residual(same)).fit(X, Y, epochs=1)
    net = model(Branches([[Residual([Dense(4, "relu"), Dense(3)])]]))
    net.b[2, 1, 1] = np.full((4, 1), -100.0)
    with warns("all 4 units of layer 2.1.1 (Dense) are dead"):
        net.fit(X, Y, epochs=2)


def test_predict_holds_no_input():
    """What predict computes with lets go of X, in layers within layers too."""
    model = Sequential([Residual([Residual([Dense(3)])]), Dense(2)], inputs=3, dtype="float64")
    many = np.ones((3, 1000))
    held = weakref.ref(many)
    model.predict(many[:, :5])
    del many
    gc.collect()
    assert held() is None
