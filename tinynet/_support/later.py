"""Names of a module that are imported when they are first asked for, because that takes time."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from tinynet._support.elsewhere import missing_in


def later(
    package: str, public: Sequence[str], **modules: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports `modules` when needed.

    `modules` are names within the package, each with the public names that it defines. `public`
    are all public names of the package: the error for an unknown name offers the nearest ones.
    """

    def get(name: str) -> Any:
        for module, names in modules.items():
            if name == module or name in names:
                imported = importlib.import_module(f"{package}.{module}")
                return imported if name == module else getattr(imported, name)
        raise missing_in(package, name, public)

    return get, lambda: list(public)


def modules_later(
    package: str, modules: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return what `later` does for a package whose public names are those of its modules."""
    return later(package, modules, **dict.fromkeys(modules, ()))
