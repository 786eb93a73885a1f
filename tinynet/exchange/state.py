"""State dictionaries: all arrays of a model by name, as tinynet, PyTorch or Keras has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, check_finite
from tinynet._support.examples import numbers
from tinynet._support.results import write
from tinynet.errors import ShapeError
from tinynet.exchange.entries import Entry, entries_of, read, same
from tinynet.exchange.given import expect_model
from tinynet.exchange.keras.names import KerasNames, expect_different, with_new_numbers
from tinynet.exchange.torch.names import TORCH, prefixes
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first

NAMINGS = ("tinynet", "torch", "keras")

# A layer, and its entries by their names in the whole model.
Located = tuple[PlacedLayer, dict[str, Entry]]


def state_dict(model: Network, naming: str = "torch") -> dict[str, Array]:
    """Return copies of all parameters and state of a model by name.

    Parameters
    ----------
    model : Sequential
        A model that is built.
    naming : {"torch", "keras", "tinynet"}
        Whose names and layouts they have.

        - "torch": those of the ``nn.Sequential`` that `to_torch` returns, which
          ``load_state_dict(..., strict=True)`` takes: "0.weight", "0.bias", "2.running_mean".
        - "keras": those of a new Keras model of the same layers: "dense/kernel", "dense/bias",
          "dense_1/kernel". Kernels are transposed, and behind Flatten they have the order of
          examples with channels last.
        - "tinynet": "W1", "b1", "running_mean2", as they are in the model.

    Returns
    -------
    dict of str to ndarray
        Contiguous arrays in the dtype of the model.

    Raises
    ------
    NotBuiltError
        For a model that has not seen an X and has no ``inputs``.
    ConversionError
        For arrays that the other library has no name for.

    Examples
    --------
    >>> import tinynet as tn
    >>> model = tn.Sequential([tn.Dense(3, "relu"), tn.Dense(1)], inputs=2, seed=1)
    >>> {name: array.shape for name, array in tn.exchange.state_dict(model).items()}
    {'0.weight': (3, 2), '0.bias': (3,), '2.weight': (1, 3), '2.bias': (1,)}
    >>> {name: array.shape for name, array in tn.exchange.state_dict(model, "keras").items()}
    {'dense/kernel': (2, 3), 'dense/bias': (3,), 'dense_1/kernel': (3, 1), 'dense_1/bias': (1,)}
    """
    expect_model(model)
    arrays: dict[str, Array] = {}
    for placed, entries in located(model.storage.layers, naming):
        ours = placed.arrays
        for name, entry in entries.items():
            arrays[name] = entry.write(*[ours[key] for key in entry.ours]).copy("C")
    return arrays


def load_state_dict(model: Network, arrays: Mapping[str, Any], naming: str = "torch") -> Network:
    """Copy arrays into the parameters and state of a model, and return the model.

    Parameters
    ----------
    model : Sequential
        A model that is built, with the layers that the arrays are for.
    arrays : mapping of str to array_like
        All arrays by name, as `state_dict` returns them: from ``module.state_dict()`` of PyTorch,
        ``{w.path: w.numpy() for w in keras_model.weights}`` of Keras, or a file of safetensors.
    naming : {"torch", "keras", "tinynet"}
        Whose names and layouts they have. Keras's names may have other numbers, in the same order:
        layers are numbered as they were made, not as they were connected.

    Returns
    -------
    Sequential
        The model.

    Raises
    ------
    KeyError
        For a name that is missing or unknown, and for two names of Keras that are one here.
    ShapeError
        For an array of another shape.
    TypeError
        For anything but a model and a dictionary of arrays.
    NonFiniteError
        For NaN or infinity. No error changes the model.

    Examples
    --------
    >>> import tinynet as tn
    >>> one, other = (tn.Sequential([tn.Dense(3)], inputs=2, seed=seed) for seed in (1, 2))
    >>> other = load_state_dict(other, state_dict(one))
    >>> bool((one.params == other.params).all())
    True
    """
    expect_model(model)
    _expect_mapping(arrays)
    theirs = {name: numbers(_on_cpu(array), name) for name, array in arrays.items()}
    ours = read_state(model.storage.layers, theirs, naming)
    checked = []
    for placed in model.storage.placed:
        for name, view in placed.arrays.items():
            key = f"{name}{placed.label}"
            array = np.empty_like(view)
            write(array, ours[key], key)
            check_finite(key, array)
            expect_least(key, array, placed.declared[name].least)
            checked.append((view, array))
    for view, array in checked:
        view[...] = array
    return model


def read_state(
    layers: Sequence[PlacedLayer], theirs: Mapping[str, Array], naming: str
) -> dict[str, Array]:
    """Return arrays by our names, "W1" and so on, if all of theirs are there in the right shape."""
    places = list(located(layers, naming))
    if naming == "keras":
        renamed = with_new_numbers(theirs)
        expect_different(renamed)
        theirs = {renamed[name]: array for name, array in theirs.items()}
    wanted = {name: entry for _, entries in places for name, entry in entries.items()}
    _expect_names(wanted, theirs, naming)
    ours: dict[str, Array] = {}
    for placed, entries in places:
        shapes = {name: parameter.shape for name, parameter in placed.declared.items()}
        for name, entry in entries.items():
            _expect_shape(name, theirs, entry, shapes, placed)
        found = {entry.name: theirs[name] for name, entry in entries.items() if entry.ours}
        needed = [entry for entry in entries.values() if entry.ours]
        arrays = read(needed, found, shapes)
        ours |= {f"{name}{placed.label}": array for name, array in arrays.items()}
    return ours


def located(layers: Sequence[PlacedLayer], naming: str) -> Iterator[Located]:
    """Yield the layers of a model, those within layers too, with their entries by name."""
    if naming not in NAMINGS:
        known = ", ".join(map(repr, NAMINGS))
        raise ValueError(f"naming is {naming!r}, expected one of {known}.")
    if naming == "keras":
        yield from KerasNames().of_chain(layers)
    elif naming == "torch":
        for prefix, placed in prefixes(layers):
            entries = entries_of(TORCH, placed.layer, placed.declared)
            yield placed, {f"{prefix}{entry.name}": entry for entry in entries}
    else:
        for placed in depth_first(layers):
            yield placed, {f"{name}{placed.label}": same(name, name) for name in placed.declared}


def _expect_mapping(arrays: Any) -> None:
    if isinstance(arrays, Mapping):
        return
    remedy = "Use safetensors.numpy.load_file(path) for a file of safetensors."
    if hasattr(arrays, "state_dict"):
        remedy = "Pass arrays.state_dict()."
    elif isinstance(arrays, Network):
        remedy = "Pass tn.exchange.state_dict(arrays, naming)."
    raise TypeError(f"arrays is {type(arrays).__name__}, expected a dictionary of arrays. {remedy}")


def _on_cpu(array: Any) -> Any:
    """Return an array NumPy can read, also of a tensor that is on another device or bfloat16."""
    if not hasattr(array, "detach"):
        return array
    tensor = array.detach().cpu()  # needs no gradient
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def _expect_names(entries: Mapping[str, Entry], theirs: Mapping[str, Array], naming: str) -> None:
    """Refuse arrays under other names; one that says nothing about ours may be missing."""
    missing = [name for name, entry in entries.items() if entry.ours and name not in theirs]
    unknown = [name for name in theirs if name not in entries]
    if not missing and not unknown:
        return
    found = []
    if missing:
        found.append(f"have no {_listed(missing)}")
    if unknown:
        found.append(f"have {_listed(unknown)}, which the model has not")
    remedy = _remedy(entries, theirs, naming)
    raise KeyError(f"The arrays {' and '.join(found)}, expected {_listed(entries)}. {remedy}.")


def _remedy(entries: Mapping[str, Entry], theirs: Mapping[str, Array], naming: str) -> str:
    """Return what to do about arrays under other names."""
    missing = [name for name in entries if name not in theirs]
    if all(name.endswith("bias") for name in missing) and len(theirs) + len(missing) == len(
        entries
    ):
        return "For a layer without a bias, add zeros, beside the name of its weights"
    likely = {_likely_naming(name) for name in theirs}
    if len(likely) == 1 and naming not in likely and None not in likely:
        return f"They look like those of naming={likely.pop()!r}: pass that"
    if naming == "keras" and likely != {"keras"}:
        return "Pass {w.path: w.numpy() for w in keras_model.weights}"
    if list(theirs) == sorted(theirs) and list(entries) != sorted(entries):
        first = next(iter(entries))
        return (
            "They are sorted by name, as those of a file, and not in the order of the layers. "
            f"Rename each: {{{first!r}: arrays[...], ...}}"
        )
    if len(theirs) == len(entries):
        return (
            "If they are all there in this order under other names, pass "
            f"dict(zip(tn.exchange.state_dict(model, {naming!r}), arrays.values()))"
        )
    return "Build the model with the layers that the arrays are of"


def _likely_naming(name: str) -> str | None:
    """Return the naming that a name looks like: "dense/kernel", "W1" or "0.weight"."""
    if "/" in name:
        return "keras"
    if re.fullmatch(r"[A-Za-z_]+\d+(\.\d+)*", name):
        return "tinynet"
    return "torch" if "." in name else None


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    some = ", ".join(map(repr, names[:6]))
    return some if len(names) <= 6 else f"{some} and {len(names) - 6} more"


def _expect_shape(
    name: str,
    theirs: Mapping[str, Array],
    entry: Entry,
    shapes: Mapping[str, Shape],
    placed: PlacedLayer,
) -> None:
    if not entry.ours:
        return
    expected = np.shape(entry.write(*[np.empty(shapes[key], bool) for key in entry.ours]))
    if theirs[name].shape != expected:
        found = f"{name} has shape {theirs[name].shape}, expected {expected} for {placed.title}"
        remedy = f"Build the model with the layers and inputs that {name} is of"
        raise ShapeError(f"{found}. {remedy}.")


def expect_least(key: str, array: Array, least: float) -> None:
    """Refuse an array with numbers that a layer cannot have, such as a variance below 0."""
    if (array < least).any():
        found = f"{key} has the number {array.min():g}, expected at least {least:g}"
        raise ValueError(f"{found}. Pass the arrays of a trained model.")
