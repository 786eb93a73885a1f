"""One flat vector and its views; what a layer remembers of a pass.

The rule of the house: the vector is allocated once and never grows, and to assign to a
view writes into the vector. It never quietly puts another array in the view's place.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import ShapeError

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]


def carve(vector: Array, shapes: Sequence[Mapping[str, Shape]]) -> list[dict[str, Array]]:
    """Return named views that lie in `vector` one after the other, a dictionary a layer.

    >>> vector = np.zeros(6)
    >>> views = carve(vector, [{"W": (2, 2), "b": (2, 1)}])
    >>> views[0]["b"][...] = 1
    >>> vector
    array([0., 0., 0., 0., 1., 1.])
    """
    views: list[dict[str, Array]] = []
    start = 0
    for named in shapes:
        views.append({})
        for name, shape in named.items():
            stop = start + math.prod(shape)
            views[-1][name] = vector[start:stop].reshape(shape)
            start = stop
    return views


def write(view: Array, value: Any, name: str) -> None:
    """Copy `value` into `view`; no broadcasting, for that hides a wrong shape."""
    if value is view:
        return
    value = np.asarray(value)
    if value.shape != view.shape:
        raise ShapeError(f"{name} has shape {view.shape}; got an array of shape {value.shape}")
    view[...] = value


def all_finite(array: Array) -> bool:
    """Tell whether no number is NaN or infinite; one product instead of a temporary where it can."""
    flat = array.ravel(order="K")
    return math.isfinite(np.vdot(flat, flat)) or bool(np.isfinite(flat).all())


class Cache:
    """What one layer holds during a pass.

    Attributes
    ----------
    W, b, ... : ndarray
        The layer's parameters: views into the model's ``params``. Assigning copies into them.
    dW, db, ... : ndarray
        Their gradients: views into ``grads``. Assigning copies into them.
    A_prev, Z, A : ndarray
        Input, linear part and output of the last forward pass.
    dZ, dA : ndarray
        Gradients per example, not divided by m.
    dA_prev : ndarray or None
        Where the layer may write the gradient of its input; None when nobody asks for it.

    A layer may keep anything else here under a name of its own.
    """

    def __new__(cls, views: Mapping[str, Array], **buffers: Any) -> Cache:
        return super().__new__(_holding(tuple(views)))

    def __init__(self, views: Mapping[str, Array], **buffers: Any) -> None:
        self.__dict__.update({f"_{name}": view for name, view in views.items()}, **buffers)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this cache holds no {name}; it holds {', '.join(self.__dict__)}")


@functools.cache
def _holding(names: tuple[str, ...]) -> type[Cache]:
    """Return a Cache whose attributes `names` are views: reading is plain, assigning copies."""

    def view(name: str) -> property:
        get = operator.attrgetter(f"_{name}")
        return property(get, lambda self, value: write(get(self), value, name))

    return type("Cache", (Cache,), {name: view(name) for name in names})


class LayerArrays(Mapping[int, Array]):
    """One kind of array for every layer that has it: ``model.Z[1]`` … ``model.Z[L]``."""

    def __init__(self, name: str, arrays: Mapping[int, Array]) -> None:
        self._name = name
        self._arrays = dict(arrays)

    def __getitem__(self, l: int) -> Array:
        if l not in self._arrays:
            layers = ", ".join(map(str, self._arrays)) or "none"
            raise KeyError(f"there is no {self._name}[{l!r}]; the layers that have {self._name}: {layers}")
        return self._arrays[l]

    def __iter__(self) -> Iterator[int]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"{self._name}: " + ", ".join(f"[{l}] {array.shape}" for l, array in self._arrays.items())


class ParameterArrays(LayerArrays):
    """As `LayerArrays`, and ``model.W[1] = M`` copies M into the model's flat vector."""

    def __setitem__(self, l: int, value: Any) -> None:
        write(self[l], value, f"{self._name}[{l}]")
