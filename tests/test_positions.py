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


@pytest.mark.parametrize(("Y", "error", "message"), REFUSED, ids=[m for *_, m in REFUSED])
@pytest.mark.parametrize("does", ["fit", "evaluate", "cost"])
def test_what_is_refused(does, Y, error, message):
    """Targets of the wrong length or kind are refused with both shapes."""
    net = model()
    net.forward(X)
    with raises(error, message):
        net.cost(Y) if does == "cost" else getattr(net, does)(X, Y)


def test_no_class_weights_for_positions():
    """Classes of positions are not classes of examples: sample weights are what there is."""
    with raises(ValueError, "class_weight needs labels", "Use sample_weight"):
        model().fit(X, LABELS, class_weight="balanced")
