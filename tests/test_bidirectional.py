"""Bidirectional with the recurrent layers: against PyTorch, by gradients, and in a model."""

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Dense,
    Embedding,
    Residual,
    Sequential,
    SimpleRNN,
)
from tinynet.errors import ShapeError

RECURRENT = [SimpleRNN, LSTM, GRU]
equal, close = np.testing.assert_array_equal, np.testing.assert_allclose


@attrs.frozen
class Trace(tn.Layer):
    """Z[:, t] = W · A_prev[:, t] + r · Z[:, t-1]: the smallest layer that takes time in order."""

    sequences: bool = True

    def parameters(self, input_shape):
        shape = (input_shape[0], 1)
        return {"W": tn.Parameter(shape, "normal"), "r": tn.Parameter(shape, "normal")}

    def output_shape(self, input_shape):
        return input_shape if self.sequences else input_shape[:1]

    def forward(self, A_prev, cache):
        cache.steps = np.zeros_like(A_prev)
        for t in range(A_prev.shape[1]):
            cache.steps[:, t] = cache.W * A_prev[:, t] + (
                cache.r * cache.steps[:, t - 1] if t else 0
            )
        return cache.steps if self.sequences else cache.steps[:, -1]

    def back(self, dZ, cache):
        d, dW, dr, dA_prev = 0, 0, 0, np.empty_like(cache.steps)
        for t in reversed(range(dA_prev.shape[1])):
            is_last = t == dA_prev.shape[1] - 1
            d = cache.r * d + (dZ[:, t] if self.sequences else dZ if is_last else 0)
            dW = dW + np.mean(d * cache.A_prev[:, t], axis=1, keepdims=True)
            dr = dr + (np.mean(d * cache.steps[:, t - 1], axis=1, keepdims=True) if t else 0)
            dA_prev[:, t] = cache.W * d
        cache.dW, cache.dr = dW, dr + np.zeros_like(dW)
        return dA_prev


def alone(layer, shape):
    """Return a model of the layer alone, its parameters drawn anew."""
    model = Sequential([layer], "mean_squared_error", shape, "float64")
    model.params[:] = np.random.default_rng(2).standard_normal(model.n_params) / 2
    return model


@pytest.mark.parametrize(("sequences", "A"), [
    (True, [[1.0, 12.0, 123.0], [321.0, 32.0, 3.0]]), (False, [[123.0], [321.0]]),
])  # fmt: skip
def test_bidirectional_by_hand(sequences, A):
    """What both have read up to each step, or at the end of their way."""
    model = alone(Bidirectional(Trace(sequences)), (1, 3))
    for path in ("1.1.1", "1.2.1"):
        model.set_parameters({f"W{path}": [[1.0]], f"r{path}": [[10.0]]})
    equal(np.reshape(A, (2, -1, 1) if sequences else (2, 1)), model.forward([[[1.0], [2], [3]]]))


@pytest.mark.parametrize("layer", [
    Trace(activation="tanh"), Trace(False), Residual([Trace(), Trace()]), BatchNorm(),
], ids=repr)  # fmt: skip
def test_bidirectional_is_two_layers(layer):
    """It is what two models of the layer make of a sequence and of its reverse."""
    rng = np.random.default_rng(2)
    X, model = rng.standard_normal((2, 4, 6)), alone(Bidirectional(layer), (2, 4))
    one, other = (alone(layer, (2, 4)) for _ in range(2))
    one.params[:], other.params[:] = np.split(model.params, 2)
    forward, backward = one.forward(X), other.forward(X[:, ::-1])
    backward = backward[:, ::-1] if backward.ndim == 3 else backward
    equal(np.concatenate([forward, backward]), model.forward(X))


