"""The state of a training run: all that the loop changes, and all that a checkpoint saves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tinynet._support import fields
from tinynet._support.arrays import clear_subnormals
from tinynet._support.checks import integer
from tinynet.data.sources import Prepared
from tinynet.data.split import check_share
from tinynet.metrics import Measure
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer
from tinynet.optimizers import Optimizer
from tinynet.training.history import History
from tinynet.training.ranks import Ranks
from tinynet.training.tally import Tally

INTERRUPTED = "interrupted"


@attrs.frozen(slots=False, kw_only=True)
class Settings:
    """The settings of `fit` that a checkpoint saves."""

    epochs: int = fields.integer(least=0)
    batch_size: int | None = fields.integer(optional=True)
    shuffle: bool | str = fields.one_of(True, False, "blocks", "whole")
    verbose: bool = attrs.field(converter=bool)
    class_weight: Any
    validation_split: float | None = attrs.field(converter=attrs.converters.optional(check_share))
    steps_per_epoch: int | None = fields.integer(optional=True)
    checkpoint_every: int | None = fields.integer(optional=True)
    detect_anomaly: bool = attrs.field(converter=bool)

    def describe(self) -> dict[str, Any]:
        """Return the settings as plain data. JSON has only strings as keys, so labels are pairs."""
        weights = self.class_weight
        if isinstance(weights, Mapping):
            weights = [[int(label), float(weight)] for label, weight in weights.items()]
        return attrs.asdict(self, recurse=False) | {"class_weight": weights}

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> Settings:
        """Return the settings that `describe` described."""
        weights = described["class_weight"]
        if weights not in (None, "balanced"):
            weights = {integer("a label", label, 0): weight for label, weight in weights}
        return cls(**{**described, "class_weight": weights})


@attrs.define(slots=False, eq=False, repr=False)
class Run:
    """A training run.

    ``epoch`` counts the epochs that are finished, ``step`` the steps taken since, and ``tally``
    holds what these have measured. ``stopped`` says why the run ends early, and is empty while it
    does not. ``ranks`` are those that train together, or None for one process. The network and the
    data are there until the run ends.
    """

    network: Network
    optimizer: Optimizer
    metrics: dict[str, Measure]
    settings: Settings
    data: Prepared
    rng_at_epoch: dict[str, Any] | None = None  # before the order of the epoch was drawn
    ranks: Ranks | None = None
    history: History = attrs.field(factory=History)
    epoch: int = 0
    step: int = 0
    stopped: str = ""
    resumed: bool = False
    mismatches: list[str] = attrs.field(factory=list)  # likely mistakes that show before a step
    added: list[str] = attrs.field(factory=list)  # names of what callbacks measure
    notes: list[str] = attrs.field(factory=list)  # for the error that ends the run, if one does
    frozen: list[slice] = attrs.field(factory=list)  # parts of network.values that do not move

    def new_tally(self) -> Tally:
        """Return a tally of no batch."""
        return Tally(self.metrics, self.ranks)

    tally: Tally = attrs.Factory(new_tally, takes_self=True)

    @property
    def validated(self) -> bool:
        """Whether there is validation data."""
        return self.data.validation is not None

    @property
    def m_and_shape(self) -> list[Any]:
        """How many examples an epoch has, if that is known, and the shape of one."""
        return [self.data.training.m, list(self.data.training.shape)]

    @property
    def rank(self) -> int:
        """The number of this process among those that train together, from 0."""
        return 0 if self.ranks is None else self.ranks.rank

    @property
    def n_ranks(self) -> int:
        """How many processes train together."""
        return 1 if self.ranks is None else self.ranks.size

    @property
    def why_over(self) -> str:
        """Why the run ends early, or nothing; of several ranks, once all of them know it."""
        return self.stopped if self.ranks is None else self.ranks.stopped

    def stop(self, why: str) -> None:
        """End the training after the step, or epoch, under way; the history says why."""
        if not isinstance(why, str) or why in ("", INTERRUPTED):
            expected = "expected the reason: run.stop('the cost is small enough')"
            raise ValueError(f"run.stop got {why!r}, {expected}.")
        self.stopped = self.stopped or why

    def interrupt(self) -> None:
        """End the training after the step under way, so that it can be resumed."""
        self.stopped = self.stopped or INTERRUPTED

    def clear_subnormals(self) -> None:
        """Set parameters that are too small for a normal number to 0.

        Weight decay shrinks those whose gradients are 0 until they are, and arithmetic with such
        numbers is ten times as slow. Frozen layers stay as they are.
        """
        values = self.network.values
        frozen = [(part, values[part].copy()) for part in self.frozen]
        clear_subnormals(values)
        for part, before in frozen:
            values[part] = before

    def freeze(self, layers: list[PlacedLayer]) -> None:
        """Leave these layers as they are, and those that are frozen already."""
        storage = self.network.storage
        self.frozen = storage.freeze([at for at in storage.placed if at.is_frozen or at in layers])

    def release(self) -> None:
        """Let go of the network and the data; the history stays."""
        if self.frozen:
            self.network.storage.freeze([])
        if self.ranks is not None:
            self.network.storage.reset_modes()
        del self.network, self.data
        self.tally = Tally(self.metrics)

    @property
    def names(self) -> list[str]:
        """The names of what an epoch measures, by callbacks too."""
        return [*measured_names(self.metrics, self.validated), *self.added]


def measured_names(metrics: Iterable[str], validated: bool) -> list[str]:
    """Return the names of what an epoch measures."""
    names = ["loss", *metrics]
    return names + [f"val_{name}" for name in names] * validated
