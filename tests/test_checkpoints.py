"""A run goes on from its file bit for bit as if it had never been interrupted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import (
    SGD,
    Callback,
    CSVLogger,
    Dense,
    EarlyStopping,
    LearningRateLogger,
    ModelCheckpoint,
)
from tinynet._support.random import generator_from, set_state, state_of
from tinynet._support.random import plain as as_plain
from tinynet.errors import FileFormatError
from tinynet.files.archive import opened, write_file
from tinynet.optimizers import Adagrad, Adam, AdamW, Nadam, RMSprop
from tinynet.schedules import Cosine, Exponential, Warmup

X, Y = tn.datasets.make_moons(90, seed=1)
X_VAL, Y_VAL = tn.datasets.make_moons(40, seed=2)
GENERATORS = {
    "default_rng": lambda: np.random.default_rng(5),
    "RandomState": lambda: np.random.RandomState(5),
    **{
        name: lambda kind=name: np.random.Generator(getattr(np.random, kind)(5))
        for name in ("MT19937", "Philox", "SFC64", "PCG64DXSM")
    },
}


class Killed(Exception):
    """Ends a run where a kill would."""


class Kills(Callback):
    """Ends the run after so many steps."""

    def __init__(self, after):
        self.after = after

    def on_batch_end(self, batch, logs):
        self.after -= 1
        if self.after == 0:
            raise Killed


def network(seed=5, **how):
    """Return a model for the moons."""
    layers = [Dense(6, "tanh"), Dense(1, "sigmoid")]
    return tn.Sequential(layers, "binary_crossentropy", seed=seed, **how)


def compare(model, history, other, other_history):
    """See that two runs ended alike, to the last bit."""
    np.testing.assert_array_equal(model.params, other.params)
    assert history == other_history
    assert as_plain(state_of(model.rng)) == as_plain(state_of(other.rng))


RUNS = {
    "plain": {},
    "full batch": {"batch_size": None, "epochs": 20},
    "in order": {"shuffle": False},
    "metrics": {"metrics": ["accuracy", "f1"], "validation_data": (X_VAL, Y_VAL)},
    "split": {"validation_split": 0.3, "metrics": ["accuracy"], "epochs": 5},
    "weights": {"sample_weight": np.linspace(0, 2, 90), "class_weight": {0: 1.0, 1: 3.0}},
    "balanced": {"class_weight": "balanced"},
    "momentum": {"optimizer": SGD(0.1, momentum=0.9, nesterov=True)},
    "adam": {"optimizer": Adam(0.01)},
    "adamw by step": {"optimizer": AdamW(Warmup(5, Cosine(0.05, 20)), weight_decay=0.1)},
    "nadam by epoch": {"optimizer": Nadam(Exponential(0.01, 0.9, by="epoch"))},
    "rmsprop": {"optimizer": RMSprop(0.01, momentum=0.5, centered=True, clip_norm=1.0)},
    "adagrad": {"optimizer": Adagrad(0.1)},
}
NOT_IN_THE_FILE = ("sample_weight", "validation_data")


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 7, 17])
@pytest.mark.parametrize("run", RUNS)
def test_a_run_that_was_killed(run, steps, tmp_path):
    """Killed after any step and taken up again, a run gives the parameters and history of one that was not."""
    how = {"epochs": 4, "batch_size": 16, **RUNS[run]}
    plain = network()
    fresh = (
        {**how, "optimizer": tn.Optimizer.get(how["optimizer"].config())}
        if "optimizer" in how
        else how
    )
    history = plain.fit(X, Y, **fresh)
    if "optimizer" in how:
        how["optimizer"].reset()
    killed, path = network(), tmp_path / "run.npz"
    with pytest.raises(Killed):
        killed.fit(X, Y, callbacks=[Kills(steps)], checkpoint=path, checkpoint_every=2, **how)
    given = {name: how[name] for name in NOT_IN_THE_FILE if name in how}
    model, resumed = tn.resume(path, X, Y, callbacks=[Kills(0)], **given)
    compare(plain, history, model, resumed)


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_every_generator_goes_on(make, tmp_path):
    """A run goes on with the user's own generator, whatever kind of NumPy's it is."""
    plain = network(make())
    history = plain.fit(X, Y, epochs=3, batch_size=16)
    killed, path = network(make()), tmp_path / "run.npz"
    with pytest.raises(Killed):
        killed.fit(
            X, Y, epochs=3, batch_size=16, callbacks=[Kills(9)], checkpoint=path, checkpoint_every=1
        )
    compare(plain, history, *tn.resume(path, X, Y, callbacks=[Kills(0)]))


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_state_of_generators(make):
    """The state is plain data, and a generator made of it, or set to it, draws the same numbers."""
    rng, other = make(), make()
    rng.standard_normal(3)
    kept = json.loads(json.dumps(as_plain(state_of(rng))))
    expected = rng.standard_normal(5).tolist()
    assert expected == generator_from(kept).standard_normal(5).tolist()
    set_state(other, kept)
    assert expected == other.standard_normal(5).tolist()


def test_callbacks_go_on(tmp_path):
    """Early stopping, logs and saved models are as in a run that was not interrupted."""

    def callbacks(folder):
        os.makedirs(folder, exist_ok=True)
        return [
            EarlyStopping("val_loss", patience=2), ModelCheckpoint(f"{folder}/best.npz"), LearningRateLogger(),
            CSVLogger(f"{folder}/log.csv"),
        ]  # fmt: skip

    how = {"epochs": 12, "batch_size": 16, "validation_data": (X_VAL, Y_VAL)}
    plain = network()
    history = plain.fit(
        X, Y, optimizer=SGD(5.0, momentum=0.9), callbacks=callbacks(tmp_path / "plain"), **how
    )
    assert history.epochs < 12
    killed, path, ours = network(), tmp_path / "run.npz", tmp_path / "killed"
    with pytest.raises(Killed):
        killed.fit(
            X, Y, optimizer=SGD(5.0, momentum=0.9), callbacks=[*callbacks(ours), Kills(15)], checkpoint=path,
            checkpoint_every=4, **how,
        )  # fmt: skip
    given = {"validation_data": (X_VAL, Y_VAL)}
    model, resumed = tn.resume(path, X, Y, callbacks=[*callbacks(ours), Kills(0)], **given)
    compare(plain, history, model, resumed)
    assert (tmp_path / "plain/log.csv").read_text() == (ours / "log.csv").read_text()
    np.testing.assert_array_equal(
        tn.load(tmp_path / "plain/best.npz").params, tn.load(ours / "best.npz").params
    )
    again, once_more = tn.resume(path, X, Y, callbacks=[*callbacks(ours), Kills(0)], **given)
    compare(plain, history, again, once_more)


def test_killed_between_the_last_step_and_the_end_of_its_epoch(tmp_path):
    """A run goes on where all steps of its epoch are taken, and nothing is measured of it yet."""

    class Ends(Callback):
        def __init__(self, at):
            self.at = at

        def on_epoch_end(self, epoch, logs):
            if epoch == self.at:
                raise Killed

    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(X, Y, epochs=4, batch_size=16, metrics=["accuracy"])
    how = {
        "epochs": 4,
        "batch_size": 16,
        "metrics": ["accuracy"],
        "checkpoint": path,
        "checkpoint_every": 3,
    }
    with pytest.raises(Killed):
        network().fit(X, Y, callbacks=[Ends(1)], **how)
    with opened(path) as file:
        assert (file.description["run"]["epoch"], file.description["run"]["step"]) == (1, 6)
    compare(plain, history, *tn.resume(path, X, Y, callbacks=[Ends(-1)]))


def test_a_step_that_is_broken_off_is_not_written(tmp_path, monkeypatch):
    """Where Ctrl-C comes amidst a step, the file is the one of the step before."""
    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(X, Y, tn.Adam(), epochs=3, batch_size=16)
    step, taken = tn.Adam.step, []

    def breaks_off(self, model):
        step(self, model)
        taken.append(1)
        if len(taken) == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tn.Adam, "step", breaks_off)
        model = network()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, tn.Adam(), epochs=3, batch_size=16, checkpoint=path, checkpoint_every=1)
    np.testing.assert_array_equal(tn.load(path).params, model.params, "the step is taken back")
    compare(plain, history, *tn.resume(path, X, Y))


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("epochs", [4, 9])
def test_the_best_parameters_are_not_gone_on_from(epochs, tmp_path):
    """Early stopping may end a fit with the best parameters; a run goes on from its last ones."""

    def stopping():
        return EarlyStopping("loss", patience=100, mode="max")  # the first epoch is the best

    def interrupting(at):
        class Interrupts(Callback):
            def on_batch_end(self, batch, logs):
                if (self.run.epoch, batch) == at:
                    os.kill(os.getpid(), signal.SIGINT)

        return Interrupts()

    how, path = {"batch_size": 16, "optimizer": "adam"}, tmp_path / "run.npz"
    plain = network()
    history = plain.fit(X, Y, epochs=9, callbacks=[stopping(), interrupting(None)], **how)
    cut = network()
    at = (3, 2) if epochs == 9 else None
    begun = cut.fit(
        X, Y, epochs=epochs, callbacks=[stopping(), interrupting(at)], checkpoint=path, **how
    )
    assert begun.stopped == ("interrupted" if at else "")
    compare(
        plain, history, *tn.resume(path, X, Y, callbacks=[stopping(), interrupting(None)], epochs=9)
    )


def test_broken_off_in_validation(tmp_path):
    """Where Ctrl-C comes while the epoch is judged, it is judged once more by who goes on."""
    calls = []

    def judged(Y, A):
        calls.append(1)
        if len(calls) == 6:  # the validation data first, then twice an epoch
            raise KeyboardInterrupt
        return float(A.mean())

    how = {"epochs": 4, "batch_size": 16, "validation_data": (X_VAL, Y_VAL)}
    plain, path = network(), tmp_path / "run.npz"
    calls[:] = [1] * 6
    history = plain.fit(X, Y, metrics=[judged], **how)
    calls.clear()
    begun = network().fit(X, Y, metrics=[judged], checkpoint=path, **how)
    assert (begun.stopped, begun.epochs) == ("interrupted", 2)
    given = {"validation_data": (X_VAL, Y_VAL), "metrics": [judged]}
    compare(plain, history, *tn.resume(path, X, Y, **given))


def accuracy(Y, A):
    """Return a number under the name of a metric that is known."""
    return -1.0


def test_functions_are_asked_for_again(tmp_path):
    """A function is not taken for the library's metric of the same name."""
    path = tmp_path / "run.npz"
    network().fit(X, Y, epochs=1, metrics=[accuracy], checkpoint=path)
    with pytest.raises(
        ValueError, match=r"measures functions, .*Add metrics=\[...\], with accuracy"
    ):
        tn.resume(path, X, Y, epochs=2)
    _, history = tn.resume(path, X, Y, epochs=2, metrics=[accuracy])
    assert history["accuracy"] == [-1.0, -1.0]


