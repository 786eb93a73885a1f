"""Exact slopes of elementwise functions, by carrying them along with the values.

A `Dual` is a value and its slope along the input. NumPy hands its functions a Dual; each
applies the chain rule with its derivative from a table, and what stands in none is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._buffers import Array

# ufunc: its partial derivatives, from the arguments and the result f; at a tie, that of v
_PARTIALS: dict[Any, Callable[..., tuple[Any, ...]]] = {
    np.negative: lambda u, f: (-1.0,), np.abs: lambda u, f: (np.sign(u),), np.square: lambda u, f: (2 * u,),
    np.exp: lambda u, f: (f,), np.expm1: lambda u, f: (f + 1,), np.log: lambda u, f: (1 / u,),
    np.log1p: lambda u, f: (1 / (1 + u),), np.sqrt: lambda u, f: (0.5 / f,), np.arctan: lambda u, f: (1 / (1 + u * u),),
    np.sin: lambda u, f: (np.cos(u),), np.cos: lambda u, f: (-np.sin(u),), np.tanh: lambda u, f: ((1 - f) * (1 + f),),
    np.add: lambda u, v, f: (1.0, 1.0), np.subtract: lambda u, v, f: (1.0, -1.0),
    np.multiply: lambda u, v, f: (v, u), np.divide: lambda u, v, f: (1 / v, -f / v),
    np.maximum: lambda u, v, f: (u > v, u <= v), np.minimum: lambda u, v, f: (u < v, u >= v),
    np.power: lambda u, v, f: (v * u ** (v - 1), f * np.log(u)),
    np.logaddexp: lambda u, v, f: (np.exp(u - f), np.exp(v - f)),
}  # fmt: skip
_FLAT = {np.sign, np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}


def slope(f: Callable[[Any], Any], Z: Array) -> Array:
    """Return the slope of the elementwise function `f` at every entry of `Z`."""
    A = f(Dual(Z, np.ones_like(Z)))
    return np.asarray(A.slope) if isinstance(A, Dual) else np.zeros_like(Z)


class Dual(np.lib.mixins.NDArrayOperatorsMixin):
    """A value and its slope along the input."""

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise _refused("np.asarray", "__call__", kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc not in _FLAT | _PARTIALS.keys():
            raise _refused(f"np.{ufunc.__name__}", method, kwargs)
        values = [u.value if isinstance(u, Dual) else u for u in inputs]
        f = ufunc(*values)
        if ufunc in _FLAT:
            return f
        with np.errstate(all="ignore"):  # a derivative may be infinite where no slope flows through it
            partials = _PARTIALS[ufunc](*values, f)
        slopes = [_chain(p, u.slope) for p, u in zip(partials, inputs, strict=True) if isinstance(u, Dual)]
        return Dual(f, slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1])

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.clip and len(args) == 3 and not kwargs:
            return np.minimum(np.maximum(args[0], args[1]), args[2])
        if function is not np.where or len(args) != 3:
            raise _refused(f"np.{function.__name__}", "__call__", kwargs)
        x, y = (u if isinstance(u, Dual) else Dual(u, np.float32(0)) for u in args[1:])
        return Dual(np.where(args[0], x.value, y.value), np.where(args[0], x.slope, y.slope))


def _chain(partial: Any, inner: Array) -> Array:
    # Where one factor is zero nothing flows, though the other be infinite: exp(-Z) in Z/(1 + exp(-Z)).
    return np.multiply(partial, inner, where=(inner != 0) & (partial != 0), out=np.zeros_like(inner))


def _refused(what: str, method: str, keywords: Any) -> TypeError:
    how = "" if method == "__call__" else f".{method}"
    return TypeError(
        f"{what}{how}{' with ' + ', '.join(keywords) if keywords else ''} is not differentiated for you: it is not "
        "elementwise, or its derivative is not known here; write def back(self, dA, Z, A): return dA * ..."
    )
