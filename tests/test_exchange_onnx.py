"""Models as ONNX: what onnxruntime computes is what `predict` does."""

import io
import itertools
import math
import os
import tracemalloc

import attrs
import numpy as np
import pytest
from exchanged import LAYERS, examples, filled
from formulas import FORMULAS_OF_USERS, formula
from helpers import registered
from messages import raises

import tinynet as tn
from tinynet.exchange.entries import column
from tinynet.exchange.formulas import FORMULAS, ON_MASKS
from tinynet.exchange.onnx.names import ONNX
from tinynet.exchange.onnx.names import _recurrent as recurrent_entries

onnx = pytest.importorskip("onnx", reason="an extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="an extra is not installed")

from tinynet.exchange.onnx import origin, out, recurrent, windows  # noqa: E402  they need onnx

pytestmark = pytest.mark.usefixtures("library_alone")
DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 1e-6, "float64": 1e-7}  # epsilon of normalizations is float32


def session(model, **options):
    """Return a session of onnxruntime for a model."""
    content = tn.exchange.to_onnx(model, **options).SerializeToString()
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])


def outputs(running, X):
    """Return what a session computes, with the examples last, as X has them."""
    rows = np.ascontiguousarray(np.moveaxis(X, -1, 0))
    return np.moveaxis(running.run(["A"], {"X": rows})[0], 0, -1)


def assert_same(model, *Xs, **options):
    """Expect onnxruntime to compute what `predict` does, for several X with one session."""
    running, tolerance = session(model, **options), TOLERANCE[model.dtype.name]
    for X in Xs:
        expected, actual = model.predict(X), outputs(running, X)
        assert expected.dtype == actual.dtype
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# Layers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, dtype):
    """Every layer is written, for any number of examples, and comes back in every part."""
    layer, inputs = LAYERS[name]
    model = filled([layer], inputs, dtype, "mean_squared_error")
    assert_same(model, examples(model, 1), examples(model, 7))
    back = origin.original(tn.exchange.to_onnx(model))
    assert (model.layers, model.loss, model.dtype) == (back.layers, back.loss, back.dtype)
    np.testing.assert_array_equal(model.values, back.values)


def test_all_layers_are_tested():
    """The table has every layer of the library."""
    assert registered(tn.Layer).keys() == {layer.registered_name for layer, _ in LAYERS.values()}


CHANGING = (
    "conv with all", "average pool, same", "max pool, same", "global average pool", "batch norm",
    "layer norm", "prelu", "embedding", "lstm", "causal attention", "bidirectional", "reshape",
    "dense of sequences", "residual",
)  # fmt: skip


@pytest.mark.parametrize("opset", [18, 21, 26])
@pytest.mark.parametrize("dtype", DTYPES)
def test_opsets(opset, dtype):
    """Operators are right in later opsets too, where some take other inputs."""
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip("onnx is older")
    for name in CHANGING:
        layer, inputs = LAYERS[name]
        model = filled([layer], inputs, dtype)
        assert_same(model, examples(model, 3), opset=opset)


# Activations

tiny = float(np.finfo(np.float32).tiny)
corners = [0.0, -0.0, tiny, -tiny, 1e-7, -1e-7, 1.0, -1.0, 3.0, -3.0, 6.0, 20.0, 25.0, -25.0]
Z = np.concatenate([np.linspace(-100, 100, 801), np.linspace(-8, 8, 401), corners])


