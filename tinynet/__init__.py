"""tinynet: neural networks in the notation of back-propagation, on NumPy and attrs."""

import attrs as _attrs  # noqa: F401  first, so that an import's time is told of what took it
import numpy as _numpy  # noqa: F401, ICN001

from tinynet import activations, datasets, errors, functional, initializers, layers, losses, metrics, testing
from tinynet import optimizers as optimizers
from tinynet import schedules as schedules
from tinynet._version import __version__
from tinynet.activations import Activation
from tinynet.datasets import load_digits
from tinynet.initializers import Initializer
from tinynet.layers import Activate, BatchNorm, Dense, Dropout, Flatten, Layer, LayerNorm, Parameter, Reshape
from tinynet.losses import Loss
from tinynet.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, Optimizer, RMSprop
from tinynet.schedules import Schedule
from tinynet.sequential import Sequential
from tinynet.training import History

load = Sequential.load

__all__ = [
    "SGD", "Activate", "Activation", "Adagrad", "Adam", "AdamW", "BatchNorm", "Dense", "Dropout", "Flatten", "History",
    "Initializer", "Layer", "LayerNorm", "Loss", "Nadam", "Optimizer", "Parameter", "RMSprop", "Reshape", "Schedule",
    "Sequential", "__version__", "activations", "datasets", "errors", "functional", "initializers", "layers", "load",
    "load_digits", "losses", "metrics", "optimizers", "schedules", "testing",
]  # fmt: skip
