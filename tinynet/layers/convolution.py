"""Convolutions over images and over sequences."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet._support.fields import integer, nonnegative
from tinynet.activations import Activation, Identity
from tinynet.errors import ShapeError
from tinynet.layers.base import (
    BoundLayer,
    Parameter,
    Pass,
    Scratch,
    Weighted,
    as_activation,
    as_init,
)
from tinynet.layers.lowering import Lowering, lowering
from tinynet.layers.windows import Axis, as_pair, padding_field, per_axis, windows_on

_ONE_ROW = Axis(n=1, kernel=1, stride=1, dilation=1, before=0, after=0)


def _as_images(X: Array) -> Array:
    """Return a view of inputs as (C, H, W, m)."""
    return X.reshape(len(X), -1, *X.shape[-2:])


def _kernels_of_images(W: Array) -> Array:
    """Return a view of W as (units, C / groups, kh, kw)."""
    return W.reshape(*W.shape[:2], -1, W.shape[-1])


@attrs.frozen(slots=False)
class Convolution(BoundLayer, Weighted):
    """Base of the convolutions: each unit has a kernel, which moves over the input.

    Everything is computed for images. A sequence is an image of one row.
    """

    units: int = integer()
    kernel: int | tuple[int, int] = per_axis(3)
    activation: Activation = attrs.field(default=Identity(), converter=as_activation)
    stride: int | tuple[int, int] = per_axis(1, kw_only=True)
    padding: int | tuple[int, int] | str = padding_field(kw_only=True)
    dilation: int | tuple[int, int] = per_axis(1, kw_only=True)
    groups: int = integer(1, kw_only=True)
    init: Any = attrs.field(default="auto", converter=as_init, kw_only=True)
    l2: float = nonnegative(0.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        units, groups = self.units, self.groups
        if units % groups:
            raise ValueError(
                f"{type(self).__name__}: units is {units}, expected a multiple of groups, which is "
                f"{groups}. Use units={-(-units // groups) * groups}, or groups=1."
            )

    @property
    @abstractmethod
    def axes(self) -> tuple[str, ...]:
        """The names of the axes that windows move along."""

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        self.windows(input_shape)
        kernel = as_pair(self.kernel)[: len(self.axes)]
        return self.weights((self.units, input_shape[0] // self.groups, *kernel))

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.units, *[axis.windows for axis in self.windows(input_shape)])

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        lowered = self._lowering(input_shape)
        return {
            "lowered": Scratch(lowered.shape(m), fill=0),
            "in_order": lowered.block_shape(m),
            "dlowered": lowered.lowered_block_shape(m),
            "dZ_rows": lowered.rows_shape(self.units, m),
            "kernels": lowered.kernels_shape(self.units),
            "dA_kernels": lowered.ordered_kernels_shape(self.units),
            "of_rows": lowered.gradients_shape(self.units),
            "ones": Scratch((lowered.columns.windows * m, 1), fill=1),
            "mean": Scratch((lowered.rows.windows, 1), fill=1 / m),
        }

    def windows(self, input_shape: Shape) -> tuple[Axis, ...]:
        """Return the windows along each axis, if the layer fits inputs of this shape."""
        settings = (self.kernel, self.stride, self.dilation, self.padding)
        axes = windows_on(input_shape, self.axes, "kernel", *settings)
        C, groups = input_shape[0], self.groups
        if C % groups:
            most = min(C, self.units)
            fit = [str(n) for n in range(1, most + 1) if C % n == self.units % n == 0]
            raise ShapeError(
                f"The input has shape {written(input_shape)}, expected a number of channels that "
                f"is a multiple of groups, which is {groups}. Use groups={' or '.join(fit)}."
            )
        return axes

    def _lowering(self, input_shape: Shape) -> Lowering:
        axes = self.windows(input_shape)
        rows, columns = (_ONE_ROW, *axes)[-2:]
        return lowering(input_shape[0], self.groups, rows, columns)

    def bind_forward(self, cache: Cache) -> Pass:
        lowered = self._lowering(cache.input_shape)
        L, in_order, kernels = cache.lowered, cache.in_order, cache.kernels[:, np.newaxis]
        W = lowered.in_kernel_order(_kernels_of_images(cache.W))
        b = cache.b.reshape(-1, *(1,) * len(cache.input_shape))
        matrices, in_kernels = lowered.matrices(L), kernels.reshape(W.shape)
        copyto, matmul, add = np.copyto, np.matmul, np.add

        def forward(A_prev: Array, _: Cache) -> Array:
            Z = cache.Z
            if Z is None:
                Z = np.empty((*self.output_shape(cache.input_shape), A_prev.shape[-1]), W.dtype)
            lowered.fill(L, _as_images(A_prev), in_order)
            copyto(in_kernels, W)
            Z_rows = lowered.by_row(Z)
            for rows, each in matrices:
                matmul(kernels, each, out=Z_rows[:, rows])
            return add(Z, b, out=Z)

        return forward

    def bind_back(self, cache: Cache) -> Pass:
        lowered, dZ_rows = self._lowering(cache.input_shape), cache.dZ_rows
        W, dW = (
            lowered.in_kernel_order(_kernels_of_images(array)) for array in (cache.W, cache.dW)
        )
        total, of_rows, (one_mth, _) = cache.kernels, cache.of_rows, cache.means
        in_total = total.reshape(dW.shape)
        factors = lowered.factors(cache.lowered, of_rows.shape[1])
        row_products = lowered.row_products(cache.dA_kernels, dZ_rows, cache.dlowered)
        ones, mean = cache.ones, cache.mean

        def back(dZ: Array, _: Cache) -> Any:
            dZ_by_row, dA_prev = lowered.by_row(dZ), cache.dA_prev
            lowered.sum_products(dZ_by_row, factors, of_rows, total)
            np.multiply(in_total, one_mth, out=dW)
            if self.l2:
                np.add(dW, np.multiply(W, self.l2, out=in_total), out=dW)
            dZ.reshape(-1, len(ones)).dot(ones).reshape(-1, len(mean)).dot(mean, out=cache.db)
            if dA_prev is not None:
                lowered.order_kernels(W, out=cache.dA_kernels)
                lowered.order_rows(dZ_by_row, out=dZ_rows)
                lowered.fill_gradient(_as_images(dA_prev), row_products)
            return dA_prev

        return back


class Conv2D(Convolution):
    r"""Z[u] = b[u] + Σ W[u] · window, for each unit u and each window of the images.

    Images are (C, H, W, m): channels, rows, columns, examples. For unit u at row r and column s,
    with stride 1, no padding, no dilation and one group::

        Z[u, r, s] = b[u] + Σ over c, i, j of W[u, c, i, j] · A_prev[c, r + i, s + j]

    so W is not flipped: this is what all frameworks call a convolution. In reverse, with m
    examples::

        dW[u, c, i, j]       = sum of dZ[u, r, s] · A_prev[c, r + i, s + j] over r, s, examples / m
        db[u]                = sum of dZ[u, r, s] over r, s and the examples / m
        dA_prev[c, r+i, s+j] = sum of W[u, c, i, j] · dZ[u, r, s] over u, r, s

    and dW has l2 · W added. With a stride t and a dilation d, window r begins at row t · r, and
    its entries are d rows apart: r + i becomes t · r + d · i, minus the zeros before the image.

    The output has floor((H + zeros - d · (kh - 1) - 1) / t) + 1 rows, and columns alike.

    Parameters
    ----------
    units : int
        Number of output channels. W is (units, C / groups, kh, kw), b is (units, 1).
    kernel : int or pair of int
        Rows and columns of a window.
    activation : str, Activation or config
        What the model applies to Z.
    stride : int or pair of int
        How far apart windows are.
    padding : "valid", "same", int or pair of int
        Zeros around the image. "valid" is none. "same" gives ceil(H / stride) rows, with the odd
        zero after the image, as in Keras. A number is the zeros at each side, as in PyTorch.
    dilation : int or pair of int
        How far apart the entries of a window are.
    groups : int
        Channels and units are in so many groups, and a unit sees the channels of its group. It
        divides both. With groups = C each channel has units of its own ("depthwise").
    init : str, Initializer or config
        How W is drawn, as in `Dense`. b starts at zero.
    l2 : float
        Adds l2/2 · Σ W² to the cost; at least 0.

    Raises
    ------
    ShapeError
        The input is not images (C, H, W, m), a window does not fit into it, or ``groups`` does
        not divide C.

    References
    ----------
    V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    https://arxiv.org/abs/1603.07285. How it is computed: M. Cho and D. Brand, "MEC:
    memory-efficient convolution for deep neural network", ICML 2017,
    https://arxiv.org/abs/1706.06873.

    >>> layer = Conv2D(8, 5, "relu", padding="same")
    >>> layer
    Conv2D(units=8, kernel=5, activation=ReLU(), padding='same')
    >>> layer.output_shape((3, 28, 28))
    (8, 28, 28)
    >>> Conv2D(8, (3, 5), stride=2, padding=(0, 2)).output_shape((3, 28, 28))
    (8, 13, 14)
    """

    axes = ("H", "W")


class Conv1D(Convolution):
    r"""Z[u] = b[u] + Σ W[u] · window, for each unit u and each window of the sequences.

    Sequences are (C, T, m): channels, times, examples. This is `Conv2D` with one axis in place
    of two, and has its formulas: with stride 1, no padding, no dilation and one group::

        Z[u, t] = b[u] + Σ over c, i of W[u, c, i] · A_prev[c, t + i]

    Parameters
    ----------
    units : int
        Number of output channels. W is (units, C / groups, kernel), b is (units, 1).
    kernel, stride, dilation : int
        How long a window is, how far apart windows are, and the entries of a window.
    activation : str, Activation or config
        What the model applies to Z.
    padding : "valid", "same" or int
        Zeros around the sequence, as in `Conv2D`.
    groups : int
        Channels and units are in so many groups, as in `Conv2D`.
    init : str, Initializer or config
        How W is drawn, as in `Dense`. b starts at zero.
    l2 : float
        Adds l2/2 · Σ W² to the cost; at least 0.

    Raises
    ------
    ShapeError
        The input is not sequences (C, T, m), a window does not fit into it, or ``groups`` does
        not divide C.

    >>> layer = Conv1D(4, 3, "relu", stride=2)
    >>> layer
    Conv1D(units=4, kernel=3, activation=ReLU(), stride=2)
    >>> layer.output_shape((2, 9))
    (4, 4)
    """

    axes = ("T",)
