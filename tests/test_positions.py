"""Outputs with positions, (V, T, m): targets, weights, metrics and labels at each of them."""

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import Dense, Sequential, metrics
from tinynet.errors import ShapeError

V, T, M = 3, 4, 50
RNG = np.random.default_rng(1)
X = RNG.standard_normal((V, T, M))
LABELS = X.argmax(axis=0)  # (T, m)
ONE_HOT = np.moveaxis(np.eye(V)[LABELS], -1, 0)
W = RNG.random(M)
AS_GIVEN = {"labels": LABELS, "one row": LABELS[np.newaxis], "one-hot": ONE_HOT}


def model(**options):
    """Return a model that gives a distribution over V classes at each position."""
    options = {"inputs": (V, T), "dtype": "float64", "seed": 1} | options
    return Sequential(
        [Dense(8, "tanh"), Dense(V, "softmax")], "categorical_crossentropy", **options
    )


@pytest.mark.parametrize("Y", AS_GIVEN.values(), ids=AS_GIVEN)
def test_the_cost_sums_over_positions(Y):
    """J is the sum over the positions and the mean over the examples, however Y is given."""
    net = model()
    A = net.forward(X)
    assert A.shape == (V, T, M)
    each = -np.log(np.sum(A * ONE_HOT, axis=0))
    assert net.cost(Y) == pytest.approx(each.sum() / M)
    assert net.cost(Y, W) == pytest.approx((each.sum(axis=0) @ W) / M)
    net.back(Y)
    np.testing.assert_allclose(net.dZ[2], A - ONE_HOT)
    assert tn.testing.check_gradients(net, X, Y, sample_weight=W) < 1e-7


@pytest.mark.parametrize("Y", AS_GIVEN.values(), ids=AS_GIVEN)
def test_training(Y):
    """Training, validation, evaluation and predicted labels take every form of Y."""
    net = model(inputs=None)
    history = net.fit(
        X, Y, tn.Adam(0.02), epochs=60, metrics=["accuracy", "f1"], validation_split=0.2,
        sample_weight=W,
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0] / 3, history
    assert net.predict_labels(X).shape == (T, M)
    found = net.evaluate(X, Y, metrics=["accuracy"])["accuracy"]
    assert found == np.mean(net.predict_labels(X) == LABELS) > 0.85


def test_from_disk(tmp_path):
    """Labels of positions are rows of a file as the examples are."""
    for name, array in (("X", X), ("Y", LABELS)):
        rows = np.ascontiguousarray(np.moveaxis(array, -1, 0))
        np.save(tmp_path / f"{name}.npy", rows)
    on_disk = [tn.open_rows(tmp_path / f"{name}.npy") for name in "XY"]
    net = model()
    assert net.evaluate(*on_disk)["loss"] == pytest.approx(net.evaluate(X, LABELS)["loss"])
    net.fit(*on_disk, epochs=2, batch_size=16)


OF_CLASSES = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "log_loss", "roc_auc"]


@pytest.mark.parametrize("w", [None, W], ids=["alike", "weighted"])
@pytest.mark.parametrize("name", [*OF_CLASSES, "top_k"])
@pytest.mark.parametrize("Y", AS_GIVEN.values(), ids=AS_GIVEN)
def test_metrics_count_positions(name, Y, w):
    """A metric of classes is that of all positions as examples, each with the weight of its own."""
    A = model().predict(X)
    metric = metrics.TopKAccuracy(k=2) if name == "top_k" else tn.Metric.get(name)
    columns, labels = A.reshape(V, -1), LABELS.reshape(-1)
    expected = metric(labels, columns, None if w is None else np.tile(w, T))
    assert metric(Y, A, w) == pytest.approx(expected)


def test_confusion_matrix():
    """It counts positions."""
    A = model().predict(X)
    counts = metrics.confusion_matrix(LABELS, A)
    assert counts.sum() == T * M
    np.testing.assert_array_equal(
        counts, metrics.confusion_matrix(LABELS.ravel(), A.reshape(V, -1))
    )


def test_one_output_a_position():
    """For outputs (1, T, m), Y may be (T, m): numbers, or yes and no."""
    Y = (LABELS == 1).astype(float)
    net = Sequential([Dense(1, "sigmoid")], "binary_crossentropy", inputs=(V, T), seed=1)
    history = net.fit(X, Y, tn.Adam(0.1), epochs=30, metrics=["accuracy"])
    assert history["loss"][-1] < history["loss"][0], history
    assert net.predict_labels(X).shape == (T, M)
    assert net.evaluate(X, Y) == net.evaluate(X, Y[np.newaxis])


