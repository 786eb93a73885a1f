"""A run goes on from its file bit for bit as if it had never been interrupted."""

import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import attrs
import numpy as np
import pytest
from fuzz import kills
from helpers import TESTED, output_of
from messages import raises

import tinynet as tn
from tinynet import SGD, Callback, CSVLogger, Dense, EarlyStopping, ModelCheckpoint
from tinynet._support.random import generator_from, set_state, state_of
from tinynet._support.random import plain as as_plain
from tinynet.errors import FileFormatError
from tinynet.files.archive import opened, write_file
from tinynet.optimizers import Adagrad, Adam, AdamW, Nadam, RMSprop
from tinynet.schedules import Cosine, Exponential, Warmup

DATA = Path(__file__).parent / "data"
X, Y = tn.datasets.make_moons(90, seed=1)
VALIDATION = {"validation_data": tn.datasets.make_moons(40, seed=2)}
GENERATORS = {
    kind.__name__: lambda kind=kind: np.random.Generator(kind(5))
    for kind in (np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM)
} | {kind.__name__: partial(kind, 5) for kind in (np.random.default_rng, np.random.RandomState)}


class Killed(Exception):
    """Ends a run where a kill would."""


class Kills(Callback):
    """Ends the run after so many steps, or at the end of an epoch."""

    def __init__(self, after=0, epoch=None):
        self.after, self.epoch = after, epoch

    def on_batch_end(self, batch, logs):
        self.after -= 1
        if self.after == 0:
            raise Killed

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            raise Killed


class Interrupts(Callback):
    """Is Ctrl-C after a step, and knows the first step that it saw."""

    def __init__(self, at=None):
        self.at, self.first = at, None

    def on_batch_end(self, batch, logs):
        self.first = self.first or (self.run.epoch, batch)
        if (self.run.epoch, batch) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def network(seed=5, **how):
    """Return a model for the moons."""
    layers = [Dense(6, "tanh"), Dense(1, "sigmoid")]
    return tn.Sequential(layers, "binary_crossentropy", seed=seed, **how)


def fit(*data, seed=5, **how):
    """Return a new model and the history of its fit, by four epochs of six steps."""
    model = network(seed)
    return model, model.fit(*data or (X, Y), **{"epochs": 4, "batch_size": 16, **how})


def expect_alike(run, other):
    """See that two runs ended alike, to the last bit; a run is a model and its history."""
    (model, history), (other, other_history) = run, other
    np.testing.assert_array_equal(model.params, other.params)
    assert history == other_history
    assert as_plain(state_of(model.rng)) == as_plain(state_of(other.rng))


class Stream:
    """Batches in an order of their own, the same each time."""

    def __iter__(self):
        return ((X[:, at : at + 15], Y[:, at : at + 15]) for at in range(0, 90, 15))


def endless():
    """Yield batches for ever, each a little different."""
    shift = 0
    while True:
        yield X + 0.01 * shift, Y
        shift += 1


def on_disk(folder):
    """Return arrays on disk, which are shuffled by blocks."""
    for name, columns in (("X", X), ("Y", Y)):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(columns.T, np.float32))
    return tn.open_rows(folder / "X.npy"), tn.open_rows(folder / "Y.npy")


def looking_back():
    """Return an optimizer of one's own, with memory of any shape, of a name that comes late."""

    @attrs.frozen
    class Looking(tn.Optimizer, name="looking_back"):
        def apply(self, params, grads):
            params -= 0.1 * grads
            rows = self.slot("rows", np.zeros((2, 3)))
            rows[...] += 1
            if self.number() % 4 == 0:
                slow = self.slot("slow", params)
                slow += params
                params -= 0.01 * slow

    return Looking()


def plateau():
    """Return a callback that lowers the rate often."""
    return tn.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=0.05, cooldown=1)


