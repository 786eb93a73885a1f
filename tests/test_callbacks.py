"""What happens beside the steps of a training: callbacks, interruption, progress, the history."""

import csv
import json
import os
import signal
import sys
import threading
import types

import numpy as np
import pytest

import tinynet as tn
from tinynet import (
    SGD,
    Callback,
    CSVLogger,
    Dense,
    EarlyStopping,
    History,
    LearningRateLogger,
    ModelCheckpoint,
    callbacks,
)
from tinynet.errors import NonFiniteError, UnknownNameError
from tinynet.schedules import Step
from tinynet.training.history import plot

X, Y = tn.datasets.make_moons(60, seed=1)
X_VAL, Y_VAL = tn.datasets.make_moons(40, seed=2)


def network(seed=1):
    """Return a model for the moons."""
    layers = [Dense(6, "tanh"), Dense(1, "sigmoid")]
    return tn.Sequential(layers, "binary_crossentropy", inputs=2, dtype="float64", seed=seed)


class Noted(Callback):
    """Notes every call, and what is to be seen in it."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs):
        self.calls.append(("train begin", self.run.epoch, sorted(logs)))

    def on_train_end(self, logs):
        self.calls.append(("train end", self.run.epoch, sorted(logs)))

    def on_epoch_begin(self, epoch, logs):
        self.calls.append(("epoch begin", epoch, sorted(logs)))

    def on_epoch_end(self, epoch, logs):
        self.calls.append(("epoch end", epoch, sorted(logs)))

    def on_batch_begin(self, batch, logs):
        self.calls.append(("batch begin", batch, sorted(logs)))

    def on_batch_end(self, batch, logs):
        assert logs["loss"] == self.model.cost(Y[:, :0]) if batch < 0 else logs["loss"] > 0
        self.calls.append(("batch end", batch, sorted(logs)))


def test_hooks_in_their_order():
    """Each hook is called when its name says, counted from 0, with what is known by then."""
    noted = Noted()
    network().fit(X, Y, epochs=2, batch_size=30, metrics=["accuracy"], callbacks=[noted])
    batches = [
        ("batch begin", 0, []), ("batch end", 0, ["loss"]), ("batch begin", 1, []), ("batch end", 1, ["loss"]),
    ]  # fmt: skip
    epochs = [
        [("epoch begin", epoch, []), *batches, ("epoch end", epoch, ["accuracy", "loss"])]
        for epoch in range(2)
    ]
    expected = [
        ("train begin", 0, []),
        *epochs[0],
        *epochs[1],
        ("train end", 2, ["accuracy", "loss"]),
    ]
    assert expected == noted.calls


def scripted(values, name="val_loss"):
    """Return a metric-like callback that puts these numbers in the place of what was measured."""

    class Scripted(Callback):
        def on_epoch_end(self, epoch, logs):
            logs[name] = self.run.history[name][-1] = values[epoch]
            self.model.params[0] = epoch

    return Scripted()


@pytest.mark.parametrize(
    ("settings", "values", "epochs", "best"),
    [
        ({"patience": 2}, [3, 2, 2.5, 2.1, 1], 4, 1),
        ({"patience": 3}, [3, 2, 2.5, 2.1, 1], 5, 4),
        ({"patience": 1}, [3, 2, 1, 0.5, 0.4], 5, 4),
        ({"patience": 0}, [3, 2, 2, 1, 0], 3, 1),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.8, 2.6, 2.4, 1], 3, 0),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 9], 4, 2),
        ({"patience": 1, "restore_best": False}, [1, 2, 0, 0, 0], 2, 1),
        ({"patience": 2}, [np.nan, np.nan, 1, np.nan, np.nan], 5, 2),
    ],
)
def test_early_stopping(settings, values, epochs, best):
    """It stops after as many epochs without a better one as its patience, and takes the best parameters back."""
    model = network()
    history = model.fit(
        X,
        Y,
        epochs=5,
        validation_data=(X_VAL, Y_VAL),
        callbacks=[scripted(values), EarlyStopping(**settings)],
    )
    assert epochs == history.epochs
    assert best == model.params[0]


@pytest.mark.parametrize(
    ("monitor", "larger"),
    [
        ("val_loss", False),
        ("loss", False),
        ("val_accuracy", True),
        ("f1", True),
        ("mean_absolute_error", False),
    ],
)
def test_which_values_are_better(monitor, larger):
    """Losses and errors are better when smaller, accuracy and its like when larger."""
    values = [1, 2, 3, 4, 5] if larger else [5, 4, 3, 2, 1]
    metrics = [monitor.removeprefix("val_")] if "loss" not in monitor else []
    history = network().fit(
        X, Y, epochs=5, validation_data=(X_VAL, Y_VAL), metrics=metrics,
        callbacks=[scripted(values, monitor), EarlyStopping(monitor, patience=1)],
    )  # fmt: skip
    assert history.epochs == 5


def own(Y, A):
    """Return a number that might be anything."""
    return float(A.mean())


@pytest.mark.parametrize("name", ["top_k_accuracy(k=1)", "accuracy(x=2)"])
def test_metrics_with_settings_have_a_direction(name):
    """A partial of an accuracy is better when larger."""
    assert callbacks._sign("auto", f"val_{name}") == -1


def test_a_direction_that_is_not_known():
    """Of a function of one's own nobody knows which way is better: it must be said, before the first step."""
    model = network()
    before = model.params.copy()
    with pytest.raises(
        ValueError, match=r"whether a larger 'own' is better is not known; write mode="
    ):
        model.fit(X, Y, metrics=[own], callbacks=[EarlyStopping("own")])
    np.testing.assert_array_equal(before, model.params)
    model.fit(X, Y, metrics=[own], callbacks=[EarlyStopping("own", mode="max")])


