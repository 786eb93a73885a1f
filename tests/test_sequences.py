"""Layers for sequences: by the formulas, against PyTorch, and what they must refuse."""

import tracemalloc

import attrs
import numpy as np
import pytest
from helpers import output_of
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import raises

import tinynet as tn
from tinynet import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Embedding,
    LayerNorm,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    SimpleRNN,
)
from tinynet.errors import NonFiniteError

RECURRENT = [SimpleRNN, LSTM, GRU]
LAYERS = [
    (SimpleRNN(2), (3, 4)), (SimpleRNN(1, True, activation="tanh"), (1, 1)),
    (LSTM(2, sequences=True), (3, 4)), (LSTM(1, activation="relu"), (1, 3)),
    (LSTM(1, True, init="orthogonal"), (3, 1)),
    (GRU(2, sequences=True), (3, 4)), (GRU(1, activation="tanh"), (1, 3)),
    (GRU(1, init="he_normal"), (3, 1)),
    (SelfAttention(1), (2, 3)), (SelfAttention(3, causal=True), (3, 2)),
    (SelfAttention(1, True, activation="sigmoid"), (2, 4)), (SelfAttention(2), (2, 1)),
    (Embedding(5, 3), 4), (Embedding(2, 1), 1), (Embedding(1, 4, activation="tanh"), 3),
    (Embedding(20, 2, init="glorot_uniform"), (2, 3)),
]  # fmt: skip
equal, close = np.testing.assert_array_equal, np.testing.assert_allclose


def inputs_for(layer, shape, m, rng):
    """Return X of m examples for a layer: numbers, or tokens."""
    shape = (*np.atleast_1d(shape), m)
    is_embedding = isinstance(layer, Embedding)
    return rng.integers(layer.tokens, size=shape) if is_embedding else rng.standard_normal(shape)


def alone(layer, shape, dtype="float64", seed=1):
    """Return a model of one layer with parameters drawn anew, whose loss has dA = A - Y."""
    model = Sequential([layer], "mean_squared_error", shape, dtype, seed=seed)
    model.params[:] = np.random.default_rng(seed).standard_normal(model.n_params) / 2
    return model


def passes(model, X, Y):
    """Return A of a pass in both directions, and whatever gradients there are, by name."""
    A = model.forward(X, training=True).copy()
    is_embedding = isinstance(model.layers[0], Embedding)
    model.back(Y, input_gradient=not is_embedding)
    cache = model.caches[0]
    results = {"A": A} | {f"d{name}": vars(cache)[f"d{name}"] for name in cache.parameters}
    return results if is_embedding else results | {"dA_prev": model.dA[0]}


# Every layer


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_checks(layer, shape):
    """Each passes its family's check, and has right gradients with few examples and weights."""
    tn.testing.check_layer(layer, shape)
    rng = np.random.default_rng(4)
    for m in (1, 2):
        model = alone(layer, shape)
        X, Y = inputs_for(layer, shape, m, rng), rng.standard_normal((*model.outputs, m))
        assert tn.testing.check_gradients(model, X, Y, sample_weight=rng.random(m)) <= 1e-7


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_forward_without_an_array_for_Z(layer, shape):
    """Where ``cache.Z`` is None, `forward` makes an array like it, with the same numbers."""
    model = alone(layer, shape, "float32")
    model.forward(inputs_for(layer, shape, 5, np.random.default_rng(3)))
    cache, expected = model.caches[0], model.Z[1]
    cache.Z = None
    Z = layer.forward(cache.A_prev, cache)
    assert Z is not expected
    equal(Z, expected, strict=True)


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_memory_order(layer, shape):
    """A_prev and dZ may lie in memory in any order, and stay as they are; all is repeatable."""
    rng = np.random.default_rng(5)
    X = inputs_for(layer, shape, 4, rng)
    model = alone(layer, shape)
    Y = rng.standard_normal((*model.outputs, 4))
    expected = {name: array.copy() for name, array in passes(model, X, Y).items()}
    shuffled = np.moveaxis(np.ascontiguousarray(np.moveaxis(X, -1, 0)), 0, -1)
    for other in (X, shuffled, np.asfortranarray(X), np.repeat(X, 2, axis=-1)[..., ::2]):
        before = other.copy()
        for name, array in passes(model, other, Y).items():
            close(array, expected[name], rtol=1e-12, atol=1e-13, err_msg=name)
        equal(before, other)
    cache, dZ = model.caches[0], np.asfortranarray(model.dZ[1])
    before = dZ.copy()
    layer.back(dZ, cache)
    close(vars(cache)["dW"], expected["dW"], rtol=1e-12, atol=1e-13)
    equal(before, dZ)


