"""Networks from and to other libraries: PyTorch, ONNX, safetensors, Keras's names, scikit-learn.

Each function needs the library that it is about, an extra, and nothing is imported before it is
used. Arrays of other libraries have the examples first: X of PyTorch and ONNX is
``np.moveaxis(X, -1, 0)`` of X here, and so is A.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinynet._support.later import later as _later

if _TYPE_CHECKING:
    from tinynet.exchange.mlp import from_sklearn
    from tinynet.exchange.onnx.activations import onnx_activation
    from tinynet.exchange.onnx.into import from_onnx
    from tinynet.exchange.onnx.layers import onnx_layer
    from tinynet.exchange.onnx.out import to_onnx
    from tinynet.exchange.safetensors import load_safetensors, save_safetensors
    from tinynet.exchange.state import load_state_dict, state_dict
    from tinynet.exchange.torch.activations import torch_activation
    from tinynet.exchange.torch.into import from_torch
    from tinynet.exchange.torch.layers import torch_layer
    from tinynet.exchange.torch.ours import torch_module
    from tinynet.exchange.torch.out import to_torch

__all__ = [
    "from_onnx", "from_sklearn", "from_torch", "load_safetensors", "load_state_dict",
    "onnx_activation", "onnx_layer", "save_safetensors", "state_dict", "to_onnx", "to_torch",
    "torch_activation", "torch_layer", "torch_module",
]  # fmt: skip

_BY_MODULE = {
    "mlp": ["from_sklearn"],
    "onnx.activations": ["onnx_activation"],
    "onnx.into": ["from_onnx"],
    "onnx.layers": ["onnx_layer"],
    "onnx.out": ["to_onnx"],
    "safetensors": ["load_safetensors", "save_safetensors"],
    "state": ["load_state_dict", "state_dict"],
    "torch.activations": ["torch_activation"],
    "torch.into": ["from_torch"],
    "torch.layers": ["torch_layer"],
    "torch.out": ["to_torch"],
    "torch.ours": ["torch_module"],
}

__getattr__, __dir__ = _later(__name__, __all__, **_BY_MODULE)
