"""tinynet: neural networks in the notation of back-propagation, on NumPy and attrs."""

import attrs as _attrs  # noqa: F401  first, so that an import's time is told of what took it
import numpy as _numpy  # noqa: F401, ICN001

from tinynet import (
    activations,
    errors,
    functional,
    initializers,
    layers,
    losses,
    schedules,
    testing,
)
from tinynet import metrics as metrics
from tinynet import optimizers as optimizers
from tinynet._version import __version__
from tinynet.activations import Activation
from tinynet.data import batches as batches
from tinynet.data import datasets as datasets
from tinynet.data.datasets import Rows, load_digits, open_rows
from tinynet.initializers import Initializer
from tinynet.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    Parameter,
    Reshape,
)
from tinynet.losses import Loss
from tinynet.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, Optimizer, RMSprop
from tinynet.schedules import Schedule
from tinynet.sequential import Sequential
from tinynet.training import callbacks as callbacks
from tinynet.training.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateLogger,
    ModelCheckpoint,
)
from tinynet.training.history import History
from tinynet.training.progress import ProgressBar

load = Sequential.load
resume = Sequential.resume

__all__ = [
    "SGD", "Activate", "Activation", "Adagrad", "Adam", "AdamW", "BatchNorm", "CSVLogger", "Callback", "Dense",
    "Dropout", "EarlyStopping", "Flatten", "History", "Initializer", "Layer", "LayerNorm", "LearningRateLogger", "Loss",
    "ModelCheckpoint", "Nadam", "Optimizer", "Parameter", "ProgressBar", "RMSprop", "Reshape", "Rows", "Schedule",
    "Sequential", "__version__", "activations", "batches", "callbacks", "datasets", "errors", "functional",
    "initializers", "layers", "load", "load_digits", "losses", "metrics", "open_rows", "optimizers", "resume",
    "schedules", "testing",
]  # fmt: skip