POSITIONS = 3200  # steps of all examples
NUMPY_BUFFER = 8192 * 8 + 4096


@pytest.mark.parametrize(("layer", "T", "most"), [
    # The numbers of one step are an array, too.
    *[(kind(50, sequences), 4, NUMPY_BUFFER) for kind in RECURRENT for sequences in (False, True)],
    # The largest score and the sum of each query, in each head.
    (SelfAttention(2), 40, 2 * 2 * POSITIONS * 4 + NUMPY_BUFFER),
    (SelfAttention(5, causal=True), 40, 2 * 5 * POSITIONS * 4 + NUMPY_BUFFER),
    # Three arrays of integers, such as the order of the tokens.
    (Embedding(2000, 50), 40, 3 * POSITIONS * 8 + NUMPY_BUFFER),
], ids=repr)  # fmt: skip
def test_a_step_allocates_no_array(layer, T, most):
    """A pass in both directions computes in the arrays of the first pass."""
    shape, m, rng = (50, T), POSITIONS // T, np.random.default_rng(1)
    shape = shape[1:] if isinstance(layer, Embedding) else shape
    X = inputs_for(layer, shape, m, rng)
    X = X if isinstance(layer, Embedding) else X.astype(np.float32)
    model = Sequential([layer], "mean_squared_error", shape, seed=1)
    Y = np.zeros((*model.outputs, m), np.float32)
    for is_first in (True, False):
        tracemalloc.start()
        model.forward(X, training=True)
        model.back(Y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert is_first or peak < most < 50 * POSITIONS * 4, f"a step held {peak:,} bytes"


def test_names():
    """The layers are loaded when they are first used, by a name in a config, too."""
    code = """
import sys, tinynet as tn
assert not {"tinynet.layers.lstm", "tinynet.layers.attention"} & sys.modules.keys()
print(tn.Layer.get("lstm", units=3))
print(tn.Layer.get(tn.SelfAttention(2, causal=True).config()))
print({"embedding", "gru", "lstm", "self_attention", "simple_rnn"} <= {*tn.Layer.names()})
"""
    expected = "LSTM(units=3, sequences=False)\nSelfAttention(heads=2, causal=True)\nTrue\n"
    assert expected == output_of("-c", code)


# By the formulas


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn(p, x, h, c):
    return np.tanh(p["W"] @ x + p["U"] @ h + p["b"]), None


def lstm(p, x, h, c):
    i, f, o, g = np.split(p["W"] @ x + p["U"] @ h + p["b"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(p, x, h, c):
    r_x, z_x, g_x = np.split(p["W"] @ x + p["b"], 3)
    r_h, z_h, g_h = np.split(p["U"] @ h + p["c"], 3)
    z = sigmoid(z_x + z_h)
    return (1 - z) * np.tanh(g_x + sigmoid(r_x + r_h) * g_h) + z * h, None


STEPS = {SimpleRNN: simple_rnn, LSTM: lstm, GRU: gru}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(RECURRENT), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4),
       st.integers(1, 3), st.booleans(), st.integers(0, 99))  # fmt: skip
def test_recurrent_by_the_formula(kind, n, d, T, m, sequences, seed):
    """Each is its step, T times, for whatever sizes; gradients are right."""
    model = alone(kind(n, sequences), (d, T), seed=seed)
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((d, T, m)), rng.standard_normal((*model.outputs, m))
    p = {name.rstrip("1"): array for name, array in model.get_parameters().items()}
    h, c, steps = np.zeros((n, m)), np.zeros((n, m)), []
    for t in range(T):
        h, c = STEPS[kind](p, X[:, t], h, c)
        steps.append(h)
    close(model.forward(X), np.stack(steps, axis=1) if sequences else h, rtol=1e-12, atol=1e-14)
    assert tn.testing.check_gradients(model, X, Y) <= 1e-6


def attention_by_the_formula(p, A, heads, causal):
    """Return Z of one example (n, T), query by query."""
    n, T = A.shape
    Q, K, V = np.split(p["W"] @ A + p["b"], 3)
    H = np.zeros((n, T))
    for j in range(heads):
        rows = slice(j * n // heads, (j + 1) * n // heads)
        for t in range(T):
            seen = slice(t + 1) if causal else slice(T)
            scores = K[rows, seen].T @ Q[rows, t] / np.sqrt(n // heads)
            weights = np.exp(scores) / np.exp(scores).sum()
            H[rows, t] = V[rows, seen] @ weights
    return p["W_out"] @ H + p["b_out"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 4), st.integers(1, 3), st.booleans(),
       st.integers(0, 99))  # fmt: skip
def test_attention_by_the_formula(heads, k, T, m, causal, seed):
    """Z is what the formula gives for one query after the other; gradients are right."""
    n, rng = heads * k, np.random.default_rng(seed)
    model = alone(SelfAttention(heads, causal), (n, T), seed=seed)
    X, Y = rng.standard_normal((2, n, T, m))
    p = {name.rstrip("1"): array for name, array in model.get_parameters().items()}
    expected = [attention_by_the_formula(p, X[..., i], heads, causal) for i in range(m)]
    close(model.forward(X), np.stack(expected, axis=-1), rtol=1e-10, atol=1e-12)
    assert tn.testing.check_gradients(model, X, Y) <= 1e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4),
       st.integers(0, 99))  # fmt: skip
