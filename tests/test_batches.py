"""Where batches come from: every example once, in an order that can be drawn again, in bounded memory."""

# ruff: noqa: SIM300 (asserts here say expected == actual)

import copy
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet import Dense, Sequential
from tinynet.data import disk
from tinynet.data.batches import ArrayBatches, ArraySlices
from tinynet.data.disk import FileBatches
from tinynet.data.sources import ordered_batches as ordered
from tinynet.data.sources import split_batches
from tinynet.data.sources import training_batches as batches_of
from tinynet.data.stream import StreamBatches
from tinynet.errors import FileFormatError, NonFiniteError, ShapeError

N = 3  # features, of which the first is the example's number


def network(outputs=1, dtype="float64", inputs=N, seed=1):
    """Return a model of one output for numbers, of several for classes."""
    last, loss = (Dense(1), "mean_squared_error")
    if outputs > 1:
        last, loss = Dense(outputs, "softmax"), "categorical_crossentropy"
    return Sequential([Dense(4, "tanh"), last], loss, inputs=inputs, dtype=dtype, seed=seed)


def data(m, dtype=np.float64):
    """Return columns whose first feature is the number of the example, and so is Y."""
    X = np.random.default_rng(5).standard_normal((N, m)).astype(dtype)
    X[0] = np.arange(m)
    return X, X[:1] + 0.25


def saved(path, array):
    np.save(path, np.ascontiguousarray(array))
    return path


def mapped_rows(tmp_path, X, Y):
    return tuple(
        np.load(saved(tmp_path / f"{name}.npy", A.T), mmap_mode="r").T
        for name, A in (("X", X), ("Y", Y))
    )


def mapped_columns(tmp_path, X, Y):
    return tuple(
        np.load(saved(tmp_path / f"{name}.npy", A), mmap_mode="r")
        for name, A in (("X", X), ("Y", Y))
    )


def opened(tmp_path, X, Y):
    return tuple(
        tn.open_rows(saved(tmp_path / f"{name}.npy", A.T)) for name, A in (("X", X), ("Y", Y))
    )


def opened_and_held(tmp_path, X, Y):
    return tn.open_rows(saved(tmp_path / "X.npy", X.T)), Y


def held_and_mapped(tmp_path, X, Y):
    return X, mapped_columns(tmp_path, X, Y)[1]


def held(tmp_path, X, Y):
    return X, Y


DISK = [mapped_rows, mapped_columns, opened, opened_and_held, held_and_mapped]


def gone_through(batches, rng=None, start=0):
    """Return copies of the batches of an epoch, as (examples' numbers, w) after a look at X and Y."""
    seen = []
    for X, Y, w in batches.epoch(rng, start):
        np.testing.assert_array_equal(X[:1] + 0.25, Y)
        assert X.shape[:-1] == batches.shape
        seen.append((X[0].astype(int).tolist(), None if w is None else w.tolist()))
    return seen


def examples(seen):
    return [number for numbers, _ in seen for number in numbers]


# Every example once --------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("batches")


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([held, *DISK]),
    m=st.integers(1, 90),
    batch_size=st.integers(1, 40),
    pool=st.integers(1, 50),
    shuffle=st.sampled_from([True, False, "blocks", "whole"]),
    start=st.integers(0, 40),
    seed=st.integers(0, 9),
    weighted=st.booleans(),
    legacy=st.booleans(),
)
def test_an_epoch(folder, kind, m, batch_size, pool, shuffle, start, seed, weighted, legacy):
    """An epoch has every example once, with its Y and its weight, in full batches, and can be begun at any."""
    weights = np.arange(m) + 1.0 if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "_POOL", pool)
        X, Y = kind(folder, *data(m))
        batches = batches_of(network(), X, Y, batch_size, shuffle, sample_weight=weights)
        make = np.random.RandomState if legacy else np.random.default_rng
        rng, again = make(seed), make(seed)
        seen = gone_through(batches, rng)
        assert list(range(m)) == sorted(examples(seen))
        size = min(batch_size, m)
        assert [size] * (m // size) + [m % size] * (m % size > 0) == [
            len(numbers) for numbers, _ in seen
        ]
        assert (m, len(seen), (N,)) == (batches.m, batches.steps, batches.shape)
        for numbers, w in seen:
            expected = (np.array(numbers) + 1) / weights.mean() if weighted else None
            np.testing.assert_allclose(w, expected, rtol=1e-12) if weighted else None
            assert (w is None) == (not weighted)
        assert seen[start:] == gone_through(batches, again, start)
        assert rng.bytes(8) == again.bytes(8), "what is drawn is the same, wherever an epoch begins"
        in_order = gone_through(batches, None)
        assert list(range(m)) == examples(in_order)
        assert in_order[start:] == gone_through(batches, None, start)
        if not shuffle or size == m:
            untouched = make(seed)
            assert in_order == gone_through(batches, untouched)
            assert make(seed).bytes(8) == untouched.bytes(8)


