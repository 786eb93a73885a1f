"""All arrays of a model: declared by its layers, allocated here, once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, aligned, carve, size
from tinynet._support.cache import Cache
from tinynet._support.products import dot_for
from tinynet._support.random import Random
from tinynet._support.results import write
from tinynet.activations import Identity
from tinynet.layers.base import Scratch, means
from tinynet.losses import Loss
from tinynet.model.chain import InnerChain, ModelChain, Output
from tinynet.model.place import PlacedLayer, depth_first

_BATCH_SIZES = 4  # the most whose chains are stored
_IDLE_BYTES = 1 << 18  # the most that an idle chain of `outputs_of` holds
# Of a pass where no training is done: the bytes that it may take, and yet at least some examples.
_PASS_BYTES, _FEWEST = 1 << 23, 32
_BUFFERS = ("Z", "A", "dZ", "dA")


class NetworkIdentity:
    """The identity of a network; an optimizer stores that of the network it steps.

    A copy or pickle of both together copies it once for both, so they still belong together. In a
    copy of the optimizer alone no network holds it: that memory is free for another network.
    """

    held = False

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return NetworkIdentity, ()  # not held, until a network is restored with it


class Storage:
    """Parameters, gradients and state as flat vectors, views into them, and chains for passes.

    ``values`` is ``params`` and ``state`` in one: all that training changes in a model.
    ``decaying`` are the views of the parameters that weight decay acts on. ``identity`` is for
    the memory of an optimizer, which belongs to one model. ``summed`` is ``grads`` and two more
    numbers, which ranks that train together sum up in one move.
    """

    def __init__(
        self, layers: Sequence[PlacedLayer], loss: Loss | None, dtype: np.dtype[Any]
    ) -> None:
        self.layers, self.dtype = layers, dtype
        self.output = None if loss is None else Output(loss, layers[-1].layer.activation)
        self.placed = placed = list(depth_first(layers))
        self.shapes = [layers[0].input_shape, *[layer.output_shape for layer in layers]]
        self.inputs, self.outputs = self.shapes[0], self.shapes[-1]
        parameters = [layer.parameters for layer in placed]
        state = [layer.state for layer in placed]
        self.n_params = n = size(parameters)
        self.values, self.summed = np.zeros(n + size(state), dtype), np.zeros(n + 2, dtype)
        self.grads = self.summed[:n]
        self.params, self.state = self.values[:n], self.values[n:]
        self.largest_size = 0  # of a parameter
        self.has_one_thread = False  # whether BLAS uses one thread anyway
        self.decaying: list[Array] = []
        trained = carve(self.params, parameters), carve(self.grads, parameters)
        has_digits = False  # at the end of a name
        for layer, *views in zip(placed, *trained, carve(self.state, state), strict=True):
            layer.hold(*views)
            for name in (*layer.parameters, *layer.state):
                has_digits = has_digits or name[-1:].isdigit()
            for name, parameter in layer.parameters.items():
                self.largest_size = max(self.largest_size, math.prod(parameter.shape))
                if parameter.decays:
                    self.decaying.append(layer.params[name])
        if has_digits:
            self.named()  # refuses two parameters of one name
        self._chains: dict[int, ModelChain] = {}
        self._idle: dict[int, list[ModelChain]] = {}  # small chains of `outputs_of`, by batch size
        self._filled = self._owners_of_memory()
        self.hold(NetworkIdentity())

    def hold(self, identity: NetworkIdentity) -> None:
        """Be the network of this identity."""
        self.identity, identity.held = identity, True

    def draw(self, rng: Random) -> None:
        """Draw the first parameters, and then the first state, layer after layer."""
        for layer in self.placed:
            for name, parameter in layer.parameters.items():
                write(layer.params[name], parameter.draw(rng), name)
        for layer in self.placed:
            for name, parameter in layer.state.items():
                write(layer.state_views[name], parameter.draw(rng), name)

    def named(self) -> dict[str, Array]:
        """Return the views by name, W1, b1 and so on; those of state come last."""
        of_layers = [(at.label, at.params) for at in self.placed]
        of_layers += [(at.label, at.state_views) for at in self.placed]
        pairs = [(f"{name}{label}", v) for label, views in of_layers for name, v in views.items()]
        if len(dict(pairs)) < len(pairs):  # W1 of layer 1, and W of layer 11
            raise ValueError(
                "Two parameters have the same name with the number of their layer behind it. "
                "Choose parameter names that do not end in a digit."
            )
        return dict(pairs)

    def chain(self, m: int) -> ModelChain:
        """Return the chain for batches of `m`; those of the last few sizes are stored."""
        chain = self._chains.get(m)
        if chain is None:
            while len(self._chains) >= _BATCH_SIZES:
                del self._chains[next(iter(self._chains))]
            caches = self._new_caches(self.layers, m, goes_back=True)
            chain = self._chains[m] = ModelChain(self.layers, caches, self.output, self.state, m)
            self._filled = self._owners_of_memory()
        return chain

    def _owners_of_memory(self) -> set[int]:
        """Return the ids of the arrays that own what passes and steps fill."""
        owners = [self.values, self.summed]
        for chain in self._chains.values():
            for _, cache in chain.all_links():
                owners += [vars(cache)[name].base for name in _BUFFERS]
        return {*map(id, owners)} - {id(None)}

    def freeze(self, layers: Sequence[PlacedLayer]) -> list[slice]:
        """Have these layers, and no others, go forward as outside training.

        Return which parts of `values` are theirs.
        """
        parts, start = [], 0
        for kind in ("params", "state_views"):  # in the order in which they were carved
            for at in self.placed:
                end = start + sum([view.size for view in getattr(at, kind).values()])
                if at in layers:
                    parts.append(slice(start, end))
                start = end
        for at in self.placed:
            at.is_frozen = at in layers
        self.reset_modes()  # so that the next pass of training sets it anew
        return parts

    def reset_modes(self) -> None:
        """Have no chain go on as in the last pass: in training, or with a part of a batch."""
        for chain in self._chains.values():
            chain.set_mode(False, None)

    def holds(self, X: Array) -> bool:
        """Return whether X lies in an array of the model, which a pass or step may overwrite."""
        return id(X.base) in self._filled

    @functools.cached_property
    def numbers_an_example(self) -> int:
        """How many numbers a pass forward holds for each example, X and its cast included."""
        n = 2 * math.prod(self.inputs)
        for at in self.placed:
            n += 2 * math.prod(at.output_shape) + _scratch_an_example(at)
        return n

    @functools.cached_property
    def examples_at_a_time(self) -> int:
        """How many examples a pass takes where no training is done, so that it needs few MB."""
        bytes_each = self.numbers_an_example * self.dtype.itemsize
        return max(_PASS_BYTES // max(bytes_each, 1), _FEWEST)

    def private_chain(self, m: int) -> ModelChain:
        """Return a chain that nobody else has, to go forward only."""
        caches = self._new_caches(self.layers, m, goes_back=False)
        return ModelChain(self.layers, caches, self.output, self.state, m)

    @functools.cached_property
    def idle_examples(self) -> int:
        """The most examples for which an idle chain of `outputs_of` is stored."""
        return _IDLE_BYTES // max(self.numbers_an_example * self.dtype.itemsize, 1)

    def outputs_of(self, X: Array, held: dict[int, ModelChain]) -> Array:
        """Return A[L] for X, computed in arrays that no other thread uses at the same time.

        `held` belongs to the caller. It holds a large chain, by batch size, for the next part of X.
        """
        m = X.shape[-1]
        if m > self.idle_examples:
            if m not in held:
                held.clear()
                held[m] = self.private_chain(m)
            return held[m].forward_input(X).copy()
        idle = self._idle.get(m)
        if idle is None:
            if len(self._idle) >= _BATCH_SIZES:
                self._idle = {}
            idle = self._idle[m] = []
        try:
            chain = idle.pop()
        except IndexError:  # another thread may have taken the last one
            chain = self.private_chain(m)
        A = chain.forward_input(X).copy()
        chain.forget_input()
        idle.append(chain)
        return A

    def _new_caches(self, layers: Sequence[PlacedLayer], m: int, goes_back: bool) -> list[Cache]:
        names, make = (_BUFFERS, _unfilled) if goes_back else (_BUFFERS[:2], aligned)
        caches: list[Cache] = []
        for layer in layers:
            positions = math.prod(layer.output_shape[1:])
            size = m * positions * self.largest_size
            longest = max(m * positions, layer.input_shape[0], layer.output_shape[0])
            dot = np.ndarray.dot if self.has_one_thread else dot_for(size, longest)
            buffers: dict[str, Any] = {"means": means(m, self.dtype), "dot": dot}
            buffers["input_shape"] = layer.input_shape
            for name in names:
                buffers[name] = make((*layer.output_shape, m), self.dtype)
            if type(layer.layer.activation) is Identity:  # one array for both: nothing is copied
                buffers["A"], buffers["dZ"] = buffers["Z"], buffers.get("dA")
            for name, declared in layer.layer.scratch(layer.input_shape, m).items():
                if isinstance(declared, Scratch):
                    buffers[name] = _filled(declared, self.dtype, make)
                else:
                    buffers[name] = make(declared, self.dtype)
            buffers["dA_prev"] = vars(caches[-1]).get("dA") if caches else None
            cache = layer.cache.with_buffers(buffers)
            if layer.chains:
                cache.chains = [self._inner_chain(chain, m, goes_back) for chain in layer.chains]
            caches.append(cache)
        return caches

    def _inner_chain(self, layers: Sequence[PlacedLayer], m: int, goes_back: bool) -> InnerChain:
        """Return a chain within a layer, whose last dA is an array of the layer around it."""
        caches = self._new_caches(layers, m, goes_back)
        if goes_back:
            last = caches[-1]
            unfilled = np.broadcast_to(self.dtype.type(np.nan), last.dA.shape)  # takes no memory
            last.dA, last.dZ = unfilled, unfilled if last.dZ is last.dA else last.dZ
        return InnerChain(layers, caches)


def _scratch_an_example(at: PlacedLayer) -> int:
    """Return how many numbers more a layer computes in with each example."""
    n = 0
    for m, sign in ((2, 1), (1, -1)):  # so what is as large as W does not count
        for declared in at.layer.scratch(at.input_shape, m).values():
            n += sign * math.prod(declared.shape if isinstance(declared, Scratch) else declared)
    return n


def _filled(declared: Scratch, dtype: np.dtype[Any], make: Callable[..., Array]) -> Array:
    """Return an array as a layer declares it; `make` makes one of floats without a fill."""
    dtype = dtype if declared.dtype is None else np.dtype(declared.dtype)
    if declared.fill is None and dtype.kind == "f":
        return make(declared.shape, dtype)
    if not declared.fill:
        return np.zeros(declared.shape, dtype)  # takes no memory before it is written to
    array = aligned(declared.shape, dtype)
    array.fill(declared.fill)
    return array


def _unfilled(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of NaN, which shows what no pass has filled."""
    array = aligned(shape, dtype)
    array.fill(np.nan)
    return array
