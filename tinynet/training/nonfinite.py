"""What to say when a number is NaN or infinite during training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tinynet._support.arrays import Array
from tinynet.errors import NonFiniteError
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer
from tinynet.optimizers import Optimizer
from tinynet.training.mismatches import outputs_outside
from tinynet.training.run import Run


def first_nonfinite(network: Network, with_gradients: bool = True) -> str | None:
    """Return the name of the first array of the last passes that is not finite.

    The arrays are looked at in the order in which they are computed, the gradients of parameters
    only `with_gradients`.
    """
    for name, layer, array in _in_order(network, with_gradients):
        if array is not None and not np.isfinite(array).all():
            return f"{name}[{layer.index}] of {layer.title}"
    return None


def _in_order(
    network: Network, with_gradients: bool
) -> Iterator[tuple[str, PlacedLayer, Array | None]]:
    chain = network.chain
    assert chain is not None, "a step has a pass"
    links = list(chain.links_as_computed())
    for layer, cache in links:
        yield "Z", layer, cache.Z
        yield "A", layer, cache.A
    for layer, cache in reversed(links):
        if not (cache is chain.last and chain.begins_at_dZ):  # else dA[L] is not computed
            yield "dA", layer, cache.dA
        gradients = [f"d{name}" for name in cache.parameters] if with_gradients else []
        for name in ("dZ", *gradients):
            yield name, layer, getattr(cache, name)
    for kind in ("params", "state_views"):
        for layer in network.storage.placed:
            for name, view in getattr(layer, kind).items():
                yield name, layer, view


def course(costs: Iterable[float]) -> str:
    """Return costs as a person reads them."""
    return ", ".join(f"{J:.4g}" for J in costs)


def too_large(optimizer: Optimizer) -> str:
    """Return the likely cause of a cost that grows."""
    return f"The learning rate is likely too large for model and data: {optimizer!r}."


def nonfinite_error(
    run: Run, culprit: str, costs: Iterable[float], was_updated: bool
) -> NonFiniteError:
    """Return the error that says what was not finite, what state the model is in, and why."""
    costs = list(costs)
    where = f"Epoch {run.epoch + 1}, step {run.step + 1}: {culprit} is not finite."
    state = "The parameters are as before this step"
    state += ", and the optimizer begins anew." if was_updated else "."
    mismatch = next(iter(run.mismatches), "") or outputs_outside(run.network)
    if mismatch:
        why = f"{mismatch} The cost went {course(costs)}."
    elif len(costs) > 1 or was_updated or run.resumed:
        why = f"{too_large(run.optimizer)} The cost went {course(costs)}."
    else:
        why = "This fit has taken no step yet, so look first at the parameters it began with, at "
        why += "the size of X and Y, and at what that layer and the loss compute. "
        why += f"The cost was {course(costs)}."
    return NonFiniteError(f"{where} {state} {why}")
