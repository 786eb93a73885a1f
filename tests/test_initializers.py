"""Initializers: moments and limits of what they draw; n_in and n_out as PyTorch has them."""

import math

import numpy as np
import pytest

from tinynet import Initializer

MANY = (400, 500)
SHAPES = [(4, 3), (1, 7), (5, 1), (8, 3, 5, 5), (6, 2, 3), (2, 1, 4, 2)]
# Of the normal distribution cut at 2: the standard deviation, √(1 - 4 φ(2) / (2 Φ(2) - 1)).
CUT = 0.8796256610342398


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
@pytest.mark.parametrize(("name", "scale", "deviation", "limit"), [
    ("truncated_normal", 0.5, 0.5 * CUT, 1.0), ("truncated_normal", 0.01, 0.01 * CUT, 0.02),
    ("uniform", 0.5, 0.5 / math.sqrt(3), 0.5), ("uniform", 3.0, math.sqrt(3), 3.0),
])  # fmt: skip
def test_moments(name, scale, deviation, limit, make):
    """Mean, standard deviation and limits are those of the distribution."""
    numbers = Initializer.get(name, scale=scale).draw(MANY, make(1))
    assert abs(numbers.mean()) < 4 * deviation / math.sqrt(numbers.size)
    np.testing.assert_allclose(deviation, numbers.std(), rtol=0.01)
    assert 0.999 * limit < np.abs(numbers).max() <= limit


def test_truncated_normal_is_the_normal_within_its_limits():
    """What lies within two deviations stays as it was drawn; the rest is drawn again."""
    normal = Initializer.get("normal", scale=1.0).draw(MANY, np.random.default_rng(2))
    cut = Initializer.get("truncated_normal", scale=1.0).draw(MANY, np.random.default_rng(2))
    within = np.abs(normal) <= 2
    np.testing.assert_array_equal(normal[within], cut[within])
    assert (np.abs(cut) <= 2).all()


def test_truncated_normal_as_pytorch(torch):
    """The quantiles are those of PyTorch's trunc_normal_ with the same std, cut at two of it."""
    torch.manual_seed(1)
    theirs = torch.empty(*MANY, dtype=torch.float64)
    torch.nn.init.trunc_normal_(theirs, std=0.02, a=-0.04, b=0.04)
    ours = Initializer.get("truncated_normal", scale=0.02).draw(MANY, np.random.default_rng(3))
    at = np.linspace(0.01, 0.99, 25)
    expected, actual = np.quantile(theirs.numpy(), at), np.quantile(ours, at)
    np.testing.assert_allclose(expected, actual, atol=0.02 * 0.02)


def variance_of(name, shape):
    """Return the variance that an initializer draws with, from its draw of ones."""

    class Ones:
        def standard_normal(self, shape):
            return np.ones(shape)

        def uniform(self, low, high, shape):
            return np.full(shape, high / math.sqrt(3))

    return Initializer.get(name).draw(shape, Ones()).flat[0] ** 2


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_n_in_and_n_out_of_kernels(shape):
    """n_in counts the inputs of an output, and n_out the outputs that an input reaches."""
    n_in, n_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    for name, variance in (
        ("glorot_normal", 2 / (n_in + n_out)), ("glorot_uniform", 2 / (n_in + n_out)),
        ("he_average", 4 / (n_in + n_out)), ("he_normal", 2 / n_in), ("he_uniform", 2 / n_in),
        ("lecun_normal", 1 / n_in),
    ):  # fmt: skip
        np.testing.assert_allclose(variance, variance_of(name, shape), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fans_of_pytorch(shape):
    """They are what PyTorch counts for a weight of this shape."""
    init = pytest.importorskip("torch.nn.init")
    weight = pytest.importorskip("torch").empty(shape)
    n_in, n_out = init._calculate_fan_in_and_fan_out(weight)
    np.testing.assert_allclose(2 / (n_in + n_out), variance_of("glorot_normal", shape), rtol=1e-12)
    np.testing.assert_allclose(2 / n_in, variance_of("he_uniform", shape), rtol=1e-12)
