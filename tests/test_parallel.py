"""Training on several ranks: as one process trains, and the same on every rank.

The ranks are threads here; tests/test_mpi.py has the same over MPI.
"""

import itertools
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import raises, warns

import tinynet as tn
from tinynet.errors import NonFiniteError, ParallelError, TrainingWarning
from tinynet.parallel import Communicator, Sharded, Threads

RNG = np.random.default_rng(1)
X = RNG.normal(size=(6, 101))
Y = (X[:1] + X[1:2] > 0).astype(float)
IMAGES = RNG.normal(size=(2, 5, 4, 101))
WEIGHTS = RNG.uniform(0.2, 3, 101)
VALIDATION = (X[:, :37] + 0.1, Y[:, :37])
SIZES = [2, 4]  # one rank is as none: a test of its own
TOLERANCE = {
    ("adam", "float64"): 1e-12, ("adam", "float32"): 2e-7,
    ("momentum", "float64"): 1e-12, ("momentum", "float32"): 6e-7,  # it adds up ten roundings
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore:Row|The validation")

NETWORKS = {
    "dense": lambda: [tn.Dense(8, "relu", l2=1e-3), tn.Dense(1, "sigmoid")],
    "norm": lambda: [tn.Dense(8, "tanh"), tn.BatchNorm(), tn.Dense(1, "sigmoid")],
    "norms": lambda: [tn.BatchNorm(), tn.Residual([tn.Dense(6), tn.BatchNorm(activation="relu")]),
                      tn.Dense(1, "sigmoid")],
    "images": lambda: [tn.Conv2D(3, 3), tn.BatchNorm(activation="relu"), tn.Flatten(),
                       tn.Dense(1, "sigmoid")],
}  # fmt: skip
OPTIMIZERS = {
    "adam": lambda: tn.Adam(0.01, clip_norm=0.5),
    "momentum": lambda: tn.SGD(0.1, momentum=0.9, clip_value=0.1, weight_decay=1e-3),
}
OPTIONS = {
    "default": {},
    "weights": {"sample_weight": WEIGHTS},
    "classes": {"class_weight": "balanced"},
    "order": {"shuffle": False},
    "split": {"validation_split": 0.25},
    "validation": {"validation_data": VALIDATION},
}


def network(layers="dense", dtype="float64", seed=3, **settings):
    """Return a network of the table, or of these layers, that is not built."""
    layers = NETWORKS[layers]() if isinstance(layers, str) else layers
    return tn.Sequential(layers, "binary_crossentropy", dtype=dtype, seed=seed, **settings)


def trained(communicator, model=None, data=(X, Y), optimizer=None, **settings):
    """Train a model on a rank; return its numbers and the history."""
    model = network() if model is None else model
    optimizer = tn.SGD(0.1) if optimizer is None else optimizer
    settings = {"epochs": 2, "batch_size": 16, **settings}
    history = model.fit(*data, optimizer=optimizer, parallel=communicator, **settings)
    return model.values.copy(), dict(history), history.stopped


def on_ranks(size, function):
    """Return what a function returns on every rank, if it is the same on all of them."""
    results = Threads.run(size, function)
    first = results[0]
    for rank, other in enumerate(results):
        assert first[0].tobytes() == other[0].tobytes(), f"rank {rank} has other parameters"
        assert first[1:] == other[1:], f"rank {rank} has another history"
    return first


def difference(one, other):
    """Return how far two vectors are apart, by the largest number in one."""
    return np.abs(one - other).max() / np.abs(one).max()


def assert_as_one_process(train, tolerance, sizes=SIZES):
    """Expect from each number of ranks the parameters and the history of one process."""
    alone, history, stopped = train(None)
    for size in sizes:
        values, of_ranks, stopped_on_ranks = on_ranks(size, train)
        assert difference(alone, values) <= tolerance, f"{size} ranks"
        assert (history.keys(), stopped) == (of_ranks.keys(), stopped_on_ranks), f"{size} ranks"
        for name, expected in history.items():
            close = pytest.approx(expected, rel=10 * tolerance, abs=tolerance)
            assert of_ranks[name] == close, f"{name} on {size} ranks"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [20, 16, None])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_as_one_process(optimizer, options, batch_size, dtype):
    """Clipping, penalties, weights, uneven last batches: parameters and history are the same."""

    def train(communicator):
        return trained(
            communicator, network(dtype=dtype), (X, Y), OPTIMIZERS[optimizer](),
            metrics=["accuracy", "roc_auc"], batch_size=batch_size, **OPTIONS[options],
        )  # fmt: skip

    assert_as_one_process(train, TOLERANCE[optimizer, dtype])


@pytest.mark.parametrize(("optimizer", "tolerance"), [("adam", 1e-9), ("momentum", 1e-12)])
@pytest.mark.parametrize("layers", ["norm", "norms", "images"])
@pytest.mark.parametrize("batch_size", [22, 3, None])
def test_batch_norm(batch_size, layers, optimizer, tolerance):
    """Means and variances are those of the whole batch, also where a rank has no example of it."""
    data = (IMAGES, Y) if layers == "images" else (X, Y)

    def train(communicator):
        return trained(
            communicator, network(layers), data, OPTIMIZERS[optimizer](), batch_size=batch_size
        )

    assert_as_one_process(train, tolerance)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_fewer_examples_than_ranks(batch_size):
    """A rank without an example of a batch goes along, and changes nothing."""

    def train(communicator):
        return trained(communicator, batch_size=batch_size, epochs=1, metrics=["accuracy"])

    assert_as_one_process(train, 1e-12, sizes=[2, 3, 4])


def test_a_cost_near_the_largest_float32():
    """No sum over the ranks overflows where the mean of one process does not."""

    def train(communicator):
        model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=6, seed=3)
        data = (X, 1.5e19 * np.ones((1, 101)))
        return trained(communicator, model, data, tn.SGD(1e-9), batch_size=None, epochs=1)

    assert_as_one_process(train, 1e-5, sizes=[2])


