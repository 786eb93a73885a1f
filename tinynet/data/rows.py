"""Files of rows: the examples of a ``.npy`` file of any size, read when they are used."""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import IO, Any, Self

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import file_path
from tinynet._support.npy import read_header
from tinynet.errors import FileFormatError

_SEEKING = threading.Lock()


class Rows:
    """The rows of a ``.npy`` file of real numbers, each an example; `open_rows` opens one.

    ``shape`` and ``dtype`` are those of the file: (m, n) for m examples of n features. A slice, a
    number or an array of numbers reads rows into an array: ``rows[100:200]``. Pass ``rows`` itself
    to `fit` and `evaluate`, where an array would be ``array.T``. Only what is read takes address
    space, unlike a `numpy.memmap`. The file is closed by ``close()``, at the end of a ``with``, or
    with the object. Rows are pickled as their path. Another file raises `FileFormatError`.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Examples
    --------
    See `open_rows`::

        with tn.open_rows("examples.npy") as rows:
            model.fit(rows, Y)
    """

    def __init__(self, path: str | bytes | os.PathLike[Any]) -> None:
        self.path = file_path("path", path, "rows.npy")
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115  closed with the object
        self.close = weakref.finalize(self, self._file.close)
        try:
            self.shape, self.dtype = _npy_header(self._file)
        except Exception as error:  # a damaged header raises every kind of error
            self.close()
            hint = "Write it with np.save(path, array), an example in each row."
            raise FileFormatError(f"{self.path!r} holds no rows: {error}. {hint}") from error
        self._start, self._row = self._file.tell(), math.prod(self.shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Array:
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            return self.read(start, self._empty(max(stop - start, 0)))
        numbers = np.asarray(range(len(self))[index] if isinstance(index, slice) else index)
        if numbers.dtype.kind not in "iu" or numbers.ndim > 1:
            raise IndexError(f"Rows got {index!r}, expected a slice, a number or an array of them.")
        flat = numbers.reshape(-1)
        rows = self._empty(flat.size)
        for at in np.argsort(flat, kind="stable"):  # in the order of the file, which suits a disk
            self.read(range(len(self))[flat[at]], rows[at : at + 1])
        return rows if numbers.ndim else rows[0]

    def _empty(self, k: int) -> Array:
        return np.empty((k, *self.shape[1:]), self.dtype)

    def read(self, start: int, out: Array) -> Array:
        """Fill `out`, a contiguous (k, ...) of the file's dtype, with the rows from `start` on."""
        if out.dtype != self.dtype or out.shape[1:] != self.shape[1:] or not out.flags.c_contiguous:
            expected = f"a contiguous (k, ...) with rows of {self.shape[1:]} in {self.dtype}"
            raise ValueError(f"out has shape {out.shape} in {out.dtype}, expected {expected}.")
        stop = start + len(out)
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"Rows {start} to {stop} do not exist, expected 0 to {len(self)}.")
        data, place = out.reshape(-1).view(np.uint8), self._start + start * self._row
        while data.size:
            size = self._read_at(place, data)
            if not size:
                raise FileFormatError(f"{self.path!r} became shorter. Open the file again.")
            data, place = data[size:], place + size
        return out

    def _read_at(self, place: int, data: Any) -> int:
        if hasattr(os, "preadv"):  # threads and forked processes share the position in the file
            return os.preadv(self._file.fileno(), [data], place)
        with _SEEKING:
            self._file.seek(place)
            return self._file.readinto(data) or 0

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError("Rows stay in their file. Use rows[:].T for all of them as columns.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return type(self), (self.path,)

    def __repr__(self) -> str:
        return f"<Rows {self.shape} {self.dtype} of {self.path!r}>"


def open_rows(path: str | bytes | os.PathLike[Any]) -> Rows:
    """Open a ``.npy`` file with an example in each row: ``fit(open_rows(path), Y)``.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    Rows
        The open file, of which parts are read when they are needed.
    """
    return Rows(path)


def _npy_header(file: IO[bytes]) -> tuple[Shape, np.dtype[Any]]:
    """Return shape and dtype of the rows that follow; nothing is unpickled."""
    shape, in_columns, dtype = read_header(file)
    if in_columns:
        raise ValueError("its array lies column by column, save np.ascontiguousarray(array)")
    if dtype.kind not in "biuf":
        raise ValueError(f"its dtype is {dtype}, expected real numbers")
    if not shape or min(shape) < 1:
        raise ValueError(f"its array has shape {shape}, expected at least one row")
    size, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    if there < size:
        raise ValueError(f"it has {there} bytes of rows, expected {size}")
    return shape, dtype
