"""Data: batches from memory, disk or a stream; weights; small data sets."""

from typing import TYPE_CHECKING

from tinynet._support.later import modules_later

if TYPE_CHECKING:
    from tinynet.data import sources

__all__ = [
    "batches", "datasets", "disk", "frames", "rows", "sources", "split", "stream", "weights",
]  # fmt: skip

if not TYPE_CHECKING:
    # Imported when a model is first trained, evaluated or used to predict.
    __getattr__, __dir__ = modules_later(__name__, __all__)
