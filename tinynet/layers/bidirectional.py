"""A recurrent layer that reads a sequence from both ends."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet.layers.base import Layer
from tinynet.layers.composite import Chain
from tinynet.layers.positions import sequence_shape


def _as_layer(value: Any) -> Layer:
    layer = Layer.get(value)
    if layer.takes == "indices":
        found = f"Bidirectional: layer is {layer!r}, which takes indices, expected a layer that"
        raise ValueError(f"{found} takes sequences (n, T, m). Put {layer!r} before Bidirectional.")
    return layer


@attrs.frozen(slots=False)
class Bidirectional(Layer):
    """Z = what a layer makes of a sequence, above what another makes of it in reverse.

    Both have the same description, and parameters of their own: ``model.W[l, 1, 1]`` reads forward
    in time, ``model.W[l, 2, 1]`` reads backward. A_prev is (n, T, m). If the layer returns
    sequences (n_out, T, m), those of the second are reversed again, so that step t of Z belongs to
    step t of A_prev, and Z is (2 · n_out, T, m). If it returns its last step (n_out, m), then Z is
    (2 · n_out, m): what each has when it has read the whole sequence, as h_n of PyTorch.

    Parameters
    ----------
    layer : Layer, str or config
        ``LSTM(n)``, ``GRU(n)``, ``SimpleRNN(n)``, or any other layer that takes (n, T, m).
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    Raises
    ------
    ShapeError
        If the input is not (n, T, m).
    ValueError
        If the layer takes indices, as `Embedding` does.

    References
    ----------
    M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on
    Signal Processing 45 (1997), 2673-2681.

    >>> from tinynet import LSTM, Dense, Sequential
    >>> model = Sequential([Bidirectional(LSTM(5)), Dense(1)], inputs=(3, 20))
    >>> list(model.W), model.W[2].shape
    ([(1, 1, 1), (1, 2, 1), 2], (1, 10))
    """

    layer: Layer = attrs.field(converter=_as_layer)

    @property
    def chains(self) -> tuple[Chain, ...]:
        return (self.layer,), (self.layer,)

    def chain_input_shape(self, input_shape: Shape) -> Shape:
        sequence_shape(input_shape)  # or an error
        return input_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        n, *others = self.chain_output_shapes(input_shape)[0]
        return (2 * n, *others)

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        output_shape = self.chain_output_shapes(input_shape)[0]
        return {"reversed": (*input_shape, m), "dA_reversed": (*output_shape, m)}

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        forward, backward = cache.chains
        np.copyto(cache.reversed, A_prev[:, ::-1])
        A = backward.forward(cache.reversed)
        return np.concatenate([forward.forward(A_prev), _reversed(A)], out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        is_needed = cache.dA_prev is not None
        forward, backward = cache.chains
        n = len(dZ) // 2
        np.copyto(cache.dA_reversed, _reversed(dZ[n:]))
        dA_prev = forward.back(dZ[:n], input_gradient=is_needed)
        reversed_dA_prev = backward.back(cache.dA_reversed, input_gradient=is_needed)
        if not is_needed:
            return None
        return np.add(dA_prev, reversed_dA_prev[:, ::-1], out=cache.dA_prev)


def _reversed(A: Array) -> Array:
    """Return a sequence (n, T, m) in reverse, and (n, m), which has no time, as it is."""
    return A[:, ::-1] if A.ndim > 2 else A
