"""Batch normalization."""

from __future__ import annotations

import math

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, clear_subnormals, scalar
from tinynet._support.cache import Cache
from tinynet._support.communicator import SharedBatch
from tinynet._support.fields import fraction
from tinynet.errors import ShapeError
from tinynet.initializers import Constant
from tinynet.layers.base import Parameter, Scratch, mean_column
from tinynet.layers.normalization import (
    Normalization,
    combine_column,
    scale_and_shift,
    scratch_to_scale,
    unscaled,
)


@attrs.frozen(slots=False)
class BatchNorm(Normalization):
    r"""Z = gamma · Â + beta, with each unit normalized over the examples of the batch.

    In training, with the mean and variance of a unit over the m examples::

        variance = sum of (A_prev - mean)² / m
        Â        = (A_prev - mean) / sqrt(variance + epsilon)
        Z        = gamma · Â + beta

        dA_prev  = gamma / sqrt(variance + epsilon) · (dZ - dbeta - Â · dgamma)

    because mean and variance depend on A_prev too. Each such pass updates the running statistics,
    the layer's state, which start at 0 and 1::

        running_mean     = momentum · running_mean     + (1 - momentum) · mean
        running_variance = momentum · running_variance + (1 - momentum) · variance · m / (m - 1)

    Of images (C, H, W, m) and sequences (n, T, m), each entry of the first axis, a channel, has
    one mean and variance over all positions of all examples: m is then the number of positions
    times that of examples, except in dgamma and dbeta, which are means over the examples.

    A pass of training needs two examples of units: a batch of one raises `ShapeError`. Outside
    training the running statistics take the place of mean and variance. Then an example's Z does
    not depend on the other examples, and dA_prev = gamma / sqrt(running_variance + epsilon) · dZ.

    Where several processes train one model, the batch is that of all of them together.

    The defaults and the unbiased running variance (the factor m / (m - 1), as in the paper) are
    PyTorch's, whose momentum is 1 - momentum here. Keras's momentum is the momentum here, but its
    running variance is the biased one.

    Parameters
    ----------
    momentum : float
        The share of the running statistics that one pass leaves; at least 0 and below 1.
    epsilon : float
        Added to the variance; above 0.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015, algorithms 1 and 2, https://arxiv.org/abs/1502.03167.

    >>> BatchNorm(activation="relu")
    BatchNorm(activation=ReLU())
    """

    momentum: float = fraction(0.9, kw_only=True)

    def least_examples(self, input_shape: Shape) -> int:
        return 2 if math.prod(input_shape[1:]) == 1 else 1

    def state(self, input_shape: Shape) -> dict[str, Parameter]:
        shape = self.shape_of_gamma(input_shape)
        variance = Parameter(shape, Constant(1.0), least=0.0)
        return {"running_mean": Parameter(shape), "running_variance": variance}

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape | Scratch]:
        n, positions = input_shape[0], math.prod(input_shape[1:])
        return {**scratch_to_scale(n, positions * m), "std": (n, 1)}

    def input_probe(self, cache: Cache) -> Array:
        return cache.std if cache.training else cache.Z

    # What is scaled and shifted is A_prev minus its mean: to make it Â takes a pass over the array.
    # The mean is a product, as in Dense: np.mean takes five times as long. The variance is taken
    # after the mean is subtracted: a difference of large squares would lose it.

    def normalize(self, A_prev: Array, cache: Cache) -> None:
        if not cache.training:
            combine_column(np.subtract, A_prev, cache.running_mean, out=unscaled(cache))
            np.sqrt(cache.running_variance + self.epsilon, out=cache.std)
            return
        m = A_prev.shape[-1]
        positions = m // cache.A_prev.shape[-1]
        mean = A_prev.dot(mean_column(cache, positions)) / positions
        C = combine_column(np.subtract, A_prev, mean, out=unscaled(cache))
        squares = np.vecdot(C, C)[..., np.newaxis]
        if cache.shared is not None:
            own = mean
            m, mean, squares = _of_whole_batch(cache.shared, positions, mean, squares)
            C += own - mean
        _expect_two(m, cache)
        np.sqrt(squares / m + self.epsilon, out=cache.std)
        self._update(cache.running_mean, mean)
        self._update(cache.running_variance, squares / (m - 1))

    def _update(self, running: Array, of_batch: Array) -> None:
        running += scalar(1 - self.momentum, running.dtype) * (of_batch - running)
        # The statistic of a dead unit would decay to a subnormal number and stay there, because
        # momentum times it is rounded to itself.
        size = np.abs(of_batch)
        if size.item(size.argmin()) < np.finfo(size.dtype).tiny:  # faster than np.min
            clear_subnormals(running)

    def output(self, cache: Cache, out: Array) -> Array:
        return scale_and_shift(cache, cache.gamma / cache.std, cache.beta, out)

    def gamma_gradient(self, dZ: Array, cache: Cache) -> None:
        dgamma = cache.dgamma
        np.vecdot(dZ, unscaled(cache), out=dgamma[:, 0])
        dgamma *= cache.means[0] / cache.std

    def input_gradient(self, dZ: Array, cache: Cache, out: Array) -> Array:
        if not cache.training:
            return combine_column(np.multiply, dZ, cache.gamma / cache.std, out)
        positions = scalar(dZ.shape[-1] // cache.A_prev.shape[-1], dZ.dtype)
        dgamma, dbeta = cache.dgamma, cache.dbeta
        if cache.shared is not None:
            dgamma, dbeta = cache.shared.mean(np.stack([dgamma, dbeta]))
        scale_and_shift(cache, dgamma / (positions * cache.std), dbeta / positions, out)
        out -= dZ
        out *= -cache.gamma / cache.std
        return out


def _of_whole_batch(
    shared: SharedBatch, positions: int, mean: Array, squares: Array
) -> tuple[int, Array, Array]:
    """Return the number, mean and sum of squares around it of the values on all ranks.

    They follow from those of each rank (Chan, Golub and LeVeque 1983, "Algorithms for computing the
    sample variance"), exchanged at once.
    """
    n = len(mean)
    of_rank = np.concatenate([mean[:, 0], squares[:, 0], [shared.m * positions]], dtype=mean.dtype)
    means, squares, counts = np.split(shared.gather(of_rank), [n, 2 * n], axis=1)
    m = counts.sum()
    mean = (counts * means).sum(axis=0) / m
    squares = ((counts > 0) * squares + counts * (means - mean) ** 2).sum(axis=0)
    return int(m), mean[:, np.newaxis], squares[:, np.newaxis]


def _expect_two(m: int, cache: Cache) -> None:
    """Refuse one value of each unit, which has no variance."""
    if m == 1:
        raise ShapeError(
            f"A_prev has one example{cache.where}, expected at least 2 in training, because one "
            "example has no variance. Choose a batch_size that leaves no single example over, or "
            "use LayerNorm."
        )
