"""Self-attention."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import flag, integer
from tinynet._support.products import product
from tinynet._support.quiet import within
from tinynet.activations import Softmax
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer
from tinynet.layers.base import Layer, Parameter, Scratch, columns, init_field
from tinynet.layers.positions import as_columns, fill_gradients, sequence_shape

softmax, softmax_back = within(Softmax().forward), within(Softmax().back)

_SHORT = 1024  # steps: the masks of so many may outlive their model


@attrs.frozen(slots=False)
class SelfAttention(Layer):
    r"""Each step gets a mean of all steps, with weights that follow from the steps themselves.

    For each step of A_prev (n, T, m), Q, K and V are vectors of n numbers, divided into `heads` of
    k = n / heads numbers. In each head of an example, Q, K and V are (k, T)::

        [Q, K, V] = W A_prev + b                    at each step
        S         = Kᵀ Q / sqrt(k)                  (T, T): a score for each key and query
        P         = softmax(S)                      over the keys: each column sums to 1
        H         = V P                             (k, T)
        Z         = W_out [H of all heads] + b_out  at each step

    With `causal`, S is -infinity where a key comes after the query, so that a step gets nothing
    from later ones. In reverse, with the sums over all steps, and m examples::

        dW_out = dZ Hᵀ / m      db_out = sum of dZ / m      dH = W_outᵀ dZ
        dV = dH Pᵀ              dP = Vᵀ dH                  dS = P · (dP - Σ_keys P · dP)
        dQ = K dS / sqrt(k)     dK = Q dSᵀ / sqrt(k)
        dW = [dQ, dK, dV] A_prevᵀ / m     db = sum of [dQ, dK, dV] / m
        dA_prev = Wᵀ [dQ, dK, dV]

    W is (3n, n) with the rows of Q, K and V in this order, b is (3n, 1), W_out is (n, n), and b_out
    is (n, 1). They are ``in_proj_weight``, ``in_proj_bias``, ``out_proj.weight`` and
    ``out_proj.bias`` of PyTorch's ``nn.MultiheadAttention(n, heads)``. Steps have no positions:
    without `causal`, other positions of the same steps give the same Z at those positions.

    Parameters
    ----------
    heads : int
        Number of heads, which must divide n.
    causal : bool
        Whether a step sees itself and those before it only, as in a model that predicts the next
        step.
    init : str, Initializer or config
        How the matrices for Q, K, V and W_out are drawn, each by itself; by keyword. The biases
        start at zero.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    Raises
    ------
    ShapeError
        If the input is not (n, T, m), or if `heads` does not divide n.

    References
    ----------
    A. Vaswani and others, "Attention is all you need", NeurIPS 2017, section 3.2,
    https://arxiv.org/abs/1706.03762.

    >>> SelfAttention(4, causal=True).output_shape((32, 50))
    (32, 50)
    """

    heads: int = integer()
    causal: bool = flag(False)
    init: Initializer = init_field("glorot_uniform")

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        n, _ = sequence_shape(input_shape)
        if n % self.heads:
            divisors = ", ".join([str(d) for d in range(1, min(n, 64) + 1) if n % d == 0])
            found = f"The input has n = {n} features, expected a multiple of heads={self.heads}"
            raise ShapeError(f"{found}. Choose heads from {divisors}, or another n.")
        W = Parameter((3 * n, n), (self.init,) * 3, decays=True)
        W_out = Parameter((n, n), self.init, decays=True)
        b, b_out = Parameter((3 * n, 1)), Parameter((n, 1))
        return {"W": W, "b": b, "W_out": W_out, "b_out": b_out}

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        (n, T), heads = input_shape, self.heads
        in_heads, scores = (heads, m, n // heads, T), (T, heads, m, T)
        return {
            "room": (n, T, m), "wide": (3 * n, T, m), "wide_H": (n, T, m), "wide_dH": (n, T, m),
            "QKV": (3, *in_heads), "dQKV": (3, *in_heads), "H": in_heads, "dH": in_heads,
            "S": scores, "P": scores, "dS": scores,
        }  # fmt: skip

    # The numbers of a head lie in memory as matrices (k, T), which np.matmul multiplies with BLAS.
    # Softmax adds up over the first axis, so this is that of the keys in S, P and dS.

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        S, wide, wide_H = cache.S, columns(cache.wide), cache.wide_H
        product(cache.W, as_columns(A_prev, cache.room), wide)
        wide += cache.b
        np.copyto(cache.QKV, _in_heads(cache.wide, cache.QKV))
        Q, K, V = cache.QKV
        Q *= 1 / math.sqrt(Q.shape[-2])
        np.matmul(_transposed(K), Q, out=_matrices(S))
        if self.causal:
            S += _hiding_later_keys(cache)
        P = _matrices(softmax(S, out=cache.P))
        np.copyto(_in_heads(wide_H, cache.H), np.matmul(V, P, out=cache.H))
        Z = np.empty_like(wide_H) if cache.Z is None else cache.Z
        wide_Z = product(cache.W_out, columns(wide_H), columns(Z))
        wide_Z += cache.b_out
        return Z

    def back(self, dZ: Array, cache: Cache) -> Any:
        wide_dZ, dA_prev = as_columns(dZ, cache.room), cache.dA_prev
        fill_gradients(wide_dZ, columns(cache.wide_H), cache, cache.dW_out, cache.db_out)
        product(cache.W_out.T, wide_dZ, columns(cache.wide_dH))
        np.copyto(cache.dH, _in_heads(cache.wide_dH, cache.dH))
        self._back_through_heads(cache)
        dQKV, wide_A = columns(cache.wide), as_columns(cache.A_prev, cache.room)
        fill_gradients(dQKV, wide_A, cache, cache.dW, cache.db)
        if dA_prev is not None:
            product(cache.W.T, dQKV, columns(dA_prev))
        return dA_prev

    def _back_through_heads(self, cache: Cache) -> None:
        """Fill ``cache.wide`` with dQ, dK and dV, from dH."""
        (Q, K, V), (dQ, dK, dV), dH = cache.QKV, cache.dQKV, cache.dH
        np.matmul(dH, _transposed(_matrices(cache.P)), out=dV)
        dP = cache.S  # nobody needs S any more
        np.matmul(_transposed(V), dH, out=_matrices(dP))
        dS = _matrices(softmax_back(dP, None, cache.P, out=cache.dS))
        np.matmul(K, dS, out=dQ)
        dQ *= 1 / math.sqrt(Q.shape[-2])
        np.matmul(Q, _transposed(dS), out=dK)  # in the cache, Q has been divided by sqrt(k)
        np.copyto(_in_heads(cache.wide, cache.dQKV), cache.dQKV)


def _in_heads(wide: Array, like: Array) -> Array:
    """Return a view of features at all steps (…, T, m) as `like` is, (…, heads, m, k, T)."""
    *before, m, k, T = like.shape
    return np.moveaxis(wide.reshape(*before, k, T, m), -1, -3)


def _matrices(scores: Array) -> Array:
    """Return scores (keys, heads, m, queries) as matrices (heads, m, keys, queries)."""
    return scores.transpose(1, 2, 0, 3)


def _transposed(matrices: Array) -> Array:
    return matrices.swapaxes(-1, -2)


def _hiding_later_keys(cache: Cache) -> Array:
    """Return (T, 1, 1, T) with -infinity where a key comes after the query, and 0 elsewhere.

    A large one is made once for each batch size, and freed with the arrays of that size.
    """
    T, dtype = len(cache.S), cache.S.dtype
    if T <= _SHORT:
        return _kept_hiding(T, dtype)
    hiding: Array | None = vars(cache).get("hiding")
    if hiding is None:
        hiding = vars(cache)["hiding"] = _hiding(T, dtype)
    return hiding


def _hiding(T: int, dtype: np.dtype[Any]) -> Array:
    hiding = np.where(np.tri(T, k=-1, dtype=bool), -np.inf, 0).astype(dtype)
    hiding.flags.writeable = False
    return hiding[:, np.newaxis, np.newaxis]


_kept_hiding = functools.lru_cache(maxsize=4)(_hiding)
