"""What Keras calls the arrays of each layer, and how it lays them out. Keras is not needed.

Keras has the units or channels as the last axis, where they are the first axis here. So Flatten
puts the numbers of an example in another order there, and layers behind it have their inputs in
that order.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import ConversionError
from tinynet.exchange.converters import naming
from tinynet.exchange.entries import Entry, reordered
from tinynet.exchange.keras.arrays import KERAS
from tinynet.layers import (
    GRU,
    LSTM,
    Activate,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    PReLU,
    Reshape,
    SelfAttention,
    SimpleRNN,
)
from tinynet.layers.base import Layer
from tinynet.model.place import PlacedLayer

_KINDS = {
    Dense: "dense", Conv1D: "conv1d", Conv2D: "conv2d", BatchNorm: "batch_normalization",
    LayerNorm: "layer_normalization", PReLU: "p_re_lu", Embedding: "embedding",
    SimpleRNN: "simple_rnn", LSTM: "lstm", GRU: "gru", SelfAttention: "multi_head_attention",
    Bidirectional: "bidirectional",
}  # fmt: skip
# These do the same to each feature, or have an array with a number for each.
_KEEPS_ORDER = (Activate, BatchNorm, Dropout, LayerNorm, PReLU)
_OTHER_NAMINGS = 'Use naming="tinynet" or naming="torch".'


class KerasNames:
    """The entries of all arrays of a model, by the names that a new Keras model gives them."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def of_chain(
        self, chain: Sequence[PlacedLayer], flat: Shape | None = None, before: str | None = None
    ) -> Iterator[tuple[PlacedLayer, dict[str, Entry]]]:
        """Yield layers, those within layers too, each with its entries by name.

        `flat` is the shape that was flattened, so that features have another order in Keras, or
        None. `before` takes the place of a layer's own name.
        """
        for placed in chain:
            prefix = self._prefix(placed.layer) if before is None else before
            with naming(placed.title):
                entries, flat = self._entries(placed, prefix, flat), _flat_behind(placed, flat)
                if flat is not None and placed is chain[-1] and len(placed.path) > 1:
                    raise _flattened()
            yield placed, entries
            if placed.chains:
                yield from self._inner(placed, prefix)

    def _prefix(self, layer: Layer) -> str:
        """Return the name of a layer, which has a number from the second of its kind on."""
        kind = _kind(layer)
        if kind is None:
            return ""
        n, self._counts[kind] = self._counts[kind], self._counts[kind] + 1
        return f"{kind}_{n}" if n else kind

    def _entries(self, placed: PlacedLayer, prefix: str, flat: Shape | None) -> dict[str, Entry]:
        if not placed.declared:
            return {}
        entries_of = next((KERAS[k] for k in type(placed.layer).__mro__ if k in KERAS), None)
        if entries_of is None:
            raise ConversionError(f"It has arrays, and no counterpart in Keras. {_OTHER_NAMINGS}")
        entries = entries_of(placed)
        if flat is not None:
            order = _last_axis_first(flat)
            n = 1 if isinstance(placed.layer, Dense) else len(entries)  # only the kernel has inputs
            entries[:n] = [reordered(entry, order) for entry in entries[:n]]
        return {f"{prefix}/{entry.name}": entry for entry in entries}

    def _inner(
        self, placed: PlacedLayer, prefix: str
    ) -> Iterator[tuple[PlacedLayer, dict[str, Entry]]]:
        if isinstance(placed.layer, Bidirectional):
            for direction, inner in zip(("forward", "backward"), placed.chains, strict=True):
                kind = _kind(inner[0].layer)
                yield from self.of_chain(inner, before=f"{prefix}/{direction}_{kind}")
            return
        for inner in placed.chains:
            yield from self.of_chain(inner)


def _kind(layer: Layer) -> str | None:
    return next((_KINDS[kind] for kind in type(layer).__mro__ if kind in _KINDS), None)


def _flat_behind(placed: PlacedLayer, flat: Shape | None) -> Shape | None:
    """Return the shape that is flat behind a layer, or refuse an order that Keras cannot have."""
    layer, before, after = placed.layer, placed.input_shape, placed.output_shape
    if isinstance(layer, Reshape):
        if len(after) == 1:
            return flat if len(before) == 1 else before
        if before == after or (flat is None and _step(before) == _step(after)):
            return None
        raise ConversionError(
            f"It makes {after} of {before}, and Keras, which has channels last, would put the "
            f"numbers elsewhere. {_OTHER_NAMINGS}"
        )
    if flat is None or isinstance(layer, _KEEPS_ORDER):
        return flat
    if isinstance(layer, Dense):
        return None
    raise _flattened()


def _step(shape: Shape) -> int:
    """Return how far apart neighbours of theirs, (H, W, C), are in ours: 1 if nothing moves."""
    return math.prod(shape[1:]) if shape[0] > 1 else 1


def _last_axis_first(shape: Shape) -> Array:
    """Return the places in ours, (C, H, W), of the numbers of theirs, (H, W, C)."""
    places = np.arange(np.prod(shape)).reshape(shape)
    return np.moveaxis(places, 0, -1).ravel()


def _flattened() -> ConversionError:
    found = "It gets flattened examples, whose numbers Keras has in another order"
    return ConversionError(f"{found}, and no layer before it could reorder them. {_OTHER_NAMINGS}")


_LAYER = re.compile(rf"({'|'.join(sorted(_KINDS.values(), key=len, reverse=True))})(?:_(\d+))?")


def with_new_numbers(names: Iterable[str]) -> dict[str, str]:
    """Return names of Keras as a new model would have them, for names of any model.

    Keras counts on from model to model, and has the name of the model before all others.

    >>> with_new_numbers(["sequential_3/dense_7/kernel", "sequential_3/dense_12/kernel"])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'sequential_3/dense_7/kernel': 'dense/kernel',
     'sequential_3/dense_12/kernel': 'dense_1/kernel'}
    """
    found = {name: _parsed(name) for name in names}
    numbers: dict[str, set[int]] = {}
    for kind, number, _ in filter(None, found.values()):
        numbers.setdefault(kind, set()).add(number)
    renamed = {}
    for name, parsed in found.items():
        if parsed is None:
            renamed[name] = name
            continue
        kind, number, rest = parsed
        n = sorted(numbers[kind]).index(number)
        renamed[name] = f"{kind}_{n}/{rest}" if n else f"{kind}/{rest}"
    return renamed


def expect_different(renamed: Mapping[str, str]) -> None:
    """Refuse two names that are one name in a new model, as of models within a model."""
    first: dict[str, str] = {}
    for name, new in renamed.items():
        if new in first:
            raise KeyError(
                f"{first[new]!r} and {name!r} are both {new!r} here, expected a number for each "
                f"layer. If the arrays are in the order of the layers, pass "
                f"dict(zip(tn.exchange.state_dict(model, 'keras'), arrays.values()))."
            )
        first[new] = name


def _parsed(name: str) -> tuple[str, int, str] | None:
    """Return the kind and number of a layer, and what is behind, or None for another name."""
    parts = name.removesuffix(":0").split("/")
    for k, part in enumerate(parts[:-1]):
        match = _LAYER.fullmatch(part)
        if match:
            rest = [re.sub(r"_\d+$", "", inner) for inner in parts[k + 1 :]]
            return match[1], int(match[2] or 0), "/".join(rest)
    return None
