"""A model as an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from tinynet._version import __version__
from tinynet.exchange.onnx.activations import onnx_activation
from tinynet.exchange.onnx.graph import Graph
from tinynet.exchange.onnx.layers import onnx_layer
from tinynet.files.model import named_arrays
from tinynet.model.network import Network
from tinynet.model.place import takes_indices

_IR_VERSION = 8  # the oldest that has opset 17


def to_onnx(model: Network, path: Any = None, opset: int = 17) -> Any:
    """Return an ONNX model."""
    arrays = named_arrays(model)
    graph = Graph(model.dtype, opset, arrays, onnx_layer, onnx_activation)
    A = graph.chain(model.storage.layers, "X")
    graph.nodes.append(onnx.helper.make_node("Identity", [A], ["A"], "A"))
    proto = _proto(model, graph)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _proto(model: Network, graph: Graph) -> Any:
    """Return the protobuf of a graph that begins with X and ends with A."""
    X_dtype = np.dtype(np.int64) if takes_indices(model.layers[0]) else model.dtype
    tensors = [onnx.numpy_helper.from_array(a, name) for name, a in graph.initializers.items()]
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, "tinynet", [_of_examples("X", X_dtype, model.inputs)],
            [_of_examples("A", model.dtype, model.outputs)], tensors,
        ),
        opset_imports=[onnx.helper.make_opsetid("", graph.opset)], ir_version=_IR_VERSION,
        producer_name="tinynet", producer_version=__version__,
    )  # fmt: skip


def _of_examples(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return onnx.helper.make_tensor_value_info(name, kind, ["m", *shape])
