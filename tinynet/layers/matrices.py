"""The field that says how the matrices of a layer are drawn."""

from __future__ import annotations

from typing import Any

import attrs

from tinynet.initializers import Initializer


def _as_initializer(value: Any) -> Initializer:
    return Initializer.get(value)


def init_field(default: str | Initializer) -> Any:
    """Return a field, by keyword, for an initializer as an instance, a name or a config."""
    return attrs.field(default=Initializer.get(default), converter=_as_initializer, kw_only=True)
