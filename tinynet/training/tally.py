"""What is measured batch by batch: costs, and predictions for the metrics."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array
from tinynet.metrics import Measure, measured
from tinynet.metrics.base import OutputKind
from tinynet.model.network import Network
from tinynet.training.ranks import Ranks


def output_kind(network: Network) -> OutputKind:
    """Return what the loss and the last layer say about the outputs."""
    loss = network.loss
    if loss is None:
        return OutputKind(network.is_multilabel)
    return OutputKind(network.is_multilabel, loss.ignores, loss.threshold)


class Tally:
    """What is measured batch by batch: the sum of the costs of all examples, and their number.

    For the metrics, also the targets Y, the outputs A and, if these count, the weights w. Of
    several ranks, each has those of its parts of the batches.
    """

    def __init__(self, metrics: dict[str, Measure], ranks: Ranks | None = None) -> None:
        self.metrics, self.ranks = metrics, ranks
        self.cost_sum, self.examples = 0.0, 0
        self.batches: dict[str, list[Array]] = {}  # the arrays by name: Y, A, w

    def keep(self, Y: Array, A: Array, w: Array | None) -> None:
        """Keep copies of a batch, for the metrics."""
        for name, array in (("Y", Y), ("A", A), ("w", w)):
            if array is not None:
                self.batches.setdefault(name, []).append(array.copy())

    def predictions(self) -> dict[str, Array]:
        """Return Y, A and perhaps w of all batches, as one array each, if there are any."""
        join = _joined if self.ranks is None else self.ranks.joined
        return {name: join(parts) for name, parts in self.batches.items()}

    def restore(self, cost_sum: float, examples: int, predictions: dict[str, Array]) -> None:
        """Continue from what was measured; the predictions are those of all ranks."""
        self.cost_sum, self.examples = cost_sum, examples
        is_first = self.ranks is None or self.ranks.rank == 0
        counted = slice(None) if is_first else slice(0)  # on one rank, and so once
        self.batches = {name: [array[..., counted]] for name, array in predictions.items()}

    def measures(self, network: Network) -> dict[str, float]:
        """Return the mean cost, and the metrics over all examples; `network` gave the outputs."""
        values = {"loss": self.cost_sum / self.examples}
        if self.metrics:
            arrays = self.predictions()
            Y, A, w, kind = arrays["Y"], arrays["A"], arrays.get("w"), output_kind(network)
            for name, metric in self.metrics.items():
                values[name] = measured(name, metric, Y, A, w, kind)
        return values if self.ranks is None else self.ranks.of_first(values)


def _joined(parts: list[Array]) -> Array:
    return np.concatenate(parts, axis=-1)
