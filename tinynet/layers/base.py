"""The abstract layer: what a chain asks of every layer."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape, sum_of_squares
from tinynet._support.cache import Cache
from tinynet._support.random import Random
from tinynet._support.registry import Registered
from tinynet.activations import Activation, Identity
from tinynet.initializers import Initializer, Zeros

_SHORT = 1 << 14  # examples: columns of so many may outlive their model

Pass: TypeAlias = "Callable[[Array, Cache], Any]"


class Parameter(NamedTuple):
    """What a layer declares of a parameter or of its state.

    That is its shape, its first values, whether weight decay acts on it, and the least value that
    it can have: a model with a smaller one, such as a variance below 0, is not saved or loaded.
    Several initializers in a tuple draw a block of rows each, one below the other, as for gates.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array.
    init : Initializer or tuple of Initializer, optional
        How the first values are drawn; zeros if left out.
    decays : bool
        Whether weight decay acts on it.
    least : float
        The least value that it can have.

    >>> one = Initializer.get("constant", value=1.0)
    >>> Parameter((2, 3), (Zeros(), one)).draw(np.random.default_rng(1))
    array([[0., 0., 0.],
           [1., 1., 1.]])
    """

    shape: Shape
    init: Initializer | tuple[Initializer, ...] = Zeros()
    decays: bool = False
    least: float = -math.inf

    def draw(self, rng: Random) -> Array:
        """Return the first values, drawn from `rng`."""
        if isinstance(self.init, Initializer):
            return self.init.draw(self.shape, rng)
        block = (self.shape[0] // len(self.init), *self.shape[1:])
        return np.concatenate([init.draw(block, rng) for init in self.init])


class Scratch(NamedTuple):
    """What a layer declares of an array to compute in, where it needs more than a shape.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array.
    dtype : dtype, optional
        By default that of the model.
    fill : float, optional
        The array begins as this number, and nothing but the layer writes into it: a border of zeros
        stays.

    >>> Scratch((3, 4), fill=0)
    Scratch(shape=(3, 4), dtype=None, fill=0)
    """

    shape: Shape
    dtype: Any = None
    fill: float | None = None


def as_init(value: Any) -> Any:
    """Return the initializer that a field was given, or "auto"."""
    return value if isinstance(value, str) and value == "auto" else Initializer.get(value)


def _as_initializer(value: Any) -> Initializer:
    return Initializer.get(value)


def init_field(default: str | Initializer) -> Any:
    """Return a field, by keyword, for an initializer as an instance, a name or a config."""
    return attrs.field(default=Initializer.get(default), converter=_as_initializer, kw_only=True)


def as_activation(value: Any) -> Activation:
    """Return the activation that a field was given as an instance, a name or a config."""
    return Activation.get(value)


@attrs.frozen(slots=False)
class Layer(Registered, ABC):
    """Base of all layers; to subclass it is to register.

    A layer owns no array: it declares its parameters, and the model allocates them. `forward` and
    `back` find them in a `Cache`, with their gradients and the arrays of the pass. Shapes leave
    out the examples, the last axis of every array.

    Parameters
    ----------
    activation : str, Activation or config
        What the model applies to Z; the layer does not. By keyword, if the layer does not say
        otherwise.

    >>> Layer.get("dropout", rate=0.2)
    Dropout(rate=0.2)
    """

    family = "layer"
    modules = (
        "tinynet.layers.dropout", "tinynet.layers.reshape", "tinynet.layers.batch_norm",
        "tinynet.layers.layer_norm", "tinynet.layers.activate", "tinynet.layers.convolution",
        "tinynet.layers.pooling", "tinynet.layers.attention", "tinynet.layers.bidirectional",
        "tinynet.layers.branches", "tinynet.layers.embedding", "tinynet.layers.gru",
        "tinynet.layers.lstm", "tinynet.layers.prelu", "tinynet.layers.recurrent",
        "tinynet.layers.residual",
    )  # fmt: skip
    _of_numbers = {int: "Dense({})"}
    takes: ClassVar[str] = "numbers"  # or "indices", as `Embedding`: then it must come first
    _formulas = frozenset({"forward", "bind_forward"})
    activation: Activation = attrs.field(default=Identity(), converter=as_activation, kw_only=True)

    @classmethod
    def _hint(cls, spec: Any) -> str:
        if isinstance(spec, Activation) or (isinstance(spec, str) and spec in Activation.names()):
            return f" Use Dense(units, {spec!r}), or Activate({spec!r})."
        if isinstance(spec, (list, tuple)) and all(isinstance(each, Layer) for each in spec):
            return f" Use *{spec!r}."
        if hasattr(spec, "layers") and not isinstance(spec, Registered):
            return " Use *model.layers, which are its layers without their parameters."
        return super()._hint(spec)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return the layer's parameters by name; ``W`` has its gradient in ``cache.dW``."""
        return {}

    def state(self, input_shape: Shape) -> dict[str, Parameter]:
        """Return what the layer keeps from pass to pass beside its parameters.

        Running means are an example. It is in the cache under its name, saved with the model, and
        not trained. Only a pass with ``cache.training`` may change it.
        """
        return {}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of Z without the examples; by default that of the input."""
        return input_shape

    @property
    def n_indices(self) -> int | None:
        """How many indices there are, from 0 on, for a layer that takes them; None is any."""
        return None

    @property
    def chains(self) -> tuple[tuple[Layer, ...], ...]:
        """The layers that this layer is made of, as chains.

        ``cache.chains[k]`` takes chain k forward and back: ``forward(A_prev)`` returns A of its
        last layer, ``back(dA)`` fills its gradients and returns dA_prev of its first layer.
        ``back(dA, input_gradient=False)`` leaves dA_prev out, and returns None.
        """
        return ()

    def chain_input_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of what the chains take; by default that of the layer's input."""
        return input_shape

    def least_examples(self, input_shape: Shape) -> int:
        """Return how many examples a batch must have in training."""
        return 1

    def chain_output_shapes(self, input_shape: Shape) -> list[Shape]:
        """Return the shape of what each chain returns, for a layer with inputs of a shape."""
        shapes = []
        for chain in self.chains:
            shape = self.chain_input_shape(input_shape)
            for layer in chain:
                shape = tuple(layer.output_shape(shape))
            shapes.append(shape)
        return shapes

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        """Return the shapes of arrays that the layer wants in its cache to compute in.

        A `Scratch` in place of a shape asks for another dtype, or for a fill.
        """
        return {}

    def input_probe(self, cache: Cache) -> Array:
        """Return an array in which a pass leaves a non-finite number if there is one in A_prev.

        By default it is all of Z. A model looks there for what is not finite in X, so a smaller
        array takes less time: a part of Z, or one of `scratch`. It is asked for once, before the
        passes of a batch size, in training or not (``cache.training``). A subclass with another
        `forward` does not inherit it.
        """
        return cache.Z

    @property
    def is_penalized(self) -> bool:
        """Whether `penalty` can be other than 0; the others are not called."""
        is_own = type(self).penalty is not Layer.penalty
        return is_own or any(layer.is_penalized for chain in self.chains for layer in chain)

    def penalty(self, cache: Cache) -> float:
        """Return what the layer adds to the cost; `back` must add the derivative to gradients.

        By default it is the sum of the penalties of the layers within.
        """
        return sum(chain.penalty() for chain in cache.chains)

    @abstractmethod
    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return Z; it may be computed in ``cache.Z``, which is None or an array of Z's shape."""

    @abstractmethod
    def back(self, dZ: Array, cache: Cache) -> Any:
        """Fill the gradients (means over the examples) and return dA_prev (for each example).

        ``cache.dA_prev`` is None when nobody needs dA_prev: then None may be returned.
        """


