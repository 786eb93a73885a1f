"""A graph of ONNX operators under construction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.library import library
from tinynet.exchange.converters import converter, naming
from tinynet.exchange.entries import entries_of, written
from tinynet.exchange.onnx.names import ONNX
from tinynet.model.place import PlacedLayer

onnx: Any = library("onnx")


class GraphBuilder:
    """Operators, and the arrays they use; the examples are the first axis of every array.

    ``dtype`` is that of the model, ``opset`` the version of the operators, and ``placed`` the layer
    that is being written. An operator that is already there with the same inputs is not written
    again. `names` are those of the model's arrays. `write_layer` and `write_activation` are
    `onnx_layer` and `onnx_activation`.
    """

    def __init__(
        self,
        dtype: np.dtype[Any],
        opset: int,
        names: Iterable[str],
        write_layer: Callable[..., Any],
        write_activation: Callable[..., Any],
    ) -> None:
        self.dtype, self.opset = dtype, opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}
        self.placed: Any = None
        self._taken = {"X", "A", *names}
        self._known: dict[Any, str] = {}
        self._write_layer, self._write_activation = write_layer, write_activation

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator, and return the name of its output."""
        for name in inputs:
            if not isinstance(name, str):
                found = f"graph.op({kind!r}) got the input {name!r}, expected the name of an output"
                raise TypeError(f"{found}. For a number or an array, use graph.constant(...).")
        key = (kind, inputs, repr(sorted(attributes.items())))
        if key not in self._known:
            (self._known[key],) = self.outputs(1, kind, *inputs, **attributes)
        return self._known[key]

    def outputs(self, n: int, kind: str, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator that has n outputs, and return their names."""
        names = [self.new_name(kind) for _ in range(n)]
        self.nodes.append(onnx.helper.make_node(kind, inputs, names, names[0], **attributes))
        return names

    @contextlib.contextmanager
    def inner(self) -> Iterator[list[Any]]:
        """Have the operators of the block in a list of their own, as those of a loop."""
        nodes, known = self.nodes, self._known
        self.nodes, self._known = [], known.copy()
        yield self.nodes
        self.nodes, self._known = nodes, known

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a number or an array, in the dtype of the model or in another; return its name."""
        with np.errstate(over="ignore"):
            array = np.array(value, self.dtype if dtype is None else dtype, order="C")
        key = ("", array.dtype, array.shape, array.tobytes())
        if key not in self._known:
            name = self._known[key] = self.new_name("constant")
            self.initializers[name] = array
        return self._known[key]

    def parameter(self, name: str) -> str:
        """Add an array of the layer that is being written, and return its name, such as "W2".

        Parameters and state of the library's own layers are laid out as in ONNX, where a column
        (n, 1) is a vector; those of any other layer are as they are.
        """
        label = self.placed.label
        if f"{name}{label}" not in self.initializers:
            arrays = self.arrays()
            if name not in arrays:
                found = f"{self.placed.title} has no array {name!r} in ONNX"
                raise KeyError(f"{found}, expected one of {', '.join(arrays) or 'none'}.")
            self.initializers[f"{name}{label}"] = arrays[name]
        return f"{name}{label}"

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of the layer that is being written, laid out as in ONNX."""
        ours = self.placed.arrays
        return written(entries_of(ONNX, self.placed.layer, ours), ours)

    def chain(self, layers: Sequence[PlacedLayer], A_prev: str) -> str:
        """Add layers one after the other, each with its activation; return the name of A."""
        A = A_prev
        outer = self.placed  # which may be a layer that is made of these
        for placed in layers:
            self.placed = placed
            with naming(placed.title):
                Z = self._convert(self._write_layer, placed.layer, A, placed)
                A = self._convert(self._write_activation, placed.layer.activation, Z)
        self.placed = outer
        return A

    def _convert(self, converters: Callable[..., Any], thing: Any, *arguments: Any) -> str:
        name = converter(converters, thing)(thing, self, *arguments)
        if not isinstance(name, str):
            found = f"{self.placed.title}: the converter for {thing!r} returned {name!r}"
            raise TypeError(f"{found}, expected the name of an output: return graph.op(...).")
        return name

    def new_name(self, kind: str) -> str:
        """Return a name that nothing in the graph has."""
        number = len(self._taken) - 1
        while f"{kind}_{number}" in self._taken:
            number += 1
        self._taken.add(f"{kind}_{number}")
        return f"{kind}_{number}"
