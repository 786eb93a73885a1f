"""What the library's own callbacks refuse, write, monitor and freeze, and what they let go."""

import csv
import gc
import math
import os
import weakref
from fractions import Fraction
from functools import partial

import attrs
import numpy as np
import pytest
from helpers import unchanged
from messages import raises

import tinynet as tn
from tinynet import (
    SGD,
    Callback,
    CSVLogger,
    Dense,
    EarlyStopping,
    Freeze,
    LearningRateLogger,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from tinynet.errors import NonFiniteError, UnknownNameError
from tinynet.optimizers import Adagrad, Adam, AdamW, Nadam, RMSprop
from tinynet.schedules import Step

X, Y = tn.datasets.make_moons(60, seed=1)
VALIDATED = {"validation_data": tn.datasets.make_moons(40, seed=2)}


def network(*layers, **how):
    """Return a model for the moons."""
    layers = layers or (Dense(6, "tanh"), Dense(4, "tanh"), Dense(1, "sigmoid"))
    how = {"inputs": 2, "dtype": "float64", "seed": 1} | how
    return tn.Sequential(layers, "binary_crossentropy", **how)


class Scripted(Callback):
    """Puts these numbers in the place of what was measured, and of the first parameter."""

    def __init__(self, values, name="loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs):
        logs[self.name] = self.run.history[self.name][-1] = self.values[epoch]
        self.model.params[0] = epoch


class Gap(Callback):
    """Measures a number, and names it."""

    measures = ("gap",)

    def on_epoch_end(self, epoch, logs):
        logs["gap"] = epoch + 0.5


class Records(Callback):
    """Records a number in the history every other epoch."""

    def on_epoch_end(self, epoch, logs):
        if epoch % 2:
            self.run.history.record({"odd": epoch})


class Refuses(Callback):
    """Refuses a run late, after it has changed the parameters."""

    def on_train_begin(self, logs):
        self.model.params[:] = 0
        raise OSError("There is no server")


def rows_of(path):
    """Return the lines of a log as dictionaries."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Refused before the first step

NOWHERE = os.path.join("no such folder", "file")


@pytest.mark.parametrize(("refused", "error", "words"), [
    ({"callbacks": [ModelCheckpoint(NOWHERE)]}, OSError, ["no such folder", "Make the folder"]),
    ({"callbacks": [ModelCheckpoint(NOWHERE, best_only=False)]}, OSError, ["Make the folder"]),
    ({"callbacks": [CSVLogger(NOWHERE)]}, OSError, ["no such folder", "Make the folder"]),
    ({"callbacks": [CSVLogger(".")]}, OSError, ["Give the name of a file"]),
    ({"checkpoint": NOWHERE}, OSError, ["no such folder", "Make the folder"]),
    ({"callbacks": [EarlyStopping("val_acc")]}, UnknownNameError,
     ["'val_acc', which is not measured, expected one of val_accuracy, accuracy, "]),
    ({"callbacks": [EarlyStopping("val_f1")]}, UnknownNameError, ['. Give fit metrics=["f1"].']),
    ({"callbacks": [EarlyStopping("val_f1")], "validation_data": None}, UnknownNameError,
     ['Give fit metrics=["f1"], and validation_data or validation_split.']),
    ({"callbacks": [ReduceLROnPlateau("acc")]}, UnknownNameError, ["expected one of accuracy, "]),
    ({"callbacks": [EarlyStopping("gap")]}, UnknownNameError, ["'gap'"]),
    ({"callbacks": [EarlyStopping("gap"), Gap()]}, ValueError, ["larger 'gap'", 'mode="max"']),
    ({"callbacks": [ModelCheckpoint("w-{val_acc}.npz")]}, UnknownNameError,
     ["w-{val_acc}.npz' has {val_acc}", "one of val_accuracy, ", "write {{ or }}"]),
    ({"callbacks": [ModelCheckpoint("w-{learning_rate}")]}, UnknownNameError, ["{learning_rate}"]),
    ({"callbacks": [ModelCheckpoint("w-{}.npz")]}, UnknownNameError, ["expected one of"]),
    ({"callbacks": [ModelCheckpoint("w-{epoch.npz")]}, ValueError, ["w-{epoch.npz", "{{ or }}"]),
    ({"callbacks": [ModelCheckpoint("w-{loss:d}")]}, ValueError, ["w-{loss:d}", "{val_loss:.2f}"]),
    ({"callbacks": [ReduceLROnPlateau()], "optimizer": SGD(Step(0.1, 0.5, 9))}, TypeError,
     ["Step(", "expected a number as its learning_rate. Pass learning_rate=0.01"]),
    ({"callbacks": [Freeze([4])]}, IndexError, ["layer 4, expected some of 1, 2, 3"]),
    ({"callbacks": [Freeze([0])]}, IndexError, ["layer 0, expected some of 1, 2, 3"]),
    ({"callbacks": [Freeze([-1])]}, IndexError, ["layer -1, expected"]),
    ({"callbacks": [Freeze([(2, 1)])]}, IndexError, ["layer (2, 1), expected"]),
    ({"callbacks": [Freeze([1, 2, 3])]}, ValueError, ["no layer with parameters to train"]),
    ({"callbacks": [Refuses()]}, OSError, ["There is no server"]),
    ({"callbacks": [Freeze([1]), Refuses()]}, OSError, ["There is no server"]),
])  # fmt: skip
def test_a_run_that_must_be_refused_changes_nothing(refused, error, words, tmp_path):
    """Neither the model, the optimizer, an existing log nor an earlier checkpoint has changed."""
    model, log, run = network(), tmp_path / "log.csv", tmp_path / "run.npz"
    how = {"metrics": ["accuracy"], "optimizer": SGD(0.1, momentum=0.9), **VALIDATED}
    model.fit(X, Y, epochs=2, callbacks=[CSVLogger(log)], checkpoint=run, **how)
    memory = {name: array.copy() for name, array in how["optimizer"].memory.items()}
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    how |= {"checkpoint": run, **refused, "callbacks": [CSVLogger(log)]}
    how["callbacks"] += refused.get("callbacks", [])
    with unchanged(model), raises(error, *words):
        model.fit(X, Y, **how)
    np.testing.assert_equal(
        {name: array.copy() for name, array in how["optimizer"].memory.items()},
        memory if how["optimizer"].memory else {},
    )
    assert files == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not any(hasattr(callback, "run") for callback in how["callbacks"])
    assert not any(at.is_frozen for at in model.storage.placed)
    model.fit(X, Y, epochs=1)


@pytest.mark.parametrize(("make", "error", "words"), [
    (partial(Freeze, 1), TypeError, ["Freeze got 1, expected a list", "Freeze([1, 2])"]),
    (partial(Freeze, "W1"), TypeError, ["'W1', expected a list"]),
    (partial(Freeze, ["W1"]), TypeError, ["layer 'W1', expected its number, from 1, or its path"]),
    (partial(Freeze, [2, 2]), ValueError,
     ["the layers [2, 2], expected each of them once",
      "Use Freeze([2]), or Freeze([(2, 2)]) for the layer of model.W[2, 2]."]),
    (partial(Freeze, (1, 2, 1, (2, 3))), ValueError, ["Freeze([1, 2, (2, 3)])", "[(1, 2, 1)]"]),
    (partial(EarlyStopping, restore_best="no"), ValueError, ["'no', expected True or False"]),
    (partial(ModelCheckpoint, "a.npz", best_only=2), ValueError, ["2, expected True or False"]),
    (partial(ReduceLROnPlateau, factor=1), ValueError, ["factor is 1.0", "below 1"]),
    (partial(ReduceLROnPlateau, factor=0), ValueError, ["factor is 0.0", "above 0"]),
    (partial(ReduceLROnPlateau, patience=-1), ValueError, ["patience is -1"]),
    (partial(ReduceLROnPlateau, cooldown=1.5), TypeError, ["cooldown is 1.5"]),
    (partial(ReduceLROnPlateau, min_lr=-1), ValueError, ["min_lr is -1.0"]),
    (partial(SGD(0.1).set_rate, -1), ValueError, ["learning_rate is -1.0"]),
    (partial(SGD(Step(0.1, 0.5, 9)).set_rate, 0.01), TypeError,
     ["SGD(", "has a schedule, expected a number as its learning_rate. Use optimizer.",
      "evolve(learning_rate=0.01)."]),
])  # fmt: skip
def test_settings_that_are_refused(make, error, words):
    """A setting that cannot be meant is refused when it is made."""
    with raises(error, *words):
        make()


# Logs and file names


@pytest.mark.parametrize("order", [1, -1])
def test_a_log_has_what_callbacks_measure(order, tmp_path):
    """It has time, learning rate and the numbers of other callbacks, whatever their order."""
    path, optimizer = tmp_path / "log.csv", SGD(0.5)
    slower = ReduceLROnPlateau("loss", 0.5, patience=1)
    callbacks = [CSVLogger(path), LearningRateLogger(), Gap(), Records(), slower]
    callbacks.append(EarlyStopping("gap", patience=9, mode="min"))
    first = Scripted([3, 4, 5, 6], "loss")
    how = {"epochs": 4, "callbacks": [first, *callbacks[::order]]}
    history = network().fit(X, Y, optimizer, **how)
    rows = rows_of(path)
    assert ["0.5", "0.5", "0.25", "0.125"] == [row["learning_rate"] for row in rows]
    assert [0.5, 0.5, 0.25, 0.125] == history["learning_rate"]
    assert ["0.5", "1.5", "2.5", "3.5"] == [row["gap"] for row in rows]
    assert [0.5, 1.5, 2.5, 3.5] == history["gap"]
    assert ["", "1.0", "", "3.0"] == [row["odd"] for row in rows]
    assert [1, 3] == history["odd"]
    assert all(0 < float(row["time"]) < 60 for row in rows)


def test_what_a_callback_promised_to_measure():
    """A callback that does not measure what it names is told how."""

    class Forgets(Callback):
        measures = ("gap",)

    with raises(ValueError, "Forgets.measures has 'gap'", "Set logs['gap']", "in on_epoch_end"):
        network().fit(X, Y, callbacks=[Forgets()])
    notes = Notes(None)
    notes.measures = ("note",)
    with raises(ValueError, "Notes.measures has 'note'", "None", "Set logs['note'] to a number"):
        network().fit(X, Y, callbacks=[notes, EarlyStopping("note", mode="min")])


class Notes(Callback):
    """Puts something into the logs."""

    def __init__(self, note):
        self.note = note

    def on_epoch_end(self, epoch, logs):
        logs["note"] = self.note


@pytest.mark.parametrize(("note", "number"), [
    (np.array(1.5), 1.5), (np.float32(1.5), 1.5), (Fraction(3, 2), 1.5), (True, 1.0),
    ("text", None), (None, None), ([1.0], None), (np.ones(2), None), (1j, None), (10**400, None),
])  # fmt: skip
def test_what_logs_may_hold(note, number, tmp_path, capsys):
    """Numbers in the logs are recorded, logged and shown; what is none does not end the run."""
    callbacks = [Notes(note), CSVLogger(tmp_path / "log.csv")]
    history = network().fit(X, Y, epochs=2, verbose=True, callbacks=callbacks)
    assert ([number] * 2 if number else None) == history.get("note")
    assert (number is not None) == ("note" in (tmp_path / "log.csv").read_text())
    assert (number is not None) == ("note" in capsys.readouterr().out)


@pytest.mark.parametrize("name", ["a, b", 'a "quoted" one', "two\nlines", "time", "learning_rate"])
def test_names_in_a_log(name, tmp_path):
    """Any name of a metric is read as it was written, also after the run was resumed."""

    def mean(Y, A):
        return float(A.mean())

    mean.__name__, log, path = name, tmp_path / "log.csv", tmp_path / "run.npz"
    network().fit(X, Y, epochs=2, metrics=[mean], callbacks=[CSVLogger(log)], checkpoint=path)
    _, history = tn.resume(path, X, Y, metrics=[mean], callbacks=[CSVLogger(log)], epochs=4)
    rows = rows_of(log)
    assert ["1", "2", "3", "4"] == [row["epoch"] for row in rows]
    assert history[name] == [float(row[name]) for row in rows]


HEAD = "epoch,loss,accuracy,val_loss,val_accuracy"


@pytest.mark.parametrize(("before", "epochs"), [
    (None, "34"), ("", "34"), (f"{HEAD}\n", "34"),
    (f"{HEAD}\n1,0.5,1,1,1\n2,0.4,1,1,1\n3,9,9,9,9\n", "1234"),
    (f"{HEAD}\n1,0.5,1,1,1\n2,8,8,8,8\n\n2,0.4,1,1,1\n", "1234"),
    (f"{HEAD}\n2,0.4,1,1,1\n", "234"),
    (f"{HEAD},time\n2,0.4,1,1,1,0.1\n4,9,9,9,9,9\n5,9,9,9,9,9", "234"),
])  # fmt: skip
def test_a_log_that_is_resumed(before, epochs, tmp_path):
    """It is trimmed by the number of the epoch; an older one, without a time, goes on."""
    log, path = tmp_path / "log.csv", tmp_path / "run.npz"
    how = {"callbacks": [CSVLogger(log)], **VALIDATED}
    network().fit(X, Y, epochs=2, metrics=["accuracy"], checkpoint=path, **how)
    log.unlink()
    if before is not None:
        log.write_text(before, "utf-8")
    tn.resume(path, X, Y, epochs=4, **how)
    rows = rows_of(log)
    assert list(epochs) == [row["epoch"] for row in rows]
    assert not [row for row in rows if float(row["loss"]) > 5]


@pytest.mark.parametrize(("content", "words"), [
    ("epoch,loss\n1,0.5\n", ["epoch, loss in epoch 1, expected epoch, loss, accuracy, val_loss"]),
    (f"{HEAD},f1\n1,1,1,1,1,1\n", ["f1 in epoch 1, expected epoch, loss"]),
    (f"{HEAD}\n1,0.5\n", ["line 2 has 2 values, expected 5"]),
    (f"{HEAD}\none,1,1,1,1\n", ["is no log", "'one'"]),
    ("a,b\n1,2\n", ["its first line is 'a,b', expected epoch,loss"]),
    ("\udcff\udcfe", ["is no log"]),
])  # fmt: skip
def test_a_log_of_something_else(content, words, tmp_path):
    """A resumed run is refused where its log is another's; the remedies work."""
    log, path = tmp_path / "log.csv", tmp_path / "run.npz"
    how = {"callbacks": [CSVLogger(log)], **VALIDATED}
    network().fit(X, Y, epochs=2, metrics=["accuracy"], checkpoint=path, **how)
    log.write_bytes(content.encode("utf-8", "surrogateescape"))
    files = log.read_bytes(), path.read_bytes()
    with raises(ValueError, str(log), *words, "Move the file away, or pass CSVLogger another path"):
        tn.resume(path, X, Y, epochs=4, **how)
    assert files == (log.read_bytes(), path.read_bytes())
    other = CSVLogger(tmp_path / "other.csv")
    tn.resume(path, X, Y, epochs=3, **(how | {"callbacks": [other]}))
    os.replace(log, tmp_path / "away.csv")
    tn.resume(path, X, Y, epochs=4, **how)
    assert ["4"] == [row["epoch"] for row in rows_of(log)]


@pytest.mark.parametrize("at", ["replace", "fsync"])
def test_a_log_is_whole_whenever_the_process_is_killed(at, tmp_path, monkeypatch):
    """A kill while the log is written leaves the lines before, and the next resume adds to them."""
    log, path = tmp_path / "log.csv", tmp_path / "run.npz"
    how = {"callbacks": [CSVLogger(log)]}
    network().fit(X, Y, epochs=2, checkpoint=path, **how)
    before = log.read_bytes()

    def kill(*_):
        raise KeyboardInterrupt

    logged = CSVLogger.on_epoch_logged
    with monkeypatch.context() as patch:

        def killed(self, epoch, logs):
            patch.setattr(os, at, kill)
            self.run.interrupt()
            logged(self, epoch, logs)

        patch.setattr(CSVLogger, "on_epoch_logged", killed)
        with pytest.raises(KeyboardInterrupt):
            tn.resume(path, X, Y, epochs=4, **how)
    assert before == log.read_bytes()
    tn.resume(path, X, Y, epochs=4, **how)
    assert ["1", "2", "3", "4"] == [row["epoch"] for row in rows_of(log)]


@pytest.mark.parametrize(("name", "expected"), [
    ("w-{epoch:02d}-{val_loss:.2f}.npz", ["w-01-3.00.npz", "w-02-1.00.npz"]),
    ("{epoch}.npz", ["1.npz", "2.npz"]), ("{{epoch}}.npz", ["{epoch}.npz"]),
    ("{gap}-{learning_rate}", ["0.5-0.01", "1.5-0.01"]),
    ("{val_binary_accuracy(threshold=0.2):.0f}x", None), ("plain.npz", ["plain.npz"]),
])  # fmt: skip
def test_file_names_with_numbers(name, expected, tmp_path):
    """The name of a file may have the epoch and all that was measured, by any name."""
    best = ModelCheckpoint(tmp_path / name)
    callbacks = [Scripted([3, 1, 2], "val_loss"), best, LearningRateLogger(), Gap()]
    metrics = [tn.metrics.BinaryAccuracy(0.2)]
    network().fit(X, Y, epochs=3, metrics=metrics, callbacks=callbacks, **VALIDATED)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == expected or (expected is None and set(names) <= {"0x", "1x"})


def test_early_stopping_where_there_is_no_best():
    """The reason does not name a best epoch where every value was NaN."""
    callbacks = [Scripted([math.nan] * 3, "accuracy"), EarlyStopping("accuracy", patience=1)]
    history = network().fit(X, Y, epochs=3, metrics=["accuracy"], callbacks=callbacks)
    assert "accuracy was always NaN" == history.stopped


def test_what_is_remembered_from_fit_to_fit(tmp_path):
    """ModelCheckpoint remembers its best; EarlyStopping begins anew; both show it as measured."""
    model, best = network(), ModelCheckpoint(tmp_path / "w.npz", "accuracy")
    stops = EarlyStopping("accuracy", patience=1)
    for values, epochs in (([0.5, 0.9, 0.7], 3), ([0.6, 0.8, 0.7], 3)):
        callbacks = [Scripted(values, "accuracy"), best, stops]
        history = model.fit(X, Y, epochs=5, metrics=["accuracy"], callbacks=callbacks)
        assert epochs == history.epochs
        assert (max(values), 1) == (stops.best, stops.best_epoch)
    assert best.best == 0.9
    assert tn.load(tmp_path / "w.npz").params[0] == 1


# The learning rate, and the rescue


@pytest.mark.parametrize(("settings", "values", "rates"), [
    ({"patience": 1}, [3, 2, 2, 1, 1], [1, 1, 0.5, 0.5, 0.25]),
    ({"patience": 0}, [3, 2, 2, 1, 1], [1, 1, 0.5, 0.5, 0.25]),
    ({"patience": 2}, [3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25]),
    ({"patience": 2}, [3, 3, 2, 2, 2], [1, 1, 1, 1, 0.5]),
    ({"patience": 1, "cooldown": 1}, [3, 3, 3, 3, 3], [1, 0.5, 0.5, 0.25, 0.25]),
    ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [1, 0.5, 0.5, 0.5, 0.25]),
    ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2.4, 2, 1], [1, 0.5, 0.5, 0.25, 0.25]),
    ({"patience": 1, "min_lr": 0.4}, [3, 3, 3, 3, 3], [1, 0.5, 0.4, 0.4, 0.4]),
    ({"patience": 1, "min_lr": 2}, [3, 3, 3, 3, 3], [1, 1, 1, 1, 1]),
    ({"patience": 1, "mode": "max"}, [3, 4, 5, 5, 6], [1, 1, 1, 0.5, 0.5]),
    ({"patience": 1}, [np.nan, 3, np.nan, 2, 2], [0.5, 0.5, 0.25, 0.25, 0.125]),
])  # fmt: skip
def test_reduce_lr_on_plateau(settings, values, rates):
    """The rate falls after `patience` epochs in a row that are not better, and then cools down."""
    seen, optimizer = [], SGD(1.0)

    class Sees(Callback):
        def on_epoch_logged(self, epoch, logs):
            seen.append(optimizer.rate())

    slower = ReduceLROnPlateau("loss", 0.5, **settings)
    network().fit(X, Y, optimizer, epochs=5, callbacks=[Scripted(values), slower, Sees()])
    assert rates == seen


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, Nadam, RMSprop, Adagrad])
def test_a_rate_that_is_set(make):
    """A step takes it; memory, copies and the next fit have it, and fresh and evolve have not."""
    optimizer, lower = make(0.5), make(0.25)
    model, other = network(), network()
    optimizer.set_rate(0.25)
    for each, rule in ((model, optimizer), (other, lower)):
        each.fit(X, Y, rule, epochs=2)
    np.testing.assert_array_equal(other.params, model.params)
    assert (0.25, 0.25) == (optimizer.rate(), optimizer.evolve().rate())
    assert (0.5, 0.125) == (optimizer.fresh().rate(), optimizer.evolve(learning_rate=0.125).rate())
    optimizer.reset()
    assert optimizer.rate() == 0.5


