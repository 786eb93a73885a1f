"""Optimizers: rules that move a flat vector in place, against its gradient.

What a rule remembers lives in ``memory``, arrays that play no part in equality, repr or config.
"""

from typing import TYPE_CHECKING, Any

from tinynet._support.elsewhere import missing_in
from tinynet.optimizers.adagrad import Adagrad
from tinynet.optimizers.adam import Adam, AdamW, Nadam
from tinynet.optimizers.base import DecoupledDecay, Optimizer
from tinynet.optimizers.rmsprop import RMSprop
from tinynet.optimizers.sgd import SGD
from tinynet.schedules import rate_field

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "DecoupledDecay",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "rate_field",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing_in(__name__, name, __all__)
