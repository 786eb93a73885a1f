"""What PyTorch's modules call the arrays of each layer. PyTorch itself is not needed for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinynet.activations import Activation, Identity
from tinynet.exchange.entries import (
    Table,
    column,
    constant,
    gates,
    gates_column,
    moved,
    same,
    second,
)
from tinynet.layers import (
    GRU,
    LSTM,
    Activate,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Layer,
    LayerNorm,
    PReLU,
    SelfAttention,
    SimpleRNN,
)
from tinynet.model.place import PlacedLayer

_LSTM_GATES = (0, 1, 3, 2)  # i, f, g, o; here i, f, o, g
_WEIGHTED = [same("weight", "W"), column("bias", "b")]
_NORMALIZING = [column("weight", "gamma"), column("bias", "beta")]

TORCH: Table = {
    Dense: _WEIGHTED,
    Conv1D: _WEIGHTED,
    Conv2D: _WEIGHTED,
    LayerNorm: _NORMALIZING,
    BatchNorm: [
        *_NORMALIZING,
        column("running_mean", "running_mean"), column("running_var", "running_variance"),
        constant("num_batches_tracked", np.array(0)),
    ],
    PReLU: [column("weight", "slope")],
    Embedding: [moved("weight", "W", 1, 0)],
    SimpleRNN: [
        same("weight_ih_l0", "W"), same("weight_hh_l0", "U"),
        column("bias_ih_l0", "b"), second(column("bias_hh_l0", "b")),
    ],
    LSTM: [
        gates("weight_ih_l0", "W", _LSTM_GATES), gates("weight_hh_l0", "U", _LSTM_GATES),
        gates_column("bias_ih_l0", "b", _LSTM_GATES),
        second(gates_column("bias_hh_l0", "b", _LSTM_GATES)),
    ],
    GRU: [
        same("weight_ih_l0", "W"), same("weight_hh_l0", "U"),
        column("bias_ih_l0", "b"), column("bias_hh_l0", "c"),
    ],
    SelfAttention: [
        same("in_proj_weight", "W"), column("in_proj_bias", "b"),
        same("out_proj.weight", "W_out"), column("out_proj.bias", "b_out"),
    ],
}  # fmt: skip


def prefixes(chain: Sequence[PlacedLayer], before: str = "") -> Iterator[tuple[str, PlacedLayer]]:
    """Yield each layer, those within layers too, with the place of its module in nn.Sequential.

    An activation is a module of its own, unless it is the identity. A layer of one chain is an
    nn.Sequential of its layers; a layer of several has one nn.Sequential for each.
    """
    position = 0
    for placed in chain:
        prefix = f"{before}{position}."
        yield prefix, placed
        for k, inner in enumerate(placed.chains):
            yield from prefixes(inner, prefix if len(placed.chains) == 1 else f"{prefix}{k}.")
        position += has_module(placed.layer) + has_module(placed.layer.activation)


def has_module(part: Layer | Activation) -> bool:
    """Return whether a layer or an activation has a module: all but what does nothing has one."""
    return type(part) not in (Activate, Identity)