@pytest.mark.parametrize(
    "make", [lambda: EarlyStopping("val_f2"), lambda: ModelCheckpoint("m.npz", "val_f2")]
)
def test_what_is_not_measured_is_not_watched(make):
    """A name that is not measured is refused before the first step, with the names that are."""
    model = network()
    before = model.params.copy()
    with pytest.raises(
        UnknownNameError,
        match=r"watches 'val_f2'.*measured: loss, accuracy; give fit validation_data",
    ):
        model.fit(X, Y, metrics=["accuracy"], callbacks=[make()])
    np.testing.assert_array_equal(before, model.params)


def test_model_checkpoint(tmp_path):
    """It saves the best model only, or every so many epochs one."""
    best = ModelCheckpoint(tmp_path / "best.npz")
    every = ModelCheckpoint(f"{tmp_path}/{{epoch}}.npz", best_only=False, every=2)
    network().fit(
        X,
        Y,
        epochs=5,
        validation_data=(X_VAL, Y_VAL),
        callbacks=[scripted([3, 1, 2, 1, 1]), best, every],
    )
    assert {"best.npz", "2.npz", "4.npz"} == {path.name for path in tmp_path.iterdir()}
    assert [tn.load(tmp_path / name).params[0] for name in ("best.npz", "2.npz", "4.npz")] == [
        1,
        1,
        3,
    ]