def test_numbers_of_numpy_in_a_state(tmp_path):
    """What a callback remembers may be NumPy's numbers, and settings too."""

    class Remembers(Callback):
        def state(self):
            return {
                "count": np.int64(3),
                "share": np.float32(0.5),
                "yes": np.True_,
                "many": np.arange(3),
            }

        def restore(self, state):
            self.restored = state

    ours, path = Remembers(), tmp_path / "run.npz"
    settings = {"epochs": np.int64(1), "batch_size": np.int32(16), "shuffle": np.True_}
    network().fit(X, Y, callbacks=[ours], checkpoint=path, **settings)
    tn.resume(path, X, Y, callbacks=[ours])
    many = ours.restored.pop("many")
    assert ours.restored == {"count": 3, "share": 0.5, "yes": True}
    np.testing.assert_array_equal(np.arange(3), many)


def test_labels_of_class_weights_come_back(tmp_path):
    """JSON knows only strings as keys, and yet labels are whole numbers again."""

    class Looks(Callback):
        def on_train_begin(self, logs):
            self.found = self.run.settings.class_weight

    looks, path = Looks(), tmp_path / "run.npz"
    network().fit(X, Y, class_weight={np.int64(0): 1, 1: 2.5}, callbacks=[looks], checkpoint=path)
    tn.resume(path, X, Y, callbacks=[looks])
    assert looks.found == {0: 1.0, 1: 2.5}
    assert [int, int] == list(map(type, looks.found))