def assert_same_activation(activation, dtype, inputs=3):
    """Expect that an activation alone is written, at many Z."""
    model = tn.Sequential([tn.Activate(activation)], inputs=inputs, dtype=dtype)
    assert_same(model, np.stack([Z, Z[::-1], Z / 7])[:inputs].astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", registered(tn.Activation))
def test_activations(name, dtype):
    """Every activation is written."""
    assert_same_activation(name, dtype)


FIELDS = [
    tn.activations.LeakyReLU(0.2), tn.activations.LeakyReLU(-1.5), tn.activations.ELU(0.3),
    tn.activations.CELU(2.5), tn.activations.GELU(approximate=True),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", FIELDS, ids=repr)
def test_fields_of_activations(activation, dtype):
    """Fields of an activation are in its operators, with all digits in float64."""
    assert_same_activation(activation, dtype)


def operators(model):
    """Return the operators that a model is written with."""
    return [node.op_type for node in tn.exchange.to_onnx(model).graph.node]


@pytest.mark.parametrize(("name", "operator"), [
    ("sigmoid", "Sigmoid"), ("tanh", "Tanh"), ("relu", "Relu"), ("softmax", "Softmax"),
    ("elu", "Elu"), ("selu", "Selu"), ("softplus", "Softplus"), ("leaky_relu", "LeakyRelu"),
])  # fmt: skip
def test_operators_of_activations(name, operator):
    """An activation that ONNX has is one operator."""
    model = tn.Sequential([tn.Dense(2, name)], inputs=3, seed=1)
    assert operators(model) == ["Gemm", operator, "Identity"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMULAS_OF_USERS)
def test_formulas_are_traced(name, dtype):
    """An activation of a few lines is written, by what its forward does to Z."""
    assert_same_activation(formula(FORMULAS_OF_USERS[name]), dtype)


def test_all_functions_are_traced():
    """What dual numbers differentiate is traced too, as far as it is elementwise."""
    from tinynet._support import dual
    from tinynet.exchange.onnx.operators import _OPERATORS
    from tinynet.exchange.trace import _FUNCTIONS

    known = FORMULAS.keys() | _OPERATORS.keys() | ON_MASKS.keys() | {np.positive, np.fmod}
    assert {ufunc.__name__ for ufunc in dual._RULES.keys() - known} == set()
    assert {function.__name__ for function in dual._FUNCTIONS.keys() - _FUNCTIONS.keys()} == set()


def test_fields_are_traced():
    """Fields of an activation become constants, in the dtype of the model."""

    @attrs.frozen(slots=False)
    class Shifted(tn.Activation):
        by: float = 0.1

        def forward(self, Z):
            return np.maximum(Z - self.by, 0)

    for dtype in DTYPES:
        assert_same_activation(Shifted(1 / 3), dtype)
    proto = tn.exchange.to_onnx(tn.Sequential([tn.Activate(Shifted())], inputs=2))
    kinds = {tensor.data_type for tensor in proto.graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT}, "constants of float64 in a model of float32"


def indexed(Z):
    """Do what depends on the order of numbers."""
    return Z[0]


def decided(Z):
    """Take a decision."""
    return Z if Z > 0 else -Z


def truncated(Z):
    """Write numbers into an array of integers."""
    A = np.where(Z > 0, 1, 0)
    A[Z > 0] = Z[Z > 0]
    return A


CALLS = itertools.count()

REFUSED = {
    "a sum": (lambda Z: Z / Z.sum(), "Z.sum in line"),
    "a mean": (lambda Z: Z - np.mean(Z), "np.mean in line"),
    "a maximum": (lambda Z: Z - np.maximum.reduce(Z), "np.maximum.reduce"),
    "a sorted array": (lambda Z: np.sort(Z), "np.sort", "np.sort(Z)"),
    "a product": (lambda Z: Z @ Z, "np.matmul"),
    "an index": (indexed, "an index other than a mask", "`return Z[0]`"),
    "a decision": (decided, "`if`, min or max on numbers of Z", "np.where"),
    "a number": (lambda Z: math.tanh(Z), "a single number (math.exp, float)"),
    "a plain array": (lambda Z: np.asarray(Z) * 2, "a plain array"),
    "a shape": (lambda Z: np.zeros(Z.shape), "Z.shape"),
    "a loop": (lambda Z: sum(row for row in Z), "a loop over Z"),
    "a length": (lambda Z: Z / len(Z), "len(Z)"),
    "a dtype": (lambda Z: Z.astype(int), "Z.astype('int64')"),
    "an option": (lambda Z: np.exp(Z, dtype=float), "np.exp with dtype="),
    "another array": (lambda Z: np.exp(Z, out=np.empty((3, 9))), "np.exp with out= an array"),
    "a whole batch": (lambda Z: Z + np.ones((3, 5)), "an array of shape (3, 5)"),
    "text": (lambda Z: np.add(Z, None), "a NoneType"),
    "a number as result": (lambda Z: 1.0, "a float as its result", "shape of Z"),
    "a part as result": (lambda Z: Z[Z > 0], "the numbers at a mask as its result"),
    "an error of its own": (
        lambda Z: int(Z),
        "what raises TypeError: int() argument … in line … `lambda Z: int(Z)",
    ),
    "a choice of places": (lambda Z: np.where(Z > 0)[0], "what raises TypeError", "in line"),
    "two masks": (lambda Z: Z[Z > 0] + Z[Z > 1], "numbers at a mask together with those at"),
    "another mask": (lambda Z: set_at(Z, Z[Z > 1]), "not taken at this mask"),
    "numbers in a mask": (lambda Z: np.add(Z, 1, out=Z > 0), "numbers that are written into"),
    "a bit": (lambda Z: np.bitwise_and(Z, 1), "np.bitwise_and"),
    "random numbers": (lambda Z: Z + np.random.default_rng().random(), "gives other numbers"),
    "a count": (lambda Z: Z + next(CALLS), "gives other numbers"),
    "a class": (lambda Z: Z * (1 + isinstance(Z, np.ndarray)), "gives other numbers"),
    "integers": (truncated, "gives other numbers"),
    "integers divided": (lambda Z: (Z > 0) * 5 // ((Z > 1) * 1), "gives other numbers"),
}


def set_at(Z, numbers):
    """Write numbers where Z is positive."""
    Z[Z > 0] = numbers
    return Z


@pytest.mark.parametrize("name", REFUSED)
def test_formulas_that_cannot_be_traced(name):
    """What cannot be traced is refused; the message says what, where, and what to do."""
    forward, *words = REFUSED[name]
    model = tn.Sequential([tn.Dense(3), tn.Activate(formula(forward))], inputs=3)
    remedy = "@tn.exchange.onnx_activation.register"
    with raises(tn.errors.ConversionError, "Layer 2 (Activate): Formula.forward", *words, remedy):
        tn.exchange.to_onnx(model)


# Custom classes


def scale_class():
    """Return the class of a custom layer, Z = scale · A_prev."""

    class Scale(tn.Layer):
        def parameters(self, input_shape):
            return {"scale": tn.Parameter((input_shape[0], 1), tn.initializers.Constant(2.0))}

        def forward(self, A_prev, cache):
            return cache.scale * A_prev

        def back(self, dZ, cache):
            cache.dscale[...] = (dZ * cache.A_prev).mean(axis=1, keepdims=True)
            return cache.scale * dZ

    return Scale


def test_layer_without_a_converter():
    """A custom layer is refused, by its place and name, with what to register."""
    block = tn.Residual([tn.Dense(2), scale_class()()])
    with raises(
        tn.errors.ConversionError, "Layer 1.2 (Scale): Scale() has no counterpart in ONNX",
        "@tn.exchange.onnx_layer.register", "convert(layer: Scale, ...)",
    ):  # fmt: skip
        tn.exchange.to_onnx(tn.Sequential([block], inputs=2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_registered_layer(dtype):
    """A converter of a custom layer is one function; its arrays are as they are in the layer."""
    Scale = scale_class()

    @tn.exchange.onnx_layer.register
    def _(layer: Scale, graph, A_prev, placed):
        n = graph.constant(placed.input_shape, dtype="int64")
        return graph.op("Mul", A_prev, graph.op("Reshape", graph.parameter("scale"), n))

    layers = [tn.Dense(3, "relu"), tn.Residual([Scale(activation="tanh"), tn.Dense(3)])]
    model = filled(layers, 2, dtype)
    assert_same(model, examples(model, 5))
    back = origin.original(tn.exchange.to_onnx(model))
    np.testing.assert_array_equal(model.values, back.values)


def test_subclass_with_another_array():
    """A subclass has the arrays of its parent as in ONNX, and its own as they are."""

    class Scaled(tn.Dense):
        def parameters(self, input_shape):
            scale = tn.Parameter((1, 1), tn.initializers.Constant(3.0))
            return super().parameters(input_shape) | {"scale": scale}

        def forward(self, A_prev, cache):
            return cache.scale * (cache.W @ A_prev + cache.b)

    @tn.exchange.onnx_layer.register(Scaled)
    def _(layer, graph, A_prev, placed):
        W, b, scale = map(graph.parameter, ("W", "b", "scale"))
        return graph.op("Mul", graph.op("Gemm", A_prev, W, b, transB=1), scale)

    model = filled([Scaled(2, "tanh")], 3)
    assert_same(model, examples(model, 4))
    np.testing.assert_array_equal(model.values, origin.original(tn.exchange.to_onnx(model)).values)


def test_array_that_a_layer_has_not():
    """A converter that asks for another array gets the names that there are."""
    Scale = scale_class()
    tn.exchange.onnx_layer.register(Scale, lambda l, graph, A, placed: graph.parameter("scael"))
    with raises(KeyError, "layer 1 (Scale) has no array 'scael' in ONNX, expected one of scale"):
        tn.exchange.to_onnx(tn.Sequential([Scale()], inputs=2))


@pytest.mark.parametrize(("convert", "error", "words"), [
    (lambda g, graph, Z: None, TypeError, "the converter for Own() returned None, expected the"),
    (lambda g, graph, Z: graph.op("Mul", Z, 2), TypeError, "got the input 2 … graph.constant"),
])  # fmt: skip
def test_wrong_converters(convert, error, words):
    """A converter that returns no name, or hands a number to an operator, is told."""

    class Own(tn.Activation):
        def forward(self, Z):
            return Z

    tn.exchange.onnx_activation.register(Own, convert)
    with raises(error, words):
        tn.exchange.to_onnx(tn.Sequential([tn.Activate(Own())], inputs=2))


def test_registered_activation():
    """A converter of a custom activation takes the place of the trace."""

    class Soft(tn.Activation):
        def forward(self, Z):
            return Z / (1 + np.exp(-Z))

    @tn.exchange.onnx_activation.register
    def _(activation: Soft, graph, Z):
        return graph.op("Mul", Z, graph.op("Sigmoid", Z))

    model = tn.Sequential([tn.Dense(3, Soft())], inputs=3, seed=1)
    assert_same(model, examples(model, 4))
    assert operators(model) == ["Gemm", "Sigmoid", "Mul", "Identity"]


def test_subclass_that_computes_otherwise():
    """A subclass with another forward is traced or refused, and never written as its parent."""

    class Half(tn.activations.Sigmoid):
        def forward(self, Z):
            return 0.5 / (1 + np.exp(-Z))

    class Steep(tn.activations.Sigmoid):
        init = "he_normal"

    class Doubled(tn.Dense):
        def bind_forward(self, cache):
            forward = super().bind_forward(cache)
            return lambda A_prev, cache: np.multiply(2, forward(A_prev, cache), out=cache.Z)

    class Penalized(tn.Dense):
        def penalty(self, cache):
            return 1.0

    for activation in (Half(), Steep()):
        assert_same_activation(activation, "float32")
    assert operators(tn.Sequential([tn.Dense(2, Steep())], inputs=2))[1] == "Sigmoid"
    assert_same(filled([Penalized(2)], 3), np.ones((3, 2), np.float32))
    with raises(tn.errors.ConversionError, "Layer 1 (Doubled): Doubled(units=2"):
        tn.exchange.to_onnx(tn.Sequential([Doubled(2)], inputs=2))


def test_array_called_like_an_operator():
    """A parameter keeps its name, and operators get others."""

    class Shift(tn.Layer):
        def parameters(self, input_shape):
            return {"Gemm_": tn.Parameter((1,), tn.initializers.Constant(2.0))}

        def forward(self, A_prev, cache):
            return A_prev + vars(cache)["Gemm_"]

        def back(self, dZ, cache):
            return dZ

    @tn.exchange.onnx_layer.register(Shift)
    def _(layer, graph, A_prev, placed):
        return graph.op("Add", A_prev, graph.parameter("Gemm_"))

    for before in range(4):
        model = filled([tn.Dense(2)] * before + [Shift()], 2)
        assert_same(model, examples(model, 3))


# Whole models


def random_layers(rng):
    """Return layers in a random order, and the shape of their inputs."""
    pick, activations = lambda options: options[rng.integers(len(options))], tn.Activation.names()

    def activation():
        return pick([name for name in activations if name != "softmax"])

    def block(n):
        return tn.Residual([tn.Dense(5, activation()), tn.LayerNorm(), tn.Dense(n)])

    def of_images():
        conv = {"padding": pick(["same", 1]), "stride": pick([1, 2]), "groups": pick([1, 2])}
        return [
            tn.Conv2D(4, pick([2, 3]), activation(), **conv), tn.BatchNorm(),
            pick([tn.MaxPool2D, tn.AveragePool2D])(2, 1, "same"), tn.PReLU(),
            pick([tn.Flatten(), tn.GlobalAveragePool()]),
        ]  # fmt: skip

    def of_sequences():
        kind, sequences = pick([tn.LSTM, tn.GRU, tn.SimpleRNN]), bool(rng.integers(2))
        layer = kind(4, sequences, activation=activation())
        layers = [
            pick([tn.Conv1D(4, 3, activation(), padding=1), tn.Dense(4, activation())]),
            pick([tn.SelfAttention(2, causal=True), tn.LayerNorm(over="example"), tn.PReLU()]),
            pick([layer, tn.Bidirectional(layer)]), tn.Dropout(0.2),
        ]  # fmt: skip
        return [*layers, tn.Flatten()] if sequences else layers

    body, inputs = [
        ([tn.Reshape((2, 3, 2)), *of_images()], (12,)), (of_images(), (2, 5, 6)),
        (of_sequences(), (3, 5)), ([tn.Embedding(5, 3), *of_sequences()], (5,)),
        ([tn.Dense(6, activation()), tn.BatchNorm()], (4,)),
    ][rng.integers(5)]  # fmt: skip
    branches = [[tn.Dense(3, activation())], [tn.Dense(4), tn.Activate(activation())]]
    end = [tn.Branches(branches), block(7), tn.Dense(3, pick(["softmax", "sigmoid", "identity"]))]
    return [*body, *end], inputs


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed):
    """Networks of all parts are written, and come back."""
    layers, inputs = random_layers(np.random.default_rng(seed))
    dtype = DTYPES[seed % 2]
    model = filled(layers, inputs, dtype, seed=seed)
    X = examples(model, 7)
    assert_same(model, X[..., :1], X)
    back = origin.original(tn.exchange.to_onnx(model))
    np.testing.assert_array_equal(model.predict(X), back.predict(X))


def test_what_a_file_says():
    """Names, dtypes, versions and shapes of a file are as they are documented."""
    model = filled([tn.Embedding(5, 3), tn.Flatten(), tn.Dense(2, "softmax")], (4,), "float64")
    proto = tn.exchange.to_onnx(model)
    (X,), (A,) = proto.graph.input, proto.graph.output
    shapes = [
        [d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim] for tensor in (X, A)
    ]
    kinds = [tensor.type.tensor_type.elem_type for tensor in (X, A)]
    assert [X.name, A.name] == ["X", "A"]
    assert shapes == [["m", 4], ["m", 2]]
    assert kinds == [onnx.TensorProto.INT64, onnx.TensorProto.DOUBLE]
    assert (proto.ir_version, [(o.domain, o.version) for o in proto.opset_import]) == (
        8,
        [("", 17)],
    )
    names = {tensor.name for tensor in proto.graph.initializer}
    assert {"W1", "W3", "b3"} <= names
    assert tn.exchange.to_onnx(model).SerializeToString() == proto.SerializeToString()


def test_steps_are_written_once():
    """A recurrent layer is written once, however many steps there are."""
    sizes = []
    for T in (2, 50):
        model = filled([tn.LSTM(2)], (3, T), "float64")
        sizes.append(len(operators(model)))
    assert sizes[0] == sizes[1]


# Files


def test_files(tmp_path):
    """A path and an open file get the same bytes, in one move."""
    model, path, file = filled([tn.Dense(2)], 3), tmp_path / "net.onnx", io.BytesIO()
    proto = tn.exchange.to_onnx(model, path)
    tn.exchange.to_onnx(model, file)
    assert path.read_bytes() == file.getvalue() == proto.SerializeToString()
    assert os.listdir(tmp_path) == ["net.onnx"]
    assert origin.original(onnx.load(str(path))).predict(np.ones((3, 1))).shape == (2, 1)
    with raises(tn.errors.FileFormatError, "tn.exchange.from_onnx reads these"):
        tn.load(path)


def non_finite():
    """Return a model with infinity in b."""
    model = filled([tn.Dense(2)], 3)
    model.b[1][0] = np.inf
    return model


def halved_class():
    """Return the class of an activation whose field is another than it is made from."""

    @attrs.frozen(slots=False)
    class Halved(tn.Activation):
        n: float = attrs.field(converter=lambda n: n / 2)

        def forward(self, Z):
            return self.n * Z

    return Halved


REFUSALS = {
    "a layer": (
        lambda: tn.Sequential([tn.Activate(formula(lambda Z: Z.T))], inputs=2), {},
        tn.errors.ConversionError, "Layer 1 (Activate): Formula.forward … Z.T",
    ),
    "a layer that could not be read again": (
        lambda: tn.Sequential([tn.Activate(halved_class()(4))], inputs=2), {},
        tn.errors.FileFormatError, "it could not be read again … Nothing is written",
    ),
    "an old opset": (
        lambda: filled([tn.Dense(2)], 3), {"opset": 9},
        ValueError, "opset is 9, expected a version from 17 to … Use opset=17.",
    ),
    "a new opset": (
        lambda: filled([tn.Dense(2)], 3), {"opset": 99}, ValueError, "opset is 99, expected",
    ),
    "a fraction": (lambda: filled([tn.Dense(2)], 3), {"opset": 17.5}, TypeError, "opset is 17.5"),
    "infinity": (non_finite, {}, tn.errors.NonFiniteError, "b1 has the number inf … Nothing is"),
    "no inputs": (lambda: tn.Sequential([tn.Dense(2)]), {}, tn.errors.NotBuiltError, "inputs"),
    "no model": (lambda: "net", {}, TypeError, "model is str, expected a model of tinynet."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_nothing_is_written_of_what_is_refused(name, tmp_path):
    """A file is as it was before when a model is refused."""
    make, options, error, words = REFUSALS[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    with raises(error, words):
        tn.exchange.to_onnx(make(), path, **options)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize(("path", "error", "words"), [
    (3, TypeError, "The path is 3, expected a path or an open binary file"),
    ("", ValueError, "path is '', expected a path. Use path=\"net.onnx\""),
    (io.StringIO(), TypeError, "open as text, expected a binary file"),
], ids=["number", "empty", "text"])  # fmt: skip
def test_wrong_paths(path, error, words):
    """What is no path is refused."""
    with raises(error, words):
        tn.exchange.to_onnx(filled([tn.Dense(2)], 3), path)


def test_too_large(monkeypatch):
    """A model that is too large for the format is refused, with where it fits."""
    monkeypatch.setattr(out, "_LARGEST", 8)
    with raises(ValueError, "GB of parameters", "2 GB. Use tn.exchange.save_safetensors(model"):
        tn.exchange.to_onnx(filled([tn.Dense(2)], 3))


# The model of a file


def described():
    """Return a graph of a model with what a graph does not say."""
    layers = [tn.Dense(4, "relu", l2=0.1), tn.Dropout(0.3), tn.LSTM(2), tn.Dense(1, "sigmoid")]
    layers.insert(2, tn.Reshape((2, 2)))
    return tn.exchange.to_onnx(filled(layers, 3, "float64", "binary_crossentropy"))


def test_changed_graphs_have_no_description():
    """A graph that was changed, or that has no description, is a graph as any other."""
    assert origin.original(described()) is not None
    for change in (
        lambda proto: proto.graph.node.pop(),
        lambda proto: proto.graph.initializer[0].dims.append(1),
        lambda proto: proto.metadata_props.pop(),
        lambda proto: setattr(proto.opset_import[0], "version", 18),
    ):
        proto = described()
        change(proto)
        assert origin.original(proto) is None


def test_layer_that_leaves_out_arrays():
    """A graph without all arrays of the model has no description."""
    Scale = scale_class()
    tn.exchange.onnx_layer.register(Scale, lambda l, graph, A, placed: A)
    assert not tn.exchange.to_onnx(tn.Sequential([Scale()], inputs=2)).metadata_props


def forged(change, tensors=lambda graph: None):
    """Return a graph whose description was changed, with a digest that fits."""
    proto = described()
    tensors(proto.graph)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    changed = change(metadata["tinynet"])
    onnx.helper.set_model_props(
        proto, {"tinynet": changed, "tinynet_digest": origin._digest(proto)}
    )
    return proto


def elsewhere(graph):
    """Have an array in another file."""
    tensor = graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="passwords")


HOSTILE = {
    "too many units": (
        lambda text: text.replace('"units": 4', '"units": 4000000000'),
        None,
        "4000000000",
    ),
    "another layer": (
        lambda text: text.replace('"units": 2', '"units": 3'),
        None,
        "cannot reshape array",
    ),
    "an array too few": (lambda text: text, lambda graph: graph.initializer.pop(0), "it has no W1"),
    "another file": (lambda text: text, elsewhere, "its W1 lies in another file"),
    "no JSON": (lambda text: text[:-1], None, "delimiter"),
    "nested lists": (lambda text: "[" * 100_000, None, "recursion"),
    "a long text": (lambda text: text + " " * (1 << 20), None, "characters"),
    "another dtype": (lambda text: text.replace("float64", "float32"), None, "dtype float64"),
    "a newer format": (lambda text: text.replace('"format": 2', '"format": 9'), None, "Update"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_descriptions(name):
    """A description that does not fit the arrays is refused before anything is allocated."""
    change, tensors, words = HOSTILE[name]
    proto = forged(change, tensors or (lambda graph: None))
    tracemalloc.start()
    try:
        with raises(tn.errors.FileFormatError, "net.onnx", "tn.exchange.to_onnx wrote", words):
            origin.original(proto, "net.onnx")
        assert tracemalloc.get_traced_memory()[1] < 30e6, "much memory for a small file"
    finally:
        tracemalloc.stop()


def test_unknown_class():
    """A class that is not defined where the file is read is named."""
    proto = forged(lambda text: text.replace('"dropout"', '"my_dropout"'))
    with raises(
        tn.errors.UnknownNameError, "Layer 2 of the file", "my_dropout", "Define or import"
    ):
        origin.original(proto)


# Planted faults: the tests above would find them.


def resetting_before(layer, graph, A_prev, placed):
    """Write a GRU in its other form, which resets h before the product."""
    return recurrent.recurrent(layer, graph, A_prev, "GRU", recurrent.gru_step)


FAULTS = {
    "gates of PyTorch": ("lstm", ONNX, tn.LSTM, recurrent_entries((0, 1, 3, 2), "b")),
    "gates of Keras": ("gru of sequences", ONNX, tn.GRU, recurrent_entries((0, 1, 2), "b", "c")),
    "scale and shift": (
        "batch norm", ONNX, tn.BatchNorm,
        [column(theirs, ours) for theirs, ours in (
            ("gamma", "beta"), ("beta", "gamma"), ("running_mean", "running_mean"),
            ("running_variance", "running_variance"),
        )],
    ),
    "padding that counts": (
        "average pool, same", vars(windows), "_counts", lambda axis: np.full(axis.windows, 3),
    ),
    "padding before and after": (
        "max pool, same", vars(windows), "_settings",
        lambda axes: {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 1]},
    ),
    "expm1": ("elu", FORMULAS, np.expm1, np.exp),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults(name, monkeypatch):
    """Wrong gates, padding or formulas are found by comparing A."""
    layer, table, key, fault = FAULTS[name]
    monkeypatch.setitem(table, key, fault)
    layer, inputs = LAYERS.get(layer) or (tn.Activate(layer), (3,))
    models = [filled([layer], inputs, dtype) for dtype in DTYPES]
    errors = AssertionError, tn.errors.ConversionError
    with pytest.raises(errors, match=r"Not equal to tolerance|gives other numbers"):
        _ = [assert_same(model, examples(model, 7)) for model in models]


def test_planted_converters():
    """Converters of another form, or along another axis, are found by comparing A."""
    for table, kind, fault, (layer, inputs) in (
        (tn.exchange.onnx_layer, tn.GRU, resetting_before, LAYERS["gru"]),
        (
            tn.exchange.onnx_activation, tn.activations.Softmax,
            lambda g, graph, Z: graph.op("Softmax", Z, axis=-1), LAYERS["activate"],
        ),
    ):  # fmt: skip
        right, model = table.registry[kind], filled([layer], inputs)
        table.register(kind, fault)
        try:
            with pytest.raises(AssertionError, match="Not equal to tolerance"):
                assert_same(model, examples(model, 7))
        finally:
            table.register(kind, right)