@given(st.integers(0, 50), st.integers(0, 300), st.integers(1, 9))
def test_parts_of_a_batch(start, m, size):
    """The parts of all ranks are the batch, and their sizes differ by one at most."""

    ranks = [SimpleNamespace(rank=rank, size=size) for rank in range(size)]
    parts = [Communicator.part(rank, slice(start, start + m)) for rank in ranks]
    examples = [example for part in parts for example in range(part.start, part.stop)]
    assert examples == list(range(start, start + m))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1, sizes


class On(tn.Callback):
    """Call a function where a hook is called, on one rank or on all, with the callback as self."""

    def __init__(self, hook, function, rank=None):
        def called(*arguments):
            if rank in (None, self.run.rank):
                function(self, *arguments)

        setattr(self, hook, called)


# Data from elsewhere.


@pytest.fixture
def files(tmp_path):
    """The examples and targets as rows in files."""
    paths = {}
    for name, array in (("X", X), ("Y", Y)):
        paths[name] = tmp_path / f"{name}.npy"
        np.save(paths[name], np.ascontiguousarray(array.T, np.float64))
    return paths


def mapped(files):
    return tuple(np.load(files[name], mmap_mode="r").T for name in "XY")


def opened(files):
    return tuple(tn.open_rows(files[name]) for name in "XY")


@pytest.mark.parametrize("shuffle", [True, "whole", False])
@pytest.mark.parametrize("source", [mapped, opened])
@pytest.mark.parametrize("batch_size", [16, 3])
def test_data_on_disk(batch_size, source, shuffle, files):
    """Each rank reads its part of the batches that one process would read."""

    def train(communicator):
        return trained(
            communicator, None, source(files), batch_size=batch_size, shuffle=shuffle,
            sample_weight=WEIGHTS, metrics=["accuracy"],
        )  # fmt: skip

    assert_as_one_process(train, 1e-12)


@pytest.mark.parametrize("shuffle", [True, "whole", False])
def test_a_rank_reads_its_part(shuffle, files, monkeypatch):
    """In an epoch the ranks together read each row about once, if a row is large."""
    read = [0, 0]
    monkeypatch.setattr(tn.data.disk, "_GAP", 0)

    def train(communicator):
        rows = tn.open_rows(files["X"])
        reading = rows.read

        def counting(start, out):
            read[communicator.rank] += len(out)
            return reading(start, out)

        model = network(inputs=6)
        monkeypatch.setattr(rows, "read", counting)
        history = model.fit(
            rows, opened(files)[1], epochs=4, batch_size=16, shuffle=shuffle, parallel=communicator
        )
        return model.values, dict(history)

    on_ranks(2, train)
    for n in read:
        assert n <= 4 * (101 // 2 + 7) + 5 * 16, read  # with what is tried before the first step


BATCHES = [(X[:, at : at + 16], Y[:, at : at + 16]) for at in range(0, 101, 16)]
WEIGHTED = [(*batch, WEIGHTS[i : i + batch[0].shape[1]]) for i, batch in enumerate(BATCHES)]


@pytest.mark.parametrize("batches", [BATCHES, WEIGHTED], ids=["plain", "weights"])
@pytest.mark.parametrize("kind", ["list", "function"])
def test_streams(kind, batches):
    """Every rank reads the whole stream, and takes its part of each batch."""
    steps = {"steps_per_epoch": 5} if kind == "function" else {}

    def train(communicator):
        stream = batches if kind == "list" else lambda: iter(batches)
        return trained(communicator, None, (stream,), batch_size=32, metrics=["accuracy"], **steps)

    assert_as_one_process(train, 1e-12)


@pytest.mark.parametrize("batches", [BATCHES, WEIGHTED], ids=["plain", "weights"])
def test_sharded_streams(batches):
    """What the streams of all ranks give together is a batch; some give less, or end first."""
    shards = [batches, batches[:3], [tuple(array[..., :5] for array in batches[0])]]
    whole = [
        tuple(np.concatenate(arrays, axis=-1) for arrays in zip(*filter(None, parts), strict=True))
        for parts in itertools.zip_longest(*shards)
    ]

    def train(communicator):
        stream = whole if communicator is None else Sharded(shards[communicator.rank])
        return trained(communicator, None, (stream,), batch_size=32, metrics=["accuracy"])

    assert_as_one_process(train, 1e-12, sizes=[3])


def test_a_sharded_stream_in_one_process():
    """The same program runs without other ranks."""
    plain, sharded = (trained(None, None, (s,), batch_size=32) for s in (BATCHES, Sharded(BATCHES)))
    assert (plain[0].tobytes(), plain[1]) == (sharded[0].tobytes(), sharded[1])


# Checkpoints.


class Stop(tn.Callback):
    """Stop in a step of an epoch, on one rank or on all."""

    def __init__(self, epoch, batch, rank=None):
        self.place, self.on_rank = (epoch, batch), rank

    def on_batch_end(self, batch, logs):
        is_here = self.on_rank in (None, self.run.rank)
        if (self.run.epoch, batch) == self.place and is_here:
            self.run.stop("enough")


DROPPING = [tn.Dense(8, "relu"), tn.Dropout(0.3), tn.BatchNorm(), tn.Dense(1, "sigmoid")]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("layers", [DROPPING, NETWORKS["dense"]()], ids=["dropout", "dense"])
def test_resume(layers, size, tmp_path):
    """A run that was stopped anywhere, and resumed, is bit for bit the run that was not."""
    path = tmp_path / "run.npz"
    settings = {"batch_size": 22, "epochs": 4, "metrics": ["accuracy", "roc_auc"]}

    def unbroken(communicator):
        model = network(layers)
        return trained(communicator, model, (X, Y), tn.Adam(0.01), callbacks=Stop(9, 9), **settings)

    def resumed(communicator, place):
        _, _, stopped = trained(
            communicator, network(layers), (X, Y), tn.Adam(0.01), callbacks=Stop(*place),
            checkpoint=path, **settings,
        )  # fmt: skip
        assert stopped == "enough"
        model, history = tn.resume(
            path, X, Y, epochs=4, callbacks=Stop(9, 9), parallel=communicator
        )
        return model.values.copy(), dict(history), history.stopped

    expected = on_ranks(size, unbroken)
    for place in ((0, 0), (1, 2), (1, 4), (2, 3)):
        actual = on_ranks(size, partial(resumed, place=place))
        assert (expected[0].tobytes(), *expected[1:]) == (actual[0].tobytes(), *actual[1:]), place


@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1), (2, 4), (3, 2)])
def test_resume_on_another_number_of_ranks(before, now, tmp_path):
    """It continues from the same parameters, and says what differs."""
    path = tmp_path / "run.npz"

    def train(communicator):
        return trained(communicator, checkpoint=path, epochs=2)

    def resume(communicator):
        model, history = tn.resume(path, X, Y, epochs=4, parallel=communicator)
        return model.values.copy(), dict(history), history.stopped

    on_ranks(before, train)
    with warns(f"began on {before} rank", f"continues on {now}", "rounded"):
        values, history, _ = on_ranks(now, resume)
    alone, expected, _ = trained(None, epochs=4)
    assert difference(alone, values) <= 1e-12
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-12)


