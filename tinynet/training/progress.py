"""Progress of a training on the screen."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any, TextIO

from tinynet.training.callbacks.base import Callback, numbers_of


class ProgressBar(Callback):
    """Write a line with the numbers of each epoch; ``fit(verbose=True)`` adds this callback.

    In a terminal or a notebook, tqdm (``pip install "tinynet[progress]"``) adds a bar for the
    current epoch.
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
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in numbers_of(logs).items())
        write_line(sys.stdout, f"epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {numbers}")

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        self._close()
        if self.run.stopped:
            write_line(sys.stdout, f"stopped: {self.run.stopped}")

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def write_line(stream: TextIO | None, line: str) -> None:
    """Write a line at once to a stream, which a daemon or a program without a console has not.

    What its encoding lacks is escaped: metrics and reasons to stop may have any name.
    """
    if stream is None or getattr(stream, "closed", False):
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(f"{line.encode(encoding, 'backslashreplace').decode(encoding)}\n")
    flush = getattr(stream, "flush", None)  # what a program puts in its place may only write
    if flush is not None:
        flush()  # a log may be read during the training, or after it is killed


def _bar(epoch: int, steps: int | None, first: int) -> Any:
    """Return a tqdm bar that begins at step `first`; None without tqdm, terminal and notebook."""
    if getattr(sys.stderr, "closed", sys.stderr is None):
        return None
    isatty = getattr(sys.stderr, "isatty", None)  # a stream may only write
    if not ((isatty is not None and isatty()) or _in_notebook()):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm may want a newer notebook, and does without
        try:
            from tqdm.auto import tqdm  # an extra, and slow to import
        except ImportError:
            return None
        return tqdm(total=steps, initial=first, leave=False, desc=f"epoch {epoch + 1}")


def _in_notebook() -> bool:
    """Return whether the program runs in a notebook, whose streams are no terminals."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
