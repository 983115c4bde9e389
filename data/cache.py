"""Keeps decoded images in memory while there is room, so that small sets are decoded once and not in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy.typing as npt
from torch.utils.data import get_worker_info

LIMIT = 512 * 2**20  # bytes


class ArrayCache:
    """Arrays by key, at most `limit` bytes of them.

    What came first stays: an epoch goes through all keys, so that throwing out the oldest would never hit. Worker
    processes keep nothing, since they end with the epoch.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._bytes = 0
        self._entries: dict[Hashable, tuple[npt.NDArray, ...]] = {}

    def get(self, key: Hashable, load: Callable[[], tuple[npt.NDArray, ...]]) -> tuple[npt.NDArray, ...]:
        """Returns the arrays of `key`, from `load` where they are not kept. They are shared: do not write to them."""
        if key in self._entries:
            return self._entries[key]
        arrays = load()
        size = sum(array.nbytes for array in arrays)
        if get_worker_info() is None and self._bytes + size <= self._limit:
            self._entries[key] = arrays
            self._bytes += size
        return arrays
