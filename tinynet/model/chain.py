"""Layers one after the other: the one loop forward and the one in reverse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, all_finite, check_finite, finite_sum
from tinynet._support.blocks import with_out
from tinynet._support.cache import Cache
from tinynet._support.communicator import SharedBatch
from tinynet._support.quiet import switch_back, switch_off, within
from tinynet._support.random import Random
from tinynet._support.results import into
from tinynet.activations import Activation, Identity
from tinynet.activations.base import bound_activation
from tinynet.errors import ShapeError
from tinynet.layers.base import bound, trusted_probe
from tinynet.losses import Loss
from tinynet.model.place import PlacedLayer

_FEW = 4096  # numbers: it takes less time to compare so few targets than to check them


class Chain:
    """Layers one after the other, with their caches for one batch size."""

    def __init__(self, layers: Sequence[PlacedLayer], caches: Sequence[Cache]) -> None:
        self.layers, self.caches = layers, caches
        self.links = links = list(zip(layers, caches, strict=True))
        self.penalized = [(layer, cache) for layer, cache in links if layer.is_penalized]
        # What a pass calls, looked up once.
        self._forward: list[tuple[Any, ...]] = []
        self._back: list[tuple[Any, ...]] = []
        for layer, cache in links:
            forward, back = bound(layer.layer, cache)
            dZ = vars(cache).get("dZ")  # not there in a chain that only predicts
            activate, activation_back = bound_activation(
                layer.layer.activation, cache.Z, cache.A, dZ
            )
            self._forward.append((forward, activate, cache))
            self._back.insert(0, (activation_back, back, cache))
        self.training = False
        self.rng: Random | None = None
        self.shared: SharedBatch | None = None
        self.has_forward = self.has_back = False  # whether the caches hold a whole pass

    def forward(self, A: Array) -> Array:
        """Fill every Z and A, and return A of the last layer for A, the input of the first."""
        self.has_forward = self.has_back = False
        for forward, activate, cache in self._forward:
            if cache.A_prev is not A:
                vars(cache)["A_prev"] = A  # `cache.A_prev = A` would first look for a view
            Z = forward(A, cache)
            if Z is not cache.Z:
                Z = into(cache.Z, Z, "The Z that forward returns", cache.where)
            A = activate(Z)
            if A is not cache.A:
                A = into(cache.A, A, "The A that the activation returns", cache.where)
        self.has_forward = True
        return A

    def back(self, dA: Array, dZ: Array | None = None) -> Any:
        """Fill every dZ and all gradients, and return dA_prev of the first layer.

        The pass begins at dA of the last layer or, where `dZ` is given, at its dZ.
        """
        for activation_back, back, cache in self._back:
            if dZ is None:
                if cache.dA is not dA:
                    cache.dA = dA
                dZ = activation_back(dA, cache.Z, cache.A)
                if dZ is not cache.dZ:
                    dZ = into(cache.dZ, dZ, "The dZ that the activation returns", cache.where)
            dA = back(dZ, cache)
            if dA is not cache.dA_prev and cache.dA_prev is not None:
                dA = into(cache.dA_prev, dA, "The dA_prev that back returns", cache.where)
            dZ = None
        self.has_back = True
        return dA

    def forget_input(self) -> None:
        """Let go of the input of the last pass, which is the user's and may be large."""
        first = self.caches[0]
        vars(first)["A_prev"] = None
        for chain in first.chains:
            chain.forget_input()

    def penalty(self) -> float:
        """Return the sum of what the layers add to the cost."""
        total = 0.0
        for layer, cache in self.penalized:
            total += layer.penalty(cache)
        return total

    def all_links(self) -> Iterator[tuple[PlacedLayer, Cache]]:
        """Yield layers with their caches, those within layers too, in the order of their paths."""
        for layer, cache in self.links:
            yield layer, cache
            for chain in cache.chains:
                yield from chain.all_links()

    def links_as_computed(self) -> Iterator[tuple[PlacedLayer, Cache]]:
        """Yield what `all_links` does as a pass forward fills it: a layer after those within."""
        for layer, cache in self.links:
            for chain in cache.chains:
                yield from chain.links_as_computed()
            yield layer, cache

    def set_mode(
        self, training: bool, rng: Random | None, shared: SharedBatch | None = None
    ) -> None:
        """Have all passes from now on be of training, or not, with random numbers from `rng`.

        `shared` is the batch of which several ranks have a part each.
        """
        self.training, self.rng, self.shared = training, rng, shared
        for layer, cache in self.links:
            cache.training, cache.rng = training and not layer.is_frozen, rng
            cache.shared = shared
            for chain in cache.chains:
                chain.set_mode(training, rng, shared)


