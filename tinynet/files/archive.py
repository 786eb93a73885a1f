"""A description (JSON) and named arrays in one ``.npz`` file: data only, nothing in it is ever run.

``np.load("net.npz")["W1"]`` works without tinynet. This module knows no model.

What a file claims is compared with what it holds before any of it is read: the members lie one
after the other, not compressed, so together they are no larger than the file; and an array is
read only if its header says the shape and dtype that are asked for. A header is read as text of
one form, and never as Python.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tinynet._support.arrays import Array, Shape, integer
from tinynet.errors import FileFormatError, UnknownNameError
from tinynet.files.replace import replacing

if TYPE_CHECKING:
    import zipfile

FORMAT = 2  # what is written; 1, which had no state of layers, is read too
_LONGEST_DESCRIPTION = (
    1 << 20
)  # characters; what grows with a training's length belongs into an array
_LONGEST_INTEGER = 40  # characters: a generator's state has numbers of 128 bits
_LONGEST_MESSAGE = 500  # characters of what a hostile file may put there

_MEMBER = re.compile(r"[\w.-]+\.npy")  # no folder is ever named
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<|>][A-Za-z]\d*)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n"
)
_LOCAL_HEADER = 30  # bytes before a member's name


def write_file(
    path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Write the file in one move: it is complete, or as it was before.

    The description is what JSON can say, in at most a million characters; arrays are of numbers or
    bool, under names without a folder.
    """
    import json  # costs 2 ms, as zipfile 10, and only files need them
    import zipfile

    text = json.dumps({**description, "format": FORMAT})
    _description(text)  # what could not be read again is not written
    members = {"description": np.array(text)} | {
        name: _numbers(name, array) for name, array in arrays.items()
    }
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            header, data = _npy(array)
            info = zipfile.ZipInfo(
                f"{name}.npy"
            )  # without today's date: the same content is the same file
            info.file_size = len(header) + data.nbytes
            with archive.open(info, "w") as member:
                member.write(header)
                member.write(data)


def _numbers(name: str, array: Any) -> Array:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"the array {name!r} has dtype {array.dtype}; a file holds arrays of numbers or bool"
        )
    if name == "description" or not _MEMBER.fullmatch(f"{name}.npy"):
        raise ValueError(
            f"an array cannot be called {name!r} in a file; use letters, digits, and any of _ . -"
        )
    return array


def _npy(array: Array) -> tuple[bytes, memoryview]:
    """Return the header of an ``.npy`` member, and its data: little-endian and by rows on every machine."""
    array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    told = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}".encode(
        "ascii"
    )
    padding = -(len(_MAGIC) + 2 + len(told) + 1) % 64  # the data begins at a multiple of 64
    told += b" " * padding + b"\n"
    return _MAGIC + len(told).to_bytes(2, "little") + told, array.reshape(-1).view(np.uint8).data


def _description(text: str) -> dict[str, Any]:
    """Return what a description says, if it is of a format that is known here."""
    import json

    if len(text) > _LONGEST_DESCRIPTION:
        hint = "keep long lists in arrays"
        raise FileFormatError(
            f"its description has {len(text)} characters, over {_LONGEST_DESCRIPTION}; {hint}"
        )
    told = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    version = told.get("format") if isinstance(told, dict) else None
    if type(version) is not int or version < 1:
        raise FileFormatError("its description has no format version")
    if version > FORMAT:
        raise FileFormatError(f"its format is {version}, newer than {FORMAT}: update tinynet")
    return told


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        raise FileFormatError("its description says something twice")
    return told


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:  # arithmetic with a million digits takes minutes
        raise FileFormatError(f"its description has an integer of {len(text)} digits")
    return int(text)