RUNS = {  # settings of fit; functions that return an optimizer, a generator, data, callbacks
    "plain": {},
    "full batch": {"batch_size": None, "epochs": 20},
    "in order": {"shuffle": False},
    "metrics": {"metrics": ["accuracy", "f1"], **VALIDATION},
    "split": {"validation_split": 0.3, "metrics": ["accuracy"], "epochs": 5},
    "weights": {"sample_weight": np.linspace(0, 2, 90), "class_weight": {0: 1.0, 1: 3.0}},
    "balanced": {"class_weight": "balanced"},
    "momentum": {"optimizer": lambda: SGD(0.1, momentum=0.9, nesterov=True)},
    "adam": {"optimizer": lambda: Adam(0.01)},
    "adamw by step": {"optimizer": lambda: AdamW(Warmup(5, Cosine(0.05, 20)), weight_decay=0.1)},
    "nadam by epoch": {"optimizer": lambda: Nadam(Exponential(0.01, 0.9, by="epoch"))},
    "rmsprop": {"optimizer": lambda: RMSprop(0.01, momentum=0.5, centered=True, clip_norm=1.0)},
    "adagrad": {"optimizer": lambda: Adagrad(0.1)},
    "own optimizer": {"optimizer": looking_back},
    "plateau": {"callbacks": lambda: [plateau()], "optimizer": lambda: SGD(5.0, momentum=0.9)},
    "plateau and early stopping": {
        "callbacks": lambda: [EarlyStopping("loss", 9), plateau(), tn.LearningRateLogger()],
        "optimizer": lambda: Adam(1.0),
        "epochs": 9,
    },
    "frozen": {"callbacks": lambda: [tn.Freeze([1])], "optimizer": lambda: AdamW(0.1)},
    "stream": {"data": lambda folder: [Stream()], "batch_size": 32},
    "endless": {"data": lambda folder: [endless], "batch_size": 32, "steps_per_epoch": 5},
    "on disk": {"data": on_disk, "batch_size": 8},
    **{f"with {name}": {"seed": make} for name, make in GENERATORS.items()},
}
NOT_IN_THE_FILE = ("sample_weight", "validation_data")


# The steps that a fit, and then each resume, takes until it is killed. A file is written after
# every second step, unless a kill comes first, and after every epoch. So for epochs of six steps
# the kills come in steps 1, 2, 5 (after the file of step 4), 6 (the last of its epoch), 7 and 17.
KILLS = {"once": [17], "again and again": [1, 2, 5, 2, 3, 11]}


@pytest.mark.parametrize("run", RUNS)
def test_a_run_that_was_killed(run, tmp_path):
    """Killed after any step, also of a run taken up again, a run ends like one that was not."""
    how = dict(RUNS[run])
    data = how.pop("data", lambda folder: (X, Y))(tmp_path)
    made = {name: how.pop(name) for name in ("optimizer", "seed") if name in how}
    callbacks = how.pop("callbacks", list)
    plain = fit(
        *data, callbacks=callbacks(), **how, **{name: make() for name, make in made.items()}
    )
    given = {name: how[name] for name in NOT_IN_THE_FILE if name in how}
    for when, steps in KILLS.items():
        path = tmp_path / f"{when}.npz"
        how |= {"checkpoint": path, "checkpoint_every": 2}
        first, *others = ([*callbacks(), Kills(after)] for after in steps)
        with pytest.raises(Killed):
            fit(*data, callbacks=first, **how, **{name: make() for name, make in made.items()})
        for killed in others:
            with pytest.raises(Killed):
                tn.resume(path, *data, callbacks=killed, **given)
        expect_alike(plain, tn.resume(path, *data, callbacks=[*callbacks(), Kills()], **given))


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_state_of_generators(make):
    """The state is plain data; a generator made of it, or set to it, draws the same numbers."""
    rng, other = make(), make()
    rng.standard_normal(3)
    kept = json.loads(json.dumps(as_plain(state_of(rng))))
    expected = rng.standard_normal(5).tolist()
    assert expected == generator_from(kept).standard_normal(5).tolist()
    set_state(other, kept)
    assert expected == other.standard_normal(5).tolist()


