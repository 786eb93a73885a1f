"""onnxruntime: the forward pass of a graph written with onnx."""

import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

VERSION = onnxruntime.__version__
_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def _graph(network):
    nodes, held, A, L = [], [], "X", len(network.sizes) - 1
    for l, (W, b) in enumerate(network.weights(), 1):
        held += [
            numpy_helper.from_array(np.ascontiguousarray(W.T), f"W{l}"),
            numpy_helper.from_array(b[:, 0], f"b{l}"),
        ]
        operator = (
            _OPERATORS[network.hidden]
            if l < L
            else "Softmax"
            if network.sizes[-1] > 1
            else "Sigmoid"
        )
        nodes += [
            helper.make_node("Gemm", [A, f"W{l}", f"b{l}"], [f"Z{l}"]),
            helper.make_node(operator, [f"Z{l}"], [A := f"A{l}"]),
        ]
    ends = [helper.make_tensor_value_info(*end) for end in (
        ("X", TensorProto.FLOAT, [None, network.sizes[0]]),
        (A, TensorProto.FLOAT, [None, network.sizes[-1]]),
    )]  # fmt: skip
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def predictor(network, X):
    """Run the graph."""
    graph = _graph(network)
    onnx.checker.check_model(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if os.environ.get("OMP_NUM_THREADS") == "1":  # which it does not look at itself
        options.intra_op_num_threads = 1
    runtime = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: runtime.run(None, {"X": X})
