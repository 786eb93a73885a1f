"""Progress for a person to see: a bar where there is a terminal and tqdm, else a line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tinynet.training.callbacks import Callback


class ProgressBar(Callback):
    """Show how far the training is; ``fit(verbose=True)`` is this.

    With tqdm (``pip install "tinynet[progress]"``) and a terminal, a bar of the steps of the epoch
    under way; always a line an epoch, with its numbers.
    """

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.bar = _bar(epoch, self.run.batches.steps, self.run.step)

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        if self.bar is not None:
            self.bar.update()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self._close()
        epochs = self.run.settings["epochs"]
        told = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        sys.stdout.write(f"epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {told}\n")
        sys.stdout.flush()  # a log that is read while the training goes on, or was killed

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        self._close()
        if self.run.stopped:
            sys.stdout.write(f"stopped: {self.run.stopped}\n")

    def _close(self) -> None:
        if getattr(self, "bar", None) is not None:
            self.bar.close()
            self.bar = None


def _bar(epoch: int, steps: int | None, taken: int) -> Any:
    """Return a bar of tqdm's, or None where there is no tqdm, or nobody to see it."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm.auto import tqdm  # an extra, and slow to import
    except ImportError:
        return None
    return tqdm(total=steps, initial=taken, leave=False, desc=f"epoch {epoch + 1}")
