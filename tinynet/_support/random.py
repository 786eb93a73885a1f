"""Generators of random numbers, and their state as plain data, so that a run can be resumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from tinynet._support.checks import shown

# A string, because numpy.random costs 16 ms to import.
Random: TypeAlias = "np.random.Generator | np.random.RandomState"

# NumPy's setters accept any number here, and then read beyond the state.
_RANGES = {"pos": (0, 624), "buffer_pos": (0, 4), "has_uint32": (0, 1), "has_gauss": (0, 1)}
# NumPy's own bit generators, the only ones that a file may ask for.
_KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def generator(seed: int | Random | None, name: str = "seed") -> Random:
    """Return a generator for a seed; a generator comes back as it is."""
    if isinstance(seed, (np.random.Generator, np.random.RandomState)):
        return seed
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        found = f"{name} is {shown(seed)}, expected a whole number that is not negative"
        hint = f"Use {name}=1, or leave it out to draw others each time"
        raise type(error)(f"{found}, a generator or None. {hint}.") from error


def get_state(rng: Random) -> Any:
    """Return the state of a generator as NumPy has it."""
    if isinstance(rng, np.random.RandomState):
        return rng.get_state(legacy=False)
    return rng.bit_generator.state


def put_state(rng: Random, state: Any) -> None:
    """Set a generator to a state that `get_state` returned."""
    if isinstance(rng, np.random.RandomState):
        rng.set_state(state)
    else:
        rng.bit_generator.state = state


def restore(rng: Random, copy: Random) -> None:
    """Set a generator to the state of a copy that was made earlier, of whatever kind it is."""
    if type(rng) is type(copy):
        put_state(rng, get_state(copy))


def state_of(rng: Random) -> dict[str, Any]:
    """Return the state of a generator; `plain` makes it what JSON can hold."""
    state = get_state(rng)
    if state["bit_generator"] not in _KINDS:
        hint = "Give the model such a generator, or a number, as its seed."
        raise TypeError(f"{rng!r} cannot be saved, expected a generator on one of {_KINDS}. {hint}")
    return {"kind": type(rng).__name__, "state": state}


def set_state(rng: Random, saved: Mapping[str, Any]) -> None:
    """Set a generator to a state that `state_of` returned for one of its kind."""
    put_state(rng, _like(saved["state"], get_state(rng)))


def generator_from(saved: Mapping[str, Any]) -> Random:
    """Return a new generator in a state that `state_of` returned; any other raises an error."""
    name, kind = saved["state"]["bit_generator"], saved["kind"]
    if name not in _KINDS:
        raise ValueError(f"The bit generator is {name!r}, expected one of {', '.join(_KINDS)}.")
    if kind not in ("Generator", "RandomState"):
        raise ValueError(f"The generator is a {kind!r}, expected Generator or RandomState.")
    _check_ranges(saved["state"])
    rng: Random = getattr(np.random, kind)(getattr(np.random, name)(0))
    set_state(rng, saved)
    return rng


def _check_ranges(state: Mapping[str, Any]) -> None:
    """Refuse a state with which NumPy would read beyond its end, or draw one number for ever."""
    inner = state["state"] if isinstance(state["state"], Mapping) else {}
    for name, (least, most) in _RANGES.items():
        value = {**state, **inner}.get(name, least)
        if not least <= value <= most:
            raise ValueError(f"A generator's {name} is {value!r}, expected {least} to {most}.")
    if "inc" in inner and inner["inc"] % 2 == 0:
        raise ValueError(f"A generator's inc is {inner['inc']}, expected an odd number.")
    if state["bit_generator"] == "MT19937" and not (any(inner["key"][1:]) or inner["key"][0] >> 31):
        raise ValueError("A generator's key is all zeros.")
    if not math.isfinite(state.get("gauss", 0)):
        raise ValueError("A generator's gauss is not finite.")


def plain(value: Any) -> Any:
    """Return `value` with what JSON can hold in place of NumPy's numbers and arrays."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _like(value: Any, template: Any) -> Any:
    """Return plain data with arrays where `template` has arrays."""
    if isinstance(template, Mapping):
        return {key: _like(value[key], item) for key, item in template.items()}
    if isinstance(template, np.ndarray):
        return np.array(value, template.dtype).reshape(template.shape)
    return value
