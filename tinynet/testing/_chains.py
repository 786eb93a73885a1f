"""What a layer that is made of layers does with its chains: they are watched in a pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.layers import Layer
from tinynet.model.network import Network
from tinynet.testing._gradients import TOLERANCE, compare

_LAST_PASS = "but a chain holds the arrays of its last pass alone. Use a chain for each call."


class WatchedChain:
    """A chain that counts its passes, holds dA, and adds `offset` to what it returns."""

    def __init__(self, chain: Any) -> None:
        self.chain, self.passes, self.passes_back = chain, 0, 0
        self.offset = np.zeros_like(chain.caches[-1].A)
        self.dA: Array | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chain, name)

    def forward(self, A_prev: Array) -> Array:
        self.passes += 1
        A: Array = self.chain.forward(A_prev)
        A += self.offset
        return A

    def back(self, dA: Array, input_gradient: bool = True) -> Any:
        self.passes_back, self.dA = self.passes_back + 1, dA.copy()
        return self.chain.back(dA, input_gradient=input_gradient)


def fault_of_chains(layer: Layer, model: Network, X: Array, Y: Array) -> str:
    """Return what a layer does wrong with its chains, or ""; the model has this layer alone."""
    cache = model.use_chain(X.shape[-1]).first
    cache.chains = chains = [WatchedChain(chain) for chain in cache.chains]
    model.forward(X)
    model.back(Y, input_gradient=not model.takes.are_indices)
    name = type(layer).__name__
    for k, chain in enumerate(chains):
        for method, n in (("forward", chain.passes), ("back", chain.passes_back)):
            call = f"cache.chains[{k}].{method}"
            if n == 0:
                return f"{name}.{method} does not call {call}, so the chain has no part. Call it."
            if n > 1:
                return f"{name}.{method} calls {call} {n} times, {_LAST_PASS}"

    def J() -> float:
        model.forward(X)
        return model.cost(Y)

    for k, chain in enumerate(chains):
        title, m = f"dA that {name}.back passes to cache.chains[{k}].back", X.shape[-1]
        error, message = compare(title, J, chain.offset, chain.dA / m, m, is_mean=False)
        if not error <= TOLERANCE:
            return message
    return ""
