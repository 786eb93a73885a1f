"""Pictures: what is drawn, that axes are labelled, and that nothing else is touched."""

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet.errors import NonFiniteError, NotBuiltError, ShapeError

matplotlib = pytest.importorskip("matplotlib", reason="an extra is not installed")
matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  after the backend is chosen

X, Y = tn.datasets.make_moons(60, seed=1)


def trained(layers=(), loss="binary_crossentropy", inputs=2):
    """Return a model that has had a pass, and its history."""
    layers = list(layers) or [tn.Dense(5, "relu"), tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, loss, inputs=inputs, seed=1)
    history = model.fit(X, Y, tn.Adam(0.05), epochs=3, metrics=["accuracy"], validation_split=0.2)
    model.forward(X)
    model.back(Y)
    return model, history


MODEL, HISTORY = trained()
A = np.array([[0.9, 0.2, 0.8, 0.1], [0.1, 0.8, 0.2, 0.9]])
PICTURES = {
    "history": lambda ax: tn.plot.history(HISTORY, ax=ax),
    "history of one name": lambda ax: tn.plot.history(HISTORY, "loss", ax=ax, log=True),
    "decision_boundary": lambda ax: tn.plot.decision_boundary(MODEL, X, Y, 20, ax=ax),
    "layers": lambda ax: tn.plot.layers(MODEL, ax=ax),
    "layers of gradients": lambda ax: tn.plot.layers(MODEL, "dW", ax=ax),
    "weights": lambda ax: tn.plot.weights(MODEL, 1, ax=ax),
    "confusion_matrix": lambda ax: tn.plot.confusion_matrix([0, 1, 1, 1], A, ax=ax),
    "activation": lambda ax: tn.plot.activation("gelu", ax=ax),
}


@pytest.fixture(autouse=True)
def _closed():
    """Close every figure of a test."""
    yield
    plt.close("all")


@pytest.mark.parametrize("name", PICTURES)
def test_axes(name, monkeypatch):
    """Each draws into the axes that it is given, labels them, shows nothing and sets nothing."""
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a picture was shown"))
    before = dict(matplotlib.rcParams)
    _, ax = plt.subplots()
    n_figures = len(plt.get_fignums())
    assert PICTURES[name](ax) is ax
    assert ax.has_data()
    assert ax.get_xlabel(), "no label below"
    assert ax.get_ylabel() or name == "weights", "no label at the left"
    assert len(plt.get_fignums()) == n_figures, "a figure more"
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", PICTURES)
def test_new_figure(name):
    """Without axes, each makes a figure of its own."""
    first, second = PICTURES[name](None), PICTURES[name](None)
    assert first.figure is not second.figure


def test_history():
    """A line for each name, a dashed one in its color for validation, and the best epoch."""
    ax = tn.plot.history({"loss": [3, 2, 1], "val_loss": [3, 1, 2], "lr": [1, 1, 1]})
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines) == ["loss", "val_loss", "lowest val_loss, epoch 2", "lr"]
    assert lines["loss"].get_color() == lines["val_loss"].get_color() != lines["lr"].get_color()
    assert lines["val_loss"].get_linestyle() == "--"
    np.testing.assert_array_equal(lines["loss"].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(lines["val_loss"].get_ydata(), [3, 1, 2])


def test_history_that_diverged():
    """NaN leaves a gap, and no best epoch where no loss is finite."""
    ax = tn.plot.history({"loss": [1.0, float("nan")], "val_loss": [float("nan")] * 2})
    assert [line.get_label() for line in ax.get_lines()] == ["loss", "val_loss"]
    assert tn.plot.history({}).get_xlabel() == "epoch"


def test_one_border_between_two_classes():
    """Two classes have one border, and each of three has its own."""
    for n, borders in ((1, 1), (2, 1), (3, 3)):
        layer = tn.Dense(n, "softmax" if n > 1 else "sigmoid")
        model = tn.Sequential([layer], inputs=2, seed=1)
        model.W[1] = [[1.0, 0.5], [-1.0, 0.5], [0.0, -1.0]][:n]
        ax = tn.plot.decision_boundary(model, [[-1, 1], [-1, 1]], resolution=30)
        assert len(ax.collections) == borders, f"{n} outputs"


def test_colors_of_examples():
    """Examples have the color of their class, from labels and from columns alike."""
    model = tn.Sequential([tn.Dense(3, "softmax")], inputs=2, seed=1)
    points = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 0.0]])
    found = []
    for targets in ([2, 0, 1], np.eye(3)[:, [2, 0, 1]]):
        ax = tn.plot.decision_boundary(model, points, targets, resolution=5)
        found.append(ax.collections[-1].get_facecolors())
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0], axis=0)) == 3


def test_border_of_hinge():
    """With the loss hinge the border is where A is 0, as for predict_labels."""
    model = tn.Sequential([tn.Dense(1)], "hinge", inputs=2, seed=1)
    model.W[1], model.b[1] = [[1.0, 0.0]], [[0.25]]
    ax = tn.plot.decision_boundary(model, [[-1, 1], [-1, 1]], [0, 1], resolution=30)
    border = ax.collections[0].get_paths()[0].vertices[:, 0]
    np.testing.assert_allclose(border, -0.25, atol=1e-6)


