"""Callbacks: what else happens during training. They watch it and may stop it."""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.training.callbacks.base import Callback

if TYPE_CHECKING:
    from tinynet.training.callbacks.best import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
    from tinynet.training.callbacks.freeze import Freeze
    from tinynet.training.callbacks.logs import CSVLogger, LearningRateLogger

__all__ = [
    "CSVLogger", "Callback", "EarlyStopping", "Freeze", "LearningRateLogger", "ModelCheckpoint",
    "ReduceLROnPlateau",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__, freeze=("Freeze",), logs=("CSVLogger", "LearningRateLogger"),
        best=("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"),
    )  # fmt: skip
