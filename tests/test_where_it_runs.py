"""Where it runs: without a console, with an ASCII one, with strict NumPy, and interrupted."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import types
import warnings
from collections import Counter

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import functional
from tinynet._support import quiet
from tinynet.training import step as a_step
from tinynet.training.history import plot
from tinynet.training.loop import Loop

X, Y = tn.datasets.make_moons(40, seed=1)


def network(loss="binary_crossentropy", *layers, seed=1):
    """Return a small network, by default with two layers and a dropout."""
    layers = layers or (tn.Dense(4, "tanh"), tn.Dropout(0.5), tn.Dense(1, "sigmoid"))
    return tn.Sequential(layers, loss, inputs=2, seed=seed)


# Floating-point flags.


def test_flags_of_a_numpy_that_holds_them_elsewhere(monkeypatch):
    """Without its context variable, ``np.seterr`` switches them off and back."""
    before = np.geterr()
    for found in (quiet._without_flags(), []):
        monkeypatch.setattr(quiet, "_without_flags", lambda found=found: found)
        switch_off, switch_back = quiet._switches()
        kept = switch_off()
        assert set(np.geterr().values()) == {"ignore"}
        switch_back(kept)
        assert np.geterr() == before


SIZES = (0.0, 1e-30, 1e-3, 1.0, 1e3, 1e30, np.inf, np.nan)
LAST = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax",
        "poisson": "softplus"}  # fmt: skip
OPTIMIZERS = [
    *map(tn.Optimizer.get, ("sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad")),
    tn.SGD(0.1, momentum=0.9, clip_norm=1.0), tn.Adam(1e-40, clip_value=1e-3),
    tn.SGD(tn.schedules.Exponential(0.1, decay=1e-30)),
]  # fmt: skip


def numbers(shape, size, dtype, seed=0):
    """Return numbers of a size; of infinity or NaN only the first."""
    array = np.random.default_rng(seed).standard_normal(shape)
    if np.isfinite(size):
        array *= size
    else:
        array.flat[0] = size
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def activation_results(name, size, dtype):
    activation, Z = tn.Activation.get(name), numbers((3, 4), size, dtype)
    A = activation.forward(Z)
    yield A
    for dA_size in (size, 1e-30):
        yield activation.back(numbers(Z.shape, dA_size, dtype, 1), Z, A)


def loss_results(name, size, dtype):
    loss, A = tn.Loss.get(name), numbers((3, 4), size, dtype)
    Y = np.eye(3, 4, dtype=dtype)
    for outputs in (A, np.abs(A), np.minimum(np.abs(A), 1)):
        yield from (loss.value(outputs, Y), loss.each(outputs, Y), loss.back(outputs, Y))
        yield loss.mean(outputs, np.abs(Y[0]))
        if loss.partner:
            yield loss.each_from_Z(outputs, Y)


def metric_results(name, size, dtype):
    metric, w = tn.Metric.get(name), np.array([1e-300, 0, 1, 1e30])
    for n in (3, 1):
        A, Y = np.abs(numbers((n, 4), size, dtype)), np.eye(n, 4, dtype=dtype)
        Y[0] += Y.sum(axis=0) == 0
        yield from (metric(Y, A), metric(Y, A, sample_weight=w))


def step_results(name, size, dtype):
    optimizer, params = OPTIMIZERS[name].fresh(), numbers(5, 1.0, dtype)
    for seed in range(3):
        optimizer.update(params, numbers(5, size, dtype, seed))
    yield from (params, *optimizer.memory.values())


def initializer_results(name, size, dtype):
    scale = {"normal": "scale", "orthogonal": "gain", "constant": "value"}.get(name)
    init = tn.Initializer.get(name, **({scale: abs(size) * 1e-300} if scale else {}))
    yield init.draw((3, 2), np.random.default_rng(0))
    yield tn.Sequential([tn.Dense(3, init=init)], inputs=2, dtype=dtype, seed=0).params


def schedule_results(name, size, dtype):
    for schedule in (
        tn.schedules.Step(1e-300, drop=1e-30, every=1),
        tn.schedules.InverseTime(1e-300, decay=1e300),
        tn.schedules.Exponential(0.1, decay=1e-300), tn.schedules.Polynomial(1e-300, 0, 9, 300),
    ):  # fmt: skip
        yield schedule.at(np.int64(7))


def pass_results(name, size, dtype):
    activation, loss = name
    layers = [tn.Dense(4, activation, l2=0.1), tn.Dense(3, LAST.get(loss, "identity"))]
    model = tn.Sequential(layers, loss, inputs=2, dtype=dtype, seed=1)  # fmt: skip
    X, Y, w = numbers((2, 4), size, "f8"), np.eye(3)[:, [0, 1, 2, 0]], [1e-300, 0, 1, 1e30]
    yield tn.Sequential(layers, loss, dtype=dtype, seed=1).predict(X)  # X is the first one
    yield from (model.predict(X), model.predict_labels(X), model.forward(X), model.cost(Y))
    model.back(Y, input_gradient=True, sample_weight=w)
    yield from (model.grads, *model.dA.values(), *model.back_layer(2, np.full((3, 4), 1e-30)))
    yield from model.evaluate(X, Y, ["mean_squared_error"], sample_weight=w).values()
    history = model.fit(X, Y, "adam", epochs=1, batch_size=2, sample_weight=w,
                        validation_data=(X, Y), metrics=["mean_squared_error"])  # fmt: skip
    yield from (model.params, *history.values())


def course_results(name, size, dtype):
    parameters = functional.initialize_parameters_deep([2, 3, 1], 1, 0.5)
    X, Y = numbers((2, 4), size, "f8"), np.array([[0, 1, 1, 0]])
    A, caches = functional.L_model_forward(X, parameters, [name, "sigmoid"])
    grads = functional.L_model_backward(A, Y, caches, [name, "sigmoid"])
    yield from (A, *grads.values())
    yield from functional.update_parameters(parameters, grads, 1e-300).values()
    yield functional.gradient_check_n(parameters, grads, X, Y, [name, "sigmoid"])


PARTS = [
    (activation_results, tn.Activation.names()), (loss_results, tn.Loss.names()),
    (metric_results, tn.Metric.names()), (step_results, range(len(OPTIMIZERS))),
    (initializer_results, tn.Initializer.names()), (schedule_results, ["all"]),
    (course_results, ["relu", "tanh", "gelu", "softplus"]),
    (pass_results, [(a, "mean_squared_error") for a in tn.Activation.names()]
     + [("tanh", loss) for loss in tn.Loss.names()]),
]  # fmt: skip


def all_of(results, *arguments):
    """Return results up to an error, to the last bit, and the error."""
    found = []
    try:
        found += [np.asarray(result).tobytes() for result in results(*arguments)]
    except (ValueError, ArithmeticError) as error:
        found.append(f"{type(error).__name__}: {error}")
    return found


def is_ours(name):
    """Return whether a name, or pair of names, is of classes of the library."""
    names = name if isinstance(name, tuple) else (name,)
    classes = {**tn.Activation._classes, **tn.Loss._classes, **tn.Metric._classes}
    return all(n not in classes or classes[n].__module__.startswith("tinynet.") for n in names)


@pytest.mark.filterwarnings("ignore::tinynet.errors.TrainingWarning")
@pytest.mark.parametrize(("results", "name"), [
    (results, name) for results, names in PARTS for name in names if is_ours(name)
])  # fmt: skip
def test_strict_floating_point(results, name):
    """Neither np.seterr(all="raise") nor warnings as errors change a bit of any result."""
    for size in SIZES:
        for dtype in ("float32", "float64"):
            with np.errstate(all="ignore"):
                expected = all_of(results, name, size, dtype)
            for how in ("raise", "warn"):
                with np.errstate(all=how), warnings.catch_warnings():
                    warnings.simplefilter("error", RuntimeWarning)
                    found = all_of(results, name, size, dtype)
                assert expected == found, f"{size:g} in {dtype}, {how}"


@pytest.mark.parametrize("thing", [tn.Activation.get("gelu"), tn.Loss.get("poisson"), tn.Adam()])
def test_strict_checks(thing):
    """The checks of a class say the same whatever NumPy is told of floating-point flags."""
    with np.errstate(all="raise"):
        assert tn.testing.grade(thing).passed


def test_no_cast_to_infinity():
    """A number that is too large for the dtype is refused, before the array has changed."""
    model = network()
    before = model.params.copy()
    with raises(tn.errors.NonFiniteError, "W[1]", "1e+300", "float32"):
        model.W[1] = np.full((4, 2), 1e300)
    assert (before == model.params).all()


# Streams.


def test_no_streams(monkeypatch):
    """Where there is no console, a training that reports its progress is the same."""
    expected = network().fit(X, Y, epochs=2)
    for stream in (None, io.StringIO()):
        if stream:
            stream.close()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        assert expected == network().fit(X, Y, epochs=2, verbose=True, callbacks=[Interrupting(9)])


class Writes:
    """A stream of a program's own, which has a method to write and no other."""

    def __init__(self):
        self.lines = []

    def write(self, text):
        self.lines.append(text)


