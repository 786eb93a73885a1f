"""Activations as modules of PyTorch."""

from __future__ import annotations

import functools
from typing import Any

from tinynet import activations as g
from tinynet.activations import Activation
from tinynet.exchange.torch.formula import Formula
from tinynet.exchange.torch.installed import nn

# Beyond it, PyTorch's softplus returns Z. That is the same number to the last digit of float64.
_SOFTPLUS_IS_Z = 40.0


@functools.singledispatch
def torch_activation(activation: Activation) -> Any:
    """Return the module of PyTorch that computes an activation; axis 1 is that of the units.

    What has no converter of its own is traced: its `forward` is applied to tensors, with PyTorch's
    functions in place of NumPy's elementwise ones. A converter for a custom activation is found by
    the annotation. Register it before `to_torch`::

        @tn.exchange.torch_activation.register
        def convert(activation: Swish):
            return torch.nn.SiLU()

    Raises
    ------
    ConversionError
        By `to_torch`, for a `forward` that cannot be traced; the message names what it uses.
    """
    return Formula(activation)


WITHOUT_SETTINGS: dict[type[Activation], Any] = {
    g.Identity: nn.Identity, g.Sigmoid: nn.Sigmoid, g.Tanh: nn.Tanh, g.ReLU: nn.ReLU,
    g.SELU: nn.SELU, g.SiLU: nn.SiLU, g.Mish: nn.Mish, g.HardSigmoid: nn.Hardsigmoid,
    g.HardSiLU: nn.Hardswish, g.ReLU6: nn.ReLU6, g.Softsign: nn.Softsign,
}  # fmt: skip


def _made(module: Any, _: Activation) -> Any:
    return module()


for _kind, _module in WITHOUT_SETTINGS.items():
    torch_activation.register(_kind, functools.partial(_made, _module))


@torch_activation.register
def _(activation: g.LeakyReLU) -> Any:
    return nn.LeakyReLU(activation.slope)


@torch_activation.register
def _(activation: g.ELU) -> Any:
    return nn.ELU(activation.alpha)


@torch_activation.register
def _(activation: g.CELU) -> Any:
    return nn.CELU(activation.alpha)


@torch_activation.register
def _(activation: g.GELU) -> Any:
    return nn.GELU("tanh" if activation.approximate else "none")


@torch_activation.register
def _(activation: g.Softplus) -> Any:
    return nn.Softplus(threshold=_SOFTPLUS_IS_Z)


@torch_activation.register
def _(activation: g.Softmax) -> Any:
    return nn.Softmax(dim=1)
