"""The model that the exchange is given: other libraries have things of the same name."""

from __future__ import annotations

from typing import Any

from tinynet.model.network import Network


def expect_model(model: Any) -> None:
    """Refuse what is not a model, and say how to get one from an estimator or a module."""
    if isinstance(model, Network):
        return
    remedy = "Pass a tn.Sequential([...])."
    if hasattr(model, "model_"):
        remedy = "Pass the estimator's model: model.model_."
    elif hasattr(model, "load_state_dict"):
        remedy = "Use tn.exchange.from_torch(model)."
    raise TypeError(f"model is {type(model).__name__}, expected a model of tinynet. {remedy}")