def test_streams_that_only_write(monkeypatch):
    """Where a program has put a stream that can only write, a training reports its progress."""
    written = Writes()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(sys, "stderr", written)
    history = network().fit(X, Y, epochs=2, verbose=True, callbacks=[Interrupting(9)])
    assert ["epoch 1/2", "epoch 2/2"] == [line[:9] for line in written.lines]
    assert history.epochs == 2


ASCII = """
import numpy as np, tinynet as tn
X, Y = tn.datasets.make_moons(40, seed=1)
model = tn.Sequential([tn.Dense(4, "tanh"), tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=1)
def précision(Y, A): return 0.5
history = model.fit(X, Y, epochs=3, verbose=True, metrics=[précision])
del history["précision"]
print(model, model.summary(), history)
for thing in (tn.Loss.get("huber"), tn.Adam(), tn.Activation.get("selu")):
    print(tn.testing.grade(thing), thing)
for wrong in (lambda: model.fit(X.T, Y), lambda: tn.Loss.get("mse"), lambda: tn.load(__file__)):
    try: wrong()
    except Exception as error: print(error)
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_ascii(tmp_path, encoding):
    """A console that can show ASCII alone shows all that is printed."""
    program = tmp_path / "program.py"
    program.write_text(ASCII, encoding="utf-8")
    folder = os.path.dirname(os.path.dirname(tn.__file__))
    more = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONPATH": folder}
    done = subprocess.run([sys.executable, program], capture_output=True, env=os.environ | more)
    assert done.returncode == 0, done.stderr.decode()
    assert b"2 -> 4 tanh -> 1 sigmoid" in done.stdout
    assert plot([0.0, 1.0]).isascii()


class Terminal(io.StringIO):
    """A stream that remembers what was written; a notebook's is no terminal either."""


