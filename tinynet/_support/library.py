"""Libraries that a function needs, and that only then are imported."""

from __future__ import annotations

import importlib
from typing import Any


def library(name: str, extra: str = "exchange") -> Any:
    """Return a module of another library, or say how to install it.

    >>> library("json").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split(".")[0]
        if error.name != package:  # it is installed, and itself misses something
            raise
        raise ModuleNotFoundError(
            f"This needs the library {package}, which is not installed. "
            f'Use python -m pip install "tinynet[{extra}]".',
            name=package,
        ) from error
