"""Batches: every example once, in an order that can be drawn again, in bounded memory."""

import contextlib
import copy
import os
import pickle
import re
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice, product

import numpy as np
import pytest
from helpers import TESTED, output_of
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import raises, warns

import tinynet as tn
from tinynet import Dense, Sequential
from tinynet.data import disk, sources
from tinynet.data.batches import ArrayBatches, ArraySlices
from tinynet.data.disk import FileBatches
from tinynet.data.sources import ordered_batches as ordered
from tinynet.data.sources import training_batches
from tinynet.data.stream import StreamBatches
from tinynet.errors import FileFormatError, NonFiniteError, ShapeError

equal, close = np.testing.assert_array_equal, np.testing.assert_allclose
N = 3  # features, of which the first is the example's number


def network(outputs=1, dtype="float64", inputs=N):
    """Return a model of one output for numbers, of several for classes."""
    of_classes = Dense(outputs, "softmax"), "categorical_crossentropy"
    last, loss = of_classes if outputs > 1 else (Dense(1), "mean_squared_error")
    return Sequential([Dense(4, "tanh"), last], loss, inputs=inputs, dtype=dtype, seed=1)


def batches_of(*args, **kwargs):
    return training_batches(*args, **kwargs).training


def data(m):
    """Return columns whose first feature is the number of the example, and so is Y."""
    X = np.random.default_rng(5).standard_normal((N, m))
    X[0] = np.arange(m)
    return X, X[:1] + 0.25


def saved(path, array):
    np.save(path, np.ascontiguousarray(array))
    return path


def mapped(path, array):
    return np.load(saved(path, array), mmap_mode="r")


def held(folder, X, Y):
    return X, Y


def in_files(read):
    """Return a function that saves arrays, and returns them as `read` gives them."""
    return lambda folder, *arrays: tuple(read(folder / f"{k}.npy", A) for k, A in enumerate(arrays))


mapped_columns, mapped_rows = in_files(mapped), in_files(lambda path, A: mapped(path, A.T).T)
opened = in_files(lambda path, A: tn.open_rows(saved(path, A.T)))
DISK = {
    "mapped rows": mapped_rows, "mapped columns": mapped_columns, "opened": opened,
    "opened and held": lambda folder, X, Y: (*opened(folder, X), Y),
    "held and mapped": lambda folder, X, Y: (X, *mapped_columns(folder, Y)),
}  # fmt: skip
of_every_kind = pytest.mark.parametrize("kind", DISK.values(), ids=DISK)


def gone_through(batches, rng=None, start=0):
    """Return the batches of an epoch, as (examples' numbers, w), after a look at X and Y."""
    seen = []
    for X, Y, w in batches.epoch(rng, start):
        equal(X[:1] + 0.25, Y)
        assert X.shape[:-1] == batches.shape
        seen.append((X[0].astype(int).tolist(), None if w is None else w.tolist()))
    return seen


def examples(seen):
    return [number for numbers, _ in seen for number in numbers]


