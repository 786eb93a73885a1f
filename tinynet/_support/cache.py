"""What one layer holds during a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.communicator import SharedBatch
from tinynet._support.results import write


class Cache:
    """The arrays of one layer during a pass.

    W, b, dW, db (or whatever the layer's parameters are called) and the layer's state are views
    into the vectors of the model: assigning to one copies into it. Z, A, dZ and dA are arrays for
    one batch size. ``A_prev`` is the input of the last forward pass. ``dA_prev`` is where `back`
    may write the gradient of the input, or None when nobody needs it. ``training`` says whether
    the pass is one of training, and ``rng`` is the generator for random numbers. ``means`` are 1/m
    and a column of m times 1/m: the product with the column is the mean over the examples.
    ``input_shape`` is the shape of A_prev without the examples.
    ``dot(one, other, out)`` is the product of two matrices, on one thread in a small model.
    ``shared`` is None, or in training on several processes the `SharedBatch` of which the examples
    here are a part: a layer that takes means over the examples asks it for those of all.
    ``parameters`` are the names of the parameters, and ``chains`` the chains of a layer that is
    made of layers. ``where`` names the layer in messages. A layer may keep anything else here.

    Parameters
    ----------
    views : mapping of str to ndarray
        The parameters, their gradients and the state, by name.
    **others
        What else the layer is given, by name.
    """

    training = False
    rng: Any = None
    where = ""
    shared: SharedBatch | None = None
    parameters: tuple[str, ...] = ()
    chains: Sequence[Any] = ()
    dot: Any = staticmethod(np.ndarray.dot)

    def __init__(self, views: Mapping[str, Array], **others: Any) -> None:
        self.__dict__.update(views, _views=views, **others)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._views:
            write(self._views[name], value, name, self.where)
        else:
            self.__dict__[name] = value

    def with_buffers(self, buffers: Mapping[str, Any]) -> Cache:
        """Return a cache of the same views that has these arrays besides.

        A parameter may have the name of one, such as ``dot``. Then it is the parameter.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **buffers)
        other.__dict__.update(self._views)
        return other

    if TYPE_CHECKING:  # which names there are depends on the layer

        def __getattr__(self, name: str) -> Any: ...