class InnerChain(Chain):
    """A chain within a layer.

    Its last layer gets a dA that is an array of the layer around it, and the dA_prev that it
    returns is an array of its own. What it gets may come from a user's code, so shapes are checked,
    and numbers are cast to the dtype of the model: ``A_prev / np.sqrt(n)`` is float64.
    """

    def __init__(self, layers: Sequence[PlacedLayer], caches: Sequence[Cache]) -> None:
        super().__init__(layers, caches)
        self.first, self.last = caches[0], caches[-1]
        self.input_shape = (*layers[0].input_shape, self.last.A.shape[-1])
        self.ends_in_identity = type(layers[-1].layer.activation) is Identity
        self.has_input_gradient = layers[0].takes != "indices"
        self.dA_prev: Array | None = None  # an array, once it is needed

    def forward(self, A: Array) -> Array:
        if A.shape != self.input_shape:
            found = f"A_prev has shape {A.shape}{self.first.where}, expected {self.input_shape}"
            raise ShapeError(f"{found}. Return what the chain gets in chain_input_shape.")
        if self.has_input_gradient:  # else these are indices
            A = A.astype(self.last.A.dtype, copy=False)
        return super().forward(A)

    def back(self, dA: Array, dZ: Array | None = None, input_gradient: bool = True) -> Any:
        """As for any chain; without `input_gradient` dA_prev is not computed, but None."""
        if dA.shape != self.last.A.shape:
            found = f"dA has shape {dA.shape}{self.last.where}, expected {self.last.A.shape}"
            raise ShapeError(f"{found}, the shape of what the chain returned.")
        dA = dA.astype(self.last.A.dtype, copy=False)
        input_gradient = input_gradient and self.has_input_gradient
        if input_gradient and self.dA_prev is None:
            self.dA_prev = np.empty(self.input_shape, dA.dtype)
        vars(self.first)["dA_prev"] = self.dA_prev if input_gradient else None
        if self.ends_in_identity and dZ is None:  # one array for dA and dZ: nothing is copied
            dA = dZ = np.ascontiguousarray(dA)
            vars(self.last).update(dA=dA, dZ=dZ)
        dA_prev = super().back(dA, dZ)
        return dA_prev if input_gradient else None


class Output:
    """The loss behind the last layer, and where the backward pass begins.

    With the loss's partner as the last activation, dZ[L] is A[L] - Y, unless settings of the loss
    change that, and the loss is computed from Z[L].
    """

    def __init__(self, loss: Loss, activation: Activation) -> None:
        self.back = with_out(loss.back)
        self.back_from_Z: Any = np.subtract if loss.subtracts else _with_out_last(loss.back_from_Z)
        self.each_from_Z, self.of_examples = within(loss.each_from_Z), loss.of_examples
        self.value, self.mean = within(loss.value), within(loss.mean)
        self.check_targets = loss.check_targets
        self.is_partner = loss.is_partner(activation)


def _with_out_last(method: Callable[..., Any]) -> Callable[[Array, Array, Array], Any]:
    """Return what takes ``out`` as its last argument, as NumPy's functions do."""
    method = with_out(method)
    return lambda A, Y, out: method(A, Y, out=out)


