"""Rows and labels of other libraries become columns and numbers."""

import datetime as dt

import numpy as np
import pytest
from helpers import output_of
from messages import raises

import tinynet as tn

COLUMNS = {"a": [1, 2, 3], "b": [0.5, None, 1.5], "c": [True, False, True]}
EXPECTED = np.array([[1, 2, 3], [0.5, np.nan, 1.5], [1, 0, 1]], np.float32)


def pandas_frame(data):
    return pytest.importorskip("pandas").DataFrame(data)


def nullable(data):
    return pandas_frame(data).convert_dtypes()


def arrow_backed(data):
    pytest.importorskip("pyarrow")
    return pandas_frame(data).convert_dtypes(dtype_backend="pyarrow")


def of_objects(data):
    return pandas_frame(data).astype(object)


def polars_frame(data):
    return pytest.importorskip("polars").DataFrame(data)


def lazy(data):
    return polars_frame(data).lazy()


def arrow_table(data):
    return pytest.importorskip("pyarrow").table(data)


def arrow_batch(data):
    return arrow_table(data).to_batches()[0]


FRAMES = [
    pandas_frame, nullable, arrow_backed, of_objects, polars_frame, lazy, arrow_table, arrow_batch,
]  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_frames(frame):
    """A frame of integers, floats and booleans, of which some are missing, becomes columns."""
    X = tn.from_rows(frame(COLUMNS))
    assert np.float32 == X.dtype
    np.testing.assert_array_equal(EXPECTED, X)
    missing = {"a": [1, None], "b": [True, None]}
    np.testing.assert_array_equal([[1, np.nan]] * 2, tn.from_rows(frame(missing)))
    assert np.float64 == tn.from_rows(frame(COLUMNS), "float64").dtype


@pytest.mark.parametrize("frame", FRAMES)
def test_words_and_dates(frame):
    """A column of words or dates is refused by its name."""
    with raises(TypeError, "Column 'city' holds strings, such as 'Oslo', expected numbers"):
        tn.from_rows(frame({"a": [1, 2], "city": ["Oslo", None]}))
    days = [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]
    with raises(TypeError, "Column 'day' holds dates, such as 2020-01-01", "Leave it out"):
        tn.from_rows(frame({"day": days, "a": [1, 2]}))


def test_remedies():
    """What a message says to do for words can be typed in."""
    pandas, data = pytest.importorskip("pandas"), {"a": [1, 2], "city": ["Oslo", "Rome"]}
    for frame in (pandas_frame, polars_frame, arrow_table):
        rows = frame(data)
        with raises(TypeError, "Column 'city'") as caught:
            tn.from_rows(rows)
        remedy = str(caught.value).rpartition(": " if frame is arrow_table else "Pass ")[2][:-1]
        X = tn.from_rows(eval(remedy, {"rows": rows, "pandas": pandas}))
        assert (1 if frame is arrow_table else 3, 2) == X.shape


@pytest.mark.parametrize(("rows", "expected"), [
    ([[1, 2], [3, 4], [5, 6]], [[1, 3, 5], [2, 4, 6]]),
    (np.arange(6).reshape(2, 3), [[0, 3], [1, 4], [2, 5]]),
    ([1, 2, 3], [[1, 2, 3]]),
    (np.arange(4.0).reshape(2, 1, 2), [[[0, 2], [1, 3]]]),
    (np.ma.masked_array([[1.0, 2.0]], [[True, False]]), [[np.nan], [2]]),
    ([[None, 1]], [[np.nan], [1]]),
])  # fmt: skip
def test_arrays(rows, expected):
    """Lists and arrays of rows become columns, and numbers alone are one feature."""
    np.testing.assert_array_equal(expected, tn.from_rows(rows))


def test_sparse():
    """A sparse matrix of any kind becomes an array of columns."""
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        np.testing.assert_array_equal([[1, 0], [0, 2]], tn.from_rows(kind([[1, 0], [0, 2]])))


def test_tensors(torch):
    """A tensor becomes columns, with a gradient and in bfloat16 too."""
    rows = torch.arange(6.0).reshape(2, 3)
    for tensor in (rows, rows.clone().requires_grad_(), rows.bfloat16(), rows.int()):
        np.testing.assert_array_equal(rows.numpy().T, tn.from_rows(tensor))
    Y, _ = tn.from_labels(torch.tensor([5, 3, 5]))
    assert [1, 0, 1] == Y.tolist()


