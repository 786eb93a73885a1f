"""Damaged and hostile ONNX files: each is read or refused, fast, and nothing in it is run.

    python tests/fuzz/hostile_onnx.py --count 100000
    python tests/fuzz/hostile_onnx.py --count 100000 --compare

With --compare, a model that is read must compute what onnxruntime computes, if that takes the file.
A file follows from its number alone.
"""

import collections
import contextlib
import functools
import random
import resource
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.hostile_files import ADDRESSES, Watch, flipped, main, overwritten, truncated

import tinynet as tn
from tinynet.errors import ConversionError, FileFormatError, UnknownNameError

# Whole files


def graph(nodes, shape, arrays, outputs=("A",), opset=17, dtype="float32", m="m"):
    """Return the model of a graph over (m, *shape), whose nodes are (operator, in, out, {...})."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensors = [
        numpy_helper.from_array(a if isinstance(a, np.ndarray) and a.dtype.kind == "i" else
                                np.asarray(a, dtype), name)
        for name, a in arrays.items()
    ]  # fmt: skip
    made = [
        helper.make_node(
            *(op.rpartition(".")[2], inputs.split(), results.split(), f"node{i}"),
            **{"domain": op.rpartition(".")[0], **dict(*rest)},
        )
        for i, (op, inputs, results, *rest) in enumerate(nodes)
    ]
    x = helper.make_tensor_value_info("X", kind, None if shape is None else [m, *shape])
    ends = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    made_graph = helper.make_graph(made, "graph", [x], ends, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made_graph, opset_imports=imports, ir_version=8)


def normal(*shape):
    """Return the same small numbers for the same shape."""
    return np.random.default_rng(sum(shape)).normal(size=shape) / 2


def mlp(dtype="float32"):
    """Return columns through Gemm, BatchNormalization, gelu in single operators, and Softmax."""
    return graph(
        [("Gemm", "X W1 b1", "Z1", {"transB": 1}),
         ("BatchNormalization", "Z1 gamma beta mean variance", "N", {"epsilon": 1e-3}),
         ("Div", "N root", "s"), ("Erf", "s", "e"), ("Add", "e one", "f"), ("Mul", "N f", "g"),
         ("Mul", "g half", "A1"), ("MatMul", "A1 W2", "Z2"), ("Add", "Z2 b2", "B2"),
         ("LeakyRelu", "B2", "L", {"alpha": 0.2}), ("Softmax", "L", "A", {"axis": 1})],
        (3,), {"W1": normal(4, 3), "b1": normal(4), "gamma": normal(4), "beta": normal(4),
               "mean": normal(4), "variance": normal(4) ** 2, "root": 2**0.5, "one": 1, "half": 0.5,
               "W2": normal(4, 3), "b2": normal(1, 3)}, dtype=dtype)  # fmt: skip


def convnet():
    """Return images through Conv, MaxPool, AveragePool and a Reshape whose shape is computed."""
    return graph(
        [("Conv", "X K b", "C", {"pads": [0, 0, 1, 0], "strides": [2, 2], "kernel_shape": [3, 2]}),
         ("Relu", "C", "R"),
         ("MaxPool", "R", "P", {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 1, 1]}),
         ("AveragePool", "P", "Q", {"kernel_shape": [2, 2], "count_include_pad": 1}),
         ("Shape", "Q", "shape"), ("Gather", "shape zero", "m"), ("Unsqueeze", "m first", "list"),
         ("Concat", "list rest", "target", {"axis": 0}), ("Reshape", "Q target", "F"),
         ("Gemm", "F W d", "A", {"transB": 1})],
        (2, 8, 8), {"K": normal(2, 2, 3, 2), "b": normal(2), "W": normal(3, 18), "d": normal(3),
                    "zero": np.array(0), "first": np.array([0]), "rest": np.array([-1])},
    )  # fmt: skip


def classifier():
    """Return what skl2onnx makes of two classes: 1 - p and p, and labels of these."""
    return graph(
        [("Cast", "X", "X1", {"to": 1}), ("MatMul", "X1 W1", "P1"), ("Add", "P1 b1", "Z1"),
         ("Tanh", "Z1", "A1"), ("MatMul", "A1 W2", "P2"), ("Add", "P2 b2", "Z2"),
         ("Sigmoid", "Z2", "p"), ("Sub", "one p", "q"), ("Concat", "q p", "A", {"axis": 1}),
         ("ArgMax", "A", "label", {"axis": 1})],
        (3,), {"W1": normal(3, 4), "b1": normal(1, 4), "W2": normal(4, 1), "b2": normal(1, 1),
               "one": 1}, outputs=("A",))  # fmt: skip


def keras():
    """Return images with the channels last, which Transpose moves to and fro."""
    return graph(
        [("Transpose", "X", "T", {"perm": [0, 3, 1, 2]}),
         ("Conv", "T K", "C", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
         ("Add", "C b", "B"), ("Clip", "B low high", "R"), ("Transpose", "R", "S",
          {"perm": [0, 2, 3, 1]}), ("Reshape", "S target", "F"), ("MatMul", "F W", "Z"),
         ("PRelu", "Z slope", "L"), ("Identity", "L", "A")],
        (4, 4, 1), {"K": normal(3, 1, 3, 3), "b": normal(1, 3, 1, 1), "low": 0, "high": 6,
                    "target": np.array([-1, 12]), "W": normal(12, 2), "slope": normal(2)},
        opset=13)  # fmt: skip


@functools.cache
def wholes():
    """Return files that are read."""
    models = [mlp(), mlp("float64"), convnet(), classifier(), keras()]
    layers = [tn.Conv1D(3, 2), tn.LayerNorm(activation="relu"), tn.GlobalAveragePool(), tn.Dense(2)]
    models.append(tn.exchange.to_onnx(tn.Sequential(layers, inputs=(2, 6), seed=1)))
    return [model.SerializeToString() for model in models]


# Mutations of the parsed message

NUMBERS = (
    0, 1, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 18, 19, 64, -2, 255, 1000, 10**6, 10**9,
    2**31 - 1, 2**31, 10**12, 2**62, 2**63 - 1, -(2**63),
)  # fmt: skip
FLOATS = (0.0, 1.0, -1.0, 0.5, 1e-5, 1e30, float("inf"), float("nan"), -2.0, 3.0)
TEXTS = (
    "", "X", "A", "W1", "Z1", "b", "Relu", "Gemm", "Conv", "MatMul", "If", "Loop", "Expand",
    "Add", "Mul", "Max", "Where", "ConstantOfShape", "Constant", "Identity", "Transpose", "Reshape",
    "Cast", "Flatten", "Squeeze", "Sum", "Softmax", "LayerNormalization", "Elu", "Sigmoid", "Tanh",
    "GlobalAveragePool", "ReduceMean", "ai.onnx", "ai.onnx.ml", "Scaler", "ZipMap",
    "com.microsoft", "axis", "alpha", "perm", "pads", "strides", "to", "SAME_LOWER", "VALID",
    "\x1b[31m",
    "x" * 10**5,
)  # fmt: skip


def _messages(message):
    """Yield a message and all within it."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for each in value if hasattr(value, "extend") else [value]:
                yield from _messages(each)


