"""Metrics: by hand, against scikit-learn and plain loops; refused in words; checked; by name."""

import contextlib
import math
from functools import partial
from operator import itemgetter

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet import Metric, metrics
from tinynet.errors import ShapeError, UnknownNameError
from tinynet.metrics import BinaryAccuracy, TopKAccuracy, is_known, resolve, top_k_accuracy

OF_CLASSES = ["accuracy", "precision", "recall", "f1"]
OF_ENTRIES = ["mean_absolute_error", "mean_squared_error", "r2"]
OF_SCORES = ["roc_auc", "log_loss"]
TOP = "top_k_accuracy"  # the only one that takes several outputs, and no single one
NAMES = [
    *OF_CLASSES, "balanced_accuracy", *OF_SCORES, *OF_ENTRIES, "root_mean_squared_error", TOP,
    "binary_accuracy",
]  # fmt: skip
MANY = settings(max_examples=100, deadline=None, derandomize=True)


def one_hot(classes, n):
    return (np.arange(n)[:, np.newaxis] == classes).astype(float)


# Six examples of three classes; one of class 0, one of class 1 and one of class 2 are mistaken.
TRUE, PREDICTED = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 0, 2, 1])
THREE = 0.1 + 0.8 * one_hot(PREDICTED, 3)
# One output: two of three yes are found, with one false alarm.
YES, ONE = np.array([[1, 1, 1, 0, 0]]), np.array([[0.9, 0.7, 0.2, 0.6, 0.1]])
NEVER = np.full((1, 5), 0.5)  # is not above 0.5
RANKED = np.array([[0.4, 0.1], [0.3, 0.2], [0.2, 0.3], [0.1, 0.4]])  # first to last, and back
TIED = np.full((4, 4), 0.25)
PAIRS, SURE = np.array([[1, 0, 1], [0, 0, 1]]), [[0.9, 0.8, 0.5], [0.1, 0.2, 0.6]]  # two yes or no
NUMBERS = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 6.0]])
GUESSED = np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 3.0]])

