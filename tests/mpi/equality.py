"""Train on the ranks of mpiexec, and expect from all what one process does."""

import json

import numpy as np

import tinynet as tn
from tinynet._support.communicator import gather_texts

RNG = np.random.default_rng(1)
X = RNG.normal(size=(6, 101))
Y = (X[:1] + X[1:2] > 0).astype(float)
DENSE = [tn.Dense(8, "relu", l2=1e-3), tn.Dense(1, "sigmoid")]
NORM = [tn.Dense(8, "tanh"), tn.BatchNorm(), tn.Dense(1, "sigmoid")]
CASES = [
    (DENSE, "float64", tn.Adam(0.01, clip_norm=0.5), 1e-12),
    (DENSE, "float32", tn.Adam(0.01, clip_norm=0.5), 2e-7),
    (NORM, "float64", tn.SGD(0.1, momentum=0.9), 1e-9),
]


def trained(layers, dtype, optimizer, communicator):
    """Return the parameters and the history of a short training."""
    model = tn.Sequential(layers, "binary_crossentropy", dtype=dtype, seed=3)
    history = model.fit(
        X, Y, optimizer=optimizer.evolve(), epochs=3, batch_size=17, metrics=["accuracy"],
        validation_split=0.25, parallel=communicator,
    )  # fmt: skip
    return model.values.astype(float), dict(history)


ranks = tn.parallel.MPI()
for layers, dtype, optimizer, tolerance in CASES:
    alone, expected = trained(layers, dtype, optimizer, None)
    values, history = trained(layers, dtype, optimizer, ranks)
    difference = np.abs(values - alone).max() / np.abs(alone).max()
    assert difference <= tolerance, f"{difference} with {optimizer} in {dtype}"
    assert expected.keys() == history.keys()
    for name in expected:
        np.testing.assert_allclose(
            history[name], expected[name], rtol=10 * tolerance, atol=tolerance, err_msg=name
        )
    results = gather_texts(ranks, json.dumps([values.tobytes().hex(), history]))
    assert 1 == len(set(results)), f"the ranks differ with {optimizer} in {dtype}"
