"""Progress of a training on the screen."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, TextIO

from tinynet.training.callbacks.base import numbers_of
from tinynet.training.callbacks.rate import SeesRate


class ProgressBar(SeesRate):
    """Write a line with the numbers of each epoch; ``fit(verbose=True)`` adds this callback.

    The line has the loss, the metrics, the learning rate of the last step and the seconds. In a
    terminal or a notebook, tqdm (``pip install "tinynet[progress]"``) adds a bar for the current
    epoch, with the seconds so far, those that are left, and the loss up to now.
    """

    first_rank_only = True
    bar: Any = None

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        self.rate = None
        self.bar = _bar(self.run.data.training.steps, self.run.step)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.began = time.perf_counter()
        if self.bar is None:
            return
        if not self.run.step:  # a resumed run may begin within an epoch
            self.bar.initial = 0
            self.bar.reset()
        self.bar.set_description(f"epoch {epoch + 1}/{self.run.settings.epochs}")

    def on_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        if self.bar is not None and self.bar.update():  # it draws a few times a second
            tally = self.run.tally
            self.bar.set_postfix_str(f"loss {_number(tally.cost_sum / tally.examples)}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        epochs, numbers = self.run.settings.epochs, numbers_of(logs)
        if self.rate is not None:
            numbers.setdefault("learning_rate", self.rate)
        parts = [f"epoch {epoch + 1:{len(str(epochs))}}/{epochs}"]
        parts += [f"{name} {_number(value)}" for name, value in numbers.items()]
        parts.append(f"{time.perf_counter() - self.began:.2f} s")
        if self.bar is not None:
            self.bar.clear()  # a terminal shows the bar where the line begins
        write_line(sys.stdout, "  ".join(parts))

    def on_train_end(self, logs: Mapping[str, Any]) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.run.stopped:
            write_line(sys.stdout, f"stopped: {self.run.stopped}")

    def state(self) -> Mapping[str, Any]:
        return {}  # a checkpoint does not depend on what the screen shows


def _number(value: float) -> str:
    """Return a number with four decimals, or with four digits if that would not show it."""
    return f"{value:.4f}" if value == 0 or 1e-2 <= abs(value) < 1e5 else f"{value:.4g}"


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


def _bar(steps: int | None, first: int) -> Any:
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
        return tqdm(total=steps, initial=first, leave=False, unit=" batches")


def _in_notebook() -> bool:
    """Return whether the program runs in a notebook, whose streams are no terminals."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
