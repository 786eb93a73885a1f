"""What happens beside the steps of a training: callbacks, interruption, progress, the history."""

import csv
import json
import os
import re
import signal
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from functools import partial, partialmethod, wraps
from unittest import mock

import numpy as np
import pytest
from helpers import unchanged
from messages import raises

import tinynet as tn
from tinynet import SGD, Callback, CSVLogger, Dense, EarlyStopping, History, ModelCheckpoint
from tinynet.errors import NonFiniteError, ShapeError, UnknownNameError
from tinynet.schedules import Step
from tinynet.training import progress
from tinynet.training.history import plot

X, Y = tn.datasets.make_moons(60, seed=1)
X_VAL, Y_VAL = tn.datasets.make_moons(40, seed=2)
VALIDATED = {"validation_data": (X_VAL, Y_VAL)}
HOOKS = [f"{when}_{edge}" for when in ("train", "epoch", "batch") for edge in ("begin", "end")]
LAYERS = [Dense(6, "tanh"), Dense(1, "sigmoid")]


def network(seed=1, layers=LAYERS):
    """Return a model for the moons."""
    return tn.Sequential(layers, "binary_crossentropy", inputs=2, dtype="float64", seed=seed)


def callback(**hooks):
    """Return a callback whose methods are these functions."""
    return type("Custom", (Callback,), {f"on_{name}": hook for name, hook in hooks.items()})()


def noting(calls):
    """Return a callback that notes each hook, the number of epoch or batch, and the logs' names."""

    def note(self, *arguments, hook):
        *number, logs = arguments
        assert logs.get("loss", 1) > 0
        calls.append((hook, *(number or [self.run.epoch]), sorted(logs)))

    return callback(**{hook: partialmethod(note, hook=hook) for hook in HOOKS})


def test_hooks_in_their_order():
    """Each hook is called when its name says, counted from 0, with what is known by then."""
    calls = []
    network().fit(X, Y, epochs=2, batch_size=30, metrics=["accuracy"], callbacks=[noting(calls)])
    expected = [("train_begin", 0, [])]
    for epoch in range(2):
        expected += [("epoch_begin", epoch, [])]
        for batch in range(2):
            expected += [("batch_begin", batch, []), ("batch_end", batch, ["loss"])]
        expected += [("epoch_end", epoch, ["accuracy", "loss"])]
    assert [*expected, ("train_end", 2, ["accuracy", "loss"])] == calls


def helping(self, epoch):
    """Do what no hook does."""


@pytest.mark.parametrize(("hooks", "words"), [
    ({"train_batch_end": helping}, "Custom has the method on_train_batch_end … Use on_batch_end."),
    ({"train_batch_begin": helping}, "use on_batch_begin."),
    ({"epoch_ends": helping}, "expected one of on_epoch_end, … nearest name is on_epoch_end."),
    ({"test_end": helping}, "use on_epoch_end."),
    ({"improvement": helping}, None), ({"epoch": helping}, None),  # methods of its own
    ({"train_batch_end": helping, "batch_end": lambda self, batch, logs: None}, None),
    ({"epoch_end": wraps(helping)(lambda self, *_: None)}, None),
    ({"epoch_end": helping},
     "takes (epoch), expected (epoch, logs). Use def on_epoch_end(self, epoch, logs)."),
    ({"train_begin": lambda self: None}, "use def on_train_begin(self, logs)."),
    ({"batch_end": lambda self, batch, *, logs: None}, "(self, batch, logs)."),
    ({"epoch_logged": lambda self, a, b, c: None}, "takes (a, b, c), expected (epoch, logs)."),
    ({"batch_begin": staticmethod(helping)}, None), ({"epoch_begin": classmethod(helping)}, "use"),
    ({"batch_end": slice}, None), ({"epoch_end": lambda *_: None}, None),
    ({"train_end": lambda self, logs=None, more=1: None, "scale": 3.0}, None),
    ({"device": property(lambda self: self.model.device)}, None),
])  # fmt: skip
def test_hooks_that_could_not_be_called(hooks, words):
    """They are refused before the first step, and each time; what is no hook of ours is not."""
    model = network()
    for _ in range(2):
        if words is None:
            model.fit(X, Y, callbacks=[callback(**hooks)])
            continue
        with unchanged(model), raises(TypeError, words):
            model.fit(X, Y, callbacks=[callback(**hooks)])