@pytest.mark.parametrize("kind", DISK)
@pytest.mark.parametrize("m", [1000, 1003])
def test_blocks_come_from_all_over(tmp_path, monkeypatch, kind, m):
    """Shuffled by blocks, batches hold examples of many places, other ones each epoch."""
    monkeypatch.setattr(disk, "_POOL", 160)
    batches, rng = (
        batches_of(network(), *kind(tmp_path, *data(m)), batch_size=40),
        np.random.default_rng(2),
    )
    epochs = [gone_through(batches, rng) for _ in range(2)]
    assert epochs[0] != epochs[1]
    for numbers, _ in epochs[0][:-1]:
        places = {number // 10 for number in numbers}
        assert len(places) > 8
        assert max(numbers) - min(numbers) > m / 4
    state = np.random.default_rng(2)
    state.bytes(8)
    assert epochs[1] == gone_through(batches, state), (
        "an epoch draws one number, and its order follows from that"
    )


def test_an_epoch_is_drawn_when_it_is_asked_for(tmp_path):
    """Not when its first batch is: what else draws meanwhile makes no difference."""
    for kind in (held, opened):
        for shuffle in ("blocks", "whole"):
            batches = batches_of(network(), *kind(tmp_path, *data(20)), 4, shuffle)
            rng = np.random.default_rng(1)
            epoch = batches.epoch(rng)
            rng.random(100)
            first = next(epoch)[0][0].tolist()
            assert gone_through(batches, np.random.default_rng(1))[0][0] == first


def test_two_epochs_at_once(tmp_path):
    """Epochs of one source on disk do not write over one another's pools."""
    batches = batches_of(network(), *mapped_rows(tmp_path, *data(30)), 5)
    one, other = batches.epoch(None), batches.epoch(np.random.default_rng(1))
    numbers = [int(X[0, 0]) for (X, _, _), _ in zip(one, other, strict=True)]
    assert [0, 5, 10, 15, 20, 25] == numbers


def test_what_is_taken_for_what(tmp_path):
    """In memory arrays are gathered; one mapped into memory, or a view of it, is on disk."""
    X, Y = data(10)
    assert isinstance(batches_of(network(), X, Y), ArrayBatches)
    assert isinstance(batches_of(network(), X.tolist(), Y.tolist()), ArrayBatches)
    assert type(ordered(network(), X, Y)) is ArraySlices
    Xd, Yd = mapped_rows(tmp_path, X, Y)
    for view in (Xd, np.asarray(Xd), Xd[:, ::2], Xd.T[2:6].T):
        assert isinstance(batches_of(network(), view, Y[:, : view.shape[1]]), FileBatches)
    assert isinstance(batches_of(network(), np.array(Xd), np.array(Yd)), ArrayBatches)
    assert isinstance(batches_of(network(), [(X, Y)], None), StreamBatches)


# Through fit and evaluate ----------------------------------------------------------------


@pytest.mark.parametrize("kind", DISK)
@pytest.mark.parametrize("shuffle", ["whole", False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_disk_is_as_memory(tmp_path, kind, shuffle, dtype):
    """In order, and shuffled as a whole, arrays on disk train to the bit as those in memory do."""
    X, Y = (array[:, ::-1] / 50 for array in data(50))
    models = [network(dtype=dtype) for _ in range(2)]
    told = []
    for model, (given_X, given_Y) in zip(models, [(X, Y), kind(tmp_path, X, Y)], strict=True):
        history = model.fit(
            given_X, given_Y, tn.SGD(0.01), epochs=3, batch_size=8, shuffle=shuffle, metrics=["r2"],
            validation_data=(given_X, given_Y),
        )  # fmt: skip
        told.append(
            (
                history["loss"],
                history["val_r2"],
                model.evaluate(given_X, given_Y, batch_size=7)["loss"],
            )
        )
    np.testing.assert_array_equal(models[0].params, models[1].params)
    for expected, actual in zip(*told, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "shape", [lambda y: y, lambda y: y[np.newaxis], lambda y: np.eye(3, dtype=np.uint8)[:, y]]
)
@pytest.mark.parametrize("kind", DISK)
def test_labels_on_disk(tmp_path, kind, shape):
    """Integer labels lie on disk as they do in memory, and so do bytes and numbers of another byte order."""
    X, y = data(40)[0], np.arange(40) % 3
    models = [network(outputs=3) for _ in range(2)]
    models[0].fit(X, y, epochs=2, batch_size=8, shuffle=False)
    models[1].fit(*kind(tmp_path, X.astype(">f8"), shape(y)), epochs=2, batch_size=8, shuffle=False)
    np.testing.assert_array_equal(models[0].params, models[1].params)


def test_a_number_a_row(tmp_path):
    """A file of numbers alone is one feature, or one target, an example."""
    X, Y = np.arange(20.0), np.arange(20) % 2
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    model.fit(
        tn.open_rows(saved(tmp_path / "x.npy", X)),
        tn.open_rows(saved(tmp_path / "y.npy", Y)),
        batch_size=6,
    )
    assert model.inputs == (1,)


def test_blocks_train_again_as_before(tmp_path):
    """The same seed, the same training; an unbuilt model is built by the first examples of the file."""
    X, Y = opened(tmp_path, *data(200))
    models = [network(inputs=None) for _ in range(2)]
    for model in models:
        model.fit(X, Y, tn.SGD(0.001), epochs=3, batch_size=16)
    np.testing.assert_array_equal(models[0].params, models[1].params)
    assert models[0].fit(X, Y, tn.SGD(0.001), epochs=0) == {}


@pytest.mark.parametrize("kind", [held, mapped_rows, opened])
@pytest.mark.parametrize("shuffle", [True, "whole", False])
def test_a_run_goes_on_where_it_ended(tmp_path, kind, shuffle):
    """From parameters, generator and step alone, a run ends with the same parameters, to the bit."""
    X, Y = kind(tmp_path, *(array / 50 for array in data(50)))

    def train(kept=None, until=99):
        model, optimizer, (epoch, step, state, params) = (
            network(),
            tn.SGD(0.01),
            kept or (0, 0, None, None),
        )
        batches = batches_of(model, X, Y, 8, shuffle)
        if kept:
            model.params[:], model.rng.bit_generator.state = params, state
        for number in range(epoch, 3):
            state = model.rng.bit_generator.state
            for k, (X_k, Y_k, _) in enumerate(batches.epoch(model.rng, step), step):
                if 7 * number + k == until:
                    return number, k, state, model.params.copy()
                model.forward(X_k)
                model.back(Y_k)
                optimizer.step(model)
            step = 0
        return model.params

    whole = train()
    for until in (0, 3, 6, 7, 12, 20):
        np.testing.assert_array_equal(whole, train(train(until=until)))


def test_evaluate_in_parts(tmp_path):
    """What is evaluated from disk or a stream is what arrays give."""
    model, (X, Y) = network(), data(3000)
    expected = model.evaluate(X, Y, metrics=["r2"])
    stream = [(X[:, a : a + 700], Y[:, a : a + 700]) for a in range(0, 3000, 700)]
    for kind in [*DISK, lambda *_: (stream, None)]:
        given_X, given_Y = kind(tmp_path, X, Y)
        assert expected == pytest.approx(model.evaluate(given_X, given_Y, metrics=["r2"]))
    assert expected == pytest.approx(
        model.evaluate(lambda: stream, metrics=["r2"], steps_per_epoch=5)
    )
    assert model.evaluate(*stream[0]) == pytest.approx(
        model.evaluate(lambda: stream, steps_per_epoch=1)
    )


@pytest.mark.parametrize("shuffle", [True, "whole", False])
def test_memory_of_an_epoch_on_disk(tmp_path, shuffle):
    """Of a file of 24 MB, an epoch holds a pool of 3 MB and a batch."""
    m, n = 6_000 if shuffle == "whole" else 60_000, 100
    np.save(tmp_path / "X.npy", np.ones((m, n), np.float32))
    np.save(tmp_path / "Y.npy", np.ones((m, 1), np.float32))
    for read in (
        lambda name: np.load(tmp_path / name, mmap_mode="r").T,
        lambda name: tn.open_rows(tmp_path / name),
    ):
        model = network(dtype="float32", inputs=n)
        tracemalloc.start()
        for _ in batches_of(model, read("X.npy"), read("Y.npy"), 128, shuffle).epoch(
            np.random.default_rng(1)
        ):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5e6, f"{peak:,} bytes"


def test_a_pool_of_large_examples(tmp_path):
    """Of examples of 400 kB each, 32 MB are in memory at a time, in whole batches; or one batch."""
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", "w+", np.float32, (1000, 100_000)
    )  # nothing is written
    model = network(dtype="float32", inputs=100_000)
    for batch_size, pool in ((8, 80), (64, 64), (100, 100)):
        assert pool == batches_of(model, X.T, np.zeros((1, 1000)), batch_size).pool


LIMITED = """
import resource, sys
import numpy as np
import tinynet as tn

model = tn.Sequential([tn.Dense(8, "relu"), tn.Dense(1)], "mean_squared_error", inputs=100, seed=1)
model.fit(np.zeros((100, 256)), np.zeros((1, 256)), batch_size=None)  # what is loaded at the first step is there
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20),) * 2)
X, Y = tn.open_rows("X.npy"), tn.open_rows("Y.npy")
assert X.shape[0] * 400 >= 4 * (24 << 20)
try:
    np.load("X.npy", mmap_mode="r")
except OSError:
    pass
else:
    raise AssertionError("the limit must be one that the file does not fit in")
history = model.fit(X, Y, tn.Adam(0.01), epochs=1, batch_size=256)
print(history["loss"][0] > model.evaluate(X, Y)["loss"])
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="address space is limited and measured as Linux does"
)
def test_a_file_four_times_the_memory_there_is(tmp_path):
    """A file of 96 MB trains where 24 MB more may be taken than are in use before it is opened."""
    m = 4 * (24 << 20) // 400 + 1
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (m, 100))
    X[::100] = 1
    np.save(tmp_path / "Y.npy", np.ones((m, 1), np.float32))
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.path.dirname(tn.__path__[0])
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


# Rows of a file --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1", "i8", "?", "f2"])
@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 3), (7, 2, 3)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_rows(tmp_path, shape, dtype, version, monkeypatch):
    """Rows are those of the array, by slice, number or numbers, with preadv or without."""
    array = (np.random.default_rng(1).random(shape) * 9).astype(dtype)
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    for _ in range(2):
        with tn.open_rows(tmp_path / "a.npy") as rows:
            assert (shape, array.dtype, 7) == (rows.shape, rows.dtype, len(rows))
            for index in (
                slice(None), slice(2, 5), slice(5, 2), slice(-3, 99), slice(None, None, -2), 0, -1, [6, 0, 3, 3],
                np.array([-1, 2]), np.int64(3),
            ):  # fmt: skip
                np.testing.assert_array_equal(array[index], rows[index])
                assert array[index].dtype == rows[index].dtype
        with pytest.raises(ValueError, match="closed"):
            rows[0]
        monkeypatch.delattr(os, "preadv", raising=False)


def test_rows_elsewhere(tmp_path, monkeypatch):
    """Rows are pickled and copied by their path, read by threads at once, and shown by what they are."""
    array = np.arange(4000.0).reshape(1000, 4)
    monkeypatch.chdir(tmp_path)
    rows = tn.open_rows(saved("a.npy", array))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")
    for other in (pickle.loads(pickle.dumps(rows)), copy.deepcopy(rows)):
        np.testing.assert_array_equal(array, other[:])
    assert f"<Rows (1000, 4) float64 of {str(tmp_path / 'a.npy')!r}>" == repr(rows)
    wrong = []

    def read(start):
        for i in range(start, 1000, 4):
            if rows[i].tolist() != array[i].tolist():
                wrong.append(i)

    for preadv in (True, False):
        if not preadv:
            monkeypatch.delattr(os, "preadv", raising=False)
        threads = [threading.Thread(target=read, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    fewer = tn.open_rows("../a.npy")
    os.truncate("../a.npy", 8000)
    with pytest.raises(FileFormatError, match=r"a\.npy' became shorter"):
        fewer[:]


class Unpickled:
    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


BAD_FILES = {
    "text": (b"1,2,3\n", "magic"),
    "empty": (b"", "magic"),
    "columns": (
        np.asfortranarray(np.ones((3, 4))),
        r"column by column, save np\.ascontiguousarray",
    ),
    "strings": (np.array(["a"]), "its dtype is <U1"),
    "complex": (np.ones((2, 2), complex), "its dtype is complex128"),
    "objects": (np.array([Unpickled()], object), "its dtype is object"),
    "fields": (np.zeros(2, [("Ж", "f4")]), r"version of its format is \(3, 0\)"),
    "0-D": (np.array(3.0), r"its array has shape \(\)"),
    "no row": (np.ones((0, 3)), r"its array has shape \(0, 3\)"),
    "no column": (np.ones((3, 0)), r"its array has shape \(3, 0\)"),
}


@pytest.mark.filterwarnings("ignore:Stored array in format 3")
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    """What is no file of rows is refused in words, before any of it is read."""
    content, told = BAD_FILES[name]
    path = tmp_path / "bad.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(
        FileFormatError, match=rf"bad\.npy' holds no rows: .*{told}.* with np\.save"
    ):
        tn.open_rows(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files(folder, data):
    """A header that is cut or changed anywhere is an error of the file's, or rows that can be read."""
    np.save(folder / "whole.npy", np.arange(12.0).reshape(4, 3))
    content = bytearray((folder / "whole.npy").read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:at]
    else:
        content[min(at, 127)] = data.draw(st.integers(0, 255))
    (folder / "damaged.npy").write_bytes(content)
    try:
        rows = tn.open_rows(folder / "damaged.npy")[:]
    except FileFormatError:
        return
    assert isinstance(rows, np.ndarray), "it is refused in words, or read"


def test_missing_file(tmp_path):
    """A file that is not there is Python's own error."""
    with pytest.raises(FileNotFoundError):
        tn.open_rows(tmp_path / "none.npy")


# Streams ---------------------------------------------------------------------------------


def in_batches(m=20, size=4, **kwargs):
    X, Y = data(m)
    return [(X[:, at : at + size], Y[:, at : at + size]) for at in range(0, m, size)]


class Again:
    """Something that gives batches whenever it is iterated over, and tells no length."""

    def __init__(self, batches):
        self.batches, self.begun = batches, 0

    def __iter__(self):
        self.begun += 1
        yield from self.batches


def test_iterables_begin_anew():
    """Each epoch is one iteration; the one that told the shape is the first, and not one more."""
    stream = Again(in_batches())
    batches = batches_of(network(), stream, None)
    assert (None, None, (N,)) == (batches.m, batches.steps, batches.shape)
    for epoch in range(1, 4):
        assert list(range(20)) == examples(gone_through(batches, np.random.default_rng(1)))
        assert epoch == stream.begun
    assert list(range(12, 20)) == examples(gone_through(batches, None, 3))
    assert [] == gone_through(batches, None, 5)
    assert list(range(8)) == examples(
        gone_through(batches_of(network(), stream, None, steps_per_epoch=2))
    )
    assert (5, 2, 5) == tuple(
        batches_of(network(), in_batches(), None, steps_per_epoch=limit).steps
        for limit in (None, 2, 9)
    )


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, None])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_functions_go_on(length, steps):
    """A function is called anew when it has come to an end, within an epoch or between two."""

    def give():
        for number in islice(count(), length):
            X = np.full((N, 2), float(number))
            yield X, X[:1] + 0.25

    batches = batches_of(network(), give, None, steps_per_epoch=steps)
    assert (None, steps) == (batches.m, batches.steps)
    seen = [numbers[0] for _ in range(4) for numbers, _ in gone_through(batches)]
    expected = [number % (length or 99) for number in range(4 * steps)]
    assert expected == seen
    resumed = batches_of(network(), give, None, steps_per_epoch=steps)
    resumed.skip(2)
    rest = [
        numbers[0] for numbers, _ in gone_through(resumed, None, steps - 1) + gone_through(resumed)
    ]
    assert expected[3 * steps - 1 :] == rest


