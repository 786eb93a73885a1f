"""Layers made of layers: the chains in their fields, and what a chain lacks to give a shape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tinynet._support.arrays import Shape
from tinynet.layers.base import Layer

Chain = tuple[Layer, ...]


def as_chain(value: Any, name: str) -> Chain:
    """Return the layers of a chain, which may be given by names or configs; `name` says which."""
    if isinstance(value, (Layer, Mapping, str)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {value!r}, expected a list of layers. Use [{value!r}].")
    layers = tuple(map(Layer.get, value))
    if not layers:
        raise ValueError(
            f"{name} is empty, expected at least one layer. For a chain that returns its input, "
            'use [Activate("identity")].'
        )
    return layers


def _of_field(value: Any, field: attrs.Attribute[Any]) -> Chain:
    return as_chain(value, field.name)


def _as_layers(value: Any) -> Chain:  # by itself, because type checkers read a plain converter
    return as_chain(value, "layers")


def chain_field() -> Any:
    """Return a field for a chain: a list of layers, which becomes a tuple.

    In a layer made of two chains:

    >>> import tinynet as tn
    >>> @attrs.frozen(slots=False)
    ... class Product(tn.Layer):
    ...     one: tuple = chain_field()
    ...     other: tuple = chain_field()
    ...
    ...     @property
    ...     def chains(self):
    ...         return self.one, self.other
    ...
    ...     def forward(self, A_prev, cache):
    ...         one, other = cache.chains
    ...         cache.factors = one.forward(A_prev), other.forward(A_prev)
    ...         return cache.factors[0] * cache.factors[1]
    ...
    ...     def back(self, dZ, cache):
    ...         (one, other), (A_one, A_other) = cache.chains, cache.factors
    ...         return one.back(dZ * A_other) + other.back(dZ * A_one)
    >>> product = Product([tn.Dense(3, "tanh")], [tn.Dense(3, "sigmoid")])
    >>> tn.testing.check_layer(product, 3)
    """
    return attrs.field(converter=attrs.Converter(_of_field, takes_field=True))


@attrs.frozen(slots=False)
class Composite(Layer):
    """Base of layers that are made of one chain of layers.

    A subclass defines `forward` and `back`, in which ``cache.chains[0]`` takes the chain forward
    and back, and `output_shape`, if Z has another shape than A_prev.

    Parameters
    ----------
    layers : sequence of Layer, str or config
        The layers of the chain, at least one.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    >>> import tinynet as tn
    >>> tn.Residual(["flatten", tn.Dropout(0.2)]).layers
    (Flatten(), Dropout(rate=0.2))
    """

    layers: Chain = attrs.field(converter=_as_layers)

    @classmethod
    def _expect_fewer(cls, values: tuple[Any, ...]) -> None:
        if all(isinstance(value, Layer) for value in values):
            found = f"{cls.__name__} got {len(values)} layers, expected a list of them"
            raise TypeError(f"{found}. Use {cls.__name__}({[*values]!r}).")
        super()._expect_fewer(values)

    @property
    def chains(self) -> tuple[Chain, ...]:
        return (self.layers,)


def have_padding(chain: Chain) -> bool:
    """Return whether a layer of a chain has padding, which decides about the size of an image."""
    return any(hasattr(layer, "padding") for layer in chain)


def completion(chain: Chain, name: str, found: Shape, expected: Shape) -> str:
    """Return what to write so that a chain returns one shape in place of another."""
    if found[1:] == expected[1:]:
        return f"End {name} with Dense({expected[0]})."
    if len(found) == len(expected) and have_padding(chain):
        return f'In {name}, padding="same" and stride=1 keep the axes after the first.'
    if len(found) < len(expected) and any(hasattr(layer, "sequences") for layer in chain):
        return f"In {name}, a recurrent layer keeps the time axis with sequences=True."
    reshape = f", Reshape({expected})" if len(expected) > 1 else ""
    return f"End {name} with Flatten(), Dense({math.prod(expected)}){reshape}."