def scripted(values, name="val_loss"):
    """Return a callback that puts these numbers in the place of what was measured."""

    def replace(self, epoch, logs):
        logs[name] = self.run.history[name][-1] = values[epoch]
        self.model.params[0] = epoch

    return callback(epoch_end=replace)


@pytest.mark.parametrize(("settings", "values", "epochs", "best"), [
    ({"patience": 2}, [3, 2, 2.5, 2.1, 1], 4, 1), ({"patience": 3}, [3, 2, 2.5, 2.1, 1], 5, 4),
    ({"patience": 1}, [3, 2, 1, 0.5, 0.4], 5, 4), ({"patience": 0}, [3, 2, 2, 1, 0], 3, 1),
    ({"patience": 2, "min_delta": 0.5}, [3, 2.8, 2.6, 2.4, 1], 3, 0),
    ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 9], 4, 2),
    ({"patience": 1, "restore_best": False}, [1, 2, 0, 0, 0], 2, 1),
    ({"patience": 2}, [np.nan, np.nan, 1, np.nan, np.nan], 5, 2),
])  # fmt: skip
def test_early_stopping(settings, values, epochs, best):
    """It stops after `patience` epochs without a better one, and restores the best parameters."""
    model, callbacks = network(), [scripted(values), EarlyStopping(**settings)]
    history = model.fit(X, Y, epochs=5, **VALIDATED, callbacks=callbacks)
    assert epochs == history.epochs
    assert best == model.params[0]


def own(Y, A):
    """Return a number that might be anything."""
    return float(A.mean())


WITH_SETTINGS = partial(tn.metrics.binary_accuracy, threshold=0.25)


@pytest.mark.parametrize(("metric", "monitor", "larger"), [
    ("r2", "val_loss", False), ("r2", "loss", False), ("accuracy", "val_accuracy", True),
    ("f1", "f1", True), ("mean_absolute_error", "mean_absolute_error", False),
    (tn.metrics.BinaryAccuracy(0.2), "binary_accuracy(threshold=0.2)", True),
    (WITH_SETTINGS, "val_binary_accuracy(threshold=0.25)", True),
    ("distance", "val_distance", False), ("likeness", "likeness", True),
])  # fmt: skip
def test_which_values_are_better(metric, monitor, larger):
    """A smaller loss is better; a metric says it itself, with any settings, a custom one too."""

    class Distance(tn.Metric):
        larger_is_better = False

        def measure(self, Y, A):
            return np.abs(A - Y).max()

    class Likeness(Distance):
        larger_is_better = True

    values = [1, 2, 3, 4, 5] if larger else [5, 4, 3, 2, 1]
    callbacks = [scripted(values, monitor), EarlyStopping(monitor, patience=1)]
    how = {"metrics": [metric], "callbacks": callbacks, **VALIDATED}
    assert network().fit(X, Y, epochs=5, **how).epochs == 5


@pytest.mark.parametrize("kind", [EarlyStopping, partial(ModelCheckpoint, "m.npz")])
@pytest.mark.parametrize(("monitor", "error", "message"), [
    ("own", ValueError, r"a larger 'own' is better is not known.*mode=\"max\" or"),
    ("val_f2", UnknownNameError, r"'val_f2'.*measured.*loss, own\W.*validation_data or"),
    ("f2", UnknownNameError, r"'f2'.*measured.*loss, own\W$"),
])  # fmt: skip
def test_what_cannot_be_monitored(kind, monitor, error, message):
    """An unknown direction or name is refused before the first step, with what to write."""
    model = network()
    with unchanged(model), pytest.raises(error, match=message):
        model.fit(X, Y, metrics=[own], callbacks=[kind(monitor=monitor)])
    model.fit(X, Y, metrics=[own], callbacks=[EarlyStopping("own", mode="max")])