def test_bar_in_a_notebook(monkeypatch):
    """A notebook shows the progress bar, though its streams are no terminals."""
    pytest.importorskip("tqdm")
    shells = {"notebook": types.SimpleNamespace(kernel=1), "IPython": types.SimpleNamespace()}
    for kind, shell in {**shells, "none": None}.items():
        module = types.SimpleNamespace(get_ipython=lambda shell=shell: shell, version_info=(0,))
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setattr(sys, "stderr", Terminal())
        network().fit(X, Y, epochs=1, verbose=True)
        assert (kind == "notebook") == ("\r" in sys.stderr.getvalue()), kind


# Interrupts.


class Interrupting(tn.Callback):
    """Raises KeyboardInterrupt in a step, from some place in it."""

    def __init__(self, step, place=None):
        self.step, self.place = step, place

    def on_batch_begin(self, batch, logs):
        if batch == self.step and self.place:
            self.place.armed = True


@attrs.frozen(slots=False)
class Interrupted(tn.Optimizer):
    """Adam that can be interrupted before, within or after its rule."""

    when: str = "within"
    armed = False

    def apply(self, params, grads):
        v = self.slot("velocity", params)
        self._raise("before")
        v *= 0.9
        self._raise("within")
        v += grads
        params -= 0.1 * v / self.number()
        self._raise("after")

    def _raise(self, when):
        if type(self).armed and when == self.when:
            type(self).armed = False
            raise KeyboardInterrupt