class ModelChain(Chain):
    """The chain of a whole model for batches of m examples, with the loss at its end.

    Nothing that comes in is checked here: the network does that.
    """

    def __init__(
        self,
        layers: Sequence[PlacedLayer],
        caches: Sequence[Cache],
        output: Output | None,
        state: Array,
        m: int,
    ) -> None:
        super().__init__(layers, caches)
        self.m, self.state, input_shape = m, state, layers[0].input_shape
        self.has_positions = len(input_shape) > 1
        # The shape of an X that needs no check if it comes again. Indices are checked in each pass.
        has_indices = layers[0].takes == "indices"
        self.checked_shape: Shape | None = None if has_indices else (*input_shape, m)
        self.ordered_X: Array | None = None
        if output is not None:
            self.output = output
        self.first, self.last = caches[0], caches[-1]
        self.output_shape: Shape = self.last.A.shape
        self._choose_probe()
        self.targets: Array | None = None  # of the last backward pass, and their weights
        self.weights: Array | None = None
        self.checked_targets: Array | None = None  # since the last forward pass
        self.checked_bytes = b""  # of the last targets that were checked, if these were few

    def forward_as(
        self, X: Array, training: bool, rng: Random | None, shared: SharedBatch | None = None
    ) -> Array:
        """Return A[L] for X, in training or not; `shared` is as in `set_mode`."""
        if not (training is self.training and rng is self.rng and shared is self.shared):
            self.set_mode(training, rng, shared)
        return self.forward(X)

    def forward_input(self, X: Array, training: bool = False, rng: Random | None = None) -> Array:
        """Return A[L] for X, which may hold numbers that are not finite; these are refused."""
        self.checked_targets = None
        if self.has_positions and not X.flags.c_contiguous:
            X = self.in_order(X)
        state = self.state.copy() if training and self.state.size else None
        flags = switch_off()  # what is not finite is looked for here
        try:
            A = self.forward_as(X, training, rng)
            if not math.isfinite(self.sum_of_probe()) and not all_finite(self.probe):
                check_finite("X", X)
            return A
        except BaseException:
            self.has_forward = False
            if state is not None:
                np.copyto(self.state, state)
            raise
        finally:
            switch_back(flags)

    def set_mode(
        self, training: bool, rng: Random | None, shared: SharedBatch | None = None
    ) -> None:
        super().set_mode(training, rng, shared)
        self._choose_probe()

    def _choose_probe(self) -> None:
        """Look where the first layer shows what is not finite in X."""
        self.probe = trusted_probe(self.layers[0].layer, self.first)
        self.sum_of_probe = finite_sum(self.probe)

    def in_order(self, X: Array) -> Array:
        """Return a copy of X in C order, as layers read images and sequences fastest."""
        if self.ordered_X is None:
            self.ordered_X = np.empty(X.shape, X.dtype)
        np.copyto(self.ordered_X, X)
        return self.ordered_X

    def forget_data(self) -> None:
        """Let go of X, of Y and of the weights, when another chain takes over."""
        self.forget_input()
        self.targets = self.weights = self.checked_targets = None

    def check_targets(self, Y: Array) -> None:
        """Refuse targets that the loss does not take; those of the last pass need no check.

        The array may be the same with other numbers in it, so the bytes are compared.
        """
        content = Y.tobytes() if Y.size <= _FEW else b""
        if not content or content != self.checked_bytes:
            self.output.check_targets(Y)
            self.checked_bytes = content
        self.checked_targets = Y

    def cost(self, Y: Array, w: Array | None = None) -> float:
        """Return J of the last forward pass, with a weight for each example, penalties included."""
        output, last = self.output, self.last
        if output.is_partner:
            J = output.mean(output.each_from_Z(last.Z, Y), w)
        elif w is None:
            J = output.value(last.A, Y)
        else:
            J = output.mean(output.of_examples(last.A, Y), w)
        return float(J + self.penalty()) if self.penalized else float(J)

    def back_from(self, Y: Array, w: Array | None = None, input_gradient: bool = False) -> None:
        """Fill all gradients of the last forward pass for the targets Y and weights w."""
        first, last = self.first, self.last
        self.targets, self.weights = Y, w
        if input_gradient or first.dA_prev is not None:
            first.dA_prev = np.empty_like(first.A_prev, order="C") if input_gradient else None
        if self.output.is_partner:
            dZ = self.output.back_from_Z(last.A, Y, last.dZ)
            self.back(last.dA, dZ if w is None else np.multiply(dZ, w, out=dZ))
        else:
            self.back(self.output_gradient(Y, w))

    def output_gradient(self, Y: Array, w: Array | None) -> Array:
        """Fill and return dA[L]."""
        last = self.last
        dA = into(last.dA, self.output.back(last.A, Y, out=last.dA), "dA[L]", "")
        return dA if w is None else np.multiply(dA, w, out=dA)

    @property
    def begins_at_dZ(self) -> bool:
        """Whether a backward pass begins at dZ[L], and leaves dA[L] out."""
        return self.output.is_partner

    def part(self, l: int) -> Chain:
        """Return layer l alone, as a chain of one layer."""
        return Chain(self.layers[l - 1 : l], self.caches[l - 1 : l])
