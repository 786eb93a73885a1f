"""Layers: how A_prev becomes Z, and how dZ becomes dA_prev and the layer's own gradients."""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.layers.base import Layer, Parameter, Scratch
from tinynet.layers.dense import Dense

if TYPE_CHECKING:
    from tinynet.layers.activate import Activate
    from tinynet.layers.attention import SelfAttention
    from tinynet.layers.batch_norm import BatchNorm
    from tinynet.layers.bidirectional import Bidirectional
    from tinynet.layers.branches import Branches
    from tinynet.layers.composite import Composite, chain_field
    from tinynet.layers.convolution import Conv1D, Conv2D
    from tinynet.layers.dropout import Dropout
    from tinynet.layers.embedding import Embedding
    from tinynet.layers.gru import GRU
    from tinynet.layers.layer_norm import LayerNorm
    from tinynet.layers.lstm import LSTM
    from tinynet.layers.normalization import Normalization
    from tinynet.layers.pooling import AveragePool2D, GlobalAveragePool, MaxPool2D
    from tinynet.layers.prelu import PReLU
    from tinynet.layers.recurrent import Recurrent, SimpleRNN
    from tinynet.layers.reshape import Flatten, Reshape
    from tinynet.layers.residual import Residual

__all__ = [
    "GRU", "LSTM", "Activate", "AveragePool2D", "BatchNorm", "Bidirectional", "Branches",
    "Composite", "Conv1D", "Conv2D", "Dense", "Dropout", "Embedding", "Flatten",
    "GlobalAveragePool", "Layer", "LayerNorm", "MaxPool2D", "Normalization", "PReLU", "Parameter",
    "Recurrent", "Reshape", "Residual", "Scratch", "SelfAttention", "SimpleRNN", "chain_field",
]  # fmt: skip

if not TYPE_CHECKING:
    # Most programs do without most of these. `Layer.modules` names their files, too.
    __getattr__, __dir__ = later(
        __name__, __all__,
        activate=("Activate",), attention=("SelfAttention",), batch_norm=("BatchNorm",),
        bidirectional=("Bidirectional",), branches=("Branches",),
        composite=("Composite", "chain_field"), convolution=("Conv1D", "Conv2D"),
        dropout=("Dropout",), embedding=("Embedding",), gru=("GRU",), layer_norm=("LayerNorm",),
        lstm=("LSTM",), normalization=("Normalization",),
        pooling=("AveragePool2D", "GlobalAveragePool", "MaxPool2D"), prelu=("PReLU",),
        recurrent=("Recurrent", "SimpleRNN"), reshape=("Flatten", "Reshape"),
        residual=("Residual",),
    )  # fmt: skip