@pytest.mark.parametrize(("kind", "settings", "error", "message"), [
    (EarlyStopping, {"patience": -1}, ValueError, "patience is -1, expected a whole number"),
    (EarlyStopping, {"patience": 1.5}, TypeError, "patience is 1.5, expected a whole number"),
    (EarlyStopping, {"min_delta": -1}, ValueError, "min_delta is -1.0, expected"),
    (EarlyStopping, {"mode": "up"}, ValueError, "mode is 'up', expected 'auto' or 'min' or"),
    (ModelCheckpoint, {"path": "m", "every": 0}, ValueError, "every is 0, expected"),
    (ModelCheckpoint, {"path": "m", "mode": "up"}, ValueError, "mode is 'up', expected"),
])  # fmt: skip
def test_settings_that_are_refused(kind, settings, error, message):
    """A setting out of its range is refused when the callback is made."""
    with pytest.raises(error, match=message):
        kind(**settings)


def test_model_checkpoint(tmp_path):
    """It saves the best model only, or every so many epochs one."""
    best = ModelCheckpoint(tmp_path / "best.npz")
    every = ModelCheckpoint(f"{tmp_path}/{{epoch}}.npz", best_only=False, every=2)
    callbacks = [scripted([3, 1, 2, 1, 1]), best, every]
    network().fit(X, Y, epochs=5, **VALIDATED, callbacks=callbacks)
    saved = {path.name: tn.load(path).params[0] for path in tmp_path.iterdir()}
    assert saved == {"best.npz": 1, "2.npz": 1, "4.npz": 3}


def test_csv_logger(tmp_path):
    """The file has a line of names, with commas or not, and a line an epoch with every digit."""
    path, scaled = tmp_path / "log.csv", partial(tn.metrics.accuracy)
    scaled.__name__ = "accuracy(k=1, of=2)"
    logger = CSVLogger(path)
    history = network().fit(X, Y, epochs=3, metrics=["f1", scaled], callbacks=[logger])
    assert path.read_text("utf-8").startswith(
        'epoch,loss,f1,"accuracy(k=1, of=2)",learning_rate,time\n1,'
    )
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name in ("loss", "f1", scaled.__name__):
        assert history[name] == [float(row[name]) for row in rows]


@pytest.mark.parametrize(("by", "expected"), [("epoch", [0.8, 0.4]), ("step", [0.4, 0.1])])
def test_learning_rate_logger(by, expected):
    """It records the rate of the last step of each epoch."""
    how = {"epochs": 2, "batch_size": 30, "callbacks": [tn.LearningRateLogger()]}
    optimizer = SGD(Step(0.8, drop=0.5, every=1, by=by))
    assert expected == network().fit(X, Y, optimizer, **how)["learning_rate"]


@pytest.mark.parametrize("thing", [print, EarlyStopping, object(), "early_stopping"])
def test_what_is_no_callback(thing):
    """Anything else in the list is refused before the first step."""
    with pytest.raises(TypeError, match=r"callback.*tinynet\.Callback"):
        network().fit(X, Y, callbacks=[thing])


def test_stopping_from_a_callback():
    """A run can be stopped after a step, or after an epoch."""
    calls, stops = [], callback(batch_end=lambda self, *_: self.run.epoch and self.run.stop("why"))
    history = network().fit(X, Y, epochs=5, batch_size=20, callbacks=[stops, noting(calls)])
    assert (history.epochs, history.stopped) == (1, "why")
    assert calls[-2:] == [("batch_end", 0, ["loss"]), ("train_end", 1, ["loss"])]


@pytest.mark.parametrize("why", ["", None, 3, True, "interrupted"])
def test_why_a_run_is_stopped(why):
    """It is a text, for the history and the file of the run, and never that of Ctrl-C."""
    with pytest.raises(ValueError, match=r"run\.stop\("):
        network().fit(X, Y, callbacks=[callback(epoch_end=lambda self, *_: self.run.stop(why))])


