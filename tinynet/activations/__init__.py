r"""Activations: A = g(Z), and dZ from dA.

An activation knows only arrays. ``forward(Z)`` returns A. ``back(dA, Z, A)`` returns dZ, the
vector-Jacobian product, from Z or from A. The library's own methods also take ``out``, an array
for the result that does not overlap the inputs; a subclass need not take it.
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.activations.base import Activation
from tinynet.activations.relu import Identity, ReLU
from tinynet.activations.sigmoid import HardSigmoid, Sigmoid, Softplus, Tanh
from tinynet.activations.softmax import Softmax

if TYPE_CHECKING:
    from tinynet.activations.elu import CELU, ELU, SELU
    from tinynet.activations.gelu import GELU
    from tinynet.activations.pieces import HardSiLU, LeakyReLU, ReLU6
    from tinynet.activations.silu import Mish, SiLU
    from tinynet.activations.softsign import Softsign

__all__ = [
    "CELU", "ELU", "GELU", "SELU", "Activation", "HardSiLU", "HardSigmoid", "Identity",
    "LeakyReLU", "Mish", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign",
    "Tanh",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__, elu=("CELU", "ELU", "SELU"), gelu=("GELU",),
        pieces=("HardSiLU", "LeakyReLU", "ReLU6"), silu=("Mish", "SiLU"), softsign=("Softsign",),
    )  # fmt: skip