def after_a_pass(layer, shape, m=6):
    """Return a model of the layer after a pass forward and back, with X and Y."""
    model, rng = alone(layer, shape), np.random.default_rng(3)
    X, Y = rng.standard_normal((*shape, m)), rng.standard_normal((*model.outputs, m))
    model.forward(X)
    model.back(Y, input_gradient=True)
    return model, X, Y


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(("n", "T"), [(3, 5), (1, 1), (8, 17)])
@pytest.mark.parametrize("kind", RECURRENT)
def test_pytorch_computes_the_same(torch, kind, n, T, sequences):
    """A, dA[0] and all gradients are those of ``bidirectional=True``; (2n, m) is its h_n."""
    model, X, Y = after_a_pass(Bidirectional(kind(n, sequences)), (2, T))
    make = {SimpleRNN: torch.nn.RNN, LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}[kind]
    theirs = make(2, n, bidirectional=True, dtype=torch.float64)
    # Our gates are i, f, o and g. PyTorch has i, f, g and o, and two biases, which are added.
    order = np.r_[: 2 * n, 3 * n : 4 * n, 2 * n : 3 * n] if kind is LSTM else slice(None)
    names = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "c": "bias_hh_l0"}
    pairs = []
    for at, ending in zip(model.storage.placed[1:], ("", "_reverse"), strict=True):
        with torch.no_grad():
            getattr(theirs, f"bias_hh_l0{ending}").zero_()
            for name, ours in at.params.items():
                parameter = getattr(theirs, names[name] + ending)
                parameter[order] = torch.tensor(ours.reshape(parameter.shape))
                pairs.append((f"d{name} of {at.title}", parameter, at.grads[name]))
    X, Y = torch.tensor(X.transpose(1, 2, 0), requires_grad=True), torch.tensor(Y)
    A, h = theirs(X)
    h = h[0] if kind is LSTM else h
    A = A.permute(2, 0, 1) if sequences else torch.cat([h[0].T, h[1].T])
    (0.5 * ((A - Y) ** 2).sum() / Y.shape[-1]).backward()
    close(model.A[1], A.detach(), rtol=1e-9, atol=1e-12)
    close(model.dA[0], Y.shape[-1] * X.grad.permute(2, 0, 1), rtol=1e-9, atol=1e-12)
    for title, parameter, ours in pairs:
        expected = parameter.grad.numpy()[order].reshape(ours.shape)
        close(ours, expected, rtol=1e-9, atol=1e-12, err_msg=title)


@pytest.mark.parametrize("layer", [
    *[Bidirectional(kind(2, sequences)) for kind in RECURRENT for sequences in (False, True)],
    Bidirectional(LSTM(2, True, activation="tanh"), activation="relu"),
    Residual([Bidirectional(GRU(1, True)), Bidirectional(LSTM(1, True))]),
    Bidirectional(Residual([SimpleRNN(2, True)])),
], ids=repr)  # fmt: skip
def test_checks(layer):
    """Gradients, dtypes, memory orders and copies are right."""
    tn.testing.check_layer(layer, (2, 4))


def test_reads_both_ends():
    """At each step it learns whether the first number and the last one are 1."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2, (1, 8, 200)) * 2.0 - 1
    Y = np.repeat(X[:, :1] + X[:, -1:] > 0, 8, axis=1)
    layers = [Bidirectional(LSTM(8, sequences=True)), Dense(1, "sigmoid")]
    model = Sequential(layers, "binary_crossentropy", inputs=(1, 8), seed=1)
    model.fit(X, Y, tn.Adam(0.02), epochs=40)
    assert np.mean((model.predict(X) > 0.5) == Y) > 0.98


def test_stacked_without_sequences():
    """A layer that gets last steps from the one before says that it needs sequences."""
    with raises(ShapeError, "layer 2 (Bidirectional)", "(6, m)", "(n, T, m)", "sequences=True"):
        Sequential([Bidirectional(LSTM(3)), Bidirectional(LSTM(3))], inputs=(2, 4))
    Sequential([Bidirectional(LSTM(3, sequences=True)), Bidirectional(LSTM(3))], inputs=(2, 4))


def test_a_layer_of_indices_comes_before():
    """An embedding has no sequence to reverse; the remedy works."""
    with raises(ValueError, "takes indices", "Put Embedding(tokens=5, units=3) before"):
        Bidirectional(Embedding(5, 3))
    assert Sequential([Embedding(5, 3), Bidirectional(GRU(2))], inputs=7).outputs == (4,)
