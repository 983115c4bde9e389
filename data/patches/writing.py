"""Writing pairs of patches into an HDF5 file, in either layout of `data.patches.reading`."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from data.patches.cutting import Patches
from data.patches.reading import OURS, PUBLISHED

_SETTINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {  # shuffled, bytes of equal weight are neighbours, and compress better
        "none": {},
        "gzip": {"compression": "gzip", "shuffle": True},
        "lzf": {"compression": "lzf", "shuffle": True},
    }
)
COMPRESSIONS = tuple(_SETTINGS)


class _Disk(io.FileIO):
    """A file for HDF5 to write to: what a full disk does not take is thrown away, and so is all that follows Ctrl-C.

    HDF5 cannot close a file that it cannot write to; the process would crash at its end.
    """

    _stopped: OSError | KeyboardInterrupt | None = None

    def check(self) -> None:
        """Raises what stopped the writing, if something did."""
        if self._stopped is not None:
            raise self._stopped

    def write(self, data: Any, /) -> int:
        """Writes all of it, or pretends to."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self._stopped is None:
                rest = rest[super().write(rest) :]
        except (OSError, KeyboardInterrupt) as error:
            self._stopped = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        """Changes the size, or pretends to."""
        try:
            return super().truncate(size)
        except (OSError, KeyboardInterrupt) as error:
            self._stopped = error
            return size or 0


@dataclass(frozen=True)
class NewPatchFile:
    """What a file is to be like.

    Attributes:
        layout: `ours` or `published`.
        compression: one of `COMPRESSIONS`.
        patches: how many pairs there will be.
        side: of a patch, in pixels.
    """

    layout: str
    compression: str
    patches: int
    side: int

    def write(
        self, path: Path, blocks: Iterable[Patches], attributes: Mapping[str, int | float | str]
    ) -> Iterator[int]:
        """Writes the file, over one that is there.

        Args:
            path: the file.
            blocks: `patches` pairs in all, (n, 2, side, side) at a time.
            attributes: what to attach to the whole of it.

        Yields:
            How many more pairs were written.

        Raises:
            OSError: it cannot be written, or the disk is full.
        """
        with _Disk(path, "w+") as disk:
            with h5py.File(disk, "w") as file:
                file.attrs.update({**attributes, "patches": self.patches})
                put = self._into_ours(file) if self.layout == "ours" else self._into_published(file)
                start = 0
                for block in blocks:
                    put(start, block)
                    disk.check()
                    start += len(block)
                    yield len(block)
            disk.check()
            os.fsync(disk.fileno())

    def _into_ours(self, file: h5py.File) -> Callable[[int, Patches], None]:
        """Returns what puts a block in, from a number on."""
        shape, chunks, settings = (self.patches, 1, self.side, self.side), (1, 1, self.side, self.side), self._settings
        datasets = [file.create_dataset(name, shape, np.float32, chunks=chunks, **settings) for name in OURS]

        def put(start: int, block: Patches) -> None:
            for part, dataset in enumerate(datasets):
                dataset[start : start + len(block), 0] = block[:, part]

        return put

    def _into_published(self, file: h5py.File) -> Callable[[int, Patches], None]:
        """Returns what puts a block in, from a number on."""
        groups = [file.create_group(name) for name in PUBLISHED]
        settings = self._settings | ({"chunks": (1, self.side, self.side)} if self._settings else {})

        def put(start: int, block: Patches) -> None:
            for number, pair in enumerate(block, start):
                for group, patch in zip(groups, pair[:, None], strict=True):
                    group.create_dataset(str(number), data=patch, **settings)

        return put

    @property
    def _settings(self) -> dict[str, Any]:
        return dict(_SETTINGS[self.compression])
