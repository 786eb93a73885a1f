"""A validation split: some of the examples in memory, held out by chance."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.random import Random
from tinynet.data.weights import classes_of


def check_share(share: Any) -> float:
    """Return the share of validation data as a float between 0 and 1."""
    if not isinstance(share, Real) or not 0 < float(share) < 1:
        found = f"validation_split is {share!r}, expected a share between 0 and 1, such as 0.2"
        raise ValueError(f"{found}, or None for no split.")
    return float(share)


def held_out(Y: Array, share: float, rng: Random) -> Array:
    """Return which of m examples are held out, (m,) of bool, drawn from `rng`.

    Every class gives the same share, and at least one example of it stays to train on, if Y has
    classes: labels, one-hot columns, or (1, m) of 0 and 1.
    """
    m, classes = Y.shape[-1], classes_of(Y)
    if classes is None:
        classes = np.zeros(m, np.intp)
    counts = np.bincount(classes)
    numbers = np.floor(share * counts).astype(np.intp)
    # To round each class by itself could leave none at all.
    missing = round(share * m) - int(numbers.sum())
    numbers[np.argsort(numbers - share * counts, kind="stable")[: max(missing, 0)]] += 1
    numbers = np.minimum(numbers, np.maximum(counts - 1, 0))
    if not numbers.any():
        found = f"validation_split={share} of {m} examples leaves none for validation"
        raise ValueError(f"{found}. Use a larger share.")
    order = rng.permutation(m)
    order = order[np.argsort(classes[order], kind="stable")]  # class by class, in the order drawn
    place_in_class = np.arange(m) - np.repeat(np.cumsum(counts) - counts, counts)
    out = np.zeros(m, bool)
    out[order[place_in_class < np.repeat(numbers, counts)]] = True
    return out


def divided(arrays: Sequence[Array | None], out: Array) -> tuple[list[Any], list[Any]]:
    """Return the columns of each array that stay, and those that are `out`.

    They lie as rows in memory: to gather batches of them needs no further copy.
    """
    stay: list[Any] = []
    held: list[Any] = []
    for array in arrays:
        rows = None if array is None else np.moveaxis(array, -1, 0)
        for columns, which in ((stay, ~out), (held, out)):
            columns.append(None if rows is None else np.moveaxis(rows[which], 0, -1))
    return stay, held
