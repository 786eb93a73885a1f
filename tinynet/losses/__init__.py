r"""Losses: a number J, and dA[L].

The cost is the mean over the m examples of the sum over the outputs. ``back`` is its derivative
for each example, not divided by m (as every dA here). A loss may have a ``partner`` among the
activations (sigmoid for binary cross-entropy, softmax for categorical cross-entropy, identity for
squared error). Where the last layer has it, dZ[L] is A[L] - Y (or, with settings such as label
smoothing, what ``back_from_Z`` returns), and the loss is computed from Z[L], exact however large
|Z| is.
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.losses.base import Loss
from tinynet.losses.cross_entropy import BinaryCrossentropy, CategoricalCrossentropy
from tinynet.losses.regression import MeanAbsoluteError, MeanSquaredError

if TYPE_CHECKING:
    from tinynet.losses.divergence import KLDivergence
    from tinynet.losses.hinge import Hinge
    from tinynet.losses.huber import Huber
    from tinynet.losses.log_cosh import LogCosh
    from tinynet.losses.poisson import Poisson

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge", "Huber", "KLDivergence", "LogCosh",
    "Loss", "MeanAbsoluteError", "MeanSquaredError", "Poisson",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__, divergence=("KLDivergence",), hinge=("Hinge",), huber=("Huber",),
        log_cosh=("LogCosh",), poisson=("Poisson",),
    )  # fmt: skip
