"""Metrics: by hand, against scikit-learn where it is installed and against plain loops, and refused in words."""

# ruff: noqa: SIM300 (asserts here say expected == actual)

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet import Dense, Sequential, metrics
from tinynet.errors import ShapeError, UnknownNameError
from tinynet.metrics import measures, top_k_accuracy

OF_CLASSES = ["accuracy", "precision", "recall", "f1"]
OF_ENTRIES = ["mean_absolute_error", "mean_squared_error", "r2"]
TOP = "top_k_accuracy"  # the only one that takes several outputs, and no single one
NAMES = [*OF_CLASSES, *OF_ENTRIES, TOP, "binary_accuracy"]
MANY = settings(max_examples=100, deadline=None, derandomize=True)


def named(name):
    return measures(name)[name]


def one_hot(classes, n):
    return (np.arange(n)[:, np.newaxis] == classes).astype(float)


# Six examples of three classes; one of class 0, one of class 1 and one of class 2 are taken for another.
TRUE, PREDICTED = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 0, 2, 1])
THREE = 0.1 + 0.8 * one_hot(PREDICTED, 3)
# One output: two of three yes are found, with one false alarm.
YES, ONE = np.array([[1, 1, 1, 0, 0]]), np.array([[0.9, 0.7, 0.2, 0.6, 0.1]])
NEVER = np.full((1, 5), 0.5)  # is not above 0.5
RANKED = np.array(
    [[0.4, 0.1], [0.3, 0.2], [0.2, 0.3], [0.1, 0.4]]
)  # from the first to the last, and back
TIED = np.full((4, 4), 0.25)
PAIRS = np.array([[1, 0, 1], [0, 0, 1]])  # two outputs, each a yes or no
NUMBERS, GUESSED = (
    np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 6.0]]),
    np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 3.0]]),
)

BY_HAND = [
    ("accuracy", TRUE, THREE, 3 / 6),
    ("precision", TRUE, THREE, (1 / 2 + 1 / 3 + 1) / 3),
    ("recall", TRUE, THREE, (1 / 2 + 1 / 2 + 1 / 2) / 3),
    ("f1", TRUE, THREE, (1 / 2 + 2 / 5 + 2 / 3) / 3),
    ("accuracy", YES, ONE, 3 / 5),
    ("precision", YES, ONE, 2 / 3),
    ("recall", YES, ONE, 2 / 3),
    ("f1", YES, ONE, 2 / 3),
    ("precision", YES, NEVER, 0.0),
    ("recall", YES, NEVER, 0.0),
    ("f1", YES, NEVER, 0.0),
    ("recall", 0 * YES, ONE, 0.0),  # there is no yes
    ("f1", 0 * YES, NEVER, 0.0),  # nor is one predicted, and still class 1 is what is asked for
    ("accuracy", 0 * YES, NEVER, 1.0),
    ("accuracy", [[0.4, 0.5, 0.6]], [[0.1, 0.5, 0.9]], 1.0),  # Y may be a probability
    # of ten classes only 0 and 1 occur: 0 is right once, and once taken for 1, which is never true
    ("precision", [0, 0], one_hot([0, 1], 10), (1 + 0) / 2),
    ("recall", [0, 0], one_hot([0, 1], 10), (1 / 2 + 0) / 2),
    ("f1", [0, 0], one_hot([0, 1], 10), (2 / 3 + 0) / 2),
    ("accuracy", [0, 1, 2, 3], TIED, 1 / 4),  # of equal outputs the first
    ("accuracy", [2], [[0.1], [0.2], [0.7]], 1.0),  # m = 1
    ("f1", [2], [[0.1], [0.2], [0.7]], 1.0),
    (partial(top_k_accuracy, k=1), [0, 0], RANKED, 1 / 2),
    (partial(top_k_accuracy, k=2), [1, 1], RANKED, 1 / 2),
    (partial(top_k_accuracy, k=3), [1, 1], RANKED, 1.0),
    (partial(top_k_accuracy, k=4), [3, 0], RANKED, 1.0),
    (partial(top_k_accuracy, k=1), [0, 1, 2, 3], TIED, 1 / 4),
    (partial(top_k_accuracy, k=3), [0, 1, 2, 3], TIED, 3 / 4),
    (partial(top_k_accuracy, k=2), [0, 1], [[np.nan, np.nan], [1, 1], [0, np.nan]], 0.0),  # NaN is ahead of numbers
    ("top_k_accuracy", [5, 4], np.arange(6, 0, -1).repeat(2).reshape(6, 2), 1 / 2),  # k = 5
    ("binary_accuracy", PAIRS, [[0.9, 0.8, 0.5], [0.1, 0.2, 0.6]], 4 / 6),
    (partial(metrics.binary_accuracy, threshold=0.85), PAIRS, [[0.9, 0.8, 0.5], [0.1, 0.2, 0.6]], 4 / 6),
    (partial(metrics.binary_accuracy, threshold=-1), PAIRS, [[0, -2, 0], [-2, -2, 0]], 1.0),
    ("mean_absolute_error", NUMBERS, GUESSED, (1 + 2 + 3) / 6),
    ("mean_squared_error", NUMBERS, GUESSED, (1 + 4 + 9) / 6),
    ("r2", NUMBERS, GUESSED, ((1 - 1 / 2) + (1 - 13 / 24)) / 2),
    ("r2", NUMBERS, NUMBERS.mean(axis=1, keepdims=True).repeat(3, axis=1), 0.0),
    ("r2", [[1, 2]], [[2, 1]], -3.0),
    ("r2", [[0.1, 0.1, 0.1]], [[0.1, 0.1, 0.1]], 1.0),  # a constant Y; the mean of it is not exactly 0.1
    ("r2", [[0.1, 0.1, 0.1]], [[0.1, 0.1, 0.2]], 0.0),
    ("r2", [[0, 0], [1, 2]], [[0, 0], [1, 2]], 1.0),
    ("r2", [[3]], [[3]], 1.0),  # m = 1
    ("r2", [[3]], [[4]], 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "Y", "A", "expected"), BY_HAND)
