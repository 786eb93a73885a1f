"""Whatever network is generated, passes, files and copies agree with one another."""

import copy
import pickle

import numpy as np
from helpers import registered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinynet as tn

ACTIVATIONS = sorted(registered(tn.Activation))
# A loss and the output's activation: partners, and others.
ENDS = [
    ("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax"),
    ("mean_squared_error", "identity"), ("binary_crossentropy", "softmax"),
    ("mean_squared_error", "tanh"), ("huber", "gelu"), ("poisson", "softplus"),
]  # fmt: skip
# What may follow a Dense. With such an epsilon, one or two units or examples are no edge case.
BETWEEN = [
    [], [], [], [tn.Activate("tanh")], [tn.BatchNorm(epsilon=0.1)], [tn.Dropout(0.3)],
    [tn.LayerNorm(epsilon=0.1, activation="sigmoid")],
    [tn.Reshape((1, -1, 1)), tn.BatchNorm(momentum=0.5, epsilon=1, activation="elu"), tn.Flatten()],
]  # fmt: skip
# A hundred networks for most properties, the same ones in every run.
MANY = settings(
    max_examples=100, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
equal, close = np.testing.assert_array_equal, np.testing.assert_allclose


@st.composite
def networks(draw, between=((),)):
    """Return a model of 1 to 5 Dense of 1 to 7 units, and X and one-hot Y of 1 to 9 examples.

    The activations are mixed. After each Dense there are the layers of one list of `between`, and
    the loss has an output of its domain.
    """
    loss, output = draw(st.sampled_from(ENDS))
    widths = draw(st.lists(st.integers(1, 7), min_size=2, max_size=6))
    l2, m = draw(st.sampled_from([0.0, 0.1])), draw(st.integers(1, 9))
    dtype, seed = draw(st.sampled_from(["float32", "float64"])), draw(st.integers(0, 2**32 - 1))
    layers = []
    for n in widths[1:-1]:
        layers.append(tn.Dense(n, draw(st.sampled_from(ACTIVATIONS)), l2=l2))
        layers += draw(st.sampled_from(between))
    layers.append(tn.Dense(widths[-1], output, l2=l2))
    model = tn.Sequential(layers, loss, inputs=widths[0], dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    # With such parameters outputs are not so near 0 or 1 that digits are lost.
    model.params[:] = 0.3 * rng.standard_normal(model.n_params)
    model.state[:] = rng.uniform(0.5, 2, model.state.size)
    Y = np.eye(widths[-1])[:, rng.integers(widths[-1], size=m)]
    return model, rng.standard_normal((widths[0], m)), Y


ANY = st.one_of(networks(), networks(BETWEEN))


def tolerance(model):
    return dict.fromkeys(("rtol", "atol"), 1e-4 if model.dtype == np.float32 else 1e-10)


def passed(model, X, Y, training=False):
    """Return copies of everything that a pass forward and back fills: A[L] first, grads last."""
    results = [model.forward(X, training=training), np.array(model.cost(Y))]
    model.back(Y, input_gradient=True)
    for kind in (model.Z, model.A, model.dZ, model.dA):
        results += kind.values()
    return [array.copy() for array in [*results, model.grads]]


def assert_same(expected, actual):
    """Compare arrays bit by bit."""
    for one, other in zip(expected, actual, strict=True):
        equal(one, other, strict=True)


@MANY
@given(ANY)
def test_gradients_agree(drawn):
    """Every gradient is the slope of the cost, with any activations, outside training and in it."""
    model, X, Y = drawn
    for training in (False, True)[: X.shape[1]]:  # one example has no variance
        assert tn.testing.check_gradients(model, X, Y, training=training) <= 1e-6


@MANY
@given(ANY)
def test_layer_by_layer(drawn):
    """`forward_layer` and `back_layer`, one after the other, are `forward` and `back`."""
    model, X, Y = drawn
    whole = passed(model, X, Y)
    dA, A = model.dA[len(model.layers)].copy(), X
    Z = {l: array.copy() for l, array in model.Z.items()}
    for l in Z:
        A = model.forward_layer(l, A)
        equal(Z[l], model.Z[l])
    equal(whole[0], A)
    grads = []
    for l in reversed(Z):
        dA, *of_layer = model.back_layer(l, dA)
        grads = [*(gradient.copy().ravel() for gradient in of_layer), *grads]
    # back begins at dZ[L] after the loss's partner, so the last digits may differ
    close(np.concatenate(grads), whole[-1], **tolerance(model))
    equal(np.concatenate(grads), model.grads)
    assert_same(whole, passed(model, X, Y))


@settings(MANY, max_examples=50)  # there are five others to compare with each
@given(ANY)
def test_files_and_copies(tmp_path, drawn):
    """A model from a file, a pickle or a copy does the same, bit for bit, in its own arrays."""
    (model, X, Y), path = drawn, tmp_path / "net.npz"
    model.save(path)
    expected, pickled = passed(model, X, Y), pickle.dumps(model)
    parameters, loaded = model.get_parameters(), [tn.load(path), tn.Sequential.load(path)]
    copies = [pickle.loads(pickled), copy.copy(model), copy.deepcopy(model)]
    assert_same([model.grads] * 3, [other.grads for other in copies])
    for other in loaded + copies:
        assert (model.layers, model.loss, repr(model)) == (other.layers, other.loss, repr(other))
        assert_same(expected, passed(other, X, Y))
        for vector, views in ((other.params, other.W), (other.grads, other.dW)):
            assert all(np.shares_memory(vector, view) for view in views.values())
        assert not np.shares_memory(other.values, model.values)
        assert not np.shares_memory(other.grads, model.grads)
        if X.shape[1] > 1:
            again = pickle.loads(pickled)
            again.rng, other.rng = np.random.default_rng(1), np.random.default_rng(1)
            assert_same(passed(again, X, Y, training=True), passed(other, X, Y, training=True))
            assert_same([again.state], [other.state])
        other.W[1][:] = 0
    assert_same(expected, passed(model, X, Y))
    with np.load(path, allow_pickle=False) as file:
        assert_same(parameters.values(), [file[name] for name in parameters])


@MANY
@given(ANY, st.integers(1, 9))
def test_predict_is_forward(drawn, batch_size):
    """`predict` gives what `forward` gives, and leaves the model as it is."""
    model, X, Y = drawn
    expected = passed(model, X, Y)
    equal(expected[0], model.predict(X))
    close(model.predict(X, batch_size), expected[0], **tolerance(model))
    equal(expected[-1], model.grads)
    equal(expected[0], model.A[len(model.layers)])


LAYOUTS = {
    "F": np.asfortranarray,
    "strided": lambda array: np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda array: np.lib.stride_tricks.as_strided(array.copy(), writeable=False),
}


@MANY
@given(ANY, st.sampled_from(sorted(LAYOUTS)))
def test_memory_order(drawn, order):
    """However X and Y lie in memory, the results are the same, and X and Y are left alone."""
    model, X, Y = drawn
    arrays = [array.astype(model.dtype) for array in (X, Y)]
    laid_out = [LAYOUTS[order](array) for array in arrays]
    expected = passed(model, X, Y)
    for one, other in zip(expected, passed(model, *laid_out), strict=True):
        close(other, one, **tolerance(model))
    close(model.predict(X), model.predict(laid_out[0]), **tolerance(model))
    assert_same(arrays, laid_out)


@MANY
@given(ANY)
def test_examples_are_apart(drawn):
    """The cost and its gradients are means over the examples, of each one times its weight."""
    (model, X, Y), L = drawn, len(drawn[0].layers)

    def found(X, Y, w=None):
        model.forward(X)
        J, _ = model.cost(Y, sample_weight=w), model.back(Y, sample_weight=w)
        return J, model.grads.copy(), model.dZ[L].copy(), model.dA[L].copy()

    each = [found(column[:, None], y[:, None]) for column, y in zip(X.T, Y.T, strict=True)]
    weights = np.random.default_rng(1).uniform(0.1, 3, len(each))
    for w in (np.ones(len(each)), weights / weights.mean()):  # of mean 1, as penalties have none
        weighted = [[k * one for one in ones] for k, ones in zip(w, each, strict=True)]
        J, grads, dZ, dA = zip(*weighted, strict=True)
        means = np.mean(J), np.mean(grads, axis=0), np.hstack(dZ), np.hstack(dA)
        for expected, actual in zip(means, found(X, Y, w), strict=True):
            atol = (1e-3 if model.dtype == np.float32 else 1e-9) * (1 + np.abs(expected).max())
            close(expected, actual, rtol=0, atol=atol)


@MANY
@given(ANY)
def test_nothing_left_over(drawn):
    """NaN in the caches, in scratch and in the gradients before a pass leaves no trace."""
    model, X, Y = drawn
    X = X.astype(model.dtype)
    expected = passed(model, X, Y)
    assert all(array.dtype == model.dtype for array in expected if array.ndim)
    assert all(np.isfinite(array).all() for array in expected)
    for cache in model.caches:
        for array in vars(cache).values():
            is_own = isinstance(array, np.ndarray) and array is not X and array.flags.writeable
            if is_own and not np.shares_memory(array, model.values):
                array[...] = np.nan
    assert np.isnan(model.grads).all()
    assert_same(expected, passed(model, X, Y))


def test_generated_networks():
    """The strategy reaches all depths and kinds of layers, so that nothing is tested on nothing."""
    depths, kinds, ends = set(), set(), set()

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(ANY)
    def collect(drawn):
        depths.add(len(drawn[0].W))
        kinds.update(map(type, drawn[0].layers))
        kinds.update(layer.activation.registered_name for layer in drawn[0].layers[:-1])
        ends.add((drawn[0].loss.registered_name, drawn[0].layers[-1].activation.registered_name))

    collect()
    assert ({1, 2, 3, 4, 5}, {*ENDS}) == (depths, ends)
    assert {tn.Activate, tn.BatchNorm, tn.Dropout, tn.Flatten, tn.LayerNorm, tn.Reshape} < kinds
    assert {*ACTIVATIONS} < kinds
