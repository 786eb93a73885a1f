"""State dictionaries in the names of three libraries, and files of safetensors."""

import io
import json
import os
import types

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet.errors import ConversionError, FileFormatError, NonFiniteError, ShapeError
from tinynet.exchange.keras.names import with_new_numbers

NAMINGS = ("tinynet", "torch", "keras")

# Layers, the shape of an example, and the layers of Keras that compute the same, as a function of
# keras.layers.
MODELS = {
    "dense": (
        [tn.Dense(3, "relu"), tn.BatchNorm(), tn.Dense(2, "softmax")],
        (4,),
        lambda L: [L.Dense(3, "relu"), L.BatchNormalization(epsilon=1e-5), L.Dense(2, "softmax")],
    ),
    "flattened images": (
        [
            tn.Conv2D(4, (2, 3), "relu", groups=2), tn.BatchNorm(), tn.MaxPool2D(), tn.Flatten(),
            tn.LayerNorm(), tn.PReLU(), tn.Dropout(), tn.Dense(3), tn.Dense(2),
        ],
        (4, 5, 7),
        lambda L: [
            L.Conv2D(4, (2, 3), groups=2, activation="relu"), L.BatchNormalization(epsilon=1e-5),
            L.MaxPooling2D(), L.Flatten(), L.LayerNormalization(epsilon=1e-5), L.PReLU(),
            L.Dropout(0.5), L.Dense(3), L.Dense(2),
        ],
    ),
    "flattened sequences": (
        [
            tn.Conv1D(3, 2), tn.LayerNorm(), tn.PReLU(), tn.LayerNorm(over="example"),
            tn.Flatten(), tn.Dense(2),
        ],
        (4, 6),
        lambda L: [
            L.Conv1D(3, 2), L.LayerNormalization(epsilon=1e-5), L.PReLU(shared_axes=[1]),
            L.LayerNormalization(epsilon=1e-5, axis=[1, 2]), L.Flatten(), L.Dense(2),
        ],
    ),
    "recurrent": (
        [tn.LSTM(4, sequences=True), tn.GRU(3, sequences=True), tn.SimpleRNN(5)],
        (2, 6),
        lambda L: [
            L.LSTM(4, return_sequences=True), L.GRU(3, return_sequences=True), L.SimpleRNN(5),
        ],
    ),
    "bidirectional": (
        [tn.Bidirectional(tn.LSTM(2, sequences=True)), tn.Bidirectional(tn.GRU(2)), tn.Dense(1)],
        (3, 5),
        lambda L: [
            L.Bidirectional(L.LSTM(2, return_sequences=True)), L.Bidirectional(L.GRU(2)),
            L.Dense(1),
        ],
    ),
    "an image of one channel": (
        [tn.Dense(12), tn.Reshape((1, 3, 4)), tn.Conv2D(2, 2), tn.GlobalAveragePool()],
        (5,),
        lambda L: [
            L.Dense(12), L.Reshape((3, 4, 1)), L.Conv2D(2, 2), L.GlobalAveragePooling2D(),
        ],
    ),
}  # fmt: skip


def built(layers, inputs, seed=1, dtype="float32"):
    """Return a model in which every array has numbers of its own."""
    model = tn.Sequential(layers, "mean_squared_error", inputs=inputs, dtype=dtype, seed=seed)
    model.values[:] = np.random.default_rng(seed).uniform(0.1, 0.9, model.values.size)
    return model


def blocks(dtype="float32"):
    """Return a model with layers within layers."""
    residual = tn.Residual([tn.Dense(3, "tanh"), tn.Dense(4)], activation="relu")
    branches = tn.Branches([[tn.Dense(2), tn.BatchNorm()], [tn.Activate("tanh")]])
    return built([tn.Dense(4), residual, branches, tn.Dense(1)], 3, dtype=dtype)


ALL = {name: lambda name=name: built(*MODELS[name][:2]) for name in MODELS} | {"blocks": blocks}


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("name", ALL)
def test_there_and_back(name, naming):
    """A state dictionary fills another model of the same layers, to the last bit."""
    model = ALL[name]()
    arrays = tn.exchange.state_dict(model, naming)
    assert all(array.flags.c_contiguous and array.base is None for array in arrays.values())
    other = tn.Sequential(model.layers, inputs=model.inputs, seed=2)
    assert tn.exchange.load_state_dict(other, arrays, naming) is other
    np.testing.assert_array_equal(model.values, other.values)