def test_by_hand(metric, Y, A, expected):
    """Values that a hand computes; arrays or lists."""
    (function,) = measures(metric).values()
    actual = function(Y, A)
    assert type(actual) is float
    assert expected == pytest.approx(actual, rel=1e-14)


def test_every_metric_is_computed_by_hand():
    """No metric is known by name that the tests leave out."""
    assert sorted(NAMES) == sorted(metrics._KNOWN)
    assert set(NAMES) == {getattr(metric, "func", named(metric) if isinstance(metric, str) else None).__name__
                          for metric, *_ in BY_HAND}  # fmt: skip


def by_loops(true, predicted, positive=None):
    """Return what the metrics of classes are by their definitions, one example after the other."""
    examples = list(zip(true, predicted, strict=True))
    scores = []
    for c in sorted({*true, *predicted}) if positive is None else [positive]:
        right = sum(t == p == c for t, p in examples)
        said, are = sum(p == c for _, p in examples), sum(t == c for t, _ in examples)
        P, R = right / said if said else 0.0, right / are if are else 0.0
        scores.append((P, R, 2 * P * R / (P + R) if right else 0.0))
    accuracy = sum(t == p for t, p in examples) / len(examples)
    return dict(zip(OF_CLASSES, [accuracy, *np.mean(scores, axis=0)], strict=True))


@st.composite
def classified(draw, least=1):
    """Return outputs of `least` to 7 rows, with many ties, and the class of each of 1 to 12 columns."""
    n, m, seed = (
        draw(st.integers(least, 7)),
        draw(st.integers(1, 12)),
        draw(st.integers(0, 2**32 - 1)),
    )
    rng = np.random.default_rng(seed)
    A = rng.integers(0, 9, (n, m)) / 8
    return rng.integers(0, max(n, 2), m), A.astype(draw(st.sampled_from(["float32", "float64"])))


@MANY
@given(classified())
def test_classes_agree_with_loops(given):
    """Whatever the classes, also some that do not occur."""
    true, A = given
    one = len(A) == 1
    predicted = [
        int(column[0] > 0.5) if one else max(range(len(A)), key=column.__getitem__)
        for column in A.T
    ]
    expected = by_loops(true.tolist(), predicted, positive=1 if one else None)
    assert expected == pytest.approx({name: named(name)(true, A) for name in OF_CLASSES}, rel=1e-12)


