"""Parameters of parameters, such as ``optimizer__learning_rate``, and descriptions by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from sklearn.utils._param_validation import InvalidParameterError

from tinynet._support.registry import Registered
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.losses import Loss
from tinynet.metrics import Metric
from tinynet.optimizers import Optimizer

# The families of the parameters that are descriptions, or their names.
FAMILIES: dict[str, type[Registered]] = {
    "activation": Activation,
    "output": Activation,
    "loss": Loss,
    "optimizer": Optimizer,
    "init": Initializer,
}


def described(family: type[Registered], value: Any) -> Any:
    """Return what a name, a config or an instance stands for, or None if it stands for nothing."""
    if isinstance(value, str) and value not in family.names():
        return None  # such as "auto", or a mistake, which `fit` refuses
    try:
        return family.get(value)
    except (TypeError, ValueError, LookupError):
        return None


def description(estimator: Any, name: str) -> Any:
    """Return what the parameter `name` stands for, or raise an error as scikit-learn does."""
    family, value = FAMILIES[name], getattr(estimator, name)
    try:
        return family.get(value)
    except (TypeError, ValueError, LookupError) as error:
        kind = type(estimator).__name__
        expected = f"The {name!r} parameter of {kind} must be a known {family.family}"
        raise InvalidParameterError(f"{expected}. {error}") from error


def takes_steps(estimator: Any) -> bool:
    """Return whether the optimizer is one of tinynet, or raise an error as scikit-learn does."""
    if isinstance(estimator.optimizer, str) and estimator.optimizer == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


def nested_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of all descriptions among the parameters, as ``optimizer__beta1``."""
    nested = {}
    for name, family in FAMILIES.items():
        thing = described(family, params[name])
        if thing is not None:
            for field in _fields(thing):
                nested[f"{name}__{field.alias}"] = getattr(thing, field.name)
    return nested


def with_fields(estimator: Any, name: str, fields: Mapping[str, Any]) -> Any:
    """Return the description `name` of an estimator with other fields, and without memory."""
    thing = described(FAMILIES[name], getattr(estimator, name))
    known = [] if thing is None else [field.alias for field in _fields(thing)]
    for field in fields:
        if field not in known:
            wrong = f"Invalid parameter {field!r} for {name}={getattr(estimator, name)!r}"
            raise ValueError(f"{wrong} of {estimator}. Valid parameters are: {known!r}.")
    return attrs.evolve(thing, **fields)


def portable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands for the parameters in another process, which knows no custom names.

    A name of a user's own class becomes an instance: to unpickle it imports, and so registers, it.
    """
    changed = {name: _portable(family, params[name]) for name, family in FAMILIES.items()}
    metrics = params["metrics"]
    if isinstance(metrics, Iterable) and not isinstance(metrics, str):
        changed["metrics"] = [_portable(Metric, metric) for metric in metrics]
    return changed


def _portable(family: type[Registered], value: Any) -> Any:
    thing = described(family, value) if isinstance(value, str) else None
    is_own = thing is not None and not type(thing).__module__.startswith("tinynet.")
    return thing if is_own else value


def _fields(thing: Any) -> list[Any]:
    return [field for field in attrs.fields(type(thing)) if field.init]