@attrs.frozen(slots=False)
class InterruptedActivation(tn.Activation):
    """The identity that can be interrupted."""

    armed = False

    def forward(self, Z):
        self._raise()
        return Z + 0

    def back(self, dA, Z, A):
        return dA + 0

    def _raise(self):
        if type(self).armed:
            type(self).armed = False
            raise KeyboardInterrupt


@pytest.mark.parametrize("step", [0, 2])
@pytest.mark.parametrize("when", ["before", "within", "after", "forward"])
def test_an_interrupt_within_a_step(step, when, monkeypatch):
    """Parameters, memory, generator and tally are as before the step that was interrupted."""
    monkeypatch.setattr(Loop, "_release", lambda self: None)  # to look at the run afterwards
    place = InterruptedActivation if when == "forward" else Interrupted
    layers = [tn.Dense(4, InterruptedActivation()), tn.Dropout(0.5), tn.Dense(1, "sigmoid")]
    seen = {}

    class Watch(Interrupting):
        def on_batch_begin(self, batch, logs):
            super().on_batch_begin(batch, logs)
            if batch == step:
                seen.update(state(self.run))

    def state(run):
        network, tally = run.network, run.tally
        return {"values": network.values.tobytes(), "rng": str(network.rng.bit_generator.state),
                "memory": {k: v.tobytes() for k, v in run.optimizer.memory.items()},
                "tally": (run.step, tally.cost_sum, tally.examples,
                          {k: len(v) for k, v in tally.batches.items()})}  # fmt: skip

    model, optimizer = network("binary_crossentropy", *layers), Interrupted(when=when)
    watch = Watch(step, place)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, optimizer, batch_size=8, callbacks=[watch], metrics=["accuracy"])
    assert seen == state(watch.run)
    model.fit(X, Y, optimizer, batch_size=8)


@attrs.frozen(slots=False)
class InterruptedAtTheEnd(tn.SGD):
    """SGD that is interrupted at the end of an epoch."""

    def end_epoch(self):
        self.slot("epoch", np.zeros(()))[...] += 1
        raise KeyboardInterrupt


def test_an_interrupt_at_the_end_of_an_epoch(monkeypatch):
    """The end of an epoch is undone too: it can end once more."""
    monkeypatch.setattr(Loop, "_release", lambda self: None)  # to look at the run afterwards
    optimizer, watch = InterruptedAtTheEnd(0.1), Interrupting(0)
    with pytest.raises(KeyboardInterrupt):
        network().fit(X, Y, optimizer, batch_size=8, callbacks=[watch])
    run = watch.run
    assert (0, 5, 40, {}) == (run.epoch, run.step, run.tally.examples, run.history)
    assert not any(array.any() for array in optimizer.memory.values())


# Paths.


def test_a_working_folder_that_changes(tmp_path, monkeypatch):
    """Files are written where the training began, though the program goes elsewhere meanwhile."""
    start, elsewhere = tmp_path / "start", tmp_path / "elsewhere"
    start.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(start)

    class Goes(tn.Callback):
        def on_epoch_begin(self, epoch, logs):
            os.chdir(elsewhere)

    callbacks = [tn.ModelCheckpoint("best.npz", "loss"), tn.CSVLogger("log.csv"), Goes()]
    network().fit(X, Y, epochs=2, checkpoint="run.npz", callbacks=callbacks)
    assert ["best.npz", "log.csv", "run.npz"] == sorted(os.listdir(start))
    assert [] == os.listdir(elsewhere)
    monkeypatch.chdir(start)
    again = [tn.ModelCheckpoint("best.npz", "loss"), tn.CSVLogger("log.csv"), Goes()]
    tn.resume("run.npz", X, Y, epochs=3, callbacks=again)
    assert [] == os.listdir(elsewhere)