def test_metrics_of_any_name(tmp_path):
    """A metric's name may hold signs that no file's name has."""
    metric = partial(tn.metrics.binary_accuracy, threshold=0.25)
    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(X, Y, epochs=3, metrics=[metric])
    network().fit(X, Y, epochs=2, metrics=[metric], checkpoint=path)
    compare(plain, history, *tn.resume(path, X, Y, metrics=[metric], epochs=3))
    assert "binary_accuracy(threshold=0.25)" in history


def test_an_optimizer_of_ones_own_goes_on(tmp_path):
    """Memory of any shape, of a name that comes late, is kept; a class of one's own need say nothing for it."""

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

    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(X, Y, Looking(), epochs=3, batch_size=16)
    with pytest.raises(Killed):
        network().fit(
            X,
            Y,
            Looking(),
            epochs=3,
            batch_size=16,
            callbacks=[Kills(4)],
            checkpoint=path,
            checkpoint_every=1,
        )
    compare(plain, history, *tn.resume(path, X, Y, callbacks=[Kills(0)]))


def test_a_history_of_20_000_epochs(tmp_path):
    """What grows with a run's length does not outgrow its file."""
    path, epochs = tmp_path / "run.npz", 20_000
    model = network()
    model.fit(X, Y, epochs=1, metrics=["accuracy"], validation_data=(X_VAL, Y_VAL), checkpoint=path)
    with opened(path) as file:
        description, arrays = file.description, dict(np.load(path))
    history = {
        name: array.repeat(epochs) for name, array in arrays.items() if name.startswith("history.")
    }
    description["run"] |= {"epoch": epochs}
    description["run"]["settings"] |= {"epochs": epochs}
    for told in description["run"]["arrays"]["history"].values():
        told[0] = [epochs]
    del arrays["description"]
    write_file(path, description, arrays | history)
    _, resumed = tn.resume(path, X, Y, validation_data=(X_VAL, Y_VAL), epochs=epochs + 1)
    assert resumed.epochs == epochs + 1