@MANY
@given(classified())
def test_labels_are_columns(given):
    """Labels, flat or a row, of any integer dtype, give to the bit what columns give, in whatever order of memory."""
    true, A = given
    columns = true[np.newaxis] if len(A) == 1 else one_hot(true, len(A))
    of_labels = [true, true[np.newaxis], true.astype("uint8"), true.astype("uint64")]
    forms = [*of_labels, columns, columns.astype("float32"), columns.astype(bool)]
    functions = [
        *map(named, OF_CLASSES),
        *([partial(top_k_accuracy, k=1 + len(A) // 2)] if len(A) > 1 else []),
    ]
    for function in functions:
        assert (
            len({function(Y, outputs) for Y in forms for outputs in (A, np.asfortranarray(A))}) == 1
        )


@MANY
@given(classified(least=2), st.integers(1, 7))
def test_top_k_agrees_with_sorting(given, k):
    """The k largest of a stable sort; one of them is accuracy, all of them is all."""
    true, A = given
    k = min(k, len(A))
    expected = np.mean(
        [t in np.argsort(-column, kind="stable")[:k] for t, column in zip(true, A.T, strict=True)]
    )
    assert expected == pytest.approx(top_k_accuracy(true, A, k=k), rel=1e-14)
    assert named("accuracy")(true, A) == top_k_accuracy(true, A, k=1)
    assert top_k_accuracy(true, A, k=len(A)) == 1.0


@MANY
@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_numbers_agree_with_definitions(n, m, seed):
    """The errors and r2 are what their definitions say, and do not change with the order of the examples."""
    rng = np.random.default_rng(seed)
    Y, A = rng.standard_normal((2, n, m))
    d = A - Y
    expected = [
        abs(d).sum() / (n * m),
        (d**2).sum() / (n * m),
        np.mean(1 - (d**2).mean(axis=1) / Y.var(axis=1)),
    ]
    order = rng.permutation(m)
    for function, value in zip(map(named, OF_ENTRIES), expected, strict=True):
        assert value == pytest.approx(function(Y, A), rel=1e-9)
        assert value == pytest.approx(function(Y[:, order], A[:, order]), rel=1e-9)
    Y = np.rint(rng.random((n, m)))
    hits = [Y[i, j] == (A[i, j] > 0.5) for i in range(n) for j in range(m)]
    assert sum(hits) / len(hits) == pytest.approx(named("binary_accuracy")(Y, A), rel=1e-14)


@pytest.mark.parametrize("seed", range(30))
def test_scikit_learn_agrees(seed):
    """Random data of 1 to 9 classes, with classes that do not occur, and numbers, with a constant output."""
    judge = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 10), rng.integers(2, 30)
    A, true = rng.random((n, m)), rng.integers(0, max(n, 2), m)
    predicted = metrics.labels(A)
    how = {"average": "binary" if n == 1 else "macro", "zero_division": 0.0}
    assert judge.accuracy_score(true, predicted) == pytest.approx(named("accuracy")(true, A))
    for name in ("precision", "recall", "f1"):
        assert getattr(judge, f"{name}_score")(true, predicted, **how) == pytest.approx(
            named(name)(true, A)
        )
    if n > 2:
        k = int(rng.integers(1, n))
        expected = judge.top_k_accuracy_score(true, A.T, k=k, labels=range(n))
        assert expected == pytest.approx(top_k_accuracy(true, A, k=k))
    Y = rng.standard_normal((n, m))
    Y[0] = Y[0, 0] if seed % 3 == 0 else Y[0]
    A[0] = Y[0] if seed % 2 == 0 else A[0]
    Y[0], A[0] = (
        np.rint(8 * Y[0]),
        np.rint(8 * A[0]),
    )  # the mean of a constant is exact there, and so is its spread
    for name, other in zip(
        OF_ENTRIES, ("mean_absolute_error", "mean_squared_error", "r2_score"), strict=True
    ):
        assert getattr(judge, other)(Y.T, A.T) == pytest.approx(named(name)(Y, A))


@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name in NAMES for n in (1, 6) if (name, n) != (TOP, 1)]
)
def test_float32_is_summed_in_float64(name, n):
    """Judged in float32 or, the same numbers, in float64, the results agree to the last digits of float64."""
    rng = np.random.default_rng(5)
    Y, A = (
        (rng.random((n, 50_001)) > 0.9).astype("float32"),
        rng.random((n, 50_001), dtype="float32"),
    )
    actual = named(name)(Y, A)
    assert named(name)(Y.astype(float), A.astype(float)) == pytest.approx(actual, rel=1e-13)


def test_unsigned_numbers_do_not_wrap():
    """The difference of two unsigned numbers may be negative."""
    Y, A = np.array([[3, 1]], dtype="uint8"), np.array([[1, 3]], dtype="uint8")
    assert [2.0, 4.0, -3.0] == [named(name)(Y, A) for name in OF_ENTRIES]


