"""The arrays of a module of PyTorch, by our names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import ConversionError
from tinynet.exchange.entries import entries_of, read, written
from tinynet.exchange.torch.installed import nn, torch
from tinynet.exchange.torch.names import TORCH
from tinynet.layers import Layer

_DTYPES = {
    torch.float16: "float32", torch.bfloat16: "float32", torch.float32: "float32",
    torch.float64: "float64",
}  # fmt: skip


def dtype_of(module: Any) -> str:
    """Return the dtype of the model for a module: float64 if all its numbers are."""
    first: dict[str, str] = {}
    for name, tensor in module.state_dict().items():
        dtype = _DTYPES.get(getattr(tensor, "dtype", None))
        if dtype is not None:
            first.setdefault(dtype, name)
    if len(first) > 1:
        found = " and ".join([f"{name} is {dtype}" for dtype, name in first.items()])
        raise ConversionError(f"{found}, expected one dtype. Pass module.double() or .float().")
    return next(iter(first), "float32")


def arrays_of(module: Any, layer: Layer, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Return the arrays of a layer, which declares these shapes, from its module."""
    entries = entries_of(TORCH, layer, shapes)
    constants = {entry.name for entry in entries if not entry.ours}
    # Booleans take little memory: what counts here are the shapes.
    arrays = written(entries, {name: np.zeros(shape, bool) for name, shape in shapes.items()})
    theirs = _own_arrays(module)
    unknown = sorted(theirs.keys() - arrays.keys())
    if unknown:
        has = f"It has {', '.join(unknown)}, expected {', '.join(arrays) or 'no arrays'}"
        raise ConversionError(
            f"{has}: {layer!r} has no other arrays. Remove what it does not need."
        )
    for name, like in arrays.items():
        if name not in constants:
            arrays[name] = _array(module, name, theirs.get(name), like.shape)
    return read(entries, arrays, shapes)


def _own_arrays(module: Any) -> dict[str, Any]:
    """Return the arrays of a module by name, without those of the modules of its chains."""
    is_chain = isinstance(module, nn.Sequential)
    named = module.state_dict().items()
    return {name: tensor for name, tensor in named if not (is_chain and "." in name)}


def _array(module: Any, name: str, tensor: Any, shape: Shape) -> Array:
    """Return an array of a module; without a weight or bias, it computes as with 1 or 0."""
    if tensor is None and getattr(module, name, module) is None:
        return np.full(shape, 1.0 if name == "weight" else 0.0)
    if tensor is None:
        raise ConversionError(f"It has no {name}, expected an array of shape {shape}. Register it.")
    if tensor.dtype not in _DTYPES:
        found = f"{name} has dtype {str(tensor.dtype).removeprefix('torch.')}"
        remedy = "module.float()" if tensor.is_floating_point() else "a module of real numbers"
        raise ConversionError(f"{found}, expected float32 or float64. Pass {remedy}.")
    dtype = getattr(torch, _DTYPES[tensor.dtype])
    array: Array = tensor.detach().to_dense().to("cpu", dtype).numpy()
    if isinstance(module, nn.PReLU) and array.size == 1:  # one slope for all
        array = np.broadcast_to(array, shape)
    if array.shape != shape:
        raise ConversionError(
            f"{name} has shape {array.shape}, expected {shape} for what comes before. Pass the "
            "shape of an example that the module takes: from_torch(module, inputs=...)."
        )
    return array