class BoundLayer(Layer):
    """Base of layers that look up arrays and functions once for each batch size, not in each pass.

    That saves a twentieth of the time of a small network. A subclass defines `bind_forward` and
    `bind_back`, and `forward` and `back` call these. A subclass of `Dense` may still define
    `forward` or `back`: then a chain calls that, and binds the other one.
    """

    @abstractmethod
    def bind_forward(self, cache: Cache) -> Pass:
        """Return a function like `forward`, to be called with this cache alone."""

    @abstractmethod
    def bind_back(self, cache: Cache) -> Pass:
        """Return a function like `back`, to be called with this cache alone."""

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        return self.bind_forward(cache)(A_prev, cache)

    def back(self, dZ: Array, cache: Cache) -> Any:
        return self.bind_back(cache)(dZ, cache)


class Weighted(Layer):
    """Base of layers with W and b, and with the fields units, init and l2 of `Dense`.

    >>> import tinynet as tn
    >>> W = tn.Dense(3).weights((3, 2))["W"]
    >>> W.shape, W.init, W.decays
    ((3, 2), GlorotUniform(), True)
    """

    if TYPE_CHECKING:
        units: int
        init: Any
        l2: float

    def weights(self, shape: Shape) -> dict[str, Parameter]:
        """Return the declaration of W, of this shape, and of b."""
        init = Initializer.get(self.activation.init) if self.init == "auto" else self.init
        return {"W": Parameter(shape, init, decays=True), "b": Parameter((self.units, 1))}

    @property
    def is_penalized(self) -> bool:
        return self.l2 > 0

    def penalty(self, cache: Cache) -> float:
        """Return l2/2 · Σ W²."""
        return 0.5 * self.l2 * sum_of_squares(cache.W.reshape(-1))


def trusted_probe(layer: Layer, cache: Cache) -> Array:
    """Return the `input_probe` of a layer, if it is declared for the layer's `forward`, or Z."""
    probe: Array = layer.input_probe(cache) if layer.declares("input_probe") else cache.Z
    return probe


def bound(layer: Layer, cache: Cache) -> tuple[Pass, Pass]:
    """Return the functions that a chain calls for `forward` and `back` of a layer."""
    forward: Pass = layer.forward
    back: Pass = layer.back
    if isinstance(layer, BoundLayer):
        if type(layer).forward is BoundLayer.forward:
            forward = layer.bind_forward(cache)
        if type(layer).back is BoundLayer.back:
            back = layer.bind_back(cache)
    return forward, back


def means(m: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return 1/m, and a column of m times 1/m: the product with it is the mean over examples."""
    return _kept_means(m, dtype) if m <= _SHORT else _means(m, dtype)


def _means(m: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    column = np.full((m, 1), 1 / m, dtype)
    column.flags.writeable = False
    return column[0, ..., 0], column


_kept_means = functools.lru_cache(maxsize=16)(_means)


def mean_column(cache: Cache, positions: int) -> Array:
    """Return a column of 1/m for each position of the m examples.

    The product of (n, positions · m) with it is the sum over the positions, and the mean over the
    examples. It is made once for each batch size, and freed with the arrays of that size.
    """
    one_mth, column = cache.means
    if positions == 1:
        return column
    wide = vars(cache).get("mean_column")
    if wide is None:
        wide = np.full((positions * len(column), 1), one_mth, column.dtype)
        wide.flags.writeable = False
        vars(cache)["mean_column"] = wide
    return wide


def columns(array: Array) -> Array:
    """Return an array of examples of any shape as (n, positions · m), where n is its first axis."""
    return array if array.ndim == 2 else array.reshape(len(array), -1)
