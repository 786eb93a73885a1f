"""The programs in examples/ do what they promise."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def imported(name):
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def example():
    """The example that reads digits."""
    return imported("digits")


@pytest.mark.parametrize("seed", [1, 2])
def test_digits(example, seed, capsys):
    """It reads at least 97 % of the held-out digits, and prints what it has done."""
    assert example.main(seed) >= 0.97
    printed = capsys.readouterr().out
    for words in ("epoch 15/15  loss ", "Test accuracy: 9", "Confusion matrix",
                  "largest relative error", "predicts the same"):  # fmt: skip
        assert words in printed


def test_confusion_matrix(example, capsys):
    """A row for the digit, a column for what it was read as."""
    counts = example.confusion_matrix(np.array([3, 3, 9]), np.array([3, 8, 9]))
    assert (counts[3, 3], counts[3, 8], counts[9, 9], counts.sum()) == (1, 1, 1, 3)
    example.print_confusion_matrix(counts)
    assert "   3    .   .   .   1   .   .   .   .   1   .\n" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "check", "low", "high"), [
    ("own_layer", "check_layer", 0, 0.01),  # the last loss
    ("own_loss", "check_loss", 0.86, 0.94),  # the share of examples below the quantile 0.9
    ("own_optimizer", "check_optimizer", 0.95, 1),  # the accuracy on the test digits
    ("own_composite", "check_layer", 0.97, 1),  # the accuracy on two spirals
])  # fmt: skip
def test_custom_classes(name, check, low, high, capsys):
    """Each example learns what it promises, and ends in the check of its class."""
    assert low <= imported(name).main() <= high
    assert f"{check} finds nothing wrong" in capsys.readouterr().out


@pytest.fixture
def patterns(tmp_path):
    """Return a function that writes images like MNIST's, of ten noisy patterns, into a file."""

    def write(m, names=("x_train", "y_train", "x_test", "y_test")):
        rng = np.random.default_rng(1)
        patterns, y = rng.integers(0, 256, (10, 28, 28)), rng.integers(10, size=m)
        images = np.clip(patterns[y] + rng.integers(-60, 60, (m, 28, 28)), 0, 255).astype(np.uint8)
        arrays = (images[:-100], y[:-100], images[-100:], y[-100:])
        np.savez(tmp_path / "mnist.npz", **dict(zip(names, arrays, strict=True)))
        return tmp_path / "mnist.npz"

    return write


@pytest.mark.parametrize("names", [
    ("x_train", "y_train", "x_test", "y_test"), ("train_x", "train_y", "test_x", "test_y")
])  # fmt: skip
def test_mnist(names, patterns, tmp_path, capsys):
    """The recipe runs on images like MNIST, under both sets of names, and resumes a checkpoint."""
    mnist, path, checkpoint = imported("mnist"), patterns(400, names), tmp_path / "run.npz"
    accuracy = mnist.main(path, epochs=6, checkpoint=checkpoint)
    assert accuracy > 0.9
    assert accuracy == mnist.main(path, epochs=6, checkpoint=checkpoint)
    assert "epoch 6/6" in capsys.readouterr().out


def test_mnist_convolutions(patterns, capsys):
    """The network with convolutions runs on images like MNIST, and on the library's digits."""
    example = imported("mnist_convolutions")
    assert example.main(patterns(400), epochs=8) > 0.9
    assert "Conv2D" in capsys.readouterr().out
    assert example.main(epochs=3) > 0.93


def test_residual(capsys):
    """With shortcuts a network of 62 layers reads digits; without them 32 layers hardly do."""
    table = imported("residual").main()
    assert list(table) == [4, 12, 32, 62]
    assert all(residual > 0.9 for _, residual in table.values()), table
    assert all(plain < 0.7 for plain, _ in (table[32], table[62])), table
    assert "with shortcuts" in capsys.readouterr().out


def test_every_example_is_run():
    """These tests run every example."""
    run = {"characters", "digits", "mnist", "mnist_convolutions", "residual"}
    run |= {"own_composite", "own_layer", "own_loss", "own_optimizer"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == run


def test_characters(tmp_path, capsys):
    """The character model learns a text of a few words, and writes in its characters."""
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat, and the rat sat on the cat. " * 80, "utf-8")
    example = imported("characters")
    assert example.main(path, units=32, epochs=30, size=4000) < 0.8
    printed = capsys.readouterr().out
    assert "temperature 0.7" in printed
    assert "the" in printed.split("temperature 0.3")[1]


def test_pieces_of_a_text():
    """The target of each character is the one that follows it."""
    X, Y = imported("characters").examples_of(np.arange(11), length=5)
    assert X.T.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert Y.T.tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]


def test_the_text_that_ships_with_python():
    """Without a path there is a text of the size asked for."""
    assert len(imported("characters").read(size=1000)) == 1000
