"""Progress of a training on the screen."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tinynet.training.callbacks import Callback


class ProgressBar(Callback):
    """Write a line with the numbers of each epoch; ``fit(verbose=True)`` adds this callback.

    In a terminal, tqdm (``pip install "tinynet[progress]"``) adds a bar for the current epoch.
    """

    bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.bar = _bar(epoch, self.run.steps, self.run.step)

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        if self.bar is not None:
            self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        self._close()
        epochs = self.run.settings.epochs
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        sys.stdout.write(f"epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {numbers}\n")
        sys.stdout.flush()  # a log may be read during the training, or after it is killed

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        self._close()
        if self.run.stopped:
            sys.stdout.write(f"stopped: {self.run.stopped}\n")

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _bar(epoch: int, steps: int | None, first: int) -> Any:
    """Return a tqdm bar that begins at step `first`, or None without tqdm or a terminal."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm.auto import tqdm  # an extra, and slow to import
    except ImportError:
        return None
    return tqdm(total=steps, initial=first, leave=False, desc=f"epoch {epoch + 1}")
