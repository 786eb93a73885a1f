"""The programs in examples/ do what they promise."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parent.parent / "examples" / "digits.py"


@pytest.fixture(scope="module")
def example():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("examples_digits", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2])
def test_digits(example, seed, capsys):
    """It reads at least 97 % of the held-out digits, and says what it has done."""
    assert example.main(seed) >= 0.97
    told = capsys.readouterr().out
    assert "epoch 15/15  loss " in told
    assert "Test accuracy: 9" in told
    assert "Confusion matrix" in told
    assert "largest relative error" in told
    assert "predicts the same" in told


def test_confusion_matrix(example, capsys):
    """A row for the digit, a column for what it was read as."""
    counts = example.confusion_matrix(np.array([3, 3, 9]), np.array([3, 8, 9]))
    assert (counts[3, 3], counts[3, 8], counts[9, 9], counts.sum()) == (1, 1, 1, 3)
    example.print_confusion_matrix(counts)
    assert "   3    .   .   .   1   .   .   .   .   1   .\n" in capsys.readouterr().out
