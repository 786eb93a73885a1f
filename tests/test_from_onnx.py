"""Models of ONNX graphs: they compute what the graph does, or the graph is refused."""

import io
import os
import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from exchanged import filled
from helpers import output_of
from messages import raises

import tinynet as tn
from tinynet import layers as L
from tinynet.activations import CELU, ELU, GELU, LeakyReLU
from tinynet.errors import ConversionError, FileFormatError

onnx = pytest.importorskip("onnx", reason="an extra is not installed")
reference = pytest.importorskip("onnx.reference", reason="an extra is not installed")

from fuzz import hostile_onnx as hostile  # noqa: E402  it needs onnx
from fuzz.hostile_onnx import graph, normal  # noqa: E402

from_onnx = tn.exchange.from_onnx
W, b = normal(4, 3), normal(4)
DENSE = [("Gemm", "X W b", "A", {"transB": 1})]
TABLE = np.array([[-80.0, -7, -3], [-2, -1, -0.3], [0, 0.2, 1], [2.5, 4, 6], [7, 20, 80]])


def expected(model, X):
    """Return what onnx's own reference computes, with the examples last."""
    evaluator = reference.ReferenceEvaluator(model)
    return np.moveaxis(evaluator.run(None, {"X": np.moveaxis(X, -1, 0)})[0], 0, -1)


