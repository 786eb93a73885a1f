"""Models as modules of PyTorch, and back: every layer, every activation, random networks."""

import numpy as np
import pytest
from exchanged import LAYERS as ALONE
from exchanged import examples, filled
from helpers import registered

import tinynet as tn
from tinynet import Conv1D, Conv2D, Dense, Residual, Sequential
from tinynet.exchange.entries import gates
from tinynet.exchange.torch.names import TORCH

torch = pytest.importorskip("torch", reason="an extra is not installed")
nn = torch.nn

M = 6  # examples
DTYPES = {"float32": 1e-6, "float64": 1e-12}  # and how far numbers about 1 may be apart


def outputs_of(module, X):
    """Return what a module makes of X, with the examples as the last axis, as in X."""
    rows = torch.from_numpy(np.ascontiguousarray(np.moveaxis(X, -1, 0)))
    return np.moveaxis(module(rows).detach().numpy(), 0, -1)


def expect_equal(actual, A, dtype, message=""):
    """Expect two outputs to be the same, within the rounding of a dtype."""
    assert actual.dtype == A.dtype, message
    tolerance = DTYPES[dtype] * max(1, np.abs(A).max())
    np.testing.assert_allclose(actual, A, rtol=0, atol=tolerance, err_msg=message)


SEVERAL = {  # layers, and the shape of an example
    "conv with settings": ([Conv2D(4, 3, stride=(2, 1), padding=(1, 2), groups=2)], (2, 5, 6)),
    "conv dilated": ([Conv2D(4, 2, dilation=(2, 3), padding=1)], (2, 5, 6)),
    "conv same": ([Conv2D(4, (3, 5), padding="same")], (2, 5, 6)),
    "conv same, even": ([Conv2D(4, (2, 4), padding="same")], (2, 5, 6)),
    "conv same, strides": ([Conv2D(4, 3, stride=2, padding="same")], (2, 6, 6)),
    "conv1d with padding": ([Conv1D(4, 3, "tanh", stride=2, padding=1)], (2, 7)),
    "conv1d same": ([Conv1D(4, 3, padding="same", dilation=2)], (2, 7)),
    "conv1d same, even": ([Conv1D(4, 4, padding="same", groups=2)], (2, 7)),
    "conv1d same, strides": ([Conv1D(4, 3, stride=2, padding="same")], (2, 8)),
    "max, padded much": ([tn.MaxPool2D(3, 2, padding=2)], (2, 7, 6)),
    "average, padded much": ([tn.AveragePool2D((3, 2), 2, padding=(2, 1))], (2, 7, 6)),
    "global average": ([tn.GlobalAveragePool(activation="elu"), Dense(2)], (3, 4, 5)),
    "batch norm, activated": ([tn.BatchNorm(activation="relu"), Dense(2)], 3),
    "batch norm in time": ([tn.BatchNorm(epsilon=0.01, momentum=0.7)], (3, 4)),
    "batch norm of volumes": ([tn.BatchNorm()], (3, 4, 2, 2)),
    "layer norm with epsilon": ([tn.LayerNorm(epsilon=0.01)], 4),
    "dropout of channels": ([tn.Dropout(0.5, per="channel")], (4, 3)),
    "dropout of images": ([tn.Dropout(0.5, per="channel")], (4, 3, 2)),
    "dropout of volumes": ([tn.Dropout(0.5, per="channel")], (4, 3, 2, 2)),
    "shapes": ([tn.Reshape((3, -1)), tn.Reshape((2, 6)), tn.Flatten(), Dense(2)], 12),
    "activate several": ([tn.Activate("tanh"), Dense(2), tn.Activate("relu")], 3),
    "activate nothing": ([Dense(2), tn.Activate("identity"), Dense(2, "tanh")], 3),
    "prelu, activated": ([Dense(3), tn.PReLU(activation="tanh")], 3),
    "embedding, activated": ([tn.Embedding(7, 3, activation="tanh"), tn.LSTM(2)], 5),
    "embedding, flattened": ([tn.Embedding(7, 3), tn.Flatten(), Dense(2)], 1),
    "one step": ([tn.LSTM(3, sequences=True), tn.GRU(2)], (2, 1)),
    "bidirectional, activated": ([tn.Bidirectional(tn.GRU(2, activation="relu"))], (3, 5)),
    "residual of one": ([Residual([tn.Activate("tanh")]), Residual(["flatten"])], 3),
    "branches, added": (
        [tn.Branches([[Dense(3)], [tn.Activate("identity")]], "add", activation="relu")], 3),
    "one branch": ([tn.Branches([[Dense(3), Dense(2)]]), Dense(2)], 3),
    "nested": ([Residual([
        tn.Branches([[Residual([Dense(3, "tanh")]), Dense(2)], [tn.BatchNorm()]]),
        tn.Reshape((1, -1)), tn.Bidirectional(Residual([tn.LSTM(1, sequences=True)])),
        tn.Flatten(), Dense(3)]), Dense(1)], 3),
}  # fmt: skip
LAYERS = {**{name: ([layer], inputs) for name, (layer, inputs) in ALONE.items()}, **SEVERAL}
# An activation comes back in the layer before it, and one branch has no join.
OTHER_LAYERS = ("activate", "activate several", "activate nothing", "branches of one")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name, dtype):
    """A module computes what its model does, and the model that is made of it is the same."""
    model = filled(*LAYERS[name], dtype)
    X = examples(model, M)
    A, module = model.predict(X), tn.exchange.to_torch(model)
    expect_equal(outputs_of(module, X), A, dtype)
    with torch.no_grad():  # where some modules compute in another way
        expect_equal(outputs_of(module, X), A, dtype)
    assert not module.training
    assert all(not child.training for child in module.modules())
    back = tn.exchange.from_torch(module, inputs=model.inputs)
    dtype = dtype if model.values.size else "float32"  # a module without arrays has no dtype
    expect_equal(back.predict(X), A.astype(dtype), dtype)
    if name not in OTHER_LAYERS:
        assert back.layers == model.layers


