"""Which activation some nodes compute, whatever operators they are written with.

Their results on a table of numbers are compared with those of every registered activation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet.activations import CELU, ELU, GELU, Activation, LeakyReLU
from tinynet.errors import ConversionError
from tinynet.exchange.converters import naming
from tinynet.exchange.onnx.reading.elementwise import OPERATORS, computed
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.node import setting
from tinynet.exchange.onnx.reading.regions import Region

_MOST_COMPARED = 2_000  # results for one graph, which takes a quarter of a second
# Numbers on which activations differ: near 0 and their corners, between, and far away.
_CORNERS = (-6.0, -3.0, -1e-3, -1e-6, 0.0, 1e-6, 1e-3, 3.0, 6.0)
_NEAR = np.concatenate([np.linspace(-9.1, 9.3, 137), _CORNERS])
_FAR = np.array([-1e5, -1e3, -300, -80, -30, 30, 80, 300, 1e3, 1e5, -1e30, 1e30])
TABLE = np.concatenate([_NEAR, _FAR])
_MINUS_3 = len(_NEAR) - len(_CORNERS) + 1
_LEFTMOST = len(_NEAR)
_ABOVE = np.flatnonzero((TABLE > 0) & (np.abs(TABLE) < 100))
# A constant in float32, or written with seven digits, changes a result by some 1e-7 of it.
# Activations differ by 5e-4 and more.
_RELATIVE, _ABSOLUTE = 3e-6, 1e-6

# Activations with a setting, and what it is if a result is theirs.
_FITTED: dict[Any, Callable[[Array], float]] = {
    LeakyReLU: lambda A: float(A[_MINUS_3] / -3),
    ELU: lambda A: -float(A[_LEFTMOST]),
    CELU: lambda A: -float(A[_LEFTMOST]),
}


@attrs.define
class Recognizer:
    """Recognizes the activations of a graph: those of the library, and `custom` ones."""

    graph: Graph
    known: Candidates
    custom: Candidates
    n_compared: int = 0

    def first(self, regions: Sequence[Region], rank: int) -> tuple[Activation, int] | None:
        """Return the activation that the first regions compute, as many as possible, and how many.

        `rank` is the number of axes of what they get.
        """
        found, A = None, TABLE
        for k, region in enumerate(regions, 1):
            scalars = _scalars(region, self.graph.constants, rank)
            if scalars is None:
                break
            with naming(region.title):
                A = computed(region, scalars, A)
                activation = self._with_result(A)
            found = found if activation is None else (activation, k)
        return found

    def _with_result(self, A: Array) -> Activation | None:
        self.n_compared += 1
        if self.n_compared > _MOST_COMPARED:
            raise ConversionError("The activations up to here consist of too many operators.")
        fitted = _fitted(A, self.graph.dtype)
        return self.known.first(A) or candidates(fitted).first(A) or self.custom.first(A)


@attrs.frozen
class Candidates:
    """Activations and their results, a row each."""

    activations: Sequence[Activation]
    results: Array

    def first(self, A: Array) -> Activation | None:
        """Return the first activation with the result A."""
        with np.errstate(invalid="ignore"):
            is_close = np.abs(self.results - A) <= _ABSOLUTE + _RELATIVE * np.abs(self.results)
        is_close[:, _LEFTMOST:] |= ~np.isfinite(A[_LEFTMOST:])  # the graph's formula overflows
        at = np.flatnonzero(is_close.all(axis=1))
        return self.activations[at[0]] if at.size else None


def candidates(activations: Iterable[Activation]) -> Candidates:
    """Return those activations that compute a number for each of the table."""
    results = {activation: _result(activation) for activation in activations}
    found = {activation: A for activation, A in results.items() if A is not None}
    return Candidates(list(found), np.array(list(found.values())).reshape(-1, len(TABLE)))


def recognizer(graph: Graph) -> Recognizer:
    """Return what recognizes the activations of a graph."""
    registered = [each for name in Activation.names() if (each := _with_defaults(name))]
    known = [each for each in registered if _is_of_library(each)]
    plain = [each for each in known if type(each) not in _FITTED]
    custom = [each for each in registered if each not in known]
    return Recognizer(graph, candidates([*plain, GELU(approximate=True)]), candidates(custom))


def _fitted(A: Array, dtype: np.dtype[Any]) -> list[Activation]:
    """Return the activations with a setting whose results may be A; all are Z above 0."""
    with np.errstate(invalid="ignore"):
        if not (np.abs(A[_ABOVE] - TABLE[_ABOVE]) <= _RELATIVE * TABLE[_ABOVE]).all():
            return []
    settings = [(kind, float(f"{fit(A):.15g}")) for kind, fit in _FITTED.items()]
    return [
        kind(setting(value, dtype))
        for kind, value in settings
        if np.isfinite(value) and (kind is not CELU or value > 0)
    ]


def _is_of_library(activation: Activation) -> bool:
    return type(activation).__module__.startswith("tinynet.activations.")


def _with_defaults(name: str) -> Activation | None:
    """Return an activation by its name, unless it has a setting without a default."""
    try:
        return Activation.get(name)
    except TypeError:
        return None


def _result(activation: Activation) -> Array | None:
    """Return A for the table, or None if a custom activation is not for a column of such numbers.

    As a column, because an activation of all units differs then from one of single numbers.
    """
    Z = TABLE[:, np.newaxis].copy()
    try:
        with np.errstate(all="ignore"):
            A = np.asarray(activation.forward(Z), np.float64)
    except Exception:  # whatever it raises, it computes nothing to compare with
        return None
    return A[:, 0] if A.shape == Z.shape else None


def _scalars(region: Region, constants: Mapping[str, Array], rank: int) -> dict[str, Array] | None:
    """Return the constants of a region as single numbers, if all its nodes are elementwise."""
    scalars = {}
    for node in region.nodes:
        if node.op not in OPERATORS:
            return None
        for name in filter(constants.__contains__, node.inputs):
            array = constants[name]
            if array.size != 1 or array.ndim > rank:
                return None
            is_float = array.dtype.kind == "f"
            scalars[name] = array.reshape(()).astype(np.float64 if is_float else array.dtype)
    return scalars