def test_embedding_is_dense_of_one_hot_columns(tokens, n, T, m, seed):
    """Z and dW are those of a product with one-hot columns, whatever tokens come, and how often."""
    rng = np.random.default_rng(seed)
    model = alone(Embedding(tokens, n), T, seed=seed)
    X, Y = rng.integers(tokens, size=(T, m)), rng.standard_normal((n, T, m))
    one_hot = np.eye(tokens)[:, X]
    results = passes(model, X, Y)
    close(results["A"], np.tensordot(model.W[1], one_hot, 1))
    expected = np.tensordot(results["A"] - Y, one_hot, axes=((1, 2), (1, 2))) / m
    close(results["dW"], expected, rtol=1e-10, atol=1e-14)


def test_embedding_by_hand():
    """A token that comes twice has the sum of both, and one that does not come has 0."""
    model = Sequential([Embedding(3, 2)], "mean_squared_error", 2, "float64", seed=1)
    model.W[1] = [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]
    results = passes(model, [[2, 0], [2, 2]], np.zeros((2, 2, 2)))
    equal(results["A"], [[[3, 1], [3, 3]], [[30, 10], [30, 30]]])
    equal(results["dW"], [[0.5, 0, 4.5], [5, 0, 45]])


# What the layers mean


@pytest.mark.parametrize("layer", [*[kind(3, True) for kind in RECURRENT],
                                   SelfAttention(2, causal=True)], ids=repr)  # fmt: skip
def test_no_step_sees_a_later_one(layer):
    """Z of a step is the same, to the last bit that counts, whatever comes after it."""
    model, X = alone(layer, (4, 6)), np.random.default_rng(1).standard_normal((4, 6, 3))
    before = model.forward(X).copy()
    X[:, 4:] += 100
    close(model.forward(X)[:, :4], before[:, :4], rtol=1e-12, atol=1e-14)
    assert not np.allclose(model.forward(X)[:, 4:], before[:, 4:])


def test_attention_has_no_positions():
    """Where every step sees all others, steps in another order have Z in that order."""
    model, rng = alone(SelfAttention(2), (4, 6)), np.random.default_rng(1)
    X, order = rng.standard_normal((4, 6, 3)), rng.permutation(6)
    before = model.forward(X).copy()
    close(model.forward(X[:, order]), before[:, order], rtol=1e-10, atol=1e-12)


def test_last_step():
    """Without `sequences`, Z is the last step of what it is with them."""
    X = np.random.default_rng(1).standard_normal((4, 6, 3))
    for kind in RECURRENT:
        steps = alone(kind(5, sequences=True), (4, 6)).forward(X)
        close(alone(kind(5), (4, 6)).forward(X), steps[:, -1])


