"""A model as an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Shape
from tinynet._support.checks import integer
from tinynet._support.library import library
from tinynet.exchange.given import expect_model
from tinynet.exchange.onnx.activations import onnx_activation
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.layers import onnx_layer
from tinynet.exchange.onnx.origin import add_origin
from tinynet.files.model import named_arrays
from tinynet.files.source import Source, expect_source, write_whole
from tinynet.model.network import Network

onnx: Any = library("onnx")

_OLDEST, _NEWEST = 17, 26  # operators change from opset to opset; with these, all are right
_LARGEST = (1 << 31) - (1 << 24)  # bytes of arrays: a protobuf has at most 2 GB, operators included


def to_onnx(model: Network, path: Source | None = None, opset: int = 17) -> Any:
    """Return an ONNX model that computes ``predict``, with the examples first.

    Its input is ``"X"``, ``np.moveaxis(X, -1, 0)`` of X here, and its output ``"A"``: columns are
    (m, n), images (m, C, H, W), for any number of examples m. Both have the dtype of the model;
    indices, as for `Embedding`, are int64. It needs onnx, of the extra ``exchange``.

    Parameters
    ----------
    model : Sequential
        A model that is built.
    path : str, PathLike or binary file, optional
        Where it is written, too. A file is complete, or as it was before.
    opset : int
        The version of ONNX's operators, from 17 to 26.

    Returns
    -------
    onnx.ModelProto
        The model. Its arrays are called as in ``get_parameters``: ``W1``, ``b1``.

    Raises
    ------
    ConversionError
        For a layer or an activation that has no counterpart in ONNX; the message says which and
        why. Register a converter with `onnx_layer` or `onnx_activation`.
    FileFormatError
        For a custom class that could not be made again from its fields.
    NonFiniteError
        If a parameter is not finite.
    NotBuiltError
        If the model has had no X, and no ``inputs`` either.
    ValueError
        For another opset, and for a model of more than 2 GB.

    Notes
    -----
    An activation without a converter is traced: ``forward`` runs on what stands for Z. Operators
    for float64 that onnxruntime lacks are written as others, so that it computes every model. Of
    normalizations, ONNX stores ``epsilon`` in float32, and a float64 model is off by about 1e-8.

    The file describes the model, too, so that ``from_onnx`` returns it with its dropout, penalties
    and loss.

    Examples
    --------
    Needs onnx and onnxruntime::

        tn.exchange.to_onnx(model, "net.onnx")
        session = onnxruntime.InferenceSession("net.onnx")
        (A,) = session.run(["A"], {"X": rows})
    """
    opset = _checked(model, path, opset)
    graph = GraphBuilder(model.dtype, opset, named_arrays(model), onnx_layer, onnx_activation)
    A = graph.chain(model.storage.layers, "X")
    graph.nodes.append(onnx.helper.make_node("Identity", [A], ["A"], "A"))
    proto = _proto(model, graph)
    onnx.checker.check_model(proto, full_check=True)
    add_origin(proto, model, graph)
    if path is not None:
        content = proto.SerializeToString()
        write_whole(path, lambda file: file.write(content), "net.onnx")
    return proto


def _checked(model: Any, path: Any, opset: Any) -> int:
    """Return the opset, if all arguments are right."""
    expect_model(model)
    if path is not None:
        expect_source(path, "write")
    version, newest = integer("opset", opset), min(_NEWEST, onnx.defs.onnx_opset_version())
    if not _OLDEST <= version <= newest:
        found = f"opset is {opset}, expected a version from {_OLDEST} to {newest}"
        raise ValueError(f"{found}. Use opset={min(max(version, _OLDEST), newest)}.")
    size = model.values.nbytes
    if size > _LARGEST:
        found = f"The model has {size / 1e9:.1f} GB of parameters, and an ONNX file at most 2 GB"
        raise ValueError(f"{found}. Use tn.exchange.save_safetensors(model, path).")
    return version


def _proto(model: Network, graph: GraphBuilder) -> Any:
    """Return the protobuf of a graph that begins with X and ends with A."""
    X_dtype = np.dtype(np.int64) if model.takes.are_indices else model.dtype
    tensors = [onnx.numpy_helper.from_array(a, name) for name, a in graph.initializers.items()]
    opset = onnx.helper.make_opsetid("", graph.opset)
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, "tinynet", [_of_examples("X", X_dtype, model.inputs)],
            [_of_examples("A", model.dtype, model.outputs)], tensors,
        ),
        opset_imports=[opset], ir_version=onnx.helper.find_min_ir_version_for([opset]),
        producer_name="tinynet",
    )  # fmt: skip


def _of_examples(name: str, dtype: np.dtype[Any], shape: Shape) -> Any:
    """Return the declaration of an array of any number of examples."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return onnx.helper.make_tensor_value_info(name, kind, ["m", *shape])
