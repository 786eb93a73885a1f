"""Pooling: the largest or the average entry of each window of an image."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet.errors import ShapeError
from tinynet.layers.base import BoundLayer, Layer, Pass, Scratch
from tinynet.layers.windows import Axis, as_pair, padding_field, per_axis, taps, windows_on


class Places:
    """Where each entry of a window lies, for images of one size."""

    def __init__(self, rows: Axis, columns: Axis) -> None:
        axes = (rows, columns)
        self.is_padded = rows.is_padded or columns.is_padded
        # Indices into Z, which windows have this entry in the image, and into A_prev.
        self.entries: list[tuple[Any, Any]] = [
            (
                (slice(None), i.outputs, j.outputs) if self.is_padded else ...,
                (slice(None), i.inputs, j.inputs),
            )
            for i, j in itertools.product(taps(rows), taps(columns))
        ]
        self.overlap = any(axis.stride < axis.kernel for axis in axes)
        # Whether each entry of the image lies in just one window.
        self.is_partition = not self.is_padded and all(
            axis.stride == axis.kernel and axis.windows * axis.kernel == axis.n for axis in axes
        )

    def shares(self, Z: Array) -> Array:
        """Return 1 / the number of entries that each window has, to multiply Z by."""
        if not self.is_padded:
            return np.array(1 / len(self.entries), Z.dtype)
        counts = np.zeros((*Z.shape[1:3], 1), Z.dtype)
        for windows, _ in self.entries:
            counts[windows[1:]] += 1
        return 1 / counts


@functools.lru_cache(maxsize=256)
def places(rows: Axis, columns: Axis) -> Places:
    """Return the places for images of one size, which passes share."""
    return Places(rows, columns)


@attrs.frozen(slots=False)
class Pooling(Layer):
    """Base of the poolings: one number for each window of each channel."""

    axes: ClassVar[tuple[str, ...]] = ("H", "W")  # that windows move along
    size: int | tuple[int, int] = per_axis(2)
    stride: int | tuple[int, int] | None = per_axis(None, optional=True)
    padding: int | tuple[int, int] | str = padding_field()

    def __attrs_post_init__(self) -> None:
        if isinstance(self.padding, str):
            return
        if any(p >= k for p, k in zip(as_pair(self.padding), as_pair(self.size), strict=True)):
            raise ValueError(
                f"{type(self).__name__}: padding is {self.padding}, expected less than size, "
                f"{self.size}, so that each window has an entry of the image. Use a larger size, "
                'or padding="same".'
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *[axis.windows for axis in self.windows(input_shape)])

    def windows(self, input_shape: Shape) -> tuple[Axis, Axis]:
        """Return the windows along rows and columns, if the layer fits inputs of this shape."""
        stride = self.size if self.stride is None else self.stride
        settings = (self.size, stride, 1, self.padding)
        rows, columns = windows_on(input_shape, self.axes, "size", *settings)
        return rows, columns

    def _places(self, input_shape: Shape) -> Places:
        return places(*self.windows(input_shape))

    def new_Z(self, A_prev: Array, cache: Cache) -> Array:
        """Return the array for Z."""
        if cache.Z is not None:
            return cache.Z
        return np.empty((*self.output_shape(A_prev.shape[:-1]), A_prev.shape[-1]), A_prev.dtype)


class MaxPool2D(BoundLayer, Pooling):
    r"""Z has the largest entry of each window of the images, channel by channel.

    Images are (C, H, W, m): channels, rows, columns, examples. In reverse, dZ of a window goes to
    its largest entry, and where several are equal to the first of them, row by row::

        Z[c, r, s]   = max over i, j of A_prev[c, t · r + i, t · s + j]       with stride t
        dA_prev[...] = sum of dZ[c, r, s] over the windows of which this entry is the largest

    Padding never is the largest: it counts as minus infinity, as in PyTorch and Keras. There are
    floor((H + padding - size) / t) + 1 rows, so entries that fill no window are left out.

    Parameters
    ----------
    size : int or pair of int
        Rows and columns of a window.
    stride : int, pair of int or None
        How far apart windows are. None is `size`: windows that do not overlap.
    padding : "valid", "same", int or pair of int
        "valid" is none. "same" gives ceil(H / stride) rows, with the odd row of padding after the
        image, as in Keras. A number is the padding at each side, less than `size`.
    activation : str, Activation or config
        What the model applies to Z; by keyword. ReLU after the maximum is the same function as
        before it, and has fewer numbers to do: write ``Conv2D(8), MaxPool2D(activation="relu")``.

    Raises
    ------
    ShapeError
        The input is not images (C, H, W, m), or a window does not fit into it.

    References
    ----------
    D. Scherer, A. Müller and S. Behnke, "Evaluation of pooling operations in convolutional
    architectures for object recognition", ICANN 2010.

    >>> MaxPool2D(2).output_shape((8, 28, 28))
    (8, 14, 14)
    >>> MaxPool2D(3, 2, padding="same", activation="relu").output_shape((8, 28, 27))
    (8, 14, 14)
    """

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        shape = (*self.output_shape(input_shape), m)
        arrays: dict[str, Shape | Scratch] = {
            "is_largest": Scratch(shape, bool),
            "is_open": Scratch(shape, bool),  # the windows whose largest entry is not found yet
        }
        return arrays | ({"part": shape} if self._places(input_shape).overlap else {})

    def bind_forward(self, cache: Cache) -> Pass:
        where, maximum = self._places(cache.input_shape), np.maximum
        # Where every window has all its entries, the first two make Z.
        (_, first), (_, second) = where.entries[0], where.entries[min(1, len(where.entries) - 1)]
        entries = where.entries if where.is_padded else where.entries[2:]

        def forward(A_prev: Array, _: Cache) -> Array:
            Z = self.new_Z(A_prev, cache)
            if where.is_padded:
                Z.fill(-np.inf)
            else:
                maximum(A_prev[first], A_prev[second], out=Z)
            for windows, entry in entries:
                part = Z[windows]
                maximum(part, A_prev[entry], out=part)
            return Z

        return forward

    def bind_back(self, cache: Cache) -> Pass:
        where, is_largest, is_open = (
            self._places(cache.input_shape), cache.is_largest, cache.is_open,
        )  # fmt: skip
        last = where.entries[-1]

        def back(dZ: Array, _: Cache) -> Any:
            A_prev, Z, dA_prev = cache.A_prev, cache.Z, cache.dA_prev
            if dA_prev is None:
                return None
            if not where.is_partition:
                dA_prev.fill(0)
            is_open.fill(True)
            for each in where.entries:
                windows, entry = each
                gets, still = is_largest[windows], is_open[windows]
                if each is last:  # the largest entry of a window that is still open
                    gets = still
                else:
                    np.equal(A_prev[entry], Z[windows], out=gets)
                    np.logical_and(gets, still, out=gets)
                    np.greater(still, gets, out=still)
                if where.overlap:
                    to = dA_prev[entry]
                    to += np.multiply(dZ[windows], gets, out=cache.part[windows])
                else:
                    np.multiply(dZ[windows], gets, out=dA_prev[entry])
            return dA_prev

        return back


class AveragePool2D(Pooling):
    r"""Z has the average of each window of the images, channel by channel.

    Images are (C, H, W, m). With n entries of a window in the image, and stride t::

        Z[c, r, s]   = sum over i, j of A_prev[c, t · r + i, t · s + j] / n
        dA_prev[...] = sum of dZ[c, r, s] / n over the windows that have this entry

    Padding is not averaged: n is smaller at the border of a padded image. That is what Keras
    computes, and PyTorch with ``count_include_pad=False``, which is not its default.

    Parameters
    ----------
    size : int or pair of int
        Rows and columns of a window.
    stride : int, pair of int or None
        How far apart windows are. None is `size`: windows that do not overlap.
    padding : "valid", "same", int or pair of int
        As in `MaxPool2D`.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    Raises
    ------
    ShapeError
        The input is not images (C, H, W, m), or a window does not fit into it.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998), 2278-2324, which has it as sub-sampling.

    >>> AveragePool2D((2, 1)).output_shape((8, 28, 28))
    (8, 14, 28)
    """

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        return {"part": (*self.output_shape(input_shape), m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        where, Z = self._places(A_prev.shape[:-1]), self.new_Z(A_prev, cache)
        Z.fill(0)
        for windows, entry in where.entries:
            part = Z[windows]
            part += A_prev[entry]
        Z *= where.shares(Z)
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        dA_prev = cache.dA_prev
        if dA_prev is None:
            return None
        where = self._places(dA_prev.shape[:-1])
        part = np.multiply(dZ, where.shares(dZ), out=cache.part)
        if not where.is_partition:
            dA_prev.fill(0)
        for windows, entry in where.entries:
            if where.overlap:
                to = dA_prev[entry]
                to += part[windows]
            else:
                dA_prev[entry] = part[windows]
        return dA_prev


@attrs.frozen(slots=False)
class GlobalAveragePool(Layer):
    r"""Z is the average of each channel over all its positions: (C, H, W, m) becomes (C, m).

    A channel may have any number of positions: (C, T, m) becomes (C, m), too. With n of them::

        Z       = sum of A_prev over the positions / n
        dA_prev = dZ / n at each position

    Parameters
    ----------
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    Raises
    ------
    ShapeError
        The input is columns (n, m), which have no positions.

    References
    ----------
    M. Lin, Q. Chen and S. Yan, "Network in network", ICLR 2014, https://arxiv.org/abs/1312.4400,
    section 3.2.

    >>> GlobalAveragePool().output_shape((8, 7, 7))
    (8,)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise ShapeError(
                f"The input has shape {written(input_shape)}, expected channels with positions, "
                "such as (C, H, W, m) or (C, T, m). Put this layer before Flatten(), or leave it "
                "out."
            )
        return input_shape[:1]

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        return {"share": (input_shape[0], m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        positions = tuple(range(1, A_prev.ndim - 1))
        Z = np.add.reduce(A_prev, axis=positions, out=cache.Z)
        Z *= Z.dtype.type(1 / math.prod(A_prev.shape[1:-1]))
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        dA_prev = cache.dA_prev
        if dA_prev is None:
            return None
        n, m = math.prod(dA_prev.shape[1:-1]), dZ.shape[-1]
        share = np.multiply(dZ, dZ.dtype.type(1 / n), out=cache.share)
        dA_prev[...] = share.reshape(len(dZ), *(1,) * (dA_prev.ndim - 2), m)
        return dA_prev
