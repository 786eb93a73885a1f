"""The base of callbacks that need the learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynet.training.callbacks.base import Callback, state_values


class SeesRate(Callback):
    """Base of callbacks that need the learning rate of an epoch's last step, as ``self.rate``.

    It is taken in the step: at the end of the epoch another callback may have changed it.
    """

    rate: float | None = None

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any]) -> None:
        if hasattr(self.run.optimizer, "learning_rate"):
            self.rate = float(self.run.optimizer.rate())

    def state(self) -> Mapping[str, Any]:
        return {} if self.rate is None else {"rate": self.rate}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            (self.rate,) = state_values(state, rate=float)
