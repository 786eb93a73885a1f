"""One operator and what is known where it stands, for the functions that read it as layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import attrs

from tinynet._support.arrays import Array, Shape
from tinynet.activations import Activation
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.assemble import Part
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.node import Node


@attrs.frozen
class Step:
    """A node whose first input is what comes before it; `shape` is that of an example of this.

    `shapes` are those of values before it, by name.
    """

    node: Node
    graph: Graph
    shape: Shape
    shapes: Mapping[str, Shape]

    @property
    def rank(self) -> int:
        """The number of axes of the input; the first is the examples."""
        return 1 + len(self.shape)

    def constant(self, k: int) -> Array:
        """Return input k, if it is a constant."""
        array = self.optional(k)
        if array is None:
            raise FileFormatError(f"{self.node.title} has no input {k}")
        return array

    def optional(self, k: int) -> Array | None:
        """Return input k, if it is a constant, or None if it is left out."""
        name = self.node.inputs[k] if k < len(self.node.inputs) else ""
        if name and name not in self.graph.constants:
            raise ConversionError(f"Its input {k} is computed, expected a constant.")
        return self.graph.constants[name] if name else None

    def floats(self, k: int) -> Array:
        """Return input k, if it is constant numbers in the dtype of the weights."""
        array = self.constant(k)
        if array.dtype != self.graph.dtype:
            found = f"Its input {k} is of {array.dtype}"
            raise FileFormatError(f"{found}, expected {self.graph.dtype}")
        return array

    def expect_inputs(self, least: int, most: int) -> None:
        """Refuse a node with fewer or more inputs, or whose first input comes in again."""
        n, first = len(self.node.inputs), self.node.inputs[:1]
        if not least <= n <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            raise FileFormatError(f"{self.node.title} has {n} inputs, expected {expected}")
        if first and first[0] in self.graph.constants:
            raise ConversionError("Its first input is a constant, expected what comes before it.")

    def axis(self, axis: int) -> int:
        """Return an axis as a number of at least 0."""
        if not -self.rank <= axis < self.rank:
            raise FileFormatError(f"{self.node.title} has axis {axis} of {self.rank}")
        return axis % self.rank


# What an operator is read as. A shape says which one the examples have in the graph, where it is
# another than in the model.
Result: TypeAlias = Sequence[Part | Activation | Shape]
Reader: TypeAlias = Callable[[Step], Result]