def test_names():
    """The names of three libraries, for layers within layers."""
    model = blocks()
    assert list(tn.exchange.state_dict(model, "torch")) == [
        "0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.2.weight", "1.2.bias",
        "3.0.0.weight", "3.0.0.bias", "3.0.1.weight", "3.0.1.bias", "3.0.1.running_mean",
        "3.0.1.running_var", "3.0.1.num_batches_tracked", "4.weight", "4.bias",
    ]  # fmt: skip
    assert list(tn.exchange.state_dict(model, "keras")) == [
        "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "dense_2/kernel",
        "dense_2/bias", "dense_3/kernel", "dense_3/bias", "batch_normalization/gamma",
        "batch_normalization/beta", "batch_normalization/moving_mean",
        "batch_normalization/moving_variance", "dense_4/kernel", "dense_4/bias",
    ]  # fmt: skip
    ours = tn.exchange.state_dict(model, "tinynet")
    assert {*ours} == {*model.storage.named()}
    np.testing.assert_array_equal(ours["W2.1"], model.W[2, 1])


@pytest.fixture(scope="module")
def keras():
    """Return Keras, with whichever backend there is."""
    if "KERAS_BACKEND" not in os.environ:
        pytest.importorskip("jax", reason="an extra is not installed")
        os.environ["KERAS_BACKEND"] = "jax"
    return pytest.importorskip("keras", reason="an extra is not installed")


