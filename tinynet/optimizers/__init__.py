"""Optimizers: rules that move a flat vector in place, against its gradient.

What a rule remembers lives in ``memory``, arrays that play no part in equality, repr or config.
"""

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