BY_HAND = [
    (OF_CLASSES, TRUE, THREE, [
        3 / 6, (1 / 2 + 1 / 3 + 1) / 3, (1 / 2 + 1 / 2 + 1 / 2) / 3, (1 / 2 + 2 / 5 + 2 / 3) / 3,
    ]),
    (OF_CLASSES, YES, ONE, [3 / 5, 2 / 3, 2 / 3, 2 / 3]),
    (OF_CLASSES, YES, NEVER, [2 / 5, 0.0, 0.0, 0.0]),
    (OF_CLASSES, 0 * YES, ONE, [2 / 5, 0.0, 0.0, 0.0]),  # there is no yes
    (OF_CLASSES, 0 * YES, NEVER, [1.0, 0.0, 0.0, 0.0]),  # nor is one predicted: class 1 counts
    (OF_CLASSES, [[0.4, 0.5, 0.6]], [[0.1, 0.5, 0.9]], [1.0, 1.0, 1.0, 1.0]),  # probabilities
    # of ten classes only 0 and 1 occur: 0 is right once, and once taken for 1, which is never true
    (OF_CLASSES, [0, 0], one_hot([0, 1], 10), [1 / 2, 1 / 2, (1 / 2) / 2, (2 / 3) / 2]),
    (["accuracy"], [0, 1, 2, 3], TIED, [1 / 4]),  # of equal outputs the first
    (OF_CLASSES, [2], [[0.1], [0.2], [0.7]], [1.0, 1.0, 1.0, 1.0]),  # m = 1
    ([TopKAccuracy(k=1), TopKAccuracy(2)], [0, 0], RANKED, [1 / 2, 1 / 2]),
    ([TopKAccuracy(k=2), partial(top_k_accuracy, k=3)], [1, 1], RANKED, [1 / 2, 1.0]),
    ([TopKAccuracy(k=4)], [3, 0], RANKED, [1.0]),
    ([TopKAccuracy(k=1), TopKAccuracy(k=3)], [0, 1, 2, 3], TIED, [1 / 4, 3 / 4]),
    ([TopKAccuracy(k=2)], [0, 1], [[np.nan, np.nan], [1, 1], [0, np.nan]], [0.0]),  # NaN is ahead
    (TOP, [5, 4], np.arange(6, 0, -1).repeat(2).reshape(6, 2), [1 / 2]),  # k = 5
    (["binary_accuracy", BinaryAccuracy(threshold=0.85)], PAIRS, SURE, [4 / 6, 4 / 6]),
    (partial(metrics.binary_accuracy, threshold=-1), PAIRS, [[0, -2, 0], [-2, -2, 0]], [1.0]),
    (["balanced_accuracy"], [0, 0, 0, 1], [[0.1, 0.2, 0.7, 0.9]], [(2 / 3 + 1) / 2]),
    (["balanced_accuracy"], TRUE[:4], THREE[:, :4], [(1 / 2 + 1 / 2) / 2]),  # class 2 is not true
    (["roc_auc"], [0, 0, 1, 1], [[0.1, 0.4, 0.4, 0.8]], [(1 + 1 + 0.5 + 1) / 4]),  # a tie
    (["roc_auc"], TRUE[:4], THREE[:, :4], [(1 / 2 + 1 / 2) / 2]),  # class 2 has no area
    (["log_loss"], [1, 0], [[0.5, 0.75]], [(math.log(2) + math.log(4)) / 2]),
    (["log_loss"], [0, 1], [[0.5, 0.75], [0.5, 0.25]], [(math.log(2) + math.log(4)) / 2]),
    (["log_loss"], [1, 0], [[0.0, 0.0]], [-math.log(np.finfo(float).eps) / 2]),
    (["root_mean_squared_error"], NUMBERS, GUESSED, [(math.sqrt(1 / 3) + math.sqrt(13 / 3)) / 2]),
    (OF_ENTRIES, NUMBERS, GUESSED, [6 / 6, 14 / 6, ((1 - 1 / 2) + (1 - 13 / 24)) / 2]),
    (["r2"], NUMBERS, NUMBERS.mean(axis=1, keepdims=True).repeat(3, axis=1), [0.0]),
    (OF_ENTRIES, [[1, 2]], [[2, 1]], [1.0, 1.0, -3.0]),
    (["r2"], [[0.1, 0.1, 0.1]], [[0.1, 0.1, 0.1]], [1.0]),  # its mean is not exactly 0.1
    (["r2"], [[0.1, 0.1, 0.1]], [[0.1, 0.1, 0.2]], [0.0]),
    (["r2"], [[0, 0], [1, 2]], [[0, 0], [1, 2]], [1.0]),
    (OF_ENTRIES, [[3]], [[3]], [0.0, 0.0, 1.0]),  # m = 1
    (OF_ENTRIES, [[3]], [[4]], [1.0, 1.0, 0.0]),
    (OF_ENTRIES, np.uint8([[3, 1]]), np.uint8([[1, 3]]), [2.0, 4.0, -3.0]),  # no wrapping around
]  # fmt: skip


def test_every_metric_is_computed_by_hand():
    """Each metric has its name, and is computed by hand, also as a function with settings."""
    assert sorted(NAMES) == Metric.names()
    assert set(NAMES) == {name.split("(")[0] for row in BY_HAND for name in resolve(row[0])}
    assert all(getattr(metrics, name) == Metric.get(name) for name in NAMES)
    assert 0.5 == top_k_accuracy([1, 1], RANKED, k=2) == Metric.get(TOP, k=2)([1, 1], RANKED)
    assert 4 / 6 == metrics.binary_accuracy(PAIRS, SURE, threshold=0.85)


@pytest.mark.parametrize(("specs", "Y", "A", "expected"), BY_HAND)
def test_by_hand(specs, Y, A, expected):
    """Values that a hand computes; arrays, which may be read-only, or lists."""
    for array in (Y, A):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    actual = [metric(Y, A) for metric in resolve(specs).values()]
    assert {float} == set(map(type, actual))
    assert expected == pytest.approx(actual, rel=1e-14)