def diverging():
    """Return callbacks with which the third epoch has a number that is not finite."""

    class Spoils(Callback):
        def on_batch_begin(self, batch, logs):
            if self.run.epoch == 2:
                self.model.params[-1] = np.nan

    return Spoils()


@pytest.mark.parametrize(("stops", "best"), [
    (EarlyStopping("loss"), 1), (EarlyStopping("loss", restore_best=False), None),
    (EarlyStopping("loss", mode="max"), 0),
])  # fmt: skip
def test_what_is_left_after_a_number_that_is_not_finite(stops, best):
    """The history is reachable, and the model has the best parameters, as a note says."""
    model, ends, logger = network(), [], LearningRateLogger()

    class Ends(Callback):
        def on_train_end(self, logs):
            ends.append((self.run.stopped, sorted(logs)))

    callbacks = [Scripted([2, 1, 3]), stops, logger, diverging(), Ends()]
    with pytest.raises(NonFiniteError) as caught:
        model.fit(X, Y, epochs=9, callbacks=callbacks)
    history, notes = caught.value.history, getattr(caught.value, "__notes__", [])
    assert {"loss": [2, 1], "learning_rate": [0.01, 0.01]} == history
    assert [(history.stopped, ["learning_rate", "loss"])] == ends
    if best is None:
        assert [] == notes
    else:
        assert best == model.params[0] == stops.best_epoch
        restored = "EarlyStopping has restored the best parameters, those of epoch"
        assert [f"{restored} {best + 1}."] == notes
        assert np.isfinite(model.params).all()


