"""The model that a graph was written from, described in the file beside the graph.

A graph computes what `predict` does, and says nothing about dropout, penalties or the loss. The
description is that of ``model.save``; the arrays are the graph's own. It counts only as long as
the graph is as it was written, which a digest shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tinynet._support.arrays import Array
from tinynet._support.library import library
from tinynet.exchange.entries import entries_of, read
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.names import ONNX
from tinynet.files import model as model_file
from tinynet.files.archive import Contents, expect, parse_description
from tinynet.files.source import refusing
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first
from tinynet.sequential import Sequential

onnx: Any = library("onnx")

_DESCRIPTION, _DIGEST = "tinynet", "tinynet_digest"


def add_origin(proto: Any, model: Network, graph: GraphBuilder) -> None:
    """Add the description of a model to its graph, if all of its arrays are in the graph.

    A custom layer's converter may have left some out. Raises `FileFormatError` for a description
    that could not be read again.
    """
    if all(name in graph.initializers for at in model.storage.placed for name in _names(at)):
        metadata = {_DESCRIPTION: model_file.checked_text(model), _DIGEST: _digest(proto)}
        onnx.helper.set_model_props(proto, metadata)


def original(proto: Any, source: Any = "model.onnx") -> Sequential | None:
    """Return the model that a graph was written from, in every part, such as its dropout and loss.

    It is None for a graph without a description, or that was changed since. `source` is what an
    error calls the file. What the description claims is compared with what the file holds before
    anything is allocated.
    """
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if _DESCRIPTION not in metadata or metadata.get(_DIGEST) != _digest(proto):
        return None
    with refusing(source, "tn.exchange.to_onnx", "a whole ONNX file with a tinynet model"):
        description = parse_description(metadata[_DESCRIPTION])
        _, layers = model_file.without_arrays(description, Sequential)
        tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
        arrays: dict[str, Array] = {}
        for at in depth_first(layers):
            arrays |= _arrays(at, tensors)
        return model_file.read(Contents(description, arrays), Sequential)


def _arrays(at: PlacedLayer, tensors: Mapping[str, Any]) -> dict[str, Array]:
    """Return the arrays of a layer by our names, with the number of the layer."""
    theirs = {}
    entries = entries_of(ONNX, at.layer, at.declared)
    for entry, name in zip(entries, _names(at), strict=True):
        expect(name in tensors, f"it has no {name}")
        is_elsewhere = tensors[name].data_location == onnx.TensorProto.EXTERNAL
        expect(not is_elsewhere, f"its {name} lies in another file")  # which may be any file
        theirs[entry.name] = onnx.numpy_helper.to_array(tensors[name])
    shapes = {name: parameter.shape for name, parameter in at.declared.items()}
    return {f"{name}{at.label}": array for name, array in read(entries, theirs, shapes).items()}


def _names(at: PlacedLayer) -> list[str]:
    """Return what the arrays of a layer are called in a graph."""
    return [f"{entry.name}{at.label}" for entry in entries_of(ONNX, at.layer, at.declared)]


def _digest(proto: Any) -> str:
    """Return what shows whether two graphs have the same operators and numbers."""
    graph = proto.graph.SerializeToString(deterministic=True)
    opsets = [(opset.domain, opset.version) for opset in proto.opset_import]
    return hashlib.sha256(repr(sorted(opsets)).encode() + graph).hexdigest()
