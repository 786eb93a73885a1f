"""tinynet: neural networks in the notation of back-propagation, on NumPy and attrs."""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

import attrs as _attrs  # noqa: F401  first, so that -X importtime counts it by itself
import numpy as _numpy  # noqa: F401, ICN001

from tinynet import (
    activations,
    errors,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    schedules,
)
from tinynet._support.cache import Cache
from tinynet._support.later import later as _later
from tinynet._version import __version__
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.layers import Dense, Layer, Parameter, Scratch
from tinynet.losses import Loss
from tinynet.metrics import Metric
from tinynet.optimizers import SGD, Optimizer
from tinynet.schedules import Schedule
from tinynet.sequential import Sequential

if _TYPE_CHECKING:
    from typing import TypeAlias as _TypeAlias

    from numpy.typing import NDArray as _NDArray

    from tinynet import exchange, functional, parallel, plot, testing
    from tinynet.data import datasets
    from tinynet.data.datasets import load_digits
    from tinynet.data.frames import from_labels, from_rows
    from tinynet.data.rows import Rows, open_rows
    from tinynet.layers import (
        GRU,
        LSTM,
        Activate,
        AveragePool2D,
        BatchNorm,
        Bidirectional,
        Branches,
        Conv1D,
        Conv2D,
        Dropout,
        Embedding,
        Flatten,
        GlobalAveragePool,
        LayerNorm,
        MaxPool2D,
        PReLU,
        Reshape,
        Residual,
        SelfAttention,
        SimpleRNN,
    )
    from tinynet.optimizers import Adagrad, Adam, AdamW, Lion, Nadam, RMSprop
    from tinynet.training import callbacks
    from tinynet.training.callbacks import (
        Callback,
        CSVLogger,
        EarlyStopping,
        Freeze,
        LearningRateLogger,
        ModelCheckpoint,
        ReduceLROnPlateau,
    )
    from tinynet.training.history import History
    from tinynet.training.progress import ProgressBar

    # What NumPy's functions return is Any to a type checker, so a method may return it.
    Array: _TypeAlias = _NDArray[_Any] | _Any

load = Sequential.load
resume = Sequential.resume

# Imported when they are first used, because most programs do without.
_MODULES_LATER = {
    "callbacks": "tinynet.training.callbacks",
    "datasets": "tinynet.data.datasets",
    "exchange": "tinynet.exchange",
    "functional": "tinynet.functional",
    "parallel": "tinynet.parallel",
    "plot": "tinynet.plot",
    "testing": "tinynet.testing",
}
_NAMES_LATER = {  # by the module that defines them
    "data.datasets": ["load_digits"],
    "data.frames": ["from_labels", "from_rows"],
    "data.rows": ["Rows", "open_rows"],
    "layers": [
        "GRU", "LSTM", "Activate", "AveragePool2D", "BatchNorm", "Bidirectional", "Branches",
        "Conv1D", "Conv2D", "Dropout", "Embedding", "Flatten", "GlobalAveragePool", "LayerNorm",
        "MaxPool2D", "PReLU", "Reshape", "Residual", "SelfAttention", "SimpleRNN",
    ],
    "optimizers": ["Adagrad", "Adam", "AdamW", "Lion", "Nadam", "RMSprop"],
    "training.callbacks": [
        "CSVLogger", "Callback", "EarlyStopping", "Freeze", "LearningRateLogger",
        "ModelCheckpoint", "ReduceLROnPlateau",
    ],
    "training.history": ["History"],
    "training.progress": ["ProgressBar"],
}  # fmt: skip

__all__ = [
    "GRU", "LSTM", "SGD", "Activate", "Activation", "Adagrad", "Adam", "AdamW", "Array",
    "AveragePool2D", "BatchNorm", "Bidirectional", "Branches", "CSVLogger", "Cache", "Callback",
    "Conv1D", "Conv2D", "Dense", "Dropout", "EarlyStopping", "Embedding", "Flatten", "Freeze",
    "GlobalAveragePool", "History", "Initializer", "Layer", "LayerNorm", "LearningRateLogger",
    "Lion", "Loss", "MaxPool2D", "Metric", "ModelCheckpoint", "Nadam", "Optimizer", "PReLU",
    "Parameter", "ProgressBar", "RMSprop", "ReduceLROnPlateau", "Reshape", "Residual", "Rows",
    "Schedule", "Scratch", "SelfAttention", "Sequential", "SimpleRNN", "__version__",
    "activations", "callbacks", "datasets", "errors", "exchange", "from_labels", "from_rows",
    "functional", "initializers", "layers", "load", "load_digits", "losses", "metrics", "open_rows",
    "optimizers", "parallel", "plot", "resume", "schedules", "testing",
]  # fmt: skip


_get_later, __dir__ = _later(__name__, __all__, **_NAMES_LATER)


def __getattr__(name: str) -> _Any:
    if name in _MODULES_LATER:
        return _importlib.import_module(_MODULES_LATER[name])
    if name == "Array":  # for annotations; numpy.typing costs 10 ms to import
        return _importlib.import_module("numpy.typing").NDArray[_Any]
    return _get_later(name)
