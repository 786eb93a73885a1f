"""Converters by class: how a layer, an activation or a module is written in another library.

A converter is a function that `functools.singledispatch` finds by the class of its first argument.
A custom class registers its own with one decorator::

    @tn.exchange.onnx_activation.register
    def _(activation: Swish, graph, Z):
        return graph.op("Mul", Z, graph.op("Sigmoid", Z))
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from tinynet.errors import ConversionError

# What a subclass may define and still compute the same A from the same A_prev: it says how to go
# back, what to print, and where parameters begin. Every subclass has `_abc_impl`, of Python's abc.
_SAME_RESULT = {
    "back", "bind_back", "step_back", "h_gradients", "input_gradients", "input_gradient",
    "gamma_gradient", "input_probe", "scratch", "penalty", "is_penalized", "least_examples",
    "registered_name", "init", "range", "sums_to_1", "extra_repr", "reset_parameters", "_abc_impl",
}  # fmt: skip


def converter(converters: Any, thing: Any) -> Callable[..., Any]:
    """Return the converter for the class of a thing.

    The converter of a parent is used only for a class that changes nothing in what its parent
    computes; any other gets the converter for everything, which usually refuses.

    >>> import functools
    >>> @functools.singledispatch
    ... def letter(number):
    ...     return "?"
    >>> letter.register(int, lambda number: "i")  # doctest: +ELLIPSIS
    <function ...>
    >>> class Small(int):
    ...     pass
    >>> class Negative(int):
    ...     def __neg__(self):
    ...         return self
    ...     def bit_length(self):
    ...         return 1
    >>> [converter(letter, number)(number) for number in (1, Small(1), Negative(1), 1.0)]
    ['i', 'i', '?', '?']
    """
    kinds = type(thing).__mro__
    k = next(k for k, kind in enumerate(kinds) if kind in converters.registry)
    known = object if _computes_otherwise(kinds[:k], kinds[k]) else kinds[k]
    return converters.registry[known]


def _computes_otherwise(kinds: tuple[type, ...], parent: type) -> bool:
    """Return whether subclasses define what their parent has, beside what changes no result."""
    return any(
        name not in _SAME_RESULT and not name.startswith("__") and hasattr(parent, name)
        for kind in kinds
        for name in vars(kind)
    )


def no_counterpart(thing: Any, library: str, converters: Any) -> ConversionError:
    """Return the error for something that has no converter to a library."""
    name = f"tn.exchange.{converters.__name__}"
    kind = type(thing).__name__
    return ConversionError(
        f"{thing!r} has no counterpart in {library}. Register a converter for it: "
        f"@{name}.register above def convert({_first_parameter(converters)}: {kind}, ...)."
    )


def _first_parameter(function: Callable[..., Any]) -> str:
    return next(iter(inspect.signature(function).parameters))


@contextlib.contextmanager
def naming(title: str) -> Iterator[None]:
    """Have a `ConversionError` begin with the layer or module that it is about.

    Of layers within layers, that is the innermost.
    """
    try:
        yield
    except ConversionError as error:
        if error.where:
            raise
        placed = ConversionError(f"{title[0].upper()}{title[1:]}: {error}")
        placed.where = title
        raise placed from error.__cause__