def timeless(log):
    """Return the lines of a log without the last column, which is the time."""
    return [line.rpartition(",")[0] for line in log.read_text().splitlines()]


def test_callbacks_go_on(tmp_path):
    """Early stopping, logs and saved models are as in a run that was not interrupted."""
    path, plainly, ours = (tmp_path / name for name in ("run.npz", "plain", "killed"))

    def callbacks(folder, kills):
        folder.mkdir(exist_ok=True)
        best, log = ModelCheckpoint(folder / "best.npz"), CSVLogger(folder / "log.csv")
        stopping = EarlyStopping("val_loss", patience=2)
        return {"callbacks": [stopping, best, tn.LearningRateLogger(), log, Kills(kills)]}

    def how():
        return {"epochs": 12, "optimizer": SGD(5.0, momentum=0.9), **VALIDATION}

    plain = fit(**callbacks(plainly, 0), **how())
    assert plain[1].epochs < 12
    with pytest.raises(Killed):
        fit(**callbacks(ours, 15), checkpoint=path, checkpoint_every=4, **how())
    for _ in range(2):  # the second time it is over
        expect_alike(plain, tn.resume(path, X, Y, **callbacks(ours, 0), **VALIDATION))
        assert timeless(plainly / "log.csv") == timeless(ours / "log.csv")
        best, our_best = (tn.load(folder / "best.npz") for folder in (plainly, ours))
        np.testing.assert_array_equal(best.params, our_best.params)


def test_killed_between_the_last_step_and_the_end_of_its_epoch(tmp_path):
    """A run goes on where all steps of its epoch are taken, and nothing is measured of it yet."""
    how, path = {"metrics": ["accuracy"]}, tmp_path / "run.npz"
    with pytest.raises(Killed):
        fit(callbacks=[Kills(epoch=1)], checkpoint=path, checkpoint_every=3, **how)
    with opened(path) as file:
        assert (1, 6) == (file.description["run"]["epoch"], file.description["run"]["step"])
    expect_alike(fit(**how), tn.resume(path, X, Y, callbacks=[Kills()]))


class BreaksOff(Adam):
    """A custom rule in whose ninth step someone presses Ctrl-C."""

    taken = 0

    def step(self, model):
        super().step(model)
        BreaksOff.taken += 1
        if BreaksOff.taken == 9:
            raise KeyboardInterrupt


def test_a_step_that_is_broken_off_is_not_written(tmp_path, monkeypatch):
    """Where Ctrl-C comes amidst a step, the file is the one of the step before."""
    plain, path, model = fit(optimizer=Adam()), tmp_path / "run.npz", network()
    monkeypatch.setattr(BreaksOff, "taken", 0)
    how = {"epochs": 4, "batch_size": 16, "checkpoint": path, "checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, BreaksOff(), **how)
    np.testing.assert_array_equal(tn.load(path).params, model.params, "the step is taken back")
    expect_alike(plain, tn.resume(path, X, Y))


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_and_resumed(tmp_path):
    """After Ctrl-C the file is of the last step, and the run goes on from there."""
    again, path = Interrupts(), tmp_path / "run.npz"
    fit(callbacks=[Interrupts((1, 2))], checkpoint=path)
    expect_alike(fit(), tn.resume(path, X, Y, callbacks=[again]))
    assert (1, 3) == again.first


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("epochs", "at", "stopped"), [(4, None, ""), (9, (3, 2), "interrupted")])
def test_the_best_parameters_are_not_gone_on_from(epochs, at, stopped, tmp_path):
    """Early stopping may end a fit with the best parameters; a run goes on from its last ones."""

    def callbacks(at=None):  # the first epoch is the best
        return [EarlyStopping("loss", patience=100, mode="max"), Interrupts(at)]

    how, path = {"optimizer": "adam"}, tmp_path / "run.npz"
    plain = fit(epochs=9, callbacks=callbacks(), **how)
    _, begun = fit(epochs=epochs, callbacks=callbacks(at), checkpoint=path, **how)
    assert stopped == begun.stopped
    expect_alike(plain, tn.resume(path, X, Y, callbacks=callbacks(), epochs=9))


