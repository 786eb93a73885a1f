"""What is likely wrong with a training that is about to begin, told before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tinynet._arrays import title
from tinynet.activations import Softmax
from tinynet.optimizers import Optimizer

if TYPE_CHECKING:
    from tinynet.sequential import Sequential


def doubts(model: Sequential, optimizer: Optimizer) -> Iterator[str]:
    """Yield what to look at, a sentence each; the code may be right all the same."""
    *below, last = model.layers
    L = len(model.layers)
    where = f"the last layer, {title(L, last)}"
    if isinstance(last.activation, Softmax) and model.outputs[0] == 1:
        yield (
            f"{where}, takes softmax of one unit, which is always 1, so nothing can be learned; "
            'for yes or no write Dense(1, "sigmoid") with loss="binary_crossentropy"'
        )
    elif model.loss and type(last.activation) in model.loss.misfits:
        name = last.activation.registered_name
        yield f"{where}, ends in {name}, but {model.loss!r} {model.loss.misfits[type(last.activation)]}"
    if below and isinstance(last.activation, Softmax) and isinstance(below[-1].activation, Softmax):
        yield (
            f"{title(L - 1, below[-1])} ends in softmax, and so does {where}: it sees numbers between 0 and 1 only, "
            'and can hardly prefer a class; give the layer before the last another activation, such as "relu"'
        )
    if hasattr(optimizer, "learning_rate") and all(Optimizer.rate(optimizer, later) == 0 for later in range(10)):
        yield f"the learning rate of {optimizer!r} is 0, so the parameters will not change"