def channels_last(X):
    """Return examples as Keras has them: (m, ..., C) of (C, ..., m)."""
    return np.moveaxis(X, (0, -1), (-1, 0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_keras_computes_the_same(keras, name):
    """A Keras model with our arrays predicts the same, and gives them back."""
    layers, inputs, theirs = MODELS[name]
    model = built(layers, inputs)
    image = keras.Input((*inputs[1:], inputs[0]))
    network = keras.Sequential([image, *theirs(keras.layers)])
    renamed = with_new_numbers([weight.path for weight in network.weights])
    arrays = tn.exchange.state_dict(model, "keras")
    assert {*renamed.values()} == {*arrays}
    for weight in network.weights:
        weight.assign(arrays[renamed[weight.path]])
    X = np.random.default_rng(2).normal(size=(*inputs, 3)).astype(np.float32)
    expected = np.asarray(network(channels_last(X)))
    np.testing.assert_allclose(channels_last(model.predict(X)), expected, rtol=1e-5, atol=1e-5)
    other = tn.Sequential(layers, inputs=inputs, seed=2)
    found = {weight.path: weight.numpy() for weight in network.weights}
    tn.exchange.load_state_dict(other, found, "keras")
    np.testing.assert_array_equal(model.values, other.values)


@pytest.mark.parametrize(("names", "expected"), [
    (["sequential_2/dense_9/kernel", "sequential_2/dense_10/kernel"],
     ["dense/kernel", "dense_1/kernel"]),
    (["gru_3/gru_cell_1/bias", "dense/bias:0"], ["gru/gru_cell/bias", "dense/bias"]),
    (["bidirectional_1/forward_lstm_4/lstm_cell/kernel"],
     ["bidirectional/forward_lstm/lstm_cell/kernel"]),
    (["conv2d/kernel", "conv2d_1/kernel"], ["conv2d/kernel", "conv2d_1/kernel"]),
    (["mine/kernel"], ["mine/kernel"]),
])  # fmt: skip
def test_numbers_of_keras(names, expected):
    """Keras counts on from model to model: what matters is the order within a kind."""
    assert list(with_new_numbers(names).values()) == expected


# Bad input

NO_MODELS = {  # what is handed over, and what to do
    "an estimator": (lambda: types.SimpleNamespace(model_=1), "Pass … model.model_."),
    "a module": (lambda: types.SimpleNamespace(load_state_dict=1), "Use … from_torch(model)."),
    "a layer": (lambda: tn.Dense(3), "Pass a tn.Sequential([...])."),
}


@pytest.mark.parametrize("kind", NO_MODELS)
def test_what_is_no_model(kind):
    """Every function that takes a model says how to get one."""
    make, remedy = NO_MODELS[kind]
    for function in (
        tn.exchange.state_dict,
        lambda model: tn.exchange.load_state_dict(model, {}),
        lambda model: tn.exchange.save_safetensors(model, io.BytesIO()),
    ):
        with raises(TypeError, "model is … expected a model of tinynet", remedy):
            function(make())


def test_what_is_no_dictionary():
    """In place of arrays by name, a model or a module is refused, and the remedy works."""
    model, other = blocks(), blocks()
    with raises(TypeError, "arrays is Sequential", "tn.exchange.state_dict(arrays, naming)"):
        tn.exchange.load_state_dict(other, model)
    module = types.SimpleNamespace(state_dict=lambda: tn.exchange.state_dict(model))
    with raises(TypeError, "arrays is SimpleNamespace", "Pass arrays.state_dict()."):
        tn.exchange.load_state_dict(other, module)
    tn.exchange.load_state_dict(other, module.state_dict())
    np.testing.assert_array_equal(model.values, other.values)


def test_other_names():
    """Other names are refused, and the remedy for names in the same order works."""
    model, other = blocks(), blocks()
    other.values[:] = 0
    arrays = tn.exchange.state_dict(model)
    renamed = {f"net.{name}": array for name, array in arrays.items()}
    with raises(KeyError, "have no '0.weight'", "have 'net.0.weight'", "and 9 more",
                "dict(zip(tn.exchange.state_dict(model, 'torch'), arrays.values()))"):  # fmt: skip
        tn.exchange.load_state_dict(other, renamed)
    assert not other.values.any(), "an error has changed the model"
    in_order = dict(zip(tn.exchange.state_dict(other, "torch"), renamed.values(), strict=True))
    tn.exchange.load_state_dict(other, in_order)
    np.testing.assert_array_equal(model.values, other.values)


@pytest.mark.parametrize(("names", "naming", "words"), [
    (["s/conv2d/kernel", "s/conv2d/bias"], "torch", "like those of naming='keras': pass that"),
    (["fc.weight", "fc.bias"], "keras", "like those of naming='torch': pass that"),
    (["W1", "b1"], "torch", "like those of naming='tinynet': pass that"),
    (["W3.0.1", "b1"], "torch", "like those of naming='tinynet': pass that"),
    (["kernel"], "keras", "Pass {w.path: w.numpy() for w in keras_model.weights}."),
    (["0.weight"], "torch", "For a layer without a bias, add zeros, beside the name"),
    (["s/dense_7/kernel"], "keras", "For a layer without a bias, add zeros, beside the name"),
    (["fc.weight", "fc.bias", "fc.scale"], "torch", "Build the model with the layers that"),
    (["fc.bias", "fc.weight"], "torch", "sorted by name, as those of a file, and not in the order"),
    (["fc/kernel", "fc/bias"], "keras", "state_dict(model, 'keras'), arrays.values()))"),
])  # fmt: skip
def test_names_of_another_naming(names, naming, words):
    """Names of another library say so: in order, kernels would be taken for transposed ones."""
    model = built([tn.Dense(2)], 2)
    with raises(KeyError, words):
        tn.exchange.load_state_dict(model, {name: np.zeros(2) for name in names}, naming)


def test_names_of_keras_that_are_one():
    """Layers with one name, in models within a model, are not taken for each other."""
    names = ["a/dense/kernel", "a/dense/bias", "b/dense/kernel", "b/dense/bias"]
    arrays = dict(zip(names, [np.eye(2), np.ones(2), 2 * np.eye(2), np.zeros(2)], strict=True))
    model = built([tn.Dense(2), tn.Dense(2)], 2)
    for each in (model, built([tn.Dense(2)], 2)):
        with raises(KeyError, "'a/dense/kernel' and 'b/dense/kernel' are both 'dense/kernel' here",
                    "dict(zip(tn.exchange.state_dict(model, 'keras'), arrays."):  # fmt: skip
            tn.exchange.load_state_dict(each, arrays, "keras")
    arrays = dict(zip(tn.exchange.state_dict(model, "keras"), arrays.values(), strict=True))
    tn.exchange.load_state_dict(model, arrays, "keras")
    assert [W[0, 0] for W in model.W.values()] == [1, 2]


@pytest.mark.parametrize("order", [
    lambda names: sorted(names),
    lambda names: [n for n in names if "moving" not in n] + [n for n in names if "moving" in n],
])  # fmt: skip
def test_names_of_keras_in_another_order(order):
    """Names that are sorted, 10 before 2, or with the state behind all parameters are known."""
    layers = [layer for _ in range(12) for layer in (tn.Dense(2), tn.BatchNorm())]
    model, other = built(layers, 2), built(layers, 2)
    other.values[:] = 1
    arrays = tn.exchange.state_dict(model, "keras")
    tn.exchange.load_state_dict(other, {name: arrays[name] for name in order(arrays)}, "keras")
    np.testing.assert_array_equal(model.values, other.values)


def test_bfloat16():
    """Tensors in a dtype that NumPy lacks are read as those in float32."""
    torch = pytest.importorskip("torch", reason="an extra is not installed")
    model = built([tn.Dense(2)], 2)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2)).bfloat16()
    tn.exchange.load_state_dict(model, module.state_dict())
    np.testing.assert_array_equal(module[0].weight.detach().float(), model.W[1])


