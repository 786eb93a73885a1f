"""What a learner looks at: model.W[l], model.Z[l] and so on, a mapping for each quantity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tinynet._support.arrays import Array
from tinynet._support.cache import Cache
from tinynet._support.quiet import quiet
from tinynet._support.results import write
from tinynet.errors import NotBuiltError
from tinynet.model.chain import ModelChain
from tinynet.model.storage import Storage

Key = int | tuple[int, ...]


class LayerArrays(Mapping[Key, Array]):
    """One kind of array for every layer that has it: ``model.Z[1]`` … ``model.Z[L]``.

    A layer inside layer 2 has its arrays under a path: ``model.Z[2, 3]``.
    """

    def __init__(self, name: str, arrays: Iterable[tuple[Key, Array]]) -> None:
        self.name, self._arrays = name, dict(arrays)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._arrays)

    def __reversed__(self) -> Iterator[Key]:
        return reversed(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return repr(self._arrays)

    def __getitem__(self, l: Key) -> Array:
        if l in self._arrays:
            return self._arrays[l]
        known = ", ".join(f"{self.name}[{_written(key)}]" for key in self) or "none"
        hint = (
            " Call model.back(Y, input_gradient=True) for it."
            if self.name == "dA" and l == 0
            else ""
        )
        raise KeyError(f"There is no {self.name}[{_written(l)}], expected one of {known}.{hint}")

    def __setitem__(self, l: Key, value: Any) -> None:
        array = f"model.{self.name}[{_written(l)}]"
        raise TypeError(f"{array} is filled by passes. Use {array}[:] = ... to change it.")


class ParameterArrays(LayerArrays):
    """As `LayerArrays`; ``model.W[1] = M`` copies M into the model's flat vector."""

    def __setitem__(self, l: Key, value: Any) -> None:
        write(self[l], value, f"{self.name}[{_written(l)}]")


class LayerViews:
    """What a learner looks at: the arrays of a network, by the number of the layer."""

    storage: Storage
    chain: ModelChain | None  # of the last pass

    @property
    def caches(self) -> Sequence[Cache]:
        """The caches of the last pass, one a layer."""
        return self._last_pass().caches

    @property
    def W(self) -> ParameterArrays:
        """W[1] … W[L]; ``model.W[1] = M`` copies M."""
        return self._of_parameters("W")

    @property
    def b(self) -> ParameterArrays:
        """b[1] … b[L]; ``model.b[1] = v`` copies v."""
        return self._of_parameters("b")

    @property
    def dW(self) -> ParameterArrays:
        """dW[1] … dW[L], the gradients of W."""
        return self._of_parameters("dW")

    @property
    def db(self) -> ParameterArrays:
        """db[1] … db[L], the gradients of b."""
        return self._of_parameters("db")

    def _of_parameters(self, name: str) -> ParameterArrays:
        arrays = [(layer.key, vars(layer.cache).get(name)) for layer in self.storage.placed]
        return ParameterArrays(name, [(key, view) for key, view in arrays if view is not None])

    @property
    def Z(self) -> LayerArrays:
        """Z[1] … Z[L] of the last forward pass."""
        return self._of_pass("Z")

    @property
    def A(self) -> LayerArrays:
        """A[0] = X, A[1] … A[L] of the last forward pass."""
        return self._of_pass("A", self._last_pass().first.A_prev)

    @property
    def dZ(self) -> LayerArrays:
        """dZ[1] … dZ[L] of the last backward pass."""
        return self._of_pass("dZ")

    @property
    @quiet
    def dA(self) -> LayerArrays:
        """dA[1] … dA[L] of the last backward pass, and dA[0] if it was wanted."""
        chain = self._last_pass()
        if chain.begins_at_dZ and chain.targets is not None:
            chain.output_gradient(chain.targets, chain.weights)
        return self._of_pass("dA", chain.first.dA_prev)

    def _of_pass(self, name: str, at_0: Array | None = None) -> LayerArrays:
        chain = self._last_pass()
        if name.startswith("d") and not chain.has_back:
            raise NotBuiltError(f"model.{name} needs a backward pass. Call model.back(Y) first.")
        arrays = [(layer.key, getattr(cache, name)) for layer, cache in chain.all_links()]
        return LayerArrays(name, arrays if at_0 is None else [(0, at_0), *arrays])

    def _last_pass(self) -> ModelChain:
        chain = self.chain
        if chain is None or not chain.has_forward:
            self.storage  # noqa: B018  a model that is not built says so
            raise NotBuiltError(
                "There is no forward pass to look at (predict keeps none). "
                "Call model.forward(X) first."
            )
        return chain


def _written(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else repr(key)