def test_a_run_that_is_over_can_be_made_longer(tmp_path):
    """To resume a finished run changes nothing; with more epochs it goes on as one of that many."""
    path, plain = tmp_path / "run.npz", network()
    history = plain.fit(X, Y, epochs=5, batch_size=16)
    short = network()
    short.fit(X, Y, epochs=3, batch_size=16, checkpoint=path)
    model, same = tn.resume(path, X, Y)
    np.testing.assert_array_equal(short.params, model.params)
    assert same.epochs == 3
    compare(plain, history, *tn.resume(path, X, Y, epochs=5))


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_and_resumed(tmp_path):
    """After Ctrl-C the file is of the last step, and the run goes on from there."""

    class Interrupts(Callback):
        def on_batch_end(self, batch, logs):
            if (self.run.epoch, batch) == (1, 2):
                os.kill(os.getpid(), signal.SIGINT)

    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(X, Y, epochs=3, batch_size=16)
    network().fit(X, Y, epochs=3, batch_size=16, callbacks=[Interrupts()], checkpoint=path)

    class Counts(Interrupts):
        first = None

        def on_batch_end(self, batch, logs):
            self.first = self.first or (self.run.epoch, batch)

    counts = Counts()
    counts.__class__.__name__ = "Interrupts"
    compare(plain, history, *tn.resume(path, X, Y, callbacks=[counts]))
    assert counts.first == (1, 3)


def test_a_checkpoint_is_a_model_too(tmp_path):
    """`load` gives the model of a run's file, as it was when the file was written."""
    model = network()
    model.fit(X, Y, epochs=2, checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(model.params, tn.load(tmp_path / "run.npz").params)


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


@pytest.mark.parametrize(
    ("stream", "how"), [(Stream(), {}), (endless, {"steps_per_epoch": 5})], ids=["again", "endless"]
)
def test_streams_go_on(stream, how, tmp_path):
    """A run over a stream of batches goes on with the batch after the last."""
    plain, path = network(), tmp_path / "run.npz"
    history = plain.fit(stream, epochs=4, **how)
    with pytest.raises(Killed):
        network().fit(
            stream, epochs=4, callbacks=[Kills(13)], checkpoint=path, checkpoint_every=1, **how
        )
    compare(plain, history, *tn.resume(path, stream, callbacks=[Kills(0)]))


def test_data_on_disk_goes_on(tmp_path):
    """A run over arrays on disk, shuffled by blocks, goes on within its epoch."""
    for name, columns in (("X", X), ("Y", Y)):
        np.save(tmp_path / f"{name}.npy", np.ascontiguousarray(columns.T, np.float32))
    rows, path = (
        (tn.open_rows(tmp_path / "X.npy"), tn.open_rows(tmp_path / "Y.npy")),
        tmp_path / "run.npz",
    )
    plain = network()
    history = plain.fit(*rows, epochs=3, batch_size=8)
    with pytest.raises(Killed):
        network().fit(
            *rows,
            epochs=3,
            batch_size=8,
            callbacks=[Kills(17)],
            checkpoint=path,
            checkpoint_every=3,
        )
    compare(plain, history, *tn.resume(path, *rows, callbacks=[Kills(0)]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"X": X[:, :50], "Y": Y[:, :50]},
            r"began with data of .* \[90, \[2\]\], got \[50, \[2\]\]",
        ),
        ({"validation_data": None}, r"began with validation data True, got False"),
        ({"metrics": ["f1"]}, r"began with metrics \['accuracy'\], got \['f1'\]"),
        (
            {"callbacks": [LearningRateLogger()]},
            r"began with callbacks \[\], got \['LearningRateLogger'\]",
        ),
    ],
)
def test_another_run_is_refused(change, told, tmp_path):
    """To resume with other data, metrics or callbacks is refused, and the file is left as it is."""
    path = tmp_path / "run.npz"
    network().fit(
        X, Y, epochs=1, metrics=["accuracy"], validation_data=(X_VAL, Y_VAL), checkpoint=path
    )
    before = path.read_bytes()
    given = {"X": X, "Y": Y, "validation_data": (X_VAL, Y_VAL)} | change
    with pytest.raises(ValueError, match=told):
        tn.resume(path, given.pop("X"), given.pop("Y"), **given)
    assert before == path.read_bytes()


