"""Models in files of safetensors: arrays by name, and the description of the model as text."""

from __future__ import annotations

import io
import json
import math
from typing import Any, BinaryIO

from tinynet._support.arrays import Array
from tinynet._support.checks import file_path
from tinynet._support.library import library
from tinynet.exchange.state import read_state, state_dict
from tinynet.files import model as model_file
from tinynet.files.archive import Contents, expect, parse_description
from tinynet.files.source import PATH, Source, expect_source, other_reader, refusing, write_whole
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first
from tinynet.sequential import Sequential

_DESCRIPTION, _NAMING = "tinynet", "naming"  # keys in the metadata of a file
_LARGEST_HEADER = 1 << 22  # bytes; JSON takes up to 20 times as much memory
_EXAMPLE = "net.safetensors"
_WRITER = "tn.exchange.save_safetensors"
_KIND = "a whole file of safetensors with a tinynet model"
_INSTEAD = (
    "For arrays of another library, build the model and use tn.exchange.load_state_dict(model, "
    "safetensors.numpy.load_file(path), naming)"
)


def save_safetensors(model: Network, path: Source, naming: str = "tinynet") -> None:
    """Write a model to a file of safetensors, which `load_safetensors` reads.

    The names and layouts of the arrays are those of another library, so that it can read them too:
    ``module.load_state_dict(safetensors.torch.load_file(path))``. The description of the layers is
    in the metadata of the file. The file is complete, or as it was before.

    Parameters
    ----------
    model : Sequential
        A model that is built.
    path : path or binary file
        Where to write; by custom its name ends in ``.safetensors``.
    naming : {"tinynet", "torch", "keras"}
        Names and layouts of the arrays, as in `state_dict`.

    Raises
    ------
    NonFiniteError
        For NaN or infinity among the arrays.
    ConversionError
        For arrays that the other library has no name for. No error changes the file.

    Examples
    --------
    Needs safetensors::

        tn.exchange.save_safetensors(model, "net.safetensors", naming="torch")
        model = tn.exchange.load_safetensors("net.safetensors")
    """
    arrays = state_dict(model, naming)
    save = library("safetensors.numpy").save
    metadata = {_DESCRIPTION: model_file.checked_text(model), _NAMING: naming}
    data = save(arrays, {"format": "pt" if naming == "torch" else "np", **metadata})
    write_whole(path, lambda file: file.write(data), _EXAMPLE)


def load_safetensors(path: Source) -> Sequential:
    """Return the model that `save_safetensors` wrote, in any naming.

    A file is not trusted: nothing in it runs, and nothing is read that is larger than the file. For
    a file of another library, build the model and use `load_state_dict`.

    Parameters
    ----------
    path : path or binary file
        A file that `save_safetensors` wrote.

    Raises
    ------
    FileFormatError
        For anything else.
    UnknownNameError
        For a custom class that is not defined here. The message says in which layer.

    Examples
    --------
    Needs safetensors::

        model = tn.exchange.load_safetensors("net.safetensors")
    """
    library("safetensors.numpy")  # or an error that says how to install it
    expect_source(path, "seek")
    if isinstance(path, PATH):
        with open(file_path("path", path, _EXAMPLE), "rb") as file:
            return _load(path, file)
    return _load(path, path)


def _load(source: Source, file: BinaryIO) -> Sequential:
    with refusing(source, _WRITER, _KIND):
        size = file.seek(0, io.SEEK_END)
        metadata = _metadata(file, size)
        expect(_DESCRIPTION in metadata, f"it has no description of a model. {_INSTEAD}")
        description = parse_description(metadata[_DESCRIPTION])
        _, placed = model_file.without_arrays(description, Sequential)
        n = sum(math.prod(p.shape) for at in depth_first(placed) for p in at.declared.values())
        expect(n <= size, f"its layers have {n} numbers, and it has {size} bytes")
        file.seek(0)
        theirs = library("safetensors.numpy").load(file.read())
        arrays = _arrays(placed, theirs, metadata.get(_NAMING))
        return model_file.read(Contents(description, arrays), Sequential)


def _arrays(placed: list[PlacedLayer], theirs: dict[str, Array], naming: Any) -> dict[str, Array]:
    """Return arrays by our names."""
    try:
        return read_state(placed, theirs, naming)
    except KeyError as error:  # its text would be shown in quotes
        raise ValueError(error.args[0]) from error


def _metadata(file: BinaryIO, size: int) -> dict[str, str]:
    """Return the text in a file's header, which is JSON behind its length in 8 bytes."""
    file.seek(0)
    start = file.read(8)
    length = int.from_bytes(start, "little")
    found = other_reader(start) or f"its header would have {length} bytes"
    expect(length <= min(size - 8, _LARGEST_HEADER), found)
    header = json.loads(file.read(length))
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    is_text = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    expect(is_text, "its metadata is not text")
    return metadata
