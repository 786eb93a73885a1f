"""Runs that all ranks refuse, after which the program goes on; or an error before a run."""

import sys
import warnings
from pathlib import Path

import numpy as np
from messages import raises

import tinynet as tn
from tinynet.errors import NonFiniteError, ShapeError

ranks, how, folder = tn.parallel.MPI(), sys.argv[1], Path(sys.argv[2])
X = np.random.default_rng(1).normal(size=(6, 101))
Y = (X[:1] > 0).astype(float)
LAYERS = [tn.Dense(1, "sigmoid")]


def fit(X=X, layers=LAYERS, **settings):
    """Train a new model for an epoch, and expect the same bits on all ranks."""
    model = tn.Sequential(layers, "binary_crossentropy", seed=3, inputs=6)
    model.fit(X, Y, epochs=1, **{"batch_size": 16, **settings}, parallel=ranks)
    rows = ranks.gather(model.values)
    assert (rows == rows[0]).all()


class NaNFor(tn.Activation):
    """Identity, but not a number for inputs above a limit."""

    def forward(self, Z):
        return np.where(Z > 50, np.nan, Z)

    def back(self, dA, Z, A):
        return dA


def different_settings():
    """All name the setting."""
    with raises(ValueError, "batch_size is 17 on rank 1, expected 16 as on rank 0"):
        fit(batch_size=16 + ranks.rank)


def different_optimizers():
    """All show both."""
    with raises(ValueError, "optimizer", "on rank 1", "0.2"):
        fit(optimizer=tn.SGD(0.1 * (1 + ranks.rank)))


def no_checkpoint():
    """All name the file that rank 0 does not have."""
    for name in ("missing.npz", "missing.npz" if ranks.rank == 0 else "other.npz"):
        with raises(OSError, "missing.npz"):
            tn.resume(folder / name, X, Y, parallel=ranks)


def nan_on_one_rank():
    """All name the array, and the rank that has it."""
    bad = X.copy()
    bad[:, -1] = 1000.0
    for _ in range(2):
        with raises(NonFiniteError, "A[1] of layer 1 (Dense) on rank 1 is not finite"):
            fit(bad, [tn.Dense(4, NaNFor()), tn.Dense(1, "sigmoid")], batch_size=None)


def bad_data_everywhere():
    """All say what is wrong with it."""
    with raises(ShapeError, "X has shape (101, 6)"):
        fit(X.T)


REFUSED = (
    different_settings, different_optimizers, no_checkpoint, nan_on_one_rank, bad_data_everywhere
)  # fmt: skip

if how == "caught":
    warnings.simplefilter("ignore", tn.errors.TrainingWarning)
    for refused in REFUSED:
        refused()
        fit()
elif how == "file":
    fit(np.load(folder / f"X{ranks.rank}.npy"))
