"""The gated recurrent unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.products import product
from tinynet.layers.base import Parameter, Scratch, columns
from tinynet.layers.positions import fill_gradients
from tinynet.layers.recurrent import Recurrent, sigmoid, sigmoid_back, tanh, tanh_back


@attrs.frozen(slots=False)
class GRU(Recurrent):
    r"""h[t] = z · h[t-1] + (1 - z) · g: a gate says how much of h stays as it is.

    For t = 1 ... T from h[0] = 0, where x[t] is step t of A_prev (n_prev, T, m)::

        r, z = sigmoid(W x[t] + b + U h[t-1] + c)         two blocks of n rows: reset, update
        g    = tanh(W x[t] + b + r · (U h[t-1] + c))      the third block: the candidate
        h[t] = z · h[t-1] + (1 - z) · g

    In reverse, with dh of step t and q = U h[t-1] + c in the third block::

        dz = dh · (h[t-1] - g)         dg = dh · (1 - z) · (1 - g²)         dr = dg · q
        dG = [dr · r · (1 - r), dz · z · (1 - z), dg]       for W and b
        dQ = [dr · r · (1 - r), dz · z · (1 - z), dg · r]   for U and c
        dh[t-1] = Uᵀ dQ + dh · z + dZ of step t-1

    and dW, db and dx[t] follow from dG as in `SimpleRNN`, and dU and dc from dQ. W is (3n, n_prev),
    U is (3n, n), and b and c are (3n, 1), with the rows of r, z and g in this order.

    This is the form of PyTorch and cuDNN, whose two biases are b and c: r is applied after the
    product with U. Keras has it as ``reset_after=True``, its default, with the order z, r, g.

    Parameters
    ----------
    units : int
        Number of outputs n, at least 1.
    sequences : bool
        Whether Z is h of all steps, (n, T, m), or h of the last step, (n, m).
    init : str, Initializer or config
        How W is drawn, each gate by itself; by keyword. U is orthogonal for each gate. b and c
        start at zero.
    activation : str, Activation or config
        What the model applies to Z, after the last step; by keyword. sigmoid and tanh within the
        steps are not a setting.

    Raises
    ------
    ShapeError
        If the input is not (n_prev, T, m).

    References
    ----------
    K. Cho and others, "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014, https://arxiv.org/abs/1406.1078. Its first version applies r
    after the product, as here, and the last one before.

    >>> GRU(20).output_shape((8, 50)), GRU(20, sequences=True).output_shape((8, 50))
    ((20,), (20, 50))
    """

    n_gates: ClassVar[int] = 3

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        c = Parameter((3 * self.units, 1))
        return super().parameters(input_shape) | {"c": c}

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        n, T = self.units, input_shape[1]
        return {
            **super().scratch(input_shape, m),
            "q": (T, n, m), "dg": (T, n, m), "douts": (2 * n, m),
        }  # fmt: skip

    def input_bias(self, cache: Cache) -> Array:
        bias, rows = cache.b.copy(), slice(2 * self.units)  # those of r and z
        bias[rows] += cache.c[rows]
        return bias

    def step(self, t: int, cache: Cache) -> None:
        gates, h, h_t, n = cache.gates[t], cache.h[t], cache.h[t + 1], self.units
        from_h = product(cache.U, h, cache.from_h)
        gates[: 2 * n] += from_h[: 2 * n]
        sigmoid(gates[: 2 * n], out=gates[: 2 * n])
        r, z, g = gates.reshape(3, n, -1)
        q = np.add(from_h[2 * n :], cache.c[2 * n :], out=cache.q[t])
        g += np.multiply(r, q, out=cache.part)
        tanh(g, out=g)
        np.multiply(z, np.subtract(h, g, out=h_t), out=h_t)  # h[t] = g + z · (h[t-1] - g)
        h_t += g

    def step_back(self, t: int, cache: Cache) -> None:
        gates, dgates, dg, n = cache.gates[t], cache.dgates[t], cache.dg[t], self.units
        dh, douts = cache.dh, cache.douts
        r, z, g = gates.reshape(3, n, -1)
        dr, dz = douts.reshape(2, n, -1)
        stays = np.multiply(dh, z, out=cache.part)
        tanh_back(np.subtract(dh, stays, out=dr), None, g, out=dg)
        np.multiply(dg, cache.q[t], out=dr)
        np.multiply(dh, np.subtract(cache.h[t], g, out=dz), out=dz)
        sigmoid_back(douts, None, gates[: 2 * n], out=dgates[: 2 * n])
        np.multiply(dg, r, out=dgates[2 * n :])
        product(cache.U.T, dgates, dh)
        dh += stays

    def h_gradients(self, cache: Cache) -> None:
        dQ, h = cache.wide_gates, cache.wide_h
        fill_gradients(columns(dQ), columns(h), cache, cache.dU, cache.dc)
        np.copyto(dQ[2 * self.units :], cache.dg.swapaxes(0, 1))  # dG, for `input_gradients`
