"""A model in words: one line, or a table of its layers."""

from __future__ import annotations

from tinynet._support.checks import written
from tinynet.model.network import Network


class Summary(str):
    """A table as a string, whose repr is the table too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


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
    """Return a table: number, kind, activation, shape of Z and A, and parameters of each layer."""
    storage = network.storage
    rows = [("l", "layer", "activation", "Z, A", "parameters")]
    for placed in storage.placed:
        sizes = [f"{name} {view.size:,}" for name, view in placed.params.items()]
        kind, activation = type(placed.layer).__name__, placed.layer.activation.registered_name
        shape, count = written(placed.output_shape), " + ".join(sizes) or "none"
        rows.append((placed.label, kind, activation, shape, count))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return Summary("\n".join([one_line(network)[1:-1], *table]))