def test_csv_logger(tmp_path):
    """The file has a line of names and a line an epoch, with every digit."""
    history = network().fit(
        X, Y, epochs=3, metrics=["accuracy"], callbacks=[CSVLogger(tmp_path / "log.csv")]
    )
    with open(tmp_path / "log.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name in ("loss", "accuracy"):
        assert history[name] == [float(row[name]) for row in rows]


def test_learning_rate_logger():
    """It records the rate of the last step of each epoch."""
    optimizer = SGD(Step(0.8, drop=0.5, every=1, by="epoch"))
    history = network().fit(X, Y, optimizer, epochs=3, callbacks=[LearningRateLogger()])
    assert history["learning_rate"] == [0.8, 0.4, 0.2]
    by_step = SGD(Step(0.8, drop=0.5, every=1))
    history = network().fit(
        X, Y, by_step, epochs=2, batch_size=30, callbacks=[LearningRateLogger()]
    )
    assert history["learning_rate"] == [0.4, 0.1]


@pytest.mark.parametrize("thing", [print, EarlyStopping, object(), "early_stopping"])
def test_what_is_no_callback(thing):
    """Anything else in the list is refused before the first step."""
    with pytest.raises(TypeError, match=r"is no callback: subclass tinynet.Callback"):
        network().fit(X, Y, callbacks=[thing])


def test_stopping_from_a_callback():
    """A run can be stopped after a step, or after an epoch."""

    class Stops(Callback):
        def on_batch_end(self, batch, logs):
            if self.run.epoch == 1 and batch == 0:
                self.run.stop("enough")

    model, noted = network(), Noted()
    history = model.fit(X, Y, epochs=5, batch_size=20, callbacks=[Stops(), noted])
    assert history.epochs == 1
    assert noted.calls[-2:] == [("batch end", 0, ["loss"]), ("train end", 1, ["loss"])]


@pytest.mark.parametrize("why", ["", None, 3, True, "interrupted"])
def test_why_a_run_is_stopped(why):
    """It is a text, which the history and a file of the run keep; nobody says that it was Ctrl-C."""

    class Stops(Callback):
        def on_epoch_end(self, epoch, logs):
            self.run.stop(why)

    with pytest.raises(ValueError, match=rf"say why the training stops.*got {why!r}"):
        network().fit(X, Y, epochs=5, callbacks=[Stops()])


def test_warnings_of_callbacks():
    """What NumPy warns of in a callback is the callback's own."""

    class Divides(Callback):
        def on_epoch_end(self, epoch, logs):
            np.ones(1) / np.zeros(1)

    with pytest.warns(RuntimeWarning, match="divide by zero"):
        network().fit(X, Y, callbacks=[Divides()])


def test_a_loss_of_numpy():
    """A cost is one of Python's numbers, whatever a loss returns: JSON takes the history, and a file the run."""

    class Halves(tn.losses.MeanSquaredError, name="halves"):
        def value(self, A, Y):
            return np.float32(super().value(A, Y))

    model = tn.Sequential([Dense(1)], Halves(), inputs=2, seed=1)
    history = model.fit(X, Y, epochs=2)
    assert type(model.cost(Y[:, : model.A[1].shape[1]])) is float
    assert json.loads(json.dumps(history)) == history


def test_a_copy_of_a_history():
    """It is a history, and knows why it ended."""
    history = History(loss=[2.0, 1.0])
    history.stopped = "enough"
    copied = history.copy()
    assert (type(copied), copied, copied.stopped) == (History, history, "enough")


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("how", ["signal", "exception"])
def test_interrupted(how, capsys):
    """Ctrl-C ends the training after the step: history and parameters are kept, and it is said."""

    class Interrupts(Callback):
        def on_batch_end(self, batch, logs):
            if (self.run.epoch, batch) == (2, 1):
                self.params = self.model.params.copy()
                if how == "exception":
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGINT)

    model, interrupts = network(), Interrupts()
    history = model.fit(X, Y, epochs=9, batch_size=20, callbacks=[interrupts])
    assert history.epochs == 2
    np.testing.assert_array_equal(interrupts.params, model.params)
    assert "training was interrupted in epoch 3, after step 2" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_twice():
    """A second Ctrl-C ends it at once, as Python does."""

    class Interrupts(Callback):
        def on_batch_end(self, batch, logs):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        network().fit(X, Y, callbacks=[Interrupts()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interruption_is_handled_by_who_handles_it_already():
    """A handler of the user's stays in its place, and threads leave signals alone."""
    seen, before = [], signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
    try:

        class Interrupts(Callback):
            def on_batch_end(self, batch, logs):
                os.kill(os.getpid(), signal.SIGINT)

        network().fit(X, Y, batch_size=None, callbacks=[Interrupts()])
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["mine"]
    histories = []
    thread = threading.Thread(target=lambda: histories.append(network().fit(X, Y, epochs=2)))
    thread.start()
    thread.join()
    assert [history.epochs for history in histories] == [2]


def test_verbose_without_a_terminal(capsys):
    """Where nobody sees a bar, there is a line an epoch, and why it stopped."""
    network().fit(
        X, Y, epochs=12, verbose=True, metrics=["accuracy"], validation_data=(X, Y),
        callbacks=[EarlyStopping("loss", patience=1, mode="max")],
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch  1/12  loss 0.")
    assert all(name in lines[0] for name in ("  accuracy 0.", "  val_loss 0.", "  val_accuracy 0."))
    assert lines[2:] == ["stopped: loss was best in epoch 1"]


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    """With tqdm and a terminal a bar goes through the steps of each epoch, and is closed."""
    bars = []

    class Bar:
        def __init__(self, total, initial, leave, desc):
            self.total, self.n, self.open = total, initial, True
            bars.append(self)

        def update(self):
            self.n += 1

        def close(self):
            self.open = False

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    network().fit(X, Y, epochs=2, batch_size=20, verbose=True)
    assert [(bar.total, bar.n, bar.open) for bar in bars] == [(3, 3, False), (3, 3, False)]
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if it were not installed
    network().fit(X, Y, epochs=1, verbose=True)
    assert len(bars) == 2
    assert capsys.readouterr().out.count("epoch ") == 3


def test_nothing_beside_the_steps_changes_them(tmp_path):
    """Parameters do not depend on callbacks, metrics, verbosity, validation, checkpoints or the look for anomalies."""
    plain, watched = network(), network()
    plain.fit(X, Y, epochs=4, batch_size=16)
    watched.fit(
        X, Y, epochs=4, batch_size=16, validation_data=(X_VAL, Y_VAL), metrics=["accuracy", "f1", "r2"], verbose=True,
        callbacks=[EarlyStopping(patience=50, restore_best=False), Noted(), CSVLogger(tmp_path / "log.csv")],
        checkpoint=tmp_path / "run.npz", checkpoint_every=1, detect_anomaly=True,
    )  # fmt: skip
    np.testing.assert_array_equal(plain.params, watched.params)


@pytest.mark.parametrize("threads", [2])
def test_trainings_in_threads_do_not_disturb_each_other(threads):
    """What comes out of two trainings at once is what comes out of one after the other."""
    alone, together = (
        [network(seed) for seed in range(threads)],
        [network(seed) for seed in range(threads)],
    )
    for model in alone:
        model.fit(X, Y, epochs=5, batch_size=8)
    how = {"epochs": 5, "batch_size": 8}
    running = [threading.Thread(target=model.fit, args=(X, Y), kwargs=how) for model in together]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.params, other.params)


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ("W[1]", r"Z\[1\] of layer 1 \(Dense\)"),
        ("W[2]", r"Z\[2\] of layer 2 \(Dense\)"),
        ("b[3]", r"Z\[3\] of layer 3 \(Dense\)"),
    ],
)
def test_anomalies_are_named_where_they_begin(spoilt, named):
    """With detect_anomaly the first number that is not finite is told, though cost and gradients are finite."""

    class Spoils(Callback):
        def on_batch_begin(self, batch, logs):
            if (self.run.epoch, batch) == (1, 1):
                getattr(self.model, spoilt[0])[int(spoilt[2])][:] = np.inf

    def train(**how):
        layers = [Dense(6, "tanh"), Dense(4, "tanh"), Dense(3, "tanh"), Dense(1, "sigmoid")]
        model = tn.Sequential(layers, "binary_crossentropy", inputs=2, dtype="float64", seed=1)
        return model.fit(
            np.abs(X) + 1, Y, SGD(0), epochs=3, batch_size=20, callbacks=[Spoils()], **how
        )

    told = rf"epoch 2, step 2: {named}"
    with (
        pytest.warns(UserWarning, match="learning rate"),
        pytest.raises(NonFiniteError, match=told),
    ):
        train(detect_anomaly=True)


