"""What is written to and read from: a path or an open binary file; and what is wrong with it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from tinynet._support.checks import LONGEST_SHOWN, file_path, shown
from tinynet.errors import FileFormatError, UnknownNameError
from tinynet.files.replace import replacing

Source = str | bytes | os.PathLike[Any] | BinaryIO
PATH = (str, bytes, os.PathLike)
WRITERS = "model.save, or fit(..., checkpoint=...),"


def expect_source(source: Source, method: str) -> None:
    """Refuse what is neither a path nor a binary file that has a method.

    That is "write", "read", or "seek" for a file that is read here and there.
    """
    if not isinstance(source, PATH) and not hasattr(source, method):
        raise TypeError(f"The path is {shown(source)}, expected a path or an open binary file.")
    if isinstance(source, io.TextIOBase):
        remedy = 'Use open(path, "wb")' if method == "write" else 'Use open(path, "rb")'
        raise TypeError(f"The file is open as text, expected a binary file. {remedy}.")
    if method == "seek" and getattr(source, "closed", False):
        raise ValueError("The file is closed, expected an open one. Open it again.")
    if method == "seek" and isinstance(source, io.IOBase) and not source.seekable():
        found = "The file cannot seek, which reading it needs"
        raise ValueError(f"{found}. Pass io.BytesIO(file.read()).")


def write_whole(target: Source, write: Callable[[BinaryIO], Any], example: str) -> None:
    """Have a file written: one of a path in one move, an open one as it is."""
    expect_source(target, "write")
    if isinstance(target, PATH):
        with replacing(file_path("path", target, example)) as file:
            write(file)
        return
    whole = io.BytesIO()  # a file may not seek, as one of gzip, and may take less at a time
    write(whole)
    rest = whole.getbuffer()
    while rest:
        n = target.write(rest)
        rest = rest[len(rest) if n is None else n :]


@contextlib.contextmanager
def refusing(
    source: Any,
    writers: str = WRITERS,
    kind: str = "a whole tinynet file",
    other_errors: tuple[type[Exception], ...] = (UnknownNameError,),
) -> Iterator[None]:
    """Turn what goes wrong with the content of a file into a `FileFormatError`.

    The message says what the file should be, and what writes such files. `other_errors` are no
    fault of the file, and stay as they are.
    """
    no_faults: tuple[type[Exception], ...] = (*other_errors, ImportError, MemoryError)
    try:
        yield
    except no_faults:
        raise
    except Exception as error:  # a damaged archive shows itself in every kind of error
        name = repr(os.fspath(source)) if isinstance(source, PATH) else "The file"
        found = f"{name} is not {kind}: {fault(error)}"
        remedy = f"Pass a file that {writers} wrote."
        raise FileFormatError(f"{found}. {remedy}") from cause(error)


def other_reader(start: bytes) -> str:
    """Return which function reads a file that begins with these bytes, as a fault, or nothing."""
    if start.startswith(b"PK"):
        return "it is a zip archive. tn.load reads those that model.save wrote"
    if start[8:9] == b"{":
        return "it is a file of safetensors. tn.exchange.load_safetensors reads those of a model"
    if start.startswith(b"\x08"):
        return "it looks like a file of ONNX. tn.exchange.from_onnx reads these"
    return ""


def fault(error: Exception) -> str:
    """Return the message of an error, in which a file may have put anything."""
    text = (str(error) or type(error).__name__).rstrip(".")
    text = "".join(map(_printable, text[: LONGEST_SHOWN + 1]))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


def _printable(sign: str) -> str:
    """Return a character as it can be shown: a terminal would obey some, and refuse others."""
    return sign if sign.isprintable() else repr(sign)[1:-1]


def cause(error: Exception) -> Exception | None:
    """Return an error to be shown as the cause of another, unless a file made it too long."""
    return error if len(str(error)) <= LONGEST_SHOWN else None