SHAPE = f"expected that of A[L], {(V, T, M)}"
REFUSED = [
    (LABELS[:2], ShapeError, f"Y has shape {(2, M)}, {SHAPE}, or labels {(T, M)}."),
    (LABELS.T, ShapeError, f"Y has shape {(M, T)}, {SHAPE}, … transposed … pass Y.T."),
    (LABELS[:2], ShapeError, f"A[L] has {T} positions, and Y must have as many."),
    (LABELS[:, :9], ShapeError, f"Y has shape {(T, 9)}, {SHAPE}, or labels"),
    (LABELS[0], ShapeError, f"Y has shape {(M,)}, {SHAPE}. Put Flatten() before the last Dense"),
    (ONE_HOT[:, 0], ShapeError, f"Y has shape {(V, M)}"),
    (LABELS + 1, ValueError, "is 3, expected 0 to 2, because A[L] has 3 rows"),
    (LABELS + 0.5, ShapeError, "expected one-hot columns"),
    (ONE_HOT * 2, ValueError, "Column 0, 0 of Y is"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("Y", "error", "message"), REFUSED, ids=[m.replace("…", "...") for *_, m in REFUSED]
)
@pytest.mark.parametrize("does", ["fit", "evaluate", "cost"])
def test_what_is_refused(does, Y, error, message):
    """Targets of the wrong length or kind are refused with both shapes."""
    net = model()
    net.forward(X)
    with raises(error, message):
        net.cost(Y) if does == "cost" else getattr(net, does)(X, Y)


TOKENS = RNG.integers(0, V, (T, 6))
IMAGES = np.zeros((6, 1, 5, 5))
AXES = [  # a model without `inputs`, X, Y, and the remedy for Y that the message names
    ("examples first", TOKENS, np.eye(V)[TOKENS.T], "Y.transpose(2, 1, 0)"),
    ("classes last", TOKENS, np.eye(V)[TOKENS], "Y.transpose(2, 0, 1)"),
    ("as in PyTorch", TOKENS, np.eye(V)[TOKENS].transpose(1, 2, 0), "Y.transpose(1, 2, 0)"),
]  # fmt: skip


def of_steps(sequences=True):
    """Return a model that reads tokens."""
    layers = [tn.Embedding(V, 4), tn.SimpleRNN(5, sequences), Dense(V, "softmax")]
    return Sequential(layers, "categorical_crossentropy", dtype="float64", seed=1)


@pytest.mark.parametrize(("X", "Y", "remedy"), [row[1:] for row in AXES], ids=[a for a, *_ in AXES])
def test_targets_with_their_axes_in_another_order(X, Y, remedy):
    """The message names the transposition, and it gives the targets that were meant."""
    with raises(ShapeError, f"Its axes look to be in another order: pass {remedy}."):
        of_steps().fit(X, Y)
    axes = tuple(int(n) for n in remedy if n.isdigit())
    expected = of_steps().fit(X, TOKENS)["loss"]
    np.testing.assert_array_equal(expected, of_steps().fit(X, Y.transpose(axes))["loss"])


def test_an_output_at_each_step_or_one():
    """A recurrent layer that gives the other of the two is named."""
    with raises(ShapeError, "For an output at each step, use sequences=True"):
        of_steps(sequences=False).fit(TOKENS, TOKENS)
    with raises(ShapeError, "Put Flatten() … or leave out sequences=True"):
        of_steps().fit(TOKENS, TOKENS[0])
    with raises(ShapeError, "For an output at each step, use sequences=True"):
        Sequential([tn.SimpleRNN(1)], "mean_squared_error").fit(X, X[0])
    of_steps().fit(TOKENS, TOKENS)
    of_steps(sequences=False).fit(TOKENS, TOKENS[0])


def test_images_with_the_examples_first():
    """The message says how to move their axes, and not X.T, which would mirror them."""
    model = Sequential([tn.GlobalAveragePool(), Dense(1)], "mean_squared_error")
    with raises(ShapeError, "pass np.moveaxis(X, 0, -1) for images (m, C, H, W), or X.transpose"):
        model.fit(IMAGES, np.zeros(6))
    with raises(ShapeError, "X.transpose(3, 1, 2, 0) for (m, H, W, C), and Y.T."):
        model.fit(IMAGES, np.zeros((6, 1)))
    model.fit(np.moveaxis(IMAGES, 0, -1), np.zeros(6))


def test_a_kernel_of_another_library():
    """The message names the transposition of a kernel (kh, kw, C, units)."""
    model = Sequential([tn.Conv2D(8, 3)], inputs=(2, 5, 5))
    kernel = RNG.standard_normal((3, 3, 2, 8))
    with raises(ShapeError, "add .transpose(3, 2, 0, 1)"):
        model.W[1] = kernel
    model.W[1] = kernel.transpose(3, 2, 0, 1)


def test_no_class_weights_for_positions():
    """Classes of positions are not classes of examples: sample weights are what there is."""
    with raises(ValueError, "class_weight needs labels", "Use sample_weight"):
        model().fit(X, LABELS, class_weight="balanced")