@pytest.mark.parametrize("path", [b"run.npz", os.path.join("~", "run.npz"), "run.npz"])
def test_kinds_of_paths(tmp_path, monkeypatch, path):
    """A path may be bytes, or begin in the folder of the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    network().fit(X, Y, checkpoint=path)
    assert ["run.npz"] == os.listdir(tmp_path)
    model, history = tn.resume(path, X, Y, epochs=2)
    assert history.epochs == 2
    model.save(path)
    assert (tn.load(path).params == model.params).all()


@pytest.mark.parametrize(("path", "kind", "words"), [
    ("", ValueError, ["checkpoint is ''", 'checkpoint="run.npz"']),
    (b"", ValueError, ["checkpoint is b''"]), ("a\0b", ValueError, ["null"]),
    (1, TypeError, ["checkpoint is 1"]), (".", OSError, ["Give the name of a file"]),
    (os.path.join("missing", "run.npz"), OSError, ["os.makedirs"]),
])  # fmt: skip
def test_wrong_paths(tmp_path, monkeypatch, path, kind, words):
    """A path that cannot be written to is refused before the first step."""
    monkeypatch.chdir(tmp_path)
    model = network()
    before = model.params.copy()
    with raises(kind, *words):
        model.fit(X, Y, checkpoint=path)
    assert (before == model.params).all()


def test_the_content_of_a_file_for_its_path():
    """Who passes the content of a file in place of its path does not get all of it back."""
    file = io.BytesIO()
    network().save(file)
    for call in (tn.load, lambda content: tn.resume(content, X, Y)):
        with raises(ValueError, "path is b'PK", "null") as caught:
            call(file.getvalue())
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("header", [
    "{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "(" * 9000 + "2,), }",
    "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 2), }", "",
])  # fmt: skip
def test_headers_of_rows(tmp_path, header):
    """The header of a file of rows is text of one form, and never read as Python."""
    path, text = tmp_path / "rows.npy", header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(32))
    with raises(tn.errors.FileFormatError, "rows.npy", "header", "np.save"):
        tn.open_rows(path)


@attrs.frozen(slots=False)
class Pressing(tn.Schedule):
    """A learning rate that presses Ctrl-C twice while the optimizer computes its step."""

    def at(self, t):
        if t == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return 0.1


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("kind", [tn.SGD, tn.Adam, tn.AdamW, tn.RMSprop])
def test_ctrl_c_waits_until_the_update_is_done(kind, monkeypatch):
    """A second Ctrl-C within an update of the library ends the training after this step."""
    monkeypatch.setattr(Loop, "_release", lambda self: None)  # to look at the run afterwards
    model, same, watch = network(), network(), Interrupting(0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, kind(Pressing()), batch_size=8, shuffle=False, callbacks=[watch])
    assert (watch.run.epoch, watch.run.step) == (0, 4)
    optimizer = kind(0.1)
    for at in range(0, 32, 8):
        same.forward(X[:, at : at + 8], training=True)
        same.back(Y[:, at : at + 8])
        optimizer.step(same)
    np.testing.assert_array_equal(same.params, model.params)


@attrs.frozen(slots=False)
class Failing(tn.Schedule):
    """A learning rate that a user's mistake ends at the fourth step."""

    def at(self, t):
        if t == 3:
            raise RuntimeError("no rate")
        return 0.1


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad"])
def test_a_rule_asks_for_its_rate_before_it_moves_anything(name):
    """So an error of a schedule leaves parameters and memory as they were before the step."""
    results = []
    for rate, m in ((Failing(), 40), (0.1, 3 * 8)):
        model, optimizer = network(), tn.Optimizer.get(name, learning_rate=rate)
        with contextlib.suppress(RuntimeError):
            model.fit(X[:, :m], Y[:, :m], optimizer, batch_size=8, shuffle=False)
        vectors = {key: array for key, array in optimizer.memory.items() if array.ndim}
        results.append([model.params, *vectors.values()])
    for failed, stopped in zip(*results, strict=True):
        np.testing.assert_array_equal(failed, stopped)


