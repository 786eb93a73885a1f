"""A convolution as products of matrices, with the input lowered along its width alone.

Row h of the lowered input L has, for each column j of the kernel, the entries of row h of the
padded input that column j meets, window after window::

    L[h, j, c, w] = padded[c, h, w · stride + j · dilation]

So a row of Z is one product: W as a matrix (units, kh · kw · C) times the kh rows of L that the
kernel meets, which lie one after the other in memory. All rows of Z are one call of `np.matmul`
over an overlapping view, and L is kw times as large as the input, where im2col makes it kh · kw
times as large.

With a dilation along the rows, rows of L are in the order of their remainder, so that those
which one row of Z needs lie one after the other too.

M. Cho and D. Brand, "MEC: memory-efficient convolution for deep neural network", ICML 2017,
https://arxiv.org/abs/1706.06873.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.layers.windows import Axis, taps

_BLOCK = 1 << 18  # numbers of an array that holds a few rows at a time, so that it stays small
_KERNELS = 1 << 14  # numbers of an array of as many kernels, one for each row


class Part(NamedTuple):
    """What one row of dA_prev gets: `n` rows of the kernel times as many rows of dZ.

    Both lie one after the other from these positions on, in the orders of `Lowering`.
    """

    kernel_row: int
    dZ_row: int
    n: int


class Lowering:
    """Where the numbers of a convolution lie in its lowered input, for inputs of one shape.

    In the shapes below G is the number of groups, C and F are the channels and units of one, kh
    and kw the rows and columns of the kernel, and N is the columns of Z times the examples.
    """

    def __init__(self, channels: int, groups: int, rows: Axis, columns: Axis) -> None:
        self.groups, self.channels = groups, channels // groups
        self.rows, self.columns = rows, columns
        # Row h of the padded input is L[:, h % dilation, h // dilation]: a row of L is a window
        # of its own, as long as the dilation.
        d, met = rows.dilation, (rows.windows - 1) * rows.stride + rows.reach
        self.stored = Axis(rows.n, d, d, 1, rows.before, -(-met // d) * d - rows.n - rows.before)
        # Rows of Z so far apart have the same remainder; so have rows of the kernel in reverse.
        common = math.gcd(rows.stride, d)
        self.row_step, self.kernel_step = d // common, rows.stride // common

    def shape(self, m: int) -> Shape:
        """Return the shape of L, (G, remainders, rows, kw, C, columns of Z, m)."""
        stored, columns = self.stored, self.columns
        row = (columns.kernel, self.channels, columns.windows, m)
        return (self.groups, stored.kernel, stored.windows, *row)

    def block_shape(self, m: int) -> Shape:
        """Return the shape of a few rows of the input, (G, rows, C, W, m)."""
        row = (self.channels, self.columns.n, m)
        return (self.groups, self._few_rows(row), *row)

    def lowered_block_shape(self, m: int) -> Shape:
        """Return the shape of a few rows of dL, (G, rows, kw, C, columns of Z, m)."""
        row = self.shape(m)[3:]
        return (self.groups, self._few_rows(row), *row)

    def _few_rows(self, row: Shape) -> int:
        return min(self.rows.n, max(1, _BLOCK // (self.groups * math.prod(row))))

    def rows_shape(self, units: int, m: int) -> Shape:
        """Return the shape of Z or dZ, row after row, (G, rows, F, N)."""
        F, rows, N = units // self.groups, self.rows.windows, self.columns.windows * m
        return (self.groups, rows, F, N)

    def by_row(self, Z: Array) -> Array:
        """Return a view of Z or dZ, (G, rows, F, N)."""
        F = len(Z) // self.groups
        return Z.reshape(self.groups, F, self.rows.windows, -1).transpose(0, 2, 1, 3)

    def _input_by_row(self, X: Array) -> Array:
        """Return a view of the input or its gradient, (G, H, C, W, m)."""
        return X.reshape(self.groups, self.channels, *X.shape[1:]).transpose(0, 2, 1, 3, 4)

    # Forward

    def fill(self, L: Array, X: Array, in_order: Array) -> None:
        """Fill L. Where it stands for padding it is zero before, and stays so.

        `in_order` is for an X whose examples do not lie next to each other, such as a view of
        rows. There one copy into it takes less time than one for each column of the kernel.
        """
        by_row, few = self._input_by_row(X), in_order.shape[1]
        is_in_order = X.strides[-1] == X.itemsize or X.shape[-1] == 1
        for remainder, (own, inputs) in enumerate(taps(self.stored)):
            to, source = L[:, remainder, own], by_row[:, inputs]
            if is_in_order:
                self._lower(to, source)
                continue
            for start in range(0, source.shape[1], few):
                part = source[:, start : start + few]
                copy = in_order[:, : part.shape[1]]
                copy[...] = part
                self._lower(to[:, start : start + few], copy)

    def _lower(self, to: Array, source: Array) -> None:
        """Fill some rows of L, (G, rows, kw, C, columns of Z, m)."""
        for j, (windows, inputs) in enumerate(taps(self.columns)):
            to[:, :, j, :, windows] = source[:, :, :, inputs]

    def kernels(self, W: Array) -> Array:
        """Return W as matrices (G, 1, F, kh · kw · C)."""
        F = len(W) // self.groups
        return W.transpose(0, 2, 3, 1).reshape(self.groups, 1, F, -1)

    def matrices(self, L: Array) -> list[tuple[slice, Array]]:
        """Return some of the rows of Z, and what W is multiplied by for these, until all are there.

        These are matrices (kh · kw · C, N), in a view (G, rows, kh · kw · C, N) in which they
        overlap.
        """
        rows, size = self.rows, L.strides[2]  # of a row of L, in bytes
        K, N = rows.kernel * math.prod(L.shape[3:5]), math.prod(L.shape[5:])
        steps = (L.strides[0], self.kernel_step * size, N * L.itemsize, L.itemsize)
        found = []
        for first in range(min(self.row_step, rows.windows)):
            n = len(range(first, rows.windows, self.row_step))
            start, remainder = divmod(first * rows.stride, rows.dilation)
            offset = remainder * L.strides[1] + start * size
            view = np.ndarray((self.groups, n, K, N), L.dtype, L, offset, steps)
            found.append((slice(first, None, self.row_step), view))
        return found

    # Back

    def fill_kernel_gradient(self, dW: Array, dZ: Array, L: Array) -> None:
        """Fill the gradient of W for dZ, (G, rows, F, N), summed over the examples."""
        kh, kw, C, F = self.rows.kernel, self.columns.kernel, self.channels, dZ.shape[2]
        total = dW.reshape(self.groups, F, kh * kw * C)  # in its memory, in another order
        few = max(1, min(self.rows.windows, _KERNELS // total.size))
        of_rows = np.empty((self.groups, few, *total.shape[1:]), dW.dtype)
        total.fill(0)
        for rows, matrices in self.matrices(L):
            dZ_rows, matrices = dZ[:, rows], matrices.transpose(0, 1, 3, 2)
            for start in range(0, matrices.shape[1], few):
                part, to = dZ_rows[:, start : start + few], matrices[:, start : start + few]
                products = np.matmul(part, to, out=of_rows[:, : part.shape[1]])
                total += products[:, 0] if few == 1 else np.add.reduce(products, axis=1)
        of_row = of_rows[:, 0]
        of_row[...] = total
        dW[...] = of_row.reshape(-1, kh, kw, C).transpose(0, 3, 1, 2)

    @functools.cached_property
    def _kernel_order(self) -> list[int]:
        """The rows of the kernel, with those together that meet a row of the input."""
        return sorted(range(self.rows.kernel), key=lambda i: (i % self.kernel_step, -i))

    @functools.cached_property
    def _parts(self) -> list[Part]:
        """What each row of the input gets: row r of Z met it with row i of the kernel."""
        rows, found = self.rows, []
        order = sorted(range(rows.windows), key=lambda r: (r % self.row_step, r))
        for h in range(rows.before, rows.before + rows.n):
            met = []
            for position, i in enumerate(self._kernel_order):
                r, rest = divmod(h - i * rows.dilation, rows.stride)
                if rest == 0 and 0 <= r < rows.windows:
                    met.append((position, order.index(r)))
            found.append(Part(*met[0], len(met)) if met else Part(0, 0, 0))
        return found

    def ordered_rows(self, dZ: Array, out: Array) -> Array:
        """Return dZ, (G, rows, F, N), with those rows together that meet a row of the input."""
        start = 0
        for first in range(self.row_step):
            own = dZ[:, first :: self.row_step]
            stop = start + own.shape[1]
            out[:, start:stop] = own
            start = stop
        return out

    def fill_gradient(self, dX: Array, W: Array, dZ: Array, dL: Array) -> None:
        """Fill the gradient of the input, for dZ from `ordered_rows`, a few rows at a time."""
        G, _, F, N = dZ.shape
        W = W.reshape(G, F, *W.shape[1:]).transpose(0, 4, 2, 3, 1)
        kernels = np.take(W, self._kernel_order, axis=3).reshape(G, -1, W.shape[3] * F)
        dZ, by_row = dZ.reshape(G, -1, N), self._input_by_row(dX)
        few, products = dL.shape[1], dL.reshape(G, dL.shape[1], -1, N)
        for start in range(0, by_row.shape[1], few):
            parts = self._parts[start : start + few]
            for h, (i, r, n) in enumerate(parts):
                own, met = slice(i * F, (i + n) * F), slice(r * F, (r + n) * F)
                np.matmul(kernels[:, :, own], dZ[:, met], out=products[:, h])
            self._raise(dL[:, : len(parts)], by_row[:, start : start + few])

    def _raise(self, dL: Array, to: Array) -> None:
        """Fill some rows of the gradient of the input: the reverse of `_lower`."""
        to[...] = 0
        for j, (windows, inputs) in enumerate(taps(self.columns)):
            part = to[:, :, :, inputs]
            np.add(part, dL[:, :, j, :, windows], out=part)


@functools.lru_cache(maxsize=256)
def lowering(channels: int, groups: int, rows: Axis, columns: Axis) -> Lowering:
    """Return the lowering for inputs of one shape, which passes share."""
    return Lowering(channels, groups, rows, columns)
