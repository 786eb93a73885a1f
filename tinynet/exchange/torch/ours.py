"""Modules that `to_torch` makes, as layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinynet.activations import Activation
from tinynet.errors import ConversionError
from tinynet.exchange.torch import modules
from tinynet.exchange.torch.formula import Formula
from tinynet.exchange.torch.plain import (
    Chains,
    convolution,
    expect_settings,
    one_number,
    pooling,
    torch_module,
)
from tinynet.layers import (
    GRU,
    LSTM,
    AveragePool2D,
    Bidirectional,
    Branches,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    MaxPool2D,
    Reshape,
    Residual,
    SelfAttention,
    SimpleRNN,
)

__all__ = ["torch_module"]  # with the converters of all modules


@torch_module.register
def _(module: Formula, chains: Chains) -> Activation:
    return module.activation


@torch_module.register
def _(module: modules.LinearOfPositions, chains: Chains) -> Layer:
    return Dense(len(module.weight))


@torch_module.register
def _(module: modules.SameConv1d, chains: Chains) -> Layer:
    return convolution(module, Conv1D, "same")


@torch_module.register
def _(module: modules.SameConv2d, chains: Chains) -> Layer:
    return convolution(module, Conv2D, "same")


@torch_module.register
def _(module: modules.PaddedMaxPool2d, chains: Chains) -> Layer:
    return pooling(module, MaxPool2D, one_number(module.border))


@torch_module.register
def _(module: modules.PaddedAvgPool2d, chains: Chains) -> Layer:
    return pooling(module, AveragePool2D, one_number(module.border))


@torch_module.register
def _(module: modules.GlobalAveragePool, chains: Chains) -> Layer:
    return GlobalAveragePool()


@torch_module.register
def _(module: modules.LayerNormOfPositions, chains: Chains) -> Layer:
    return LayerNorm(epsilon=module.eps)


@torch_module.register
def _(module: modules.Reshape, chains: Chains) -> Layer:
    return Reshape(module.shape)


@torch_module.register
def _(module: modules.EmbeddingOfPositions, chains: Chains) -> Layer:
    expect_settings(module, max_norm=None)
    return Embedding(module.num_embeddings, module.embedding_dim)


@torch_module.register
def _(module: modules.SimpleRNN, chains: Chains) -> Layer:
    return SimpleRNN(module.hidden_size, module.sequences)


@torch_module.register
def _(module: modules.LSTM, chains: Chains) -> Layer:
    return LSTM(module.hidden_size, module.sequences)


@torch_module.register
def _(module: modules.GRU, chains: Chains) -> Layer:
    return GRU(module.hidden_size, module.sequences)


@torch_module.register
def _(module: modules.SelfAttention, chains: Chains) -> Layer:
    return SelfAttention(module.num_heads, module.causal)


@torch_module.register
def _(module: modules.Residual, chains: Chains) -> Layer:
    _expect_x_unchanged([module])
    return Residual(chains[0])


@torch_module.register
def _(module: modules.OneBranch, chains: Chains) -> Layer:
    return Branches(chains)


@torch_module.register
def _(module: modules.Branches, chains: Chains) -> Layer:
    _expect_x_unchanged(module)
    return Branches(chains, module.join)


@torch_module.register
def _(module: modules.Bidirectional, chains: Chains) -> Layer:
    one, other = chains
    if one != other or len(one) > 1:
        raise ConversionError(f"Its chains are {chains}, expected one layer and the same again.")
    return Bidirectional(one[0])


def _expect_x_unchanged(chains: Iterable[Any]) -> None:
    """Refuse chains that write into X, which is used again behind them."""
    for chain in chains:
        for module in chain.modules():
            if any(True for _ in module.parameters(recurse=False)):
                break  # it has made another array of X
            if getattr(module, "inplace", False):
                raise ConversionError(
                    f"{module} within it writes into X, which is used again. Use inplace=False."
                )
