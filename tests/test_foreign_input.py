"""What other libraries hand over is taken, or refused with a remedy that works when it is typed in.

Stand-ins have what these libraries' objects have. The real ones are tried where they are installed.
"""

import code
import re

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import SGD, Dense, EarlyStopping, Sequential
from tinynet.activations import ReLU
from tinynet.errors import ShapeError, UnknownNameError

RNG = np.random.default_rng(5)
N, M = 3, 6
X, Y = RNG.standard_normal((N, M)), RNG.standard_normal((1, M))
LABELS = np.array([0, 1, 2, 1, 0, 2])
WORDS = np.array(["cat", "dog", "eel"])[LABELS]


class Held:
    """An object that holds an array, as those of other libraries do."""

    def __init__(self, array, **attributes):
        self._array, self.shape, self.ndim = array, np.shape(array), np.ndim(array)
        vars(self).update(attributes)

    def __len__(self):
        return len(self._array)

    def __getitem__(self, key):
        return Series(self._array[:, self.columns.index(key)])


class Series(Held):
    """A column as pandas and polars have it: no reshape, no ravel."""

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._array, dtype)

    def to_numpy(self, dtype=None):
        return np.asarray(self._array, dtype)


class Missing(Series):
    def fillna(self, value):
        return Series(np.array([value if x is None else x for x in self._array]))


def frame(array, columns="abcdefgh"):
    return Series(array, columns=list(columns[: array.shape[1]]))


class Sparse(Held):
    def tocsr(self):
        return self

    def toarray(self):
        return self._array

    def __array__(self, *_, **__):
        raise AssertionError("SciPy would give an array of one object")


class Tensor(Held):
    """A tensor of PyTorch, which NumPy reads only after some calls."""

    def __init__(self, array, **needs):
        super().__init__(array, **({"requires_grad": False, "device": "cpu", "dtype": "f"} | needs))

    def _with(self, **changes):
        needs = {name: vars(self)[name] for name in ("requires_grad", "device", "dtype")}
        return Tensor(self._array, **(needs | changes))

    def detach(self):
        return self._with(requires_grad=False)

    def cpu(self):
        return self._with(device="cpu")

    def float(self):
        return self._with(dtype="torch.float32")

    def numpy(self):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu" or "bfloat16" in self.dtype:
            raise TypeError("can't convert this tensor to numpy.")
        return self._array

    def __array__(self, dtype=None, copy=None):
        return self.numpy()


def objects(values):
    array = np.empty(np.shape(values), object)
    array[...] = values
    return array


def network(kind="numbers", inputs=N):
    if kind == "numbers":
        return Sequential([Dense(1)], "mean_squared_error", inputs=inputs, seed=1)
    layers = [Dense(3, "softmax")]
    return Sequential(layers, "categorical_crossentropy", inputs=inputs, seed=1)


RECORDS = np.array([tuple(column) for column in X.T], [("a", float), ("b", float), ("c", float)])
DAYS = np.datetime64("2024-01-01") + np.arange(N * M).reshape(N, M)
BY_WORDS = np.stack([X[0].astype(str), WORDS]).astype(object)
DEEP = [[[1.0], [2.0]], [[1.0]]]
MASKED = np.ma.masked_array(X, X > 1)

