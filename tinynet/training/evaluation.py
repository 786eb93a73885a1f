"""Evaluation and prediction: passes that change nothing in a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.quiet import quiet
from tinynet.data.batches import Batches
from tinynet.metrics import Measure
from tinynet.model.network import Network
from tinynet.training.ranks import Ranks
from tinynet.training.tally import Tally


@quiet
def evaluate(
    network: Network, batches: Batches, metrics: dict[str, Measure], ranks: Ranks | None = None
) -> dict[str, float]:
    """Return the loss and the metrics on batches, in order; the network stays as it is."""
    tally = Tally(metrics, ranks)
    for X, Y, w in batches.epoch(None):
        m = X.shape[-1]
        J, A = 0.0, Y  # of no examples, which one of several ranks may get
        if m:
            chain = network.storage.private_chain(m)
            A = chain.forward_input(X)
            J = chain.cost(Y, w)
        tally.cost_sum += m * J
        tally.examples += m
        if metrics:
            tally.keep(Y, A, w if batches.weighs_metrics else None)
    if ranks is not None:
        tally.cost_sum, examples = ranks.sum(tally.cost_sum, tally.examples)
        tally.examples = round(examples)
    return tally.measures(network)


def outputs(network: Network, m: int, parts: Iterable[Array]) -> Array:
    """Return A[L] for m examples, which come in parts that are checked."""
    held: dict[int, Any] = {}
    start = 0
    for part in parts:
        of_part = network.storage.outputs_of(part, held)
        if of_part.shape[-1] == m:
            return of_part
        if start == 0:
            A = np.empty((*of_part.shape[:-1], m), of_part.dtype)
        stop = start + of_part.shape[-1]
        A[..., start:stop], start = of_part, stop
    return A
