"""Warnings of a training for people who have examples in rows."""

from __future__ import annotations

import re

_SCALES = re.compile(r"(?:Row (\d+) of )?([XY]) goes from (?P<rest>.+ expected numbers of about 1)")
_REMEDIES = {
    "X": "Scale X first: make_pipeline(StandardScaler(), estimator).",
    "Y": "Scale y first: TransformedTargetRegressor(estimator, transformer=StandardScaler()).",
}


def for_rows(fault: str) -> str:
    """Return a warning with columns in place of rows, and with scikit-learn's remedy."""
    scale = _SCALES.match(fault)
    if scale is None:
        return fault
    row, name, rest = scale.groups()
    data = "X" if name == "X" else "y"
    place = data if row is None else f"Column {row} of {data}"
    return f"{place} goes from {rest}. {_REMEDIES[name]}"
