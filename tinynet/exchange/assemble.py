"""A model from layers, activations and arrays, as they are read from another library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import example_shape
from tinynet.activations import Activation, Identity
from tinynet.errors import ShapeError
from tinynet.layers import Activate, Dropout, Reshape
from tinynet.layers.base import Layer
from tinynet.losses import Loss
from tinynet.model.place import place
from tinynet.sequential import Sequential

_WITHOUT_ACTIVATION = (Activate, Dropout, Reshape)  # they get an Activate behind them


@attrs.frozen
class Part:
    """A layer that was read, with its arrays by our names, and the parts of its chains.

    `source` says where it comes from, for messages.
    """

    layer: Layer
    arrays: Mapping[str, Array] = attrs.field(factory=dict)
    chains: tuple[tuple[Part, ...], ...] = ()
    source: str = ""


def joined(parts: Sequence[Part | Activation]) -> tuple[Part, ...]:
    """Return the parts of a chain, in which an activation belongs to the layer before it.

    A chain is never empty: what does nothing is one layer.

    >>> import tinynet as tn
    >>> parts = joined([Part(tn.Dense(3)), tn.activations.ReLU(), tn.activations.Tanh()])
    >>> [part.layer for part in parts]  # doctest: +NORMALIZE_WHITESPACE
    [Dense(units=3, activation=ReLU(), init='auto', l2=0.0),
     Activate(activation=Tanh())]
    """
    chain: list[Part] = []
    for part in parts:
        if not isinstance(part, Activation):
            chain.append(part)
        elif chain and _takes_activation(chain[-1].layer):
            layer = attrs.evolve(chain[-1].layer, activation=part)
            chain[-1] = attrs.evolve(chain[-1], layer=layer)
        elif not isinstance(part, Identity):
            chain.append(Part(Activate(part)))
    return tuple(chain) or (Part(Activate(Identity())),)


def _takes_activation(layer: Layer) -> bool:
    is_free = isinstance(layer.activation, Identity)
    return is_free and not isinstance(layer, _WITHOUT_ACTIVATION)


def assembled(
    chain: Sequence[Part], loss: str | Loss | None, inputs: int | Shape, dtype: Any
) -> Sequential:
    """Return a model of these layers, with these arrays.

    Raises `ShapeError` for an array whose shape does not fit.
    """
    model = Sequential([part.layer for part in chain], loss, dtype=dtype)
    model.build(place(model.layers, example_shape(inputs)), None)  # nothing is drawn
    for part, placed in zip(_depth_first(chain), model.storage.placed, strict=True):
        for name, view in placed.arrays.items():
            array = part.arrays[name]
            if array.shape != view.shape:
                found = f"{part.source or placed.title}: {name} has shape {array.shape}"
                raise ShapeError(f"{found}, expected {view.shape} for inputs={model.inputs}.")
            view[...] = array
    return model


def _depth_first(chain: Sequence[Part]) -> Iterator[Part]:
    """Yield parts and those within them, in the order of their layers' paths."""
    for part in chain:
        yield part
        for inner in part.chains:
            yield from _depth_first(inner)
