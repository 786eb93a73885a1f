"""One file a library: the same work, as the library's own users would write it.

A file may define any of these; what it leaves out is a dash in the table. Where it cannot do
one network of the table (an activation it does not have, say), the function returns None.

``step(network, X, y)``
    A function of no arguments that takes one training step on the rows X with labels y. It begins
    with ``network.weights()``. If it has an attribute ``weights``, a function that returns (W, b)
    of each layer, these are compared with tinynet's before anything is timed.
``trainers(network, X, y)``
    Functions of no arguments by name; each trains one more epoch on X, y, in new order each time,
    and has an attribute ``labels``: a function that reads labels off other rows.
``predictor(network, X)``
    A function of no arguments that predicts for the rows X.
``normalization(kind, n, m)``
    Functions of no arguments, "forward" in training and "back", of BatchNorm or LayerNorm.
``image_step(network, X, y)``, ``image_predictor(network, X)``
    The same for a network for images, with X of shape (m, 1, 28, 28).
``recurrent(layer)``
    A function of no arguments that takes a recurrent layer forward and back, for
    ``layer.arrays()``, with the gradients of its parameters and of X.
"""

import importlib

NAMES = ("tinynet", "torch", "jax", "jax_scan", "sklearn", "onnxruntime", "floor")


def installed(names=NAMES):
    """Return tinynet and those peers of `names` whose library is there, by name."""
    found = {}
    for name in dict.fromkeys(("tinynet", *names)):
        try:
            found[name] = importlib.import_module(f"peers.with_{name}")
        except ImportError as error:
            if error.name and error.name.split(".")[0] in ("peers", "networks", "tinynet"):
                raise
    return found