def test_gradients_of_zeros_and_nan():
    """Gradients that vanished, or are NaN, are drawn without a warning."""
    for value, shares in ((0, ["100% zero"] * 2), (np.nan, [])):
        MODEL.grads[:] = value
        ax = tn.plot.layers(MODEL, "dW")
        ax.figure.canvas.draw()
        assert [text.get_text() for text in ax.texts] == shares, f"gradients {value}"


def test_zeros_of_gradients():
    """The share of zeros, which a logarithmic axis has no place for, is written below its box."""
    MODEL.grads[:] = 1
    MODEL.dW[1][:2] = 0
    ax = tn.plot.layers(MODEL, "dW")
    assert [text.get_text() for text in ax.texts] == ["40% zero"]
    assert ax.get_yscale() == "log"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["dW[1]", "dW[2]"]


@pytest.mark.parametrize(("layer", "inputs", "shape", "rows", "columns"), [
    (tn.Dense(4), 9, None, 7, 7),
    (tn.Dense(4), 6, (2, 3), 8, 7),
    (tn.Dense(2), 5, None, 1, 11),
    (tn.Conv2D(3, (2, 4)), (2, 6, 6), None, 8, 14),
    (tn.Conv1D(2, 3), (1, 6), None, 1, 7),
])  # fmt: skip
def test_pictures_of_weights(layer, inputs, shape, rows, columns):
    """Weights are side by side, with a gap between, each of a unit or of a kernel's channel."""
    model = tn.Sequential([layer], inputs=inputs, seed=1)
    ax = tn.plot.weights(model, 1, shape)
    tiled = ax.images[0].get_array()
    assert tiled.shape[1] <= 2 * columns
    finite = np.asarray(tiled)[np.isfinite(np.asarray(tiled))]
    assert sorted(finite) == sorted(model.W[1].ravel())


def test_confusion_matrix():
    """Counts are written where they are, with names at both axes."""
    ax = tn.plot.confusion_matrix([0, 1, 1, 1], A, names=["no", "yes"])
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {(0, 0): "1", (0, 1): "1", (1, 1): "2"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["no", "yes"]


def test_slope():
    """The slope is that of the activation, of a custom one too."""
    ax = tn.plot.activation(tn.activations.LeakyReLU(slope=0.5))
    lines = {line.get_label(): line for line in ax.get_lines()}
    at_minus_4 = [float(lines[name].get_ydata()[0]) for name in ("A", "slope")]
    assert at_minus_4 == [-2.0, 0.5]


@pytest.mark.parametrize(("draw", "error", "words"), [
    (lambda: tn.plot.history(HISTORY, "mse"), KeyError, "no 'mse', expected one of loss, acc"),
    (lambda: tn.plot.decision_boundary(MODEL, X.T), ShapeError, "X has shape (60, 2) … pass X.T"),
    (lambda: tn.plot.decision_boundary(MODEL, X, Y[0, :3]), ShapeError, "Y has shape (3,)"),
    (lambda: tn.plot.decision_boundary(MODEL, X, 2 * Y), ValueError, "is 2, expected 0 or 1"),
    (lambda: tn.plot.decision_boundary(MODEL, X, 2 * Y - 1), ValueError, "pass (Y + 1) / 2"),
    (lambda: tn.plot.decision_boundary(MODEL, X, np.where(Y[0], "yes", "no")), TypeError,
     "tn.from_labels(Y"),
    (lambda: tn.plot.decision_boundary(MODEL, X * np.nan), NonFiniteError, "X[0, 0] is nan"),
    (lambda: tn.plot.decision_boundary(MODEL, X, Y, 1), ValueError, "resolution is 1"),
    (lambda: tn.plot.decision_boundary(tn.Sequential([tn.Dense(1)], inputs=3), X), ShapeError,
     "inputs (3,), expected 2"),
    (lambda: tn.plot.decision_boundary(tn.Sequential([tn.Dense(1)]), X), ShapeError,
     "not known yet"),
    (lambda: tn.plot.layers(MODEL, "V"), ValueError, "what is 'V', expected one of 'W'"),
    (lambda: tn.plot.layers(tn.Sequential([tn.Dense(1)], inputs=2)), NotBuiltError, "forward"),
    (lambda: tn.plot.weights(MODEL, 3), KeyError, "W[3], expected one of W[1], W[2]"),
    (lambda: tn.plot.weights(MODEL, 1, (2, 2)), ShapeError, "a unit has 2 weights"),
    (lambda: tn.plot.confusion_matrix([0], A[:, :1], ["a"]), ValueError,
     "1 names … 2 classes … Leave names out"),
    (lambda: tn.plot.activation("softmax"), ValueError, "Softmax() has no curve … sigmoid"),
    (lambda: tn.plot.activation("swash"), LookupError, "swash"),
    (lambda: tn.plot.activation("relu", ax=plt), TypeError, "ax is module … plt.subplots()"),
])  # fmt: skip
def test_bad_input(draw, error, words):
    """What cannot be drawn is refused before there is a figure."""
    with raises(error, words):
        draw()
    assert plt.get_fignums() == []
