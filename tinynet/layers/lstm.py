"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.products import product
from tinynet.initializers import Constant, Zeros
from tinynet.layers.base import Parameter, Scratch
from tinynet.layers.recurrent import Recurrent, sigmoid, sigmoid_back, tanh, tanh_back


@attrs.frozen(slots=False)
class LSTM(Recurrent):
    r"""h[t] = o · tanh(c[t]), where the cell c carries what gates let in and leave in it.

    For t = 1 ... T from h[0] = c[0] = 0, where x[t] is step t of A_prev (n_prev, T, m)::

        i, f, o = sigmoid(W x[t] + b + U h[t-1])     three blocks of n rows: input, forget, output
        g       = tanh(W x[t] + b + U h[t-1])        the fourth block: the candidate
        c[t]    = f · c[t-1] + i · g
        h[t]    = o · tanh(c[t])

    In reverse, with dh and dc of step t::

        do = dh · tanh(c[t])       dc += dh · o · (1 - tanh(c[t])²)
        di = dc · g                df = dc · c[t-1]                   dg = dc · i
        dG = [di · i · (1 - i), df · f · (1 - f), do · o · (1 - o), dg · (1 - g²)]
        dc[t-1] = dc · f           dh[t-1] = Uᵀ dG + dZ of step t-1

    and dW, dU, db and dx[t] follow from dG as in `SimpleRNN`. W is (4n, n_prev), U is (4n, n) and b
    is (4n, 1), with the rows of i, f, o and g in this order. PyTorch has i, f, g, o and two biases,
    whose sum is b. Keras has i, f, c, o, where c is g here.

    Parameters
    ----------
    units : int
        Number of outputs n, at least 1.
    sequences : bool
        Whether Z is h of all steps, (n, T, m), or h of the last step, (n, m).
    init : str, Initializer or config
        How W is drawn, each gate by itself; by keyword. U is orthogonal for each gate. b starts at
        zero, but at 1 for the forget gate, as in Keras: then c lasts at first (Gers, Schmidhuber
        and Cummins 2000; Jozefowicz, Zaremba and Sutskever 2015).
    activation : str, Activation or config
        What the model applies to Z, after the last step; by keyword. sigmoid and tanh within the
        steps are not a setting.

    Raises
    ------
    ShapeError
        If the input is not (n_prev, T, m).

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997),
    1735-1780; the forget gate is of F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget:
    continual prediction with LSTM", Neural Computation 12 (2000), 2451-2471.

    >>> LSTM(20).output_shape((8, 50)), LSTM(20, sequences=True).output_shape((8, 50))
    ((20,), (20, 50))
    """

    n_gates: ClassVar[int] = 4

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        b = Parameter((4 * self.units, 1), (Zeros(), Constant(1.0), Zeros(), Zeros()))
        return super().parameters(input_shape) | {"b": b}

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        n, T = self.units, input_shape[1]
        return {
            **super().scratch(input_shape, m),
            "c": Scratch((T + 1, n, m), fill=0), "tanh_c": (T, n, m), "dc": (n, m),
            "douts": (4 * n, m),
        }  # fmt: skip

    def step(self, t: int, cache: Cache) -> None:
        gates, h, c, tanh_c = cache.gates[t], cache.h, cache.c, cache.tanh_c[t]
        n = self.units
        gates += product(cache.U, h[t], cache.from_h)
        sigmoid(gates[: 3 * n], out=gates[: 3 * n])
        i, f, o, g = gates.reshape(4, n, -1)
        tanh(g, out=g)
        c_t = np.multiply(f, c[t], out=c[t + 1])
        c_t += np.multiply(i, g, out=cache.part)
        np.multiply(o, tanh(c_t, out=tanh_c), out=h[t + 1])

    def back(self, dZ: Array, cache: Cache) -> Any:
        cache.dc.fill(0)
        return super().back(dZ, cache)

    def step_back(self, t: int, cache: Cache) -> None:
        gates, dgates, tanh_c = cache.gates[t], cache.dgates[t], cache.tanh_c[t]
        dh, dc, douts, n = cache.dh, cache.dc, cache.douts, self.units
        i, f, o, g = gates.reshape(4, n, -1)
        di, df, do, dg = douts.reshape(4, n, -1)
        dc += tanh_back(np.multiply(dh, o, out=do), None, tanh_c, out=cache.part)
        np.multiply(dh, tanh_c, out=do)
        np.multiply(dc, g, out=di)
        np.multiply(dc, cache.c[t], out=df)
        np.multiply(dc, i, out=dg)
        dc *= f
        sigmoid_back(douts[: 3 * n], None, gates[: 3 * n], out=dgates[: 3 * n])
        tanh_back(dg, None, g, out=dgates[3 * n :])
        product(cache.U.T, dgates, dh)