def test_first_parameters():
    """W of a gate has the limit of n units, U of each is orthogonal, and c lasts at first."""
    for kind, gates in ((SimpleRNN, 1), (LSTM, 4), (GRU, 3)):
        model = Sequential([kind(32)], inputs=(16, 5), dtype="float64", seed=1)
        p = model.get_parameters()
        limit = np.sqrt(6 / (16 + 32))
        for W, U in zip(np.split(p["W1"], gates), np.split(p["U1"], gates), strict=True):
            assert 0.95 * limit < np.abs(W).max() <= limit
            close(U @ U.T, np.eye(32), atol=1e-12)
        forget = np.arange(4 * 32) // 32 == 1
        equal(p["b1"].ravel(), forget if kind is LSTM else np.zeros(gates * 32))
    equal(p["c1"], np.zeros((96, 1)))
    attention = Sequential([SelfAttention(4)], inputs=(16, 5), dtype="float64", seed=1)
    assert 0.95 * np.sqrt(6 / 32) < np.abs(attention.W[1]).max() <= np.sqrt(6 / 32)
    vectors = Sequential([Embedding(200, 50)], inputs=5, seed=1).W[1]
    assert vectors.std() == pytest.approx(1, abs=0.03)


def test_what_decays():
    """Matrices do; biases and the vectors of tokens do not."""
    model = Sequential([Embedding(9, 4), GRU(4, True), SelfAttention(2), LSTM(3)], inputs=5, seed=1)
    expected = [(12, 4), (12, 4), (12, 4), (4, 4), (12, 4), (12, 3)]
    assert [array.shape for array in model.decaying] == expected


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", RECURRENT)
def test_huge_numbers(kind, sequences):
    """In single precision sigmoid and tanh saturate: Z and gradients are finite, without a word."""
    model = Sequential([kind(4, sequences)], "mean_squared_error", (3, 5), seed=1)
    X = np.random.default_rng(1).standard_normal((3, 5, 6)).astype(np.float32) * 1e30
    with np.errstate(all="raise"):
        results = passes(model, X, np.zeros((*model.outputs, 6), np.float32))
    for name, array in results.items():
        assert np.isfinite(array).all(), name
    assert np.abs(results["A"]).max() <= 1


def test_a_nan_in_X_is_found():
    """Also in the last step of an example, and in a layer that has no columns."""
    X = np.ones((2, 3, 4))
    X[1, 2, 3] = np.nan
    for layer in (LSTM(2), GRU(2, True), SelfAttention(1)):
        with raises(NonFiniteError, "X[1, 2, 3] is nan"):
            Sequential([layer], inputs=(2, 3), seed=1).forward(X)


def test_a_model_learns_to_remember():
    """The first of ten tokens is the label: it must last until the end."""
    rng = np.random.default_rng(1)
    X = rng.integers(4, size=(10, 256))
    for kind in (LSTM, GRU):
        layers = [Embedding(4, 8), kind(16), Dense(4, "softmax")]
        model = Sequential(layers, "categorical_crossentropy", inputs=10, seed=1)
        model.fit(X, X[0], tn.Adam(0.02, clip_norm=1.0), epochs=25, batch_size=32)
        assert model.evaluate(X, X[0], ["accuracy"])["accuracy"] > 0.95, kind


# Settings


def test_remedies():
    """What the messages advise works as it is written."""
    X = np.random.default_rng(1).random((6, 3))
    for fit in (X[np.newaxis], X.reshape(2, 3, -1), np.stack([X] * 2)):
        assert Sequential([LSTM(3)], seed=1).predict(fit).shape == (3, fit.shape[-1])
    assert Sequential([LSTM(3, sequences=True), GRU(2)], inputs=(4, 5)).outputs == (2,)
    assert Sequential([Reshape((4, -1)), SimpleRNN(3)], inputs=(4, 5, 6)).outputs == (3,)
    for heads in (1, 2, 3, 6):
        assert Sequential([SelfAttention(heads)], inputs=(6, 5)).outputs == (6, 5)


@pytest.mark.parametrize(("X", "message"), [
    ([[0, 1], [2, 5]], "X[1, 1] is 5, expected whole numbers from 0 to 4"),
    ([[0, -1], [2, 3]], "X[0, 1] is -1, expected whole numbers from 0 to 4"),
    ([[0.0, 1.5], [2, 3]], "X[0, 1] is 1.5, expected whole numbers from 0 to 4"),
    ([[0, np.nan], [2, 3]], "X[0, 1] is nan, expected whole numbers from 0 to 4"),
])  # fmt: skip
def test_tokens_that_are_none(X, message):
    """The message names the entry and the range, and has a remedy that works."""
    model, X = Sequential([Embedding(5, 3)], "mean_squared_error", 2, seed=1), np.array(X)
    for call in (model.forward, model.predict, lambda X: model.fit(X, np.zeros((3, 2, 2)))):
        with raises(ValueError, message, "layer 1 (Embedding)", "np.unique"):
            call(X)
    words = X.astype(str).astype(object)
    words[0, 0] = "cat"
    for of_words in (words, words.tolist()):
        with raises(TypeError, "X[0, 0] is 'cat'. np.unique(X, return_inverse=True) numbers what"):
            model.predict(of_words)
    _, numbered = np.unique(X, return_inverse=True)
    assert model.predict(numbered.reshape(X.shape)).shape == (3, 2, 2)
    equal(model.predict(np.array([[0.0, 4.0]] * 2)), model.predict([[0, 4]] * 2))


