"""Models in files: an archive of data only, replaced in one move."""

from typing import TYPE_CHECKING

from tinynet._support.later import modules_later

if TYPE_CHECKING:
    from tinynet.files import archive, model

__all__ = ["archive", "model", "replace", "source"]

if not TYPE_CHECKING:
    # Imported by the first model that is saved or loaded.
    __getattr__, __dir__ = modules_later(__name__, __all__)