def assert_same(model, proto, X=None, tolerance=2e-6):
    """Expect a model to compute what a graph does."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(*model.inputs, 3)).astype(model.dtype) if X is None else X
    A = expected(proto, X)
    np.testing.assert_allclose(model.predict(X), A.reshape(model.outputs + X.shape[-1:]),
                               rtol=tolerance, atol=tolerance)  # fmt: skip


def kinds(model):
    """Return the names of the layers, each with that of its activation."""
    names = [(type(layer).__name__, type(layer.activation).__name__) for layer in model.layers]
    return " ".join(a if b == "Identity" else f"{a}:{b}" for a, b in names)


def vectors(**shapes):
    """Return arrays by name; a variance is positive."""
    return {k: normal(*s) ** 2 + 0.1 if k == "variance" else normal(*s) for k, s in shapes.items()}


INTEGERS = {"zero": 0, "one": [1], "last": [-1], "flat": [0, -1], "positions": [2, 3], "rows": [3]}
INTEGERS = {name: np.array(value, np.int64) for name, value in INTEGERS.items()}
GELU_OPERATORS = [
    ("Div", "{0} root", "{1}a"), ("Erf", "{1}a", "{1}b"), ("Add", "{1}b unit", "{1}c"),
    ("Mul", "{0} {1}c", "{1}d"), ("Mul", "{1}d half", "{1}"),
]  # fmt: skip
NORM = [("BatchNormalization", "X gamma beta mean variance", "A", {"epsilon": 0.01})]
OF_3 = vectors(gamma=(3,), beta=(3,), mean=(3,), variance=(3,))

# Nodes, the shape of an example, arrays, and the layers that they are.
GRAPHS = {
    "gemm": (DENSE, (3,), {"W": W, "b": b}, "Dense"),
    "gemm as it is": ([("Gemm", "X W", "A")], (4,), {"W": W}, "Dense"),
    "one bias": ([("Gemm", "X W b", "A")], (4,), {"W": W, "b": 0.3}, "Dense"),
    "matmul": ([("MatMul", "X W", "Z"), ("Add", "b Z", "B"), ("Relu", "B", "A")], (4,),
               {"W": W, "b": normal(1, 3)}, "Dense:ReLU"),
    "matmul of one unit": (
        [("MatMul", "X W", "Z"), ("Add", "Z b", "B"), ("Sigmoid", "B", "A")], (4,),
        {"W": normal(4, 1), "b": normal(1)}, "Dense:Sigmoid"),
    "a product with a transposed constant": (
        [("Transpose", "W", "V"), ("MatMul", "X V", "A")], (3,), {"W": W}, "Dense"),
    "each position": (
        [("MatMul", "W X", "Z"), ("Add", "Z b", "B"), ("Tanh", "B", "A")], (3, 5),
        {"W": W, "b": normal(4, 1)}, "Dense:Tanh"),
    "conv": ([("Conv", "X K", "A")], (2, 5, 6), {"K": normal(3, 2, 3, 2)}, "Conv2D"),
    "all of conv": (
        [("Conv", "X K b", "A", {"strides": [2, 1], "dilations": [1, 2], "pads": [2, 0, 2, 0],
                                 "group": 2, "kernel_shape": [3, 2]})],
        (4, 7, 6), {"K": normal(2, 2, 3, 2), "b": normal(2)}, "Conv2D"),
    "conv1d": ([("Conv", "X K", "Z", {"pads": [1, 1]}), ("Add", "Z b", "A")], (2, 7),
               {"K": normal(3, 2, 3), "b": normal(3, 1)}, "Conv1D"),
    "the odd zero after": (
        [("Conv", "X K", "A", {"pads": [0, 0, 1, 1], "strides": [2, 2]})], (1, 8, 8),
        {"K": normal(2, 1, 3, 3)}, "Conv2D"),
    "same": ([("Conv", "X K", "A", {"auto_pad": "SAME_UPPER", "strides": [2, 3]})], (1, 8, 7),
             {"K": normal(2, 1, 4, 3)}, "Conv2D"),
    "an even same": ([("Conv", "X K", "A", {"auto_pad": "SAME_LOWER"})], (1, 8, 7),
                     {"K": normal(2, 1, 5, 3)}, "Conv2D"),
    "batch norm": (NORM, (3,), OF_3, "BatchNorm"),
    "batch norm of images": (NORM, (3, 2, 2), OF_3, "BatchNorm"),
    "layer norm": ([("LayerNormalization", "X gamma beta", "A")], (3,),
                   vectors(gamma=(3,), beta=(3,)), "LayerNorm"),
    "layer norm of images": (
        [("LayerNormalization", "X gamma", "A", {"axis": 1, "epsilon": 0.1})], (2, 3, 3),
        vectors(gamma=(2, 3, 3)), "LayerNorm"),
    "layer norm of channels": (
        [("Transpose", "X", "T", {"perm": [0, 2, 3, 1]}), ("LayerNormalization", "T gamma", "N"),
         ("Relu", "N", "R"), ("Transpose", "R", "A", {"perm": [0, 3, 1, 2]})],
        (3, 2, 4), vectors(gamma=(3,)), "LayerNorm:ReLU"),
    "layer norm, written out": (
        [("ReduceMean", "X", "m", {"axes": [-1]}), ("Sub", "X m", "C"), ("Pow", "C two", "S"),
         ("ReduceMean", "S", "v", {"axes": [-1]}), ("Add", "v eps", "w"), ("Sqrt", "w", "r"),
         ("Div", "C r", "N"), ("Mul", "N gamma", "G"), ("Add", "G beta", "B"), ("Relu", "B", "A")],
        (3,), {**vectors(gamma=(3,), beta=(3,)), "two": 2, "eps": 1e-3}, "LayerNorm:ReLU"),
    "there and back by Transpose": (
        [("Transpose", "X", "T", {"perm": [0, 2, 3, 1]}), ("Relu", "T", "R"),
         ("Transpose", "R", "S", {"perm": [0, 3, 1, 2]}), ("Reshape", "S shape", "A")],
        (3, 2, 4), {"shape": np.array([-1, 3, 8])}, "Activate:ReLU Reshape"),
    "prelu": ([("PRelu", "X slope", "A")], (3, 2), vectors(slope=(3, 1)), "PReLU"),
    "one slope": ([("PRelu", "X slope", "A")], (3,), {"slope": 0.2}, "PReLU"),
    "pools": (
        [("MaxPool", "X", "P", {"kernel_shape": [3, 2], "pads": [1, 1, 1, 1], "strides": [2, 1]}),
         ("AveragePool", "P", "A", {"kernel_shape": [2, 2], "pads": [1, 0, 1, 0]})],
        (2, 7, 6), {}, "MaxPool2D AveragePool2D"),
    "ceil that is floor": (
        [("MaxPool", "X", "A", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})],
        (2, 8, 6), {}, "MaxPool2D"),
    "zeros that are none": (
        [("AveragePool", "X", "A", {"kernel_shape": [2, 2], "count_include_pad": 1})],
        (2, 8, 6), {}, "AveragePool2D"),
    "global": ([("GlobalAveragePool", "X", "G"), ("Flatten", "G", "F"), ("Gemm", "F W", "A")],
               (4, 3, 3), {"W": W}, "GlobalAveragePool Dense"),
    "global, then squeezed": (
        [("GlobalAveragePool", "X", "G"), ("Squeeze", "G positions", "A")], (4, 3, 3), {},
        "GlobalAveragePool"),
    "global to images": ([("GlobalAveragePool", "X", "A")], (4, 3, 3), {},
                         "GlobalAveragePool Reshape"),
    "largest of all": ([("GlobalMaxPool", "X", "A")], (4, 3, 2), {}, "MaxPool2D"),
    "mean": ([("ReduceMean", "X", "A", {"axes": [2, -1], "keepdims": 0})], (4, 3, 3), {},
             "GlobalAveragePool"),
    "flatten": ([("Flatten", "X", "A")], (2, 3, 2), {}, "Flatten"),
    "flat already": ([("Flatten", "X", "F"), ("Relu", "F", "A")], (2,), {}, "Activate:ReLU"),
    "reshape": ([("Reshape", "X shape", "A")], (2, 3, 2),
                {"shape": np.array([0, -1, 4])}, "Reshape"),
    "there and back": ([("Reshape", "X shape", "R"), ("Flatten", "R", "A")], (8,),
                       {"shape": np.array([-1, 2, 4])}, "Activate"),
    "unsqueezed": ([("Unsqueeze", "X one", "U"), ("Conv", "U K", "A")], (5, 5),
                   {"K": normal(2, 1, 2, 2)}, "Reshape Conv2D"),
    "a shape of an earlier value": (
        [("Shape", "X", "s"), ("Gather", "s zero", "m"), ("Unsqueeze", "m zero", "l"),
         ("Conv", "X K", "C"), ("Concat", "l last", "t", {"axis": 0}), ("Reshape", "C t", "A")],
        (1, 3, 3), {"K": normal(2, 1, 2, 2)}, "Conv2D Flatten"),
    "a part of a shape": (
        [("Shape", "X", "s"), ("Slice", "s zero1 one", "m"), ("Concat", "m rows last", "t",
          {"axis": 0}), ("Reshape", "X t", "A")],
        (6,), {"zero1": np.array([0])}, "Reshape"),
    "no unit axis": (
        [("MatMul", "X W", "Z"), ("Squeeze", "Z one", "S"), ("Sigmoid", "S", "A")], (4,),
        {"W": normal(4, 1)}, "Dense:Sigmoid"),
    "nothing": ([("Identity", "X", "I"), ("Dropout", "I", "D"), ("Cast", "D", "C", {"to": 1}),
                 ("Gemm", "C W", "A")], (4,), {"W": W}, "Dense"),
    "constants by nodes": (
        [("Constant", "", "m", {"value": onnx.numpy_helper.from_array(np.array([-1]))}),
         ("Constant", "", "n", {"value_ints": [4]}), ("Constant", "", "i", {"value_int": 0}),
         ("Gather", "n i", "g"), ("Unsqueeze", "g zeros", "h"), ("Concat", "m h", "s", {"axis": 0}),
         ("Reshape", "X s", "R"), ("Constant", "", "k", {"value_ints": [1]}),
         ("Unsqueeze", "R k", "U"), ("Squeeze", "U k", "V"), ("Gemm", "V W", "A")],
        (2, 2), {"W": W, "zeros": np.array([0])}, "Flatten Dense"),
    "constants that are computed": (
        [("Identity", "W", "W1"), ("Reshape", "W1 keep", "W2"), ("Squeeze", "W2 zero1", "W3"),
         ("Cast", "zero", "z", {"to": 6}), ("Cast", "z", "y", {"to": 7}), ("Add", "y one", "o"),
         ("Mod", "o two", "p"), ("Gather", "W4 p", "row"), ("Unsqueeze", "W3 p", "W5"),
         ("Squeeze", "W5 p", "W6"), ("Gemm", "X W6", "A")],
        (4,), {"W": W[np.newaxis], "keep": np.array([0, -1, 3]), "zero1": np.array([0]),
               "two": np.array([2]), "W4": np.arange(3)}, "Dense"),
    "a scaler": ([("Sub", "X mean", "S"), ("Div", "S variance", "D"), ("Gemm", "D W b", "A",
                   {"transB": 1})], (3,), {**OF_3, "W": W, "b": b}, "BatchNorm Dense"),
    "pixels": ([("Div", "X most", "D"), ("Sub", "D mean", "S"), ("Conv", "S K", "A")], (3, 4, 4),
               {"most": 255, "mean": normal(3, 1, 1), "K": normal(2, 3, 2, 2)},
               "BatchNorm Conv2D"),
    "scaler of skl2onnx": (
        [("ai.onnx.ml.Scaler", "X", "S", {"offset": [1.0, 2, 3], "scale": [0.5, 2, 1]}),
         ("Gemm", "S W b", "A", {"transB": 1})], (3,), {"W": W, "b": b}, "BatchNorm Dense"),
    "channels last": (
        [("Transpose", "X", "T", {"perm": [0, 3, 1, 2]}), ("Conv", "T K", "C"), ("Relu", "C", "R"),
         ("Transpose", "R", "S", {"perm": [0, 2, 3, 1]}), ("Reshape", "S flat", "F"),
         ("Elu", "F", "E"), ("MatMul", "E V", "A")],
        (4, 3, 1), {"K": normal(2, 1, 2, 2), "V": normal(12, 3)},
        "Reshape Conv2D:ReLU Flatten Activate:ELU Dense"),
    "Keras's convolutions": (
        [("Transpose", "X", "T", {"perm": [0, 3, 1, 2]}), ("Conv", "T K", "C"),
         ("Transpose", "C", "S", {"perm": [0, 2, 3, 1]}), ("Cast", "S", "D", {"to": 1}),
         ("Add", "D b", "B"), ("Relu", "B", "R"), ("Sub", "R mean", "M"), ("Mul", "M gamma", "N"),
         ("ReduceMean", "N", "A", {"axes": [1, 2], "keepdims": 0})],
        (4, 3, 1), {"K": normal(3, 1, 2, 2), "b": normal(1, 1, 1, 3), **OF_3},
        "Reshape Conv2D:ReLU BatchNorm GlobalAveragePool"),
    "gelu, twice": (
        [("Gemm", "X W", "Z"),
         *[(op, i.format("Z", "G"), o.format("Z", "G")) for op, i, o in GELU_OPERATORS],
         *[(op, i.format("G", "A"), o.format("G", "A")) for op, i, o in GELU_OPERATORS]],
        (4,), {"W": W, "root": 2**0.5, "unit": [1], "half": [[0.5]]},
        "Dense:GELU Activate:GELU"),
    "softmax": ([("Softmax", "X", "A", {"axis": 1})], (3, 4), {}, "Activate:Softmax"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name, dtype):
    """A model computes what the graph does, has the expected layers, and is in its dtype."""
    nodes, shape, arrays, layers = GRAPHS[name]
    if dtype == "float64":
        nodes = [(*node[:-1], {"to": 11}) if node[-1] == {"to": 1} else node for node in nodes]
    used = {**INTEGERS, **arrays}
    names = {word for node in nodes for word in node[1].split()}
    proto = graph(nodes, shape, {k: a for k, a in used.items() if k in names}, dtype=dtype)
    model = from_onnx(proto)
    assert layers == kinds(model)
    assert (shape, dtype) == (model.inputs, model.dtype.name)
    # The reference computes some operators of float64 with attributes in float32.
    assert_same(model, proto, tolerance=2e-6 if dtype == "float32" else 1e-7)


def test_constants_of_numbers():
    """A constant may be a list of numbers, or one; it is in float32."""
    numbers = {"value_float": 0.5, "value_floats": [0.5]}
    for name, value in numbers.items():
        proto = graph([("Constant", "", "c", {name: value}), ("Mul", "X c", "A")], (3,), {})
        assert_same(from_onnx(proto), proto)
    with raises(ConversionError, "Node 'node0' (Constant): It holds no numbers"):
        from_onnx(
            graph([("Constant", "", "c", {"value_string": "a"}), ("Mul", "X c", "A")], (3,), {})
        )


OPSETS = {  # of operators that were written otherwise before
    7: [("Clip", "X", "A", {"min": 0.0, "max": 6.0})],
    11: [("Unsqueeze", "X", "U", {"axes": [1]}), ("Squeeze", "U", "S", {"axes": [1]}),
         ("Clip", "S low high", "A")],
    12: [("Softmax", "X", "A")],
    18: [("Unsqueeze", "X last", "U"), ("ReduceMean", "U two", "A", {"keepdims": 0})],
    20: [("Gelu", "X", "A", {"approximate": "tanh"})],
}  # fmt: skip


@pytest.mark.parametrize("opset", OPSETS)
def test_opsets(opset):
    """Attributes that became inputs are read in each version."""
    arrays = {"low": 0, "high": 6, "last": np.array([-1]), "two": np.array([2])}
    names = {word for node in OPSETS[opset] for word in node[1].split()}
    used = {name: value for name, value in arrays.items() if name in names}
    proto = graph(OPSETS[opset], (4,), used, opset=opset)
    assert_same(from_onnx(proto), proto)


# Activations

ACTIVATIONS = {
    "leaky": ([("LeakyRelu", "X", "A", {"alpha": 0.2})], LeakyReLU(0.2)),
    "leaky, negative": ([("LeakyRelu", "X", "A", {"alpha": -0.5})], LeakyReLU(-0.5)),
    "leaky by where": (
        [("Less", "X zero", "L"), ("Mul", "X small", "S"), ("Where", "L S X", "A")],
        LeakyReLU(0.01)),
    "elu": ([("Elu", "X", "A", {"alpha": 0.7})], ELU(0.7)),
    "celu": ([("Celu", "X", "A", {"alpha": 7.5})], CELU(7.5)),
    "selu": ([("Selu", "X", "A")], "selu"),
    "gelu": ([("Gelu", "X", "A")], GELU()),
    "gelu with tanh": ([("Gelu", "X", "A", {"approximate": "tanh"})], GELU(approximate=True)),
    "silu": ([("Sigmoid", "X", "S"), ("Mul", "S X", "A")], "silu"),
    "hard silu": ([("HardSwish", "X", "A")], "hard_silu"),
    "hard silu, written out": (
        [("Add", "X three", "P"), ("Clip", "P zero six", "C"), ("Div", "C six", "D"),
         ("Mul", "X D", "A")], "hard_silu"),
    "hard sigmoid": ([("HardSigmoid", "X", "A", {"alpha": 1 / 6})], "hard_sigmoid"),
    "relu6": ([("Relu", "X", "R"), ("Min", "R six", "A")], "relu6"),
    "relu by max": ([("Max", "X zero", "A")], "relu"),
    "softplus, naive": ([("Exp", "X", "E"), ("Add", "E one", "P"), ("Log", "P", "A")], "softplus"),
    "softplus of torch": (
        [("Softplus", "X", "S"), ("Greater", "X twenty", "G"), ("Where", "G X S", "A")],
        "softplus"),
    "softsign": ([("Abs", "X", "B"), ("Add", "B one", "P"), ("Div", "X P", "A")], "softsign"),
    "sigmoid by exp": (
        [("Neg", "X", "N"), ("Exp", "N", "E"), ("Add", "one E", "P"), ("Reciprocal", "P", "A")],
        "sigmoid"),
    "tanh by sigmoid": (
        [("Mul", "X two", "D"), ("Sigmoid", "D", "S"), ("Mul", "S two", "T"),
         ("Sub", "T one", "A")], "tanh"),
    "mish": ([("Mish", "X", "A")], "mish"),
    "swish": ([("Swish", "X", "A")], "silu"),
    "identity": ([("Add", "X zero", "A")], "identity"),
    "by bool": ([("Greater", "X zero", "G"), ("Cast", "G", "C", {"to": 1}), ("Mul", "C X", "A")],
                "relu"),
}  # fmt: skip
NUMBERS = {
    "zero": 0, "small": 0.01, "half": 0.5, "one": 1, "two": 2, "three": 3, "six": 6, "twenty": 20,
    "root": 2**0.5,
}  # fmt: skip


def of_activation(nodes, opset=20):
    """Return the graph of nodes of one activation, with the numbers that they use."""
    names = {word for node in nodes for word in node[1].split()}
    numbers = {name: value for name, value in NUMBERS.items() if name in names}
    return graph(nodes, (5,), numbers, opset=24 if nodes[0][0] == "Swish" else opset)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    """An activation is recognized by its numbers, with its setting."""
    nodes, activation = ACTIVATIONS[name]
    model = from_onnx(of_activation(nodes), inputs=5)
    assert [L.Activate(activation)] == list(model.layers)


UNKNOWN = {
    "another slope of gelu": [("Mul", "X c1", "U"), ("Sigmoid", "U", "S"), ("Mul", "X S", "A")],
    "Keras's hard sigmoid": [("HardSigmoid", "X", "A")],
    "a limit far away": [("Clip", "X zero c2", "A")],
    "a limit farther away": [("Clip", "X zero c4", "A")],
    "shrinking": [("ThresholdedRelu", "X", "A", {"alpha": 0.25})],
    "another SELU": [("Selu", "X", "A", {"alpha": 1.68})],
    "gelu with another root": [
        (op, i.format("X", "A"), o.format("X", "A")) for op, i, o in GELU_OPERATORS
    ],
    "a hard tanh": [("Max", "X c3", "M"), ("Min", "M one", "A")],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_activations(name):
    """What is only almost an activation is refused, with the names of its nodes."""
    numbers = {"c1": 1.702, "c2": 200, "c3": -1, "c4": 1e6, "root": 1.415, "unit": 1, **NUMBERS}
    numbers["root"] = 1.415
    names = {word for node in UNKNOWN[name] for word in node[1].split()}
    used = {key: value for key, value in numbers.items() if key in names}
    with raises(ConversionError, "Node 'node0'", "no activation that is known", "class Custom"):
        from_onnx(graph(UNKNOWN[name], (5,), used, opset=20))


def test_no_two_activations_are_alike():
    """The table tells all activations apart by far more than the tolerance."""
    from tinynet.exchange.onnx.reading import recognition

    Z = recognition.TABLE[:, np.newaxis]
    found = [tn.Activation.get(name) for name in tn.Activation.names()] + [GELU(approximate=True)]
    found = [each for each in found if type(each).__module__.startswith("tinynet")]
    results = {repr(each): each.forward(Z.copy()) for each in found}
    del results["CELU(alpha=1.0)"]  # it is ELU
    gaps = {
        (a, b): np.abs(results[a] - results[b]).max() for a in results for b in results if a < b
    }
    assert [pair for pair, gap in gaps.items() if gap < 4e-4] == []


def test_a_custom_activation():
    """A registered class is recognized, too, and one that fails does no harm."""

    class Quick(tn.Activation, name="quick_gelu_of_a_test"):
        def forward(self, Z):
            return Z / (1 + np.exp(-1.702 * Z))

    class Halves(tn.Activation, name="halves_of_a_test"):
        def forward(self, Z):
            return Z.reshape(2, -1)

    @attrs.frozen(slots=False)
    class Power(tn.Activation, name="power_of_a_test"):
        exponent: float

        def forward(self, Z):
            return Z**self.exponent

    try:
        nodes = UNKNOWN["another slope of gelu"]
        model = from_onnx(graph(nodes, (5,), {"c1": 1.702}))
        assert [L.Activate(Quick())] == list(model.layers)
    finally:  # other tests make one of every registered activation
        for kind in (Quick, Halves, Power):
            del tn.Activation._classes[kind.registered_name]


# Refusals

K = normal(2, 1, 3, 3)
POOL = {"kernel_shape": [2, 2]}


def conv(**attributes):
    return [("Conv", "X K", "A", attributes)], (1, 8, 8), {"K": K}


REFUSED = {
    "a residual connection": (
        ([("Gemm", "X V", "Z"), ("Relu", "Z", "R"), ("Add", "X R", "A")], (3,),
         {"V": normal(3, 3)}),
        ["'node0' (Gemm), node 'node1' (Relu), node 'node2' (Add)", "several ways lead to 'A'"]),
    "a gate": (
        ([("GlobalAveragePool", "X", "G"), ("Sigmoid", "G", "S"), ("Mul", "X S", "A")], (3, 4, 4),
         {}), ["without branches"]),
    "an operator": (([("LSTM", "X", "A")], (3,), {}), ["Node 'node0' (LSTM)", "reads chains of"]),
    "another domain": (([("com.microsoft.Gelu", "X", "A")], (3,), {}), ["(com.microsoft.Gelu)"]),
    "log_softmax": (([("LogSoftmax", "X", "A")], (3,), {}), ["Export the network with softmax"]),
    "quantized": (([("DequantizeLinear", "X s", "A")], (3,), {"s": 1}), ["before it is quantized"]),
    "alpha": (([("Gemm", "X W", "A", {"alpha": 2.0})], (4,), {"W": W}), ["alpha=2.0", "1.0"]),
    "transA": (([("Gemm", "X W", "A", {"transA": 1})], (4,), {"W": W}), ["transA=1, expected 0"]),
    "an unknown attribute": (conv(beta=1), ["Node 'node0' (Conv)", "attribute 'beta'"]),
    "an input in another place": (
        ([("Dropout", "r X", "A")], (3,), {"r": 0.5}), ["takes 'X' in another place"]),
    "W is computed": (([("Relu", "X", "R"), ("MatMul", "X R", "A")], (4,), {}), ["several ways"]),
    "a bias for each position": (
        ([("MatMul", "X W", "Z"), ("Add", "Z b", "A")], (4,), {"W": W, "b": normal(5, 1)}),
        ["constant of shape (5, 1), expected (3,) or one number"]),
    "a matrix for each position": (
        ([("MatMul", "X W", "A")], (5, 4), {"W": W}), ["input of 3 axes", "(m, n)"]),
    "uneven zeros": (conv(pads=[1, 0, 0, 0]), ["[(1, 0), (0, 0)] zeros", "SAME_UPPER"]),
    "the odd zero before": (conv(auto_pad="SAME_LOWER", strides=[2, 2]), ["[(1, 0), (1, 0)]"]),
    "3-D": (([("Conv", "X K", "A")], (1, 4, 4, 4), {"K": normal(2, 1, 3, 3, 3)}), ["1-D or 2-D"]),
    "a kernel that is too large": (
        ([("Conv", "X K", "A")], (1, 2, 2), {"K": K}), ["a window spans 3 x 3 entries"]),
    "other channels": (
        ([("Conv", "X K", "A")], (2, 8, 8), {"K": K}),
        ["W has shape (2, 1, 3, 3), expected (2, 2, 3, 3)"]),
    "ceil_mode": (
        ([("MaxPool", "X", "A", {**POOL, "strides": [2, 2], "ceil_mode": 1})], (1, 5, 5), {}),
        ["ceil_mode=1, expected 0"]),
    "zeros in averages": (
        ([("AveragePool", "X", "A", {**POOL, "pads": [1] * 4, "count_include_pad": 1})],
         (1, 4, 4), {}), ["count_include_pad=False"]),
    "gaps in a pooling": (
        ([("MaxPool", "X", "A", {**POOL, "dilations": [2, 2]})], (1, 5, 5), {}), ["dilations"]),
    "pooling of sequences": (
        ([("MaxPool", "X", "A", {"kernel_shape": [2]})], (1, 5), {}), ["only images are pooled"]),
    "a mean over channels": (
        ([("ReduceMean", "X", "A", {"axes": [1]})], (3, 4, 4), {}), ["the mean over axes [1]"]),
    "a mean that is not the same": (
        ([("ReduceMean", "X", "m", {"axes": [-1]}), ("Sub", "X m", "C"), ("Pow", "C three", "S"),
          ("ReduceMean", "S", "v", {"axes": [-1]}), ("Add", "v one", "w"), ("Sqrt", "w", "r"),
          ("Div", "C r", "A")], (3,), {"three": 3, "one": 1}), ["several ways"]),
    "softmax over positions": (([("Softmax", "X", "A")], (3, 4), {}), ["axis 2, expected 1"]),
    "training": (
        ([("BatchNormalization", "X gamma beta mean variance", "A", {"training_mode": 1})], (3,),
         OF_3), ["training_mode=1, expected 0"]),
    "a normalization of rows": (
        ([("LayerNormalization", "X gamma", "A")], (3, 4), vectors(gamma=(4,))),
        ["over some axes, expected all"]),
    "flattened examples": (([("Flatten", "X", "A", {"axis": 0})], (3,), {}), ["mix the examples"]),
    "reshaped examples": (
        ([("Reshape", "X s", "A")], (4,), {"s": np.array([-1, 2])}), ["(2,) from those of shape"]),
    "a squeezed batch": (([("Squeeze", "X", "A")], (4,), {}), ["perhaps that of the examples"]),
    "only the shape of the input": (
        ([("Relu", "X", "R"), ("Shape", "R", "s"), ("Reshape", "W s", "F"), ("Gemm", "F W", "A")],
         (4,), {"W": W}), ["does not depend on the numbers of the input"]),
    "the batch moves": (
        ([("Transpose", "X", "A", {"perm": [1, 0]})], (4,), {}), ["axis of the examples"]),
    "a transposed output": (
        ([("Transpose", "X", "A", {"perm": [0, 2, 1]})], (4, 2), {}), ["output is transposed"]),
    "images with channels last": (
        ([("Transpose", "X", "T", {"perm": [0, 3, 1, 2]}), ("Conv", "T K", "A")], (8, 8, 3),
         {"K": normal(2, 3, 3, 3)}), ["transposed, to the axes (0, 3, 1, 2)", "channels_first"]),
    "dropping": (
        ([("Dropout", "X r t", "A")], (3,), {"r": 0.5, "t": np.array(1)}),
        ["Export the network for inference"]),
    "digits are taken away": (([("Cast", "X", "A", {"to": 10})], (3,), {}), ["is of FLOAT16"]),
    "a negative variance": (
        (NORM, (3,), {**OF_3, "variance": [1, -1, 1]}), ["variance below 0"]),
    "NaN": ((DENSE, (3,), {"W": W * np.nan, "b": b}), ["Its W has NaN or infinity"]),
    "a constant of terabytes": (
        ([("ConstantOfShape", "s", "C"), ("Add", "X C", "A")], (3,), {"s": np.array([10**12])}),
        ["'node0' (ConstantOfShape)", "by an operator that is not read"]),
    "zeros without end": (conv(pads=[10**9] * 4), ["of shape", "The network is too large"]),
    "a window without end": (
        ([("MaxPool", "X", "A", {"kernel_shape": [10**9] * 2, "pads": [10**9 - 1] * 4})],
         (1, 8, 8), {}), ["window of (1000000000, 1000000000)"]),
    "a scale of a giant example": (
        ([("Mul", "X s", "A")], (10**7,), {"s": 2.625}), ["which the file does not hold"]),
    "a giant example": (([("Relu", "X", "A")], (10**5,) * 3, {}), ["expected 1 to 16777216"]),
    "a large shape": (
        ([("Concat", "s s", "t", {"axis": 0}), ("Reshape", "X t", "A")], (3,),
         {"s": np.ones(65, int)}), ["array of shape (65,), expected 64 numbers"]),
    "a constant in another dtype": (
        ([("Cast", "W", "V", {"to": 11}), ("Gemm", "X V", "A")], (4,), {"W": W}),
        ["Node 'node0' (Cast)", "Export it in that dtype"]),
    "a sum of weights": (
        ([("Add", "W W", "V"), ("Gemm", "X V", "A")], (4,), {"W": W}),
        ["computes a constant that is not a shape"]),
    "a shape within an activation": (
        ([("Sigmoid", "X", "S"), ("Shape", "S", "s"), ("Mul", "X S", "M"), ("Reshape", "M s",
           "A")], (3,), {}), ["the shape of a value within an activation"]),
    "a shape that depends on m": (
        ([("Shape", "X", "s"), ("Slice", "s zero one", "m"), ("Concat", "minus m", "t", {"axis":
           0}), ("Reshape", "X t", "A")], (3,),
         {"zero": np.array([0]), "one": np.array([1]), "minus": np.array([-1])}),
        ["makes examples of shape (7919,)"]),
    "weights of three axes": (
        ([("Gemm", "X W", "A")], (4,), {"W": normal(4, 3, 1)}), ["shape (4, 3, 1), expected a"]),
    "statistics of others": (
        (NORM, (4,), OF_3), ["Its input 1 has shape (3,), expected (4,)"]),
    "images of four axes": (
        ([("MatMul", "W X", "A")], (3, 2, 2), {"W": W}), ["expected (n, positions)"]),
    "two operands": (([("Div", "c X", "A")], (3,), {"c": [1, 2, 3]}), ["no activation"]),
    "axes that are too few": (([("Relu", "X", "A")], (), {}), ["has 1 axes"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """What has no counterpart is refused, naming the node and what was expected."""
    (nodes, shape, arrays), words = REFUSED[name]
    with raises(ConversionError, *words):
        from_onnx(graph(nodes, shape, arrays))


def changed(**edits):
    """Return the graph of a Dense layer, in which paths such as graph.name have other values."""
    model = graph(DENSE, (3,), {"W": W, "b": b})
    for edit in edits.values():
        edit(model)
    return model


def two_inputs(model):
    model.graph.input.add(name="other")


def two_outputs(model):
    model.graph.node.add(op_type="Relu", input=["A"], output=["B"])
    model.graph.output.add(name="B")


def half(model):
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(W.astype("f2"), "W"))


def mixed(model):
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(W.astype("f8"), "W"))


def opset(version):
    return lambda model: setattr(model.opset_import[0], "version", version)


def fewer_digits(model):
    for tensor, array in zip(model.graph.initializer, (W, b), strict=True):
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    model.graph.node[0].output[0] = "Z"
    model.graph.node.add(op_type="Cast", input=["Z"], output=["A"]).attribute.append(
        onnx.helper.make_attribute("to", 1))  # fmt: skip


def own_relu(model):
    model.functions.add(name="Relu", domain="")


def a_sequence(model):
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1


UNREADABLE = {
    "two inputs": (two_inputs, ["the inputs 'X', 'other', expected one"]),
    "two outputs": (two_outputs, ["the outputs 'A', 'B', expected one"]),
    "float16": (half, ["initializer 'W' is of FLOAT16", "module.float()"]),
    "two dtypes": (mixed, ["float32 and float64", "in one dtype"]),
    "a future opset": (opset(999), ["opset 999, expected 7 to 26", "opset_version=17"]),
    "an old opset": (opset(6), ["opset 6"]),
    "fewer digits": (fewer_digits, ["casts float64 to FLOAT", "in one dtype"]),
    "operators anew": (own_relu, ["defines operators of ONNX anew"]),
    "a sequence": (a_sequence, ["Input 'X'", "It is not a tensor"]),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name):
    """Models of another kind are refused."""
    edit, words = UNREADABLE[name]
    with raises(ConversionError, *words):
        from_onnx(changed(edit=edit))


# The shape of an example


def dynamic(*dims, nodes=DENSE, arrays=None):
    return graph(nodes, dims, {"W": W, "b": b} if arrays is None else arrays)


def test_inputs():
    """The shape comes from the graph, from the first matrix, or from `inputs`."""
    assert (3,) == from_onnx(dynamic("n")).inputs
    assert (3,) == from_onnx(graph(DENSE, None, {"W": W, "b": b})).inputs
    images = dynamic(1, "H", "W", nodes=[("Conv", "X K", "A")], arrays={"K": K})
    assert (1, 5, 7) == from_onnx(images, inputs=(1, 5, 7)).inputs
    with raises(ConversionError, "have the shape (1, ?, ?)", "inputs=(3, 32, 32)"):
        from_onnx(images)
    with raises(ConversionError, "inputs is (2, 5, 7), expected (1, ?, ?)"):
        from_onnx(images, inputs=(2, 5, 7))
    with raises(ConversionError, "inputs is (4,), expected (3)", "Leave inputs out"):
        from_onnx(dynamic(3), inputs=4)
    with raises(TypeError, "inputs is 'a', expected a whole number"):
        from_onnx(dynamic(3), inputs="a")


def test_inputs_of_a_first_matrix():
    """Numbers and activations may stand before the first matrix, and nothing else."""
    nodes = [("Relu", "X", "R"), ("MatMul", "R W", "A")]
    assert (4,) == from_onnx(graph(nodes, ("n",), {"W": W})).inputs
    with raises(ConversionError, "have the shape (...), expected numbers"):
        from_onnx(graph(nodes, None, {"W": W}))
    with raises(ConversionError, "have the shape (?), expected numbers"):
        from_onnx(graph([("Softmax", "X", "S"), ("MatMul", "S W", "A")], ("n",), {"W": W}))
    with raises(ConversionError, "have the shape (?), expected numbers"):
        from_onnx(graph([("Relu", "X", "A")], ("n",), {}))


def test_one_number_of_examples():
    """A graph that was exported for one example is a model for any number of them."""
    nodes = [("Reshape", "X s", "R"), ("Gemm", "R W b", "A", {"transB": 1})]
    arrays = {"s": np.array([1, 3]), "W": W, "b": b}
    model = from_onnx(graph(nodes, (1, 3), arrays, m=1))
    assert (4, 5) == model.predict(np.ones((1, 3, 5), np.float32)).shape
    with raises(ConversionError, "(1, 3), which mixes examples"):
        from_onnx(graph(nodes, (1, 3), arrays))


def test_loss():
    """The model gets the loss that is passed."""
    model = from_onnx(dynamic(3), loss="mean_squared_error")
    assert tn.Loss.get("mean_squared_error") == model.loss
    assert from_onnx(dynamic(3)).loss is None


# Labels


def labelled(*outputs):
    """Return the graph of a classifier with these outputs."""
    return graph(
        [("MatMul", "X W", "Z"), ("Softmax", "Z", "p"), ("Identity", "p", "q"),
         ("ArgMax", "q", "k", {"axis": 1}), ("ai.onnx.ml.ArrayFeatureExtractor", "classes k", "c"),
         ("Reshape", "c list", "r"), ("Cast", "r", "label", {"to": 7}),
         ("ai.onnx.ml.ZipMap", "p", "zip", {"classlabels_int64s": [0, 1, 2]}),
         ("Sub", "one p", "n"), ("Concat", "n p", "both", {"axis": 1})],
        (4,), {"W": W, "one": 1, "classes": np.array([5, 6, 7]), "list": np.array([-1])},
        outputs)  # fmt: skip


@pytest.mark.parametrize("outputs", [
    ["p"], ["q"], ["label", "q"], ["label", "zip"], ["zip"], ["label"], ["both"],
], ids="-".join)  # fmt: skip
def test_before_labels(outputs):
    """The model ends with the probabilities, whatever labels are made of them."""
    assert "Dense:Softmax" == kinds(from_onnx(labelled(*outputs)))


def test_other_ends():
    """Two outputs that are no labels, and 2 - p and p, are not read."""
    with raises(ConversionError, "the outputs 'Z', 'label', expected one"):
        from_onnx(labelled("Z", "label"))
    two = labelled("both")
    two.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(np.float32(2), "one"))
    with raises(ConversionError, "several ways"):
        from_onnx(two)


# Sources


def test_sources(tmp_path):
    """A path as text or Path, a file, bytes and a message give the same model."""
    model = hostile.mlp()
    content = model.SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with open(path, "rb") as file:
        found = [
            from_onnx(each)
            for each in (
                model,
                content,
                bytearray(content),
                path,
                str(path),
                io.BytesIO(content),
                file,
            )
        ]
    first = found[0].get_parameters()
    assert all(each.get_parameters().keys() == first.keys() for each in found)
    assert all(np.array_equal(each.values, found[0].values) for each in found)


def test_what_is_no_source(tmp_path):
    """Anything else, and a file that cannot be opened, is refused as open does."""
    with raises(TypeError, "path is None, expected a path", 'from_onnx("net.onnx")'):
        from_onnx(None)
    with raises(TypeError, "open as text", 'open(path, "rb")'):
        from_onnx(io.StringIO("text"))
    with raises(ValueError, "path is '', expected a path"):
        from_onnx("")
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(IsADirectoryError):
        from_onnx(tmp_path)


def saved_apart(folder, **said):
    """Write a model whose W lies in net.data, as PyTorch does, and return its path."""
    model = changed()
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "W")
    (folder / "net.data").write_bytes(bytes(8) + tensor.raw_data + b"more")
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    known = {"location": "net.data", "offset": "8", "length": str(size)} | said
    for key, value in known.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_in_another_file(tmp_path):
    """Weights in a file beside the model are read; without its path, that is said."""
    path = saved_apart(tmp_path)
    np.testing.assert_array_equal(W.astype(np.float32), from_onnx(path).W[1])
    assert from_onnx(saved_apart(tmp_path, length=None)).n_params == 16
    with raises(ConversionError, "is in another file, 'net.data'", "Pass the path"):
        from_onnx(path.read_bytes())


PLACES = {
    **{name: ("plain name", {"location": name}) for name in (
        "../net.data", "/etc/passwd", "../../../etc/passwd", "/dev/zero", "a/net.data",
        "a\\net.data", "C:net.data", "", ".", "..", "net.data\0")},
    "link": ("not a regular file", {"location": "link"}),
    "folder": ("not a regular file", {"location": "folder"}),
    "absent": ("not beside the model", {"location": "absent"}),
    "offset": ("which has 60", {"offset": "16"}),
    "far": ("which has 60", {"offset": "9" * 15}),
    "negative": ("expected a whole number", {"offset": "-8"}),
    "digits": ("expected a whole number", {"offset": "9" * 5000}),
    "length": ("100 bytes, expected 48", {"length": "100"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_hostile_places(tmp_path, name):
    """Only a regular file beside the model is opened, and only as far as it goes."""
    fault, said = PLACES[name]
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    with raises(FileFormatError, fault):
        from_onnx(saved_apart(tmp_path, **said))


def test_overlapping_weights(tmp_path):
    """Tensors in one place of a file are refused: a small file would become a large model."""
    path = saved_apart(tmp_path)
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer.append(model.graph.initializer[0])
    model.graph.initializer[-1].name = "V"
    model.graph.node.add(op_type="Gemm", input=["A", "V"], output=["B"])
    model.graph.output[0].name = "B"
    path.write_bytes(model.SerializeToString())
    with raises(FileFormatError, "tensors overlap"):
        from_onnx(path)


# Hostile files


def damaged(edit):
    """Return the content of a model that was edited."""
    return changed(edit=edit).SerializeToString()


def tensor(**fields):
    """Return an edit of the first tensor."""

    def edit(model):
        for name, value in fields.items():
            if isinstance(value, list):
                model.graph.initializer[0].ClearField(name)
                getattr(model.graph.initializer[0], name).extend(value)
            else:
                setattr(model.graph.initializer[0], name, value)

    return edit


def first_input(name):
    return lambda model: model.graph.node[0].input.__setitem__(0, name)


def circle(model):
    model.graph.node.add(op_type="Relu", input=["C"], output=["B"])
    model.graph.node.add(op_type="Relu", input=["B"], output=["C"])


def twice(model):
    model.graph.node.add(op_type="Relu", input=["X"], output=["A"])


def shared_name(model):
    model.graph.initializer.append(model.graph.initializer[0])


def wrong_kind(model):
    attribute = model.graph.node[0].attribute[0]
    attribute.CopyFrom(onnx.helper.make_attribute("transB", "one"))


def doubled(model):
    attributes = model.graph.node[0].attribute
    attributes.append(attributes[0])


def segment(model):
    model.graph.initializer[0].segment.begin = 1


def no_nodes(model):
    model.graph.ClearField("node")


WHOLE = changed().SerializeToString()
EMPTY = b"\x3a\x80\x89\x7a" + b"\x0a\x00" * 10**6  # a million nodes
HOSTILE = {
    "empty": (b"", "no graph"), "text": (b"Hello, world " * 9, "whole ONNX file"),
    "zip": (b"PK\3\4" + bytes(99), "tn.load"),
    "random": (np.random.default_rng(1).bytes(999), "whole ONNX file"),
    "cut off": (WHOLE[:-20], "truncated"), "half": (WHOLE[: len(WHOLE) // 2], "truncated"),
    "a million nodes": (EMPTY, "over 100000 nodes"),
    "within each other": (b"\x3a\xff\xff\x3f" + b"\x0a\xff\xff\x3f" * 10**5, "truncated"),
    "no nodes": (damaged(no_nodes), "no graph with nodes"),
    "no opset": (damaged(lambda model: model.ClearField("opset_import")), "which opset"),
    "a giant": (damaged(tensor(dims=[10**12])), "48 bytes, expected 4000000000000"),
    "overflow": (damaged(tensor(dims=[2**32, 2**32])), "has shape"),
    "negative": (damaged(tensor(dims=[-4, -3])), "of at least 1"),
    "axes": (damaged(tensor(dims=[1] * 1000)), "at most 8 numbers"),
    "too few bytes": (damaged(tensor(raw_data=b"1234")), "4 bytes, expected 48"),
    "no numbers": (damaged(lambda m: m.graph.initializer[0].ClearField("raw_data")),
                   "0 numbers, expected 12"),
    "a segment": (damaged(segment), "expected a whole one"),
    "two attributes": (damaged(doubled), "has an attribute twice"),
    "an unknown input": (damaged(first_input("Y")), "'Y' of node 'node0' (Gemm)"),
    "a circle": (damaged(circle), "unsorted or in a circle"),
    "two nodes": (damaged(twice), "'A' stands for two values"),
    "two initializers": (damaged(shared_name), "two initializers of one name"),
    "another kind": (damaged(wrong_kind), "transB of node 'node0' (Gemm) is not an INT"),
    "no output": (damaged(lambda m: setattr(m.graph.output[0], "name", "B")), "output 'B'"),
    "escapes": (damaged(first_input("\x1b[31m")), "\\x1b[31m"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name):
    """A damaged or hostile file is refused, in words that can be shown."""
    content, fault = HOSTILE[name]
    with raises(FileFormatError, "not a whole ONNX file", fault) as caught:
        from_onnx(content)
    assert str(caught.value).isprintable()


def test_limits():
    """Very many nodes, layers, operators of activations or shared weights are refused."""
    limits = {
        "nodes, expected at most 10000": ["Relu"] * 10_001,
        "consist of too many operators": ["Relu", "Tanh"] * 300,
        "1001 layers": ["Softmax"] * 1_001,
    }
    for fault, operators in limits.items():
        names = ["X", *(f"Z{i}" for i in range(len(operators) - 1)), "A"]
        nodes = [(op, names[i], names[i + 1]) for i, op in enumerate(operators)]
        with raises(ConversionError, fault):
            from_onnx(graph(nodes, (4,), {}))
    names = ["X", *(f"Z{i}" for i in range(39)), "A"]
    nodes = [("MatMul", f"{names[i]} W", names[i + 1]) for i in range(40)]
    with raises(ConversionError, "layers with"):
        from_onnx(graph(nodes, (400,), {"W": np.zeros((400, 400))}))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells memory")
def test_hostile_files_within_limits():
    """The program that reads very many of them finds none that is slow, large, or runs anything."""
    printed = output_of(hostile.__file__, "--count", "60", "--workers", "1")
    assert re.search(r"all( +\d+)+ +0\n", printed), printed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_no_file(tmp_path):
    """A named pipe, which nobody writes into, is refused and not waited for."""
    os.mkfifo(tmp_path / "net.onnx")
    with raises(FileFormatError, "not a regular file"):
        from_onnx(tmp_path / "net.onnx")


# Graphs of tinynet and other exporters


MODELS = {
    **{name: ([tn.Dense(4, name), tn.Dense(3, name)], (5,)) for name in tn.Activation.names()
       if type(tn.Activation.get(name)).__module__.startswith("tinynet")},
    "settings": ([tn.Dense(4, LeakyReLU(0.23)), tn.Dense(4, ELU(0.7)), tn.Dense(3, CELU(2.3)),
                  tn.Dense(2, GELU(approximate=True))], (4,)),
    "images": ([L.Conv2D(4, 3, "relu", padding="same", stride=2), L.BatchNorm(activation="gelu"),
                L.MaxPool2D(2), L.LayerNorm(), L.Flatten(), tn.Dense(3, "softmax")], (2, 9, 9)),
    "odd zeros": ([L.Conv2D(4, 4, padding="same"), L.AveragePool2D(3, 2, padding="same"),
                   L.PReLU(), L.GlobalAveragePool(), tn.Dense(3)], (2, 9, 9)),
    "sequences": ([L.Conv1D(4, 3, dilation=2, groups=2), L.LayerNorm(activation="tanh"),
                   L.GlobalAveragePool(), L.LayerNorm(), tn.Dense(2)], (2, 9)),
    "reshaped": ([tn.Dense(12), L.Reshape((3, 2, 2)), L.Conv2D(2, 2), L.Flatten()], (4,)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_graphs_of_tinynet(name, dtype):
    """A graph of `to_onnx` is the same model, and computes the same without its description."""
    layers, inputs = MODELS[name]
    model = filled(layers, inputs, dtype, "mean_squared_error")
    proto = tn.exchange.to_onnx(model)
    back = from_onnx(proto)
    assert (model.layers, model.loss) == (back.layers, back.loss)
    np.testing.assert_array_equal(model.values, back.values)
    if dtype == "float64" and "Conv" in repr(layers):
        return  # its operators are written out
    del proto.metadata_props[:]
    read = from_onnx(proto)
    X = np.random.default_rng(1).normal(size=(*inputs, 7)).astype(dtype)
    tolerance = 1e-6 if dtype == "float32" else 1e-7
    np.testing.assert_allclose(read.predict(X), model.predict(X), rtol=tolerance, atol=tolerance)
    assert [type(each) for each in model.layers] == [type(each) for each in read.layers]


def test_a_graph_of_tinynet_with_another_loss():
    """A graph that tinynet wrote has its loss, or the one that is passed."""
    model = filled([tn.Dense(3), L.Residual([tn.Dense(3)])], 2, loss="mean_squared_error")
    proto = tn.exchange.to_onnx(model)
    other = from_onnx(proto, loss="huber", inputs=2)
    assert tn.Loss.get("huber") == other.loss
    np.testing.assert_array_equal(model.values, other.values)
    with raises(ConversionError, "inputs is (5,), expected (2,)"):
        from_onnx(proto, inputs=5)
    del proto.metadata_props[:]
    with raises(ConversionError, "several ways"):
        from_onnx(proto)


def torch_module(nn, name):
    """Return a module of PyTorch, and the shape of an example."""
    lenet = [
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 4, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(100, 10),
        nn.Softmax(1),
    ]
    vgg = [
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.Conv2d(4, 6, 4, padding="same"),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(6, 2),
    ]
    mlp = [
        nn.Linear(4, 5),
        nn.LayerNorm(5),
        nn.GELU(),
        nn.Linear(5, 5),
        nn.BatchNorm1d(5),
        nn.Softsign(),
        nn.Linear(5, 3, bias=False),
        nn.PReLU(3),
        nn.Softplus(),
        nn.Linear(3, 1),
    ]
    modules, shape = {"lenet": (lenet, (1, 28, 28)), "vgg": (vgg, (3, 8, 8)),
                      "mlp": (mlp, (4,))}[name]  # fmt: skip
    return nn.Sequential(*modules).eval(), shape


def expect_read(module, shape):
    """Expect that what PyTorch exports of a module is read, and computes the same."""
    torch = pytest.importorskip("torch", reason="an extra is not installed")
    X, file = torch.randn(3, *shape), io.BytesIO()
    torch.onnx.export(module, (X,), file, dynamo=False, input_names=["X"],
                      dynamic_axes={"X": {0: "m"}})  # fmt: skip
    model = from_onnx(file.getvalue())
    A = np.moveaxis(model.predict(np.moveaxis(X.numpy(), 0, -1)), -1, 0)
    np.testing.assert_allclose(A, module(X).detach().numpy(), rtol=0, atol=2e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lenet", "vgg", "mlp"])
def test_pytorch(name):
    """What PyTorch exports is read, and computes the same."""
    torch = pytest.importorskip("torch", reason="an extra is not installed")
    torch.manual_seed(1)
    expect_read(*torch_module(torch.nn, name))


REMEDIES = {  # a module, the shape of an example, what to do, and that
    "dilation": (
        lambda nn: nn.MaxPool2d(2, dilation=2), (2, 7, 7), "Export it with dilation=1.",
        lambda nn: nn.MaxPool2d(2, dilation=1),
    ),
    "ceil_mode": (
        lambda nn: nn.MaxPool2d(2, ceil_mode=True), (2, 7, 7), "Export it with ceil_mode=False.",
        lambda nn: nn.MaxPool2d(2, ceil_mode=False),
    ),
    "layer norm": (
        lambda nn: nn.LayerNorm(5), (4, 5), "Export it with nn.LayerNorm((4, 5)) in PyTorch.",
        lambda nn: nn.LayerNorm((4, 5)),
    ),
    "softmax": (
        lambda nn: nn.Softmax(dim=2), (4, 5), "Export it with nn.Softmax(dim=1) in PyTorch",
        lambda nn: nn.Softmax(dim=1),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REMEDIES)
def test_remedies(name):
    """What the message on a module of PyTorch says to do works."""
    nn = pytest.importorskip("torch", reason="an extra is not installed").nn
    make, shape, remedy, other = REMEDIES[name]
    with raises(ConversionError, remedy):
        expect_read(make(nn), shape)
    expect_read(other(nn), shape)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["two classes", "classes", "labels", "number", "scaled"])
def test_scikit_learn(kind):
    """What skl2onnx makes of an MLP is a model of its probabilities, or its number."""
    neural_network = pytest.importorskip("sklearn.neural_network", reason="an extra")
    skl2onnx = pytest.importorskip("skl2onnx", reason="it is not installed")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32), np.arange(40) % 4
    settings = {"hidden_layer_sizes": (4, 3), "max_iter": 3, "random_state": 1}
    mlp = neural_network.MLPClassifier(**settings, activation="tanh")
    if kind == "number":
        mlp = neural_network.MLPRegressor(**settings)
    if kind == "scaled":
        mlp = make_pipeline(StandardScaler(), mlp)
    mlp.fit(X, {"two classes": y % 2, "labels": np.stack([y % 2, y > 1], 1)}.get(kind, y))
    model = from_onnx(skl2onnx.to_onnx(mlp, X[:1]))
    A = mlp.predict(X).reshape(-1, 1) if kind == "number" else mlp.predict_proba(X)
    A = A[:, 1:] if kind == "two classes" else A
    np.testing.assert_allclose(model.predict(X.T).T, A, rtol=0, atol=2e-6)