def without(arrays, name):
    """Return arrays without one of them."""
    return {key: array for key, array in arrays.items() if key != name}


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda a: without(a, "0.bias"), KeyError, "have no '0.bias', expected"),
    (lambda a: a | {"9.weight": 1}, KeyError, "have '9.weight', which the model has not"),
    (lambda a: a | {"0.weight": a["0.weight"].T}, ShapeError,
     "0.weight has shape (3, 4), expected (4, 3) for layer 1 (Dense)"),
    (lambda a: a | {"0.bias": a["0.bias"] * np.nan}, NonFiniteError, "b1"),
    (lambda a: a | {"0.bias": ["x"] * 4}, TypeError, "0.bias"),
    (lambda a: a | {"3.0.1.running_var": -a["3.0.1.running_var"]}, ValueError,
     "running_variance3.1.2 has the number -0. … expected at least 0"),
    (lambda a: list(a.values()), TypeError, "arrays is list, expected … load_file(path)"),
])  # fmt: skip
def test_wrong_arrays(change, error, words):
    """Arrays that are missing, of another shape or no numbers are refused, before any change."""
    model = blocks()
    before = model.values.copy()
    with raises(error, *words.split("| ")):
        tn.exchange.load_state_dict(model, change(tn.exchange.state_dict(model)))
    np.testing.assert_array_equal(before, model.values)


def test_batches_tracked_may_be_missing():
    """PyTorch's count of batches says nothing about a model here."""
    model, other = blocks(), blocks()
    other.values[:] = 0
    arrays = without(tn.exchange.state_dict(model), "3.0.1.num_batches_tracked")
    tn.exchange.load_state_dict(other, arrays)
    np.testing.assert_array_equal(model.values, other.values)


@pytest.mark.parametrize(("layers", "inputs", "words"), [
    ([tn.Conv2D(2, 2), tn.Reshape((8, 2)), tn.Conv1D(1, 1)], (1, 3, 5), "Layer 2 (Reshape): It"),
    ([tn.Reshape((2, 2, 2)), tn.Conv2D(1, 1)], (8,), "channels last"),
    ([tn.Flatten(), tn.Residual([tn.Dense(8)])], (2, 2, 2), "flattened examples"),
    ([tn.Branches([[tn.Flatten()], [tn.Flatten()]]), tn.Dense(1)], (2, 2, 2), "another order"),
])  # fmt: skip
def test_what_keras_cannot_have(layers, inputs, words):
    """Where Keras would have numbers in another place, nothing is given rather than that."""
    model = built(layers, inputs)
    with raises(ConversionError, words, 'naming="torch"'):
        tn.exchange.state_dict(model, "keras")
    assert tn.exchange.state_dict(model, "torch")


@pytest.mark.parametrize(("before", "after"), [
    ((4,), (1, 2, 2)), ((4,), (4, 1, 1)), ((4,), (2, 2)), ((2, 2, 3), (2, 6)), ((2, 6), (2, 3, 2)),
    ((2, 6), (4, 3)), ((1, 4), (4, 1)), ((1, 4), (2, 2)), ((2, 2), (4, 1)), ((6, 1), (1, 2, 3)),
    ((6, 2), (2, 6)), ((2, 3, 2), (3, 2, 2)),
])  # fmt: skip
def test_shapes_that_keras_can_have(before, after):
    """A reshape is given if Keras, which has channels last, puts the numbers in the same places."""
    model = built([tn.Reshape(after), tn.LayerNorm()], before)
    X = np.arange(np.prod(before)).reshape(before)
    theirs = np.moveaxis(X, 0, -1).reshape(*after[1:], after[0])
    if np.array_equal(np.moveaxis(theirs, -1, 0), X.reshape(after)):
        assert tn.exchange.state_dict(model, "keras")
    else:
        with raises(ConversionError, "channels last"):
            tn.exchange.state_dict(model, "keras")


