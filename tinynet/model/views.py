"""What a learner looks at: model.W[l], model.Z[l] and so on, a mapping for each quantity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinynet._support.arrays import Array, write

Key = int | tuple[int, ...]


class LayerArrays(dict[Key, Array]):
    """One kind of array for every layer that has it: ``model.Z[1]`` … ``model.Z[L]``.

    A layer inside layer 2 has its arrays under a path: ``model.Z[2, 3]``.
    """

    def __init__(self, name: str, arrays: Iterable[tuple[Key, Array]]) -> None:
        super().__init__(arrays)
        self.name = name

    def __missing__(self, l: Key) -> Array:
        known = ", ".join(f"{self.name}[{_written(key)}]" for key in self) or "none"
        hint = (
            " Call model.back(Y, input_gradient=True) for it."
            if self.name == "dA" and l == 0
            else ""
        )
        raise KeyError(f"There is no {self.name}[{_written(l)}], expected one of {known}.{hint}")

    def __setitem__(self, l: Key, value: Any) -> None:
        array = f"model.{self.name}[{_written(l)}]"
        raise TypeError(f"{array} is filled by passes. Use {array}[:] = ... to change it.")


class ParameterArrays(LayerArrays):
    """As `LayerArrays`; ``model.W[1] = M`` copies M into the model's flat vector."""

    def __setitem__(self, l: Key, value: Any) -> None:
        write(self[l], value, f"{self.name}[{_written(l)}]")


def _written(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else repr(key)
