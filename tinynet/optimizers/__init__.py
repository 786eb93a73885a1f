"""Optimizers: rules that move a flat vector in place, against its gradient.

What a rule remembers lives in ``memory``, arrays that play no part in equality, repr or config.
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.optimizers.base import Optimizer
from tinynet.optimizers.sgd import SGD
from tinynet.schedules import rate_field

if TYPE_CHECKING:
    from tinynet.optimizers.adagrad import Adagrad
    from tinynet.optimizers.adam import Adam, AdamW, Nadam
    from tinynet.optimizers.lion import Lion
    from tinynet.optimizers.rmsprop import RMSprop

__all__ = [
    "SGD", "Adagrad", "Adam", "AdamW", "Lion", "Nadam", "Optimizer", "RMSprop", "rate_field",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__, adagrad=("Adagrad",), adam=("Adam", "AdamW", "Nadam"),
        lion=("Lion",), rmsprop=("RMSprop",),
    )  # fmt: skip
