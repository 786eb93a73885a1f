"""The lines of NumPy on the page "Deployment" predict as the model does, without tinynet."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from helpers import output_of

import tinynet as tn

PAGE = (Path(__file__).parents[1] / "docs" / "scoring.rst").read_text("utf-8")
SECTION = PAGE.split("NumPy alone\n---")[1].split("They predict")[0]
LINES = "".join(example.source for example in doctest.DocTestParser().get_examples(SECTION))
# What another process runs: there is no tinynet in it.
PROGRAM = f"""
import sys
sys.modules["tinynet"] = None
{LINES}
np.save("A.npy", predict(np.load("X.npy")))
"""


def test_ten_lines():
    """There are ten lines, as the page says."""
    assert 10 == len(LINES.splitlines())


@pytest.mark.parametrize(("units", "dtype"), [((3,), "float32"), ((7, 5, 4, 6), "float64")])
def test_numpy_alone(units, dtype, tmp_path):
    """In a process without tinynet the lines predict what the model predicts."""
    layers = [*(tn.Dense(n, "relu") for n in units[:-1]), tn.Dense(units[-1], "softmax")]
    model = tn.Sequential(layers, "categorical_crossentropy", inputs=8, dtype=dtype, seed=1)
    X = np.random.default_rng(1).standard_normal((8, 20)).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    model.save(tmp_path / "net.npz")
    output_of("-c", PROGRAM, cwd=tmp_path)
    A = np.load(tmp_path / "A.npy")
    assert A.dtype == dtype
    np.testing.assert_allclose(model.predict(X), A, rtol=1e-5)
