"""The abstract layer: what Sequential asks of every layer."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tinynet._support.arrays import Array, Cache, Shape
from tinynet._support.registry import Registered
from tinynet.activations import Activation, Identity
from tinynet.initializers import Initializer


class Parameter(NamedTuple):
    """A parameter that a layer declares: its shape, and how its first values are drawn."""

    shape: Shape
    init: Initializer


class Layer(Registered, ABC):
    """Base of all layers; to subclass it is to register.

    A layer owns no array: it declares its parameters, and the model makes them and hands it a
    `Cache` that holds them, their gradients and the arrays of the pass. Shapes leave out the
    examples, the last axis of every array. The model applies ``activation`` to Z; the layer does not.
    """

    family = "layer"
    least_examples: ClassVar[int] = 1  # that a batch must have in training
    activation: Activation = Identity()

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return the layer's parameters by name; ``W`` has its gradient in ``cache.dW``, and so on."""
        return {}

    def state(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return what the layer keeps from pass to pass beside its parameters, such as running means.

        It is in the cache by its name, saved with the model, and not trained. Only a pass with
        ``cache.training`` may change it.
        """
        return {}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of Z without the examples; by default the input's."""
        return input_shape

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        """Return shapes of arrays that the layer wants in its cache to compute in."""
        return {}

    def penalty(self, cache: Cache) -> float:
        """Return what the layer adds to the cost; `back` must add its derivative to the gradients."""
        return 0.0

    @abstractmethod
    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return Z; it may be computed in ``cache.Z``, which is None or of Z's shape.

        ``cache.training`` tells whether this pass is one of training; ``cache.rng`` is what chance is drawn from.
        """

    @abstractmethod
    def back(self, dZ: Array, cache: Cache) -> Any:
        """Fill the gradients (means over the examples) and return dA_prev (per example).

        ``cache.dA_prev`` is None when nobody needs dA_prev: then None may be returned.
        """


def as_activation(value: Any) -> Activation:
    """Return the activation that a field is given."""
    return Activation.get(value)


@functools.lru_cache(maxsize=16)
def means(m: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return 1/m, and a column of m times 1/m: the product with it is the mean over the examples."""
    column = np.full((m, 1), 1 / m, dtype)
    column.flags.writeable = False
    return column[0, ..., 0], column
