"""The data that ships with the package, and the shapes in the plane."""

from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet.data.datasets import load_digits, make_circles, make_moons, make_spirals

MAKERS = [make_circles, make_moons, make_spirals]
ZERO = """
    0  0  5 13  9  1  0  0
    0  0 13 15 10 15  5  0
    0  3 15  2  0 11  8  0
    0  4 12  0  0  8  8  0
    0  5  8  0  0  9  8  0
    0  4 11  0  1 12  7  0
    0  2 14  5 10 12  0  0
    0  0  6 13 10  0  0  0
"""


def test_digits():
    """There are 1,797 images as columns of sixteenths; the first is the 0 of the published data."""
    digits = tn.load_digits()
    X, y = digits
    assert X is digits.X
    assert y is digits.y
    assert (X.shape, y.shape) == ((64, 1797), (1797,))
    assert (np.dtype(np.float64), "i") == (X.dtype, y.dtype.kind)
    assert (X.min(), X.max()) == (0, 1)
    np.testing.assert_array_equal(np.rint(16 * X), 16 * X)
    assert [178, 182, 177, 183, 181, 182, 181, 179, 174, 180] == np.bincount(y).tolist()
    np.testing.assert_array_equal(np.array(ZERO.split(), float), 16 * X[:, 0])
    np.testing.assert_array_equal(np.arange(10), y[:10])
    X[:] = 7  # the next caller gets arrays of its own
    assert load_digits().X.max() == 1


def test_digits_split():
    """The split is fixed, disjoint and complete, and holds out a fifth of each digit."""
    digits = load_digits()
    assert (digits.X_train.shape, digits.y_train.shape) == ((64, 1433), (1433,))
    assert (digits.X_test.shape, digits.y_test.shape) == ((64, 364), (364,))
    assert (bool, (1797,)) == (digits.test.dtype, digits.test.shape)
    np.testing.assert_array_equal(digits.X[:, digits.test], digits.X_test)
    np.testing.assert_array_equal(digits.y[~digits.test], digits.y_train)
    counts, held_out = np.bincount(digits.y), np.bincount(digits.y_test)
    np.testing.assert_array_equal(-(-counts // 5), held_out)
    np.testing.assert_array_equal(counts - held_out, np.bincount(digits.y_train))
    np.testing.assert_array_equal(digits.test, load_digits().test)
    train, test = ({x.tobytes() for x in part.T} for part in (digits.X_train, digits.X_test))
    assert not train & test, "an image that is held out is trained on"


def test_digits_file():
    """The file is small, compressed, free of pickle, and its licence lies beside it."""
    folder = Path(tn.__file__).parent / "data"
    assert (folder / "digits.npz").stat().st_size < 80_000
    with np.load(folder / "digits.npz", allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "iu" for name in file.files)
    licence = (folder / "LICENSE.txt").read_text(encoding="utf-8")
    for needed in ("CC BY 4.0", "Alpaydin", "10.24432/C50P49"):
        assert needed in licence
        assert needed in load_digits.__doc__


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("m", [1, 2, 3, 7, 40, 100, 301])
def test_shapes_in_the_plane(make, m):
    """Points are columns, labels a row of 0 and 1, half of each; a seed gives the same points."""
    X, Y = make(m, seed=1)
    assert ((2, m), (1, m)) == (X.shape, Y.shape)
    assert (np.dtype(np.float64), "i") == (X.dtype, Y.dtype.kind)
    assert np.isfinite(X).all()
    assert np.bincount(Y[0], minlength=2).tolist() == [m - m // 2, m // 2]
    for seed in (1, np.random.default_rng(1)):
        for expected, again in zip((X, Y), make(m, seed=seed), strict=True):
            np.testing.assert_array_equal(expected, again, strict=True)
    assert not np.array_equal(X, make(m, seed=2)[0])
    np.testing.assert_array_equal(Y, make(m, seed=2)[1])
    X, _ = make(m, noise=0, seed=1)
    np.testing.assert_array_equal(X, make(m, noise=0, seed=2)[0])
    assert len({tuple(np.round(x, 9) + 0.0) for x in X.T}) == m, "a point comes twice"
    scattered = make(1000, noise=0.25, seed=3)[0] - make(1000, noise=0)[0]
    assert np.std(scattered) == pytest.approx(0.25, rel=0.05)


def test_circles():
    """The outer circle has the radius 1, and the inner one, labelled 1, the radius ``factor``."""
    X, Y = make_circles(50, noise=0, factor=0.3)
    np.testing.assert_allclose(np.where(Y[0] == 1, 0.3, 1.0), np.hypot(*X))
    np.testing.assert_allclose([0, 0], X[:, Y[0] == 0].mean(axis=1), atol=1e-12)


def test_moons():
    """The upper moon opens below around (0, 0), the lower, labelled 1, above around (1, 1/2)."""
    X, Y = make_moons(50, noise=0)
    upper, lower = X[:, Y[0] == 0], X[:, Y[0] == 1] - np.array([[1.0], [0.5]])
    for moon, sign in ((upper, 1), (lower, -1)):
        np.testing.assert_allclose(np.ones(25), np.hypot(*moon))
        assert (sign * moon[1] >= -1e-12).all()


@pytest.mark.parametrize("turns", [0.5, 1.0, 2.0])
def test_spirals(turns):
    """Each turns from near the centre to radius 1; the second is the first half a turn on."""
    X, Y = make_spirals(100, noise=0, turns=turns)
    first, second = X[:, Y[0] == 0], X[:, Y[0] == 1]
    np.testing.assert_allclose(-first, second, atol=1e-12)
    radius = np.hypot(*first)
    assert (np.diff(radius) > 0).all()
    assert radius[-1] == pytest.approx(1)
    angle = np.unwrap(np.arctan2(first[1], first[0]))
    assert angle[-1] - angle[0] == pytest.approx(2 * np.pi * turns, rel=0.05)