@pytest.mark.parametrize(("settings", "word"), [
    ({"X": 2 * X}, "checksum of some examples"), ({"epochs": 5}, "epochs"),
    ({"optimizer": "adam"}, "optimizer"),
])  # fmt: skip
def test_resume_with_different_things(settings, word, tmp_path):
    """All ranks refuse what one of them was given otherwise."""
    path = tmp_path / "run.npz"
    on_ranks(2, lambda communicator: trained(communicator, checkpoint=path, epochs=1))

    def resume(communicator):
        own = {"X": X, "epochs": 2} | (settings if communicator.rank else {})
        with raises(ValueError, word, "on rank 1"):
            tn.resume(path, own.pop("X"), Y, parallel=communicator, **own)

    Threads.run(2, resume)


class StopAndRead(Stop):
    """Stop in a step of an epoch on one rank; have what the checkpoint is before each step."""

    def __init__(self, epoch, batch, rank, path):
        super().__init__(epoch, batch, rank)
        self.path, self.contents = path, []

    def on_batch_begin(self, batch, logs):
        if self.run.rank == 0:
            self.contents.append(self.path.read_bytes())


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("every", [1, 2, 5, None])
def test_one_rank_stops_with_a_checkpoint(every, rank, tmp_path):
    """The file knows it, whichever rank it was, and none is of a moment when one rank knows."""
    path = tmp_path / "run.npz"

    def train(communicator):
        stop = StopAndRead(1, 1, rank, path)
        result = trained(
            communicator, callbacks=stop, epochs=4, checkpoint=path, checkpoint_every=every
        )
        return result, stop.contents

    def resume(communicator):
        stop = StopAndRead(1, 1, rank, path)
        model, history = tn.resume(path, X, Y, callbacks=stop, parallel=communicator)
        return model.values.copy(), dict(history), history.stopped

    (expected, contents), *_ = Threads.run(3, train)
    assert expected[2] == "enough"
    assert contents
    for content in [*contents[7:], path.read_bytes()]:
        path.write_bytes(content)
        actual = on_ranks(3, resume)
        assert (expected[0].tobytes(), *expected[1:]) == (actual[0].tobytes(), *actual[1:])


def test_rank_0_reads_the_checkpoint(tmp_path):
    """The others need not have the file; where rank 0 has none, all say so."""
    path = tmp_path / "run.npz"
    on_ranks(2, lambda communicator: trained(communicator, checkpoint=path, epochs=1))

    def resume(communicator):
        own = path if communicator.rank == 0 else tmp_path / "missing.npz"
        model, history = tn.resume(own, X, Y, epochs=2, parallel=communicator)
        return model.values.copy(), dict(history)

    on_ranks(2, resume)

    def missing(communicator):
        with pytest.raises(OSError, match=r"missing\.npz"):
            tn.resume(tmp_path / "missing.npz", X, Y, parallel=communicator)

    Threads.run(2, missing)


def test_a_damaged_checkpoint(tmp_path):
    """Every rank refuses it by its name."""
    path = tmp_path / "run.npz"
    path.write_bytes(b"no run")

    def resume(communicator):
        with raises(tn.errors.FileFormatError, "run.npz"):
            tn.resume(path, X, Y, parallel=communicator)

    Threads.run(2, resume)


# Votes.


def stopping(hook, rank):
    """Return a callback that stops in a hook, on one rank."""
    return On(hook, lambda self, *_: self.run.stop(f"rank {rank} in {hook}"), rank)


@pytest.mark.parametrize(("hook", "epochs", "steps"), [
    ("on_train_begin", 0, 0), ("on_epoch_begin", 0, 1), ("on_batch_begin", 0, 1),
    ("on_batch_end", 0, 2), ("on_epoch_end", 1, 0),
])  # fmt: skip
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_one_rank_stops(rank, hook, epochs, steps):
    """All stop with it after the same step, and give the same reason."""
    places = [None] * 3

    def note(self, logs):
        places[self.run.rank] = (self.run.epoch, self.run.step)

    def train(communicator):
        callbacks = [stopping(hook, rank), On("on_train_end", note)]
        return trained(communicator, callbacks=callbacks, epochs=5)

    _, history, stopped = on_ranks(3, train)
    assert (stopped, len(history.get("loss", []))) == (f"rank {rank} in {hook}", epochs)
    assert places == [(epochs, steps)] * 3


