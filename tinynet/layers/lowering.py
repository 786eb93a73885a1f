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
from typing import NamedTuple, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.layers.windows import Axis, taps

_BLOCK = 1 << 16  # numbers of an array that holds a few rows at a time, so that it stays small
_KERNELS = 1 << 14  # numbers of an array of as many kernels, one for each row

# Some rows of the input, the same rows of dL, and the products that fill them: two matrices, and
# where their product goes.
RowProducts: TypeAlias = "list[tuple[slice, Array, list[tuple[Array, Array, Array]]]]"


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
        self.rows, self.columns, self.n_rows = rows, columns, rows.windows
        # Row h of the padded input is L[:, h % dilation, h // dilation]: a row of L is a window
        # of its own, as long as the dilation.
        d, met = rows.dilation, (rows.windows - 1) * rows.stride + rows.reach
        self.stored = Axis(rows.n, d, d, 1, rows.before, -(-met // d) * d - rows.n - rows.before)
        # Rows of Z so far apart have the same remainder; so have rows of the kernel in reverse.
        common = math.gcd(rows.stride, d)
        self.row_step, self.kernel_step = d // common, rows.stride // common
        self.stored_taps, self.column_taps = taps(self.stored), taps(columns)

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

    def kernels_shape(self, units: int) -> Shape:
        """Return the shape of W as matrices, (G, F, kh · kw · C)."""
        K = self.rows.kernel * self.columns.kernel * self.channels
        return (self.groups, units // self.groups, K)

    def ordered_kernels_shape(self, units: int) -> Shape:
        """Return the shape of W as dL needs it, (G, kw, C, kh, F)."""
        kh, kw = self.rows.kernel, self.columns.kernel
        return (self.groups, kw, self.channels, kh, units // self.groups)

    def gradients_shape(self, units: int) -> Shape:
        """Return the shape of dW for each of a few rows of dZ, (G, rows, F, kh · kw · C)."""
        G, *matrix = self.kernels_shape(units)
        few = min(self.rows.windows, _KERNELS // (G * math.prod(matrix)))
        return (G, max(1, few), *matrix)

    def _few_rows(self, row: Shape) -> int:
        return min(self.rows.n, max(1, _BLOCK // (self.groups * math.prod(row))))

    def rows_shape(self, units: int, m: int) -> Shape:
        """Return the shape of Z or dZ, row after row, (G, rows, F, N)."""
        F, rows, N = units // self.groups, self.rows.windows, self.columns.windows * m
        return (self.groups, rows, F, N)

    def by_row(self, Z: Array) -> Array:
        """Return a view of Z or dZ, (G, rows, F, N)."""
        F = len(Z) // self.groups
        return Z.reshape(self.groups, F, self.n_rows, -1).transpose(0, 2, 1, 3)

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
        for remainder, (own, inputs) in enumerate(self.stored_taps):
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
        for j, (windows, inputs) in enumerate(self.column_taps):
            to[:, :, j, :, windows] = source[:, :, :, inputs]

    def in_kernel_order(self, W: Array) -> Array:
        """Return a view of W or its gradient, (G, F, kh, kw, C)."""
        return W.reshape(self.groups, -1, *W.shape[1:]).transpose(0, 1, 3, 4, 2)

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

    def factors(self, L: Array, few: int) -> list[tuple[slice, Array]]:
        """Return some rows of dZ, at most a few, and what they are multiplied by for dW.

        These are the matrices of the rows, transposed: (G, rows, N, kh · kw · C).
        """
        found, windows, step = [], self.rows.windows, self.row_step
        for first, (_, matrices) in enumerate(self.matrices(L)):
            for start in range(0, matrices.shape[1], few):
                part = matrices[:, start : start + few].transpose(0, 1, 3, 2)
                rows = range(windows)[first::step][start : start + few]
                found.append((slice(rows.start, rows.stop, step), part))
        return found

    def sum_products(
        self, dZ: Array, factors: list[tuple[slice, Array]], of_rows: Array, total: Array
    ) -> None:
        """Fill the sum of the products of all rows of dZ, (G, rows, F, N), and their factors."""
        for rows, matrices in factors:
            products = np.matmul(dZ[:, rows], matrices, out=of_rows[:, : matrices.shape[1]])
            if matrices is factors[0][1]:
                np.add.reduce(products, axis=1, out=total)
            elif products.shape[1] == 1:
                total += products[:, 0]
            else:
                total += np.add.reduce(products, axis=1)

    @functools.cached_property
    def _kernel_order(self) -> list[range]:
        """The rows of the kernel, with those together that meet a row of the input."""
        kh, step = self.rows.kernel, self.kernel_step
        return [range(kh)[first::step][::-1] for first in range(min(step, kh))]

    @functools.cached_property
    def _parts(self) -> list[Part]:
        """What each row of the input gets: row r of Z met it with row i of the kernel."""
        rows, found = self.rows, []
        order = sorted(range(rows.windows), key=lambda r: (r % self.row_step, r))
        kernel_order = [i for own in self._kernel_order for i in own]
        for h in range(rows.before, rows.before + rows.n):
            met = []
            for position, i in enumerate(kernel_order):
                r, rest = divmod(h - i * rows.dilation, rows.stride)
                if rest == 0 and 0 <= r < rows.windows:
                    met.append((position, order.index(r)))
            found.append(Part(*met[0], len(met)) if met else Part(0, 0, 0))
        return found

    def order_kernels(self, W: Array, out: Array) -> None:
        """Fill W, (G, F, kh, kw, C), as (G, kw, C, kh, F), with its rows in `_kernel_order`."""
        W, start = W.transpose(0, 3, 4, 2, 1), 0
        for own in self._kernel_order:
            out[:, :, :, start : start + len(own)] = W[:, :, :, own.start :: own.step]
            start += len(own)

    def order_rows(self, dZ: Array, out: Array) -> None:
        """Fill dZ, (G, rows, F, N), with those rows together that meet a row of the input."""
        start = 0
        for first in range(self.row_step):
            own = dZ[:, first :: self.row_step]
            stop = start + own.shape[1]
            out[:, start:stop] = own
            start = stop

    def row_products(self, kernels: Array, dZ: Array, dL: Array) -> RowProducts:
        """Return all rows of the input, a few at a time, for W and dZ as they are ordered."""
        (G, _, F, N), (few, H) = dZ.shape, (dL.shape[1], self.rows.n)
        dZ, kernels = dZ.reshape(G, -1, N), kernels.reshape(G, -1, self.rows.kernel * F)
        by_row = dL.reshape(G, few, -1, N)
        found = []
        for start in range(0, H, few):
            parts, products = self._parts[start : start + few], []
            for h, (i, r, n) in enumerate(parts):
                own, met = slice(i * F, (i + n) * F), slice(r * F, (r + n) * F)
                products.append((kernels[:, :, own], dZ[:, met], by_row[:, h]))
            found.append((slice(start, start + few), dL[:, : len(parts)], products))
        return found

    def fill_gradient(self, dX: Array, row_products: RowProducts) -> None:
        """Fill the gradient of the input, a few rows at a time."""
        by_row, matmul = self._input_by_row(dX), np.matmul
        for rows, dL, products in row_products:
            for kernels, dZ, to in products:
                matmul(kernels, dZ, out=to)
            self._raise(dL, by_row[:, rows])

    def _raise(self, dL: Array, to: Array) -> None:
        """Fill some rows of the gradient of the input: the reverse of `_lower`."""
        adds = list(enumerate(self.column_taps))
        if self.columns.stride == 1:
            # The first column of the kernel need not be added to zeros. It meets the input from
            # its first column on, if at all.
            _, (windows, inputs) = adds.pop(0)
            to[:, :, :, inputs] = dL[:, :, 0, :, windows]
            to[:, :, :, inputs.stop :] = 0
        else:
            to[...] = 0
        for j, (windows, inputs) in adds:
            part = to[:, :, :, inputs]
            np.add(part, dL[:, :, j, :, windows], out=part)


@functools.lru_cache(maxsize=256)
def lowering(channels: int, groups: int, rows: Axis, columns: Axis) -> Lowering:
    """Return the lowering for inputs of one shape, which passes share."""
    return Lowering(channels, groups, rows, columns)