def test_more_axes():
    """Numbers of any shape are judged, entry by entry."""
    Y, A = np.random.default_rng(3).random((2, 4, 3, 5))
    for name in OF_ENTRIES:
        assert named(name)(Y.reshape(12, 5), A.reshape(12, 5)) == pytest.approx(
            named(name)(Y, A), rel=1e-13
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written(name):
    """Y and A are left as they are; read-only ones do."""
    Y, A = one_hot(np.arange(6), 6), np.random.default_rng(2).random((6, 6))
    kept = Y.copy(), A.copy()
    Y.flags.writeable = A.flags.writeable = False
    named(name)(Y, A)
    np.testing.assert_array_equal(kept, (Y, A))


def _shapes(names, *rows):
    return [(name, *row) for name in names for row in rows]


A35, A15, A53 = np.full((3, 5), 0.3), np.full((1, 5), 0.3), np.full((5, 3), 0.3)
MISFITS = [
    *_shapes(
        NAMES,
        (
            np.zeros((5, 3)),
            A35,
            r"Y has shape \(5, 3\); needed is that of A\[L\], \(3, 5\)",
            r"write Y\.T",
        ),
        (np.zeros((3, 4)), A35, r"Y has shape \(3, 4\)"),
        (np.zeros((5, 1)), A15, r"Y has shape \(5, 1\)", r"write Y\.T"),
        (np.zeros(()), A15, r"Y has shape \(\)"),
        (np.zeros((1, 1)), A15, r"Y has shape \(1, 1\)"),
        (np.zeros((3, 1)), A35, r"Y has shape \(3, 1\)"),
        (np.zeros(15), A35, r"Y has shape \(15,\)", r"write Y\.reshape\(3, -1\)"),
        (np.zeros(5), np.zeros(5), r"A has shape \(5,\)", r"\(n_L, m\)"),
        (np.zeros((3, 0)), np.zeros((3, 0)), r"A has shape \(3, 0\)", "at least one"),
    ),
    *_shapes(
        [*OF_CLASSES, TOP],
        (np.zeros(4, int), A35, r"Y has shape \(4,\)", r"or integer labels \(5,\)"),
        (np.zeros(5), A35, r"dtype float64", r"Y\.astype\(int\)"),
        (np.zeros((2, 3, 5)), np.zeros((2, 3, 5)), r"A has shape \(2, 3, 5\)"),
    ),
    *_shapes(
        [*OF_ENTRIES, "binary_accuracy"],
        (np.zeros(5), A15, r"Y has shape \(5,\)", r"write Y\.reshape\(1, -1\)"),
        (np.zeros(5, int), A35, r"Y has shape \(5,\)"),
        (np.zeros((1, 5)), A35, r"Y has shape \(1, 5\)"),
    ),
]


@pytest.mark.parametrize(
    ("name", "Y", "A", "told"),
    [(name, Y, A, told) for name, Y, A, *told in MISFITS if (name, len(A)) != (TOP, 1)],
)
def test_shapes_that_do_not_fit(name, Y, A, told):
    """Nothing is broadcast: the message says what Y is, and what it has to be."""
    function = partial(top_k_accuracy, k=2) if name == TOP else named(name)
    with pytest.raises(ShapeError) as raised:
        function(Y, A)
    for fragment in told:
        raised.match(fragment)


REFUSED = [
    ("accuracy", [0, 3, 1, 1, 1], A35, ValueError, "label 3 of example 1", "0 to 2"),
    ("f1", [0, -1, 1, 1, 1], A35, ValueError, "label -1 of example 1"),
    ("recall", [[0, 1, 1, 2, 0]], A15, ValueError, r"Y\[3\] is 2", "0 or 1"),
    ("accuracy", [[1, 1, -1, 1, 1]], A15, ValueError, r"Y\[2\] is -1", r"write \(Y \+ 1\) / 2"),
    ("accuracy", [[0.5, np.nan, 0, 0, 0]], A15, ValueError, r"Y\[1\] is nan"),
    (
        "binary_accuracy",
        [[1, 0], [1, 7.5]],
        [[1, 0], [1, 0]],
        ValueError,
        r"Y\[1, 1\] is 7\.5",
        "mean_absolute_error",
    ),
    (
        "top_k_accuracy",
        [0, 1, 1, 1, 1],
        A35,
        ValueError,
        "k=5",
        "3 rows",
        r"functools\.partial\(.*k=2\)",
    ),
    ("top_k_accuracy", [0, 1, 1, 1, 1], A15, ValueError, "several classes", 'write "accuracy"'),
    (partial(top_k_accuracy, k=0), [0, 1, 2], A53, ValueError, "k is 0", "at least 1"),
    (
        partial(top_k_accuracy, k=2.0),
        [0, 1, 2],
        A53,
        TypeError,
        "k is 2.0, expected a whole number",
    ),
    ("accuracy", ["cat"] * 5, A35, TypeError, "Y must hold real numbers"),
    ("r2", A15, A15 * 1j, TypeError, "A must hold real numbers"),
]


@pytest.mark.parametrize(
    ("metric", "Y", "A", "error", "told"), [(*row[:4], row[4:]) for row in REFUSED]
)
def test_refused(metric, Y, A, error, told):
    """What cannot be meant is refused, and the message says what to write."""
    (function,) = measures(metric).values()
    with pytest.raises(error) as raised:
        function(Y, A)
    for fragment in told:
        raised.match(fragment)


def _own(Y, A):
    return 0.25


class _Weighted:
    def __call__(self, Y, A):
        return 1.0

    def __repr__(self):
        return "Weighted()"

    def error(self, Y, A):
        return 0.0


_weighted = _Weighted()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), []),
        ("accuracy", ["accuracy"]),
        (_own, ["_own"]),
        (["r2", _own], ["r2", "_own"]),
        (iter(["f1", "accuracy"]), ["f1", "accuracy"]),
        (["accuracy", metrics.accuracy, "accuracy"], ["accuracy"]),  # the same, and so once
        ([_weighted.error, _weighted.error], ["error"]),
        (lambda Y, A: 0.0, ["<lambda>"]),
        (_weighted, ["Weighted()"]),
        (partial(_weighted), ["Weighted()()"]),
        (
            [top_k_accuracy, partial(top_k_accuracy, k=3), partial(top_k_accuracy, k=4)],
            ["top_k_accuracy", "top_k_accuracy(k=3)", "top_k_accuracy(k=4)"],
        ),
        (partial(partial(_own, 2, scale="log"), k=3), ["_own(2, scale='log', k=3)"]),
    ],
)
def test_names(given, expected):
    """Names and functions, several or one alone, are found under their names, in order."""
    found = measures(given)
    assert expected == list(found)
    assert all(map(callable, found.values()))