def _value(chance, field):
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return chance.choice(FLOATS)
    if field.type == field.TYPE_ENUM:
        return chance.choice(field.enum_type.values).number
    if field.type == field.TYPE_STRING:
        return chance.choice(TEXTS)
    if field.type == field.TYPE_BYTES:
        return chance.choice((b"", b"tanh", b"SAME_LOWER", bytes(8), chance.randbytes(48)))
    number = chance.choice(NUMBERS)
    return max(-(2**31), min(number, 2**31 - 1)) if field.type == field.TYPE_INT32 else number


def _edit(chance, message):
    """Change, leave out, add, double or exchange something in a message."""
    fields = [field for field, _ in message.ListFields()]
    if chance.random() < 0.15 or not fields:
        fields = list(message.DESCRIPTOR.fields)
    field = chance.choice(fields)
    values, way = getattr(message, field.name), chance.randrange(5)
    if hasattr(values, "extend"):
        if way == 0 and values:
            del values[chance.randrange(len(values))]
        elif way == 1 and len(values) > 1:
            shuffled = chance.sample(list(values), len(values))
            message.ClearField(field.name)
            getattr(message, field.name).extend(shuffled)
        elif way == 2 and values:
            values.extend([chance.choice(list(values))] * chance.choice((1, 2, 100)))
        elif field.type == field.TYPE_MESSAGE:
            values.add()
        elif values and way == 3:
            values[chance.randrange(len(values))] = _value(chance, field)
        else:
            values.append(_value(chance, field))
    elif field.type == field.TYPE_MESSAGE or chance.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(chance, field))


