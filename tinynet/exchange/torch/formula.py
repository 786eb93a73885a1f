"""Custom activations as modules of PyTorch: `forward` is applied to tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.activations import Activation
from tinynet.errors import ConversionError
from tinynet.exchange.computed import Computed
from tinynet.exchange.torch.installed import nn, torch
from tinynet.exchange.trace import Untraceable, of_examples_first

_NAMES: dict[np.ufunc, str] = {
    np.positive: "positive", np.negative: "neg", np.absolute: "abs", np.sign: "sign",
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.divide: "div", np.power: "pow",
    np.reciprocal: "reciprocal", np.sqrt: "sqrt", np.square: "square", np.exp: "exp",
    np.exp2: "exp2", np.expm1: "expm1", np.log: "log", np.log2: "log2", np.log10: "log10",
    np.log1p: "log1p", np.logaddexp: "logaddexp", np.hypot: "hypot",
    np.sin: "sin", np.cos: "cos", np.tan: "tan", np.arcsin: "asin", np.arccos: "acos",
    np.arctan: "atan", np.sinh: "sinh", np.cosh: "cosh", np.tanh: "tanh", np.arcsinh: "asinh",
    np.arccosh: "acosh", np.arctanh: "atanh",
    np.maximum: "maximum", np.minimum: "minimum", np.floor: "floor", np.ceil: "ceil",
    np.rint: "round", np.fmod: "fmod",
    np.equal: "eq", np.greater: "gt", np.greater_equal: "ge", np.less: "lt", np.less_equal: "le",
    np.isnan: "isnan", np.isinf: "isinf", np.logical_and: "logical_and",
    np.logical_or: "logical_or", np.logical_xor: "logical_xor", np.logical_not: "logical_not",
}  # fmt: skip
_FUNCTIONS = {function: getattr(torch, name) for function, name in _NAMES.items()}


class Formula(nn.Module):
    """What an activation's `forward` computes, with the units as axis 1."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, Z: Any) -> Any:
        return Tensors(Z).result(self.activation.forward)

    def extra_repr(self) -> str:
        return repr(self.activation)


class Tensors(Computed):
    """The target of a trace that computes with tensors, whose first axis is the examples."""

    def __init__(self, Z: Any) -> None:
        super().__init__(Z, str(Z.dtype).removeprefix("torch."), _FUNCTIONS)

    @property
    def like(self) -> Any:
        """The tensor Z, whose dtype and device the others have."""
        return self._of(self.Z)

    def as_array(self, value: Array) -> Any:
        array = of_examples_first(value, self.like.dim())
        return torch.tensor(array, device=self.like.device)

    def select(self, mask: Any, x: Any, y: Any) -> Any:
        return torch.where(mask, x, y)

    def cast(self, mask: Any) -> Any:
        return mask.to(self.like.dtype)

    def fill(self, like: Any, number: Any) -> Any:
        return number.expand_as(like)


def expect_same(module: Formula, shape: Shape) -> None:
    """Refuse a formula that cannot be applied to tensors, for examples of a shape, or gives others.

    A formula may have an array for each unit, so the shape is that of the layer.
    """
    activation = module.activation
    Z = np.random.default_rng(1).uniform(-4, 4, (*shape, 2))
    try:
        found = module.forward(torch.from_numpy(np.moveaxis(Z, -1, 0).copy()))
    except Untraceable as error:
        raise _refused(activation, f"uses {error}{error.line}") from error.__cause__
    with np.errstate(all="ignore"):
        expected = np.moveaxis(activation.forward(Z), -1, 0)
    if not np.allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12, equal_nan=True):
        raise _refused(activation, "gives other numbers with tensors in place of arrays")


def _refused(activation: Activation, why: str) -> ConversionError:
    return ConversionError(
        f"{activation!r} has no counterpart in PyTorch, because its forward {why}. Use NumPy's "
        "elementwise functions, or register a converter: @tn.exchange.torch_activation.register "
        f"above def convert(activation: {type(activation).__name__})."
    )
