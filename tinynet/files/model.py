"""A model in a file: its description, and its parameters and state by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import DTYPES, example_shape, shown
from tinynet.errors import NonFiniteError, UnknownNameError
from tinynet.files.archive import (
    Contents,
    description_text,
    expect,
    expect_same,
    parse_description,
    refusing_to_write,
    write_file,
)
from tinynet.files.source import Source
from tinynet.layers import Layer
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first, place

N = TypeVar("N", bound=Network)


def save(network: Network, target: Source) -> None:
    """Write description, parameters and state to one file, which `read` reads.

    Raises `NonFiniteError` for NaN or infinity among them.
    """
    write_file(target, description(network), named_arrays(network), check)


def named_arrays(network: Network) -> dict[str, Array]:
    """Return parameters and state by name, if every number is finite."""
    arrays = network.storage.named()
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            number = array[~np.isfinite(array)].flat[0]
            found = f"{name} has the number {number} in {array.dtype}, expected finite numbers"
            remedy = "np.isfinite(model.values).all() must be True before a model is saved"
            raise NonFiniteError(f"{found}. Nothing is written. {remedy}.")
    return arrays


def description(network: Network) -> dict[str, Any]:
    """Return what a file holds of a network beside its arrays, as plain data."""
    return _describe(network, network.inputs)


def checked_text(network: Network) -> str:
    """Return the description as text, for a file of another library, which holds the arrays.

    Raises `FileFormatError` if the model could not be read again, and `NonFiniteError`.
    """
    text, arrays = description_text(description(network)), named_arrays(network)
    with refusing_to_write():
        check(Contents(parse_description(text), arrays))
    return text


def _describe(network: Network, inputs: Shape) -> dict[str, Any]:
    return {
        "layers": [layer.config() for layer in network.layers],
        "loss": network.loss and network.loss.config(),
        "inputs": inputs,
        "dtype": network.dtype.name,
    }


def read(file: Contents, kind: type[N]) -> N:
    """Return the network of an open file; arrays are allocated when all have been read."""
    network, placed = without_arrays(file.description, kind)
    arrays = _arrays(file, placed, network.dtype)
    network.build(placed, None)
    for name, view in network.storage.named().items():
        view[...] = arrays[name]
    return network


def check(contents: Contents) -> None:
    """Refuse contents from which `read` could make no equal model."""
    network, placed = without_arrays(contents.description, Network)
    _arrays(contents, placed, network.dtype)


def without_arrays(found: Mapping[str, Any], kind: type[N]) -> tuple[N, list[PlacedLayer]]:
    """Return a described network that is not built, and its layers at their places."""
    dtype = found["dtype"]
    # NumPy makes a dtype of much else, and may compile it.
    expect(dtype in DTYPES, f"its dtype is {dtype!r}, expected {' or '.join(DTYPES)}")
    layers = [_layer(l, config) for l, config in enumerate(found["layers"], 1)]
    network = kind(layers, found["loss"], dtype=dtype)
    placed = place(network.layers, example_shape(found["inputs"]))
    for key, value in _describe(network, placed[0].input_shape).items():
        expect_same(key, found[key], value)
    return network, placed


def _arrays(file: Contents, placed: list[PlacedLayer], dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return the parameters and state of these layers by name, all within their limits."""
    arrays: dict[str, Array] = {}
    for layer in depth_first(placed):
        for name, parameter in layer.declared.items():
            key, least = f"{name}{layer.label}", parameter.least
            arrays[key] = array = file.array(key, parameter.shape, dtype)
            found = f"its {key} has the number {array.min(initial=np.inf):g}"
            expect(not (array < least).any(), f"{found}, expected at least {least:g}")
    return arrays


def _layer(l: int, config: Any) -> Layer:
    expect(isinstance(config, dict), f"its layer {l} is {shown(config)}, expected a description")
    try:
        return Layer.get(config)
    except UnknownNameError as error:
        message = f"Layer {l} of the file: {error} Define or import its class first."
        raise UnknownNameError(message) from None