# Every example once


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([held, *DISK.values()]), st.integers(1, 90), st.integers(1, 40),
    st.integers(1, 50), st.sampled_from([True, False, "blocks", "whole"]), st.integers(0, 40),
    st.integers(0, 9), st.booleans(), st.booleans(),
)  # fmt: skip
def test_an_epoch(tmp_path_factory, kind, m, size, pool, shuffle, start, seed, weighted, legacy):
    """Every example comes once, with its Y and weight, in full batches; it can begin at any."""
    weights = np.arange(m) + 1.0 if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "_POOL", pool)
        X, Y = kind(tmp_path_factory.getbasetemp(), *data(m))
        batches = batches_of(network(), X, Y, size, shuffle, sample_weight=weights)
        make = np.random.RandomState if legacy else np.random.default_rng
        rng, again = make(seed), make(seed)
        seen = gone_through(batches, rng)
        assert list(range(m)) == sorted(examples(seen))
        size = min(size, m)
        sizes = [size] * (m // size) + [m % size] * (m % size > 0)
        assert sizes == [len(numbers) for numbers, _ in seen]
        assert (m, len(seen), (N,)) == (batches.m, batches.steps, batches.shape)
        for numbers, w in seen:
            assert (w is None) == (not weighted)
            if weighted:
                close((np.array(numbers) + 1) / weights.mean(), w, rtol=1e-12)
        assert seen[start:] == gone_through(batches, again, start)
        assert rng.bytes(8) == again.bytes(8), "what is drawn is the same, wherever an epoch begins"
        in_order = gone_through(batches, None)
        assert list(range(m)) == examples(in_order)
        assert in_order[start:] == gone_through(batches, None, start)
        if not shuffle or size == m:
            untouched = make(seed)
            assert in_order == gone_through(batches, untouched)
            assert make(seed).bytes(8) == untouched.bytes(8)


@of_every_kind
@pytest.mark.parametrize("m", [1000, 1003])
def test_blocks_come_from_all_over(tmp_path, monkeypatch, kind, m):
    """Shuffled by blocks, batches hold examples of many places, other ones each epoch."""
    monkeypatch.setattr(disk, "_POOL", 160)
    batches = batches_of(network(), *kind(tmp_path, *data(m)), batch_size=40)
    rng, state = np.random.default_rng(2), np.random.default_rng(2)
    epochs = [gone_through(batches, rng) for _ in range(2)]
    assert epochs[0] != epochs[1]
    for numbers, _ in epochs[0][:-1]:
        assert len({number // 10 for number in numbers}) > 8
        assert max(numbers) - min(numbers) > m / 4
    state.bytes(8)
    assert epochs[1] == gone_through(batches, state), "an epoch draws one number, its order by it"


def test_an_epoch_is_drawn_when_it_is_asked_for(tmp_path):
    """Not when its first batch is: what else draws meanwhile makes no difference."""
    for kind, shuffle in product((held, opened), ("blocks", "whole")):
        batches = batches_of(network(), *kind(tmp_path, *data(20)), 4, shuffle)
        rng, again = np.random.default_rng(1), np.random.default_rng(1)
        epoch = batches.epoch(rng)
        rng.random(100)
        assert gone_through(batches, again)[0][0] == next(epoch)[0][0].tolist()


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


# Through fit and evaluate


TARGETS = {
    "numbers": lambda y: (y[np.newaxis] + 0.25) / 50, "labels": lambda y: y % 3,
    "row": lambda y: y[np.newaxis] % 3, "columns": lambda y: np.eye(3, dtype=np.uint8)[:, y % 3],
}  # fmt: skip


@pytest.mark.parametrize("shuffle", ["whole", False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_disk_is_as_memory(tmp_path, shuffle, dtype, target):
    """In any byte order, in order or shuffled as a whole, all trains to the bit as in memory."""
    X, Y = data(50)[0] / 50, TARGETS[target](np.arange(50))
    outputs, metric = (1, "r2") if target == "numbers" else (3, "accuracy")

    def trained(*pair):
        model, more = network(outputs, dtype), {"metrics": [metric], "validation_data": pair}
        history = model.fit(*pair, tn.SGD(0.01), 3, 8, shuffle, **more)
        loss = model.evaluate(*pair, batch_size=7)["loss"]
        return model.params, [*history["loss"], *history[f"val_{metric}"], loss]

    params, numbers = trained(X, Y)
    for name, kind in DISK.items():
        params_of_disk, numbers_of_disk = trained(*kind(tmp_path, X.astype(">f8"), Y))
        equal(params, params_of_disk, name)
        close(numbers, numbers_of_disk, rtol=1e-5, err_msg=name)


def test_a_number_a_row(tmp_path):
    """A file of numbers alone is one feature, or one target, an example."""
    model = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    model.fit(*opened(tmp_path, np.arange(20.0), np.arange(20) % 2), batch_size=6)
    assert model.inputs == (1,)


def test_evaluate_in_parts(tmp_path):
    """What is evaluated or predicted from disk or a stream is what arrays give."""
    model, (X, Y) = network(), data(3000)
    expected, A = model.evaluate(X, Y, metrics=["r2"]), model.predict(X)
    stream = [(X[:, a : a + 700], Y[:, a : a + 700]) for a in range(0, 3000, 700)]
    for kind in DISK.values():
        X_, Y_ = kind(tmp_path, X, Y)
        assert expected == pytest.approx(model.evaluate(X_, Y_, metrics=["r2"]))
        for batch_size in (None, 700, 5000):
            close(A, model.predict(X_, batch_size), rtol=1e-12)
            equal(A[0] > 0.5, model.predict_labels(X_, batch_size=batch_size))
    for batches, steps in ((stream, None), (lambda: stream, 5)):
        assert expected == pytest.approx(model.evaluate(batches, None, ["r2"], None, None, steps))
    first = model.evaluate(*stream[0])
    assert first == pytest.approx(model.evaluate(lambda: stream, steps_per_epoch=1))


@pytest.mark.parametrize("shuffle", [True, "whole", False])
def test_memory_of_an_epoch_on_disk(tmp_path, shuffle):
    """Of a file of 24 MB, an epoch holds a pool of 3 MB and a batch."""
    m, n = 6_000 if shuffle == "whole" else 60_000, 100
    for kind in (mapped_rows, opened):
        given = kind(tmp_path, np.ones((m, n), np.float32).T, np.ones((1, m), np.float32))
        batches = batches_of(network(dtype="float32", inputs=n), *given, 128, shuffle)
        tracemalloc.start()
        for _ in batches.epoch(np.random.default_rng(1)):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5e6, f"{peak:,} bytes"


def test_a_pool_of_large_examples(tmp_path):
    """Of examples of 400 kB each, 32 MB are in memory at a time, in whole batches; or one batch."""
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (1000, 100_000))
    model, Y = network(dtype="float32", inputs=100_000), np.zeros((1, 1000))
    for batch_size, pool in ((8, 80), (64, 64), (100, 100)):
        assert pool == batches_of(model, X.T, Y, batch_size).pool


LIMITED = """
import resource
import numpy as np
import tinynet as tn

model = tn.Sequential([tn.Dense(8, "relu"), tn.Dense(1)], "mean_squared_error", inputs=100, seed=1)
model.fit(np.zeros((100, 256)), np.zeros((1, 256)), batch_size=None)  # load all that a step needs
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20),) * 2)
X, Y = tn.open_rows("X.npy"), tn.open_rows("Y.npy")
try:
    raise SystemExit(f"The limit is too high: {np.load('X.npy', 'r').shape} can be mapped.")
except OSError:
    pass
history = model.fit(X, Y, tn.Adam(0.01), epochs=1, batch_size=256)
print(history["loss"][0] > model.evaluate(X, Y)["loss"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is measured as Linux does")
def test_a_file_four_times_the_memory_there_is(tmp_path):
    """A file of 96 MB trains where 24 MB more may be taken than are in use before it is opened."""
    m = 4 * (24 << 20) // 400 + 1
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (m, 100))
    X[::100] = 1
    np.save(tmp_path / "Y.npy", np.ones((m, 1), np.float32))
    environment = TESTED | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    assert "True\n" == output_of("-W", "error", "-c", LIMITED, env=environment, cwd=tmp_path)


# Rows of a file


SOME = [*np.s_[:, 2:5, 5:2, -3:99, ::-2], 0, -1, [6, 0, 3, 3], np.array([-1, 2]), np.int64(3)]


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
            for index in SOME:
                equal(array[index], rows[index])
                assert array[index].dtype == rows[index].dtype
        with raises(ValueError, "closed"):
            rows[0]
        monkeypatch.delattr(os, "preadv", raising=False)


def test_rows_elsewhere(tmp_path, monkeypatch):
    """Rows are pickled and copied by path, read by threads at once, and shown by what they are."""
    array = np.arange(4000.0).reshape(1000, 4)
    monkeypatch.chdir(tmp_path)
    rows = tn.open_rows(saved("a.npy", array))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")
    for other in (pickle.loads(pickle.dumps(rows)), copy.deepcopy(rows)):
        equal(array, other[:])
    assert f"<Rows (1000, 4) float64 of {str(tmp_path / 'a.npy')!r}>" == repr(rows)
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda k: [rows[i] for i in range(k, 1000, 4)], range(4))]
        equal(array, np.stack(found, axis=1).reshape(1000, 4))
        monkeypatch.delattr(os, "preadv", raising=False)
    fewer = tn.open_rows("../a.npy")
    os.truncate("../a.npy", 8000)
    with raises(FileFormatError, "a.npy' became shorter"):
        fewer[:]


class Unpickled:
    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


BAD_FILES = {
    "text": (b"1,2,3\n", "magic"),
    "empty": (b"", "magic"),
    "columns": (np.ones((3, 4), order="F"), "column by column, save np.ascontiguousarray"),
    "strings": (np.array(["a"]), "its dtype is <U1"),
    "complex": (np.ones((2, 2), complex), "its dtype is complex128"),
    "objects": (np.array([Unpickled()], object), "its dtype is object"),
    "fields": (np.zeros(2, [("Ж", "f4")]), "version of its format is (3, 0)"),
    "0-D": (np.array(3.0), "its array has shape ()"),
    "no row": (np.ones((0, 3)), "its array has shape (0, 3)"),
    "no column": (np.ones((3, 0)), "its array has shape (3, 0)"),
}


@pytest.mark.filterwarnings("ignore:Stored array in format 3")
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    """What is no file of rows is refused in words, before any of it is read."""
    (content, told), path = BAD_FILES[name], tmp_path / "bad.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with raises(FileFormatError, f"bad.npy' holds no rows: … {told} … with np.save"):
        tn.open_rows(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files(tmp_path_factory, data):
    """A header that is cut or changed anywhere is a file's error, or rows that can be read."""
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    content = bytearray(saved(path, np.arange(12.0).reshape(4, 3)).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:at]
    else:
        content[min(at, 127)] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(FileFormatError):
        assert isinstance(tn.open_rows(path)[:], np.ndarray)


# Streams


def in_batches(m=20, size=4):
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
    two = batches_of(network(), stream, None, steps_per_epoch=2)
    assert list(range(8)) == examples(gone_through(two))
    for limit, steps in ((None, 5), (2, 2), (9, 5)):
        assert steps == batches_of(network(), in_batches(), None, steps_per_epoch=limit).steps


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, None])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_functions_go_on(length, steps):
    """A function is called anew when it has come to an end, within an epoch or between two."""

    def give():
        for number in islice(count(), length):
            yield np.full((N, 2), float(number)), np.full((1, 2), number + 0.25)

    batches = batches_of(network(), give, None, steps_per_epoch=steps)
    assert (None, steps) == (batches.m, batches.steps)
    seen = [numbers[0] for _ in range(4) for numbers, _ in gone_through(batches)]
    expected = [number % (length or 99) for number in range(4 * steps)]
    assert expected == seen
    resumed = batches_of(network(), give, None, steps_per_epoch=steps)
    resumed.skip(2)
    rest = gone_through(resumed, None, steps - 1) + gone_through(resumed)
    assert expected[3 * steps - 1 :] == [numbers[0] for numbers, _ in rest]


def test_streams_train_as_arrays():
    """Batches of a stream give what those of arrays give; labels and lists are welcome."""
    X, y = data(20)[0], np.arange(20) % 3
    parts = [(X[:, at : at + 4], y[at : at + 4].tolist()) for at in range(0, 20, 4)]
    plain, how = network(outputs=3), {"epochs": 3, "metrics": ["accuracy"]}
    expected = plain.fit(X, y, batch_size=4, shuffle=False, **how)["accuracy"]
    for stream, steps in ((parts, None), ([*map(list, parts)], 5), (lambda: iter(parts), 5)):
        model = network(outputs=3)
        history = model.fit(stream, steps_per_epoch=steps, **how)
        assert expected == pytest.approx(history["accuracy"])
        close(plain.params, model.params, rtol=1e-12)


# Weights, and data held out


def w_of(*args, outputs=1, dtype="float64", **kwargs):
    """Return the weights of an epoch in order."""
    batches = batches_of(network(outputs, dtype), *args, **kwargs)
    return np.concatenate([w.copy() for _, _, w in batches.epoch(None)])


@pytest.mark.parametrize("kind", [held, *DISK.values()], ids=["held", *DISK])
@pytest.mark.parametrize("batch_size", [3, 12])
def test_weights(tmp_path, kind, batch_size):
    """Sample weights have the mean 1, whatever their scale; so has their product with classes'."""
    y, w = np.array([0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]), np.arange(12.0)
    given = kind(tmp_path, data(12)[0], y)
    classes, by_class = {0: 1, 1: 2, np.int64(2): 5.0}, np.array([1, 2, 5.0])[y]
    for expected, how in (
        *((w, {"sample_weight": w * scale}) for scale in (1, 0.1, 1e300, 1e-300)),
        (by_class, {"class_weight": classes}),
        (by_class * w, {"class_weight": classes, "sample_weight": w[np.newaxis]}),
        (12 / (3 * np.array([9, 2, 1]))[y], {"class_weight": "balanced"}),
    ):
        actual = w_of(*given, outputs=3, batch_size=batch_size, **how)
        close(expected / expected.mean(), actual)


def test_weights_of_streams():
    """They are scaled to a mean of 1 over an epoch, as those of arrays, and trained on alike."""
    stream = [(*batch, [[1, 2, 3, 0]]) for batch in in_batches()]
    w = np.tile([1, 2, 3, 0], 5)
    equal((w / w.mean()).astype("f4"), w_of(stream, None, dtype="float32"), strict=True)
    arrays, m = [np.concatenate(part, axis=-1) for part in zip(*in_batches(), strict=True)], len(w)
    expected, settings = network(), {"shuffle": False, "batch_size": 4, "sample_weight": w}
    losses = expected.fit(*arrays, epochs=3, **settings)["loss"]
    for data, how in ((stream, {}), (lambda: iter(stream), {"steps_per_epoch": m // 4})):
        model = network()
        np.testing.assert_allclose(losses, model.fit(data, epochs=3, **how)["loss"], rtol=1e-12)
        np.testing.assert_allclose(expected.params, model.params, rtol=1e-12)
        scores = [model.evaluate(data, **how), model.evaluate(*arrays, sample_weight=w)]
        np.testing.assert_allclose(*[score["loss"] for score in scores], rtol=1e-12)
    with raises(ValueError, "Batch 2: Only some batches have weights"):
        network().fit([stream[0], stream[1][:2]])
    with raises(ValueError, "All weights are 0"):
        network().fit([(*batch, np.zeros(4)) for batch in in_batches()])
    with raises(
        ValueError, "The mean of the weights is inf", "Divide the weights by their largest"
    ):
        network().fit([(*batch, np.full(4, 1e308)) for batch in in_batches()])


def test_few_large_examples_of_another_dtype(monkeypatch):
    """Arrays that are cast part by part, because their cast is large, need no batch size."""
    monkeypatch.setattr(sources, "_LARGEST_CAST", 8)
    model = network(dtype="float32")
    X, Y = data(9)
    losses = [model.evaluate(A, Y)["loss"] for A in (X, X.astype("float32"))]
    close(*losses, rtol=1e-6)


def test_a_refused_prediction_builds_nothing(tmp_path):
    """A model that predicts from a file is not built if a later part of the file is refused."""
    X = np.ones((N, 3000))
    X[0, -1] = np.nan
    model = network(inputs=None)
    with raises(NonFiniteError, "X[0, 2999]"):
        model.predict(mapped(tmp_path / "X.npy", X))
    assert not model.is_built


CLOCK = 1.7e9 + 60.0 * np.arange(20)  # seconds, a minute apart
LOSES_DIGITS = {
    "the times of a clock": (CLOCK, "float32", "20 … 10 in float32"),
    "whole numbers": (2**30 + np.arange(20), "float32", "20 … 1 in float32"),
    "small differences": (1e4 + 1e-4 * np.arange(20), "float32", "20 different values"),
}


@pytest.mark.parametrize("source", ["arrays", "lists", "a stream", "files"])
@pytest.mark.parametrize("name", LOSES_DIGITS)
def test_digits_that_a_cast_loses(name, source, tmp_path):
    """Values that differ and are cast to one are warned of; what the message says is not."""
    values, dtype, words = LOSES_DIGITS[name]
    X, Y = np.stack([np.arange(20), values]).astype(float), np.zeros((1, 20))

    def run(X):
        model = Sequential([Dense(1)], "mean_squared_error", inputs=2, dtype=dtype, seed=1)
        data = {"arrays": (X, Y), "lists": (X.tolist(), Y.tolist()), "a stream": ([(X, Y)],)}
        if source == "files":
            np.save(tmp_path / "X.npy", np.ascontiguousarray(X.T))
            data["files"] = tn.open_rows(tmp_path / "X.npy"), Y
        model.evaluate(*data[source])

    with warns(f"Row 1 of X has {words}", 'dtype="float64"'):
        run(X)
    with warns(times=0):
        run(X - X.mean(axis=-1, keepdims=True))
    dtype = "float64"
    with warns(times=0):
        run(X)


@pytest.mark.parametrize("weights", [None, np.arange(3000) % 3])
def test_a_large_X_is_cast_by_parts(weights, monkeypatch):
    """To evaluate on an X of another dtype takes no copy of it, and gives the same numbers."""
    rng = np.random.default_rng(1)
    X, labels = rng.standard_normal((50, 3000)), rng.integers(0, 3, 3000)
    layers = [Dense(4, "relu"), Dense(3, "softmax")]
    model = Sequential(layers, "categorical_crossentropy", inputs=50, dtype="float32", seed=1)
    how = {"metrics": ["accuracy"], "batch_size": 100, "sample_weight": weights}
    expected = model.evaluate(X, labels, **how)
    monkeypatch.setattr("tinynet.data.sources._LARGEST_CAST", 0)
    tracemalloc.start()
    actual = model.evaluate(X, labels, **how)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert expected == pytest.approx(actual, rel=1e-6)
    assert peak < X.nbytes / 3  # a copy in float32 would be a half
    X[7, 2999] = np.nan
    with raises(NonFiniteError, "Column 99 of this batch is example 2999 of the data"):
        model.evaluate(X, labels, **how)


def test_labels_for_class_weights():
    """One-hot columns, a row of 0 and 1, and labels as a row have classes."""
    X, y = data(6)[0], np.array([0, 1, 1, 0, 1, 1])
    for Y, outputs in ((y, 3), (y[np.newaxis], 3), (np.eye(3)[:, y], 3), (y[np.newaxis] * 1.0, 1)):
        close(np.where(y, 4, 1) / 3, w_of(X, Y, outputs=outputs, class_weight={0: 1, 1: 4}))


def validation_split(model, X, Y, share, rng, w=None):
    """Return the one batch to train on and the one held out, each as X, Y and weights."""
    model.rng = rng
    parts = training_batches(model, X, Y, None, False, w, validation_split=share)[:2]
    return [next(part.epoch(None)) for part in parts]


classes = st.lists(st.integers(0, 3), min_size=2, max_size=60)


@settings(max_examples=60, deadline=None)
@given(classes, st.floats(0.05, 0.95), st.integers(0, 9))
def test_a_split_by_class(y, share, seed):
    """Of every class its share is held out, to within one, never all; all are in one part."""
    X, w, model = data(len(y))[0], np.arange(len(y)) + 1.0, network(outputs=4)

    def split():
        return validation_split(model, X, np.array(y), share, np.random.default_rng(seed), w)

    if round(share * len(y)) == 0 or len(set(y)) == len(y):
        with raises(ValueError, "leaves none for validation"):
            split()
        return
    train, held_out = split()
    numbers = [part[0][0].astype(int) for part in (train, held_out)]
    assert list(range(len(y))) == sorted(np.concatenate(numbers).tolist())
    for (_, Y, weight), those in zip((train, held_out), numbers, strict=True):
        equal(np.array(y)[those], Y.argmax(axis=0))
        close((those + 1) / np.mean(those + 1), weight, rtol=1e-6)
        assert sorted(those) == those.tolist()
    for label in set(y):
        taken = sum(y[number] == label for number in numbers[1])
        assert abs(taken - share * y.count(label)) <= 1 + 1e-9
        assert taken < y.count(label)
    equal(split()[1][0], held_out[0])


def test_a_split_of_numbers():
    """Where Y has no classes, the share is one of all examples; other draws, other parts."""
    X, Y = data(50)
    parts = [validation_split(network(), X, Y, 0.2, np.random.default_rng(seed)) for seed in (1, 2)]
    for train, held_out in parts:
        assert (40, 10) == (train[0].shape[-1], held_out[0].shape[-1])
        equal(held_out[0][:1] + 0.25, held_out[1])
        assert train[2] is held_out[2] is None
    assert not np.array_equal(parts[0][1][0], parts[1][1][0])
    assert np.shares_memory(ArrayBatches(parts[0][0], 8).rows[0], parts[0][0][0])
    assert "val_loss" in network().fit(X, Y, validation_split=np.float32(0.2))


# What is refused


X10, Y10 = data(10)
LABELS = np.arange(10) % 3


def bad_row(array, number, value):
    array = np.array(array)
    array[..., number] = value
    return array


SPOILT = [*in_batches()[:3], (X10[:2], Y10)]


def fails_late():
    yield from SPOILT


def fit(*args, **how):
    return lambda d, m: m.fit(*args, **how)


def judge(*args, **how):
    return lambda d, m: m.evaluate(*args, **how)


def fit_opened(X, Y, outputs=1, dtype="float64", **how):
    return lambda d, m: network(outputs, dtype).fit(*opened(d, X, Y), **how)


def by_class(class_weight, Y=LABELS, outputs=3, source=held, **how):
    how |= {"class_weight": class_weight}
    return lambda d, m: batches_of(network(outputs), *source(d, X10, Y), 4, **how)


def rows(ask):
    return lambda d, m: ask(opened(d, X10)[0])


def held_out(share, source=held):
    return lambda d, m: validation_split(m, *source(d, X10, Y10), share, m.rng)


LATE, BAD_LABEL = {"steps_per_epoch": 9}, bad_row(LABELS, 6, 3)
OF_8, FOUR = (NonFiniteError, "is inf in float32", "example 8 of the data"), {"batch_size": 4}
# What is done with a folder d and a model m, the error, and what its message contains
REFUSED = [
    (lambda d, m: tn.open_rows(d / "none.npy"), FileNotFoundError, "none.npy"),
    (fit(X10, Y10, shuffle="block"), ValueError, "shuffle is 'block' … 'whole'"),
    (fit(X10, Y10, shuffle=None), ValueError, "is None, expected True or False"),
    (fit(X10, Y10, steps_per_epoch=3), ValueError, "only with a stream"),
    (judge(X10, Y10, steps_per_epoch=3), ValueError, "only with a stream"),
    (fit_opened(X10, Y10, batch_size=None), ValueError, "disk", "use batch_size=32"),
    (fit_opened(X10, Y10[:, :9]), ShapeError, "X has 10 examples and Y has 9", "a row of what"),
    (lambda d, m: m.fit(mapped_rows(d, X10)[0].T, Y10), ShapeError, "X has 3 … and Y has 10",
     "pass X.T"),
    (lambda d, m: m.fit(*opened(d, X10[:2], Y10)), ShapeError, "X … (2, 10), expected (3, m)"),
    (fit_opened(X10, X10[:2]), ShapeError, "Y has shape (2, 10), expected that of A[L]"),
    (fit_opened(bad_row(X10, 7, np.nan), Y10, **FOUR), NonFiniteError,
     re.compile(r"X\[0, (\d)\] is nan in float64.*Column \1 of this batch is example 7 of the")),
    (lambda d, m: m.fit(*mapped_rows(d, X10, bad_row(Y10, 5, np.inf)), shuffle="whole", **FOUR),
     NonFiniteError, re.compile(r"Y\[0, \d\] is inf.*example 5 of the data")),
    (fit_opened(bad_row(X10, 8, 1e39), Y10, dtype="float32", **FOUR), *OF_8),
    (fit_opened(X10, BAD_LABEL, 3, **FOUR), ValueError,
     "label of example … is 3, expected 0 to 2", "example 6 of the data"),
    (by_class("balanced", BAD_LABEL, source=opened), ValueError,
     "among the examples from 0 on: The label of example 6 is 3"),
    (lambda d, m: m.fit(mapped(d / "s.npy", X10.astype(str)), Y10), TypeError, "real numbers"),
    (rows(np.sum), TypeError, "rows[:].T for all of them"),
    (rows(lambda r: r["a"]), IndexError, "a slice, a number or an array"),
    (rows(lambda r: r[[True]]), IndexError, "a slice, a number or an array"),
    (rows(lambda r: r[10]), IndexError, "range"),
    (rows(lambda r: r.read(8, np.empty((4, 3)))), IndexError, "rows 8 to 12"),
    (rows(lambda r: r.read(0, np.empty((4, 3), "f4"))), ValueError, "float32, expected"),
    (rows(lambda r: network().fit(r)), TypeError, "Y is missing"),
    (fit(None), TypeError, "Y is missing"),
    (fit(3), TypeError, "X is 3, expected an iterable of batches"),
    (fit(fails_late, Y10), ValueError, "leave out Y"),
    (fit(Again([]), Y10), ValueError, "leave out Y"),
    (lambda d, m: m.fit(fails_late()), TypeError, "generator", "function, not what it returned"),
    (lambda d, m: m.fit(zip([X10], [Y10], strict=True)), TypeError,
     "a zip can be iterated over only once"),
    (fit(fails_late), ValueError, "add steps_per_epoch=..."),
    (judge(fails_late), ValueError, "add steps_per_epoch=..."),
    (fit(fails_late, steps_per_epoch=0), ValueError, "steps_per_epoch … at least 1"),
    (fit(fails_late, steps_per_epoch=1.5), TypeError, "steps_per_epoch … whole"),
    (fit([(X10, Y10)], steps_per_epoch=2**70), ValueError, "steps_per_epoch", "at most"),
    (fit(X10, Y10, batch_size=2**70), ValueError, "batch_size is", "at most"),
    (fit(in_batches(), batch_size=8), ValueError, "got batch_size"),
    (judge(in_batches(), batch_size=8), ValueError, "got batch_size"),
    (lambda d, m: batches_of(m, in_batches(), None, None, "whole", np.ones(3), {0: 1}), ValueError,
     "batch_size and sample_weight and class_weight and shuffle, expected none"),
    (fit([]), ValueError, "gave no batch for an epoch", "iterable twice"),
    (fit(list, **LATE), ValueError, "a function that begins anew"),
    (lambda d, m: m.fit(Again(iter(in_batches()[:2])), epochs=2), ValueError,
     "gave no batch … iterable twice"),
    (fit([X10, X10]), TypeError, "batch 1 is a ndarray, expected (X, Y)"),
    (fit([(1, 2, 3, 4)]), TypeError, "batch 1 is a tuple of 4, expected (X, Y)"),
    (fit(SPOILT), ShapeError, "batch 4: X … (2, 10), expected (3, m)"),
    (fit(fails_late, **LATE), ShapeError, "batch 4: X has"),
    (fit([(X10.T, Y10)]), ShapeError, "batch 1: … transposed", "pass X.T"),
    (fit([*in_batches()[:2], (X10 * np.nan, Y10)]), NonFiniteError, "batch 3: X"),
    (fit([(X10, Y10, np.ones(9))]), ShapeError, "batch 1: sample_weight has shape (9,)"),
    (by_class({0: 1, 1: 0, 2: 1}, sample_weight=LABELS == 1), ValueError, "all weights are 0"),
    (by_class({0: 1, 1: 1, 2: 1, 3: 1}), ValueError, "label 3, expected 0 to 2", "leave it out"),
    (by_class({"a": 1}), ValueError, "has the label 'a'"),
    (by_class({0: 1, 2: 1}), ValueError, "no label 1, but Y has", "add 1: 1.0"),
    (by_class({0: 1, 1: -1, 2: 1}), ValueError, "class_weight[1] is -1"),
    (by_class("even"), ValueError, "'even', expected", "balanced"),
    (by_class("balanced", Y10, 1), ValueError, "class_weight needs labels"),
    (by_class("balanced", Y10, 1, opened), ValueError, "needs labels"),
    (fit(X10, Y10, validation_split=1), ValueError, "is 1", "between 0 and 1"),
    (fit(X10, Y10, validation_split="0.2"), ValueError, "between 0 and 1"),
    (held_out(0.01), ValueError, "use a larger share"),
    (held_out(0.2, mapped_rows), ValueError, "use validation_data"),
    (held_out(0.2, lambda *_: (in_batches(), None)), ValueError, "use validation_data"),
    (lambda d, m: m.predict(mapped(d / "X.npy", X10.T)[:0].T), ShapeError, "at least one example"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: str(case[2:]))
def test_refused(tmp_path, case):
    """What cannot be is refused in words."""
    does, error, *words = case
    with raises(error, *words):
        does(tmp_path, network())


def test_refused_before_it_is_built(tmp_path):
    """An unbuilt model stays so if its first batch, or what it is judged by, is refused."""
    binary = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
    for model, args, error, word in (
        (network(inputs=None), opened(tmp_path, bad_row(X10, 3, np.nan), Y10), NonFiniteError, "X"),
        (network(inputs=None), ([(X10, X10[:2])],), ShapeError, "Y"),
        (binary, (X10, Y10 > 0, (), None, [1.0]), ValueError, "sample_weight"),
        (binary, (X10, -np.ones((1, 10))), ValueError, "expects 0 and 1"),
    ):
        with raises(error, word):
            model.evaluate(*args) if model is binary else model.fit(*args)
        assert not model.is_built