def by_loops(true, predicted, positive=None):
    """Return what the metrics of classes are by their definitions, one example after the other."""
    examples = list(zip(true, predicted, strict=True))
    scores = []
    for c in sorted({*true, *predicted}) if positive is None else [positive]:
        right = sum(t == p == c for t, p in examples)
        said, are = sum(p == c for _, p in examples), sum(t == c for t, _ in examples)
        P, R = right / said if said else 0.0, right / are if are else 0.0
        scores.append((P, R, 2 * P * R / (P + R) if right else 0.0))
    return [sum(t == p for t, p in examples) / len(examples), *np.mean(scores, axis=0)]


@st.composite
def classified(draw):
    """Return outputs of 1 to 7 rows, with many ties, and the class of each of 1 to 12 columns."""
    n, m = draw(st.integers(1, 7)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    A = rng.integers(0, 9, (n, m)) / 8
    return rng.integers(0, max(n, 2), m), A.astype(draw(st.sampled_from(["float32", "float64"])))


@MANY
@given(classified(), st.integers(1, 7))
def test_classes_agree_with_loops(drawn, k):
    """For any classes, also absent ones, labels of any form give the bits that columns give."""
    true, A = drawn
    n, functions = len(A), [getattr(metrics, name) for name in OF_CLASSES]
    largest = [max(range(n), key=column.__getitem__) for column in A.T]
    predicted = (A[0] > 0.5).astype(int).tolist() if n == 1 else largest
    actual = [function(true, A) for function in functions]
    assert by_loops(true.tolist(), predicted, 1 if n == 1 else None) == pytest.approx(actual)
    if n > 1:
        functions.append(top_k := TopKAccuracy(k=min(k, n)))
        ranked = [np.argsort(-column, kind="stable")[: top_k.k] for column in A.T]
        hits = np.mean([t in best for t, best in zip(true, ranked, strict=True)])
        assert hits == pytest.approx(top_k(true, A), rel=1e-14)
        assert actual[0] == top_k(true, A, k=1)
        assert 1.0 == top_k(true, A, k=n)
    columns = true[np.newaxis] if n == 1 else one_hot(true, n)
    of_labels = [true, true[np.newaxis], true.astype("uint8"), true.astype("uint64")]
    forms = [*of_labels, columns, columns.astype("float32"), columns.astype(bool)]
    for function in functions:
        assert 1 == len({function(Y, a) for Y in forms for a in (A, np.asfortranarray(A))})


@MANY
@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_numbers_agree_with_definitions(n, m, seed):
    """The errors and r2 are what their definitions say, and go by entries, of whatever shape."""
    Y, A = np.random.default_rng(seed).standard_normal((2, n, m))
    d = A - Y
    scores = [abs(d).sum() / (n * m), (d**2).sum() / (n * m)]
    scores.append(np.mean(1 - (d**2).mean(axis=1) / Y.var(axis=1)))
    for name, expected in zip(OF_ENTRIES, scores, strict=True):
        assert expected == pytest.approx(getattr(metrics, name)(Y, A), rel=1e-9)
        more_axes = getattr(metrics, name)(Y.reshape(1, n, m), A.reshape(1, n, m))
        assert expected == pytest.approx(more_axes, rel=1e-9)
    Y = np.rint(np.random.default_rng(seed).random((n, m)))
    hits = [Y[i, j] == (A[i, j] > 0.5) for i in range(n) for j in range(m)]
    assert sum(hits) / len(hits) == pytest.approx(metrics.binary_accuracy(Y, A), rel=1e-14)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_scikit_learn_agrees(seed, weighted):
    """Random data of 1 to 9 classes, some absent, several yes or no, and numbers; weights, too."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 10)), int(rng.integers(2, 30))
    A, w = rng.random((n, m)), rng.random(m) + 0.01 if weighted else None
    P, of_rows = A / A.sum(axis=0) if n > 1 else A, lambda A: A.T if n > 1 else A[0]
    true, classes = rng.integers(0, max(n, 2), m), range(max(n, 2))
    predicted, several, sure = metrics.labels(A), rng.integers(0, 2, (n, m)), A > 0.4
    Y, by_class = rng.standard_normal((n, m)), {"zero_division": 0.0}
    Y[0] = np.rint(8 * Y[0, 0]) if seed % 3 == 0 and not weighted else Y[0]  # with an exact mean
    multilabel, k = {"multilabel": True, "threshold": 0.4}, int(rng.integers(1, max(n, 2)))
    # scikit-learn's function, what it is given, ours, and what that is given
    cases = [
        ("accuracy_score", true, predicted, {}, "accuracy", true, A, {}),
        ("balanced_accuracy_score", true, predicted, {}, "balanced_accuracy", true, A, {}),
        ("confusion_matrix", true, predicted, {"labels": classes}, "confusion_matrix", true, A, {}),
        ("mean_absolute_error", Y.T, A.T, {}, "mean_absolute_error", Y, A, {}),
        ("mean_squared_error", Y.T, A.T, {}, "mean_squared_error", Y, A, {}),
        ("root_mean_squared_error", Y.T, A.T, {}, "root_mean_squared_error", Y, A, {}),
        ("r2_score", Y.T, A.T, {}, "r2", Y, A, {}),
    ]  # fmt: skip
    if n != 2:  # for which scikit-learn takes one column
        cases.append(("log_loss", true, of_rows(P), {"labels": classes}, "log_loss", true, P, {}))
    if set(true.tolist()) == set(classes) and n != 2:
        how = {"multi_class": "ovr"} if n > 1 else {}
        cases.append(("roc_auc_score", true, of_rows(P), how, "roc_auc", true, P, {}))
    if n > 2:
        how = {"k": k, "labels": classes}
        cases.append(("top_k_accuracy_score", true, A.T, how, TOP, true, A, {"k": k}))
    for name in OF_CLASSES[1:]:
        for average in ("auto", "macro", "micro", "weighted", "none"):
            how = by_class | {"average": None if average == "none" else average}
            if average == "auto":
                how["average"] = "binary" if n == 1 else "macro"
            if average == "none":
                how["labels"] = classes
            ours = {"average": average}
            cases.append((f"{name}_score", true, predicted, how, name, true, A, ours))
            if n > 1:
                how = {key: how[key] for key in ("zero_division", "average")}
                ours = ours | multilabel
                cases.append((f"{name}_score", several.T, sure.T, how, name, several, A, ours))
    if n > 1:
        args = several.T, sure.T, {}
        cases.append(("accuracy_score", *args, "accuracy", several, A, multilabel))
        cases.append(
            ("multilabel_confusion_matrix", *args, "confusion_matrix", several, A, multilabel)
        )
    for name, true_rows, predicted_rows, how, ours, *arrays, settings_ in cases:
        expected = getattr(sklearn, name)(true_rows, predicted_rows, sample_weight=w, **how)
        actual = getattr(metrics, ours)(*arrays, w, **settings_)
        np.testing.assert_allclose(expected, actual, rtol=1e-9, atol=1e-12, err_msg=f"{ours} {how}")


PADDED = np.array([1, 1, 1, 0.0])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {TOP}))
def test_padding_does_not_count(name):
    """An example of weight 0 counts for nothing; equal weights for as much as none."""
    metric, A = Metric.get(name), np.array([[0.1, 0.7, 0.6, 0.9]])
    Y = np.array([[0, 1, 0, 0]])
    expected = metric(Y[:, :3], A[:, :3])
    assert expected == pytest.approx(metric(Y, A, sample_weight=PADDED))
    assert expected == pytest.approx(metric(Y, A, 7 * PADDED))
    with pytest.raises(ValueError, match="All weights are 0"):
        metric(Y, A, 0 * PADDED)


def test_one_class_only():
    """An area is that of a class and another one: with one class only there is none."""
    assert math.isnan(metrics.roc_auc([1, 1], [[0.2, 0.9]]))
    assert 1.0 == metrics.roc_auc([[1, 0], [1, 1]], [[0.9, 0.2], [0.5, 0.2]], multilabel=True)


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("name", NAMES)
def test_float32_is_summed_in_float64(name, n):
    """In float32 and, the same numbers, in float64, results agree to the last digits of float64."""
    rng, n = np.random.default_rng(5), max(n, 5 if name == TOP else 1)
    Y = one_hot(rng.integers(0, n, 50_001), n).astype("float32")
    Y = Y if n > 1 else (rng.random((1, 50_001)) > 0.9).astype("float32")
    A = rng.random((n, 50_001), dtype="float32")
    A = np.maximum(A, 1e-3)  # so that no probability is rounded up to that of its dtype
    actual = Metric.get(name)(Y, A)
    assert Metric.get(name)(Y.astype(float), A.astype(float)) == pytest.approx(actual, rel=1e-13)


A35, A15, A53 = np.full((3, 5), 0.3), np.full((1, 5), 0.3), np.full((5, 3), 0.3)
CLASSES, ENTRIES = [*OF_CLASSES, *OF_SCORES, TOP], [*OF_ENTRIES, "binary_accuracy"]
WRONG_SHAPES = [
    (NAMES, np.zeros((5, 3)), A35, r"Y has shape \(5, 3\)", r"A\[L\], \(3, 5\)", r"Y\.T"),
    (NAMES, np.zeros((3, 4)), A35, r"Y has shape \(3, 4\)"),
    (NAMES, np.zeros((5, 1)), A15, r"Y has shape \(5, 1\)", r"Y\.T"),
    (NAMES, np.zeros(()), A15, r"Y has shape \(\)"),
    (NAMES, np.zeros((1, 1)), A15, r"Y has shape \(1, 1\)"),
    (NAMES, np.zeros((3, 1)), A35, r"Y has shape \(3, 1\)"),
    (NAMES, np.zeros(15), A35, r"Y has shape \(15,\)", r"Y\.reshape\(3, -1\)"),
    (NAMES, np.zeros(5), np.zeros(5), r"A has shape \(5,\)", r"\(n_L, m\)",
     r"Pass \(Y, A\) in this order, where A is model\.predict\(X\)"),
    (NAMES, np.zeros((3, 0)), np.zeros((3, 0)), r"A has shape \(3, 0\)", "at least one"),
    (CLASSES, np.zeros(4, int), A35, r"Y has shape \(4,\)", r"or integer labels \(5,\)"),
    (CLASSES, np.zeros(5), A35, r"dtype float64", r"Y\.astype\(int\)"),
    (CLASSES, np.zeros((3, 6), int), np.zeros((2, 3, 5)), r"Y has shape \(3, 6\).*\(3, 5\)"),
    (ENTRIES, np.zeros(5, int), A35, r"Y has shape \(5,\)"),
    (ENTRIES, np.zeros((1, 5)), A35, r"Y has shape \(1, 5\)"),
]  # fmt: skip
REFUSED = [
    ("accuracy", [0, 3, 1, 1, 1], A35, ValueError, "label.* 3", "example 1", "0 to 2"),
    ("f1", [0, -1, 1, 1, 1], A35, ValueError, "label.* -1", "example 1"),
    ("recall", [[0, 1, 1, 2, 0]], A15, ValueError, r"Y\[3\] is 2", "0 or 1"),
    ("accuracy", [[1, 1, -1, 1, 1]], A15, ValueError, r"Y\[2\] is -1", r"Pass \(Y \+ 1\) / 2"),
    ("accuracy", [[0.5, np.nan, 0, 0, 0]], A15, ValueError, r"Y\[1\] is nan"),
    ("binary_accuracy", PAIRS + 6.5, PAIRS, ValueError, r"Y\[0, 0\] is 7\.5", "mean_abs"),
    (TOP, [0, 1, 1, 1, 1], A35, ValueError, "k=5", "3 rows", r"TopKAccuracy\(k=2\)"),
    (TOP, [0, 1, 1, 1, 1], A15, ValueError, "expected several", 'Use "accuracy"'),
    (partial(top_k_accuracy, k=0), [0, 1, 2], A53, ValueError, "k is 0", "at least 1"),
    (partial(top_k_accuracy, k=2.0), [0, 1, 2], A53, TypeError, "k is 2.0, expected"),
    (partial(top_k_accuracy, 3), [0, 1, 2], A53, TypeError, "positional"),
    ("accuracy", ["cat"] * 5, A35, TypeError, "Y .*real numbers"),
    ("r2", A15, A15 * 1j, TypeError, "A .*real numbers"),
    ("accuracy", NUMBERS, GUESSED, ValueError, r"Column 1 of Y is \[2\. 0\.\]", '"r2"'),
    ("f1", PAIRS, SURE, ValueError, "Column 1 of Y", "pass multilabel=True"),
    ("balanced_accuracy", A35 - 1, A35, ValueError, "expected one class"),
    (partial(metrics.balanced_accuracy, multilabel=True), PAIRS, SURE, ValueError, 'Use "recall"'),
    (partial(metrics.f1, average="most"), [0, 1, 2], A53.T, ValueError, "'most'.*'macro'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "Y", "A", "error", "fragments"),
    [(*row[:4], row[4:]) for row in REFUSED]
    + [
        (TopKAccuracy(k=2) if name == TOP else name, Y, A, ShapeError, fragments)
        for names, Y, A, *fragments in WRONG_SHAPES
        for name in names
        if (name, len(A)) != (TOP, 1)
    ],
)
def test_refused(metric, Y, A, error, fragments):
    """Nothing is broadcast. What cannot be meant is refused, and the message says what to write."""
    with pytest.raises(error) as raised:
        next(iter(resolve(metric).values()))(Y, A)
    for fragment in fragments:
        raised.match(fragment)


def own(Y, A):
    return 0.25


ACCURACY, LOSS, TOP_3 = partial(own), partial(own), partial(top_k_accuracy, k=3)
ACCURACY.__name__, LOSS.__name__, TOP_3.__name__ = "accuracy", "loss", "top_3"
FOUND = [
    ((), []),
    ("accuracy", ["accuracy"]),
    (own, ["own"]),
    (["r2", own], ["r2", "own"]),
    ([{"name": TOP, "k": 2}], ["top_k_accuracy(k=2)"]),
    (["accuracy", metrics.accuracy, metrics.Accuracy()], ["accuracy"]),  # the same, and so once
    ([NAMES.count, NAMES.count], ["count"]),
    ([TopKAccuracy(k=3), partial(top_k_accuracy, k=3)], ["top_k_accuracy(k=3)"]),
    ([top_k_accuracy, TopKAccuracy(k=4), TOP_3], [TOP, "top_k_accuracy(k=4)", "top_3"]),
    (lambda Y, A: 0.0, ["<lambda>"]),
    (itemgetter(0), ["operator.itemgetter(0)"]),
    (partial(itemgetter(0)), ["operator.itemgetter(0)()"]),
    (partial(partial(own, 2, scale="log"), k=3), ["own(2, scale='log', k=3)"]),
]  # fmt: skip
NOT_FOUND = [
    ([lambda Y, A: 0.0, lambda Y, A: 1.0], ValueError, "names two .* __name__ of its own"),
    (["r2", partial(own), partial(own)], ValueError, r"'own\(\)' names two numbers"),
    (["accuracy", ACCURACY], ValueError, "'accuracy' names two numbers"),
    (LOSS, ValueError, "'loss' names two numbers"),
    (["accuracy", "acuracy"], UnknownNameError, "'acuracy'.* nearest first: accuracy, "),
    ("F1", UnknownNameError, "'F1'.* nearest first: f1, .*" + TOP),
    ("R2", UnknownNameError, "'R2'.* nearest first: r2, "),
    ("top_5_accuracy", UnknownNameError, "nearest first: top_k_accuracy, "),
    ([metrics.Accuracy], TypeError, r"Accuracy\(\)"),
    *(([spec], TypeError, "not the name, config or instance") for spec in (3, None, ["r2"], b"r2")),
]  # fmt: skip


def test_names_from_an_iterator():
    """Each name is read once."""
    assert ["f1", "accuracy"] == list(resolve(iter(["f1", "accuracy"])))


@pytest.mark.parametrize(("specs", "expected"), FOUND)
def test_names(specs, expected):
    """Names, instances and functions, several or one, are found under their names, in order."""
    found = resolve(specs)
    assert expected == list(found)
    assert all(map(callable, found.values()))
    for name, metric in found.items():
        assert is_known(name, metric) == (name in NAMES)


@pytest.mark.parametrize(("specs", "error", "message"), NOT_FOUND)
def test_names_that_are_refused(specs, error, message):
    """Two functions of one name, unknown names and other things are refused."""
    with pytest.raises(error, match=message):
        resolve(specs)
    assert is_known("accuracy", metrics.accuracy)
    assert not is_known("accuracy", ACCURACY)


# The check ---------------------------------------------------------------------------------


def of_yes(Y, A):
    """Return a metric of a single output."""
    if len(A) > 1:
        raise ValueError("one output only")
    return float(np.mean(A[Y == 1]) - np.mean(A[Y == 0]))


def error(Y, A):
    return np.abs(A - Y).max()


def spoil(Y, A):
    A -= Y
    return float(np.abs(A).mean())


def never_predicted(Y, A):
    return np.sum((A > 0.5) & (Y > 0.5)) / np.sum(A > 0.5)


FAULTS = [
    (error, False, None),
    (of_yes, True, None),
    (lambda Y, A: int(np.sum((A > 0.5) != (Y > 0.5))), False, None),
    (lambda Y, A: -np.sum(Y * np.log(np.maximum(A, 1e-9))), False, None),
    (error, True, "larger_is_better is True, expected False"),
    (of_yes, False, "larger_is_better is False, expected True"),
    (error, None, "larger_is_better is None, expected False"),
    (lambda Y, A: np.abs(A - Y), False, r"gives a ndarray, expected a number\..* a mean missing"),
    (lambda Y, A: None, True, r"gives a NoneType, expected a number\. Is a return"),
    (never_predicted, True, "gives nan for .* where A is 0.25.*Return 0 for 0 / 0"),
    (lambda Y, A: np.mean(Y * np.log(A)), True, "gives nan for .* where A is Y"),
    (spoil, False, "writes into A"),
    (lambda Y, A: float(A[0, 0] - Y[0, 0]), True, "when the examples have another order"),
    (lambda Y, A: float(np.abs(A - Y).ravel("K")[3]), False, "when the examples|in memory"),
    (lambda Y, A: error(Y, A) + np.random.default_rng().random(), False, "gives .*, and .* when"),
    (lambda Y, A: 1.0 if A > 0.5 else 0.0, True, "takes no data.*truth value"),
    (lambda Y, A: np.nan, True, "takes no data. .*it measures nan"),
]  # fmt: skip


@pytest.mark.parametrize(("measure", "larger", "message"), FAULTS)
def test_faults_are_found(measure, larger, message):
    """A custom metric is three lines; the check passes it, or says what is wrong."""

    class Own(Metric):
        larger_is_better = larger

        def measure(self, Y, A):
            return measure(Y, A)

    assert is_known("own", Metric.get("own"))
    with pytest.raises(AssertionError, match=message) if message else contextlib.nullcontext():
        tn.testing.check_metric(Own())


def test_a_metric_with_settings():
    """Settings are fields: a call, a name in a history and a config know them."""

    @attrs.frozen
    class Within(Metric):
        larger_is_better = True
        tolerance: float
        scale: float = 1.0

        def measure(self, Y, A):
            return np.mean(np.abs(A - Y) < self.tolerance * self.scale)

    metric = Metric.get("within", tolerance=1.5)
    tn.testing.check_metric(metric)
    assert [4 / 6, 1.0] == [metric(NUMBERS, GUESSED), metric(NUMBERS, GUESSED, scale=9)]
    assert ["within(tolerance=1.5)"] == list(resolve(metric))
    assert not is_known("within(tolerance=1.5)", metric)


def test_a_metric_that_fits_the_training_data_alone():
    """It is refused before the first step, as one that fits no data is."""
    X = np.random.default_rng(1).standard_normal((2, 6))
    model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=2, seed=1)
    before = model.params.copy()
    with pytest.raises(ValueError, match=r"^In validation_data: Y\[1\] is 2.5, expected 0 or 1"):
        model.fit(X, np.ones(6), metrics=["accuracy"], validation_data=(X[:, :2], [1, 2.5]))
    np.testing.assert_array_equal(before, model.params)
