"""The model of an ONNX graph."""

from __future__ import annotations

from typing import Any

from tinynet._support.arrays import Shape
from tinynet._support.checks import example_shape
from tinynet.errors import ConversionError
from tinynet.exchange.assemble import assembled, joined
from tinynet.exchange.onnx.origin import original
from tinynet.exchange.onnx.reading.chain import items_of
from tinynet.exchange.onnx.reading.graph import graph_of
from tinynet.exchange.onnx.reading.source import PATHS, check_source, model_of, refusing
from tinynet.losses import Loss
from tinynet.sequential import Sequential


def from_onnx(
    path: Any, loss: str | Loss | None = None, inputs: int | tuple[int, ...] | None = None
) -> Sequential:
    """Return the model of an ONNX graph: an MLP or a convolutional network without branches.

    A file of `to_onnx` gives the model that it was written from, of any layers.

    Parameters
    ----------
    path : path, binary file, bytes or onnx.ModelProto
        An ONNX file, as PyTorch, scikit-learn's skl2onnx, Keras or `to_onnx` write it. Weights
        in a second file beside it are read, too; that needs its path.
    loss : str, Loss or None
        The loss of the model. A graph has none, unless `to_onnx` wrote it.
    inputs : int, tuple of int or None
        The shape of an example, where the graph leaves it open: (3, 32, 32) for images.

    Returns
    -------
    Sequential
        A model in the dtype of the weights. A graph over (m, C, H, W) is a model over
        (C, H, W, m): ``np.moveaxis(model.predict(np.moveaxis(X, 0, -1)), -1, 0)`` is what the
        graph computes from X.

    Raises
    ------
    FileFormatError
        A file that is damaged, truncated, or was never an ONNX file.
    FileNotFoundError
        The file does not exist.
    ConversionError
        A graph that has no counterpart here. The message names the node and its operator.

    Notes
    -----
    Layers are read from Gemm, MatMul, Conv, BatchNormalization, LayerNormalization, PRelu,
    MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, ReduceMean, Flatten, Reshape, Squeeze
    and Unsqueeze. What stands between them is an activation, however it is written: its results
    on a table of numbers are those of a registered activation, also of a custom class. A scale and
    a shift of each unit, such as those of a StandardScaler, are read as a `BatchNorm`. Dropout does
    nothing at prediction and is left out. A Transpose between two layers is followed. One before
    the first layer is not: of Keras, images must have one channel, or the channels first.

    The model of a classifier of scikit-learn ends with the probabilities. For two classes, a graph
    has the columns 1 - p and p; the model has p.

    Nothing in a file is run, and no other file is opened but the one with weights beside it.

    Examples
    --------
    Needs onnx::

        model = tn.exchange.from_onnx("net.onnx", loss="categorical_crossentropy")
        labels = model.predict_labels(X.T)
    """
    example = None if inputs is None else example_shape(inputs)
    check_source(path)
    with refusing(path):
        proto, folder = model_of(path)
    model = original(proto, path if isinstance(path, PATHS) else proto)
    if model is not None:
        return _as_asked(model, loss, example)
    with refusing(path):
        graph = graph_of(proto, folder)
        shape, items = items_of(graph, example)
        return assembled(joined(items), loss, shape, graph.dtype)


def _as_asked(model: Sequential, loss: str | Loss | None, inputs: Shape | None) -> Sequential:
    """Return a model that tinynet wrote with another loss, if one is given."""
    if inputs not in (None, model.inputs):
        raise ConversionError(f"inputs is {inputs}, expected {model.inputs}. Leave inputs out.")
    if loss is None:
        return model
    other = Sequential(model.layers, loss, model.inputs, model.dtype)
    other.values[...] = model.values
    return other
