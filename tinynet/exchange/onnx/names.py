"""How the arrays of each layer are laid out in ONNX. The library onnx is not needed for that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynet._support.arrays import Array
from tinynet.exchange.entries import Entry, Table, column, gates, same
from tinynet.layers import (
    GRU,
    LSTM,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    LayerNorm,
    PReLU,
    SelfAttention,
    SimpleRNN,
)


def _with_direction(entry: Entry) -> Entry:
    """Return the entry of an array whose first axis is the direction of a recurrent operator."""

    def write(array: Array) -> Array:
        written: Array = entry.write(array)
        return written[np.newaxis]

    return Entry(entry.name, entry.ours, write, lambda array: entry.read(array[0]))


def _bias(order: Sequence[int], biases: Sequence[str]) -> Entry:
    """Return B: the bias of the input and then that of h, which is 0 in a layer with one bias."""
    parts = [gates("", name, order) for name in biases]

    def write(*arrays: Array) -> Array:
        columns = [part.write(array) for part, array in zip(parts, arrays, strict=True)]
        columns += [np.zeros_like(columns[0])] * (2 - len(columns))
        return np.concatenate(columns).T

    def read(array: Array) -> tuple[Array, ...]:
        halves = array.reshape(2, -1, 1)
        if len(biases) == 1:
            halves = halves.sum(axis=0, keepdims=True)
        return tuple(part.read(half)[0] for part, half in zip(parts, halves, strict=True))

    return Entry("B", tuple(biases), write, read)


def _recurrent(order: Sequence[int], *biases: str) -> list[Entry]:
    W, R = gates("W", "W", order), gates("R", "U", order)
    return [_with_direction(W), _with_direction(R), _bias(order, biases)]


_WEIGHTED = [same("W", "W"), column("b", "b")]
_NORMALIZING = [column("gamma", "gamma"), column("beta", "beta")]

# Of a layer that is not here, all arrays are as they are.
ONNX: Table = {
    Dense: _WEIGHTED,
    Conv1D: _WEIGHTED,
    Conv2D: _WEIGHTED,
    LayerNorm: _NORMALIZING,
    BatchNorm: [
        *_NORMALIZING,
        column("running_mean", "running_mean"), column("running_variance", "running_variance"),
    ],
    PReLU: [column("slope", "slope")],
    SimpleRNN: _recurrent((0,), "b"),
    LSTM: _recurrent((0, 2, 1, 3), "b"),  # i, o, f, c; here i, f, o, g, where g is their c
    GRU: _recurrent((1, 0, 2), "b", "c"),  # z, r, h; here r, z, g, where g is their h
    SelfAttention: [
        same("W", "W"), column("b", "b"), same("W_out", "W_out"), column("b_out", "b_out"),
    ],
}  # fmt: skip