def test_warnings_of_callbacks():
    """What NumPy warns of in a callback is the callback's own."""
    divides = callback(epoch_end=lambda *_: np.ones(1) / np.zeros(1))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        network().fit(X, Y, callbacks=[divides])


def test_a_loss_of_numpy():
    """A cost is a Python number, whatever a loss returns: JSON and a run's file take it."""

    class Halves(tn.losses.MeanSquaredError, name="halves"):
        def value(self, A, Y):
            return np.float32(super().value(A, Y))

    model = tn.Sequential([Dense(1)], Halves(), inputs=2, seed=1)
    history = model.fit(X, Y, epochs=2)
    assert type(model.cost(Y[:, : model.A[1].shape[1]])) is float
    assert json.loads(json.dumps(history)) == history


def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("how", ["signal", "exception"])
def test_interrupted(how, capsys):
    """Ctrl-C ends the training after the step, with a message; history and parameters stay."""
    params = []

    def on_batch_end(self, batch, logs):
        if (self.run.epoch, batch) == (2, 1):
            params.append(self.model.params.copy())
            if how == "exception":
                raise KeyboardInterrupt
            interrupt()

    model = network()
    interrupts = callback(batch_end=on_batch_end)
    history = model.fit(X, Y, epochs=9, batch_size=20, callbacks=[interrupts])
    assert history.epochs == 2
    np.testing.assert_array_equal(params[0], model.params)
    assert "interrupted in epoch 3, after step 2" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_twice():
    """A second Ctrl-C ends it at once, as Python does."""
    with pytest.raises(KeyboardInterrupt):
        network().fit(X, Y, callbacks=[callback(batch_end=lambda *_: (interrupt(), interrupt()))])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class TooLongError(Exception):
    """What the handler of a time limit raises."""


def too_long(*_):
    raise TooLongError


@pytest.mark.usefixtures("ctrl_c")
def test_time_limit_amid_an_update(monkeypatch):
    """The handler of another signal may raise an error half through an update, which is undone."""
    model, optimizer, apply = network(), tn.Adam(0.1), tn.Adam.apply
    taken = []

    def apply_and_ring(self, params, grads):
        taken.append((params.copy(), {name: slot.copy() for name, slot in self.memory.items()}))
        apply(self, params, grads)
        if len(taken) == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tn.Adam, "apply", apply_and_ring)
    before = signal.signal(signal.SIGTERM, too_long)
    try:
        with pytest.raises(TooLongError):
            model.fit(X, Y, optimizer, batch_size=20)
    finally:
        signal.signal(signal.SIGTERM, before)
    params, memory = taken[-1]
    np.testing.assert_array_equal(model.params, params)
    for name, slot in memory.items():
        np.testing.assert_array_equal(optimizer.memory[name], slot)


@pytest.mark.usefixtures("ctrl_c")
def test_time_limit_amid_the_copying(monkeypatch):
    """Memory that was not copied to the end has not changed, and is not restored."""
    model, optimizer, copyto, memories = network(), SGD(0.1, momentum=0.9), np.copyto, []

    def copy_and_ring(to, array, **how):
        if memories[2:] and array is optimizer.memory["velocity"]:
            raise TooLongError
        copyto(to, array, **how)

    def on_batch_end(self, batch, logs):
        memories.append(optimizer.memory["velocity"].copy())

    monkeypatch.setattr(np, "copyto", copy_and_ring)
    before = signal.signal(signal.SIGTERM, too_long)
    try:
        with pytest.raises(TooLongError):
            model.fit(X, Y, optimizer, batch_size=10, callbacks=[callback(batch_end=on_batch_end)])
    finally:
        signal.signal(signal.SIGTERM, before)
    np.testing.assert_array_equal(optimizer.memory["velocity"], memories[-1])


