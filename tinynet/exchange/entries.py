"""How arrays of a layer are called and laid out in another library, in both directions.

An entry is one array of theirs. It says from which arrays of ours it is made and how, and how it is
taken apart again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.layers.base import Layer


@attrs.frozen
class Entry:
    """An array of another library: its name there, which of ours are in it, and how.

    ``read`` returns an array for each of ours, in any shape with the numbers in the same order. Of
    several entries that name one of ours, it is the sum.
    """

    name: str
    ours: tuple[str, ...]
    write: Callable[..., Array]
    read: Callable[[Array], tuple[Array, ...]]


def same(name: str, ours: str) -> Entry:
    """Return the entry of an array that is laid out as ours."""
    return Entry(name, (ours,), lambda array: array, lambda array: (array,))


def column(name: str, ours: str) -> Entry:
    """Return the entry of a vector, which is a column (n, 1) here: b, gamma and so on."""
    return Entry(name, (ours,), lambda array: array[..., 0], lambda array: (array,))


def moved(name: str, ours: str, *axes: int) -> Entry:
    """Return the entry of an array with the axes in this order, as for np.transpose."""
    back = np.argsort(axes)
    return Entry(name, (ours,), lambda a: a.transpose(axes), lambda a: (a.transpose(back),))


def gates(name: str, ours: str, order: Sequence[int], *, transposed: bool = False) -> Entry:
    """Return the entry of blocks of rows, one for each gate, in another order.

    `order` are our blocks as they have them. `transposed` says that theirs is (n_prev, rows).
    """
    back = np.argsort(order)

    def write(array: Array) -> Array:
        written = _blocks(array, order)
        return written.T if transposed else written

    def read(array: Array) -> tuple[Array, ...]:
        return (_blocks(array.T if transposed else array, back),)

    return Entry(name, (ours,), write, read)


def gates_column(name: str, ours: str, order: Sequence[int]) -> Entry:
    """Return the entry of a vector with a block for each gate, in another order."""
    back = np.argsort(order)
    return Entry(name, (ours,), lambda b: _blocks(b, order)[:, 0], lambda b: (_blocks(b, back),))


def second(entry: Entry) -> Entry:
    """Return an entry that is added to another one of the same array, and written as zeros.

    PyTorch's LSTM has two biases, where there is one here.
    """
    return attrs.evolve(entry, write=lambda array: np.zeros_like(entry.write(array)))


def reordered(entry: Entry, order: Array) -> Entry:
    """Return an entry whose first axis is in another order."""
    back = np.argsort(order)

    def write(*arrays: Array) -> Array:
        return entry.write(*arrays).take(order, axis=0)

    return Entry(entry.name, entry.ours, write, lambda a: entry.read(a.take(back, axis=0)))


def _blocks(array: Array, order: Any) -> Array:
    blocks: Array = array.reshape(len(order), -1, *array.shape[1:])
    return blocks.take(order, axis=0).reshape(array.shape)


def constant(name: str, value: Any) -> Entry:
    """Return the entry of an array that says nothing about ours."""
    return Entry(name, (), lambda: value, lambda _: ())


Table: TypeAlias = Mapping[type[Layer], Sequence[Entry]]


def entries_of(table: Table, layer: Layer, names: Iterable[str]) -> Sequence[Entry]:
    """Return the entries of a layer's arrays; those that the table does not have are as here.

    A subclass has the entries of its parent, for the arrays that it still has.

    >>> from tinynet.exchange.torch.names import TORCH
    >>> from tinynet.layers import Dense
    >>> [(entry.name, *entry.ours) for entry in entries_of(TORCH, Dense(3), ["W", "scale"])]
    [('weight', 'W'), ('scale', 'scale')]
    """
    names = list(names)
    known = next((table[kind] for kind in type(layer).__mro__ if kind in table), ())
    entries = [entry for entry in known if set(entry.ours) <= set(names)]
    in_table = {name for entry in entries for name in entry.ours}
    return [*entries, *[same(name, name) for name in names if name not in in_table]]


def written(entries: Sequence[Entry], ours: Mapping[str, Array]) -> dict[str, Array]:
    """Return their arrays by name: contiguous copies of ours."""
    return {entry.name: entry.write(*[ours[n] for n in entry.ours]).copy("C") for entry in entries}


def read(
    entries: Sequence[Entry], theirs: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> dict[str, Array]:
    """Return our arrays by name, in these shapes; every entry is in `theirs`, as `written` has it.

    >>> b = np.array([[1.0], [2.0]])
    >>> entries = [column("bias_ih", "b"), second(column("bias_hh", "b"))]
    >>> theirs = written(entries, {"b": b})
    >>> theirs
    {'bias_ih': array([1., 2.]), 'bias_hh': array([0., 0.])}
    >>> read(entries, theirs, {"b": (2, 1)})["b"].tolist()
    [[1.0], [2.0]]
    """
    ours: dict[str, Array] = {}
    for entry in entries:
        for name, part in zip(entry.ours, entry.read(theirs[entry.name]), strict=True):
            part = part.reshape(shapes[name])
            ours[name] = ours[name] + part if name in ours else part
    return ours
