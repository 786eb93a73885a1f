"""A model in words: one line, or a table of its layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tinynet._support.checks import written
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first

_HEADER = ("l", "layer", "activation", "Z, A", "parameters")


class Summary(str):
    """A table as a string, whose repr is the table too; in a notebook it is one in HTML."""

    heading: str
    rows: Sequence[Sequence[str]]

    def __new__(cls, heading: str, rows: Sequence[Sequence[str]]) -> Summary:
        """Return the table of a heading and rows."""
        widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (_HEADER, *rows)]
        table = super().__new__(cls, "\n".join([heading, *lines]))
        table.heading, table.rows = heading, rows
        return table

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Summary, (self.heading, self.rows)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from tinynet._support import html  # only a notebook needs it

        # HTML drops the spaces that indent a layer within a layer; an em space remains.
        rows = [(l, layer.replace("  ", "\u2003"), *others) for l, layer, *others in self.rows]
        return html.table(self.heading, _HEADER, rows)


def one_line(network: Network) -> str:
    """Return the layers' sizes and activations, the loss, dtype and number of parameters."""
    shapes = network.storage.shapes if network.is_built else [("?",)] * (len(network.layers) + 1)
    first, *sizes = ["x".join(map(str, shape)) for shape in shapes]
    steps = [
        f"{size} {layer.activation.registered_name}"
        for size, layer in zip(sizes, network.layers, strict=True)
    ]
    loss = network.loss.registered_name if network.loss else "no loss"
    count = f"{network.n_params:,} parameters" if network.is_built else "not built"
    kind = type(network).__name__
    return f"<{kind} {' -> '.join([first, *steps])}; {loss}; {network.dtype}; {count}>"


def summary(network: Network) -> Summary:
    """Return a table: number, kind, activation, shape of Z and A, and parameters of each layer.

    Layers within a layer are below it, and indented.
    """
    return Summary(one_line(network)[1:-1], list(_rows(network.storage.layers)))


def _rows(layers: Iterable[PlacedLayer], indent: str = "") -> Iterator[tuple[str, ...]]:
    for placed in layers:
        kind, activation = type(placed.layer).__name__, placed.layer.activation.registered_name
        sizes = [f"{name} {view.size:,}" for name, view in placed.params.items()]
        within = sum([_count(chain) for chain in placed.chains])
        count = " + ".join([*sizes, f"{within:,} within"] if within else sizes) or "none"
        yield placed.label, indent + kind, activation, written(placed.output_shape), count
        for chain in placed.chains:
            yield from _rows(chain, f"{indent}  ")


def _count(layers: Iterable[PlacedLayer]) -> int:
    """Return the number of parameters of layers and those within them."""
    return sum([view.size for at in depth_first(layers) for view in at.params.values()])
