"""A description (JSON) and named arrays in one ``.npz`` file: data only, nothing in it is ever run.

``np.load("net.npz")["W1"]`` works without tinynet. This module knows no model.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tinynet._buffers import Array, Shape
from tinynet.errors import FileFormatError, UnknownNameError

if TYPE_CHECKING:
    import zipfile

FORMAT = 1
_LONGEST_DESCRIPTION = 1 << 22  # bytes of UTF-32


def write_file(path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write the file in one move: it is complete, or as it was before."""
    import json  # costs 2 ms, as zipfile 10, and only files need them

    text = json.dumps({"format": FORMAT, **description})
    temporary = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez(file, description=np.array(text), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):  # it has taken its place
            os.unlink(temporary)


class Archive:
    """An open file: its `description`, and its arrays one by one."""

    def __init__(self, members: zipfile.ZipFile) -> None:
        import json

        self._members = members
        description = json.loads(str(self._read("description", (), None)))
        if not isinstance(description, dict) or not isinstance(description.get("format"), int):
            raise FileFormatError("its description has no format version")
        if description["format"] > FORMAT:
            raise FileFormatError(f"its format is {description['format']}, newer than {FORMAT}: update tinynet")
        self.description: dict[str, Any] = description

    def array(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Read the array `name`, which must be of this shape and dtype, and finite."""
        array = self._read(name, shape, dtype)
        if not np.isfinite(array).all():
            raise FileFormatError(f"its array {name} is not finite")
        return array

    def _read(self, name: str, shape: Shape, dtype: np.dtype[Any] | None) -> Array:
        if self._members.getinfo(f"{name}.npy").compress_type:
            raise FileFormatError(f"its {name} is compressed, which may hide any size")
        with self._members.open(f"{name}.npy") as file:
            found_shape, found_dtype = _header(file)
            is_text = found_dtype.kind == "U" and found_dtype.itemsize <= _LONGEST_DESCRIPTION
            if found_shape != shape or not (is_text if dtype is None else found_dtype == dtype):
                needed = f"{shape} and {'text' if dtype is None else dtype}"
                raise FileFormatError(f"its {name} has shape {found_shape} and dtype {found_dtype}, not {needed}")
            size = math.prod(found_shape) * found_dtype.itemsize
            data = file.read(size + 1)  # to the end, so that the checksum is compared
            if len(data) != size:
                raise FileFormatError(f"its {name} does not have the {size} bytes that its header claims")
            return np.frombuffer(data, found_dtype).reshape(found_shape)


def _header(file: IO[bytes]) -> tuple[Shape, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if version != (1, 0) or in_columns:
        raise FileFormatError("it holds an array that tinynet did not write")
    return shape, dtype


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open a file that `write_file` wrote; whatever is wrong with it is a `FileFormatError`."""
    import zipfile

    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as members:
            yield Archive(members)
    except (FileNotFoundError, IsADirectoryError, PermissionError, UnknownNameError):
        raise
    except Exception as error:  # a damaged archive shows itself in every kind of error
        hint = "give a file that model.save wrote"
        raise FileFormatError(f"{os.fspath(path)!r} is not a whole tinynet file: {error}; {hint}") from error