def test_streams_train_as_arrays():
    """Batches of a stream give what the same batches of arrays give; labels and lists are welcome."""
    X, y = data(20)[0], np.arange(20) % 3
    parts = [(X[:, at : at + 4], y[at : at + 4].tolist()) for at in range(0, 20, 4)]
    trained = []
    for given_X, given_Y, more in (
        (X, y, {"batch_size": 4, "shuffle": False}),
        (parts, None, {}),
        ([list(part) for part in parts], None, {"steps_per_epoch": 5}),
        (lambda: iter(parts), None, {"steps_per_epoch": 5}),
    ):
        model = network(outputs=3)
        history = model.fit(given_X, given_Y, epochs=3, metrics=["accuracy"], **more)
        trained.append((history["accuracy"], model.params))
        np.testing.assert_allclose(trained[0][1], model.params, rtol=1e-12)
        assert trained[0][0] == pytest.approx(history["accuracy"])


def test_weights_of_streams():
    """Weights are taken as they are, in the model's dtype."""
    stream = [(*batch, [[1, 2, 3, 0]]) for batch in in_batches()]
    for _, _, w in batches_of(network(dtype="float32"), stream, None).epoch(None):
        assert ([1, 2, 3, 0], np.float32) == (w.tolist(), w.dtype)