def test_a_model_is_no_run(tmp_path):
    """A file that model.save wrote holds no run, and the error says which files do."""
    network(inputs=2).save(tmp_path / "net.npz")
    with pytest.raises(
        FileFormatError,
        match=r"a model but no run\. Pass a file that fit\(..., checkpoint=...\) wrote",
    ):
        tn.resume(tmp_path / "net.npz", X, Y)


@pytest.mark.parametrize("checkpoint", ["", "no/such/folder/run.npz"])
def test_a_checkpoint_that_cannot_be_written(checkpoint, tmp_path, monkeypatch):
    """Where the file cannot be written, it is said before the first step."""
    monkeypatch.chdir(tmp_path)
    model = network(inputs=2)
    before = model.params.copy()
    if checkpoint:
        with pytest.raises(FileNotFoundError, match=r"Make the folder first"):
            model.fit(X, Y, checkpoint=checkpoint)
    else:
        model.fit(X, Y, epochs=0, checkpoint=None)
    np.testing.assert_array_equal(before, model.params)


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
    history = model.fit(
        X, y, tn.AdamW(0.003), epochs=6, metrics=["accuracy"], checkpoint=path, checkpoint_every=4, **given
    )
np.savez(out, params=model.params, log=open(path + ".csv").read(), **history)
"""


def test_killed_at_any_moment(tmp_path):
    """A process that is killed again and again ends with the result of one that is not, and leaves no other file."""
    program = tmp_path / "train.py"
    program.write_text(PROGRAM, "utf-8")

    def start(name):
        return subprocess.Popen(
            [sys.executable, program, tmp_path / f"{name}.npz", tmp_path / f"{name}_out.npz"]
        )

    began = time.monotonic()
    assert start("plain").wait() == 0
    whole = time.monotonic() - began
    chance, kills = random.Random(1), 0
    while kills < 4 or not (tmp_path / "killed_out.npz").exists():
        process = start("killed")
        try:
            assert (
                process.wait(timeout=chance.uniform(0.4, 0.9) * whole if kills < 4 else None) == 0
            )
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            kills += 4  # it was done before it could be killed
    with (
        np.load(tmp_path / "plain_out.npz") as plain,
        np.load(tmp_path / "killed_out.npz") as killed,
    ):
        assert sorted(plain) == sorted(killed)
        for name in plain:
            np.testing.assert_array_equal(plain[name], killed[name], err_msg=name)
    assert not [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_two_processes_train_alike(tmp_path):
    """The same seed gives the same parameters, bit for bit, in another process."""
    program = """
import tinynet as tn
X, Y = tn.datasets.make_moons(80, seed=1)
model = tn.Sequential([tn.Dense(5, "relu"), tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=2)
model.fit(X, Y, epochs=5)
print(model.params.tobytes().hex())
"""
    told = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(told) == 1


@pytest.mark.parametrize("kept", [[1, 2], None])
def test_a_history_that_no_file_keeps(tmp_path, kept):
    """A run that could not be gone on with is refused when it is written."""

    class Records(Callback):
        def on_epoch_end(self, epoch, logs):
            self.run.history.record({"x": kept})

    model = tn.Sequential([Dense(1, "sigmoid")], "binary_crossentropy", inputs=2, seed=1)
    with pytest.raises(TypeError, match=r"The history of 'x' is \[.* numbers"):
        model.fit(X, Y, callbacks=[Records()], checkpoint=tmp_path / "run.npz")
