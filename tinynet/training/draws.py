"""What layers draw where several ranks train: other numbers on each, the same in a resumed run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet._support.random import Random, get_state, plain, put_state


class Draws:
    """The generator of one rank for what layers draw in a step, such as the mask of dropout.

    What it draws follows from the seed of the epoch, the rank, the epoch and the step. So a resumed
    run draws the same, and what one rank draws never changes the order of the examples. It counts,
    in place of keeping a state (J. K. Salmon and others, "Parallel random numbers: as easy as 1, 2,
    3", SC 2011).
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.generator: Random = np.random.Generator(np.random.Philox(0))
        self.begun = get_state(self.generator)  # as the last step found it

    def begin_epoch(self, state: Mapping[str, Any]) -> None:
        """Take the seed of an epoch from the state that the model's generator has before it."""
        content = repr(plain(state)).encode()
        seed = np.random.SeedSequence(list(content)).generate_state(1, np.uint64)
        self.begun["state"]["key"][:] = seed[0], self.rank

    def of_step(self, epoch: int, step: int) -> Random:
        """Return the generator, as it begins a step."""
        self.begun["state"]["counter"][:] = 0, 0, step, epoch
        put_state(self.generator, self.begun)
        return self.generator

    def renew(self, rng: Random) -> None:
        """Draw from the model's generator, if the layers drew in the last step.

        Then the seed of the next epoch, and of the next fit, is another one.
        """
        if str(get_state(self.generator)) != str(self.begun):
            rng.bytes(8)
