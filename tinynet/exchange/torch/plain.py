"""Plain modules of PyTorch as layers and activations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tinynet import activations as g
from tinynet.activations import Activation
from tinynet.errors import ConversionError
from tinynet.exchange.converters import no_counterpart
from tinynet.exchange.torch.activations import WITHOUT_SETTINGS
from tinynet.exchange.torch.installed import nn
from tinynet.layers import (
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    MaxPool2D,
    PReLU,
    Reshape,
)

Chains = Sequence[tuple[Layer, ...]]


@functools.singledispatch
def torch_module(module: Any, chains: Chains) -> Any:
    """Return the layer or activation that computes what a module of PyTorch does.

    Register a converter for a custom module, found by the annotation, before `from_torch`::

        @tn.exchange.torch_module.register
        def convert(module: Scale, chains):
            return ScaleLayer()

    `from_torch` copies the arrays, by the names that `torch_layer` describes.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    chains : sequence of tuples of Layer
        The layers within a subclass of nn.Sequential: one chain or, if all its modules are of the
        class nn.Sequential, a chain for each of them.

    Returns
    -------
    Layer, Activation, tuple or None
        None for a module that does nothing, and a tuple for what takes several layers.

    Raises
    ------
    ConversionError
        For a module without a converter, and for one that computes otherwise than its parent.
    """
    if not any(True for _ in module.children()):
        raise no_counterpart(module, "tinynet", torch_module)
    kind = type(module).__name__
    raise ConversionError(
        f"What forward of {kind} computes cannot be read, expected an nn.Sequential. Put its "
        "modules into one; or build the model here, and fill it with "
        "tn.exchange.load_state_dict(model, arrays); or register a converter: "
        f"@tn.exchange.torch_module.register above def convert(module: {kind}, chains)."
    )


def expect_settings(module: Any, **settings: Any) -> None:
    """Refuse a module with other settings than these."""
    for name, expected in settings.items():
        value = getattr(module, name)
        if value != expected:
            raise ConversionError(
                f"{name} is {value!r}, expected {expected!r}: tinynet has nothing else. Use "
                f"nn.{type(module).__name__}(..., {name}={expected!r})."
            )


# Activations.


def _made(activation: type[Activation], module: Any, chains: Chains) -> Activation:
    return activation()


for _activation, _kind in WITHOUT_SETTINGS.items():
    torch_module.register(_kind, functools.partial(_made, _activation))


@torch_module.register
def _(module: nn.Identity, chains: Chains) -> None:
    return None


@torch_module.register
def _(module: nn.Softmax2d, chains: Chains) -> Activation:
    return g.Softmax()


@torch_module.register
def _(module: nn.LeakyReLU, chains: Chains) -> Activation:
    return g.LeakyReLU(module.negative_slope)


@torch_module.register
def _(module: nn.ELU, chains: Chains) -> Activation:
    return g.ELU(module.alpha)


@torch_module.register
def _(module: nn.CELU, chains: Chains) -> Activation:
    return g.CELU(module.alpha)


@torch_module.register
def _(module: nn.GELU, chains: Chains) -> Activation:
    return g.GELU(approximate=module.approximate == "tanh")


@torch_module.register
def _(module: nn.Hardtanh, chains: Chains) -> Activation:
    expect_settings(module, min_val=0, max_val=6)
    return g.ReLU6()


@torch_module.register
def _(module: nn.Softplus, chains: Chains) -> Activation:
    expect_settings(module, beta=1)
    if module.threshold < 20:  # beyond it, A is Z: from 20 on that is A to 2e-9
        raise ConversionError(
            f"threshold is {module.threshold}, expected at least 20, from where on softplus is Z. "
            "Use nn.Softplus()."
        )
    return g.Softplus()


@torch_module.register
def _(module: nn.Softmax, chains: Chains) -> Activation:
    if module.dim is None:
        raise ConversionError("dim is None, expected the axis of the units. Use nn.Softmax(dim=1).")
    return g.Softmax()


@torch_module.register
def _(module: nn.LogSoftmax, chains: Chains) -> Activation:
    raise ConversionError(
        "Logarithms of shares have no counterpart in tinynet, whose losses take the shares. Use "
        'nn.Softmax(dim=1), and from_torch(..., loss="categorical_crossentropy").'
    )


# Layers that are the same thing in both.


@torch_module.register
def _(module: nn.Linear, chains: Chains) -> Layer:
    return Dense(len(module.weight))


def convolution(module: Any, kind: Any, padding: Any) -> Any:
    """Return a convolution of a class with the settings of a module, but for the padding."""
    expect_settings(module, padding_mode="zeros")
    units, _, *kernel = module.weight.shape
    return kind(
        units, one_number(kernel), stride=one_number(module.stride), padding=padding,
        dilation=one_number(module.dilation), groups=module.groups,
    )  # fmt: skip


def one_number(value: Any) -> Any:
    """Return the number of an axis, or of all axes if they have the same."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return numbers[0] if len({*numbers}) == 1 else numbers


