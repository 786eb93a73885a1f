"""Layers at their places in a network: paths, shapes, and what they declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.examples import Indices, Inputs
from tinynet.activations import Activation
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer
from tinynet.layers import Layer, Parameter


class PlacedLayer:
    """A layer at its place in a network: path, shapes, declared arrays, and what a pass calls.

    The path is (l,) for layer l of the model, and (l, k) for layer k of the chain inside layer l.
    """

    def __init__(self, layer: Layer, path: tuple[int, ...], input_shape: Shape) -> None:
        self.layer, self.path, self.input_shape = layer, path, input_shape
        self.label = ".".join(map(str, path))
        self.title = f"layer {self.label} ({type(layer).__name__})"
        if not isinstance(layer.activation, Activation):
            raise wrong_activation(layer, self.title)
        self.key = path[0] if len(path) == 1 else path  # as in model.W[2] and model.W[2, 3]
        self.index = ", ".join(map(str, path))  # the same in a message
        self.parameters: dict[str, Parameter] = {}
        self.state: dict[str, Parameter] = {}
        self.output_shape: Shape = ()
        self.chains: list[list[PlacedLayer]] = []
        self.takes = layer.takes  # or what its chains begin with
        self.params: dict[str, Array] = {}  # views by name, as the storage gives them
        self.grads: dict[str, Array] = {}
        self.state_views: dict[str, Array] = {}
        self.penalty = layer.penalty
        self.is_penalized = layer.is_penalized
        self.is_frozen = False  # then it goes forward as outside training

    @property
    def arrays(self) -> dict[str, Array]:
        """The parameters and the state by name, as views."""
        return self.params | self.state_views

    @property
    def declared(self) -> dict[str, Parameter]:
        """What the layer declares of its parameters and its state, by name."""
        return self.parameters | self.state

    def hold(
        self, params: dict[str, Array], grads: dict[str, Array], state: dict[str, Array]
    ) -> None:
        """Have these views, and a cache of them without the arrays of a batch size."""
        self.params, self.grads, self.state_views = params, grads, state
        views = params | {f"d{name}": view for name, view in grads.items()} | state
        where = f" in {self.title}"
        self.cache = Cache(views, parameters=tuple(params), where=where, A_prev=None)


def first_layers(layer: Layer) -> list[Layer]:
    """Return the first layers of a layer's chains, which get its input, or the layer itself."""
    layers: list[Layer] = []
    for chain in layer.chains:
        if chain:
            layers += first_layers(chain[0])
    return layers or [layer]


def inputs_of(first: Layer, dtype: np.dtype[Any]) -> Inputs:
    """Return what a model with this first layer takes as X."""
    whose = f" for layer 1 ({type(first).__name__})"
    limits = [layer.n_indices for layer in first_layers(first) if layer.takes == "indices"]
    if not limits:
        return Inputs(dtype)
    return Indices(min([n for n in limits if n is not None], default=None), whose)


def wrong_activation(layer: Layer, title: str) -> TypeError:
    """Return the error for a layer whose activation is something else, such as a name."""
    return TypeError(
        f"{title} has the activation {layer.activation!r}, expected an Activation. "
        f"Use tn.Activation.get({layer.activation!r})."
    )


def checked_layers(layers: Any) -> tuple[Layer, ...]:
    """Return the layers of a model, each with an activation."""
    if isinstance(layers, (Layer, Mapping, str)):
        raise TypeError(f"layers is {layers!r}, expected a list. Use Sequential([{layers!r}]).")
    found = tuple(map(Layer.get, layers))
    if not found:
        raise ValueError("layers is empty, expected at least one layer: Sequential([Dense(1)]).")
    for l, layer in enumerate(found, 1):
        if not isinstance(layer.activation, Activation):
            raise wrong_activation(layer, f"layer {l} ({type(layer).__name__})")
        _check_chains(layer, f"layer {l} ({type(layer).__name__})")
    return found


def _check_chains(layer: Layer, title: str) -> None:
    """Refuse chains that are not sequences of layers, within layers too."""
    for chain in layer.chains:
        if isinstance(chain, Layer) or not all(isinstance(inner, Layer) for inner in chain):
            raise TypeError(
                f"{title} has the chains {layer.chains!r}, expected a tuple of chains, each a "
                "tuple of layers. For one chain return (self.layers,), with a comma, and convert "
                "names and configs with tn.Layer.get."
            )
        for inner in chain:
            _check_chains(inner, f"{type(inner).__name__} in {title}")


def place(
    layers: Sequence[Layer], inputs: Shape, within: tuple[int, ...] = ()
) -> list[PlacedLayer]:
    """Return the layers at their places, with what they declare for inputs of this shape."""
    placed: list[PlacedLayer] = []
    for l, layer in enumerate(layers, 1):
        here = PlacedLayer(layer, (*within, l), placed[-1].output_shape if placed else inputs)
        _declare(here)
        if placed and here.takes == "indices":
            found = f"{here.title} takes indices, expected as the first layer, which gets X"
            raise ValueError(f"{found}. Put it first in the model.")
        placed.append(here)
    return placed


def _declare(here: PlacedLayer) -> None:
    """Have what the layer declares, and its chains at their places."""
    layer, shape, chains = here.layer, here.input_shape, here.layer.chains
    try:
        here.parameters = _checked(here.title, layer.parameters(shape))
        here.state = _checked(here.title, layer.state(shape))
        inner_shape = layer.chain_input_shape(shape) if chains else ()
    except ShapeError as error:
        raise _of_layer(here, error) from error
    for k, chain in enumerate(chains, 1):
        if not chain:
            raise ValueError(f"{here.title} has an empty chain. Give it at least one layer.")
        within = (*here.path, k) if len(chains) > 1 else here.path
        here.chains.append(place(chain, inner_shape, within))  # an error names the inner layer
    if chains:
        here.takes = _taken_by_chains(here)
    try:
        here.output_shape = tuple(layer.output_shape(shape))
    except ShapeError as error:
        raise _of_layer(here, error) from error


def _taken_by_chains(here: PlacedLayer) -> str:
    """Return what the chains of a layer begin with, numbers or indices; it must be one kind."""
    firsts = {chain[0].takes: chain[0].layer for chain in here.chains}
    if len(firsts) > 1:
        begin = " and ".join(map(repr, firsts.values()))
        found = f"{here.title} has chains that begin with {begin}, one of which takes indices"
        raise ValueError(f"{found}, expected one kind. Begin each with indices.")
    return next(iter(firsts))


def _of_layer(here: PlacedLayer, error: ShapeError) -> ShapeError:
    """Return an error of a layer with its name."""
    return ShapeError(f"{here.title}: {error}")


def _checked(title: str, declared: Any) -> dict[str, Parameter]:
    """Return what a layer declares, with initializers in place of their names."""
    expected = f'{title}: expected a declaration {{"W": Parameter(shape, init), ...}}'
    if not isinstance(declared, Mapping):
        raise TypeError(f"{expected}, got {declared!r}.")
    checked = {}
    for name, parameter in declared.items():
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{expected}, got {parameter!r} for {name}.")
        init = parameter.init
        if isinstance(init, tuple):
            init = tuple(map(Initializer.get, init))
        elif not isinstance(init, Initializer):
            init = Initializer.get(init)
        checked[name] = parameter._replace(shape=tuple(parameter.shape), init=init)
    return checked


def depth_first(layers: Iterable[PlacedLayer]) -> Iterator[PlacedLayer]:
    """Yield layers and those within them, in the order of their paths."""
    for layer in layers:
        yield layer
        for chain in layer.chains:
            yield from depth_first(chain)
