"""Whatever network is generated, passes, files and copies agree with one another."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinynet as tn

ACTIVATIONS = sorted(
    name
    for name in tn.Activation.names()
    if tn.Activation._classes[name].__module__.startswith("tinynet.")
)
# A hundred networks a property, the same ones in every run.
MANY = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


# Arrays that layers ask for to compute in.
OF_LAYERS = ("dZ_mean", "l2_W", "A_hat", "dA_hat", "std", "mask")
# What may follow upon a Dense; normalization with an epsilon at which one or two units or examples are no edge.
BETWEEN = [
    [], [], [], [tn.Activate("tanh")], [tn.BatchNorm(epsilon=0.1)], [tn.LayerNorm(epsilon=0.1, activation="sigmoid")],
    [tn.Dropout(0.3)],
    [tn.Reshape((1, -1, 1)), tn.BatchNorm(momentum=0.5, epsilon=1.0, activation="softplus"), tn.Flatten()],
]  # fmt: skip


@st.composite
def networks(draw, between=None):
    """Return a model of 1 to 5 Dense of 1 to 7 units, any activations mixed, and X, Y of 1 to 9 examples.

    After each Dense there may be layers of another kind, one of the lists of `between`.
    """
    widths = draw(st.lists(st.integers(1, 7), min_size=2, max_size=6))
    names = [draw(st.sampled_from(ACTIVATIONS)) for _ in widths[1:]]
    l2, m, seed = (
        draw(st.sampled_from([0.0, 0.1])),
        draw(st.integers(1, 9)),
        draw(st.integers(0, 2**32 - 1)),
    )
    layers = [
        layer
        for n, name in zip(widths[1:], names, strict=True)
        for layer in (
            tn.Dense(n, name, l2=l2),
            *(draw(st.sampled_from(between)) if between else []),
        )
    ]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    model = tn.Sequential(layers, "mean_squared_error", inputs=widths[0], dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    model.params[:] = rng.standard_normal(model.n_params)
    model.state[:] = rng.uniform(0.5, 2, model.state.size)
    return model, rng.standard_normal((widths[0], m)), rng.standard_normal((widths[-1], m))


ANY = st.one_of(networks(), networks(between=BETWEEN))


def passed(model, X, Y, training=False):
    """Return everything that a pass forward and back fills, after it."""
    A = model.forward(X, training=training).copy()
    J = model.cost(Y)
    model.back(Y, input_gradient=True)
    arrays = [
        array.copy() for kind in (model.Z, model.A, model.dZ, model.dA) for array in kind.values()
    ]
    return [A, np.array(J), *arrays, model.grads.copy()]


def assert_equal(expected, actual):
    """Compare arrays bit by bit."""
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


@MANY
@given(networks())
def test_gradients_agree(given):
    """Every gradient is the slope of the cost."""
    assert tn.testing.check_gradients(*given) <= 1e-6


@settings(MANY, max_examples=40)
@given(networks(between=BETWEEN))
def test_gradients_agree_in_training(given):
    """So it is with layers of all kinds between, outside of training and in it, with the same draws."""
    model, X, Y = given
    for training in (False, True)[: X.shape[1]]:  # one example has no variance
        assert tn.testing.check_gradients(model, X, Y, training=training) <= 1e-6


@MANY
@given(ANY)
def test_layer_by_layer(given):
    """`forward_layer` from A[0] to A[L], and `back_layer` from dA[L] to dA[0], are `forward` and `back`."""
    model, X, Y = given
    whole = passed(model, X, Y)
    dA, A = model.dA[len(model.layers)].copy(), X
    for l in range(1, len(model.layers) + 1):
        A = model.forward_layer(l, A)
    np.testing.assert_array_equal(whole[0], A)
    grads = []
    for l in range(len(model.layers), 0, -1):
        dA, *of_layer = model.back_layer(l, dA)
        grads = [*(gradient.copy().ravel() for gradient in of_layer), *grads]
    # back begins at dZ[L] where the output is the loss's partner, so the last digits may differ
    tolerance = 1e-4 if model.dtype == np.float32 else 1e-10
    np.testing.assert_allclose(np.concatenate(grads), whole[-1], rtol=tolerance, atol=tolerance)


@MANY
@given(ANY)
def test_files_and_copies(tmp_path, given):
    """What comes back from a file, from pickle and from deepcopy does the same, bit for bit, and shares nothing."""
    model, X, Y = given
    model.save(tmp_path / "net.npz")
    expected = passed(model, X, Y)
    for other in (
        tn.load(tmp_path / "net.npz"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert_equal(expected, passed(other, X, Y))
        assert not np.shares_memory(other.params, model.params)
        if X.shape[1] > 1:
            again = pickle.loads(pickle.dumps(model))
            again.rng, other.rng = np.random.default_rng(1), np.random.default_rng(1)
            assert_equal(passed(again, X, Y, training=True), passed(other, X, Y, training=True))
            assert_equal([again.state], [other.state])
        other.W[1][:] = 0
    assert_equal(expected, passed(model, X, Y))


@MANY
@given(ANY, st.integers(1, 9))
def test_predict_is_forward(given, batch_size):
    """`predict` gives what `forward` gives, and leaves the model as it is."""
    model, X, Y = given
    expected = passed(model, X, Y)
    np.testing.assert_array_equal(expected[0], model.predict(X))
    tolerance = 1e-5 if model.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        model.predict(X, batch_size), expected[0], rtol=tolerance, atol=tolerance
    )
    np.testing.assert_array_equal(expected[-1], model.grads)
    np.testing.assert_array_equal(expected[0], model.A[len(model.layers)])


@MANY
@given(ANY, st.sampled_from(["F", "strided", "reversed"]))
def test_memory_order(given, order):
    """However X and Y lie in memory, the results are equal to the last digits."""
    model, X, Y = given
    laid_out = {
        "F": np.asfortranarray,
        "strided": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
        "reversed": lambda array: array[::-1].copy()[::-1],
    }[order]
    expected = passed(model, X, Y)
    tolerance = 1e-4 if model.dtype == np.float32 else 1e-10
    for one, other in zip(expected, passed(model, laid_out(X), laid_out(Y)), strict=True):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)


@MANY
@given(ANY)
def test_nothing_left_over(given):
    """What was in the caches, in the scratch and in the gradients before a pass leaves no trace."""
    model, X, Y = given
    expected = passed(model, X, Y)
    model.grads[:] = np.nan
    for cache in model.caches:
        for name, array in vars(cache).items():
            if isinstance(array, np.ndarray) and name in ("Z", "A", "dZ", "dA", *OF_LAYERS):
                array[:] = np.nan
    assert_equal(expected, passed(model, X, Y))


@pytest.mark.parametrize("depth", [1, 5])
def test_generated_networks_are_what_is_said(depth):
    """The strategy does reach the depths it promises, so that the properties are not tested on nothing."""
    reached, kinds = set(), set()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(ANY)
    def collect(given):
        reached.add(len(given[0].W))
        kinds.update(map(type, given[0].layers))

    collect()
    assert depth in reached
    assert {tn.Activate, tn.BatchNorm, tn.Dropout, tn.Flatten, tn.LayerNorm, tn.Reshape} < kinds