# Planted faults


@attrs.frozen
class NoForgetting(LSTM, name="no_forgetting"):
    """An LSTM whose dc of a step is not multiplied by f on the way to the step before."""

    def step_back(self, t, cache):
        dc = cache.dc.copy()
        super().step_back(t, cache)
        f = cache.gates[t, self.units : 2 * self.units]
        cache.dc[...] = np.where(f > 0, cache.dc / f, dc)


@attrs.frozen
class OneBias(GRU, name="one_bias"):
    """A GRU whose dc is db, although r acts on c."""

    def input_gradients(self, cache):
        dA_prev = super().input_gradients(cache)
        cache.dc[...] = cache.db
        return dA_prev


@attrs.frozen
class ForgetsStart(SimpleRNN, name="forgets_start"):
    """A layer that begins where the last pass ended."""

    def forward(self, A_prev, cache):
        Z = super().forward(A_prev, cache)
        cache.h[0] = cache.h[-1]
        return Z


@attrs.frozen
class LastTokenOnly(Embedding, name="last_token_only"):
    """An embedding whose dW has the last of several equal tokens only."""

    def back(self, dZ, cache):
        cache.dW[...] = 0
        cache.dW[:, cache.A_prev] = dZ / dZ.shape[-1]


@pytest.mark.parametrize(("layer", "shape", "message"), [
    (NoForgetting(3), (4, 5), "dW[1] of layer 1"), (OneBias(3), (4, 5), "dc[1] of layer 1"),
    (ForgetsStart(3), (4, 5), "another Z for the same A_prev"),
    (LastTokenOnly(3, 2), 6, "dW[1] of layer 1"),
], ids=repr)  # fmt: skip
def test_faults_are_found(layer, shape, message):
    """The check of layers finds a step that is wrong in reverse, and memory from pass to pass."""
    with raises(AssertionError, message):
        tn.testing.check_layer(layer, shape)


# Blocks


@pytest.mark.parametrize("causal", [False, True])
def test_two_blocks_of_a_transformer(causal):
    """Gradients are right through an embedding and blocks, for a label at each step."""
    block = [Residual([LayerNorm(), SelfAttention(2, causal)]),
             Residual([LayerNorm(), Dense(3, "gelu"), Dense(2)])]  # fmt: skip
    layers = [Embedding(5, 2), *block, *block, Dense(4, "softmax")]
    model = Sequential(layers, "categorical_crossentropy", inputs=3, dtype="float64", seed=1)
    rng = np.random.default_rng(1)
    X, Y = rng.integers(5, size=(3, 4)), rng.integers(4, size=(3, 4))
    assert tn.testing.check_gradients(model, X, Y) <= 1e-7


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", RECURRENT)
def test_bidirectional(kind, sequences):
    """What reads backward gets the steps in reverse; gradients are right in a chain, too."""
    model = Sequential(
        [SelfAttention(1), Bidirectional(kind(2, sequences))], "mean_squared_error", (2, 3),
        "float64", seed=1,
    )  # fmt: skip
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((2, 3, 4)), rng.standard_normal((*model.outputs, 4))
    assert tn.testing.check_gradients(model, X, Y) <= 1e-7
    forward, backward = (alone(kind(2, sequences), (2, 3)) for _ in range(2))
    backward.params[:] = model.params[-backward.n_params :]
    A, steps = model.forward(X), model.A[1].copy()
    forward.params[:] = model.params[-2 * backward.n_params : -backward.n_params]
    close(A[:2], forward.forward(steps))
    from_the_end = backward.forward(steps[:, ::-1])
    close(A[2:], from_the_end[:, ::-1] if sequences else from_the_end)


# PyTorch


def rows(array):
    """Return PyTorch's layout, (m, T, n) or (m, n), of an array (n, T, m) or (n, m)."""
    return np.ascontiguousarray(array.T)


