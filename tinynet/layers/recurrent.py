"""What recurrent layers share, the chain of steps; and the simplest one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import flag, integer
from tinynet._support.products import product
from tinynet._support.quiet import within
from tinynet.activations import Sigmoid, Tanh
from tinynet.initializers import Initializer, Orthogonal
from tinynet.layers.base import Layer, Parameter, Scratch, columns, init_field
from tinynet.layers.positions import as_columns, fill_gradients, sequence_shape

# A model switches floating-point flags off once, for the formulas within its layers too.
sigmoid, sigmoid_back = within(Sigmoid().forward), within(Sigmoid().back)
tanh, tanh_back = within(Tanh().forward), within(Tanh().back)


@attrs.frozen(slots=False)
class Recurrent(Layer):
    r"""Base of layers that go through a sequence step by step.

    h[t], the output of step t, follows from x[t] = A_prev[:, t - 1] and h[t-1]. W and b are for
    the input, and U is for h. Each has a block of n rows for every gate::

        gates[t] = W x[t] + b                           for all steps at once
        h[t]     = a function of gates[t] and U h[t-1]  step by step from h[0] = 0
        Z        = h[1] ... h[T], or h[T]

    In reverse, where dG[t] is the gradient of both W x[t] + b and U h[t-1], with m examples::

        dh[t-1] = Uᵀ dG[t] + dZ of step t-1             step by step from t = T
        dW      = Σ_t dG[t] x[t]ᵀ / m                   for all steps at once
        dU      = Σ_t dG[t] h[t-1]ᵀ / m
        db      = Σ_t sum of dG[t] over the examples / m
        dx[t]   = Wᵀ dG[t]

    A subclass computes one step, forward and back. ``cache.gates``, ``cache.dgates`` (T, rows, m)
    and ``cache.h`` (T + 1, n, m) have the steps as their first axis, so that the numbers of a step
    are side by side. For products with all steps at once they are copied to ``cache.wide_gates``
    (rows, T, m) and ``cache.wide_h`` (n, T, m).

    >>> import tinynet as tn
    >>> {name: p.shape for name, p in tn.LSTM(3).parameters((2, 5)).items()}
    {'W': (12, 2), 'U': (12, 3), 'b': (12, 1)}
    """

    n_gates: ClassVar[int] = 1
    units: int = integer()
    sequences: bool = flag(False)
    init: Initializer = init_field("glorot_uniform")

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        n_prev, _ = sequence_shape(input_shape)
        n, n_gates = self.units, self.n_gates
        rows = n_gates * n
        W = Parameter((rows, n_prev), (self.init,) * n_gates, decays=True)
        U = Parameter((rows, n), (Orthogonal(),) * n_gates, decays=True)
        return {"W": W, "U": U, "b": Parameter((rows, 1))}

    def output_shape(self, input_shape: Shape) -> Shape:
        _, T = sequence_shape(input_shape)
        return (self.units, T) if self.sequences else (self.units,)

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        (n_prev, T), n, rows = input_shape, self.units, self.n_gates * self.units
        return {
            "h": Scratch((T + 1, n, m), fill=0), "dh": (n, m), "from_h": (rows, m), "part": (n, m),
            "gates": (T, rows, m), "dgates": (T, rows, m),
            "wide_gates": (rows, T, m), "wide_h": (n, T, m), "room": (n_prev, T, m),
        }  # fmt: skip

    @abstractmethod
    def step(self, t: int, cache: Cache) -> None:
        """Fill ``cache.h[t + 1]`` from ``cache.h[t]`` and ``cache.gates[t]``; t is 0 ... T - 1."""

    @abstractmethod
    def step_back(self, t: int, cache: Cache) -> None:
        """Fill ``cache.dgates[t]``, and let ``cache.dh`` be that of the step before."""

    def input_bias(self, cache: Cache) -> Array:
        """Return what is added to W x for all steps at once."""
        return cache.b

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        gates, h, wide = cache.gates, cache.h, columns(cache.wide_gates)
        product(cache.W, as_columns(A_prev, cache.room), wide)
        wide += self.input_bias(cache)
        np.copyto(gates, cache.wide_gates.swapaxes(0, 1))
        for t in range(len(gates)):
            self.step(t, cache)
        return np.positive(h[1:].swapaxes(0, 1) if self.sequences else h[-1], out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        dh = cache.dh
        np.copyto(dh, 0 if self.sequences else dZ)
        for t in reversed(range(len(cache.gates))):
            if self.sequences:
                dh += dZ[:, t]
            self.step_back(t, cache)
        np.copyto(cache.wide_gates, cache.dgates.swapaxes(0, 1))
        np.copyto(cache.wide_h, cache.h[:-1].swapaxes(0, 1))
        self.h_gradients(cache)
        return self.input_gradients(cache)

    def h_gradients(self, cache: Cache) -> None:
        """Fill dU from ``cache.wide_h`` and the gradients in ``cache.wide_gates``."""
        dG, h = cache.wide_gates, cache.wide_h
        fill_gradients(columns(dG), columns(h), cache, cache.dU)

    def input_gradients(self, cache: Cache) -> Any:
        """Fill dW and db from the gradients in ``cache.wide_gates``, and return dA_prev."""
        dG, A_prev, dA_prev = columns(cache.wide_gates), cache.A_prev, cache.dA_prev
        wide_A = as_columns(A_prev, cache.room)
        fill_gradients(dG, wide_A, cache, cache.dW, cache.db)
        if dA_prev is not None:
            product(cache.W.T, dG, columns(dA_prev))
        return dA_prev


@attrs.frozen(slots=False)
class SimpleRNN(Recurrent):
    r"""h[t] = tanh(W x[t] + b + U h[t-1]), for t = 1 ... T from h[0] = 0.

    x[t] is step t of A_prev, which is (n_prev, T, m): T steps of n_prev features. In reverse,
    dG[t] = dh[t] · (1 - h[t]²), and with m examples::

        dW      = Σ_t dG[t] x[t]ᵀ / m           dx[t]   = Wᵀ dG[t]
        dU      = Σ_t dG[t] h[t-1]ᵀ / m         dh[t-1] = Uᵀ dG[t] + dZ of step t-1
        db      = Σ_t sum of dG[t] over the examples / m

    W is (n, n_prev), U is (n, n), and b is (n, 1). PyTorch's ``nn.RNN`` has two biases, whose sum
    is b. A gradient that goes through many steps vanishes or grows: `LSTM` and `GRU` are for long
    sequences.

    Parameters
    ----------
    units : int
        Number of outputs n, at least 1.
    sequences : bool
        Whether Z is h of all steps, (n, T, m), or h of the last step, (n, m).
    init : str, Initializer or config
        How W is drawn; by keyword. U is orthogonal. b starts at zero.
    activation : str, Activation or config
        What the model applies to Z, after the last step; by keyword. The tanh is not a setting.

    Raises
    ------
    ShapeError
        If the input is not (n_prev, T, m).

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990), 179-211.

    >>> SimpleRNN(20).output_shape((8, 50)), SimpleRNN(20, sequences=True).output_shape((8, 50))
    ((20,), (20, 50))
    """

    def step(self, t: int, cache: Cache) -> None:
        gates, h = cache.gates[t], cache.h
        gates += product(cache.U, h[t], cache.from_h)
        tanh(gates, out=h[t + 1])

    def step_back(self, t: int, cache: Cache) -> None:
        dgates = tanh_back(cache.dh, None, cache.h[t + 1], out=cache.dgates[t])
        product(cache.U.T, dgates, cache.dh)