def test_broken_off_in_validation(tmp_path):
    """Where Ctrl-C comes while the epoch is judged, it is judged once more by who goes on."""
    calls, path = [1] * 6, tmp_path / "run.npz"

    def judged(Y, A):
        calls.append(1)
        if len(calls) == 6:  # the validation data first, then twice an epoch
            raise KeyboardInterrupt
        return float(A.mean())

    how = {"metrics": [judged], **VALIDATION}
    plain = fit(**how)
    calls.clear()
    _, begun = fit(checkpoint=path, **how)
    assert ("interrupted", 2) == (begun.stopped, begun.epochs)
    expect_alike(plain, tn.resume(path, X, Y, **how))


def accuracy(Y, A):
    """Return a number under the name of a metric that is known."""
    return -1.0


def test_functions_are_asked_for_again(tmp_path):
    """A function is not taken for the library's metric of the same name."""
    path = tmp_path / "run.npz"
    fit(epochs=1, metrics=[accuracy], checkpoint=path)
    with raises(ValueError, "measures functions, … Add metrics=[...], with accuracy"):
        tn.resume(path, X, Y, epochs=2)
    _, history = tn.resume(path, X, Y, epochs=2, metrics=[accuracy])
    assert [-1.0, -1.0] == history["accuracy"]


def test_numbers_of_numpy_in_a_state(tmp_path):
    """NumPy's numbers may be in a state and in settings; JSON's keys are whole numbers again."""
    many = np.arange(3)
    state = {"count": np.int64(3), "share": np.float32(0.5), "yes": np.True_, "many": many}

    class Remembers(Callback):
        def state(self):
            return state

        def restore(self, state):
            self.restored = dict(state)

        def on_train_begin(self, logs):
            self.class_weight = self.run.settings.class_weight

    ours, path = Remembers(), tmp_path / "run.npz"
    settings = {"epochs": np.int64(1), "batch_size": np.int32(16), "shuffle": np.True_}
    settings["class_weight"] = {np.int64(0): 1, 1: 2.5}
    fit(callbacks=[ours], checkpoint=path, **settings)
    tn.resume(path, X, Y, callbacks=[ours])
    np.testing.assert_array_equal(many, ours.restored.pop("many"))
    assert {"count": 3, "share": 0.5, "yes": True} == ours.restored
    assert {0: 1.0, 1: 2.5} == ours.class_weight
    assert [int, int] == list(map(type, ours.class_weight))


BY_QUARTERS = partial(tn.metrics.binary_accuracy, threshold=0.25)  # no file has a name like its own


@pytest.mark.parametrize("how", [{}, {"metrics": [BY_QUARTERS]}], ids=["plain", "metrics"])
def test_a_run_that_is_over_can_be_made_longer(tmp_path, how):
    """To resume a finished run changes nothing; with more epochs it goes on as one of that many."""
    path = tmp_path / "run.npz"
    short = fit(epochs=3, checkpoint=path, **how)
    np.testing.assert_array_equal(short[0].params, tn.load(path).params)
    expect_alike(short, tn.resume(path, X, Y, **how))
    model, history = tn.resume(path, X, Y, epochs=5, **how)
    expect_alike(fit(epochs=5, **how), (model, history))
    assert ("metrics" in how) == ("binary_accuracy(threshold=0.25)" in history)


