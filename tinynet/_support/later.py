"""Names of a module that are imported when they are first asked for, because that takes time."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from tinynet._support.elsewhere import missing_in


def later(
    package: str, public: Sequence[str], **modules: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package, some of whose modules have some names.

    An unknown name is an error that says what may be meant among the names in `public`.
    """

    def get(name: str) -> Any:
        for module, names in modules.items():
            if name in names:
                return getattr(importlib.import_module(f"{package}.{module}"), name)
        raise missing_in(package, name, public)

    return get, lambda: list(public)