@pytest.mark.parametrize(("began", "then", "keeps"), [
    (Adam(0.01), Adam(0.001, beta1=0.5), True), (Adam(0.01), "adam", True),
    (Adam(0.01), SGD(0.1, momentum=0.9), False),
    (SGD(0.1, momentum=0.9), SGD(0.01, momentum=0.9), True),
])  # fmt: skip
def test_resume_with_another_optimizer(began, then, keeps, tmp_path, capsys):
    """It has other settings, and the memory of the run if it is of the same kind."""
    path, model = tmp_path / "run.npz", network()
    slower = ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=9)
    model.fit(X, Y, began.fresh(), epochs=3, checkpoint=path, callbacks=[slower])
    how = {"epochs": 5, "callbacks": [ReduceLROnPlateau("loss", patience=9)], "verbose": True}
    resumed, _ = tn.resume(path, X, Y, optimizer=then, **how)
    assert capsys.readouterr().out.startswith("epoch 4/5 ")
    other = tn.load(path)
    np.testing.assert_array_equal(resumed.params, other.params)
    resumed, _ = tn.resume(path, X, Y, **(how | {"epochs": 6, "verbose": False}))
    assert capsys.readouterr().out == ""
    if not isinstance(then, str):
        assert then.rate() == then.learning_rate
        assert then.memory["t"] == (10 if keeps else 4)