def _padding(module: Any) -> Any:
    """Return the padding of a convolution or pooling: "valid" where there is none."""
    padding = module.padding
    return padding if isinstance(padding, str) else one_number(padding) or "valid"


@torch_module.register
def _(module: nn.Conv1d, chains: Chains) -> Layer:
    return convolution(module, Conv1D, _padding(module))


@torch_module.register
def _(module: nn.Conv2d, chains: Chains) -> Layer:
    return convolution(module, Conv2D, _padding(module))


def pooling(module: Any, kind: Any, padding: Any) -> Any:
    """Return a pooling of a class with the settings of a module, but for the padding."""
    size, stride = one_number(module.kernel_size), one_number(module.stride)
    return kind(size, None if stride == size else stride, padding)


@torch_module.register
def _(module: nn.MaxPool2d, chains: Chains) -> Layer:
    expect_settings(module, ceil_mode=False, return_indices=False)
    if one_number(module.dilation) != 1:
        expect_settings(module, dilation=1)
    return pooling(module, MaxPool2D, _padding(module))


@torch_module.register
def _(module: nn.AvgPool2d, chains: Chains) -> Layer:
    expect_settings(module, ceil_mode=False, divisor_override=None)
    if _padding(module) != "valid":  # which is averaged, or not
        expect_settings(module, count_include_pad=False)
    return pooling(module, AveragePool2D, _padding(module))


def _global_average(axes: int, module: Any, chains: Chains) -> tuple[Layer, ...]:
    if one_number(module.output_size) != 1:
        expect_settings(module, output_size=1)
    return GlobalAveragePool(), Reshape((-1, *(1,) * axes))


for _axes, _kind in enumerate((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)):
    torch_module.register(_kind, functools.partial(_global_average, _axes + 1))


def _batch_norm(module: Any, chains: Chains) -> Layer:
    if module.running_mean is None:
        raise ConversionError(
            "It has no running statistics, so that an A depends on the other examples. Use "
            f"nn.{type(module).__name__}({module.num_features}), and train it."
        )
    if module.momentum is None:
        raise ConversionError("momentum is None, expected a number. Set module.momentum = 0.1.")
    return BatchNorm(momentum=round(1 - module.momentum, 15), epsilon=module.eps)


for _kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
    torch_module.register(_kind, _batch_norm)


@torch_module.register
def _(module: nn.LayerNorm, chains: Chains) -> Layer:
    over = "features" if len(module.normalized_shape) == 1 else "example"
    return LayerNorm(over=over, epsilon=module.eps)


@torch_module.register
def _(module: nn.Dropout, chains: Chains) -> Layer:
    return Dropout(module.p)


def _dropout_of_channels(module: Any, chains: Chains) -> Layer:
    return Dropout(module.p, per="channel")


for _kind in (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d):
    torch_module.register(_kind, _dropout_of_channels)


@torch_module.register
def _(module: nn.Flatten, chains: Chains) -> Layer:
    expect_settings(module, start_dim=1, end_dim=-1)
    return Flatten()


@torch_module.register
def _(module: nn.Unflatten, chains: Chains) -> Layer:
    return Reshape(tuple(module.unflattened_size))


@torch_module.register
def _(module: nn.PReLU, chains: Chains) -> Layer:
    return PReLU()


# Modules whose sequences are (m, T, n), and most of which return more than A.


def _of_other_sequences(layer: str, module: Any, chains: Chains) -> Layer:
    raise ConversionError(
        f"nn.{type(module).__name__} has the features of sequences last, expected (m, n, T). Build "
        f"the model here, with {layer.format(module)} in its place, and fill it: "
        "tn.exchange.load_state_dict(model, module.state_dict())."
    )


for _kind, _layer in {
    nn.RNN: "SimpleRNN({0.hidden_size})", nn.LSTM: "LSTM({0.hidden_size})",
    nn.GRU: "GRU({0.hidden_size})", nn.MultiheadAttention: "SelfAttention({0.num_heads})",
    nn.Embedding: "Embedding({0.num_embeddings}, {0.embedding_dim})",
}.items():  # fmt: skip
    torch_module.register(_kind, functools.partial(_of_other_sequences, _layer))
