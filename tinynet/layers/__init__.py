"""Layers: how A_prev becomes Z, and how dZ becomes dA_prev and the layer's own gradients."""

from tinynet.layers.base import Layer, Parameter
from tinynet.layers.dense import Dense

__all__ = ["Dense", "Layer", "Parameter"]