# Weights ---------------------------------------------------------------------------------


def w_of(*args, outputs=1, **kwargs):
    """Return the weights of an epoch in order."""
    batches = batches_of(network(outputs), *args, **kwargs)
    return np.concatenate([w.copy() for _, _, w in batches.epoch(None)])


@pytest.mark.parametrize("kind", [held, *DISK])
@pytest.mark.parametrize("batch_size", [3, 12])
def test_weights(tmp_path, kind, batch_size):
    """Sample weights have the mean 1, whatever their scale; with class weights it is the product that has."""
    X, _ = data(12)
    y = np.array([0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    X, y_given = kind(tmp_path, X, y)
    w = np.arange(12.0)
    told = {"outputs": 3, "batch_size": batch_size}
    for scale in (1, 0.1, 1e300, 1e-300):
        np.testing.assert_allclose(w / w.mean(), w_of(X, y_given, sample_weight=w * scale, **told))
    by_class = np.array([1, 2, 5.0])[y]
    given = {0: 1, 1: 2, np.int64(2): 5.0}
    np.testing.assert_allclose(
        by_class / by_class.mean(), w_of(X, y_given, class_weight=given, **told)
    )
    both = by_class * w
    np.testing.assert_allclose(
        both / both.mean(),
        w_of(X, y_given, class_weight=given, sample_weight=w[np.newaxis], **told),
    )
    np.testing.assert_allclose(
        12 / (3 * np.array([9, 2, 1]))[y], w_of(X, y_given, class_weight="balanced", **told)
    )


def test_labels_for_class_weights():
    """One-hot columns, a row of 0 and 1, and labels as a row have classes."""
    X, y = data(6)[0], np.array([0, 1, 1, 0, 1, 1])
    for Y, outputs in ((y, 3), (y[np.newaxis], 3), (np.eye(3)[:, y], 3), (y[np.newaxis] * 1.0, 1)):
        w = w_of(X, Y, outputs=outputs, class_weight={0: 1, 1: 4})
        np.testing.assert_allclose(np.where(y, 4, 1) / 3, w)


# Data held out -----------------------------------------------------------------------------


def validation_split(model, X, Y, share, rng, w=None):
    """Return the one batch to train on and the one held out, each as X, Y and weights."""
    model.rng = rng
    parts = split_batches(model, X, Y, share, None, False, w, None, None)[:2]
    return [next(part.epoch(None)) for part in parts]


@settings(max_examples=60, deadline=None)
@given(
    y=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 9),
)
def test_a_split_by_class(y, share, seed):
    """Of every class its share is held out, to within one, but never all; each example is in one part."""
    X, w = data(len(y))[0], np.arange(len(y)) + 1.0
    model = network(outputs=4)

    def split():
        return validation_split(model, X, np.array(y), share, np.random.default_rng(seed), w)

    if round(share * len(y)) == 0 or len(set(y)) == len(y):
        with pytest.raises(ValueError, match="leaves none for validation"):
            split()
        return
    train, held_out = split()
    numbers = [part[0][0].astype(int) for part in (train, held_out)]
    assert list(range(len(y))) == sorted(np.concatenate(numbers).tolist())
    for (_, Y, weight), those in zip((train, held_out), numbers, strict=True):
        np.testing.assert_array_equal(np.array(y)[those], Y.argmax(axis=0))
        np.testing.assert_allclose((those + 1) / np.mean(those + 1), weight, rtol=1e-6)
        assert sorted(those) == those.tolist()
    for label in set(y):
        taken = sum(y[number] == label for number in numbers[1])
        assert abs(taken - share * y.count(label)) <= 1 + 1e-9
        assert taken < y.count(label)
    np.testing.assert_array_equal(split()[1][0], held_out[0])


def test_a_split_of_numbers():
    """Where Y has no classes, the share is one of all examples; other draws, other parts."""
    X, Y = data(50)
    parts = [validation_split(network(), X, Y, 0.2, np.random.default_rng(seed)) for seed in (1, 2)]
    for train, held_out in parts:
        assert (40, 10) == (train[0].shape[-1], held_out[0].shape[-1])
        np.testing.assert_array_equal(held_out[0][:1] + 0.25, held_out[1])
        assert train[2] is held_out[2] is None
    assert not np.array_equal(parts[0][1][0], parts[1][1][0])
    assert np.shares_memory(ArrayBatches(parts[0][0][:2], 8).rows[0], parts[0][0][0])


# What is refused -----------------------------------------------------------------------------


X10, Y10 = data(10)
LABELS = np.arange(10) % 3


def bad_row(array, number, value):
    array = np.array(array)
    array[..., number] = value
    return array


def spoilt(number, value):
    """Return batches of which one has other features."""
    batches = in_batches()
    batches[number] = value
    return batches


def fails_late():
    yield from spoilt(3, (X10[:2], Y10))


@pytest.mark.parametrize("batch_size", [None, 3, 100])
@pytest.mark.parametrize("source", [opened, mapped_rows])
def test_predictions_of_what_is_on_disk(source, batch_size, tmp_path):
    """What is on disk is predicted in parts, as what is in memory."""
    model = network()
    expected = model.predict(X10)
    X = source(tmp_path, X10, Y10)[0]
    np.testing.assert_allclose(expected, model.predict(X, batch_size), rtol=1e-12)
    np.testing.assert_array_equal(
        (expected[0] > 0.5).astype(int), model.predict_labels(X, batch_size=batch_size)
    )


REFUSED = {
    "shuffle": (lambda d, m: m.fit(X10, Y10, shuffle="block"), ValueError, "shuffle is 'block'.* 'whole'"),
    "shuffle None": (lambda d, m: m.fit(X10, Y10, shuffle=None), ValueError, "shuffle is None, expected True or False"),
    "steps of arrays": (lambda d, m: m.fit(X10, Y10, steps_per_epoch=3), ValueError, "only with a stream"),
    "steps of arrays judged": (lambda d, m: m.evaluate(X10, Y10, steps_per_epoch=3), ValueError, "only with a stream"),
    "all at once": (lambda d, m: m.fit(*opened(d, X10, Y10), batch_size=None), ValueError, "disk.*Use batch_size=32"),
    "other m": (
        lambda d, m: m.fit(*opened(d, X10, Y10[:, :9])), ShapeError, "X has 10 examples and Y has 9.* a row of what",
    ),
    "mapped rows": (
        lambda d, m: m.fit(mapped_rows(d, X10, Y10)[0].T, Y10), ShapeError, r"X has 3 .* and Y has 10, .* Pass X\.T",
    ),
    "features on disk": (
        lambda d, m: m.fit(*opened(d, X10[:2], Y10)), ShapeError, r"X has shape \(2, 10\), expected \(3, m\)",
    ),
    "Y on disk of two": (
        lambda d, m: m.fit(*opened(d, X10, X10[:2])), ShapeError, r"Y has shape \(2, 10\), expected that of A\[L\]",
    ),
    "NaN on disk": (
        lambda d, m: m.fit(*opened(d, bad_row(X10, 7, np.nan), Y10), batch_size=4), NonFiniteError,
        r"X\[0, \d\] is nan in float64.*Column \d of this batch is example 7 of the data",
    ),
    "Inf in Y on disk, whole": (
        lambda d, m: m.fit(*mapped_rows(d, X10, bad_row(Y10, 5, np.inf)), batch_size=4, shuffle="whole"),
        NonFiniteError, r"Y\[0, \d\] is inf.*example 5 of the data",
    ),
    "too large for float32": (
        lambda d, m: network(dtype="float32").fit(*opened(d, bad_row(X10, 8, 1e39), Y10), batch_size=4),
        NonFiniteError, "is inf in float32.*example 8 of the data",
    ),
    "label on disk": (
        lambda d, m: network(3).fit(*opened(d, X10, bad_row(LABELS, 6, 3)), batch_size=4), ValueError,
        "label of example . is 3, expected 0 to 2.*example 6 of the data",
    ),
    "label on disk, weighted": (
        lambda d, m: batches_of(network(3), *opened(d, X10, bad_row(LABELS, 6, 3)), 4, class_weight="balanced"),
        ValueError, "Among the examples from 0 on: The label of example 6 is 3",
    ),
    "strings on disk": (
        lambda d, m: m.fit(np.load(saved(d / "s.npy", X10.astype(str)), mmap_mode="r"), Y10), TypeError, "real numbers",
    ),
    "rows as an array": (lambda d, m: np.sum(opened(d, X10, Y10)[0]), TypeError, r"rows\[:\]\.T for all of them"),
    "rows by name": (lambda d, m: opened(d, X10, Y10)[0]["a"], IndexError, "a slice, a number or an array"),
    "rows by flags": (lambda d, m: opened(d, X10, Y10)[0][[True]], IndexError, "a slice, a number or an array"),
    "row 10": (lambda d, m: opened(d, X10, Y10)[0][10], IndexError, "range"),
    "rows 8 to 12": (
        lambda d, m: opened(d, X10, Y10)[0].read(8, np.empty((4, 3))), IndexError, "Rows 8 to 12",
    ),
    "rows as float32": (
        lambda d, m: opened(d, X10, Y10)[0].read(0, np.empty((4, 3), np.float32)), ValueError, "float32, expected",
    ),
    "Y missing": (lambda d, m: m.fit(X10), TypeError, r"Y is missing.*Use fit\(X, Y\)"),
    "Y missing of rows": (lambda d, m: m.fit(opened(d, X10, Y10)[0]), TypeError, "Y is missing"),
    "nothing": (lambda d, m: m.fit(None), TypeError, "Y is missing"),
    "a number": (lambda d, m: m.fit(3), TypeError, "X is 3, expected an iterable of batches"),
    "stream and Y": (lambda d, m: m.fit(fails_late, Y10), ValueError, "Leave out Y"),
    "iterable and Y": (lambda d, m: m.fit(Again([]), Y10), ValueError, "Leave out Y"),
    "generator": (lambda d, m: m.fit(fails_late()), TypeError, "generator .*Pass the function, not what it returned"),
    "zip": (lambda d, m: m.fit(zip([X10], [Y10], strict=True)), TypeError, "A zip can be iterated over only once"),
    "no steps": (lambda d, m: m.fit(fails_late), ValueError, r"Add steps_per_epoch=\.\.\."),
    "no steps judged": (lambda d, m: m.evaluate(fails_late), ValueError, r"Add steps_per_epoch=\.\.\."),
    "steps 0": (lambda d, m: m.fit(fails_late, steps_per_epoch=0), ValueError, "steps_per_epoch .* at least 1"),
    "steps 1.5": (lambda d, m: m.fit(fails_late, steps_per_epoch=1.5), TypeError, "steps_per_epoch .* whole number"),
    "batch_size": (lambda d, m: m.fit(in_batches(), batch_size=8), ValueError, "got batch_size"),
    "batch_size judged": (lambda d, m: m.evaluate(in_batches(), batch_size=8), ValueError, "got batch_size"),
    "chosen": (
        lambda d, m: batches_of(m, in_batches(), None, None, "whole", np.ones(3), {0: 1}), ValueError,
        "batch_size and sample_weight and class_weight and shuffle, expected none",
    ),
    "no batches": (lambda d, m: m.fit([]), ValueError, "gave no batch for an epoch.* iterable twice"),
    "function of none": (lambda d, m: m.fit(list, steps_per_epoch=1), ValueError, "a function that begins anew"),
    "one epoch": (
        lambda d, m: m.fit(Again(iter(in_batches()[:2])), epochs=2), ValueError, "gave no batch .* iterable twice",
    ),
    "one array a batch": (lambda d, m: m.fit([X10, X10]), TypeError, r"Batch 1 is a ndarray, expected \(X, Y\)"),
    "four a batch": (lambda d, m: m.fit([(1, 2, 3, 4)]), TypeError, r"Batch 1 is a tuple of 4, expected \(X, Y\)"),
    "other features": (
        lambda d, m: m.fit(spoilt(3, (X10[:2], Y10))), ShapeError,
        r"Batch 4: X has shape \(2, 10\), expected \(3, m\)",
    ),
    "other features of a function": (lambda d, m: m.fit(fails_late, steps_per_epoch=9), ShapeError, "Batch 4: X has"),
    "rows in a stream": (lambda d, m: m.fit([(X10.T, Y10)]), ShapeError, r"Batch 1: .*transposed.*pass X\.T"),
    "NaN in a stream": (lambda d, m: m.fit(spoilt(2, (X10 * np.nan, Y10))), NonFiniteError, "Batch 3: X"),
    "weights of a stream": (
        lambda d, m: m.fit([(X10, Y10, np.ones(9))]), ShapeError, r"Batch 1: sample_weight has shape \(9,\)",
    ),
    "weights 2-D": (
        lambda d, m: batches_of(m, X10, Y10, sample_weight=np.ones((10, 1))), ShapeError,
        r"shape \(10, 1\), expected \(10,\).*Pass sample_weight\.reshape\(-1\)",
    ),
    "weights of nine": (lambda d, m: batches_of(m, X10, Y10, sample_weight=np.ones(9)), ShapeError, r"expected \(10,"),
    "weight NaN": (
        lambda d, m: batches_of(m, X10, Y10, sample_weight=np.full(10, np.nan)), NonFiniteError, r"sample_weight\[0\]",
    ),
    "weight -1": (
        lambda d, m: batches_of(m, X10, Y10, sample_weight=bad_row(np.ones(10), 4, -1)), ValueError,
        r"sample_weight\[4\] is -1",
    ),
    "weights 0": (lambda d, m: batches_of(m, X10, Y10, sample_weight=np.zeros(10)), ValueError, "All weights are 0"),
    "product 0": (
        lambda d, m: batches_of(network(3), X10, LABELS, sample_weight=LABELS == 1, class_weight={0: 1, 1: 0, 2: 1}),
        ValueError, "All weights are 0",
    ),
    "weights as strings": (
        lambda d, m: batches_of(m, X10, Y10, sample_weight=["a"] * 10), TypeError, "sample_weight has dtype .* real",
    ),
    "class unknown": (
        lambda d, m: batches_of(network(3), X10, LABELS, class_weight={0: 1, 1: 1, 2: 1, 3: 1}), ValueError,
        "label 3, expected 0 to 2. Leave it out",
    ),
    "class by name": (
        lambda d, m: batches_of(network(3), X10, LABELS, class_weight={"a": 1}), ValueError, "has the label 'a'",
    ),
    "class missing": (
        lambda d, m: batches_of(network(3), X10, LABELS, class_weight={0: 1, 2: 1}), ValueError,
        r"no label 1, but Y has\. Add 1: 1.0",
    ),
    "class -1": (
        lambda d, m: batches_of(network(3), X10, LABELS, class_weight={0: 1, 1: -1, 2: 1}), ValueError,
        r"class_weight\[1\] is -1",
    ),
    "class weights": (
        lambda d, m: batches_of(network(3), X10, LABELS, class_weight="even"), ValueError, "'even', expected .*balanced",
    ),
    "numbers have no class": (
        lambda d, m: batches_of(m, X10, Y10, class_weight="balanced"), ValueError, "class_weight needs labels",
    ),
    "numbers on disk": (
        lambda d, m: batches_of(m, *opened(d, X10, Y10), class_weight="balanced"), ValueError, "needs labels",
    ),
    "share 1": (
        lambda d, m: m.fit(X10, Y10, validation_split=1), ValueError, "is 1, expected a share between 0 and 1",
    ),
    "share by name": (lambda d, m: m.fit(X10, Y10, validation_split="0.2"), ValueError, "between 0 and 1"),
    "share of none": (lambda d, m: validation_split(m, X10, Y10, 0.01, m.rng), ValueError, "Use a larger share"),
    "split of a file": (
        lambda d, m: validation_split(m, *mapped_rows(d, X10, Y10), 0.2, m.rng), ValueError, r"Use validation_data",
    ),
    "split of a stream": (
        lambda d, m: validation_split(m, in_batches(), None, 0.2, m.rng), ValueError, r"Use validation_data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    """What cannot be is refused in words."""
    does, error, told = REFUSED[name]
    with pytest.raises(error, match=rf"(?s){told}"):
        does(tmp_path, network())


def test_refused_before_it_is_built(tmp_path):
    """An unbuilt model stays so if its first batch is not one."""
    for X, Y in ((opened(tmp_path, bad_row(X10, 3, np.nan), Y10)), ([(X10, X10[:2])], None)):
        model = network(inputs=None)
        with pytest.raises((ShapeError, NonFiniteError)):
            model.fit(X, Y)
        assert not model.is_built


def test_evaluation_refuses_what_training_does():
    """Targets that are none for the loss have no loss; a refused evaluation builds no model."""
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    X, Y = tn.datasets.make_moons(20, seed=1)
    with pytest.raises(ValueError, match="sample_weight"):
        model.evaluate(X, Y, sample_weight=[1.0])
    with pytest.raises(ValueError, match="expects 0 and 1"):
        model.evaluate(X, Y - 3)
    assert not model.is_built


def test_no_example_on_disk(tmp_path):
    """It is refused as an array in memory is."""
    np.save(tmp_path / "X.npy", np.zeros((4, N)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r").T[:, :0]
    with pytest.raises(ShapeError, match="expected at least one example"):
        network().predict(X)


def test_a_share_of_numpy():
    """A share may be one of NumPy's numbers."""
    X, Y = tn.datasets.make_moons(20, seed=1)
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    assert "val_loss" in model.fit(X, Y, validation_split=np.float32(0.2))


@pytest.mark.parametrize("which", ["steps_per_epoch", "batch_size"])
def test_more_than_can_be_counted(which):
    """A number that no machine counts to is refused by its name."""
    batch = np.zeros((N, 2)), np.zeros((1, 2))
    arguments = batch if which == "batch_size" else [[batch]]
    with pytest.raises(ValueError, match=rf"{which} is .*, expected a whole number of at most"):
        network().fit(*arguments, **{which: 2**70})
