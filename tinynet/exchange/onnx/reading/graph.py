"""The part of an ONNX graph that leads from its input to its output, checked and in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import shown
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.converters import naming
from tinynet.exchange.onnx.reading.constants import constants_of
from tinynet.exchange.onnx.reading.ends import before_labels
from tinynet.exchange.onnx.reading.node import Node, node_of
from tinynet.exchange.onnx.reading.tensors import FLOATS, type_name, unread_type

# Before 7, operators broadcast by attributes. 26 is the newest whose operators were compared.
OPSETS = range(7, 27)
_MOST_NODES = 10_000  # a chain of a thousand layers has no more
_MOST_OUTPUTS = 4  # a classifier has probabilities and labels


@attrs.frozen
class Graph:
    """Nodes that compute the output from the input, and the constants that they use.

    `declared` is the shape of the input, in which None is any number, or None if nothing is said.
    `sizing` are nodes that compute with shapes of arrays, and not with their numbers.
    """

    input: str
    declared: tuple[int | None, ...] | None
    output: str
    nodes: Sequence[Node]
    sizing: Sequence[Node]
    constants: Mapping[str, Array]
    dtype: np.dtype[Any]


def graph_of(model: Any, folder: Path | None) -> Graph:
    """Return what leads from the input of a model to its output."""
    opset, proto = _opset(model), model.graph
    if len(proto.node) > _MOST_NODES:
        found = f"The graph has {len(proto.node)} nodes"
        raise ConversionError(f"{found}, expected at most {_MOST_NODES}: a chain of layers.")
    nodes = [node_of(each, opset) for each in proto.node]
    tensors = {tensor.name: tensor for tensor in proto.initializer}
    if len(tensors) != len(proto.initializer):
        raise FileFormatError("it has two initializers of one name")
    given = [value for value in proto.input if value.name not in tensors]
    if len(given) != 1:
        names = ", ".join(shown(value.name) for value in given[:9]) or "none"
        found = f"The graph has the inputs {names}, expected one"
        raise ConversionError(f"{found}. Export the part of the network between two values.")
    entry = given[0].name
    producers = _producers(nodes, [entry], tensors)
    output = _output([value.name for value in proto.output], producers, entry, tensors)
    needed = leading_to(output, nodes)
    varying = _depending_on(entry, needed)
    if output == entry or not varying:
        raise ConversionError("The output of the graph does not depend on its input.")
    vary = set(varying)
    fixed = [node for node in needed if node not in vary]
    constants = constants_of(needed, fixed, tensors, folder)
    declared, kind = _declared(given[0])
    dtype = _dtype(constants, kind)
    nodes, sizing = _apart(entry, varying)
    _check_casts(nodes, dtype)
    return Graph(entry, declared, output, nodes, sizing, constants, dtype)


def _opset(model: Any) -> int:
    """Return the version of the operators; a model without a graph was never a whole one."""
    if not (model.HasField("graph") and model.graph.node):
        raise FileFormatError("it has no graph with nodes")
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise FileFormatError("it does not say of which opset its operators are")
    if versions[0] not in OPSETS:
        found = f"The operators are of opset {versions[0]}"
        expected = f"expected {OPSETS.start} to {OPSETS.stop - 1}"
        raise ConversionError(f"{found}, {expected}. Export with opset_version=17.")
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise ConversionError("The model defines operators of ONNX anew. Export it without.")
    return int(versions[0])


def _producers(nodes: Iterable[Node], inputs: list[str], tensors: Any) -> dict[str, Node]:
    """Return the node that computes each value, if each is computed once and before it is used."""
    producers: dict[str, Node] = {}
    known = {"", *inputs, *tensors}
    for node in nodes:
        if missing := [name for name in node.inputs if name not in known]:
            found = f"the input {shown(missing[0])} of {node.title} is computed by no node before"
            raise FileFormatError(f"{found}: its nodes are unsorted or in a circle")
        for name in filter(None, node.outputs):
            if name in known:
                raise FileFormatError(f"the name {shown(name)} stands for two values")
            known.add(name)
            producers[name] = node
    return producers


def _output(names: list[str], producers: Mapping[str, Node], entry: str, tensors: Any) -> str:
    """Return the output, or what comes before the labels that are made of it."""
    for name in names:
        if name not in producers and name != entry and name not in tensors:
            raise FileFormatError(f"its output {shown(name)} is computed by no node")
    few = names[:_MOST_OUTPUTS]
    found = sorted({before_labels(name, producers, tensors) for name in few})
    if len(found) != 1 or len(names) > len(few):
        several = ", ".join(map(shown, few)) or "none"
        expected = "expected one, or probabilities and labels that are made of them"
        remedy = "Export the network with one of them"
        raise ConversionError(f"The graph has the outputs {several}, {expected}. {remedy}.")
    return found[0]


def leading_to(output: str, nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes that the output is computed from, in order."""
    wanted, needed = {output}, []
    for node in reversed(nodes):
        if not wanted.isdisjoint(filter(None, node.outputs)):
            needed.append(node)
            wanted.update(node.inputs)
    return needed[::-1]


def _depending_on(entry: str, nodes: Iterable[Node]) -> list[Node]:
    values, found = {entry}, []
    for node in nodes:
        if not values.isdisjoint(node.inputs):
            found.append(node)
            values.update(filter(None, node.outputs))
    return found


def _apart(entry: str, varying: Iterable[Node]) -> tuple[list[Node], list[Node]]:
    """Return nodes that compute with numbers, and those that compute with shapes only."""
    values, nodes, sizing = {entry}, list[Node](), list[Node]()
    for node in varying:
        if node.op == "Shape" or values.isdisjoint(node.inputs):
            sizing.append(node)
        else:
            nodes.append(node)
            values.update(filter(None, node.outputs))
    return nodes, sizing


def _declared(value: Any) -> tuple[tuple[int | None, ...] | None, int]:
    """Return the shape and the type of numbers that are declared for the input."""
    with naming(f"input {shown(value.name)}"):
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            raise ConversionError("It is not a tensor.")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None, tensor.elem_type
    dims = [each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim]
    # skl2onnx writes 0 for any number
    return tuple(None if n == 0 else n for n in dims), tensor.elem_type


def _dtype(constants: Mapping[str, Array], kind: int) -> np.dtype[Any]:
    """Return the dtype of the weights, or that of the input if there are none."""
    found = {array.dtype for array in constants.values() if array.dtype.kind == "f"}
    if len(found) > 1:
        mixed = " and ".join(sorted(map(str, found)))
        raise ConversionError(f"The weights are of {mixed}. Export the network in one dtype.")
    if not found and kind not in FLOATS:
        raise unread_type("The input", kind)
    return found.pop() if found else FLOATS[kind]


def _check_casts(nodes: Iterable[Node], dtype: np.dtype[Any]) -> None:
    """Refuse a Cast that takes digits away: others change nothing."""
    for node in nodes:
        if node.op == "Cast":
            to = node.integer("to")
            with naming(node.title):
                if to not in FLOATS:
                    raise unread_type("Its result", to)
                if FLOATS[to].itemsize < dtype.itemsize:
                    found = f"It casts {dtype} to {type_name(to)}"
                    raise ConversionError(f"{found}. Export the network in one dtype.")