# what is handed over as X, and remedies that the message has
BAD_X = {
    "rows": (X.T, "X.T"),
    "a list of rows": (X.T.tolist(), "np.asarray(X).T"),
    "a frame of rows": (frame(X.T), "X.to_numpy().T"),
    "a sparse matrix": (Sparse(X), "X.toarray()"),
    "a sparse matrix of rows": (Sparse(X.T), "X.toarray().T"),
    "a masked array": (MASKED, "X.filled(0)"),
    "a structured array": (RECORDS, "np.stack([X[field] for field in X.dtype.names])"),
    "complex numbers": ((X + 1j).tolist(), "np.asarray(X).real"),
    "dates": (DAYS, '(X - X.min()) / np.timedelta64(1, "D")'),
    "times": (
        np.arange(N * M).reshape(N, M).astype("timedelta64[s]"), 'X / np.timedelta64(1, "s")'),
    "objects": (objects(X), "X.astype(float)"),
    "a list of words": (X.astype(str).tolist(), "np.asarray(X).astype(float)"),
    "missing numbers": (put := objects(X), "np.nan_to_num(X.astype(float))"),
    "a dictionary": (dict(zip("abc", X, strict=True)), "np.stack(list(X.values()))"),
    "a tensor with a gradient": (Tensor(X, requires_grad=True), "X.detach().numpy()"),
    "a tensor elsewhere": (Tensor(X, device="cuda:0"), "X.cpu().numpy()"),
    "a tensor of bfloat16": (
        Tensor(X, requires_grad=True, device="mps", dtype="torch.bfloat16"),
        "X.detach().cpu().float().numpy()"),
    "rows of two lengths": (
        [[1.0] * M, [2.0] * M, [3.0]], "[[*row, *[0] * (6 - len(row))] for row in X]"),
}  # fmt: skip
put[0, 1] = None
EXAMPLES, BATCHES = "np.stack(list(X), axis=-1)", "np.concatenate(list(X), axis=-1)"
ONE_PASS = {
    "a generator of examples": (lambda: (x for x in X.T), EXAMPLES),
    "a generator of batches": (lambda: (X[:, i : i + 2] for i in range(0, M, 2)), BATCHES),
    "values of a dictionary": (lambda: dict(enumerate(X.T)).values(), EXAMPLES),
    "a map": (lambda: map(np.array, X.T.tolist()), EXAMPLES),
    "a zip": (lambda: zip(*X, strict=True), EXAMPLES),
    "an iterator": (lambda: iter(X.T), EXAMPLES),
}
PARTS = {name: (lambda value=value: value, *words) for name, (value, *words) in BAD_X.items()}
USES_OF_X = {
    "forward": lambda model, X: model.forward(X),
    "predict": lambda model, X: model.predict(X),
    "predict_labels": lambda model, X: model.predict_labels(X),
    "predict by parts": lambda model, X: model.predict(X, batch_size=2),
    "evaluate": lambda model, X: model.evaluate(X, Y),
    "fit": lambda model, X: model.fit(X, Y),
    "validation": lambda model, X: model.fit(np.ones((N, M)), Y, validation_data=(X, Y)),
    "validation in a list": lambda model, X: model.fit(np.ones((N, M)), Y, validation_data=[X, Y]),
}


def typed(remedy, **given):
    """Return the value of what a message says to type, typed in."""
    shell = code.InteractiveInterpreter({"np": np, "tn": tn, **given})
    shell.runsource(f"value = {remedy}")
    return shell.locals["value"]


@pytest.mark.parametrize("use", USES_OF_X)
@pytest.mark.parametrize("what", PARTS | ONE_PASS)
def test_remedies_for_X(what, use):
    make, remedy = (PARTS | ONE_PASS)[what]
    with raises((TypeError, ValueError), "X", remedy):
        USES_OF_X[use](network(), make())
    USES_OF_X[use](network(), typed(remedy, X=make()))