def order_of(kind, n):
    """Return where the rows of our gates are in PyTorch's."""
    return np.r_[: 2 * n, 3 * n : 4 * n, 2 * n : 3 * n] if kind is LSTM else slice(None)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(("n", "d", "T", "m"), [(3, 4, 5, 6), (1, 1, 1, 1), (8, 2, 17, 3)])
@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_as_torch(torch, kind, n, d, T, m, sequences):
    """Z, dA_prev and all gradients are PyTorch's, with its order of the gates."""
    model, rng = alone(kind(n, sequences), (d, T)), np.random.default_rng(2)
    X, Y = rng.standard_normal((d, T, m)), rng.standard_normal((*model.outputs, m))
    theirs = {SimpleRNN: torch.nn.RNN, LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}[kind](
        d, n, batch_first=True, dtype=torch.float64)  # fmt: skip
    names = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "c": "bias_hh_l0"}
    order, cache = order_of(kind, n), model.storage.placed[0].cache
    for name in cache.parameters:
        parameter = getattr(theirs, names[name]).detach()
        vars(cache)[name][...] = parameter.numpy().reshape(vars(cache)[name].shape)[order]
    if kind is not GRU:
        cache.b += theirs.bias_hh_l0.detach().numpy()[order, np.newaxis]
    ours = passes(model, X, Y)
    X, Y = torch.from_numpy(rows(X)).requires_grad_(), torch.from_numpy(rows(Y))
    A = theirs(X)[0] if sequences else theirs(X)[0][:, -1]
    (((A - Y) ** 2).sum() / (2 * m)).backward()
    close(rows(ours["A"]), A.detach().numpy(), rtol=1e-9, atol=1e-12)
    close(rows(ours["dA_prev"]), X.grad.numpy() * m, rtol=1e-9, atol=1e-12)
    for name in cache.parameters:
        expected = getattr(theirs, names[name]).grad.numpy().reshape(vars(cache)[name].shape)[order]
        close(ours[f"d{name}"], expected, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("n", "heads", "T", "m"), [(6, 2, 5, 4), (4, 4, 1, 1), (3, 1, 9, 2)])
def test_attention_as_torch(torch, n, heads, T, m, causal):
    """Z, dA_prev and all gradients are those of nn.MultiheadAttention."""
    model, rng = alone(SelfAttention(heads, causal), (n, T)), np.random.default_rng(2)
    X, Y = rng.standard_normal((2, n, T, m))
    theirs = torch.nn.MultiheadAttention(n, heads, batch_first=True, dtype=torch.float64)
    pairs = {"W": theirs.in_proj_weight, "b": theirs.in_proj_bias,
             "W_out": theirs.out_proj.weight, "b_out": theirs.out_proj.bias}  # fmt: skip
    cache = model.storage.placed[0].cache
    with torch.no_grad():
        for name, parameter in pairs.items():
            ours = torch.from_numpy(vars(cache)[name])
            parameter.copy_(ours.reshape(parameter.shape))
    ours = passes(model, X, Y)
    X, Y = torch.from_numpy(rows(X)).requires_grad_(), torch.from_numpy(rows(Y))
    mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1) if causal else None
    A = theirs(X, X, X, need_weights=False, attn_mask=mask)[0]
    (((A - Y) ** 2).sum() / (2 * m)).backward()
    close(rows(ours["A"]), A.detach().numpy(), rtol=1e-9, atol=1e-12)
    close(rows(ours["dA_prev"]), X.grad.numpy() * m, rtol=1e-9, atol=1e-12)
    for name, parameter in pairs.items():
        expected = parameter.grad.numpy().reshape(vars(cache)[name].shape)
        close(ours[f"d{name}"], expected, rtol=1e-9, atol=1e-12, err_msg=name)


def test_embedding_as_torch(torch):
    """Z and dW are PyTorch's, whose weight is the transpose."""
    model, rng = alone(Embedding(7, 3), 5), np.random.default_rng(2)
    X, Y = rng.integers(7, size=(5, 4)), rng.standard_normal((3, 5, 4))
    theirs = torch.nn.Embedding(7, 3, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(model.W[1].T))
    ours = passes(model, X, Y)
    A = theirs(torch.from_numpy(rows(X)))
    (((A - torch.from_numpy(rows(Y))) ** 2).sum() / (2 * 4)).backward()
    close(rows(ours["A"]), A.detach().numpy())
    close(ours["dW"].T, theirs.weight.grad.numpy(), rtol=1e-9, atol=1e-12)