# Frozen layers

OPTIMIZERS = [
    SGD(0.5, momentum=0.9), SGD(0.5, clip_norm=0.1), AdamW(0.1, weight_decay=0.5), RMSprop(0.1),
    Nadam(0.1, clip_value=0.01), Adagrad(0.5), Adam(0.1),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize(("layers", "names"), [
    ([1], {"W1", "b1", "gamma2", "beta2"}), ([1, 2], {"W1", "b1", "gamma2", "beta2"}),
    ([(3,)], {"W3", "b3"}), ((3, 1), {"W1", "b1", "W3", "b3"}), ([], set()),
])  # fmt: skip
def test_frozen_layers_do_not_move(optimizer, layers, names):
    """Not by momentum, decay, penalty or clipping, in this fit; in the next they do."""
    model = network(Dense(5, "tanh", l2=0.1), tn.BatchNorm(), Dense(4, "tanh"), Dense(1, "sigmoid"))
    optimizer = optimizer.fresh()
    model.fit(X, Y, optimizer, epochs=1)  # so that it has momentum
    before, state = model.get_parameters(), model.state.copy()
    model.fit(X, Y, optimizer, epochs=3, callbacks=[Freeze(layers)])
    moved = {
        name for name, array in model.get_parameters().items() if (array != before[name]).any()
    }
    frozen = names if 2 in layers or not names & {"gamma2"} else names - {"gamma2", "beta2"}
    assert before.keys() - frozen == moved
    assert (2 in layers) == np.array_equal(state, model.state)
    model.fit(X, Y, optimizer, epochs=1)
    after = model.get_parameters()
    assert all((array != before[name]).any() for name, array in after.items())


def test_a_frozen_layer_is_a_fixed_function():
    """What is below the trained layers might as well have been computed once, by predict."""
    below = (Dense(5, "tanh"), tn.BatchNorm(), tn.Dropout(0.5))
    model = network(*below, Dense(1, "sigmoid"))
    model.fit(X, Y, epochs=2)
    head = network(Dense(1, "sigmoid"), inputs=5)
    head.W[1], head.b[1] = model.W[4], model.b[4]
    features = tn.Sequential(below, inputs=2, dtype="float64", seed=1)
    features.params[:], features.state[:] = model.params[: features.n_params], model.state
    how = {"optimizer": "adam", "batch_size": None, "epochs": 5, "shuffle": False}
    history = model.fit(X, Y, callbacks=[Freeze([1, 2, 3])], **how)
    assert history["loss"] == pytest.approx(head.fit(features.predict(X), Y, **how)["loss"])
    np.testing.assert_allclose(head.W[1], model.W[4], rtol=1e-9)


def test_frozen_gradients_do_not_count_for_clipping():
    """The norm is that of the gradients of the layers that move."""
    models = [network(), network()]
    models[1].fit(X, Y, SGD(1.0), epochs=1, callbacks=[Freeze([1, 2])], batch_size=None)
    models[0].forward(X)
    models[0].back(Y)
    norm = np.linalg.norm([*models[0].dW[3].ravel(), *models[0].db[3].ravel()])
    clipped = network()
    how = {"epochs": 1, "callbacks": [Freeze([1, 2])], "batch_size": None}
    clipped.fit(X, Y, SGD(1.0, clip_norm=1.001 * norm), **how)
    np.testing.assert_array_equal(models[1].params, clipped.params)


# What is let go


@pytest.mark.parametrize("batch_size", [None, 32])
@pytest.mark.parametrize("ending", ["normal", "refused", "not finite", "an error", "stopped"])
def test_callbacks_keep_no_data_alive(batch_size, ending, tmp_path):
    """After fit callbacks hold neither model nor X; what users read stays."""
    x, model = np.array(X), network()
    held = weakref.ref(x)

    class Ends(Callback):
        def on_train_begin(self, logs):
            if ending == "refused":
                raise RuntimeError

        def on_batch_end(self, batch, logs):
            if self.run.epoch and ending == "not finite":
                self.model.params[0] = np.inf
            if self.run.epoch and ending == "an error":
                raise RuntimeError
            if self.run.epoch and ending == "stopped":
                self.run.stop("enough")

    stops, ends = EarlyStopping("loss"), Ends()
    callbacks = [stops, ends, ModelCheckpoint(tmp_path / "w.npz", "loss"), Freeze([1]),
                 CSVLogger(tmp_path / "log.csv"), LearningRateLogger()]  # fmt: skip
    how = {"epochs": 3, "batch_size": batch_size, "callbacks": callbacks, "metrics": ["accuracy"]}
    try:
        model.fit(x, Y, **how)
    except (RuntimeError, NonFiniteError):
        assert ending not in ("normal", "stopped")
    del model, x
    gc.collect()
    assert held() is None
    if ending != "refused":
        assert stops.best == ends.run.history["loss"][stops.best_epoch]


def test_a_rule_of_ones_own_takes_the_set_rate():
    """A rule that asks for the rate of its step gets the one that was set."""

    @attrs.frozen
    class Plain(tn.Optimizer, name="plain_rule"):
        learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.5)

        def apply(self, params, grads):
            params -= self.rate() * grads

    optimizer, params = Plain(), np.zeros(2)
    optimizer.set_rate(0.25)
    optimizer.update(params, np.ones(2))
    assert [-0.25, -0.25] == params.tolist()