def test_custom_layer():
    """Arrays of a custom layer have their own names, except in Keras, which has no such layer."""

    class ScaleOfState(tn.Layer):
        def parameters(self, input_shape):
            ones = tn.Initializer.get("constant", value=1.0)
            return {"scale": tn.Parameter((input_shape[0], 1), ones)}

        def forward(self, A_prev, cache):
            return A_prev * cache.scale

        def back(self, dZ, cache):
            cache.dscale[...] = (dZ * cache.A_prev).mean(axis=1, keepdims=True)
            return dZ * cache.scale

    model = built([ScaleOfState(), tn.Dense(1)], 2)
    assert list(tn.exchange.state_dict(model))[:2] == ["0.scale", "1.weight"]
    with raises(ConversionError, "Layer 1 (ScaleOfState)", "Keras"):
        tn.exchange.state_dict(model, "keras")


def test_unknown_naming():
    """A naming is one of three."""
    with raises(ValueError, "naming is 'jax', expected one of 'tinynet', 'torch', 'keras'."):
        tn.exchange.state_dict(blocks(), "jax")


def test_not_built():
    """A model without arrays says what it needs."""
    with raises(tn.errors.NotBuiltError, "inputs"):
        tn.exchange.state_dict(tn.Sequential([tn.Dense(1)]))


# Files of safetensors


@pytest.fixture
def safetensors():
    """Return the library for NumPy."""
    return pytest.importorskip("safetensors.numpy", reason="an extra is not installed")


@pytest.mark.usefixtures("safetensors")
@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_a_file_comes_back(name, dtype, naming):
    """A model comes back from a file to the last bit, with layers and loss."""
    model = blocks(dtype) if name == "blocks" else built(*MODELS[name][:2], dtype=dtype)
    file = io.BytesIO()
    tn.exchange.save_safetensors(model, file, naming)
    found = tn.exchange.load_safetensors(file)
    np.testing.assert_array_equal(model.values, found.values)
    assert (found.layers, found.loss, found.dtype) == (model.layers, model.loss, model.dtype)


def test_a_file_of_torch(safetensors, tmp_path):
    """The library reads what was written, in the layout of the naming."""
    model, path = blocks(), tmp_path / "net.safetensors"
    tn.exchange.save_safetensors(model, path, "torch")
    found, expected = safetensors.load_file(path), tn.exchange.state_dict(model, "torch")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)
    loaded = tn.exchange.load_safetensors(path)
    np.testing.assert_array_equal(model.values, loaded.values)
    with raises(FileFormatError, "tn.exchange.load_safetensors reads"):
        tn.load(path)
    model.save(path)
    with raises(FileFormatError, "tn.load reads"):
        tn.exchange.load_safetensors(path)


@pytest.mark.usefixtures("safetensors")
def test_what_is_not_written(tmp_path):
    """A model that cannot be saved leaves the file as it was."""
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"before")
    model = blocks()
    model.W[1][0, 0] = np.nan
    with raises(NonFiniteError, "W1 has the number nan"):
        tn.exchange.save_safetensors(model, path)
    with raises(ValueError, "naming is 'pt'"):
        tn.exchange.save_safetensors(blocks(), path, "pt")
    with raises(TypeError, "The path is 3"):
        tn.exchange.save_safetensors(blocks(), 3)
    assert path.read_bytes() == b"before"


def file_of(model, naming="tinynet"):
    """Return a file of safetensors as bytes, in two parts: the header and the data."""
    file = io.BytesIO()
    tn.exchange.save_safetensors(model, file, naming)
    return split(file.getvalue())


def split(data):
    """Return the header and the data of a file."""
    stop = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:stop]), data[stop:]


