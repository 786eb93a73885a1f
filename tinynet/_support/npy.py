"""The header of a ``.npy`` array, read as text of one form, never as Python."""

from __future__ import annotations

import re
from typing import IO, Any

import numpy as np

from tinynet._support.arrays import Shape

_MAGIC = b"\x93NUMPY"
_BYTES_OF_LENGTH = {(1, 0): 2, (2, 0): 4}  # by version of the format
_LONGEST = 1 << 16  # bytes of a header
_HEADER = (  # compiled when it is first used
    rb"\{'descr': '([<|>=][A-Za-z]\d*)', 'fortran_order': (False|True), "
    rb"'shape': \(([0-9, ]*)\),? ?\} *\n?"
)


def read_header(file: IO[bytes]) -> tuple[Shape, bool, np.dtype[Any]]:
    """Return shape, whether the array lies column by column, and dtype, of a file at its start.

    The file is then at the data. Any other header than `numpy.save` writes for an array of plain
    numbers or text is a ValueError.
    """
    start = file.read(len(_MAGIC) + 2)
    version = tuple(start[len(_MAGIC) :])
    if not start.startswith(_MAGIC) or len(version) < 2:
        raise ValueError(f"it begins with {start!r}, expected the magic string of a .npy file")
    if version not in _BYTES_OF_LENGTH:
        raise ValueError(f"the version of its format is {version}, expected (1, 0) or (2, 0)")
    length = int.from_bytes(file.read(_BYTES_OF_LENGTH[version]), "little")
    header = re.fullmatch(_HEADER, file.read(length)) if length <= _LONGEST else None
    if header is None:
        raise ValueError("its header is not that of an array of numbers")
    shape = tuple(map(int, re.findall(rb"\d+", header[3])))
    return shape, header[2] == b"True", np.dtype(header[1].decode("ascii"))