class Halving(tn.Optimizer):
    """A user's rule."""

    def apply(self, params, grads):
        v = self.slot("velocity", params)
        v += grads
        v *= 0.5
        params -= v


FIT = {"batch_size": 8, "epochs": 2}  # ten steps


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("optimizer", "how", "of_params", "of_memory"), [
    (tn.SGD(0.1), {}, 1, 0), (tn.SGD(tn.schedules.Exponential(0.1, 0.9), clip_norm=1), {}, 1, 0),
    (tn.SGD(0.1), {"callbacks": tn.EarlyStopping("loss")}, 1, 0),
    (tn.SGD(0.1), {"callbacks": tn.Freeze([1])}, 10, 0),
    (tn.SGD(0.1, momentum=0.9), {}, 1, 0), (tn.Adam(), {}, 1, 0), (tn.Lion(), {}, 10, 0),
    (tn.SGD(0.1), {"callbacks": Interrupting(0)}, 10, 0), (Halving(), {}, 10, 10),
])  # fmt: skip
def test_copied_before_an_update(optimizer, how, of_params, of_memory, monkeypatch):
    """Parameters are copied where an update may have to be undone, memory where it may break off.

    The first step of a run looks at them, and the end of each epoch copies the memory once more.
    """
    calls = Counter()

    class Counting(a_step.Before):
        def save_params(self):
            calls["params"] += 1
            super().save_params()

        def save_memory(self):
            calls["memory"] += 1
            super().save_memory()

    monkeypatch.setattr(a_step, "Before", Counting)
    network().fit(X, Y, optimizer.fresh(), **FIT, **how)
    assert (calls["params"], calls["memory"]) == (of_params, of_memory + 2)


class FreezesTheSecond(tn.Callback):
    """A callback as those of the library, with a frozen layer in the second step alone."""

    __module__ = "tinynet.tests"

    def on_batch_begin(self, batch, logs):
        self.run.frozen = [slice(0, 1)] if batch == 1 else []


@pytest.mark.usefixtures("ctrl_c")
def test_a_bound_knows_the_gradients_of_every_step(monkeypatch):
    """Those of a step whose parameters are copied are in the memory of later steps too."""
    asked = []
    monkeypatch.setattr(tn.SGD, "largest_change", lambda self, norm: asked.append(norm) or 0.0)
    model = network("mean_squared_error", tn.Dense(1))
    targets = np.array([1.0, 1000.0, 1.0])  # the second gradient is the largest
    how = {"batch_size": 1, "shuffle": False, "callbacks": FreezesTheSecond(), "epochs": 1}
    model.fit(np.ones((2, 3)), targets, tn.SGD(1e-6, momentum=0.5), **how)
    first, third = asked
    assert 100 * first < third, "the bound of step 3 leaves out the gradients of step 2"


@attrs.frozen(slots=False)
class Jumping(tn.Schedule):
    """A learning rate that is much too large from the fourth step on."""

    high: float = 1e38

    def at(self, t):
        return 0.1 if t < 3 else self.high


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("kind", [tn.SGD, tn.Adam, tn.RMSprop])
@pytest.mark.parametrize("high", [1e36, 1e37, 1e38, 1e300])
def test_a_step_that_is_not_finite_is_undone(kind, high):
    """Whether or not every step copies the parameters: a callback of a user makes it do so."""
    found = []
    for callbacks in ([], [Interrupting(0)]):
        model = network("mean_squared_error", tn.Dense(4, "tanh"), tn.Dense(1))
        with pytest.raises(tn.errors.NonFiniteError) as error:
            model.fit(X, Y, kind(Jumping(high)), **FIT, callbacks=callbacks)
        assert np.isfinite(model.params).all()
        found.append((str(error.value), model.params.tobytes()))
    assert found[0] == found[1]
