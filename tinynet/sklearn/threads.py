"""One thread for products so small that threads of BLAS would wait longer than they compute."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

from tinynet.model.network import Network

_SMALL = 1 << 24  # multiplications of the largest product
_LOCK = threading.Lock()
_limits: list[Any] = []  # the limit that holds, once for each fit that needs it


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # it takes milliseconds to look for the libraries


@contextlib.contextmanager
def few_threads(network: Network, m: int) -> Iterator[None]:
    """Have BLAS use one thread in this block, if the products of batches of `m` are small.

    The number belongs to the process. Where several threads fit at the same time, the first sets
    it and the last restores it.
    """
    if m * _largest_product(network) > _SMALL:
        yield
        return
    with _LOCK:
        _limits.append(_limits[0] if _limits else _controller().limit(limits=1, user_api="blas"))
    network.storage.has_one_thread = True
    try:
        yield
    finally:
        network.storage.has_one_thread = False
        with _LOCK:
            limit = _limits.pop()
            if not _limits:
                limit.restore_original_limits()


def _largest_product(network: Network) -> int:
    """Return the most multiplications that a product of a layer takes for one example."""
    most = 1
    for at in network.storage.placed:
        largest = max((view.size for view in at.params.values()), default=1)
        most = max(most, largest * math.prod(at.output_shape[1:]))
    return most