@pytest.mark.parametrize("hook", ["on_train_begin", "on_batch_end", "on_epoch_end"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_checkpoint_says_that_a_rank_stopped(rank, hook, tmp_path):
    """A run that any rank has stopped is over: to resume it takes no step."""
    path = tmp_path / "run.npz"

    def train(communicator):
        return trained(communicator, callbacks=stopping(hook, rank), checkpoint=path)

    def resume(communicator):
        callbacks = On("never", print)
        model, history = tn.resume(path, X, Y, callbacks=callbacks, parallel=communicator)
        return model.values.copy(), dict(history), history.stopped

    before, after = on_ranks(2, train), on_ranks(2, resume)
    assert (before[0].tobytes(), *before[1:]) == (after[0].tobytes(), *after[1:])


def test_stop_in_the_last_step_of_an_epoch():
    """As in one process, the epoch is not ended."""

    def train(communicator):
        return trained(communicator, callbacks=Stop(1, 6, rank=1 if communicator else None))

    assert_as_one_process(train, 1e-12, sizes=[2])


def test_early_stopping():
    """All ranks stop after the same epoch, with the same best parameters."""

    def train(communicator):
        early = tn.EarlyStopping(patience=2)
        return trained(
            communicator, optimizer=tn.SGD(2.0), callbacks=early, validation_data=VALIDATION,
            epochs=60,
        )  # fmt: skip

    assert_as_one_process(train, 1e-11, sizes=[3])


def test_interrupt_on_one_rank(capsys):
    """All end after the same step, and only rank 0 says so."""

    def interrupt(self, batch, logs):  # what the handler of Ctrl-C does
        if batch == 2:
            self.run.interrupt()

    result = on_ranks(3, lambda c: trained(c, callbacks=On("on_batch_end", interrupt, rank=1)))
    assert result[2] == "interrupted"
    assert capsys.readouterr().err.count("Training was interrupted in epoch 1, after step 4.") == 1


def test_keyboard_interrupt_on_one_rank():
    """The run does not end as if all had stopped: the others get an error."""

    def break_off(*_):  # what a second Ctrl-C does
        raise KeyboardInterrupt

    def train(communicator):
        with pytest.raises(KeyboardInterrupt if communicator.rank == 1 else ParallelError):
            trained(communicator, callbacks=On("on_batch_end", break_off, rank=1))

    Threads.run(3, train)


# What one rank alone sees.


class NaNFor(tn.Activation):
    """Identity, but not a number for inputs above a limit."""

    def forward(self, Z):
        return np.where(Z > 50, np.nan, Z)

    def back(self, dA, Z, A):
        return dA


BAD = X.copy()
BAD[:, 90] = 1000.0  # of the last rank's part, where all examples are one batch


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("detect_anomaly", [False, True])
def test_nan_on_one_rank(size, detect_anomaly):
    """All refuse the same step, keep their parameters, and name the array of the rank that has it.

    With one rank there is none to name.
    """
    messages = []

    def train(communicator):
        model = network([tn.Dense(4, NaNFor()), tn.Dense(1, "sigmoid")], inputs=6)
        before = model.values.copy()
        with pytest.raises(NonFiniteError) as error:
            model.fit(BAD, Y, batch_size=None, parallel=communicator, detect_anomaly=detect_anomaly)
        assert model.values.tobytes() == before.tobytes()
        messages.append(str(error.value))
        return (before,)

    on_ranks(size, train)
    where = f" on rank {size - 1}" if size > 1 else ""
    for message in messages:
        assert f"step 1: A[1] of layer 1 (Dense){where} is not finite" in message


def test_an_example_that_does_not_count():
    """What is not finite in it is no fault of the rank that computes with it."""

    def train(communicator):
        model = network([tn.Dense(4, NaNFor()), tn.Dense(1, "sigmoid")], inputs=6)
        examples = np.roll(BAD, -90, axis=1)  # the first is the bad one
        with raises(NonFiniteError, "A[1] of layer 1 (Dense) on rank 2 is not finite"):
            model.fit(examples, Y, batch_size=1, shuffle=False, parallel=communicator, epochs=1)

    Threads.run(3, train)


class InfiniteCost(tn.Loss):
    """Half a square, whose cost alone is infinite where Y is 7."""

    def each(self, A, Y):
        return np.where(Y == 7, np.inf, 0.5 * (A - Y) ** 2)

    def back(self, A, Y):
        return A - Y


def test_infinite_cost_on_one_rank():
    """It is named too."""
    targets = Y.copy()
    targets[0, 100] = 7

    def train(communicator):
        model = tn.Sequential([tn.Dense(1)], InfiniteCost(), inputs=6, seed=1)
        with raises(NonFiniteError, "the cost on rank 2 is not finite"):
            model.fit(X, targets, batch_size=None, parallel=communicator)

    Threads.run(3, train)


class OwnState(tn.Layer):
    """Have a state that is infinite on the rank that has the last example."""

    def state(self, input_shape):
        return {"peak": tn.Parameter((1, 1), tn.Initializer.get("zeros"))}

    def forward(self, A_prev, cache):
        if cache.training and (A_prev[0] == X[0, -1]).any():
            cache.peak = np.full((1, 1), np.inf)
        return A_prev

    def back(self, dZ, cache):
        return dZ


def test_infinite_state_on_one_rank():
    """That rank refuses the step by itself: the others have seen nothing, and exchange nothing."""

    def train(communicator):
        errors = [ParallelError, NonFiniteError]
        with raises(errors[communicator.rank], "peak[1] of layer 1"):
            trained(communicator, network([OwnState(), tn.Dense(1, "sigmoid")]), batch_size=None)

    Threads.run(2, train)


def failing(hook):
    """Return a callback that raises an error in a hook, on rank 1."""

    def fail(*_):
        raise LookupError(f"failed in {hook}")

    return On(hook, fail, rank=1)


@pytest.mark.parametrize("hook", [
    "check", "on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end",
    "on_epoch_logged",
])  # fmt: skip
def test_an_error_in_one_callback(hook):
    """The rank raises it, and no other waits for that rank."""
    errors = {}

    def train(communicator):
        try:
            trained(communicator, callbacks=failing(hook))
        except (LookupError, ParallelError) as error:
            errors[communicator.rank] = error

    Threads.run(3, train)
    assert {rank: type(error) for rank, error in errors.items()} == {
        0: ParallelError, 1: LookupError, 2: ParallelError
    }  # fmt: skip
    assert f"failed in {hook}" in str(errors[0])


def test_an_update_that_one_rank_alone_refuses():
    """It raises its error, and waits for no other rank."""
    errors = [None] * 2

    def overflow(self, *_):
        self.run.optimizer.memory["velocity"][:] = 1e308

    def train(communicator):
        callbacks = On("on_batch_end", overflow, rank=1)
        try:
            trained(communicator, optimizer=tn.SGD(10, momentum=0.9), callbacks=callbacks)
        except (NonFiniteError, ParallelError) as error:
            errors[communicator.rank] = type(error)

    Threads.run(2, train)
    assert [ParallelError, NonFiniteError] == errors


def move(self, *_):
    """Change a parameter."""
    self.model.b[2] = self.model.b[2] + 1e-9


class OnFirst(On):
    """Call a function on the first rank, which alone has this callback."""

    first_rank_only = True


class OwnMean(tn.Layer):
    """Subtract a running mean, without asking for that of all ranks."""

    def state(self, input_shape):
        return {"mean": tn.Parameter((input_shape[0], 1), tn.Initializer.get("zeros"))}

    def forward(self, A_prev, cache):
        if cache.training:
            cache.mean = 0.9 * cache.mean + 0.1 * A_prev.mean(axis=-1, keepdims=True)
        return A_prev - cache.mean

    def back(self, dZ, cache):
        return dZ


class SharedMean(OwnMean):
    """Subtract a running mean, that of all ranks."""

    def forward(self, A_prev, cache):
        mean = A_prev.mean(axis=-1, keepdims=True)
        if cache.training:
            mean = mean if cache.shared is None else cache.shared.mean(mean)
            cache.mean = 0.9 * cache.mean + 0.1 * mean
        return A_prev - cache.mean


@pytest.mark.parametrize(("name", "settings"), [
    ("b2", {"callbacks": lambda: On("on_batch_end", move, rank=1)}),
    ("b2", {"callbacks": lambda: OnFirst("on_train_end", move)}),
    ("mean1", {"model": lambda: network([OwnMean(), tn.Dense(1, "sigmoid")])}),
])  # fmt: skip
def test_divergence_is_an_error(name, settings):
    """Parameters and state are compared at the end of each epoch; the error names the array."""

    def train(communicator):
        made = {key: make() for key, make in settings.items()}
        with raises(ParallelError, f"{name} differs between ranks", "cache.shared"):
            trained(communicator, **made)

    Threads.run(2, train)


def test_a_layer_may_ask_for_the_mean_of_all():
    """Then it is as in one process, also where a rank has no example of a batch."""

    def train(communicator):
        layers = [tn.Dense(4), SharedMean(), tn.Dense(1, "sigmoid")]
        return trained(communicator, network(layers), batch_size=34)

    assert_as_one_process(train, 1e-12, sizes=[4])


class Wrong(Threads):
    """A planted fault: ranks that get different sums."""

    def sum(self, vector):
        super().sum(vector)
        if self.rank and vector.size > 3:
            vector[0] += 1e-9


def test_a_wrong_sum_is_seen():
    """A communicator that does not give all ranks the same bits is found out."""

    def train(communicator):
        communicator.__class__ = Wrong
        with raises(ParallelError, "W1 differs between ranks"):
            trained(communicator)

    Threads.run(2, train)


# Before the first step.

LOSSES = ["binary_crossentropy", "mean_squared_error"]
DIFFERENT = {
    "epochs": (lambda rank: {"epochs": 2 + rank}, "epochs is 3 on rank 1, expected 2"),
    "checkpoint": (lambda rank: {"checkpoint": [None, "not-written.npz"][rank]}, "a checkpoint"),
    "batch size": (lambda rank: {"batch_size": 16 + rank}, "batch_size is 17 on rank 1"),
    "optimizer": (lambda rank: {"optimizer": tn.SGD(0.1 + rank)}, "optimizer … 1.1"),
    "kind": (lambda rank: {"optimizer": [tn.SGD, tn.Adam][rank]()}, "optimizer … adam"),
    "layers": (lambda rank: {"model": network([tn.Dense(3 + rank), tn.Dense(1, "sigmoid")])},
               "layer 1 … 4"),
    "depth": (lambda rank: {"model": network([tn.Dense(1, "sigmoid")] * (2 - rank))},
              "the number of layers is 1 on rank 1, expected 2"),
    "more depth": (lambda rank: {"model": network([tn.Dense(1, "sigmoid")] * (1 + rank))},
                   "the number of layers is 2 on rank 1, expected 1"),
    "loss": (lambda rank: {"model": tn.Sequential([tn.Dense(1, "sigmoid")], LOSSES[rank])}, "loss"),
    "dtype": (lambda rank: {"model": network(dtype=["float32", "float64"][rank])}, "dtype"),
    "metrics": (lambda rank: {"metrics": ["accuracy", "f1"][: rank + 1]}, "metrics"),
    "callbacks": (lambda rank: {"callbacks": [Stop(9, 9)] * rank}, "callbacks"),
    "frozen": (lambda rank: {"model": network("norm"),
                             "callbacks": tn.callbacks.Freeze([1 + rank])},
               "which parts of model.values are frozen", "Freeze the same layers"),
    "built": (lambda rank: {"model": network(**[{}, {"inputs": 6}][rank])},
              "whether the model is built is True", "inputs=..."),
    "X": (lambda rank: {"data": (X + rank, Y)}, "checksum of some examples", "Sharded"),
    "Y": (lambda rank: {"data": (X, Y if rank else 1 - Y)}, "checksum of some examples"),
    "m": (lambda rank: {"data": (X[:, rank:], Y[:, rank:])}, "number of examples", "100"),
    "weights": (lambda rank: {"sample_weight": [None, WEIGHTS][rank]}, "weights"),
    "validation": (lambda rank: {"validation_data": [None, VALIDATION][rank]}, "validation data"),
    "streams": (lambda rank: {"data": ([BATCHES, BATCHES[::-1]][rank],), "batch_size": 32},
                "checksum"),
    "Sharded": (lambda rank: {"data": ([BATCHES, Sharded(BATCHES)][rank],), "batch_size": 32},
                "whether the training data is Sharded is True"),
    "not Sharded": (lambda rank: {"data": ([Sharded(BATCHES), BATCHES][rank],), "batch_size": 32},
                    "whether the training data is Sharded is False"),
    "generator": (lambda rank: {"model": network(
        seed=np.random.Generator([np.random.PCG64, np.random.MT19937][rank](1)))}, "generator"),
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENT)
def test_ranks_that_were_given_different_things(what):
    """All refuse to train, say what differs, and change nothing."""
    make, *words = DIFFERENT[what]

    def train(communicator):
        settings = {"model": network(), **make(communicator.rank)}
        model = settings["model"]
        was_built = model.is_built
        with raises(ValueError, *words, "rank 1"):
            trained(communicator, **settings)
        return model.is_built == was_built

    assert Threads.run(2, train) == [True, True]


def test_streams_that_turn_out_to_differ():
    """A stream that gives a rank batches of another size is an error on all ranks."""

    def train(communicator):
        batches = [BATCHES[0], BATCHES[1] if communicator.rank else BATCHES[-1]]
        with raises(ValueError, "batches of [5, 16] examples", "tn.parallel.Sharded(stream)"):
            trained(communicator, None, (batches,), batch_size=32)

    Threads.run(2, train)


def test_bad_data_on_one_rank():
    """The rank that has it says what is wrong, and the others do not wait."""

    def train(communicator):
        data = (X, Y) if communicator.rank else (X.T, Y)
        with pytest.raises(tn.errors.ShapeError if communicator.rank == 0 else ParallelError):
            trained(communicator, network(inputs=6), data)

    Threads.run(3, train)


@pytest.mark.parametrize("call", [
    lambda model, bad, **ranks: model.fit(X, Y, "adm" if bad else "adam", **ranks),
    lambda model, bad, **ranks: model.fit(X, Y, metrics=["acuracy"] * bad, **ranks),
    lambda model, bad, **ranks: model.fit(X, Y, checkpoint=3 if bad else None, **ranks),
    lambda model, bad, **ranks: model.evaluate(X, Y, ["acuracy"] * bad, **ranks),
    lambda model, bad, **ranks: model.evaluate(X, Y, batch_size=0 if bad else 5, **ranks),
    lambda model, bad, **ranks: model.predict(X, 0 if bad else 5, **ranks),
    lambda model, bad, **ranks: tn.resume(3 if bad else "run.npz", X, Y, **ranks),
])  # fmt: skip
def test_a_bad_argument_on_one_rank(call):
    """The others do not wait for that rank, and learn its error."""

    def train(communicator):
        with pytest.raises((ValueError, TypeError, LookupError, ParallelError)) as error:
            call(network(inputs=6), communicator.rank == 1, parallel=communicator)
        return str(error.value)

    others = Threads.run(3, train)
    assert ["Rank 1 has failed with" in each for each in others] == [True, False, True], others


@pytest.mark.parametrize("settings", [
    {"epochs": -1}, {"batch_size": 0}, {"optimizer": "no such"}, {"metrics": ["no such"]},
    {"checkpoint_every": 3}, {"checkpoint": 3}, {"callbacks": [3]},
])  # fmt: skip
def test_bad_settings_on_one_rank(settings):
    """Only that rank says what is wrong, and the others do not wait for it."""

    def train(communicator):
        bad = communicator.rank == 1
        kinds = (ValueError, TypeError, LookupError) if bad else ParallelError
        with pytest.raises(kinds):
            trained(communicator, **(settings if bad else {}))

    Threads.run(3, train)


@pytest.mark.parametrize("bad", [3, "mpi", Threads, True])
def test_not_a_communicator(bad):
    """It is refused with what to pass."""
    model = network(inputs=6)
    for call in (model.fit, model.evaluate):
        with raises(TypeError, "parallel is", "expected a communicator", "tn.parallel.MPI()"):
            call(X, Y, parallel=bad)
    with raises(TypeError, "parallel is", "tn.parallel.MPI()"):
        model.predict(X, parallel=bad)


def test_all_begin_as_rank_0():
    """Parameters, the order of examples, and the memory of the optimizer are those of rank 0."""

    def train(communicator):
        optimizer, model = tn.Adam(0.01), network(seed=communicator.rank, inputs=6)
        if communicator.rank == 0:
            model.fit(X, Y, optimizer)  # alone
        return trained(communicator, model, (X, Y), optimizer, shuffle=True)

    def alone(_):
        optimizer, model = tn.Adam(0.01), network(seed=0, inputs=6)
        model.fit(X, Y, optimizer)
        return trained(None, model, (X, Y), optimizer, shuffle=True)

    values, history, _ = on_ranks(3, train)
    expected = alone(None)
    assert difference(expected[0], values) <= 1e-12
    assert history["loss"] == pytest.approx(expected[1]["loss"], rel=1e-12)


# Only rank 0 writes.


def test_only_rank_0_writes(tmp_path, capsys):
    """Files are written once, and the progress is shown once; other callbacks run everywhere."""
    everywhere, once = [], []

    def train(communicator):
        folder = tmp_path / str(communicator.rank)
        folder.mkdir()
        callbacks = [
            tn.CSVLogger(folder / "log.csv"),
            tn.ModelCheckpoint(folder / "best.npz", monitor="loss"),
            On("on_epoch_end", lambda self, *_: everywhere.append(self.run.rank)),
            OnFirst("on_epoch_end", lambda self, *_: once.append(self.run.rank)),
        ]
        return trained(
            communicator, callbacks=callbacks, checkpoint=folder / "run.npz", verbose=True
        )

    on_ranks(3, train)
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == [
        "best.npz", "log.csv", "run.npz"
    ]  # fmt: skip
    assert [list((tmp_path / str(rank)).iterdir()) for rank in (1, 2)] == [[], []]
    assert capsys.readouterr().out.count("epoch 2/2") == 1
    assert (sorted(everywhere), once) == ([0, 0, 1, 1, 2, 2], [0, 0])


class Measuring(tn.Callback):
    """Measure what differs from rank to rank."""

    measures = ("seconds",)

    def on_epoch_end(self, epoch, logs):
        logs["seconds"] = float(self.run.rank + epoch)


def test_what_callbacks_measure_is_that_of_rank_0():
    """So the history is the same on all ranks, and what monitors it decides the same."""
    history = on_ranks(3, lambda c: trained(c, callbacks=Measuring()))[1]
    assert history["seconds"] == [0.0, 1.0]


def log(self, epoch, logs):
    """Put a number into logs, another one on each rank."""
    logs["mine"] = np.float32(self.run.rank + epoch)


def record(self, *_):
    """Record other names and numbers on each rank."""
    self.run.history.record({"mine": self.run.rank + 0.5, f"of {self.run.rank}": float("inf")})


@pytest.mark.parametrize(("kind", "function", "expected"), [
    (On, log, {"mine": [0.0, 1.0]}),
    (OnFirst, log, {"mine": [0.0, 1.0]}),
    (On, record, {"mine": [0.5] * 2, "of 0": [float("inf")] * 2}),
])  # fmt: skip
def test_what_callbacks_record_is_that_of_rank_0(kind, function, expected):
    """The history is the same on all ranks, also where they measure otherwise or one alone does."""
    history = on_ranks(3, lambda c: trained(c, callbacks=kind("on_epoch_end", function)))[1]
    history.pop("loss")
    assert expected == history


def test_warnings_come_once():
    """What is likely a mistake is said by rank 0."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = (X + 1e9, Y)
        on_ranks(3, lambda c: trained(c, network(dtype="float32"), data, epochs=1))
    found = [str(w.message) for w in caught if issubclass(w.category, TrainingWarning)]
    assert len(found) == len(set(found)), found
    assert len(found) > 1, "of the data and of the training"


# What layers draw.


class DrawnOnRanks(tn.Layer):
    """Note what a layer draws."""

    def forward(self, A_prev, cache):
        if cache.training:
            DRAWN.append(cache.rng.random())
        return A_prev

    def back(self, dZ, cache):
        return dZ


DRAWN = []


def test_ranks_draw_different_numbers():
    """Each rank, epoch, step and fit has its own; the order of the examples stays that without."""
    DRAWN.clear()

    def train(communicator):
        model = network([DrawnOnRanks(), tn.Dense(1, "sigmoid")])
        trained(communicator, model, epochs=2, batch_size=34)
        return trained(communicator, model, epochs=1, batch_size=None)

    on_ranks(2, train)
    assert len(DRAWN) == 2 * (2 * 3 + 1)
    assert len(set(DRAWN)) == len(DRAWN), "a number was drawn twice"


def test_drawing_leaves_the_order_alone():
    """What a layer draws never changes which examples are in a batch."""

    def train(communicator, layers):
        return trained(communicator, network(layers), epochs=1)

    def plain(communicator):
        return train(communicator, [tn.Dense(1, "sigmoid")])

    def drawing(communicator):
        return train(communicator, [tn.Dropout(0.0), tn.Dense(1, "sigmoid")])

    assert difference(on_ranks(2, plain)[0], on_ranks(2, drawing)[0]) <= 1e-12


# Evaluation and prediction.


@pytest.mark.parametrize("source", [lambda _: (X, Y), mapped, opened, lambda _: (BATCHES,)],
                         ids=["arrays", "mapped", "rows", "stream"])  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 4])
def test_evaluate(size, source, files):
    """The loss and the metrics are those of one process, on every rank."""
    model = network("norm", inputs=6)
    metrics = ["accuracy", "roc_auc", "log_loss"]
    size_of_part = {} if source(files)[0] is BATCHES else {"batch_size": 30}

    def evaluate(communicator):
        own = network("norm", inputs=6)
        own.values[:] = model.values
        return own.evaluate(*source(files), metrics=metrics, parallel=communicator, **size_of_part)

    expected = model.evaluate(*source(files), metrics=metrics, **size_of_part)
    for actual in Threads.run(size, evaluate):
        assert actual == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_evaluate_shards_with_weights(dtype):
    """A rank whose stream ends first has weights of the same dtype as the others."""
    shards = [WEIGHTED[:1], WEIGHTED[1:4]]
    arrays = [np.concatenate(parts, axis=-1) for parts in zip(*WEIGHTED[:4], strict=True)]

    def evaluate(communicator):
        model, stream = network(dtype=dtype, inputs=6), Sharded(shards[communicator.rank])
        return model.evaluate(stream, metrics=["accuracy"], parallel=communicator)

    model = network(dtype=dtype, inputs=6)
    expected = model.evaluate(*arrays[:2], metrics=["accuracy"], sample_weight=arrays[2])
    for actual in Threads.run(2, evaluate):
        assert actual == pytest.approx(expected, rel=TOLERANCE["adam", dtype])


@pytest.mark.parametrize("m", [1, 3, 101])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_predict(batch_size, size, m):
    """Each rank computes a part, and all get the whole."""

    def predict(communicator):
        model = network(inputs=6)
        A = model.predict(X[:, :m], batch_size, parallel=communicator)
        labels = model.predict_labels(X[:, :m], batch_size=batch_size, parallel=communicator)
        np.testing.assert_array_equal(labels, A[0] > 0.5)
        return A

    expected = network(inputs=6).predict(X[:, :m])
    for actual in Threads.run(size, predict):
        assert actual == pytest.approx(expected, rel=1e-12)
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)


@pytest.mark.parametrize("source", [lambda _: (X,), mapped], ids=["arrays", "mapped"])
def test_predict_nothing(source, files):
    """No examples at all are refused, as in one process."""

    def predict(communicator):
        with raises(tn.errors.ShapeError, "(6, 0)", "at least one example"):
            network(inputs=6).predict(source(files)[0][:, :0], parallel=communicator)

    predict(None)
    Threads.run(2, predict)


@pytest.mark.parametrize("source", [mapped, opened])
def test_predict_from_disk(source, files):
    """Of a file a rank reads its part."""

    def predict(communicator):
        return network(inputs=6).predict(source(files)[0], parallel=communicator)

    expected = network(inputs=6).predict(X)
    for actual in Threads.run(3, predict):
        assert actual == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("seed", "m"), [(0, 1), (1, 0)])
def test_parts_of_different_models_or_data(seed, m):
    """They are no whole, so all ranks refuse."""

    def predict(communicator):
        model = network(seed=1 + seed * communicator.rank, inputs=6)
        with raises(ValueError, "on rank 1", "load the same model"):
            model.predict(X[:, m * communicator.rank :], parallel=communicator)

    def evaluate(communicator):
        model = network(seed=1 + seed * communicator.rank)
        own = slice(m * communicator.rank, None)
        with raises(ValueError, "on rank 1"):
            model.evaluate(X[:, own], Y[:, own], parallel=communicator)
        assert not model.is_built

    Threads.run(2, predict)
    Threads.run(2, evaluate)


@pytest.mark.parametrize(("own", "what"), [(20, "number of batches"), (26, "smallest batch")])
def test_batches_of_different_sizes(own, what):
    """Their parts would not be those of the same batches, so all ranks refuse to evaluate."""

    def evaluate(communicator):
        size = own if communicator.rank else 30
        with raises(ValueError, what, "on rank 1", "Call evaluate with the same arguments"):
            network(inputs=6).evaluate(X, Y, batch_size=size, parallel=communicator)

    Threads.run(2, evaluate)


CALLS = {
    "fit": lambda model, path, **how: model.fit(X, Y, **how),
    "resume": lambda model, path, **how: tn.resume(path, X, Y, **how),
    "evaluate": lambda model, path, **how: model.evaluate(X, Y, **how),
    "predict": lambda model, path, **how: model.predict(X, **how),
}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(CALLS, 2)))
def test_ranks_that_call_different_functions(first, second, tmp_path):
    """All say so, and none waits: also where a checkpoint is seen by some ranks alone."""
    path = tmp_path / "run.npz"
    network().fit(X, Y, checkpoint=path)

    def call(communicator):
        name = second if communicator.rank else first
        with raises(ValueError, f"is {second!r} on rank 1, expected {first!r}", "Call the same"):
            CALLS[name](network(inputs=6), path, parallel=communicator)

    Threads.run(2, call)


def test_models_of_different_layers():
    """What no parameter shows is compared too."""

    def predict(communicator):
        layers = [tn.Dense(1, ["sigmoid", "tanh"][communicator.rank])]
        with raises(ValueError, "layer 1 is", "tanh", "load the same model"):
            network(layers, inputs=6).predict(X, parallel=communicator)

    Threads.run(2, predict)


def test_models_of_different_losses():
    """To evaluate them together would mix two costs."""

    def evaluate(communicator):
        layers, loss = [tn.Dense(1, "sigmoid")], LOSSES[communicator.rank]
        with raises(ValueError, "loss is", "mean_squared_error", "load the same model"):
            model = tn.Sequential(layers, loss, inputs=6, seed=1)
            model.evaluate(X, Y, parallel=communicator)

    Threads.run(2, evaluate)


# Before and after.


def test_a_pass_of_one_rank_within_a_fit():
    """It shares no batch, so the others are not waited for, and the training is as without it."""

    def look(self, *_):
        state, rng = self.model.state.copy(), self.model.rng
        self.model.forward(X[:, :3], training=True)
        self.model.back(Y[:, :3])
        self.model.state[:], self.model.rng = state, rng

    def train(communicator, *callbacks):
        return trained(communicator, network("norm"), batch_size=22, callbacks=callbacks)

    expected = on_ranks(3, train)
    actual = on_ranks(3, lambda communicator: train(communicator, OnFirst("on_batch_begin", look)))
    assert (expected[0].tobytes(), expected[1]) == (actual[0].tobytes(), actual[1])


@pytest.mark.parametrize("is_together", [True, False])
def test_a_fit_within_a_fit(is_together):
    """Each shares its batches as it was called, and the outer one goes on as before."""

    def train(communicator):
        inner = {"batch_size": 22, "parallel": communicator if is_together else None}

        def refine(self, *_):
            self.model.fit(X, Y, tn.SGD(0.01), epochs=1, **inner)

        callbacks = On("on_epoch_end", refine)
        return trained(communicator, network("norm"), batch_size=22, callbacks=callbacks)

    assert_as_one_process(train, 1e-12, sizes=[3])


def test_one_rank_is_as_none():
    """A job of one process trains bit for bit as without a communicator, dropout included."""

    def train(communicator):
        return trained(communicator, network(DROPPING), batch_size=22, metrics=["accuracy"])

    alone, one = train(None), on_ranks(1, train)
    assert (alone[0].tobytes(), alone[1:]) == (one[0].tobytes(), one[1:])


def test_a_model_that_trains_alone_and_on_ranks():
    """The arrays of an earlier fit share batches only while ranks train."""

    def train(communicator):
        model = network("norm")
        trained(None, model, batch_size=11)
        trained(communicator, model, batch_size=22)  # of which a rank has 11
        trained(communicator, model, batch_size=22)
        return trained(None, model, batch_size=11)

    assert_as_one_process(train, 1e-11, sizes=[2])


def test_a_model_is_free_afterwards():
    """After a run, or a refused one, a rank may go on alone with its model."""

    def train(communicator):
        model = network("norm", inputs=6)
        trained(communicator, model, batch_size=22)
        with pytest.raises(LookupError if communicator.rank == 1 else ParallelError):
            trained(communicator, model, batch_size=22, callbacks=failing("on_batch_end"))
        if communicator.rank == 0:
            model.forward(X, training=True)
            model.back(Y)
            model.fit(X, Y, epochs=1, batch_size=22)
        return model.values

    values = Threads.run(2, train)
    assert np.isfinite(values[0]).all()
