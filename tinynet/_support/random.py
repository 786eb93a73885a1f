"""Generators of random numbers, and their state as plain data, so that a run can go on where it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

Random: TypeAlias = (
    "np.random.Generator | np.random.RandomState"  # numpy.random costs 16 ms to import
)

_RANGES = {  # NumPy's setters take any, and then read beyond the state
    "pos": (0, 624), "buffer_pos": (0, 4), "has_uint32": (0, 1), "has_gauss": (0, 1),
}  # fmt: skip
_KINDS = (
    "MT19937",
    "PCG64",
    "PCG64DXSM",
    "Philox",
    "SFC64",
)  # NumPy's own, the only ones that a file may ask for


def generator(seed: int | Random | None) -> Random:
    """Return a generator for a seed; one that is handed in comes back as it is."""
    if isinstance(seed, (np.random.Generator, np.random.RandomState)):
        return seed
    return np.random.default_rng(seed)


def state_of(rng: Random) -> dict[str, Any]:
    """Return the state of a generator as plain data, which JSON can hold."""
    if isinstance(rng, np.random.RandomState):
        state: Any = rng.get_state(legacy=False)
    else:
        state = rng.bit_generator.state
    if state["bit_generator"] not in _KINDS:
        raise TypeError(
            f"the state of {rng!r} cannot be kept; give the model a seed of one of NumPy's: {_KINDS}"
        )
    return {"kind": type(rng).__name__, "state": plain(state)}


def set_state(rng: Random, kept: Mapping[str, Any]) -> None:
    """Take a generator back to a state that `state_of` returned of one of its kind."""
    if isinstance(rng, np.random.RandomState):
        rng.set_state(_like(kept["state"], rng.get_state(legacy=False)))
    else:
        rng.bit_generator.state = _like(kept["state"], rng.bit_generator.state)


def set_back(rng: Random, before: Random) -> None:
    """Take a generator back to the state of a copy that was made before, whatever kind it is."""
    if isinstance(rng, np.random.RandomState) and isinstance(before, np.random.RandomState):
        rng.set_state(before.get_state(legacy=False))
    elif isinstance(rng, np.random.Generator) and isinstance(before, np.random.Generator):
        rng.bit_generator.state = before.bit_generator.state


def generator_of(kept: Mapping[str, Any]) -> Random:
    """Return a new generator in a state that `state_of` returned; any other is a ValueError, or what NumPy raises."""
    name = kept["state"]["bit_generator"]
    if name not in _KINDS:
        raise ValueError(f"there is no generator {name!r}; known: {', '.join(_KINDS)}")
    if kept["kind"] not in ("Generator", "RandomState"):
        raise ValueError(f"there is no kind of generator {kept['kind']!r}")
    _check_ranges(kept["state"])
    bits = getattr(np.random, name)(0)
    rng: Random = (
        np.random.RandomState(bits) if kept["kind"] == "RandomState" else np.random.Generator(bits)
    )
    set_state(rng, kept)
    return rng


def _check_ranges(state: Mapping[str, Any]) -> None:
    """Refuse a state from which NumPy would read beyond its end, or draw the same number for ever."""
    inner = state["state"] if isinstance(state["state"], Mapping) else {}
    for name, (least, most) in _RANGES.items():
        value = {**state, **inner}.get(name, least)
        if not least <= value <= most:
            raise ValueError(
                f"the {name} of a generator goes from {least} to {most}; got {value!r}"
            )
    if "inc" in inner and inner["inc"] % 2 == 0:
        raise ValueError("the inc of a generator is odd")
    if state["bit_generator"] == "MT19937" and not (any(inner["key"][1:]) or inner["key"][0] >> 31):
        raise ValueError("the key of a generator is not all zeros")
    if not math.isfinite(state.get("gauss", 0)):
        raise ValueError("the gauss of a generator is finite")


def plain(value: Any) -> Any:
    """Return what JSON can hold in the place of NumPy's numbers and arrays."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _like(value: Any, template: Any) -> Any:
    """Return plain data with the arrays that NumPy wants, where `template` has them."""
    if isinstance(template, Mapping):
        return {key: _like(value[key], item) for key, item in template.items()}
    return (
        np.array(value, template.dtype).reshape(template.shape)
        if isinstance(template, np.ndarray)
        else value
    )