@pytest.mark.parametrize(
    "refused",
    [
        {"class_weight": {0: 1.0}}, {"callbacks": [EarlyStopping]}, {"validation_data": (X_VAL[:1], Y_VAL)},
        {"sample_weight": np.ones(3)}, {"validation_split": 2.0}, {"batch_size": 0},
        {"validation_data": (X_VAL, Y_VAL + 5)}, {"callbacks": [EarlyStopping("val_f1")]}, {"checkpoint_every": 2},
        {"callbacks": [CSVLogger(os.path.join("no such folder", "log.csv"))]},
        {"checkpoint": os.path.join("no such folder", "run.npz")},
    ],
    ids=lambda refused: next(iter(refused)),
)  # fmt: skip
def test_a_refused_fit_changes_nothing(refused):
    """It builds no model, and draws nothing: the next fit is that of a new model."""
    layers = [Dense(6, "tanh"), Dense(1, "sigmoid")]
    models = [tn.Sequential(layers, "binary_crossentropy", seed=3) for _ in range(2)]
    with pytest.raises((ValueError, TypeError, UnknownNameError, FileNotFoundError)):
        models[0].fit(
            X,
            Y,
            **{"validation_split": 0.2} | refused if "validation_data" not in refused else refused,
        )
    assert not models[0].is_built
    for model in models:
        model.fit(X, Y, validation_split=0.2)
    np.testing.assert_array_equal(models[0].params, models[1].params)


