"""Attributes of a model: those that stay what they are, and names that it does not have."""

from __future__ import annotations

import re
from typing import Any

from tinynet._support import elsewhere
from tinynet.errors import NotBuiltError

# What a model is made of stays where it is; and what to write in place of an assignment.
_FIXED = {
    "layers": "a new model: Sequential([...])",
    "loss": "a new model: Sequential(..., loss=...)",
    "dtype": 'a new model: Sequential(..., dtype="float64")',
    "inputs": "a new model: Sequential(..., inputs=n_0)",
    "params": "model.params[:] = v",
    "grads": "model.grads[:] = v",
    "state": "model.state[:] = v",
    "W": "model.W[1] = M",
    "b": "model.b[1] = v",
    "dW": "model.dW[1] = M",
    "db": "model.db[1] = v",
}
_NUMBERED = re.compile(r"(d?[WbZA])(\d+)")  # W1, as an array is called in get_parameters
# What a model has of its storage, once it is built.
OF_STORAGE = (
    "params", "grads", "state", "values", "decaying", "identity", "n_params", "inputs", "outputs",
)  # fmt: skip


def expect_assignable(model: Any, name: str) -> None:
    """Refuse an assignment that would detach an array, or that nothing would ever read."""
    if name in _FIXED or name in OF_STORAGE:
        hint = f" Use {_FIXED[name]}." if name in _FIXED else ""
        raise AttributeError(f"model.{name} cannot be replaced.{hint}")
    # A subclass may have attributes of its own, and any model a note such as model.history.
    is_there = name in vars(model) or hasattr(type(model), name)
    if is_there or name == "history" or _is_subclass(model):
        return
    names = _names(model)
    is_numbered = _NUMBERED.fullmatch(name) is not None
    is_mistaken = elsewhere.is_known(name, names) or elsewhere.is_misspelt(name, names)
    if (is_numbered or is_mistaken) and not name.startswith("_"):
        raise _missing(model, name, assigned=True)


def not_found(model: Any, name: str) -> Exception | None:
    """Return the error for an attribute that was not found, if Python's own says less."""
    if name == "storage" or name in OF_STORAGE:
        return NotBuiltError(
            "The model has no parameters yet, because its number of inputs is unknown. "
            "Use Sequential(..., inputs=n_0), or call model.forward(X) or "
            "model.fit(X, Y) first."
        )
    if name.startswith("_") or hasattr(type(model), name):
        return None
    return _of_a_layer(model, name) or _missing(model, name)


def _of_a_layer(model: Any, name: str) -> AttributeError | None:
    """Return the error for the name of a parameter or state that is in layers, such as gamma."""
    if "storage" not in vars(model):
        return None
    for at in model.storage.placed:
        if name in at.params or name in at.state_views:
            found = f"model has no attribute {name!r}, because it is in {at.title}"
            by_name = f'Use model.get_parameters()["{name}{at.label}"]'
            in_cache = f"model.caches[{at.path[0] - 1}].{name} after a pass"
            ways = [by_name] if name in at.params else []
            if len(at.path) == 1:
                ways.append(f"or {in_cache}" if ways else f"Use {in_cache}")
            return AttributeError(f"{found}. {', '.join(ways)}." if ways else f"{found}.")
    return None


def _missing(model: Any, name: str, assigned: bool = False) -> AttributeError:
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        array = f"model.{numbered[1]}[{numbered[2]}]"
        if assigned:
            array += "[:] = M" if numbered[1][-1] in "ZA" else " = M"
        return AttributeError(f"model has no attribute {name!r}. Use {array}.")
    return elsewhere.missing("model", name, _names(model), "model.")


def _names(model: Any) -> list[str]:
    return [name for name in {*vars(model), *dir(type(model)), *OF_STORAGE} if name[0] != "_"]


def _is_subclass(model: Any) -> bool:
    return not type(model).__module__.startswith("tinynet.")
