"""The layers of a graph, read from its input to its output."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import shown
from tinynet.activations import Activation, Identity
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.assemble import Part
from tinynet.exchange.converters import naming
from tinynet.exchange.onnx.reading.affine import affine
from tinynet.exchange.onnx.reading.elementwise import OPERATORS
from tinynet.exchange.onnx.reading.examples import LARGEST_EXAMPLE, example_of
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.layers import WITH_WEIGHTS, scaled
from tinynet.exchange.onnx.reading.layout import CHANNELS_FIRST, Layout, read_in, transposed
from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.recognition import Recognizer, recognizer
from tinynet.exchange.onnx.reading.regions import Region, regions_of
from tinynet.exchange.onnx.reading.shapes import SHAPES, reshaping
from tinynet.exchange.onnx.reading.step import Step
from tinynet.exchange.onnx.reading.windows import WINDOWS
from tinynet.exchange.onnx.reading.written_out import layer_norm
from tinynet.layers import Reshape

# What a file of some kilobytes could ask for, and a network does not.
_MOST_LAYERS = 1_000
_MOST_REGIONS = 32  # that are looked at for one activation; gelu with tanh has ten
_LEAST_WEIGHTS = 1 << 24  # bytes that layers may hold, beyond twice what the file has
_READERS = {**WITH_WEIGHTS, **WINDOWS, **SHAPES}
_NEED_AXIS = {"Transpose", *WITH_WEIGHTS, *WINDOWS} - {"Identity", "Dropout"}
_QUANTIZED = " Export the network before it is quantized."
_REMEDIES = {
    "LogSoftmax": " Export the network with softmax: the losses here take the logarithm.",
    "QuantizeLinear": _QUANTIZED, "DequantizeLinear": _QUANTIZED, "QLinearConv": _QUANTIZED,
    "DynamicQuantizeLinear": _QUANTIZED, "QLinearMatMul": _QUANTIZED,
}  # fmt: skip
_READ = "Gemm, MatMul, Conv, normalizations, poolings, reshapes and activations"


@attrs.define
class Chain:
    """What has been read so far, and the shapes of an example: in the model, and in the graph."""

    graph: Graph
    shape: Shape
    graph_shape: Shape
    shapes: dict[str, Shape]  # in the graph, by the name of a value
    most_bytes: int
    items: list[Part | Activation] = attrs.field(factory=list)
    takes_bias: bool = False  # the last item has weights, and no bias yet
    is_scale: bool = False  # the last item is a normalization, and a Mul and Add may follow
    layout: Layout | None = None
    _before: Shape = ()  # the shape before the last item
    _n_bytes: int = 0

    def add(self, item: Part | Activation | Shape) -> None:
        """Add a layer or activation; a Reshape behind another takes its place."""
        self.takes_bias = self.is_scale = False
        if isinstance(item, tuple):
            self.graph_shape = item
        elif isinstance(item, Activation):
            self.items.append(item)
        elif isinstance(item.layer, Reshape) and self._ends_with_reshape():
            after = item.layer.output_shape(self.shape)
            self.items.pop()
            self.shape = self.graph_shape = self._before
            for each in reshaping(self._before, after):
                self.add(each)
        else:
            self._append(item)

    def add_affine(self, scale: Array, shift: Array) -> None:
        """Add a scale and a shift: a bias of the last layer, or a BatchNorm that computes them."""
        last = self.items[-1] if self.takes_bias or self.is_scale else None
        if self.takes_bias and isinstance(last, Part) and (scale == 1).all():
            self.items[-1] = attrs.evolve(last, arrays={**last.arrays, "b": shift})
            self.takes_bias = False
            return
        if self.is_scale and isinstance(last, Part):
            gamma, beta = last.arrays["gamma"] * scale, last.arrays["beta"] * scale + shift
            arrays = {**last.arrays, "gamma": gamma, "beta": beta}
            self.items[-1] = attrs.evolve(last, arrays=arrays)
            return
        mean = np.broadcast_to(np.zeros((), scale.dtype), scale.shape)
        self.add_scalable(scaled(scale, shift, mean))

    def add_scalable(self, part: Part) -> None:
        """Add a normalization whose gamma and beta take in a scale and a shift behind it."""
        self.add(part)
        self.is_scale = True

    def _ends_with_reshape(self) -> bool:
        last = self.items[-1] if self.items else None
        return isinstance(last, Part) and isinstance(last.layer, Reshape)

    def _append(self, part: Part) -> None:
        _check_arrays(part, self.shape)
        self._before, self.shape = self.shape, part.layer.output_shape(self.shape)
        self.graph_shape = self.shape
        self.items.append(part)
        self._n_bytes += sum(array.nbytes for array in part.arrays.values())
        if math.prod(self.shape) > LARGEST_EXAMPLE:
            found = f"It makes examples of shape {self.shape}, over {LARGEST_EXAMPLE} numbers"
            raise ConversionError(f"{found}. The network is too large.")

    def check_size(self) -> None:
        """Refuse more layers than a network has, or more weights than the file."""
        if len(self.items) > _MOST_LAYERS or self._n_bytes > self.most_bytes:
            found = f"{len(self.items)} layers with {self._n_bytes} bytes of weights"
            raise ConversionError(f"There are {found} up to here, which the file does not hold.")


def _check_arrays(part: Part, shape: Shape) -> None:
    """Refuse arrays that do not fit, before a model with places for others is made."""
    expected = {**part.layer.parameters(shape), **part.layer.state(shape)}
    for name, array in part.arrays.items():
        if array.shape != expected[name].shape:
            found = f"Its {name} has shape {array.shape}, expected {expected[name].shape}"
            raise ConversionError(f"{found} for examples of shape {shape}.")
        if not np.isfinite(array).all():
            raise ConversionError(f"Its {name} has NaN or infinity. Train the network again.")


def _read(chain: Chain, recognizes: Recognizer, regions: Sequence[Region]) -> int:
    """Read the first of some regions, or several that are one activation; return how many."""
    region, graph = regions[0], chain.graph
    if region.node and _read_node(chain, region.node, region.begin):
        return 1
    found = recognizes.first(regions, 1 + len(chain.graph_shape))
    if found is not None:
        activation, n = found
        if not isinstance(activation, Identity):
            chain.add(activation)
        return n
    layout, operands = chain.layout, None
    norm = None if layout else layer_norm(regions, graph, chain.graph_shape)
    if norm is not None:
        chain.add_scalable(norm)
        return 2
    if layout is None or layout.has_units_last:
        operands = affine(region, graph, chain.graph_shape, layout is not None)
    if operands is None:
        raise _not_read(region)
    chain.add_affine(*operands)
    if layout is not None:
        chain.graph_shape = layout.graph_shape
    return 1


def _read_node(chain: Chain, node: Node, begin: str) -> bool:
    """Read a node that is layers by itself; return whether it is."""
    if node.op != "Transpose" and node.op not in _READERS:
        return False
    step = Step(node, chain.graph, chain.graph_shape, chain.shapes)
    if begin not in node.inputs[: 2 if node.op == "MatMul" else 1]:
        raise ConversionError(f"It takes {shown(begin)} in another place than as its first input.")
    if not step.shape and node.op in _NEED_AXIS:
        raise ConversionError("Its input has no axis but the examples.")
    if node.op == "Transpose":
        layout, items = transposed(step, chain.layout, chain.shape)
    elif chain.layout is not None:
        layout, items = read_in(chain.layout, step)
    else:
        layout, items = None, _READERS[node.op](step)
    for item in items:
        chain.add(item)
    node.expect_no_more()
    if layout is not None and not layout.is_flat:
        chain.graph_shape = layout.graph_shape
    elif chain.layout is not None:
        chain.graph_shape = chain.shape
    chain.layout = layout
    chain.takes_bias = _is_without_bias(step) or (chain.takes_bias and not items)
    return True


def _is_without_bias(step: Step) -> bool:
    op = step.node.op
    return op == "MatMul" or (op in ("Gemm", "Conv") and step.optional(2) is None)


@contextlib.contextmanager
def _as_conversion() -> Iterator[None]:
    """Turn what a layer says of its settings or its input into an error about the node."""
    try:
        yield
    except FileFormatError:
        raise
    except ValueError as error:
        raise ConversionError(str(error)) from error


def _not_read(region: Region) -> ConversionError:
    """Return the error for nodes that are no layer, and no activation."""
    if all(node.op in OPERATORS for node in region.nodes):
        remedy = "Register a class with this forward before: class Custom(tn.Activation)"
        return ConversionError(f"It computes no activation that is known here. {remedy}.")
    if region.node:
        hint = _REMEDIES.get(region.node.op, "")
        return ConversionError(f"It is not read.{hint} from_onnx reads chains of {_READ}.")
    found = f"From the value {shown(region.begin)}, several ways lead to {shown(region.end)}"
    return ConversionError(f"{found}. from_onnx reads chains of {_READ}, without branches.")


def items_of(graph: Graph, inputs: Shape | None) -> tuple[Shape, list[Part | Activation]]:
    """Return the shape of an example, and layers and activations in order.

    Raises `ConversionError` for what is not a layer or activation here.
    """
    regions = regions_of(graph)
    shape = example_of(graph, regions, inputs)
    most_bytes = _LEAST_WEIGHTS + 2 * sum(array.nbytes for array in graph.constants.values())
    chain = Chain(graph, shape, shape, {graph.input: shape}, most_bytes)
    recognizes, left = recognizer(graph), deque(regions)
    while left:
        with naming(left[0].title), _as_conversion():
            n = _read(chain, recognizes, list(islice(left, _MOST_REGIONS)))
            chain.check_size()
        for _ in range(n):
            chain.shapes[left.popleft().end] = chain.graph_shape
    if chain.layout is not None:
        found = f"The output is transposed, to the axes {chain.layout.order}"
        raise ConversionError(f"{found}, expected the order of the layers. {CHANNELS_FIRST}.")
    return shape, chain.items
