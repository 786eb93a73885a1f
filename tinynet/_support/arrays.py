"""Arrays: one flat vector and the views into it, sums, and numbers that are not finite."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinynet._support.quiet import quiet
from tinynet.errors import NonFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray  # costs 10 ms to import

_SMALL = 4096  # numbers
_SUMMED_BY_PYTHON = 32  # numbers: for so few NumPy takes four times as long
_SUMMED_AS_LIST = 8  # numbers: for so few a product takes twice as long
FEW = 1024  # numbers: fewer are not worth an array of equal numbers for np.maximum
_BLOCK = 1 << 14  # numbers that are cleared at a time, so that they stay in the processor's cache
_LINE = 64  # bytes of a line of the processor's cache
ON_ONE_THREAD = 8192  # numbers: OpenBLAS uses threads for the product of more than 10,000
Array: TypeAlias = "NDArray[Any]"
Shape: TypeAlias = tuple[int, ...]
Declared: TypeAlias = Sequence[Mapping[str, Any]]  # what has a shape, by name, for each layer


def size(declared: Declared) -> int:
    """Return how many numbers the declared arrays have together."""
    n = 0
    for named in declared:
        for array in named.values():
            n += math.prod(array.shape)
    return n


def carve(vector: Array, declared: Declared) -> list[dict[str, Array]]:
    """Return named views that lie in `vector` one after the other, a dictionary a layer."""
    views: list[dict[str, Array]] = []
    start = 0
    for named in declared:
        views.append({})
        for name, array in named.items():
            stop = start + math.prod(array.shape)
            views[-1][name] = vector[start:stop].reshape(array.shape)
            start = stop
    return views


def aligned(shape: Shape, dtype: Any) -> Array:
    """Return an array, not filled, that begins where a line of the processor's cache does.

    Arrays of NumPy begin at any multiple of 16 bytes. Then each vector of 32 or 64 bytes that the
    processor reads or writes may lie in two lines, and computing takes a tenth longer.
    """
    dtype = np.dtype(dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(n_bytes + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


@functools.lru_cache(maxsize=256)
def scalar(number: float, dtype: np.dtype[Any]) -> Array:
    """Return a number as an array without dimensions; NumPy casts a plain one in each call."""
    array = np.array(number, dtype)
    array.flags.writeable = False
    return array


@functools.lru_cache(maxsize=64)
def scalars(dtype: np.dtype[Any], *numbers: float) -> Sequence[Array]:
    """Return several numbers, such as the settings of a rule, as `scalar` returns one."""
    return tuple([scalar(number, dtype) for number in numbers])


def constant(number: float, like: Array) -> Array:
    """Return a number as an array that np.maximum and np.minimum take fastest with `like`.

    For many numbers it has the shape of `like`: then NumPy uses the vector instructions of the
    processor, which is twice as fast. For few numbers it has no dimensions.
    """
    if like.size < FEW:
        return scalar(number, like.dtype)
    array = np.empty_like(like)
    array.fill(number)
    return array


def clear_subnormals(array: Array) -> None:
    """Set subnormal numbers to 0, block by block; `array` has no gaps in memory."""
    flat, smallest = array.ravel("K"), np.finfo(array.dtype).tiny
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        np.copyto(part, 0, where=np.abs(part) < smallest)


def extremes(array: Array) -> tuple[float, float]:
    """Return the smallest and the largest number, or NaN for both if one is NaN."""
    if array.size <= _SMALL:  # then argmin, which may copy the array, is the fastest
        return array.item(array.argmin()), array.item(array.argmax())
    return float(np.minimum.reduce(array, axis=None)), float(np.maximum.reduce(array, axis=None))


def total(array: Array) -> float:
    """Return the sum of all numbers, in float64."""
    if array.size <= _SUMMED_BY_PYTHON and array.dtype.kind == "f":
        return float(sum(array.ravel().tolist()))
    return float(np.add.reduce(array, axis=None, dtype=np.float64))


def sum_of_squares(vector: Array) -> float:
    """Return the sum of the squares of a vector, computed on one thread."""
    return sum_of_products(vector, vector)


def sum_of_products(one: Array, other: Array) -> float:
    """Return the sum of the products of two vectors, entry by entry, computed on one thread.

    Several threads may have to wait for a core that is busy, as in `products`.
    """
    if one.size <= ON_ONE_THREAD:
        return float(one.dot(other))
    end = one.size - one.size % ON_ONE_THREAD
    parts = (vector[:end].reshape(-1, ON_ONE_THREAD) for vector in (one, other))
    return total(np.vecdot(*parts)) + float(one[end:].dot(other[end:]))


def mean_of_examples(each: Array, w: Array | None = None) -> float:
    """Return the mean over the examples of the sum over their outputs, in float64.

    The last axis of `each` is that of the examples, which `w` weighs.
    """
    if w is None:
        return total(each) / each.shape[-1]
    of_examples = each.sum(axis=tuple(range(each.ndim - 1)), dtype=np.float64)
    return sum_of_products(of_examples, w) / w.size


def finite_sum(array: Array) -> Callable[[], Any]:
    """Return a function for a sum that is finite only if every number of the array is.

    The numbers, or their squares, are summed up in each call, in the way that is fastest for so
    many. The sum may overflow where every number is finite.
    """
    if array.size == 1:
        return array.item
    if array.ndim > 1 or array.size > ON_ONE_THREAD:
        return lambda: sum_of_squares(array.ravel("K"))
    if array.size <= _SUMMED_AS_LIST:
        return lambda: sum(array.tolist())
    return functools.partial(array.dot, array, np.empty((), array.dtype))


def all_finite(array: Array) -> bool:
    """Return whether no number is NaN or infinite."""
    # The sum of squares needs no array. It may overflow where every number is finite.
    return math.isfinite(sum_of_squares(array.ravel("K"))) or bool(np.isfinite(array).all())


@quiet
def check_finite(name: str, array: Array, start: int = 0) -> None:
    """Refuse an array with NaN or infinity; it may be a part, of the examples from `start` on."""
    if not all_finite(array):
        at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        found = f"{entry(name, (*at[:-1], at[-1] + start))} is {array[at]} in {array.dtype}"
        remedy = f"np.argwhere(~np.isfinite({name})) finds all such entries."
        if np.isinf(array[at]) and array.dtype != np.float64:  # perhaps it was finite when passed
            largest = f"{array.dtype} ends at {np.finfo(array.dtype).max:.2g}"
            remedy += f' If there are none, scale {name} or use dtype="float64": {largest}.'
        raise NonFiniteError(f"{found}, expected a finite number. {remedy}")


def entry(name: str, at: Iterable[Any]) -> str:
    """Return the name of an entry of an array as people write it: X[0, 1]."""
    return f"{name}[{', '.join(map(str, at))}]"