def test_a_step_that_went_into_the_optimizer_is_told():
    """Where the step itself overflows, parameters are taken back, and the optimizer's memory is not kept."""
    model = tn.Sequential([Dense(1)], "mean_squared_error", inputs=2, seed=1)
    before, optimizer = model.params.copy(), tn.SGD(1e38, momentum=0.9)
    with pytest.raises(
        NonFiniteError, match=r"and the optimizer begins anew.*learning rate is likely too large"
    ):
        model.fit(100 * X, Y, optimizer)
    np.testing.assert_array_equal(before, model.params)
    assert not optimizer.memory


def test_a_batch_too_small_for_a_layer():
    """A last batch of one example is refused before the first step, not at the end of an epoch."""
    layers = [Dense(4), tn.BatchNorm(), Dense(1, "sigmoid")]
    model = tn.Sequential(layers, "binary_crossentropy", inputs=2, seed=1)
    with pytest.raises(
        tn.errors.ShapeError,
        match=r"layer 2 \(BatchNorm\) needs 2 examples .* of 57 examples has 1",
    ):
        model.fit(X[:, :57], Y[:, :57], batch_size=8)
    assert model.fit(X[:, :57], Y[:, :57], batch_size=9).epochs == 1


@pytest.mark.parametrize(
    "data",
    [
        (X_VAL, Y_VAL),
        [X_VAL, Y_VAL],
        (X_VAL, Y_VAL, np.ones(40)),
        [(X_VAL, Y_VAL)],
        ([(X_VAL, Y_VAL)],),
    ],
)
def test_ways_to_give_validation_data(data):
    """X and Y, with weights or without, in a tuple or list; or an iterable of batches, alone or in a tuple."""
    history = network().fit(X, Y, epochs=2, validation_data=data)
    expected = network().fit(X, Y, epochs=2, validation_data=(X_VAL, Y_VAL))
    assert expected["val_loss"] == pytest.approx(history["val_loss"])


def test_passes_of_a_callback_do_no_harm():
    """A callback may use the model, though no gradient passes a layer and it is asked why."""

    class Blocks(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev.copy()

        def back(self, dZ, cache):
            return 0 * dZ

    class Looks(Callback):
        def on_batch_end(self, batch, logs):
            self.model.forward(X)

    model = tn.Sequential(
        [Dense(4, "tanh"), Blocks(), Dense(1)], "mean_squared_error", inputs=2, seed=1
    )
    with pytest.warns(UserWarning, match=r"layer 2 \(Blocks\) lets no gradient through"):
        model.fit(X, Y, epochs=2, batch_size=8, callbacks=[Looks()])


def test_an_activation_of_single_precision():
    """No doubt asks an activation for what the model does not."""

    class Single(tn.Activation):
        def forward(self, Z):
            assert Z.dtype == np.float32
            assert len(Z) == 12
            return (1 + np.tanh(Z)) / 2

        def back(self, dA, Z, A):
            return 2 * dA * A * (1 - A)

    model = tn.Sequential(
        [Dense(12, Single()), tn.Reshape((3, 4))], "binary_crossentropy", inputs=2, seed=1
    )
    assert model.fit(X, np.ones((3, 4, 60)), epochs=2).epochs == 2


def test_history():
    """A history is a dictionary of lists, plain enough for JSON, and shows how each number went."""
    history = network().fit(X, Y, epochs=3, metrics=["accuracy"], validation_data=(X_VAL, Y_VAL))
    assert history.epochs == 3
    assert history == History(json.loads(json.dumps(history)))
    plain = history.to_dict()
    assert type(plain) is dict
    plain["loss"].append(0.0)
    assert len(history["loss"]) == 3
    head, *lines = repr(history).splitlines()
    assert head == "History of 3 epochs"
    assert [line.split()[0] for line in lines] == list(history)
    assert repr(History()) == "History of 0 epochs"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""), ([1.0], "▁"), ([2, 2, 2], "▁▁▁"), ([0, 7], "▁█"), ([7, 0, 3.5], "█▁▅"),
        ([1, np.nan, np.inf, 2], "▁??█"), ([np.nan], "?"), (list(range(1000)), None),
    ],
)  # fmt: skip
def test_plot(values, expected):
    """The higher the sign, the larger the number; a long course is thinned out, its ends kept."""
    line = plot(values)
    if expected is None:
        assert (len(line), line[0], line[-1]) == (40, "▁", "█")
    else:
        assert expected == line