def test_interruption_is_handled_by_who_handles_it_already():
    """A handler of the user's stays in its place, and threads leave signals alone."""
    seen, before = [], signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
    try:
        network().fit(X, Y, batch_size=None, callbacks=[callback(batch_end=interrupt)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["mine"]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(network().fit, X, Y, epochs=2).result().epochs == 2


def test_verbose_without_a_terminal(capsys):
    """Where nobody sees a bar, there is a line an epoch, and why it stopped."""
    stopping = EarlyStopping("loss", patience=1, mode="max")
    how = {"verbose": True, "metrics": ["accuracy"], "callbacks": [stopping]}
    network().fit(X, Y, epochs=12, **VALIDATED, **how)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch  1/12  loss 0.")
    assert all(name in lines[0] for name in ("  accuracy 0.", "  val_loss 0.", "  val_accuracy 0."))
    assert lines[2:] == ["stopped: loss was best in epoch 1"]


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    """With tqdm and a terminal a bar goes through the steps of each epoch, and is closed."""
    tqdm, called = mock.Mock(), mock.call()
    bar = tqdm.return_value
    bar.update.side_effect = [True, False, False] * 2  # it is drawn a few times a second
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=tqdm))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    network().fit(X, Y, epochs=2, batch_size=20, verbose=True)
    expected = [mock.call(total=3, initial=0, leave=False, unit=" batches")]
    losses = iter([call.args[0] for call in bar.set_postfix_str.mock_calls])
    for epoch in (1, 2):
        expected += [called.reset(), called.set_description(f"epoch {epoch}/2"), called.update()]
        expected += [called.set_postfix_str(next(losses)), called.update(), called.update()]
        expected += [called.clear()]
    assert tqdm.mock_calls == [*expected, called.close()]
    assert all(re.fullmatch(r"loss \d\.\d{4}", call.args[0])
               for call in bar.set_postfix_str.mock_calls)  # fmt: skip
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if it were not installed
    network().fit(X, Y, epochs=1, verbose=True)
    assert tqdm.call_count == 1
    assert capsys.readouterr().out.count("epoch ") == 3


def test_a_bar_of_a_resumed_run(monkeypatch, tmp_path):
    """It begins at the step at which the run was interrupted, and its next epoch at 0."""
    tqdm, path = mock.Mock(), tmp_path / "run.npz"
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=tqdm))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    def stop(self, batch, logs):
        if batch == 1:
            self.run.interrupt()

    network().fit(X, Y, epochs=2, batch_size=20, checkpoint=path,
                  callbacks=[callback(batch_end=stop)])  # fmt: skip
    tn.resume(path, X, Y, callbacks=[callback()], verbose=True)
    tqdm.assert_called_once_with(total=3, initial=2, leave=False, unit=" batches")
    assert tqdm.return_value.reset.call_count == 1


@pytest.mark.parametrize(("value", "shown"), [
    (0.0, "0.0000"), (0.65432, "0.6543"), (-12.5, "-12.5000"), (0.00123456, "0.001235"),
    (3e-7, "3e-07"), (123456.0, "1.235e+05"), (float("nan"), "nan"), (float("-inf"), "-inf"),
])  # fmt: skip
def test_numbers_on_the_screen(value, shown):
    """Small and large numbers are readable too."""
    assert shown == progress._number(value)