def test_a_history_of_20_000_epochs(tmp_path):
    """What grows with a run's length does not outgrow its file."""
    path, epochs = tmp_path / "run.npz", 20_000
    fit(epochs=1, metrics=["accuracy"], checkpoint=path, **VALIDATION)
    with opened(path) as file, np.load(path) as arrays:
        run = file.description["run"]
        run |= {"epoch": epochs, "settings": run["settings"] | {"epochs": epochs}}
        for told in run["arrays"]["history"].values():
            told[0] = [epochs]
        named = {name: array for name, array in arrays.items() if name != "description"}
        for name in named.keys() & {f"history.{key}" for key in run["arrays"]["history"]}:
            named[name] = named[name].repeat(epochs)
        write_file(path, file.description, named)
    _, resumed = tn.resume(path, X, Y, epochs=epochs + 1, **VALIDATION)
    assert epochs + 1 == resumed.epochs


def test_a_run_of_an_older_version(tmp_path):
    """It goes on to where that version took it, epoch by epoch.

    The version of commit 08e92d3 wrote the file, and what is expected, by the fit of
    Sequential([Dense(4, "tanh"), BatchNorm(), Dropout(0.2), LayerNorm(activation="relu"),
    Dense(1, "sigmoid")], "binary_crossentropy", dtype="float64", seed=1) with Adam(0.02,
    beta1=0.8), epochs=60, batch_size=8, validation_split=0.25, metrics=["accuracy"],
    checkpoint_every=1; it was killed after 27 steps, and early stopping ended it after 18 epochs.
    """
    X, path = np.random.default_rng(7).standard_normal((3, 40)), tmp_path / "run.npz"
    Y = (X[:1] * X[1:2] > 0.1 * X[2:]).astype(float)
    shutil.copy(DATA / "format-2-run.npz", path)
    callbacks = [EarlyStopping("val_loss", patience=3), Kills()]
    model, history = tn.resume(path, X, Y, callbacks=callbacks)
    with np.load(DATA / "format-2-expected.npz") as expected:
        reached = {"params": model.params, **history}
        assert {"A", *reached} == {*expected}
        for name, values in reached.items():
            # Exact where it was written; another BLAS may add in another order.
            np.testing.assert_allclose(expected[name], values, rtol=1e-12, err_msg=name)
    assert "val_loss was best in epoch 15" == history.stopped


@pytest.mark.parametrize(("change", "told"), [
    ({"X": X[:, :50], "Y": Y[:, :50]}, "with data of … [90, [2]], got [50, [2]]"),
    ({"validation_data": None}, "with validation data True, got False"),
    ({"metrics": ["f1"]}, "with metrics ['accuracy'], got ['f1']"),
    ({"callbacks": [Kills()]}, "with callbacks [], got ['Kills']"),
])  # fmt: skip
def test_another_run_is_refused(change, told, tmp_path):
    """To resume with other data, metrics or callbacks is refused, and the file stays as it is."""
    path = tmp_path / "run.npz"
    fit(epochs=1, metrics=["accuracy"], checkpoint=path, **VALIDATION)
    before = path.read_bytes()
    with raises(ValueError, "The run began", told):
        tn.resume(path, **{"X": X, "Y": Y, **VALIDATION, **change})
    assert before == path.read_bytes()


def test_what_is_no_run(tmp_path):
    """A file of a model holds no run; a run is written again and again, so it needs a path."""
    network(inputs=2).save(tmp_path / "net.npz")
    remedy = "Pass a file that fit(..., checkpoint=...) wrote."
    with raises(FileFormatError, f"a model but no run. {remedy}"):
        tn.resume(tmp_path / "net.npz", X, Y)
    with raises(TypeError, 'BytesIO … expected a path. Use checkpoint="run.npz"'):
        fit(checkpoint=io.BytesIO())


@pytest.mark.parametrize("kept", [[1, 2], None])
def test_a_history_that_no_file_keeps(tmp_path, kept):
    """A run that could not be gone on with is refused when it is written."""

    class Records(Callback):
        def on_epoch_end(self, epoch, logs):
            self.run.history.record({"x": kept})

    with raises(TypeError, "The history of 'x' is [ … numbers"):
        fit(callbacks=[Records()], checkpoint=tmp_path / "run.npz")


