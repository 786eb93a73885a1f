"""A model in a file: its description, and its parameters and state by name."""

from __future__ import annotations

from typing import Any, TypeVar

from tinynet._support.arrays import Array
from tinynet._support.checks import example_shape
from tinynet.errors import UnknownNameError
from tinynet.files.archive import Archive, Source, expect, expect_same, write_file
from tinynet.layers import Layer
from tinynet.model.network import DTYPES, Network
from tinynet.model.place import depth_first, place

N = TypeVar("N", bound=Network)


def save(network: Network, target: Source) -> None:
    """Write description, parameters and state to one file, which `read` reads."""
    write_file(target, description(network), network.storage.named())


def description(network: Network) -> dict[str, Any]:
    """Return what a file holds of a network beside its arrays, as plain data."""
    return {
        "layers": [layer.config() for layer in network.layers],
        "loss": network.loss and network.loss.config(),
        "inputs": network.inputs,
        "dtype": network.dtype.name,
    }


def read(file: Archive, kind: type[N]) -> N:
    """Return the network of an open file; arrays are allocated when all have been read."""
    found = file.description
    dtype = found["dtype"]
    # NumPy makes a dtype of much else, and may compile it.
    expect(dtype in DTYPES, f"its dtype is {dtype!r}, expected {' or '.join(DTYPES)}")
    layers = [_layer(l, config) for l, config in enumerate(found["layers"], 1)]
    network = kind(layers, found["loss"], dtype=dtype)
    placed = place(network.layers, example_shape(found["inputs"]))
    arrays: dict[str, Array] = {}
    for layer in depth_first(placed):
        for name, parameter in (layer.parameters | layer.state).items():
            key = f"{name}{layer.label}"
            arrays[key] = file.array(key, parameter.shape, network.dtype)
    network.build(placed, None)
    for name, view in network.storage.named().items():
        view[...] = arrays[name]
    for key, value in description(network).items():
        expect_same(key, found[key], value)
    return network


def _layer(l: int, config: Any) -> Layer:
    expect(isinstance(config, dict), f"its layer {l} is {config!r}, expected a description")
    try:
        return Layer.get(config)
    except UnknownNameError as error:
        message = f"Layer {l} of the file: {error} Define or import its class first."
        raise UnknownNameError(message) from None
