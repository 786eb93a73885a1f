"""Where the network ends, and labels are made of its output, as for scikit-learn's classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.tensors import Tensors

# Operators that make labels, or a dictionary for each example, and which input they make them of.
_TO_LABELS = {
    "ArgMax": 0, "ai.onnx.ml.ZipMap": 0, "ai.onnx.ml.Binarizer": 0,
    "ai.onnx.ml.ArrayFeatureExtractor": 1,
}  # fmt: skip
# What may stand behind them.
_OF_LABELS = {"Cast", "Identity", "Reshape", "Squeeze"}


def before_labels(name: str, producers: Mapping[str, Node], tensors: Mapping[str, Any]) -> str:
    """Return the value that labels are made of, or the name as it is if labels are not made of it.

    Of the two columns 1 - p and p, which exporters write for two classes, it is p.
    """
    found = name
    while (node := producers.get(found)) and node.op in _TO_LABELS.keys() | _OF_LABELS:
        k = _TO_LABELS.get(node.op, 0)
        if len(node.inputs) <= k or (node.op == "ArgMax" and not _is_over_units(node)):
            break
        found = node.inputs[k]
        if node.op in _TO_LABELS:
            name = found
    while (node := producers.get(name)) and node.op == "Identity":
        name = node.inputs[0]
    return _second_column(name, producers, tensors)


def _is_over_units(node: Node) -> bool:
    return node.integer("axis", 0) in (1, -1)


def _second_column(name: str, producers: Mapping[str, Node], tensors: Mapping[str, Any]) -> str:
    """Return p of columns 1 - p and p."""
    node = producers.get(name)
    if not (node and node.op == "Concat" and len(node.inputs) == 2 and _is_over_units(node)):
        return name
    rest, p = producers.get(node.inputs[0]), node.inputs[1]
    if rest is None or rest.op != "Sub" or rest.inputs[1:] != (p,):
        return name
    return p if _is_one(rest.inputs[0], producers, tensors) else name


def _is_one(name: str, producers: Mapping[str, Node], tensors: Mapping[str, Any]) -> bool:
    tensor, node = tensors.get(name), producers.get(name)
    if node and node.op == "Constant" and node.has("value"):
        tensor = node.tensor("value")
    if tensor is None:
        return False
    array = Tensors(None).array(tensor, f"constant {name!r}")
    return array.size == 1 and bool(array == 1)