def joined(header, data):
    """Return a file of a header and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def with_description(**changes):
    """Return a function that changes the description of a file."""

    def change(header, data):
        metadata = header["__metadata__"]
        description = json.loads(metadata["tinynet"]) | changes
        return joined(header | {"__metadata__": metadata | {"tinynet": json.dumps(description)}},
                      data)  # fmt: skip

    return change


def with_metadata(**changes):
    """Return a function that changes the metadata of a file."""
    return lambda header, data: joined(
        header | {"__metadata__": header["__metadata__"] | changes}, data
    )


def huge(layer):
    """Return the config of a layer that says it is huge."""
    return {"layers": [layer.config()], "inputs": [1 << 20]}


HOSTILE = {
    "empty": (lambda header, data: b"", "bytes"),
    "short": (lambda header, data: b"\1\2\3", "not a whole file"),
    "text": (lambda header, data: b"hello, this is not a file of arrays", "its header would have"),
    "a header of 2**60 bytes": (lambda header, data: (1 << 60).to_bytes(8, "little") + data,
                                "its header would have 1152921504606846976 bytes"),
    "an archive": (lambda header, data: b"PK\3\4\x14\0\0\0\0", "tn.load reads those that model"),
    "of ONNX": (lambda header, data: b"\x08\x08\x12\x07tinynet", "tn.exchange.from_onnx reads"),
    "no JSON": (lambda header, data: joined(b"{" * 100, data), "not a whole file"),
    "deep JSON": (lambda header, data: joined(b"[" * 100_000, data), "not a whole file"),
    "a list": (lambda header, data: joined([1], data), "no description of a model"),
    "metadata of numbers": (lambda header, data: joined({"__metadata__": {"tinynet": 1}}, data),
                            "its metadata is not text"),
    "another library": (lambda header, data: joined(header | {"__metadata__": {}}, data),
                        "tn.exchange.load_state_dict(model, safetensors.numpy.load_file(path)"),
    "cut off": (lambda header, data: joined(header, data[:-1]), "not a whole file"),
    "more data": (lambda header, data: joined(header, data + b"1"), "not a whole file"),
    "an array is missing": (lambda header, data: joined(without(header, "W1"), data),
                            "not a whole file"),
    "an array too many": (lambda header, data: joined(
        header | {"W9": {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}},
        data), "W9"),
    "a lying shape": (lambda header, data: joined(
        header | {"W1": header["W1"] | {"shape": [1 << 40, 1 << 40]}}, data), "not a whole file"),
    "another dtype": (lambda header, data: joined(
        {name: value if name == "__metadata__" else value | {"dtype": "I32"}
         for name, value in header.items()}, data), "dtype int32"),
    "another naming": (with_metadata(naming="jax"), "naming is 'jax'"),
    "huge layers": (with_description(**huge(tn.Dense(1 << 40))), "its layers have"),
    "huge gates": (with_description(**huge(tn.Dense(1 << 20))), "its layers have"),
    "a huge shape": (lambda header, data: with_metadata(naming="keras")(
        *split(with_description(layers=[tn.Flatten().config()], inputs=[1 << 40, 1 << 40])(
            header, data))), "W1"),
    "no layers": (with_description(layers=[]), "layers is empty"),
    "another format": (with_description(format=99), "newer than"),
    "a code": (with_description(dtype="O"), "dtype"),
    "NaN": (lambda header, data: joined(header, b"\xff" * len(data)), "finite"),
}  # fmt: skip


@pytest.mark.usefixtures("safetensors")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name):
    """A file that is damaged or lies is a `FileFormatError`, and nothing is allocated for it."""
    change, words = HOSTILE[name]
    data = change(*file_of(built([tn.Dense(3), tn.Dense(1)], 2)))
    kind = "not a whole file of safetensors with a tinynet model"
    with raises(FileFormatError, kind, "Pass a file that tn.exchange.save_safetensors", words):
        tn.exchange.load_safetensors(io.BytesIO(data))


@pytest.mark.usefixtures("safetensors")
def test_every_byte_counts(tmp_path):
    """A file with one byte changed loads as it was described, or is refused; it never hangs."""
    model = built([tn.Dense(2), tn.Dense(1)], 2)
    whole = bytearray(joined(*file_of(model)))
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.integers(0, len(whole), 200):
        damaged = whole.copy()
        damaged[place] ^= 1 << rng.integers(8)
        try:
            found = tn.exchange.load_safetensors(io.BytesIO(bytes(damaged)))
        except (FileFormatError, tn.errors.UnknownNameError):
            refused += 1
        else:
            assert found.values.shape == model.values.shape
    assert refused > 50, "most bytes of so small a file are its description"


@pytest.mark.usefixtures("safetensors")
def test_a_path_in_the_home_folder(tmp_path, monkeypatch):
    """A file is read from where it was written, also with "~" for the folder of the user."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model = blocks()
    tn.exchange.save_safetensors(model, "~/net.safetensors")
    assert os.listdir(tmp_path) == ["net.safetensors"]
    back = tn.exchange.load_safetensors("~/net.safetensors")
    np.testing.assert_array_equal(model.values, back.values)


@pytest.mark.usefixtures("safetensors")
def test_no_file(tmp_path):
    """A path without a file, and what is no path, are refused as by `open`."""
    with pytest.raises(FileNotFoundError):
        tn.exchange.load_safetensors(tmp_path / "none.safetensors")
    with raises(TypeError, "The path is 3, expected a path or an open binary file."):
        tn.exchange.load_safetensors(3)
