"""Custom activations as modules of PyTorch: `forward` is applied to tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Shape
from tinynet.activations import Activation
from tinynet.errors import ConversionError
from tinynet.exchange.torch.installed import nn, torch
from tinynet.exchange.trace import Untraceable, of_examples_first, traced

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


class Formula(nn.Module):
    """What an activation's `forward` computes, with the units as axis 1."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, Z: Any) -> Any:
        tensors = Tensors(Z)
        return tensors.of(traced(self.activation.forward, tensors.Z, tensors))

    def extra_repr(self) -> str:
        return repr(self.activation)


class Tensors:
    """The target of a trace that computes at once. A handle is the number of a tensor.

    The same function of the same tensors is computed once, so that two masks Z > 0 are one.
    """

    def __init__(self, Z: Any) -> None:
        self._tensors, self._handles = [Z], dict[Any, int]()
        self.Z, self.dtype = 0, np.dtype(str(Z.dtype).removeprefix("torch."))
        self.functions: Mapping[np.ufunc, Callable[..., int]] = {
            function: functools.partial(self._applied, getattr(torch, name))
            for function, name in _NAMES.items()
        }

    def of(self, handle: int) -> Any:
        """Return the tensor of a handle."""
        return self._tensors[handle]

    def _applied(self, function: Callable[..., Any], *handles: int) -> int:
        return self._once((function, handles), lambda: function(*map(self.of, handles)))

    def _once(self, key: Any, compute: Callable[[], Any]) -> int:
        """Return the handle of what was computed for a key, or is computed now."""
        if key not in self._handles:
            self._handles[key] = len(self._tensors)
            self._tensors.append(compute())
        return self._handles[key]

    def constant(self, value: Any) -> int:
        """Return a number, or an array that is the same for each example, as (n, 1)."""
        Z = self.of(self.Z)
        array = of_examples_first(value, Z.dim())
        key = array.dtype, array.shape, array.tobytes()
        return self._once(key, lambda: torch.tensor(array, device=Z.device))

    def where(self, mask: int, x: int, y: int) -> int:
        return self._applied(torch.where, mask, x, y)

    def as_number(self, mask: int) -> int:
        return self._applied(self._cast, mask)

    def _cast(self, mask: Any) -> Any:
        return mask.to(self.of(self.Z).dtype)

    def filled(self, like: int, number: int) -> int:
        return self._applied(torch.Tensor.expand_as, number, like)


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
