"""Callbacks that write down what an epoch measured."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from tinynet._support.fields import path_field
from tinynet.files.replace import expect_replaceable, replacing
from tinynet.training.callbacks.base import numbers_of
from tinynet.training.callbacks.rate import SeesRate

_SYNC_SECONDS = 1.0  # epochs may be shorter than it takes to make a file survive a power cut
_OWN = ("epoch", "learning_rate", "time")  # columns of a log, beside what the history has


@attrs.define(slots=False, eq=False)
class LearningRateLogger(SeesRate):
    """Record the learning rate of each epoch's last step in the history, as "learning_rate"."""

    measures = ("learning_rate",)

    def check(self) -> None:
        optimizer = self.run.optimizer
        if not hasattr(optimizer, "learning_rate"):
            raise TypeError(f"{optimizer!r} has no learning_rate. Leave out LearningRateLogger.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        logs["learning_rate"] = self.rate


@attrs.define(slots=False, eq=False)
class CSVLogger(SeesRate):
    """Write a line for each epoch to a file of comma-separated values, below a line of names.

    The columns are "epoch", from 1; what the epoch measured, and what other callbacks put into
    ``logs`` or recorded in the history; "learning_rate", that of the last step; and "time", the
    seconds since the epoch began or was resumed. What a callback measures later or not each time
    is an empty field in the other lines.

    After each epoch the file is replaced in one move, so it is always whole; a power cut may take
    the lines of the last second. A new run begins a new file, after its first epoch. A resumed run
    keeps the lines up to its checkpoint, by the number of the epoch. It is refused where the file
    is the log of something else.

    Parameters
    ----------
    path : str or PathLike
        The file. Its folder must exist.

    >>> CSVLogger("log.csv").path.endswith("log.csv")
    True
    """

    first_rank_only = True
    path: str = path_field("log.csv")

    def check(self) -> None:
        if "epoch" in self.run.names:
            found = "A metric is called 'epoch', which is a column of CSVLogger"
            raise ValueError(f"{found}. Give the metric another name.")
        expect_replaceable(self.path)
        self._earlier_rows()

    def on_train_begin(self, logs: Mapping[str, Any]) -> None:
        if not self.run.resumed:
            self.rate = None
        self.rows = self._earlier_rows()
        self._begin_table()
        self.synced = -math.inf

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.began = time.perf_counter()

    def on_epoch_logged(self, epoch: int, logs: Mapping[str, Any]) -> None:
        now = time.perf_counter()
        numbers = numbers_of(logs)
        if self.rate is not None:
            numbers.setdefault("learning_rate", self.rate)
        numbers.setdefault("time", now - self.began)
        number = {"epoch": str(epoch + 1)}
        row = number | {name: repr(value) for name, value in numbers.items()} | number
        self.rows.append(row)
        if not row.keys() <= set(self.columns):
            self._begin_table()
        else:
            self.text += _table([row], self.columns)
        is_due = now - self.synced >= _SYNC_SECONDS
        with replacing(self.path, survives_power_cut=is_due) as file:
            file.write(self.text.encode())
        self.synced = now if is_due else self.synced

    def _begin_table(self) -> None:
        """Write all lines, with a column for each name that one of them has."""
        self.columns = list(dict.fromkeys(name for row in self.rows for name in row))
        names = dict(zip(self.columns, self.columns, strict=True))
        self.text = _table([names, *self.rows], self.columns)

    def _earlier_rows(self) -> list[dict[str, str]]:
        """Return the lines of the epochs that a resumed run has finished, without empty fields."""
        run = self.run
        if not (run.resumed and run.epoch and os.path.exists(self.path)):
            return []
        try:
            with open(self.path, encoding="utf-8", newline="") as file:
                rows = {int(row["epoch"]): row for row in _rows(file)}
        except (ValueError, csv.Error) as error:
            raise self._wrong_file(f"is no log: {error}") from error
        kept = [rows[epoch] for epoch in sorted(rows) if 1 <= epoch <= run.epoch]
        for row in kept:
            missing = [name for name in run.names if name not in row]
            unknown = [name for name in row if name not in (*_OWN, *run.history)]
            if missing or unknown:
                found = f"has the columns {', '.join(row)} in epoch {row['epoch']}"
                raise self._wrong_file(f"{found}, expected epoch, {', '.join(run.history)}")
        return kept

    def _wrong_file(self, fault: str) -> ValueError:
        found = f"The run is resumed, and {self.path!r} {fault}".rstrip(".")
        return ValueError(f"{found}. Move the file away, or pass CSVLogger another path.")


def _table(rows: list[dict[str, str]], columns: list[str]) -> str:
    """Return these lines as text, without the line of names; a field that one lacks is empty."""
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _rows(file: io.TextIOBase) -> Iterator[dict[str, str]]:
    """Yield the lines of a log, without empty fields."""
    lines = csv.reader(file, strict=True)
    names = next(lines, ["epoch"])  # an empty file is the log of no epoch
    if "epoch" not in names or len(set(names)) < len(names):
        raise ValueError(f"its first line is {','.join(names)[:200]!r}, expected epoch,loss,...")
    for values in filter(None, lines):
        if len(values) != len(names):
            found = f"line {lines.line_num} has {len(values)} values"
            raise ValueError(f"{found}, expected {len(names)}")
        yield {name: value for name, value in zip(names, values, strict=True) if value}
