"""Callbacks: what else happens during training. They watch it and may stop it."""

from tinynet.training.callbacks.base import Callback
from tinynet.training.callbacks.best import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from tinynet.training.callbacks.freeze import Freeze
from tinynet.training.callbacks.logs import CSVLogger, LearningRateLogger

__all__ = [
    "CSVLogger", "Callback", "EarlyStopping", "Freeze", "LearningRateLogger", "ModelCheckpoint",
    "ReduceLROnPlateau",
]  # fmt: skip