class Archive:
    """An open file: its `description`, and its arrays one by one."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._members = _members(archive, size)
        shape, dtype, start = self._header("description")
        if shape or dtype.str[:2] != "<U":
            raise FileFormatError(
                f"its description has shape {shape} and dtype {dtype}, and is no text"
            )
        if dtype.itemsize > 4 * _LONGEST_DESCRIPTION:
            raise FileFormatError(f"its description has {dtype.itemsize // 4} characters")
        self.description = _description(
            self._data("description", start, dtype.itemsize).decode("utf-32-le")
        )
        self._known = {"description"}

    def array(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any], finite: bool = True
    ) -> Array:
        """Read the array `name`, which must be of this shape and dtype, and finite; it cannot be written to.

        A shape may come from the file's own description: the array is no larger than the file.
        """
        found_shape, found_dtype, start = self._header(name)
        needed = tuple(integer(f"the shape of {name}", n, 0) for n in shape)
        if (found_shape, found_dtype) != (needed, dtype.newbyteorder("<")):
            found = f"shape {found_shape} and dtype {found_dtype}"
            raise FileFormatError(f"its {name} has {found}, not {needed} and {dtype}")
        data = self._data(name, start, math.prod(needed) * dtype.itemsize)
        array = np.frombuffer(data, found_dtype).reshape(found_shape).astype(dtype, copy=False)
        if finite and not np.isfinite(array).all():
            raise FileFormatError(f"its array {name} is not finite")
        self._known.add(name)
        return array

    def done(self, known: Iterable[str] = ()) -> None:
        """Refuse a file that has more arrays than those that were read, and `known` ones."""
        for name in sorted(self._members.keys() - self._known.union(known))[:1]:
            raise FileFormatError(
                f"it has an array {name!r}, of which its description says nothing"
            )

    def check(self, made: Mapping[str, Any]) -> None:
        """Refuse a description that says otherwise than what was `made` of it, such as units of "2" for 2."""
        for key, value in made.items():
            check_same(key, self.description[key], value)

    def _header(self, name: str) -> tuple[Shape, np.dtype[Any], int]:
        """Return the shape and dtype that a member's header claims, and where its data begins."""
        if name not in self._members:
            raise FileFormatError(f"it has no {name}")
        with self._archive.open(self._members[name]) as file:
            start = file.read(len(_MAGIC) + 2)
            length = int.from_bytes(start[len(_MAGIC) :], "little")
            told = _HEADER.fullmatch(file.read(length))
        if told is None or not start.startswith(_MAGIC):
            raise FileFormatError(f"its {name} is no array that tinynet wrote")
        shape = tuple(map(int, re.findall(rb"\d+", told[2])))
        return shape, np.dtype(told[1].decode("ascii")), len(start) + length

    def _data(self, name: str, start: int, size: int) -> bytes:
        """Return what a member holds from `start` on, if that is `size` bytes."""
        info = self._members[name]
        if start + size != info.file_size:
            raise FileFormatError(
                f"its {name} does not have the {size} bytes that its header claims"
            )
        with self._archive.open(info) as file:
            file.read(start)
            return file.read()  # to the end, so that the checksum is compared


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of a file of `size` bytes by name, if they lie in it side by side as they are."""
    members: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if not _MEMBER.fullmatch(info.filename):
            raise FileFormatError(f"it has a member {info.filename!r}, which is no array")
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise FileFormatError(f"it has two members called {name}")
        if info.compress_type or info.compress_size != info.file_size:
            raise FileFormatError(f"its {name} is compressed, which may hide any size")
        if info.header_offset < end:
            raise FileFormatError(f"its {name} lies over another member")
        end = info.header_offset + _LOCAL_HEADER + len(info.filename) + info.file_size
        members[name] = info
    if end > size:
        raise FileFormatError(f"its members have {end} bytes, and it has {size}")
    return members


def check_same(what: str, told: Any, made: Any) -> None:
    """Refuse what a file tells, if what was made of it says otherwise."""
    if not _agree(told, made):
        raise FileFormatError(f"its {what} says {told!r}, of which was made {made!r}")


def _agree(told: Any, made: Any) -> bool:
    """Tell whether two descriptions say the same; a field that `told` lacks has its default in `made`."""
    if isinstance(told, dict):
        return isinstance(made, dict) and all(
            key in made and _agree(told[key], made[key]) for key in told
        )
    if isinstance(told, list):
        return (
            isinstance(made, (list, tuple))
            and len(told) == len(made)
            and all(map(_agree, told, made))
        )
    same = told == made or (told != told and made != made)  # NaN is not equal to itself
    return same and isinstance(told, bool) == isinstance(made, bool)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open a file that `write_file` wrote; whatever is wrong with it is a `FileFormatError`.

    So is any error within the block, but for those that are no fault of the file: a name that is not
    known here, a plugin that cannot be imported, and too little memory for what the file really holds.
    """
    import zipfile

    with open(path, "rb") as file, refusing(path), zipfile.ZipFile(file) as archive:
        yield Archive(archive, os.fstat(file.fileno()).st_size)


@contextlib.contextmanager
def refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong with what a file holds into a `FileFormatError`, as `opened` does."""
    try:
        yield
    except (UnknownNameError, ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged archive shows itself in every kind of error
        _refuse(path, error)


def _refuse(path: str | os.PathLike[str], error: Exception) -> NoReturn:
    told = str(error) or type(error).__name__
    told = told if len(told) <= _LONGEST_MESSAGE else f"{told[:_LONGEST_MESSAGE]} …"
    hint = "give a file that model.save, or fit(..., checkpoint=...), wrote"
    raise FileFormatError(
        f"{os.fspath(path)!r} is not a whole tinynet file: {told}; {hint}"
    ) from error
