"""One flat vector and its views; what a layer remembers of a pass.

To assign to a view writes into the vector: it never puts another array in the view's place.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinynet.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray  # costs 10 ms to import

Array: TypeAlias = "NDArray[Any]"
Shape: TypeAlias = tuple[int, ...]


def carve(vector: Array, shapes: Sequence[Mapping[str, Shape]]) -> list[dict[str, Array]]:
    """Return named views that lie in `vector` one after the other, a dictionary a layer."""
    views: list[dict[str, Array]] = []
    start = 0
    for named in shapes:
        views.append({})
        for name, shape in named.items():
            stop = start + math.prod(shape)
            views[-1][name] = vector[start:stop].reshape(shape)
            start = stop
    return views


def write(view: Array, value: Any, name: str, where: str = "") -> None:
    """Copy `value` into `view`; no broadcasting, for that hides a wrong shape."""
    if value is view:
        return
    value = np.asarray(value)
    if value.shape != view.shape:
        mend = _mend(view, value) or (
            _MEND_SUM if name[0] == "d" and view.shape[-1] == 1 < value.size else ""
        )
        raise ShapeError(
            f"{name} has shape {view.shape}{where}; got an array of shape {value.shape}{mend}"
        )
    view[...] = value


def _mend(view: Array, value: Array) -> str:
    if value.ndim == 2 and value.shape[::-1] == view.shape:
        return "; it looks transposed: write .T behind it"
    if value.size == view.size:
        return f"; write .reshape{view.shape} behind it, or keepdims=True in a sum or mean"
    return ""


_MEND_SUM = (
    "; a sum over the examples is one along the last axis: np.sum(..., axis=1, keepdims=True)"
)


def into(buffer: Array, result: Any, name: str, where: str = "") -> Array:
    """Return `buffer` with `result` in it: who was told to write there may have returned another array."""
    if result is not buffer:
        write(buffer, result, name, where)
    return buffer


def shaped(result: Any, like: Array | None, name: str, cache: Cache) -> Any:
    """Return what a layer returned, if it has the shape of `like`: an array that broadcasts hides a mistake."""
    if like is not None and getattr(result, "shape", None) != like.shape:
        if not isinstance(result, np.ndarray):
            kind = "None (is a return missing?)" if result is None else f"a {type(result).__name__}"
            raise ShapeError(
                f"{name} is {kind}{cache.in_layer}; needed is an array of shape {like.shape}"
            )
        mend = _mend(like, result)
        raise ShapeError(
            f"{name} has shape {result.shape}{cache.in_layer}; needed is {like.shape}{mend}"
        )
    return result


def integer(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int, if it is one of at least `least` that a machine can count to."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} is {value!r}, expected a whole number of at least {least}."
        ) from None
    if number < least or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, expected a whole number of at least {least}.")
    if number > sys.maxsize:
        raise ValueError(f"{name} is {value!r}, expected a whole number of at most {sys.maxsize}.")
    return number


def integer_or_none(name: str, value: Any) -> int | None:
    """Return `value` as an int of at least 1, or None."""
    return None if value is None else integer(name, value)


def all_finite(array: Array) -> bool:
    """Tell whether no number is NaN or infinite; NumPy may warn, unless `np.errstate` says otherwise."""
    # The sum of squares needs no array; it is finite only if every number is, but not whenever they are.
    flat = array.ravel("K")
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(array).all())


class Cache:
    """What one layer holds during a pass.

    `views` are arrays by name that lie in the model's vectors: W, b (or whatever the layer's
    parameters are called), dW, db, and the layer's state. Assigning to one copies into it.
    A_prev, Z and A are of the last forward pass; dZ and dA are per example. dA_prev is where the
    layer may write the gradient of its input, or None when nobody asks for it. ``training`` tells
    whether the pass is one of training, and ``rng`` is what chance is drawn from. ``parameters`` are
    the parameters' names, ``in_layer`` says whose they are, in messages. A layer may keep anything
    else here under a name of its own.
    """

    in_layer, training = "", False
    rng: Any = None

    def __new__(cls, views: Mapping[str, Array], **_: Any) -> Cache:
        return super().__new__(_holding(tuple(views)))

    def __init__(self, views: Mapping[str, Array], **buffers: Any) -> None:
        held = {f"_{name}": view for name, view in views.items()}
        self.__dict__.update(
            held, parameters=tuple(name for name in views if f"d{name}" in views), **buffers
        )

    def again(self, **buffers: Any) -> Cache:
        """Return a cache of the same views, and with these buffers."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **buffers)
        return other

    if TYPE_CHECKING:  # which names there are is known when the layers are

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...


@functools.cache
def _holding(names: tuple[str, ...]) -> type[Cache]:
    """Return a Cache whose attributes `names` are views: reading is plain, assigning copies."""

    def view(name: str) -> property:
        get = operator.attrgetter(f"_{name}")
        return property(get, lambda self, value: write(get(self), value, name, self.in_layer))

    return type("Cache", (Cache,), {name: view(name) for name in names})


class LayerArrays(dict[int, Array]):
    """One kind of array for every layer that has it: ``model.Z[1]`` … ``model.Z[L]``."""

    def __init__(self, name: str, arrays: Mapping[int, Array]) -> None:
        super().__init__(arrays)
        self.name = name

    def __missing__(self, l: int) -> Array:
        raise KeyError(
            f"there is no {self.name}[{l!r}]; the layers that have {self.name}: {', '.join(map(str, self))}"
        )

    def __setitem__(self, l: int, value: Any) -> None:
        raise TypeError(
            f"{self.name} is filled by passes; to change it all the same: model.{self.name}[{l}][:] = ..."
        )


class ParameterArrays(LayerArrays):
    """As `LayerArrays`, and ``model.W[1] = M`` copies M into the model's flat vector."""

    def __setitem__(self, l: int, value: Any) -> None:
        write(self[l], value, f"{self.name}[{l}]")
