"""Runs that are killed at any moment and resumed, and end as if nobody had killed them.

    python tests/fuzz/kills.py --count 1000

Each of eight kinds of runs is trained once to its end. Then it is killed by SIGKILL, at a moment
drawn at random, and resumed from its checkpoint by the next process, until it ends. Parameters,
generator, history, log and best model must be the same, bit for bit. The processes are forks of
one that has imported the package, so a kill costs milliseconds.
"""

import argparse
import csv
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet import Dense, optimizers, schedules
from tinynet._support.random import plain, state_of

X, Y = tn.datasets.make_moons(120, seed=1)
HELD = tn.datasets.make_moons(40, seed=2)
EPOCHS, BEGAN = 4, "began"


def stream():
    """Yield batches for ever, each a little different."""
    for shift in range(10**6):
        yield X + 0.01 * shift, Y


class Counts(tn.Callback):
    """Counts steps and epochs, in memory of every kind."""

    def __init__(self):
        self.memory = {"seen": {"last": [None, -1.0]}, "steps": np.zeros(2, np.uint32)}

    def on_batch_end(self, batch, logs):
        self.memory["steps"] += np.array([1, batch], np.uint32)

    def on_epoch_end(self, epoch, logs):
        self.memory["seen"] = {"last": [epoch, logs["loss"]]}
        self.run.history.record({"steps": float(self.memory["steps"].sum())})

    def state(self):
        return self.memory

    def restore(self, state):
        self.memory = dict(state)


def _moons(l2=0.0):
    return [Dense(8, "tanh", l2=l2), Dense(1, "sigmoid")]


DROPPED = [Dense(8, "relu"), tn.BatchNorm(), tn.Dropout(0.3), Dense(1, "sigmoid")]
WARMED = schedules.Warmup(9, schedules.Cosine(0.05, 60))
BY_EPOCH = schedules.Exponential(0.2, 0.9, by="epoch")
WEIGHTS = {"sample_weight": np.linspace(0.1, 2, 120)}
VALIDATED = {"validation_data": HELD}
ARRAYS = {"X": X, "Y": Y}
# Layers, generator, optimizer, what only fit gets, what resume gets too.
KINDS = {
    "plain": (_moons(), 1, optimizers.SGD(0.1), {}, ARRAYS),
    "momentum and a split": (
        _moons(), np.random.RandomState(2), optimizers.SGD(BY_EPOCH, momentum=0.9),
        {"validation_split": 0.25, "metrics": ["accuracy"]}, ARRAYS),
    "dropout and state": (
        DROPPED, 3, optimizers.AdamW(WARMED), {"metrics": ["f1"]}, ARRAYS | VALIDATED),
    "weights": (
        _moons(0.01), 4, optimizers.Nadam(0.01), {"class_weight": {0: 1.0, 1: 3.0}},
        ARRAYS | WEIGHTS),
    "float64": (_moons(), 5, optimizers.RMSprop(0.01, centered=True), {}, ARRAYS | VALIDATED),
    "a stream": (_moons(), 6, optimizers.Adam(), {"steps_per_epoch": 6}, {"X": stream, "Y": None}),
    "every step": (
        _moons(), np.random.Generator(np.random.Philox(7)), optimizers.Adagrad(0.1),
        {"checkpoint_every": 1, "metrics": ["accuracy"]}, ARRAYS),
    "stopped early": (_moons(), 8, optimizers.SGD(5.0, momentum=0.9), {}, ARRAYS | VALIDATED),
}  # fmt: skip


def train(kind, folder):
    """Train a run to its end, from its checkpoint if there is one, and write what came of it."""
    layers, seed, optimizer, settings, data = KINDS[kind]
    path, monitor = folder / "run.npz", "val_loss" if "validation_data" in data else "loss"
    callbacks = [
        tn.EarlyStopping(monitor, patience=2 if kind == "stopped early" else 50),
        tn.ModelCheckpoint(folder / "best.npz", monitor),
        tn.CSVLogger(folder / "log.csv"), tn.LearningRateLogger(), Counts(),
    ]  # fmt: skip
    (folder / BEGAN).touch()
    if path.exists():
        model, history = tn.resume(path, **data, callbacks=callbacks)
    else:
        dtype = "float64" if kind == "float64" else "float32"
        model = tn.Sequential(layers, "binary_crossentropy", dtype=dtype, seed=seed)
        settings = {"checkpoint_every": 4, "epochs": EPOCHS, "checkpoint": path, **settings}
        if kind != "a stream":
            settings["batch_size"] = 20
        history = model.fit(**data, **settings, optimizer=optimizer, callbacks=callbacks)
    found = model.values.tobytes(), plain(state_of(model.rng)), dict(history), history.stopped
    (folder / "result").write_text(repr(found), "utf-8")


def forked(kind, folder, seconds=None):
    """Train in a fork, which is killed after so many seconds; return whether it ended before."""
    (folder / BEGAN).unlink(missing_ok=True)
    child = os.fork()
    if not child:
        status = 1
        try:
            warnings.simplefilter("ignore")
            train(kind, folder)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if seconds is not None:
        while not (folder / BEGAN).exists():
            time.sleep(1e-4)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"{kind}: a process ended with the status {status}")
    return status == 0


def outcome(folder):
    """Return what a run left: result, log, best model, and names of files that should be gone."""
    kept = {name: (folder / name).read_bytes() for name in ("result", "best.npz")}
    with open(folder / "log.csv", encoding="utf-8") as log:  # a time is never the same
        kept["log"] = [
            {name: value for name, value in row.items() if name not in ("time", "seconds")}
            for row in csv.DictReader(log)
        ]
    return kept | {"left": sorted(path.name for path in folder.glob("*.tmp"))}


def kill(kind, kills, chance):
    """Kill a kind of run at least so many times; return the kills, and what has come out wrong."""
    killed, wrong = 0, []
    with tempfile.TemporaryDirectory() as name:
        plainly = Path(name, "plain")
        plainly.mkdir()
        began = time.perf_counter()
        forked(kind, plainly)
        whole, expected = time.perf_counter() - began, outcome(plainly)
        for number in range(10**6):
            if killed >= kills:
                return killed, wrong
            folder = Path(name, f"killed{number}")
            folder.mkdir()
            most = whole * chance.choice((0.1, 0.3, 1.0))
            while not forked(kind, folder, chance.uniform(0, most)):
                killed += 1
                most *= 1.3  # or a run whose next step takes longer would never end
            found = outcome(folder)
            wrong += [
                f"{kind}, run {number}: {what}" for what in found if found[what] != expected[what]
            ]
    raise AssertionError("no kill came in time")


def run(count, seed=1):
    """Kill runs of all kinds, print how often and what is wrong, and return how much is."""
    chance, every_wrong, total = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as folder:  # or each fork would import what these need
        for _ in ("fit", "resume"):
            train("plain", Path(folder))
    for kind in KINDS:
        killed, wrong = kill(kind, -(-count // len(KINDS)), chance)
        print(f"{kind:24}{killed:8,} kills{len(wrong):6} wrong", *wrong, sep="\n", flush=True)
        total, every_wrong = total + killed, every_wrong + wrong
    print(f"{'all':24}{total:8,} kills{len(every_wrong):6} wrong")
    return f"{len(every_wrong)} wrong" if every_wrong else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(run(options.count, options.seed))
