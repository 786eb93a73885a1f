"""Rows and labels from elsewhere: frames, tables, sparse matrices, tensors and lists.

pandas, polars, Arrow, SciPy and PyTorch are known by the methods of their objects, never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import shown
from tinynet._support.examples import as_array, not_numbers

_NUMBERS = "biuf"  # the kinds of dtypes of real numbers


def from_rows(rows: Any, dtype: Any = "float32") -> Array:
    """Return X, with examples as columns, of data with an example in each row.

    Parameters
    ----------
    rows : data frame, table, sparse matrix, tensor or array_like of shape (m, ...)
        A pandas or polars frame (lazy too), an Arrow table, what SciPy calls a sparse matrix or
        array, a tensor of PyTorch on any device, or whatever NumPy makes an array of. One column,
        such as a series, is one feature. Missing entries become NaN.
    dtype : str or dtype
        The dtype of X, by default that of a model. Use ``"float64"`` where a model has it.

    Returns
    -------
    ndarray of shape (n, m), or (..., m)
        It may share memory with `rows`, where nothing had to be converted.

    Raises
    ------
    TypeError
        For columns that do not hold numbers, such as words or dates. The message names them.

    Examples
    --------
    >>> from_rows([[1, 2, 3], [4, 5, 6]])
    array([[1., 4.],
           [2., 5.],
           [3., 6.]], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if hasattr(rows, "collect") and hasattr(rows, "lazy"):  # a lazy frame of polars
        rows = rows.collect()
    if hasattr(rows, "dtypes") and hasattr(rows, "iloc") and hasattr(rows, "columns"):
        return _from_pandas(rows, dtype)
    if hasattr(rows, "get_columns"):
        return _from_columns(zip(rows.columns, rows.get_columns(), strict=True), rows, dtype)
    if hasattr(rows, "column_names"):
        return _from_columns(zip(rows.column_names, rows.columns, strict=True), rows, dtype)
    if hasattr(rows, "toarray"):
        return rows.astype(dtype).toarray().T
    return np.moveaxis(_array_of_rows(rows, dtype), 0, -1)


def from_labels(labels: Any, classes: Any = None) -> tuple[Array, Array]:
    """Return Y, a number for each label, and the classes that the numbers stand for.

    Parameters
    ----------
    labels : series, column or array_like of shape (m,)
        Words, numbers or whatever can be sorted, of pandas, polars, Arrow, NumPy or a list.
    classes : array_like of shape (n,), optional
        The classes of training labels, where these are labels of other data, such as a test set:
        each class keeps its number.

    Returns
    -------
    Y : ndarray of shape (m,)
        Integers from 0 on, as a model takes them for one output or for categorical cross-entropy.
    classes : ndarray of shape (n,)
        The different labels, sorted, or those that were passed: ``classes[Y]`` are the labels
        again, and ``classes[model.predict_labels(X)]`` are predictions as labels.

    Raises
    ------
    ValueError
        For a missing label, a label that is not in `classes`, or several labels an example.
    TypeError
        For labels that cannot be sorted, such as words and numbers together.

    Examples
    --------
    >>> Y, classes = from_labels(["cat", "dog", "cat"])
    >>> Y, classes
    (array([0, 1, 0]), array(['cat', 'dog'], dtype='<U3'))
    >>> from_labels(["dog"], classes)[0]
    array([1])
    """
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    array = np.asarray(labels)
    if array.ndim == 0:
        found = f"labels is a {type(labels).__name__}, expected one label an example, (m,)"
        raise TypeError(f"{found}. Pass a list.")
    if not array.size:
        raise ValueError("labels is empty, expected a label for each example.")
    if array.size != len(array):
        found = f"labels has shape {array.shape}, expected one label an example, (m,)"
        raise ValueError(f"{found}. For several yes or no each, use Y = from_rows(labels).")
    array = array.reshape(-1)
    if array.dtype.kind in "US" and isinstance(labels, (list, tuple)):
        array = np.array(labels, object).reshape(-1)  # NumPy would make words of numbers
    missing = np.flatnonzero(_is_missing(array))
    if missing.size:
        found = f"labels[{missing[0]}] is missing, and {missing.size} are in all"
        raise ValueError(f"{found}, expected a label for each example. Leave these examples out.")
    own, Y = _numbered(array)
    if classes is None:
        return Y, own
    known = np.asarray(classes)
    if known.ndim != 1 or len(set(known.tolist())) < len(known):
        found = f"classes is {shown(classes)}, expected what from_labels returned"
        raise ValueError(f"{found}. Use Y, classes = tn.from_labels(labels) for those of training.")
    number = {label: k for k, label in enumerate(known.tolist())}
    for label in own.tolist():
        if label not in number:
            found = f"The label {label!r} is not among the classes, expected one of {known}"
            raise ValueError(f"{found}. Leave out its examples, or train with some of them.")
    return np.array([number[label] for label in own.tolist()], Y.dtype)[Y], known


def _numbered(labels: Array) -> tuple[Array, Array]:
    """Return the different labels, sorted, and the number of each label among them."""
    try:
        classes, Y = np.unique(labels, return_inverse=True)
    except TypeError as error:
        kinds = " and ".join(sorted({type(label).__name__ for label in labels.tolist()}))
        found = f"labels holds {kinds}, which cannot be sorted together"
        remedy = "Use labels of one kind: [str(label) for label in labels]"
        raise TypeError(f"{found}. {remedy}.") from error
    if classes.dtype == object and all(isinstance(label, str) for label in classes):
        classes = classes.astype(str)
    return classes, Y


def _from_pandas(frame: Any, dtype: np.dtype[Any]) -> Array:
    """Return the columns of a pandas frame, converted as a whole, which is fastest."""
    for i, kind in enumerate(frame.dtypes):
        if getattr(kind, "kind", "O") not in _NUMBERS:
            _numbers(frame.columns[i], frame.iloc[:, i].to_numpy(), frame)
    return frame.to_numpy(dtype=dtype, na_value=np.nan).T


def _from_columns(columns: Iterable[tuple[Any, Any]], table: Any, dtype: np.dtype[Any]) -> Array:
    """Return X of the columns of a table, with their names."""
    n, m = table.shape[1], table.shape[0]
    X = np.empty((n, m), dtype)
    for row, (name, column) in zip(X, columns, strict=True):
        row[...] = _numbers(name, np.asarray(column), table)
    return X


def _numbers(name: Any, column: Array, table: Any) -> Array:
    """Return a column, if it holds real numbers; some may be missing."""
    if column.dtype.kind in _NUMBERS:
        return column
    odd = next(_odd_entries(column), None)
    if odd is None:
        return np.array([np.nan if _is_nothing(v) else float(v) for v in column])
    place = f"Column {name!r}" if name not in (None, "") else "The column"
    if not isinstance(odd, str):
        found = f"{place} holds {_kind(odd)}, such as {odd}, expected numbers"
        raise TypeError(f"{found}. Leave it out, or replace it by numbers.")
    found = f"{place} holds strings, such as {odd!r}, expected numbers"
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        raise TypeError(f"{found}. Pass pandas.get_dummies(rows, columns=[{name!r}]).")
    if hasattr(table, "to_dummies"):
        raise TypeError(f"{found}. Pass rows.to_dummies({name!r}).")
    if hasattr(table, "drop_columns"):
        raise TypeError(f"{found}. Leave it out: rows.drop_columns([{name!r}]).")
    raise TypeError(f"{found}. For labels, use Y, classes = from_labels(rows).")


def _odd_entries(column: Array) -> Iterator[Any]:
    """Yield the entries of a column that are no numbers."""
    if column.dtype.kind != "O":
        yield from column[:1].tolist() if column.dtype.kind in "US" else column[:1]
        return
    for value in column:
        if not (_is_nothing(value) or isinstance(value, (Real, Decimal, np.bool_))):
            yield value


def _kind(value: Any) -> str:
    return "dates" if hasattr(value, "year") or isinstance(value, np.datetime64) else "objects"


def _array_of_rows(rows: Any, dtype: np.dtype[Any]) -> Array:
    """Return what holds no columns with names as an array of rows."""
    if hasattr(rows, "detach"):  # a tensor, on any device, of any dtype
        rows = rows.detach().cpu()
        rows = rows.float() if "bfloat16" in str(rows.dtype) else rows
        rows = rows.numpy()
    if hasattr(rows, "filled"):  # a masked array
        rows = rows.astype(dtype).filled(np.nan)
    array = as_array(rows, "rows")
    if array.ndim == 1 and not isinstance(rows, (np.ndarray, list, tuple)):  # a series
        array = _numbers(getattr(rows, "name", None), array, rows)
    if array.dtype.kind == "O" and array.ndim and next(_odd_entries(array.ravel()), None) is None:
        array = array.astype(dtype)
    if array.dtype.kind not in _NUMBERS or not array.ndim:
        raise not_numbers(rows, array, "rows")
    return np.asarray(array[:, np.newaxis] if array.ndim == 1 else array, dtype)


def _is_missing(array: Array) -> Array:
    """Return which entries are missing."""
    if array.dtype.kind == "O":
        return np.fromiter(map(_is_nothing, array), bool, len(array))
    if array.dtype.kind in "fcmM":
        return array != array
    return np.zeros(len(array), bool)


def _is_nothing(value: Any) -> bool:
    """Return whether a value is None, NaN, or what pandas has in place of a missing one."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
