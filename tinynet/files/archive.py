"""A description (JSON) and named arrays in one ``.npz`` file: data only, nothing in it ever runs.

``np.load("net.npz")["W1"]`` works without tinynet. This module knows no model.

What a file claims is compared with what it holds before any of it is read. The members lie one
after the other, not compressed, so together they are no larger than the file. An array is read
only if its header has the expected shape and dtype. A header is read as text of one form, never
as Python.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import file_path, integer, shown
from tinynet._support.npy import read_header
from tinynet.errors import FileFormatError
from tinynet.files.source import (
    PATH,
    WRITERS,
    Source,
    cause,
    expect_source,
    fault,
    other_reader,
    refusing,
    write_whole,
)

if TYPE_CHECKING:
    import zipfile

FORMAT = 2  # what is written; 1, which had no state of layers, is read too
_LONGEST_DESCRIPTION = 1 << 20  # characters; what grows with a training belongs in an array
_LONGEST_INTEGER = 40  # characters: a generator's state has numbers of 128 bits
_LONGEST_NAME = 65_535  # bytes, of a member of a zip archive
_LARGEST_NUMBER = 8  # bytes; what a long double has depends on the machine

_MEMBER = r"[\w.-]+\.npy"  # names no folder; compiled when it is first used
_MAGIC = b"\x93NUMPY\x01\x00"
_LOCAL_HEADER = 30  # bytes before a member's name


def write_file(
    target: Source,
    description: Mapping[str, Any],
    arrays: Mapping[str, Any],
    check: Callable[[Contents], Any] | None = None,
) -> None:
    """Write the file in one move: it is complete, or as it was before.

    The description is what JSON can hold, in at most a million characters. Arrays hold numbers or
    bool, under names without a folder. An open binary file is written to as it is.

    `check` reads the contents as they will be read from the file. If it raises an error, nothing
    is written: a file that could not be read again would take the place of one that can.
    """
    text = description_text(description)
    members = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in members.items():
        _check_member(name, array)
    with refusing_to_write():
        contents = Contents(parse_description(text), members)
        if check is not None:
            check(contents)
            contents.expect_no_more()
    members = {"description": np.array(text), **members}
    write_whole(target, lambda file: _write_members(file, members), "net.npz")


def _check_member(name: str, array: Array) -> None:
    """Refuse an array that a file cannot hold, or not under this name."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > _LARGEST_NUMBER:
        expected = f"numbers or bool, of at most {_LARGEST_NUMBER} bytes each"
        raise TypeError(f"Array {shown(name)} has dtype {array.dtype}, expected {expected}.")
    file_name = f"{name}.npy"
    if name == "description" or not re.fullmatch(_MEMBER, file_name):
        remedy = "Use letters, digits, and any of _ . -"
        raise ValueError(f"An array cannot be called {shown(name)} in a file. {remedy}")
    if len(file_name.encode()) > _LONGEST_NAME:
        found = f"The name of array {shown(name)} has {len(name)} characters in a file"
        raise ValueError(f"{found}, too many for it. Choose a shorter name.")


