"""Small data to learn with, as columns: real digits, and shapes in the plane; and files of any size, by rows."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Iterator
from typing import IO, Any, Self

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import FileFormatError


@attrs.frozen(eq=False, repr=False)
class Digits:
    """The handwritten digits: X (64, 1797), y (1797,), and which are held out to test, of each digit every fifth."""

    X: Array
    y: Array
    test: Array
    X_train = property(lambda self: self.X[:, ~self.test], doc="The images to train on.")
    y_train = property(lambda self: self.y[~self.test], doc="Their digits.")
    X_test = property(lambda self: self.X[:, self.test], doc="The held-out images.")
    y_test = property(lambda self: self.y[self.test], doc="Their digits.")

    def __iter__(self) -> Iterator[Array]:
        return iter((self.X, self.y))


def load_digits() -> Digits:
    """Return 1,797 handwritten digits, as columns scaled to [0, 1]; ``X, y = load_digits()`` takes them all.

    The test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak
    (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed under
    CC BY 4.0. Each entry was a count of 0 to 16 ink pixels; here it is divided by 16.

    >>> digits = load_digits()
    >>> digits.X.shape, digits.X_train.shape, digits.X_test.shape
    ((64, 1797), (64, 1433), (64, 364))
    """
    with np.load(os.path.join(os.path.dirname(__file__), "digits.npz")) as data:
        counts, y = data["counts"], data["y"].astype(np.int64)
    test = np.zeros(y.size, bool)
    for digit in range(10):
        test[np.flatnonzero(y == digit)[::5]] = True
    return Digits(X=counts.T / 16, y=y, test=test)


def make_circles(
    m: int = 300, noise: float = 0.05, seed: Any = None, factor: float = 0.5
) -> tuple[Array, Array]:
    """Return points on two circles around one centre: X (2, m), Y (1, m) with 1 for the inner one.

    >>> [array.shape for array in make_circles(100, seed=1)]
    [(2, 100), (1, 100)]
    """
    angle, inner = _halves(m, 2 * np.pi, endpoint=False)
    return _noisy(np.where(inner, factor, 1.0) * _on_circle(angle), inner, noise, seed)


def make_moons(m: int = 300, noise: float = 0.1, seed: Any = None) -> tuple[Array, Array]:
    """Return points on two half circles that interlock: X (2, m), Y (1, m) with 1 for the lower one."""
    angle, lower = _halves(m, np.pi)
    upper_moon = _on_circle(angle)
    return _noisy(
        np.where(lower, np.array([[1.0], [0.5]]) - upper_moon, upper_moon), lower, noise, seed
    )


def make_spirals(
    m: int = 300, noise: float = 0.05, seed: Any = None, turns: float = 1.0
) -> tuple[Array, Array]:
    """Return points on two spirals around one centre: X (2, m), Y (1, m) with 1 for the second."""
    angle, second = _halves(m, 2 * np.pi * turns)
    radius = np.linspace(0.1, 1, m - m // 2)[np.arange(m) % (m - m // 2)]
    return _noisy(radius * _on_circle(angle + np.pi * second), second, noise, seed)


def _halves(m: int, span: float, endpoint: bool = True) -> tuple[Array, Array]:
    """Return angles evenly over `span` for each half of the points, and which half a point is in."""
    first = m - m // 2
    angle = np.concatenate([np.linspace(0, span, n, endpoint=endpoint) for n in (first, m // 2)])
    return angle, np.arange(m) >= first


def _on_circle(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)])


def _noisy(X: Array, of_second: Array, noise: float, seed: Any) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return X + noise * rng.standard_normal(X.shape), of_second.astype(np.int64)[np.newaxis]


class Rows:
    """The rows of a ``.npy`` file, an example each, read when they are asked for; `open_rows` opens one.

    ``shape`` and ``dtype`` are those of the file: (m, n) for m examples of n features. A slice, a
    number or an array of numbers gives rows as an array: ``rows[100:200]``. What `fit` and `evaluate`
    are handed is ``rows`` itself, where an array would be handed over as ``array.T``. It takes address
    space for what is read, and not for the whole file, as `numpy.memmap` does. It is closed by
    ``close()``, at the end of a ``with``, or with the object, and pickled by its path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115  it is closed with the object
        self.close = weakref.finalize(self, self._file.close)
        try:
            self.shape, self.dtype = _npy_header(self._file)
        except Exception as error:  # a damaged header shows itself in every kind of error
            self.close()
            hint = "write it with np.save(path, array), an example a row"
            raise FileFormatError(f"{self.path!r} holds no rows: {error}; {hint}") from error
        self._start, self._row = self._file.tell(), math.prod(self.shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Array:
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            return self.read(start, np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype))
        numbers = (
            np.asarray(range(len(self))[index]) if isinstance(index, slice) else np.asarray(index)
        )
        if numbers.dtype.kind not in "iu" or numbers.ndim > 1:
            raise IndexError(
                f"rows are taken by a slice, a number or an array of numbers; got {index!r}"
            )
        rows = np.empty((numbers.size, *self.shape[1:]), self.dtype)
        wanted = numbers.reshape(-1)
        for at in np.argsort(wanted, kind="stable"):  # in the order of the file, which suits a disk
            self.read(range(len(self))[wanted[at]], rows[at : at + 1])
        return rows if numbers.ndim else rows[0]

    def read(self, start: int, out: Array) -> Array:
        """Fill `out`, a contiguous array (k, ...) of the file's dtype, with the rows from `start` on, and return it."""
        if out.dtype != self.dtype or out.shape[1:] != self.shape[1:] or not out.flags.c_contiguous:
            raise ValueError(
                f"rows of {self.shape[1:]} in {self.dtype} do not fit into {out.shape} in {out.dtype}"
            )
        if not 0 <= start <= start + len(out) <= len(self):
            raise IndexError(
                f"there are {len(self)} rows, and so none from {start} to {start + len(out)}"
            )
        data, done = out.reshape(-1).view(np.uint8), 0
        while done < data.size:
            read = self._read_at(self._start + start * self._row + done, data[done:])
            if not read:
                raise FileFormatError(
                    f"{self.path!r} became shorter than it was when it was opened"
                )
            done += read
        return out

    def _read_at(self, place: int, data: Any) -> int:
        if hasattr(
            os, "preadv"
        ):  # moves no place in the file, which threads and forked processes share
            return os.preadv(self._file.fileno(), [data], place)
        with _SEEKING:
            self._file.seek(place)
            return self._file.readinto(data) or 0

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError(
            "rows stay in their file until they are asked for: rows[:].T is all of them as columns"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return type(self), (self.path,)

    def __repr__(self) -> str:
        return f"<Rows {self.shape} {self.dtype} of {self.path!r}>"


_SEEKING = threading.Lock()


def open_rows(path: str | os.PathLike[str]) -> Rows:
    """Open a ``.npy`` file with an example in each row, to train on it as it lies on disk: ``fit(open_rows(path), Y)``.

    Any size is fine; the array lies row by row, as `numpy.save` writes it, and is of real numbers.
    A file that is not so, or is not whole, is a `FileFormatError`.
    """
    return Rows(path)


def _npy_header(file: IO[bytes]) -> tuple[Shape, np.dtype[Any]]:
    """Return shape and dtype of the rows that follow, if there are any; nothing is unpickled."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"the version of its format is {version}, not (1, 0) or (2, 0)")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, in_columns, dtype = read(file)
    if in_columns:
        raise ValueError("its array lies column by column; save np.ascontiguousarray(array)")
    if dtype.kind not in "biuf":
        raise ValueError(f"its dtype is {dtype}, and rows are real numbers")
    if not shape or min(shape) < 1:
        raise ValueError(f"its array has shape {shape}")
    size, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    if there < size:
        raise ValueError(f"it is cut off: {there} bytes of {size} are there")
    return shape, dtype
