"""Train, or go on from the checkpoint if there is one, and write what became of it.

The arguments are a folder, and a number of steps. From that many on, every step takes some time, so
that a signal comes before the last one.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet.parallel import mpi

mpi.GRACE = 1.5  # seconds, so that the tests are quick
FOLDER, SLOW_FROM = Path(sys.argv[1]), int(sys.argv[2])
FAILS = "fail" in sys.argv
CHECKPOINT = FOLDER / "run.npz"
PAUSE = 0.05  # seconds
STEPS = 13  # in each epoch
X = np.random.default_rng(1).normal(size=(6, 101))
Y = (X[:1] > 0).astype(float)
LAYERS = [tn.Dense(8, "relu"), tn.Dropout(0.3), tn.BatchNorm(), tn.Dense(1, "sigmoid")]


class Slow(tn.Callback):
    """Say that the slow steps begin, and take them; or fail there on rank 1."""

    def on_batch_end(self, batch, logs):
        if STEPS * self.run.epoch + batch >= SLOW_FROM:
            path = FOLDER / f"slow{self.run.rank}"
            if not path.exists():
                path.write_text(str(os.getpid()), "utf-8")
            if FAILS and self.run.rank == 1:
                raise LookupError("one callback fails")
            time.sleep(PAUSE)

    def on_train_end(self, logs):
        self.place = [self.run.epoch, self.run.step]


callback = Slow()
settings = {"callbacks": callback, "parallel": tn.parallel.MPI()}
if CHECKPOINT.exists():
    model, history = tn.resume(CHECKPOINT, X, Y, **settings)
else:
    model = tn.Sequential(LAYERS, "binary_crossentropy", seed=3)
    history = model.fit(
        X, Y, tn.Adam(0.01), epochs=8, batch_size=8, metrics=["accuracy"],
        checkpoint=CHECKPOINT, checkpoint_every=7, **settings,
    )  # fmt: skip
found = {"values": model.values.tobytes().hex(), "history": dict(history)}
found |= {"stopped": history.stopped, "place": callback.place}
FOLDER.joinpath(f"{callback.run.rank}.json").write_text(json.dumps(found), "utf-8")
