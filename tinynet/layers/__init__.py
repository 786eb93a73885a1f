"""Layers: how A_prev becomes Z, and how dZ becomes dA_prev and the layer's own gradients."""

from typing import TYPE_CHECKING, Any

from tinynet._support.elsewhere import missing_in
from tinynet.layers.activate import Activate
from tinynet.layers.base import Layer, Parameter
from tinynet.layers.batch_norm import BatchNorm
from tinynet.layers.dense import Dense
from tinynet.layers.dropout import Dropout
from tinynet.layers.layer_norm import LayerNorm
from tinynet.layers.normalization import Normalization
from tinynet.layers.reshape import Flatten, Reshape

__all__ = [
    "Activate", "BatchNorm", "Dense", "Dropout", "Flatten", "Layer", "LayerNorm", "Normalization",
    "Parameter", "Reshape",
]  # fmt: skip

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing_in(__name__, name, __all__)