@contextlib.contextmanager
def refusing_to_write() -> Iterator[None]:
    """Turn what goes wrong when contents are read into an error about what is to be written."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        found = f"It cannot be saved, because it could not be read again: {fault(error)}"
        kept = "Nothing is written; an earlier file is as it was"
        raise FileFormatError(f"{found}. {kept}.") from cause(error)


def _write_members(file: BinaryIO, members: Mapping[str, Array]) -> None:
    """Write arrays as ``.npy`` members, little-endian and in C order."""
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            dtype, shape = array.dtype.str, array.shape
            header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
            padding = -(len(_MAGIC) + 2 + len(header) + 1) % 64  # the data begins at 64 · n
            header += " " * padding + "\n"
            start = _MAGIC + len(header).to_bytes(2, "little") + header.encode("ascii")
            info = zipfile.ZipInfo(f"{name}.npy")  # without a date: as the content, so the file
            info.file_size = len(start) + array.nbytes
            with archive.open(info, "w") as member:
                member.write(start)
                member.write(array.reshape(-1).view(np.uint8).data)


def expect(holds: Any, fault: str) -> None:
    """Raise a `FileFormatError` where something does not hold."""
    if not holds:
        raise FileFormatError(fault)


def description_text(description: Mapping[str, Any]) -> str:
    """Return a description as JSON, with the version of its format."""
    import json  # costs 2 ms, as zipfile costs 10; only files need them

    return json.dumps({**description, "format": FORMAT})


def parse_description(text: str) -> dict[str, Any]:
    """Return the content of a description, if its format is known here."""
    import json

    found, limit = f"its description has {len(text)} characters", _LONGEST_DESCRIPTION
    expect(len(text) <= limit, f"{found}, over {limit}. Keep long lists in arrays")
    description = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    version: Any = description.get("format") if isinstance(description, dict) else None
    expect(type(version) is int and version >= 1, "its description has no format version")
    expect(version <= FORMAT, f"its format is {version}, newer than {FORMAT}. Update tinynet")
    return description


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    expect(len(found) == len(pairs), "its description has a key twice")
    return found


def _integer(text: str) -> int:
    found = f"its description has an integer of {len(text)} digits"
    expect(len(text) <= _LONGEST_INTEGER, found)  # with a million, arithmetic takes minutes
    return int(text)


class Contents:
    """What a file holds: its `description`, and arrays that are taken from it one by one."""

    def __init__(self, description: dict[str, Any], members: Mapping[str, Any]) -> None:
        self.description, self._members = description, dict(members)

    def array(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any], finite: bool = True
    ) -> Array:
        """Return the array `name`, read-only, if it has this shape and dtype and is finite.

        A shape may come from the file's own description: the array is at most as large as the file.
        """
        expected = tuple(integer(f"the shape of {name}", n, 0) for n in shape)
        expect(name in self._members, f"it has no {name}")
        array = self._take(name, expected, dtype)
        expect(not finite or np.isfinite(array).all(), f"its array {name} is not finite")
        return array

    def _take(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        array: Array = self._members.pop(name)
        # In a file every array is little-endian.
        _expect_form(name, array.shape, array.dtype.newbyteorder("<"), shape, dtype)
        view = array.view()
        view.flags.writeable = False
        return view

    def expect_no_more(self, known: Iterable[str] = ()) -> None:
        """Refuse a file that has other arrays than those that were read, and `known` ones."""
        for name in sorted(self._members.keys() - set(known)):
            raise FileFormatError(f"it has an array {name!r}, which its description does not name")


def _expect_form(
    name: str, shape: Shape, dtype: np.dtype[Any], expected: Shape, expected_dtype: np.dtype[Any]
) -> None:
    found = f"its {name} has shape {shape} and dtype {dtype}"
    same = (shape, dtype) == (expected, expected_dtype.newbyteorder("<"))
    expect(same, f"{found}, expected {expected} and {expected_dtype}")


class Archive(Contents):
    """An open file, whose arrays are read when they are taken."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._members = _members(archive, size)
        with self._member("description") as (file, shape, dtype):
            found = f"its description has shape {shape} and dtype {dtype}"
            expect(not shape and dtype.str[:2] == "<U", f"{found}, expected text")
            n = dtype.itemsize // 4
            expect(n <= _LONGEST_DESCRIPTION, f"its description has {n} characters")
            text = _data("description", file, dtype.itemsize).decode("utf-32-le")
        self.description = parse_description(text)

    def _take(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        with self._member(name) as (file, found_shape, found_dtype):
            _expect_form(name, found_shape, found_dtype, shape, dtype)
            data = _data(name, file, math.prod(shape) * dtype.itemsize)
        return np.frombuffer(data, found_dtype).reshape(shape).astype(dtype, copy=False)

    @contextlib.contextmanager
    def _member(self, name: str) -> Iterator[tuple[IO[bytes], Shape, np.dtype[Any]]]:
        """Open a member, once, at its data, behind the shape and dtype of its header."""
        expect(name in self._members, f"it has no {name}")
        with self._archive.open(self._members.pop(name)) as file:
            fault = f"its {name} is not an array that tinynet wrote"
            try:
                shape, in_columns, dtype = read_header(file)
            except ValueError as error:
                raise FileFormatError(fault) from error
            expect(not in_columns, fault)
            yield file, shape, dtype


def _data(name: str, file: IO[bytes], size: int) -> bytes:
    """Return the rest of a member if that is `size` bytes, and as its checksum says."""
    data = file.read(size + 1)
    expect(len(data) == size, f"its {name} does not have the {size} bytes of its header")
    return data


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of a file of `size` bytes by name, if they lie in it side by side."""
    members: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        name = info.filename.removesuffix(".npy")
        is_array = re.fullmatch(_MEMBER, info.filename)
        is_plain = not info.compress_type and info.compress_size == info.file_size
        expect(is_array, f"it has a member {info.filename!r}, expected arrays")
        expect(name not in members, f"it has two members called {name}")
        expect(is_plain, f"its {name} is compressed, which may hide any size")
        expect(info.header_offset >= end, f"its {name} lies over another member")
        end = info.header_offset + _LOCAL_HEADER + len(info.filename) + info.file_size
        members[name] = info
    expect(end <= size, f"its members have {end} bytes, and it has {size}")
    return members


def expect_same(name: str, read: Any, described: Any) -> None:
    """Refuse what was read from a file, if what was made of it describes itself differently.

    So units of "2" are refused where 2 is meant: whatever a file holds must come back as it is.
    """
    found = f"its {name} is {read!r}, which would be read as {described!r}"
    expect(_agree(read, described), found)


def _agree(read: Any, described: Any) -> bool:
    """Return whether two descriptions agree; a field that `read` lacks has its default."""
    if isinstance(read, dict):
        return isinstance(described, dict) and all(
            key in described and _agree(value, described[key]) for key, value in read.items()
        )
    if isinstance(read, list):
        same_length = isinstance(described, (list, tuple)) and len(read) == len(described)
        return same_length and all(map(_agree, read, described))
    same = read == described or (read != read and described != described)  # NaN is not equal to NaN
    return same and isinstance(read, bool) == isinstance(described, bool)


@contextlib.contextmanager
def opened(
    source: Source, writers: str = WRITERS, content: BinaryIO | None = None
) -> Iterator[Archive]:
    """Open a file that `write_file` wrote; whatever is wrong with it is a `FileFormatError`.

    So is any error within the block, except those that are no fault of the file: a name that is
    unknown here, a plugin that cannot be imported, too little memory for what the file holds.
    `content` is that of the file at a path, where it has been read already.
    """
    import zipfile

    expect_source(source, "seek")
    with contextlib.ExitStack() as stack:
        file: Any = source if content is None else content
        if content is None and isinstance(source, PATH):
            file = stack.enter_context(open(file_path("path", source, "net.npz"), "rb"))
        stack.enter_context(refusing(source, writers))
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
        except zipfile.BadZipFile as error:
            file.seek(0)
            start = file.read(9)
            found = "" if start.startswith(b"PK") else other_reader(start)
            raise FileFormatError(found or fault(error)) from error
        yield Archive(archive, file.seek(0, io.SEEK_END))