def test_a_folder_for_each_epoch(tmp_path):
    """A ModelCheckpoint makes the folders whose names depend on the epoch, and no others."""
    path = tmp_path / "epoch{epoch}" / "w.npz"
    model = network()
    model.fit(X, Y, epochs=2, callbacks=[ModelCheckpoint(path, best_only=False)])
    assert sorted(os.listdir(tmp_path)) == ["epoch1", "epoch2"]
    with pytest.raises(FileNotFoundError):
        model.fit(X, Y, callbacks=[ModelCheckpoint(tmp_path / "no" / "{epoch}" / "w.npz", "loss")])
    assert not (tmp_path / "no").exists()


def test_a_refused_run_leaves_callbacks_as_they_were():
    """What a callback holds of an earlier run stays, where another one refuses the next run."""
    model = network()
    early = EarlyStopping("loss")
    model.fit(X, Y, epochs=3, callbacks=[early])
    before = early.best, early.best_epoch, early.run
    with pytest.raises(UnknownNameError):
        model.fit(X, Y, callbacks=[early, EarlyStopping("val_loss")])

    class Refuses(Callback):
        def on_train_begin(self, logs):
            raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        model.fit(X, Y, callbacks=[early, Refuses()])
    assert before == (early.best, early.best_epoch, early.run)
