"""An ONNX model from a path, an open file, bytes or a ModelProto, and what is wrong with a file."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

from tinynet._support.checks import file_path, shown
from tinynet._support.library import library
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.onnx.reading.wire import check_items
from tinynet.files import source as files

onnx: Any = library("onnx")

_LARGEST_FILE = (1 << 31) - 1  # bytes, of a message of protobuf
PATHS, _BYTES = (str, os.PathLike), (bytes, bytearray, memoryview)
_WRITERS = "torch.onnx.export, skl2onnx, tn.exchange.to_onnx or another exporter"


def check_source(source: Any) -> None:
    """Refuse what is not a path, file, bytes or ModelProto."""
    if not (isinstance(source, (*PATHS, *_BYTES, onnx.ModelProto)) or hasattr(source, "read")):
        expected = "a path, an open binary file, bytes or an onnx.ModelProto"
        found = f"path is {shown(source)}, expected {expected}"
        raise TypeError(f'{found}. Use from_onnx("net.onnx").')
    if isinstance(source, PATHS):
        file_path("path", source, "net.onnx")
    elif hasattr(source, "read"):
        files.expect_source(source, "read")


def model_of(source: Any) -> tuple[Any, Path | None]:
    """Return the parsed model, and the folder of its file if it has one."""
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, _BYTES):
        return _parsed(bytes(source)), None
    if isinstance(source, PATHS):
        path = Path(file_path("path", source, "net.onnx"))
        return _parsed(_content(path)), path.parent
    return _parsed(source.read(_LARGEST_FILE + 1)), None


def _content(path: Path) -> bytes:
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FileFormatError("it is not a regular file")
        if found.st_size > _LARGEST_FILE:
            raise FileFormatError(f"it has {found.st_size} bytes, over {_LARGEST_FILE}")
        return file.read(_LARGEST_FILE + 1)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe would wait for somebody who writes into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _parsed(data: bytes) -> Any:
    if not isinstance(data, bytes):
        raise FileFormatError(f"it reads {type(data).__name__}, expected bytes")
    if len(data) > _LARGEST_FILE:
        raise FileFormatError(f"it has over {_LARGEST_FILE} bytes")
    if data.startswith(b"PK"):
        raise FileFormatError("it is a zip archive. tn.load reads those that model.save wrote")
    check_items(data, onnx.ModelProto.DESCRIPTOR)
    return onnx.ModelProto.FromString(data)


def refusing(source: Any) -> contextlib.AbstractContextManager[None]:
    """Turn what goes wrong with the content of a file into a `FileFormatError`."""
    place = source if isinstance(source, PATHS) else None  # bytes are the content
    return files.refusing(place, _WRITERS, "a whole ONNX file", (ConversionError, OSError))