@pytest.mark.parametrize(("rows", "error", "words"), [
    ("words", TypeError, ["rows has dtype <U5"]),
    (3, TypeError, ["rows has dtype int64", "Pass an array"]),
    ([["1", "2"]], TypeError, ["rows has dtype <U1", "Pass np.asarray(rows).astype(float)"]),
    ([[1, 2], [3]], ValueError, ["rows is inhomogeneous"]),
    ([[1j]], TypeError, ["complex128"]),
    ({"a": [1, 2]}, TypeError, ["rows is a dict"]),
    (np.array([(1, "a")], "i4, U1"), TypeError,
     ["The field 'f1' holds <U1", "np.stack([rows[field] for field in ['f0']], axis=-1)"]),
    (np.array([(1, 2)], "i4, i4"), TypeError,
     ["np.stack([rows[field] for field in rows.dtype.names], axis=-1)"]),
    (np.array([("a",)], [("a", "U1")]), TypeError, ["None of its fields holds numbers"]),
])  # fmt: skip
def test_no_rows(rows, error, words):
    """What holds no numbers in rows is refused in words."""
    with raises(error, *words):
        tn.from_rows(rows)


def columns_of(words):
    """Return labels as all libraries have them."""
    yield words
    yield np.array(words)
    yield np.array(words, object)[:, np.newaxis]
    yield pandas_frame({"y": words})["y"]
    yield pandas_frame({"y": words})["y"].astype("category")
    yield pandas_frame({"y": words})
    yield polars_frame({"y": words})["y"]
    yield arrow_table({"y": words})["y"]


@pytest.mark.parametrize("words", [["b", "a", "b"], [3, -1, 3], [True, False, True]], ids=str)
def test_labels(words):
    """Labels become numbers, and classes[Y] are the labels again."""
    for labels in columns_of(words):
        Y, classes = tn.from_labels(labels)
        assert [1, 0, 1] == Y.tolist()
        assert Y.dtype.kind == "i"
        assert words == classes[Y].tolist()
        assert sorted(set(words)) == classes.tolist()


@pytest.mark.parametrize("classes", [["dog", "cat", "bird"], np.array([5, 3, 9])], ids=str)
def test_labels_of_other_data(classes):
    """Labels of a test set have the numbers that their classes have, in any order."""
    words = [classes[0], classes[2], classes[0]]
    Y, same = tn.from_labels(words, classes)
    assert [0, 2, 0] == Y.tolist()
    assert list(classes) == same.tolist()
    with raises(ValueError, "The label", "not among the classes", "Leave out its examples"):
        tn.from_labels(words, classes[:2])
    for bad in ("dog", [words], [words[0]] * 2):
        with raises(ValueError, "classes is", "expected what from_labels returned"):
            tn.from_labels(words, bad)


def test_missing_labels():
    """A missing label is refused, with its place."""
    for labels in columns_of(["b", None, "b"]):
        with raises(ValueError, "labels[1] is missing", "Leave these examples out"):
            tn.from_labels(labels)


@pytest.mark.parametrize(("labels", "error", "words"), [
    ([1.0, np.nan], ValueError, ["labels[1] is missing"]),
    ([], ValueError, ["labels is empty"]),
    (["a", 1], TypeError, ["int and str", "[str(label) for label in labels]"]),
    ([[0, 1], [1, 0]], ValueError, ["shape (2, 2)", "from_rows"]),
    ("abc", TypeError, ["labels is a str", "Pass a list"]),
    ({"a", "b"}, TypeError, ["labels is a set", "Pass a list"]),
])  # fmt: skip
def test_no_labels(labels, error, words):
    """What holds no label for each example is refused in words."""
    with raises(error, *words):
        tn.from_labels(labels)


def test_train_on_a_frame():
    """Rows and labels train a model, and predictions are labels again."""
    x = np.linspace(-1, 1, 40)
    rows = pandas_frame({"x": x, "square": x**2})
    Y, classes = tn.from_labels(np.where(x > 0, "right", "left"))
    model = tn.Sequential([tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=0)
    model.fit(tn.from_rows(rows), Y, tn.SGD(1.0), epochs=50)
    predicted = classes[model.predict_labels(tn.from_rows(rows))]
    assert "left" == predicted[0]
    assert "right" == predicted[-1]


def test_import():
    """The functions are imported when they are first used, and import no other library."""
    others = "{'pandas', 'polars', 'pyarrow', 'scipy', 'torch'} & set(sys.modules)"
    program = f"""
import sys, tinynet as tn
print("tinynet.data.frames" in sys.modules)
tn.from_rows([[1, 2]]), tn.from_labels(["a"])
print({others})
"""
    assert "False\nset()\n" == output_of("-c", program)
