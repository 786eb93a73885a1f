"""Pooling: the largest or the average entry of each window of an image."""

from __future__ import annotations

import functools
import itertools
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet.errors import ShapeError
from tinynet.layers.base import Layer, Scratch
from tinynet.layers.windows import (
    Axis,
    PerAxis,
    as_pair,
    padding_field,
    per_axis,
    taps,
    windows_on,
)


@attrs.frozen(slots=False)
class Pooling(Layer):
    """Base of the poolings: one number for each window of each channel."""

    axes: ClassVar[tuple[str, ...]] = ("H", "W")
    size: PerAxis = per_axis(2)
    stride: PerAxis | None = per_axis(None, optional=True)
    padding: PerAxis | str = padding_field()

    def __attrs_post_init__(self) -> None:
        if isinstance(self.padding, str):
            return
        if any(p >= k for p, k in zip(as_pair(self.padding), as_pair(self.size), strict=True)):
            raise ValueError(
                f"{type(self).__name__}: padding is {self.padding}, expected less than size, "
                f"{self.size}, so that each window has an entry of the image."
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *[axis.windows for axis in self.windows(input_shape)])

    def windows(self, input_shape: Shape) -> tuple[Axis, Axis]:
        """Return the windows along rows and columns, if the layer fits inputs of this shape."""
        stride = self.size if self.stride is None else self.stride
        rows, columns = windows_on(input_shape, self.axes, self.size, stride, 1, self.padding)
        return rows, columns

    def new_Z(self, A_prev: Array, cache: Cache) -> Array:
        """Return the array for Z."""
        if cache.Z is not None:
            return cache.Z
        return np.empty((*self.output_shape(A_prev.shape[:-1]), A_prev.shape[-1]), A_prev.dtype)

    @abstractmethod
    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return Z."""


class Places:
    """Where the windows of a pooling lie: for each entry of a window, in Z and in A_prev."""

    def __init__(self, rows: Axis, columns: Axis) -> None:
        axes = (rows, columns)
        self.taps = [
            ((slice(None), i.outputs, j.outputs), (slice(None), i.inputs, j.inputs))
            for i, j in itertools.product(taps(rows), taps(columns))
        ]
        self.is_padded = any(axis.before or axis.after for axis in axes)
        self.overlap = any(axis.stride < axis.kernel for axis in axes)
        # Whether each entry of A_prev lies in just one window.
        self.tile = not self.is_padded and all(
            axis.stride == axis.kernel and axis.windows * axis.kernel == axis.n for axis in axes
        )
        present = [np.zeros((axis.windows, 1)) for axis in axes]
        for axis, count in zip(axes, present, strict=True):
            for tap in taps(axis):
                count[tap.outputs] += 1
        self.counts = present[0][:, np.newaxis] * present[1]


@functools.lru_cache(maxsize=256)
def places(rows: Axis, columns: Axis) -> Places:
    """Return the places for images of one size, which passes share."""
    return Places(rows, columns)


class MaxPool2D(Pooling):
    """x"""

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        shape = (*self.output_shape(input_shape), m)
        masks = {"is_max": Scratch(shape, bool), "is_free": Scratch(shape, bool)}
        return masks | ({"part": shape} if places(*self.windows(input_shape)).overlap else {})

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        where, Z = places(*self.windows(A_prev.shape[:-1])), self.new_Z(A_prev, cache)
        others = where.taps
        if where.is_padded:
            Z.fill(-np.inf)
        else:  # each entry of a window is there
            (_, first), (_, second) = (others * 2)[:2]
            np.maximum(A_prev[first], A_prev[second], out=Z)
            others = others[2:]
        for window, entry in others:
            part = Z[window]
            np.maximum(part, A_prev[entry], out=part)
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        A_prev, dA_prev, Z = cache.A_prev, cache.dA_prev, cache.Z
        if dA_prev is None:
            return None
        where = places(*self.windows(A_prev.shape[:-1]))
        if not where.tile:
            dA_prev.fill(0)
        cache.is_free.fill(True)
        for window, entry in where.taps:
            is_max, is_free = cache.is_max[window], cache.is_free[window]
            np.equal(A_prev[entry], Z[window], out=is_max)
            np.logical_and(is_max, is_free, out=is_max)
            np.greater(is_free, is_max, out=is_free)
            if where.overlap:
                part = np.multiply(dZ[window], is_max, out=cache.part[window])
                dA_prev[entry] += part
            else:
                np.multiply(dZ[window], is_max, out=dA_prev[entry])
        return dA_prev


class AveragePool2D(Pooling):
    """x"""

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        return {"part": (*self.output_shape(input_shape), m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        where, Z = places(*self.windows(A_prev.shape[:-1])), self.new_Z(A_prev, cache)
        Z.fill(0)
        for window, entry in where.taps:
            Z[window] += A_prev[entry]
        Z *= (1 / where.counts).astype(Z.dtype)
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        dA_prev = cache.dA_prev
        if dA_prev is None:
            return None
        where = places(*self.windows(dA_prev.shape[:-1]))
        part = np.multiply(dZ, (1 / where.counts).astype(dZ.dtype), out=cache.part)
        if not where.tile:
            dA_prev.fill(0)
        for window, entry in where.taps:
            if where.overlap:
                dA_prev[entry] += part[window]
            else:
                dA_prev[entry] = part[window]
        return dA_prev


class GlobalAveragePool(Layer):
    """x"""

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise ShapeError(
                f"The input has shape {written(input_shape)}, expected channels with positions, "
                "such as (C, H, W, m) or (C, T, m). Leave this layer out."
            )
        return input_shape[:1]

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        return {"mean": (input_shape[0], m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        Z = np.add.reduce(A_prev, axis=tuple(range(1, A_prev.ndim - 1)), out=cache.Z)
        Z *= Z.dtype.type(1 / math.prod(A_prev.shape[1:-1]))
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        dA_prev = cache.dA_prev
        if dA_prev is None:
            return None
        n = math.prod(dA_prev.shape[1:-1])
        share = np.multiply(dZ, dZ.dtype.type(1 / n), out=cache.mean)
        dA_prev[...] = share.reshape(len(dZ), *(1,) * (dA_prev.ndim - 2), -1)
        return dA_prev
