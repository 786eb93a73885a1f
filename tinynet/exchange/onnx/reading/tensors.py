"""Arrays from the tensors of an ONNX file, which may claim more than they hold."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import shown
from tinynet._support.library import library
from tinynet.errors import ConversionError, FileFormatError

TensorProto: Any = library("onnx").TensorProto

_MOST_DIMENSIONS = 8  # a kernel of Conv has 4
# What holds the numbers if raw_data does not, and the dtype, which is little-endian in raw_data.
_READ = {
    TensorProto.FLOAT: ("float_data", "<f4"), TensorProto.DOUBLE: ("double_data", "<f8"),
    TensorProto.INT32: ("int32_data", "<i4"), TensorProto.INT64: ("int64_data", "<i8"),
    TensorProto.BOOL: ("int32_data", "|b1"),
}  # fmt: skip
FLOATS: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype("float32"), TensorProto.DOUBLE: np.dtype("float64")
}  # fmt: skip


def type_name(kind: int) -> str:
    """Return what ONNX calls a type of numbers."""
    known = kind in TensorProto.DataType.values()
    return TensorProto.DataType.Name(kind) if known else f"the unknown type {kind}"


def unread_type(what: str, kind: int) -> ConversionError:
    """Return the error for numbers of a type that no model here has."""
    found = f"{what} is of {type_name(kind)}, expected FLOAT or DOUBLE"
    remedy = "Export the network in float32, in PyTorch with module.float(), and not quantized."
    return ConversionError(f"{found}. {remedy}")


@attrs.define
class Tensors:
    """The tensors of a model: reads the numbers of one, from the file beside the model if there.

    `folder` is where that file lies, or None for a model that came without a path.
    """

    folder: Path | None
    _read_from: dict[str, int] = attrs.field(factory=dict, init=False)

    def array(self, tensor: Any, title: str) -> Array:
        """Return the numbers of a tensor, read-only."""
        kind, shape = tensor.data_type, _shape(tensor, title)
        if kind not in _READ:
            raise unread_type(title, kind)
        field, code = _READ[kind]
        dtype = np.dtype(code)
        size = math.prod(shape) * dtype.itemsize
        if tensor.data_location == TensorProto.EXTERNAL:
            data = self._external(tensor, size, title)
        elif tensor.HasField("raw_data"):
            data = tensor.raw_data
        else:
            numbers = getattr(tensor, field)
            _expect_length(title, shape, len(numbers), math.prod(shape), "numbers")
            return np.array(numbers, dtype.newbyteorder("=")).reshape(shape)
        _expect_length(title, shape, len(data), size, "bytes")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)

    def _external(self, tensor: Any, size: int, title: str) -> bytes:
        """Return the bytes of a tensor in a file beside the model."""
        said = {entry.key: entry.value for entry in tensor.external_data}
        name = said.get("location", "")
        if self.folder is None:
            found = f"{title} is in another file, {shown(name)}, and this model has no folder"
            raise ConversionError(f"{found}. Pass the path of the model.")
        if not _is_plain(name):
            found = f"{title} is in the file {shown(name)}"
            raise FileFormatError(f"{found}, expected the plain name of a file beside the model")
        offset, length = (_whole(said, key, title) for key in ("offset", "length"))
        if "length" in said:
            _expect_length(title, tuple(tensor.dims), length, size, "bytes")
        self._read_from[name] = self._read_from.get(name, 0) + size
        return _part(self.folder / name, offset, size, self._read_from[name], title)


def _shape(tensor: Any, title: str) -> Shape:
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_DIMENSIONS or any(n < 1 for n in shape):
        expected = f"at most {_MOST_DIMENSIONS} numbers of at least 1"
        raise FileFormatError(f"{title} has shape {shown(shape[:9])}, expected {expected}")
    if tensor.HasField("segment"):
        raise FileFormatError(f"{title} is a segment of a tensor, expected a whole one")
    return shape


def _expect_length(title: str, shape: Shape, found: int, expected: int, unit: str) -> None:
    if found != expected:
        message = f"{title} has shape {shape} and {found} {unit}, expected {expected}"
        raise FileFormatError(f"{message}: it is damaged or truncated")


def _is_plain(name: str) -> bool:
    """Return whether a name is that of a file in the same folder, on any system."""
    return name.strip(". ") != "" and not any(sign in name for sign in "/\\:\0")


def _whole(said: Mapping[str, str], key: str, title: str) -> int:
    text = said.get(key, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise FileFormatError(
            f"the {key} of {title} is {shown(text[:40])}, expected a whole number"
        )
    return int(text)


def _part(path: Path, offset: int, size: int, in_all: int, title: str) -> bytes:
    """Return some bytes of a file, which must be regular: a link could lead anywhere.

    Not more is read of it in all than its size, or tensors of a small file would overlap.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        found = f"{title} is in {shown(path.name)}, which is not beside the model"
        raise FileFormatError(f"{found}: copy both into one folder") from error
    if not stat.S_ISREG(mode):
        raise FileFormatError(f"{shown(path.name)}, the file of {title}, is not a regular file")
    with open(path, "rb") as file:
        has = os.fstat(file.fileno()).st_size
        if max(offset + size, in_all) > has:
            found = f"{title} is {size} bytes at {offset} of {shown(path.name)}"
            raise FileFormatError(f"{found}, which has {has}: it is truncated, or tensors overlap")
        file.seek(offset)
        return file.read(size)