class Keeps(Callback):
    """Has a state, and what it was restored to."""

    def __init__(self, state):
        self.kept, self.restored = state, None

    def state(self):
        return self.kept

    def restore(self, state):
        self.restored = dict(state)


LOOP = []
LOOP.append(LOOP)
ROUND_TRIPS = {
    **{dtype: np.arange(3).astype(dtype) for dtype in ("u1", "u2", "u4", "u8", "i2", "f2", "?")},
    "NaN and infinity": np.array([np.nan, np.inf, -0.0]), "no number": np.zeros((0, 3)),
    "nested": {"a": [1, {"b": [None, True, "x", -0.0, float("inf")]}]}, "unicode": "\ud800\0é",
    "10**38": 10**38, "a share": np.float32(0.1),
}  # fmt: skip


@pytest.mark.parametrize("what", ROUND_TRIPS)
def test_a_state_comes_back(tmp_path, what):
    """A state of numbers, strings, lists, dictionaries and arrays is restored to the bit."""
    value, path, restored = ROUND_TRIPS[what], tmp_path / "run.npz", Keeps({})
    fit(epochs=1, checkpoint=path, callbacks=[Keeps({"v": value, "a b/\0": np.ones(1)})])
    tn.resume(path, X, Y, callbacks=[restored])
    found = restored.restored["v"]
    if isinstance(value, np.ndarray):
        assert (value.dtype, value.shape) == (found.dtype, found.shape)
        assert value.tobytes() == found.tobytes()
    else:
        assert repr(value) == repr(found) or value == found


NOT_AS_IT_WAS = {
    **{f"an array of {a.dtype}": (a, TypeError, "callback0 … 'v'", f"dtype {a.dtype}")
       for a in (np.ones(1, complex), np.ones(1, np.longdouble), np.array(["a"]),
                 np.array(["2020"], "M8[D]"), np.array([None]))},
    **{f"a {type(v).__name__}": (v, TypeError, "state of Keeps", repr(v), "expected a number")
       for v in ((1, 2), {1}, b"a", 1j, {1: 2}, np.longdouble(1))},
    "an array in a list": ([np.ones(1)], TypeError, "has array([1.]) … Arrays have a name"),
    "nested for ever": (LOOP, TypeError, "state of Keeps", "recursion"),
    "a long number": (10**50, ValueError, "an integer of 51 digits … an earlier file is as it was"),
    "a long text": ("x" * 2**20, ValueError, "could not be read again", "in arrays"),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_AS_IT_WAS)
def test_a_state_that_would_come_back_otherwise(tmp_path, what):
    """It is refused when it is written, and the earlier file stays."""
    value, error, *words = NOT_AS_IT_WAS[what]
    path = tmp_path / "run.npz"
    fit(epochs=1, checkpoint=path)
    before = path.read_bytes()
    with raises(error, *words):
        fit(epochs=1, checkpoint=path, callbacks=[Keeps({"v": value})])
    assert before == path.read_bytes()


class Changes(Callback):
    """Changes the history after the second epoch."""

    def __init__(self, change):
        self.change = change

    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            self.change(self.run.history)


HISTORIES = {
    "an epoch more": (lambda h: h["loss"].append(1.0), "another history of loss"),
    "none at all": (lambda h: h.clear(), "another history of loss"),
    "whole numbers": (lambda h: h.update(loss=[1, 2]), "another history of loss"),
    "a large number": (lambda h: h.update(x=[2**53 + 1, 0.5]), "9007199254740993 … Record a float"),
    "other lengths": (lambda h: h.update(x=[[1], [1, 2]]), "'x' is [[1], [1, 2]], not a list"),
    "a name 3": (lambda h: h.update({3: [1.0]}), "called 3, expected a string"),
}


@pytest.mark.parametrize("what", HISTORIES)
def test_a_history_changed_by_hand(tmp_path, what):
    """What resume would refuse is refused when it is written, and the file is of the last epoch."""
    change, *words = HISTORIES[what]
    path = tmp_path / "run.npz"
    with raises((TypeError, ValueError), *words):
        fit(checkpoint=path, callbacks=[Changes(change)])
    _, history = tn.resume(path, X, Y, callbacks=[Changes(lambda history: None)])
    assert fit()[1] == history