@pytest.mark.parametrize("name", LAYERS)
def test_arrays_are_those_of_a_state_dict(name):
    """Names and numbers are those of `state_dict`, and nothing is shared with the model."""
    model = filled(*LAYERS[name])
    module = tn.exchange.to_torch(model)
    expected = tn.exchange.state_dict(model)
    found = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)
        assert not np.shares_memory(found[key], model.values), key


def test_every_layer_is_tested():
    """No layer of the library is left out."""
    tested = {type(layer) for layers, _ in LAYERS.values() for layer in layers}
    assert {*registered(tn.Layer).values()} - tested == set()


def with_settings():
    """Return each registered activation, and others with their settings."""
    known = [kind() for kind in registered(tn.Activation).values()]
    g = tn.activations
    return [*known, g.LeakyReLU(0.3), g.ELU(0.5), g.CELU(2.0), g.GELU(approximate=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", with_settings(), ids=repr)
def test_every_activation(activation, dtype):
    """An activation is the same to the last digits, for small, large and very large numbers."""
    far = np.linspace(-50, 50, 401)
    X = np.concatenate([far, far * 100, [0.0, -0.0, 1e-9, -1e-9]]).astype(dtype).reshape(2, -1)
    model = Sequential([Dense(2, activation)], inputs=2, dtype=dtype)
    model.W[1] = np.eye(2)
    module, A, tolerance = tn.exchange.to_torch(model), model.predict(X), DTYPES[dtype]
    np.testing.assert_allclose(outputs_of(module, X), A, rtol=tolerance, atol=tolerance)
    back = tn.exchange.from_torch(module)
    assert back.layers == model.layers
    np.testing.assert_array_equal(back.predict(X), A)


# Random networks.


def random_layer(rng, shape):
    """Return a layer for examples of a shape."""
    n, *positions = shape
    activation = str(rng.choice(sorted(registered(tn.Activation))))
    units, kernel = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    stride, padding = int(rng.integers(1, 3)), ["same", "valid", 1][rng.integers(3)]
    window = {"stride": stride, "padding": "same", "activation": activation}
    anywhere = [
        Dense(units, activation), tn.BatchNorm(activation=activation), tn.PReLU(), tn.LayerNorm(),
        tn.LayerNorm(over="example"), tn.Dropout(0.3), tn.Flatten(), tn.Activate(activation),
        Residual([Dense(units, activation), Dense(n)], activation=activation),
        tn.Branches([[Dense(units)], [Dense(2, activation), Dense(units)]], "add"),
        tn.Branches([[Dense(units, activation)], [tn.Activate("identity")]]),
    ]  # fmt: skip
    heads = int(rng.choice([k for k in range(1, n + 1) if n % k == 0]))
    recurrent = [tn.LSTM, tn.GRU, tn.SimpleRNN][rng.integers(3)]
    of_sequences = [
        recurrent(units, sequences=bool(rng.integers(4))), Conv1D(units, kernel, **window),
        tn.Bidirectional(recurrent(units, sequences=True)), tn.SelfAttention(heads, stride > 1),
        tn.Dropout(0.5, per="channel"), tn.GlobalAveragePool(), tn.Reshape((-1, 1, n)),
    ]  # fmt: skip
    padding = padding if kernel == 3 and min(positions, default=0) > 2 else "same"
    of_images = [
        Conv2D(units, kernel, **window | {"padding": padding}), tn.GlobalAveragePool(),
        tn.MaxPool2D(kernel, stride, "same"), tn.AveragePool2D(kernel, stride, "same"),
        Residual([Conv2D(n, 3, padding="same"), tn.BatchNorm()]), tn.Reshape((n, -1)),
    ]  # fmt: skip
    of_columns = [tn.Reshape((1, n)), tn.Reshape((n, 1, 1)), Dense(6, activation)]
    more = [of_columns, of_sequences, of_images][len(positions)]
    choices = more if rng.random() < 0.6 else anywhere
    return choices[rng.integers(len(choices))]


def random_network(seed):
    """Return the layers of a random network, and the shape of an example."""
    rng = np.random.default_rng(seed)
    inputs = [(4,), (3, 6), (2, 6, 5), (5,)][seed % 4]
    layers, shape = [], inputs
    if seed % 4 == 3:
        layers, shape = [tn.Embedding(9, 3)], (3, 5)
    for _ in range(rng.integers(3, 7)):
        layers.append(random_layer(rng, shape))
        shape = layers[-1].output_shape(shape)
    return [*layers, tn.Flatten(), Dense(2, "softmax")], inputs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed, dtype):
    """Random networks of all parts compute the same in PyTorch, and when they are back."""
    layers, inputs = random_network(seed)
    model = filled(layers, inputs, dtype, seed=seed)
    X = examples(model, M, seed)
    A, module = model.predict(X), tn.exchange.to_torch(model)
    expect_equal(outputs_of(module, X), A, dtype, f"{layers}")
    back = tn.exchange.from_torch(module, inputs=inputs)
    expect_equal(back.predict(X), A, dtype, f"{layers}")


def test_random_networks_have_all_parts():
    """The random networks leave no layer and few activations out."""
    used = {layer for seed in range(40) for layer in random_network(seed)[0]}
    kinds = {type(layer) for layer in used}
    assert {*registered(tn.Layer).values()} - kinds == set()
    activations = {type(layer.activation) for layer in used}
    assert len(activations) > 12


def test_wrong_arrays_are_seen(monkeypatch):
    """A planted fault: gates in the order of this library do not give the same numbers."""
    model = filled([tn.LSTM(3)], (2, 5))
    X = examples(model, M)
    as_here = [gates("weight_ih_l0", "W", (0, 1, 2, 3)), *TORCH[tn.LSTM][1:]]
    monkeypatch.setitem(TORCH, tn.LSTM, as_here)
    module = tn.exchange.to_torch(model)
    with pytest.raises(AssertionError):
        expect_equal(outputs_of(module, X), model.predict(X), "float64")
