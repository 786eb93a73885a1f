"""How Keras lays out the arrays of each layer, and what it calls them. Keras is not needed.

Keras has the units or channels as the last axis, where they are the first axis here. So kernels
are transposed, and gates have another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.exchange.entries import Entry, column, gates, gates_column, moved
from tinynet.layers import (
    GRU,
    LSTM,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    LayerNorm,
    PReLU,
    SelfAttention,
    SimpleRNN,
)
from tinynet.layers.base import Layer
from tinynet.model.place import PlacedLayer

_LSTM_GATES = (0, 1, 3, 2)  # i, f, c, o; here i, f, o, g, where g is their c
_GRU_GATES = (1, 0, 2)  # z, r, h; here r, z, g, where g is their h


def _gamma(name: str, ours: str, placed: PlacedLayer) -> Entry:
    """Return the entry of an array with numbers for each unit, or for each entry of an example."""
    if placed.declared[ours].shape[1:] == (1,):
        return column(name, ours)

    def write(array: Array) -> Array:
        return np.moveaxis(array[..., 0], 0, -1)

    return Entry(name, (ours,), write, lambda array: (np.moveaxis(array, -1, 0),))


def _normalizing(placed: PlacedLayer) -> list[Entry]:
    pairs = [("gamma", "gamma"), ("beta", "beta")]
    if "running_mean" in placed.declared:
        pairs += [("moving_mean", "running_mean"), ("moving_variance", "running_variance")]
    return [_gamma(theirs, ours, placed) for theirs, ours in pairs]


def _alpha(placed: PlacedLayer) -> list[Entry]:
    """Return the entry of slopes that all positions share: ``shared_axes`` of Keras."""
    shape = (*[1] * (len(placed.input_shape) - 1), -1)
    return [Entry("alpha", ("slope",), lambda slope: slope.reshape(shape), lambda a: (a,))]


def _gru_bias() -> Entry:
    """Return the entry of the biases of the input and of h, (2, 3n): ``reset_after``."""
    b, c = gates_column("", "b", _GRU_GATES), gates_column("", "c", _GRU_GATES)
    return Entry(
        "gru_cell/bias", ("b", "c"), lambda *ours: np.stack([b.write(ours[0]), c.write(ours[1])]),
        lambda a: (*b.read(a[0][:, np.newaxis]), *c.read(a[1][:, np.newaxis])),
    )  # fmt: skip


def _cell(kind: str, order: Sequence[int]) -> list[Entry]:
    """Return the entries of a recurrent layer's matrices, which are transposed."""
    return [
        gates(f"{kind}_cell/kernel", "W", order, transposed=True),
        gates(f"{kind}_cell/recurrent_kernel", "U", order, transposed=True),
    ]


def _attention(placed: PlacedLayer) -> list[Entry]:
    """Return the entries of each projection by itself, with the heads as an axis."""
    n, heads = placed.input_shape[0], placed.layer.heads  # type: ignore[attr-defined]
    k = n // heads
    entries = []
    for part, name in enumerate(("query", "key", "value")):
        rows = slice(part * n, (part + 1) * n)
        entries += [
            _rows(f"{name}/kernel", "W", rows, 3 * n, (n, heads, k)),
            _rows(f"{name}/bias", "b", rows, 3 * n, (heads, k)),
        ]
    return [
        *entries,
        _rows("attention_output/kernel", "W_out", slice(n), n, (heads, k, n)),
        column("attention_output/bias", "b_out"),
    ]


def _rows(name: str, ours: str, rows: slice, n_rows: int, shape: Shape) -> Entry:
    """Return the entry of some rows of an array: transposed, in a shape of theirs.

    Read, the others are 0, so that the sum of all these entries is the whole array.
    """

    def write(array: Array) -> Array:
        return array[rows].T.reshape(shape)

    def read(array: Array) -> tuple[Array, ...]:
        part = array.reshape(-1, rows.stop - (rows.start or 0)).T
        whole = np.zeros((n_rows, part.shape[1]), part.dtype)
        whole[rows] = part
        return (whole,)

    return Entry(name, (ours,), write, read)


_Entries = Callable[[PlacedLayer], list[Entry]]

KERAS: Mapping[type[Layer], _Entries] = {
    Dense: lambda _: [moved("kernel", "W", 1, 0), column("bias", "b")],
    Conv1D: lambda _: [moved("kernel", "W", 2, 1, 0), column("bias", "b")],
    Conv2D: lambda _: [moved("kernel", "W", 2, 3, 1, 0), column("bias", "b")],
    BatchNorm: _normalizing,
    LayerNorm: _normalizing,
    PReLU: _alpha,
    Embedding: lambda _: [moved("embeddings", "W", 1, 0)],
    SimpleRNN: lambda _: [
        *_cell("simple_rnn", (0,)), column("simple_rnn_cell/bias", "b"),
    ],
    LSTM: lambda _: [
        *_cell("lstm", _LSTM_GATES), gates_column("lstm_cell/bias", "b", _LSTM_GATES),
    ],
    GRU: lambda _: [*_cell("gru", _GRU_GATES), _gru_bias()],
    SelfAttention: _attention,
}  # fmt: skip