def test_memory_that_comes_late(tmp_path):
    """A rule may make a slot in any step, also in the one after the checkpoint."""
    path = tmp_path / "run.npz"
    every_step = {"checkpoint": path, "checkpoint_every": 1}
    plain = fit(optimizer=looking_back())
    with pytest.raises(Killed):  # the next step makes the slot
        fit(optimizer=looking_back(), callbacks=[Kills(4)], **every_step)
    expect_alike(plain, tn.resume(path, X, Y, callbacks=[Kills()]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are of forks")
def test_runs_of_every_kind_killed():
    """Each of eight kinds of runs ends alike, to the last bit, also if it was killed."""
    printed = output_of(kills.__file__, "--count", "8")
    assert re.search(r"all +\d+ kills +0 wrong\n", printed)


PROGRAM = """
import os, sys
import numpy as np
import tinynet as tn
path, out = sys.argv[1:]
X, y = tn.load_digits()
callbacks = [tn.EarlyStopping(patience=3), tn.CSVLogger(path + ".csv")]
given = dict(validation_data=(X[:, :200], y[:200]), callbacks=callbacks)
if os.path.exists(path):
    model, history = tn.resume(path, X, y, **given)
else:
    layers = [tn.Dense(32, "relu"), tn.Dense(10, "softmax")]
    model = tn.Sequential(layers, "categorical_crossentropy", inputs=64, seed=3)
    given |= dict(metrics=["accuracy"], checkpoint=path, checkpoint_every=4)
    history = model.fit(X, y, tn.AdamW(0.003), epochs=6, **given)
log = [line.rpartition(",")[0] for line in open(path + ".csv")]  # without the time
np.savez(out, params=model.params, log=log, **history)
"""


def test_killed_at_any_moment(tmp_path):
    """A process that is killed again and again ends like one that is not, and leaves no other file.

    So the same seed gives the same parameters in another process, too.
    """
    program = tmp_path / "train.py"
    program.write_text(PROGRAM, "utf-8")

    def start(name):
        paths = tmp_path / f"{name}.npz", tmp_path / f"{name}_out.npz"
        return subprocess.Popen([sys.executable, program, *paths], env=TESTED)

    began = time.monotonic()
    assert 0 == start("plain").wait()
    whole = time.monotonic() - began
    chance, kills = random.Random(1), 0
    while kills < 4 or not (tmp_path / "killed_out.npz").exists():
        process = start("killed")
        try:
            seconds = chance.uniform(0.4, 0.9) * whole
            assert 0 == process.wait(timeout=seconds if kills < 4 else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            kills += 4  # it was done before it could be killed
    with np.load(tmp_path / "plain_out.npz") as plain, np.load(tmp_path / "killed_out.npz") as out:
        np.testing.assert_equal(dict(out), dict(plain))
    assert [] == [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"]


class ForgetsCount(Callback):
    """Takes the number of steps out of the optimizer's memory, as it was in older files."""

    def on_epoch_end(self, epoch, logs):
        self.run.optimizer.memory.pop("t", None)


@pytest.mark.parametrize("name", ["rmsprop", "adagrad"])
def test_resumed_without_a_count_that_the_rule_does_not_need(name, tmp_path):
    """Older versions counted the steps of rules that ask for the number alone."""
    models = []
    for epochs in (4, 2):
        path = tmp_path / f"{epochs}.npz"
        model = tn.Sequential([Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)
        model.fit(X, Y, name, epochs=epochs, callbacks=[ForgetsCount()], checkpoint=path)
        models.append(model)
    resumed, _ = tn.resume(path, X, Y, callbacks=[ForgetsCount()], epochs=4)
    np.testing.assert_array_equal(resumed.params, models[0].params)
