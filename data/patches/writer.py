"""Writing pairs of patches into an HDF5 file, in either layout of `data.patches.reader`."""

from __future__ import annotations

import contextlib
import glob
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
from filelock import FileLock, Timeout

from data.patches.cutter import Patches
from data.patches.reader import LAYOUTS
from util.errors import UserError
from util.files import write_atomically

COMPRESSIONS = ("none", "gzip", "lzf")


def write_patches(
    path: Path,
    blocks: Iterable[Patches],
    *,
    layout: str = "ours",
    compression: str = "none",
    attributes: Mapping[str, int | float | str] = MappingProxyType({}),
) -> int:
    """Writes a file, whole or not at all: to a temporary file beside it, which is renamed.

    Args:
        path: the file; its folder is made where it is missing.
        blocks: the pairs, (n, 2, S, S) in [0, 1] at a time.
        layout: one of `LAYOUTS`.
        compression: of each patch, one of `COMPRESSIONS`, all of them lossless.
        attributes: what to attach to the whole of the file, beside the number of pairs as `patches`.

    Returns:
        How many pairs were written.

    Raises:
        UserError: there are no pairs, the file cannot be written, or the disk is full.
    """
    # Shuffled, bytes of equal weight are neighbours, and compress better.
    settings: dict[str, Any] = {} if compression == "none" else {"compression": compression, "shuffle": True}
    count = 0

    def write(beside: Path) -> None:
        nonlocal count
        with _Disk(beside, "w+") as disk:
            try:
                with h5py.File(disk, "w") as file:
                    for block in blocks:
                        for name, patches in zip(LAYOUTS[layout], block.swapaxes(0, 1), strict=True):
                            _APPEND[layout](file, name, count, patches, settings)
                        count += len(block)
                        disk.check()
                    file.attrs.update({**attributes, "patches": count})
            finally:
                disk.check()
        if not count:
            raise UserError("no patch has enough contrast in both images: try a smaller --min_contrast")

    write_atomically(path, write)
    return count


def _append_to_dataset(file: h5py.File, name: str, start: int, patches: Patches, settings: Mapping[str, Any]) -> None:
    shape = (1, *patches.shape[1:])
    if name not in file:
        file.create_dataset(name, (0, *shape), np.float32, maxshape=(None, *shape), chunks=(1, *shape), **settings)
    file[name].resize(start + len(patches), axis=0)
    file[name][start:, 0] = patches


def _append_datasets(file: h5py.File, name: str, start: int, patches: Patches, settings: Mapping[str, Any]) -> None:
    chunks = (1, *patches.shape[1:]) if settings else None
    for number, patch in enumerate(patches, start):
        file.create_dataset(f"{name}/{number}", data=patch[None], chunks=chunks, **settings)


_APPEND = MappingProxyType({"ours": _append_to_dataset, "published": _append_datasets})


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other processes from writing the same file, and removes what one that was killed left beside it.

    Raises:
        UserError: another process writes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), blocking=False)
    try:
        with contextlib.suppress(NotImplementedError):  # a file system without locks
            lock.acquire()
    except Timeout as error:
        raise UserError(f"{path} is being written by another run: wait for its end, or use another --out") from error
    try:
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


class _Disk(io.FileIO):
    """A file for HDF5 to write to: after a full disk, or Ctrl-C, everything is thrown away.

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
