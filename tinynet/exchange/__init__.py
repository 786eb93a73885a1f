"""Networks from and to other libraries: PyTorch, ONNX, safetensors, Keras's names, scikit-learn.

Each function needs the library that it is about, an extra, and nothing is imported before it is
used. Arrays of other libraries have the examples first: X of PyTorch and ONNX is
``np.moveaxis(X, -1, 0)`` of X here, and so is A.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinynet._support.later import later as _later

if _TYPE_CHECKING:
    from tinynet.exchange.mlp import from_sklearn

__all__ = ["from_sklearn"]

_BY_MODULE = {  # where each is defined
    "mlp": ["from_sklearn"]
}

__getattr__, __dir__ = _later(__name__, __all__, **_BY_MODULE)