def test_the_rate_and_the_seconds(capsys):
    """The line of an epoch has the rate of its last step, and how long it took."""
    rate = tn.schedules.Step(0.1, drop=0.001, every=1, by="epoch")
    network().fit(X, Y, SGD(rate), epochs=2, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert ["0.1000", "0.0001"] == [
        re.search(r"  learning_rate (\S+)  ", line)[1] for line in lines
    ]
    assert all(re.search(r"  \d+\.\d\d s$", line) for line in lines)


def test_nothing_beside_the_steps_changes_them(tmp_path):
    """Parameters depend on no callback, metric, validation, checkpoint or look for anomalies."""
    plain, watched, log = network(), network(), CSVLogger(tmp_path / "log.csv")
    plain.fit(X, Y, epochs=4, batch_size=16)
    watched.fit(
        X, Y, epochs=4, batch_size=16, metrics=["accuracy", "f1", "r2"], verbose=True, **VALIDATED,
        callbacks=[EarlyStopping(patience=50, restore_best=False), noting([]), log],
        checkpoint=tmp_path / "run.npz", checkpoint_every=1, detect_anomaly=True,
    )  # fmt: skip
    np.testing.assert_array_equal(plain.params, watched.params)


@pytest.mark.parametrize("name", ["W1", "W2", "b3"])
def test_anomalies_are_named_where_they_begin(name):
    """With detect_anomaly the first non-finite number is named, though the cost is finite."""

    def spoil(self, batch, logs):
        if (self.run.epoch, batch) == (1, 1):
            getattr(self.model, name[0])[int(name[1])][:] = np.inf

    layers = [Dense(6, "tanh"), Dense(4, "tanh"), Dense(3, "tanh"), Dense(1, "sigmoid")]
    how = {"epochs": 3, "batch_size": 20, "callbacks": [callback(batch_begin=spoil)]}
    message = rf"Epoch 2, step 2.*Z\[{name[1]}\] of layer {name[1]} \(Dense\)"
    rate_is_0 = pytest.warns(UserWarning, match="learning rate")
    with rate_is_0, pytest.raises(NonFiniteError, match=message):
        network(1, layers).fit(np.abs(X) + 1, Y, SGD(0), detect_anomaly=True, **how)


@pytest.mark.parametrize("refused", [
    {"class_weight": {0: 1.0}}, {"callbacks": [EarlyStopping]}, {"sample_weight": np.ones(3)},
    {"validation_data": (X_VAL[:1], Y_VAL)}, {"validation_data": (X_VAL, Y_VAL + 5)},
    {"validation_split": 2.0}, {"batch_size": 0}, {"checkpoint_every": 2},
    {"callbacks": [EarlyStopping("val_f1")]},
    {"callbacks": [CSVLogger(os.path.join("no such folder", "log.csv"))]},
    {"checkpoint": os.path.join("no such folder", "run.npz")},
], ids=lambda refused: next(iter(refused)))  # fmt: skip
def test_a_refused_fit_changes_nothing(refused):
    """It builds no model, and draws nothing: the next fit is that of a new model."""
    models = [tn.Sequential(LAYERS, "binary_crossentropy", seed=3) for _ in range(2)]
    split = {} if "validation_data" in refused else {"validation_split": 0.2}
    with pytest.raises((ValueError, TypeError, UnknownNameError, FileNotFoundError)):
        models[0].fit(X, Y, **split | refused)
    assert not models[0].is_built
    for model in models:
        model.fit(X, Y, validation_split=0.2)
    np.testing.assert_array_equal(models[0].params, models[1].params)


def test_a_step_that_reached_the_optimizer():
    """Where the step itself overflows, parameters are restored, the optimizer's memory is not."""
    model = tn.Sequential([Dense(1)], "mean_squared_error", inputs=2, seed=1)
    optimizer, message = SGD(1e38, momentum=0.9), r"the optimizer .*learning rate is .*too large"
    with unchanged(model), pytest.raises(NonFiniteError, match=message):
        model.fit(10 * X, Y, optimizer)
    assert not optimizer.memory


def test_a_batch_too_small_for_a_layer():
    """A last batch of one example is refused before the first step, not at the end of an epoch."""
    model = network(1, [Dense(4), tn.BatchNorm(), Dense(1, "sigmoid")])
    with pytest.raises(ShapeError, match=r"57 examples has 1, .* least 2 .* layer 2 \(BatchNorm\)"):
        model.fit(X[:, :57], Y[:, :57], batch_size=8)
    assert model.fit(X[:, :57], Y[:, :57], batch_size=9).epochs == 1


@pytest.mark.parametrize("data", [
    [X_VAL, Y_VAL], (X_VAL, Y_VAL, np.ones(40)), [(X_VAL, Y_VAL)], ([(X_VAL, Y_VAL)],)
], ids=["list", "weights", "batches", "batches in a tuple"])  # fmt: skip
def test_ways_to_give_validation_data(data):
    """X and Y, weights or not, in a tuple or list; an iterable of batches, alone or in a tuple."""
    history = network().fit(X, Y, epochs=2, validation_data=data)
    expected = network().fit(X, Y, epochs=2, **VALIDATED)
    assert expected["val_loss"] == pytest.approx(history["val_loss"])


def test_passes_of_a_callback_do_no_harm():
    """A callback may use the model, though no gradient passes a layer and it is asked why."""

    class Stops(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev.copy()

        def back(self, dZ, cache):
            return 0 * dZ

    model = network(1, [Dense(4, "tanh"), Stops(), Dense(1, "sigmoid")])
    looks = callback(batch_end=lambda self, *_: self.model.forward(X))
    with pytest.warns(UserWarning, match=r"layer 2 \(Stops\) lets no gradient through"):
        model.fit(X, Y, epochs=2, batch_size=8, callbacks=[looks])


def test_an_activation_of_single_precision():
    """No diagnostic asks an activation for what the model does not."""

    class Single(tn.Activation):
        def forward(self, Z):
            assert Z.dtype == np.float32
            assert len(Z) == 12
            return (1 + np.tanh(Z)) / 2

        def back(self, dA, Z, A):
            return 2 * dA * A * (1 - A)

    layers = [Dense(12, Single()), tn.Reshape((3, 4))]
    model = tn.Sequential(layers, "binary_crossentropy", inputs=2, seed=1)
    assert model.fit(X, np.ones((3, 4, 60)), epochs=2).epochs == 2


def test_history():
    """A history is a dictionary of lists, plain enough for JSON, and shows how each number went."""
    history = network().fit(X, Y, epochs=3, metrics=["accuracy"], **VALIDATED)
    assert history.epochs == 3
    assert history == History(json.loads(json.dumps(history)))
    assert {float} == {type(value) for values in history.values() for value in values}
    assert network().fit(X, Y, epochs=0, metrics=["accuracy"], **VALIDATED) == {}
    plain = history.to_dict()
    assert type(plain) is dict
    plain["loss"].append(0.0)
    assert len(history["loss"]) == 3
    head, *lines = repr(history).splitlines()
    assert head == "History of 3 epochs"
    assert [line.split()[0] for line in lines] == list(history)
    assert repr(History()) == "History of 0 epochs"
    for name, words in (("history", "loss"), ("val_accuracy", "val_accuracy")):
        with raises(AttributeError, f'no attribute {name!r}. Use history["{words}"].'):
            getattr(history, name)
    assert not hasattr(history, "epoch")
    with raises(
        KeyError, "no 'val_acc', expected one of val_accuracy, val_loss, accuracy, loss.\""
    ):
        history["val_acc"]
    with raises(KeyError, "'val_loss', expected one of loss. Give fit validation_data."):
        History(loss=[1.0])["val_loss"]
    with raises(KeyError, "history has no 'lr', expected one of none, as it is empty."):
        History()["lr"]
    history.stopped = "enough"
    copied = history.copy()
    assert (type(copied), copied, copied.stopped) == (History, history, "enough")


@pytest.mark.parametrize(("values", "expected"), [
    ([], ""), ([1.0], "_"), ([2, 2, 2], "___"), ([0, 7], "_#"), ([7, 0, 3.5], "#_+"),
    ([1, np.nan, np.inf, 2], "_??#"), ([np.nan], "?"), (list(range(1000)), None),
])  # fmt: skip
def test_plot(values, expected):
    """The higher the bar, the larger the number; a long history is thinned out between its ends."""
    line = plot(values)
    if expected is None:
        assert (len(line), line[0], line[-1]) == (40, "_", "#")
    else:
        assert expected == line