def test_a_partial_with_a_name():
    """A name that somebody gave to a partial is its name."""
    third = partial(top_k_accuracy, k=3)
    third.__name__ = "top_3"
    assert {"top_3": third} == measures(third)


@pytest.mark.parametrize(
    "given",
    [
        [partial(top_k_accuracy, k=3), partial(top_k_accuracy, k=3)],
        [lambda Y, A: 0.0, lambda Y, A: 1.0],
        ["r2", partial(_own), partial(_own)],
    ],
)
def test_one_name_for_two(given):
    """Two functions of one name are refused, for one would hide the other."""
    with pytest.raises(
        ValueError, match=r"names two numbers of a history; give .* a __name__ of its own"
    ):
        measures(given)


def test_names_that_are_taken():
    """A function cannot take the name of a built-in one that is used too, or of the loss."""

    def accuracy(Y, A):
        return 0.0

    def loss(Y, A):
        return 0.0

    assert {"accuracy": accuracy} == measures(accuracy)
    with pytest.raises(ValueError, match="'accuracy' names two numbers"):
        measures(["accuracy", accuracy])
    with pytest.raises(ValueError, match="'loss' names two numbers"):
        measures(loss)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("acuracy", "accuracy"), ("F1", "f1"), ("R2", "r2"), ("top_5_accuracy", "top_k_accuracy")],
)
def test_unknown_names(name, nearest):
    """An unknown name lists all that are known, nearest first."""
    with pytest.raises(
        UnknownNameError, match=rf"'{name}'; known, nearest first: {nearest}, "
    ) as raised:
        measures(["accuracy", name])
    assert all(known in str(raised.value) for known in NAMES)


@pytest.mark.parametrize("given", [[3], [None], [["accuracy"]], [b"r2"]])
def test_neither_name_nor_function(given):
    """Something else is refused, hashable or not."""
    with pytest.raises(TypeError, match=r"a name or a function \(Y, A\) -> float; got"):
        measures(given)


def test_fit_and_evaluate():
    """All that suit a network are in its history and its judgement, under their names."""
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((3, 20)), rng.integers(0, 6, 20)
    model = Sequential([Dense(6, "softmax")], "categorical_crossentropy", inputs=3, seed=1)
    history = model.fit(
        X, y, epochs=2, batch_size=8, validation_data=(X, y), metrics=[*NAMES, _own]
    )
    assert {
        "loss",
        "val_loss",
        *NAMES,
        "_own",
        *(f"val_{name}" for name in [*NAMES, "_own"]),
    } == set(history)
    judged = model.evaluate(X, y, metrics=NAMES)
    A = model.predict(X)
    for name in OF_CLASSES:
        assert named(name)(y, A) == judged[name] == history[f"val_{name}"][-1]
