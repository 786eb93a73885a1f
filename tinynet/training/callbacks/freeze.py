"""A callback that leaves some layers as they are."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tinynet.model.place import PlacedLayer
from tinynet.training.callbacks.base import Callback


def _paths(layers: Any) -> tuple[tuple[int, ...], ...]:
    """Return layers, by number or by path, as paths."""
    hint = "Use Freeze([1, 2]), or Freeze([(2, 3)]) for layer 3 within layer 2"
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"Freeze got {layers!r}, expected a list of layers. {hint}.")
    paths = []
    for layer in layers:
        path = layer if isinstance(layer, (tuple, list)) else (layer,)
        try:
            paths.append(tuple(operator.index(l) for l in path))
        except TypeError:
            found = f"Freeze got the layer {layer!r}, expected its number, from 1, or its path"
            raise TypeError(f"{found}. {hint}.") from None
    numbers = [path[0] for path in paths if len(path) == 1]
    if len(set(numbers)) < len(numbers):
        once = [path[0] if len(path) == 1 else path for path in dict.fromkeys(paths)]
        within = f"Freeze([{tuple(numbers)}]) for the layer of model.W{numbers}"
        found = f"Freeze got the layers {numbers}, expected each of them once"
        raise ValueError(f"{found}. Use Freeze({once}), or {within}.")
    return tuple(paths)


@attrs.define(slots=False, eq=False)
class Freeze(Callback):
    """Leave layers exactly as they are, while the others are trained.

    In this run a frozen layer is a fixed function: it goes forward as in `predict`. So batch
    normalization uses its running statistics, which stay, and dropout drops nothing. Its gradients
    are 0: they do not count for ``clip_norm``, and neither momentum nor weight decay moves its
    parameters. Its part of the optimizer's memory begins anew. After the run it can be trained
    again.

    Parameters
    ----------
    layers : sequence of int or tuple of int
        The layers, by number from 1, or by path, as in ``model.W[2, 3]``. The number of a layer
        that is made of layers stands for all of them.

    >>> Freeze(range(1, 3))
    Freeze(layers=((1,), (2,)))
    """

    layers: tuple[tuple[int, ...], ...] = attrs.field(converter=_paths)

    def check(self) -> None:
        placed = self.model.storage.placed
        for path in self.layers:
            if not path or not any(_is_within(at, path) for at in placed):
                written = path[0] if len(path) == 1 else path
                known = ", ".join(str(at.key) for at in placed)
                raise IndexError(f"Freeze got the layer {written}, expected some of {known}.")
        frozen = self._frozen()
        if frozen and not any(at.params for at in placed if at not in frozen):
            found = "Freeze leaves no layer with parameters to train, expected at least one"
            raise ValueError(f"{found}. Freeze fewer layers.")

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        self.run.freeze(self._frozen())

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch or self.run.step:
            return
        params = self.model.params
        for array in self.run.optimizer.memory.values():
            if array.shape == params.shape:
                for part in self.run.frozen:
                    array[part] = 0  # else it dies away to subnormal numbers, which are slow

    def _frozen(self) -> list[PlacedLayer]:
        placed = self.model.storage.placed
        return [at for at in placed if any(_is_within(at, path) for path in self.layers)]


def _is_within(at: PlacedLayer, path: tuple[int, ...]) -> bool:
    """Return whether a layer is the one at this path, or within it."""
    return at.path[: len(path)] == path
