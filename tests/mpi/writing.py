"""Train with all that writes and prints, each rank in a folder of its own."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np

import tinynet as tn

ranks = tn.parallel.MPI()
folder = Path(sys.argv[1], str(ranks.rank))
folder.mkdir()
os.chdir(folder)

X = np.random.default_rng(1).normal(size=(6, 101))
Y = (X[:1] > 0).astype(float)
callbacks = [tn.CSVLogger("log.csv"), tn.ModelCheckpoint("best.npz", monitor="loss")]
model = tn.Sequential([tn.Dense(1, "sigmoid")], "binary_crossentropy", seed=3)
warnings.simplefilter("always", tn.errors.TrainingWarning)
model.fit(
    1e5 * X, Y, epochs=2, batch_size=16, verbose=True, callbacks=callbacks, checkpoint="run.npz",
    parallel=ranks,
)  # fmt: skip