def edited(chance, whole):
    """Edit one or more messages."""
    model = onnx.ModelProto.FromString(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        with contextlib.suppress(TypeError, ValueError):  # what protobuf does not take
            _edit(chance, chance.choice(list(_messages(model))))
    return model.SerializeToString()


def other_attribute(chance, whole):
    """Give a node another operator, attribute, input or output."""
    model = onnx.ModelProto.FromString(whole)
    nodes = model.graph.node
    node, other = chance.choice(nodes), chance.choice(nodes)
    names = [*(n for each in nodes for n in (*each.input, *each.output)), ""]
    names += [tensor.name for tensor in model.graph.initializer]
    way = chance.randrange(5)
    if way == 0:
        node.op_type = chance.choice((other.op_type, chance.choice(TEXTS)))
    elif way == 1 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice(names)
    elif way == 2:
        node.input.append(chance.choice(names))
    elif way == 3:
        value = chance.choice((chance.choice(NUMBERS), chance.choice(FLOATS), [1, 1], [2], "same"))
        name = chance.choice((*(a.name for a in other.attribute), *TEXTS[-12:-2]))
        for k in reversed([k for k, a in enumerate(node.attribute) if a.name == name]):
            del node.attribute[k]
        node.attribute.append(helper.make_attribute(name, value))
    else:
        model.graph.output[0].name = chance.choice(names)
    return model.SerializeToString()


PLACES = (
    "net.data", "../net.data", "/etc/passwd", "../../../../etc/passwd", "/dev/zero", "link", "",
    ".", "..", "a/net.data", "a\\net.data", "C:net.data", "net.onnx", "absent", "net.data\0",
)  # fmt: skip


def elsewhere(chance, whole):
    """Put the numbers of a tensor into another file."""
    model = onnx.ModelProto.FromString(whole)
    for tensor in chance.sample(list(model.graph.initializer), chance.choice((1, 2))):
        tensor.data_location = TensorProto.EXTERNAL
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        said = {"location": chance.choice((*PLACES, *["net.data"] * 9)),
                "offset": chance.choice(("0", "0", "8", "-1", "1e9", str(2**63), "4096", "9" * 99)),
                "length": str(chance.choice((size, size, size, size + 1, 0, -1, 2**62))),
        }  # fmt: skip
        for key in chance.sample(list(said), chance.choice((3, 3, 3, 2, 1, 0))):
            tensor.external_data.add(key=key, value=said[key])
    return model.SerializeToString()


def very_many(chance, whole):
    """Have so many nodes, names or messages within each other that no network has them."""
    model = onnx.ModelProto.FromString(whole)
    nodes = model.graph.node
    n, way = chance.choice((100, 3000, 30_000)), chance.randrange(6)
    if way == 0:
        nodes.extend([helper.make_node("Relu", ["A"], [f"A{i}"]) for i in range(n)])
    elif way == 1:
        last = model.graph.output[0].name
        kinds = chance.choice((["Relu"], ["Relu", "Tanh"], ["Identity"], ["Neg"], ["Flatten"]))
        for i in range(n):
            nodes.append(helper.make_node(kinds[i % len(kinds)], [last], [f"A{i}"]))
            last = f"A{i}"
        model.graph.output[0].name = last
    elif way == 2:
        inner = model.graph
        for _ in range(chance.choice((10, 60, 90))):
            attribute = inner.node.add(op_type="If").attribute.add(name="then_branch")
            attribute.type, inner = onnx.AttributeProto.GRAPH, attribute.g
    elif way == 3:
        return b"\x3a" + _varint(2 * 10 * n) + b"\x0a\x00" * (10 * n)  # a graph of empty nodes
    elif way == 4:
        model.graph.initializer[0].string_data.extend([b""] * n)
    else:
        chance.choice(nodes).input.extend(["X"] * n)
    with contextlib.suppress(ValueError):  # too deep to be written
        return model.SerializeToString()
    return whole


def _varint(n):
    return bytes([n & 127 | 128]) + _varint(n >> 7) if n > 127 else bytes([n])


MUTATIONS = {
    flipped: 5, truncated: 1, overwritten: 2, edited: 8, other_attribute: 6, elsewhere: 2,
    very_many: 0.2,
}  # fmt: skip


def hostile(number, mutations=MUTATIONS):
    """Return the mutation, the whole file and the damaged one of a number."""
    chance = random.Random(f"onnx {number}")
    (mutation,) = chance.choices(list(mutations), list(mutations.values()))
    whole = chance.choice(wholes())
    for _ in range(chance.choice((1, 1, 1, 2)) if mutation is not very_many else 1):
        whole_before, whole = whole, mutation(chance, whole)
        if mutation in (flipped, truncated, overwritten):
            break
    return mutation, whole_before, whole


def prepare(folder):
    """Write the files that may lie beside a model."""
    (folder / "net.data").write_bytes(np.ones(1000, "<f4").tobytes())
    (folder / "link").symlink_to("/etc/passwd")


def outcome(path, call=tn.exchange.from_onnx):
    """Return what comes of reading a file, and the model."""
    try:
        return "read", call(path)
    except (FileFormatError, ConversionError, UnknownNameError) as error:
        text = str(error)
        is_right = len(text) < 2000 and text.isprintable()
        return type(error).__name__ if is_right else f"wrong: {text[:99]!r}", None
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"[:300], None


def compared(path, model):
    """Return whether a model computes what onnxruntime does, or that it does not take the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    X = np.random.default_rng(1).normal(size=(*model.inputs, 3)).astype(model.dtype)
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        expected = session.run(None, {name: np.moveaxis(X, -1, 0)})[0]
    except Exception:
        return "read alone"
    if expected.dtype.kind == "f" and expected.shape[1:] == (2 * model.outputs[0],):
        expected = expected[:, model.outputs[0] :]  # behind 1 - p
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        A = np.moveaxis(model.predict(X), -1, 0)
    if expected.dtype.kind == "i":  # labels
        return "equal" if (A.argmax(1).ravel() == expected.ravel()).all() else "wrong: other labels"
    is_same = A.size == expected.size and np.allclose(
        A.reshape(expected.shape), expected, rtol=2e-5, atol=2e-5, equal_nan=True
    )
    return "equal" if is_same else f"wrong: {A.ravel()[:4]}, not {expected.ravel()[:4]}"


# Very many files


def work(numbers, compares=False):
    """Read the files of these numbers under limits; return outcomes, faults and the extremes."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    counts, wrong, slowest, largest = collections.Counter(), [], (0.0, 0), (0, 0)
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        path = folder / "net.onnx"
        for whole in wholes():
            path.write_bytes(whole)
            assert outcome(path)[0] == "read", outcome(path)
        with contextlib.suppress(UnknownNameError):  # what is imported then is imported now
            tn.Loss.get("unknown")
        watch = Watch()
        for number in numbers:
            mutation, _, data = hostile(number)
            path.write_bytes(data)
            del data
            came, model = outcome(path, functools.partial(watch.call, tn.exchange.from_onnx, None))
            slowest = max(slowest, (watch.seconds, number))
            largest = max(largest, (watch.memory, number))
            faults = watch.faults()
            if compares:  # onnxruntime takes much memory
                faults = [fault for fault in faults if not fault.endswith("MB")]
                came = compared(path, model) if came == "read" else came
            kind = came.partition(":")[0]
            counts.update((row, kind) for row in (mutation.__name__, "all"))
            faults += [came] if kind == "wrong" else []
            wrong += [f"file {number} ({mutation.__name__}): {fault}" for fault in faults]
    return counts, wrong, slowest, largest


if __name__ == "__main__":
    meaning = "compare with onnxruntime"
    sys.exit(main(__doc__, work, lambda number, _: hostile(number), 100_000, "--compare", meaning))
