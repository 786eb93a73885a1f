"""What is not collected: the modules of an extra that is not installed."""

from importlib.util import find_spec

_NEEDED = {
    "onnx": "tinynet/exchange/onnx", "sklearn": "tinynet/sklearn",
    "torch": "tinynet/exchange/torch",
}  # fmt: skip
collect_ignore = [folder for library, folder in _NEEDED.items() if not find_spec(library)]