BAD_Y = {
    "words": ("classes", WORDS, "tn.from_labels(Y)[0]"),
    "a row of words": ("classes", WORDS[np.newaxis], "tn.from_labels(np.ravel(Y))[0]"),
    "objects of words": ("classes", objects(WORDS), "tn.from_labels(Y)[0]"),
    "a list of words": ("classes", WORDS.tolist(), "tn.from_labels(Y)[0]"),
    "words of variable width": (
        "classes", WORDS.astype(np.dtypes.StringDType()), "tn.from_labels(Y)[0]"),
    "bytes": ("classes", WORDS.astype("S"), "tn.from_labels(Y)[0]"),
    "a series of words": (
        "classes", Series(objects(WORDS)), "tn.from_labels(Y)[0]"),
    "words and none": (
        "classes", Series(objects(np.where(WORDS == "cat", None, WORDS))),
        "tn.from_labels(Y.to_numpy().astype(str))[0]"),
    "numbers as words": ("classes", LABELS.astype(str), "Y.astype(int)"),
    "floats as words": ("numbers", Y.astype(str), "Y.astype(float)"),
    "float labels": ("classes", (LABELS * 1.0).tolist(), "np.asarray(Y).astype(int)"),
    "a series of float labels": ("classes", Series(LABELS * 1.0), "Y.to_numpy().astype(int)"),
    "missing numbers": ("numbers", Missing(objects([None, *Y[0, 1:]])),
                        "Y.fillna(0).to_numpy(dtype=float)"),
    "a frame of one column": ("numbers", frame(Y.T), "Y.to_numpy().T"),
    "a list of rows": ("numbers", Y.T.tolist(), "np.asarray(Y).T"),
    "a column of labels": ("classes", frame(LABELS[:, np.newaxis]), "Y.to_numpy().ravel()"),
    "a masked array": ("numbers", np.ma.masked_array(Y, Y > 0), "Y.filled(0)"),
    "a generator": (
        "classes", lambda: (label for label in LABELS), "np.stack(list(Y), axis=-1)"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_Y)
def test_remedies_for_Y(what):
    """For labels the message says how to get the classes and their numbers."""
    kind, bad, remedy = BAD_Y[what]
    bad = bad() if callable(bad) else bad  # what can be read only once is made anew
    with raises((TypeError, ValueError), "Y", remedy.removesuffix("[0]")):
        network(kind).fit(X, bad)
    network(kind).fit(X, typed(remedy, Y=bad))


def test_words_in_X():
    """The entry is named, and what it says to put in its place has a row for each word."""
    array = objects(np.vstack([X[:2].astype(str), WORDS]))
    table = frame(array.T, ["width", "height", "kind"])
    for bad, words, remedy in (
        (array, "X[2, 0] is 'cat'", "(X[2] == np.unique(X[2])[:, None]).astype(float)"),
        (table, "column 'kind'",
         "(X['kind'].to_numpy() == np.unique(X['kind'].to_numpy())[:, None]).astype(float)"),
    ):  # fmt: skip
        with raises(TypeError, words, remedy):
            network().fit(bad, Y)
        np.testing.assert_array_equal(np.eye(3)[:, LABELS], typed(remedy, X=bad))


ACCEPTED = {
    "a series": (X, Series(Y[0])),
    "a series of a nullable dtype": (X, Series(objects(Y[0]))),
    "a frame of columns": (frame(X), Y),
    "a matrix": (X.view(np.matrix), Y.view(np.matrix)),
    "an array without masked entries": (np.ma.masked_array(X), Y),
    "lists": (X.tolist(), Y.tolist()),
    "tensors": (Tensor(X), Tensor(Y)),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_accepted(what):
    """What can mean one thing only gives what the arrays give."""
    expected = network()
    expected.fit(X, Y, validation_data=(X, Y))
    for pair in (tuple(ACCEPTED[what]), list(ACCEPTED[what])):
        model = network()
        history = model.fit(*pair, validation_data=pair)
        np.testing.assert_array_equal(expected.params, model.params)
        assert {"loss", "val_loss"} == history.keys()
        assert model.evaluate(*pair) == expected.evaluate(X, Y)


def test_nullable_labels_stay_integers():
    assert network("classes").fit(X, Series(objects(LABELS))).epochs == 1


@pytest.mark.parametrize(("inputs", "array", "remedies"), [
    (None, X, ["X.to_numpy()", "X.to_numpy().T"]),
    (3, X[:, :3], ["X.to_numpy()", "X.to_numpy().T"]),
])  # fmt: skip
def test_a_frame_that_may_be_rows(inputs, array, remedies):
    """A frame is not guessed at: the message has a remedy for rows and one for columns."""
    for remedy in remedies:
        with raises(ShapeError, "rows", remedy):
            network(inputs=inputs).forward(frame(array))
        network(inputs=inputs).forward(typed(remedy, X=frame(array)))


def test_targets_beside_an_X_without_a_length():
    """Beside an X that NumPy can only read, targets are refused in the same words."""
    for readable in (X, Tensor(X)):
        with raises(ShapeError, "Y has shape (1, 4)", "X has 6 examples"):
            network().fit(readable, Y[:, :4])


def test_remedy_for_rows_in_a_list():
    """An unbuilt model cannot know: Y shows that X is by rows."""
    with raises(ShapeError, "np.asarray(X).T"):
        network(inputs=None).fit(X.T.tolist(), Y)


# Validation data


def test_forms_of_validation_data():
    """A pair, with weights or without, in a tuple or a list; batches in a list or tuple."""
    expected = network().fit(X, Y, validation_data=(X, Y))["val_loss"]
    halves = ((X[:, :3], Y[:, :3]), (X[:, 3:], Y[:, 3:]))
    for data in ([X, Y], (X, Y, np.ones(M)), [X, Y, np.ones(M)], [X.tolist(), Y.tolist()],
                 [(X, Y)], [[X, Y]], halves, list(halves), (list(halves),)):  # fmt: skip
        found = network().fit(X, Y, validation_data=data)["val_loss"]
        np.testing.assert_allclose(expected, found, rtol=1e-6)


def test_validation_data_in_files(tmp_path):
    np.save(tmp_path / "X.npy", np.ascontiguousarray(X.T))
    np.save(tmp_path / "Y.npy", np.ascontiguousarray(Y.T))
    pair = [tn.open_rows(tmp_path / f"{name}.npy") for name in "XY"]
    assert "val_loss" in network().fit(X, Y, validation_data=pair)


def batches():
    while True:
        yield X, Y


LIST_OF = "[batch for _, batch in zip(range(10), {})]"


@pytest.mark.parametrize(("data", "error", "words"), [
    ((), ValueError, ["validation_data has 0 parts", "leave it out"]),
    ((X, Y, None, None), ValueError, ["validation_data has 4 parts", "(X, Y, sample_weight)"]),
    (X, TypeError, ["Y is missing", "validation_data=(X, Y)"]),
    (3, TypeError, ["X is 3", "validation_data=(X, Y)"]),
    (batches, ValueError, ["X is a function", f"validation_data={LIST_OF.format('X()')}"]),
    (batches(), TypeError, ["generator", "only once", f"validation_data={LIST_OF.format('X')}"]),
    ({"X": X, "Y": Y}, TypeError, ["dictionary", "'X', 'Y'", "validation_data=(X, Y)"]),
    ((X.T, Y), ShapeError, ["In validation_data: X has shape (6, 3)", "X.T"]),
])  # fmt: skip
def test_refused_validation_data(data, error, words):
    model = network()
    with raises(error, *words) as caught:
        model.fit(X, Y, validation_data=data)
    assert "steps_per_epoch" not in str(caught.value)
    assert model.params.tobytes() == network().params.tobytes()
    remedy = next((word.partition("=")[2] for word in words if "batch for" in word), None)
    if remedy:
        model.fit(X, Y, validation_data=typed(remedy, X=data))


@pytest.mark.parametrize(("call", "words"), [
    (lambda m: m.fit(X), ["fit(X, Y)"]),
    (lambda m: m.evaluate(X), ["evaluate(X, Y)"]),
    (lambda m: m.evaluate(None), ["evaluate(X, Y)"]),
    (lambda m: m.evaluate([X, Y]), ["batch 1 is a ndarray", "evaluate(X, Y)"]),
    (lambda m: m.evaluate({"X": X}), ["dictionary", "evaluate(X, Y)"]),
    (lambda m: m.evaluate(3), ["X is 3", "evaluate(X, Y)"]),
    (lambda m: m.evaluate(batches()), ["steps_per_epoch=...", "list(X)"]),
    (lambda m: m.evaluate(zip([X], [Y], strict=True)), ["a zip", "pass list(X)"]),
])  # fmt: skip
def test_the_call_that_is_named_is_the_one_that_was_made(call, words):
    with raises(TypeError, *words):
        call(network())


OF_RESUME = re.compile(r"data that fit was given|resume\(path, X, Y\)")


def test_what_resume_says_of_other_data(tmp_path):
    """It names no argument that it does not have."""
    of_arrays, of_stream = tmp_path / "arrays.npz", tmp_path / "stream.npz"
    network().fit(X, Y, batch_size=4, checkpoint=of_arrays)
    network().fit(batches, steps_per_epoch=2, checkpoint=of_stream)
    for path, data in (
        (of_arrays, (batches,)), (of_arrays, ([(X, Y)],)), (of_stream, (X, Y)), (of_arrays, (X,)),
        (of_stream, (batches(),)),
    ):  # fmt: skip
        with raises((TypeError, ValueError), OF_RESUME) as caught:
            tn.resume(path, *data)
        assert "=..." not in str(caught.value)


# Settings


@pytest.mark.parametrize("given", [
    {"callbacks": None}, {"callbacks": EarlyStopping("loss")}, {"metrics": None},
    {"metrics": "mean_absolute_error"}, {"validation_data": None}, {"callbacks": iter([])},
], ids=lambda given: "-".join([*given, *[type(v).__name__ for v in given.values()]]))  # fmt: skip
def test_settings_that_mean_one_thing(given):
    assert network().fit(X, Y, **given).epochs == 1


@pytest.mark.parametrize(("given", "words"), [
    ({"callbacks": EarlyStopping}, ["EarlyStopping()"]),
    ({"callbacks": "early"}, ["Callback"]),
    ({"metrics": [None]}, ["None", "metric"]),
    ({"metrics": 3}, ["metrics is 3", 'metrics=["accuracy"]']),
    ({"validation_split": 0}, ["validation_split is 0", "None"]),
    ({"epochs": 2.0}, ["epochs is 2.0", "epochs=2"]),
    ({"batch_size": "all"}, ["batch_size is 'all'", "or None"]),
    ({"checkpoint": ""}, ["checkpoint is ''", 'checkpoint="run.npz"']),
], ids=str)  # fmt: skip
def test_settings_that_are_refused(given, words):
    model = network()
    with raises((TypeError, ValueError, UnknownNameError), *words):
        model.fit(X, Y, **given)
    assert model.params.tobytes() == network().params.tobytes()


# A call as another library has it, a remedy that the message has, and where it is typed in
CALLS = [
    (lambda: Dense(64, 32), "Dense(32): the number of inputs is not given", "Dense(32)"),
    (lambda: Dense(3, bias=False), "Leave it out: a layer that has b always uses it.", "Dense(3)"),
    (lambda: tn.Conv2D(3, use_bias=True), "Leave it out: a layer that has b always uses it.",
     "tn.Conv2D(3)"),
    (lambda: network().fit(X, Y, 0.1), "SGD(0.1)", "network().fit(X, Y, {})"),
    (lambda: network().fit(X, Y, 10), "epochs=10", "network().fit(X, Y, {})"),
    (lambda: Sequential([Dense(3), "relu"]), "Activate('relu')", "Sequential([Dense(3), {}])"),
    (lambda: Sequential([Dense(3), "relu"]), "Dense(units, 'relu')", "Dense(3, 'relu')"),
    (lambda: Sequential([Dense(3), ReLU()]), "Activate(ReLU())", "Sequential([Dense(3), {}])"),
    (lambda: Sequential([64, 16, 10]), "Dense(64)", "Sequential([{}, Dense(16), Dense(10)])"),
    (lambda: Sequential([Dense(3), [tn.Flatten(), tn.Dropout(0.5)]]),
     "*[Flatten(), Dropout(rate=0.5)]", "Sequential([Dense(3), {}])"),
    (lambda: Sequential([network(), Dense(2)]), "*model.layers", "Sequential([{}, Dense(2)])"),
    (lambda: SGD("0.1"), "0.1", "SGD({})"), (lambda: SGD("1e-3"), "1e-3", "SGD({})"),
    (lambda: SGD(lambda t: 0.1), "class MySchedule(tn.Schedule), with def at(self, t)",
     "type('MySchedule', (tn.Schedule,), {{'at': lambda self, t: 0.1}})()"),
    (lambda: tn.BatchNorm("relu"), "activation='relu'", "tn.BatchNorm({})"),
    (lambda: tn.BatchNorm(ReLU()), "activation=ReLU()", "tn.BatchNorm({})"),
    (lambda: tn.Residual(tn.Flatten(), tn.Dropout(0.5)),
     "Residual([Flatten(), Dropout(rate=0.5)])", "{}"),
]  # fmt: skip
NAMES = {
    "Sequential": Sequential, "Dense": Dense, "SGD": SGD, "Activate": tn.Activate, "ReLU": ReLU,
    "Flatten": tn.Flatten, "Dropout": tn.Dropout, "Residual": tn.Residual, "network": network,
    "X": X, "Y": Y, "model": network(),
}  # fmt: skip


@pytest.mark.parametrize(("call", "remedy", "place"), CALLS, ids=[row[1] for row in CALLS])
def test_calls_of_other_libraries(call, remedy, place):
    """The message says what to write, and it works there."""
    with raises((TypeError, UnknownNameError), remedy):
        call()
    assert typed(place.format(remedy), **NAMES) is not None


# The real ones


def test_pandas():
    pandas = pytest.importorskip("pandas")
    table, labels = pandas.DataFrame(X.T), pandas.Series(WORDS, dtype="category")
    with raises(ShapeError, "X.to_numpy().T"):
        network().fit(table, pandas.Series(Y[0]))
    assert network().fit(table.to_numpy().T, pandas.Series(Y[0], dtype="Float64")).epochs == 1
    with raises(TypeError, "tn.from_labels(Y)"):
        network("classes").fit(X, labels)
    assert network("classes").fit(X, tn.from_labels(labels)[0]).epochs == 1


def test_scipy():
    sparse = pytest.importorskip("scipy.sparse")
    with raises(TypeError, "X.toarray().T"):
        network().fit(sparse.csr_matrix(X.T), Y)


def test_torch(torch):
    tensor = torch.from_numpy(X).to(torch.bfloat16).requires_grad_()
    with raises(TypeError, "X.detach().float().numpy()"):
        network().fit(tensor, Y)
    assert network().fit(tensor.detach().float().numpy(), torch.from_numpy(Y)).epochs == 1
