"""Batch normalization."""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import ge, lt

from tinynet._support.arrays import Array, Cache, Shape
from tinynet.errors import ShapeError
from tinynet.initializers import Constant, Zeros
from tinynet.layers.base import Parameter, means
from tinynet.layers.normalization import Normalization, epsilon_field


@attrs.frozen
class BatchNorm(Normalization):
    r"""Z = gamma · Â + beta, with each unit normalized over the examples of the batch.

    In training, with mean and variance of a unit over the m examples (each entry of an example of
    higher shape is a unit of its own)::

        variance = sum of (A_prev - mean)² / m
        Â        = (A_prev - mean) / sqrt(variance + epsilon)
        Z        = gamma · Â + beta

        dA_prev  = gamma / sqrt(variance + epsilon) · (dZ - dbeta - Â · dgamma)

    for mean and variance depend on A_prev too. Each such pass moves the running statistics, the
    layer's state::

        running_mean     = momentum · running_mean     + (1 - momentum) · mean
        running_variance = momentum · running_variance + (1 - momentum) · variance · m / (m - 1)

    from 0 and 1. Outside of training they stand for mean and variance, so that an example's Z does not
    depend on the others, and dA_prev = gamma / sqrt(running_variance + epsilon) · dZ.

    The defaults, and the unbiased running variance, m / (m - 1), as in the paper, are those of PyTorch,
    whose momentum is 1 - momentum here; in Keras momentum means what it means here, but the running
    variance is the biased one.

    Parameters
    ----------
    momentum : float
        The share of the running statistics that a pass of training leaves; at least 0 and below 1.
    epsilon : float
        Added to the variance; above 0.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    A pass of training needs two examples: a `ShapeError` tells of a batch of one.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015, algorithms 1 and 2, https://arxiv.org/abs/1502.03167.

    >>> BatchNorm(activation="relu")
    BatchNorm(activation=ReLU())
    """

    least_examples = 2
    momentum: float = attrs.field(
        default=0.9, kw_only=True, converter=float, validator=[ge(0), lt(1)]
    )
    epsilon: float = epsilon_field()

    def state(self, input_shape: Shape) -> dict[str, Parameter]:
        """Declare the running statistics."""
        shape = (*input_shape, 1)
        return {
            "running_mean": Parameter(shape, Zeros()),
            "running_variance": Parameter(shape, Constant(1.0)),
        }

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        """Ask for room for Â, and for the standard deviation of each unit."""
        return {"A_hat": (*input_shape, m), "std": (*input_shape, 1)}

    # The mean is a product, as in Dense: np.mean takes five times as long. The variance is of numbers whose mean
    # is off already, for a difference of large squares would lose it.

    def normalize(self, A_prev: Array, cache: Cache) -> None:
        """Fill ``cache.A_hat`` by the batch, in training, or by the running statistics."""
        mean, variance = cache.running_mean, cache.running_variance
        if cache.training:
            m = _at_least_two(A_prev, cache)
            mean = A_prev.dot(means(m, A_prev.dtype)[1])
        A_hat = np.subtract(A_prev, mean, out=cache.A_hat)
        if cache.training:
            squares = np.einsum("...m,...m->...", A_hat, A_hat)[..., np.newaxis]
            variance = squares / m
            self._follow(cache.running_mean, mean)
            self._follow(cache.running_variance, squares / (m - 1))
        np.sqrt(variance + self.epsilon, out=cache.std)
        np.divide(A_hat, cache.std, out=A_hat)

    def _follow(self, running: Array, of_batch: Array) -> None:
        running += (1 - self.momentum) * (of_batch - running)

    def back_from(self, dZ: Array, cache: Cache) -> Array:
        """Return dA_prev: in training, through mean and variance too."""
        if not cache.training:
            return np.multiply(dZ, cache.gamma / cache.std, out=cache.dA_prev)
        dA_prev = np.multiply(cache.A_hat, cache.dgamma, out=cache.dA_prev)
        dA_prev += cache.dbeta
        np.subtract(dZ, dA_prev, out=dA_prev)
        return np.multiply(dA_prev, cache.gamma / cache.std, out=dA_prev)


def _at_least_two(A_prev: Array, cache: Cache) -> int:
    """Return how many examples there are, if their variance is one."""
    m = A_prev.shape[-1]
    if m == 1:
        raise ShapeError(
            f"A_prev has one example{cache.in_layer}, and one has no variance to normalize by in training; train "
            "in batches of at least 2, the last one too: take a batch_size that leaves no single one over, or LayerNorm"
        )
    return m
