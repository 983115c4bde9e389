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

_COMPRESSIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {  # shuffled, bytes of equal weight are neighbours, and compress better
        "none": {},
        "gzip": {"compression": "gzip", "shuffle": True},
        "lzf": {"compression": "lzf", "shuffle": True},
    }
)
COMPRESSIONS = tuple(_COMPRESSIONS)


def write_patches(
    path: Path,
    blocks: Iterable[Patches],
    *,
    side: int,
    layout: str = "ours",
    compression: str = "none",
    attributes: Mapping[str, int | float | str] = MappingProxyType({}),
) -> int:
    """Writes a file, whole or not at all: to a temporary file beside it, which is renamed.

    Args:
        path: the file; its folder is made where it is missing.
        blocks: the pairs, (n, 2, side, side) in [0, 1] at a time.
        side: of a patch, in pixels.
        layout: one of `LAYOUTS`.
        compression: of each patch, one of `COMPRESSIONS`, all of them lossless.
        attributes: what to attach to the whole of the file, beside the number of pairs as `patches`.

    Returns:
        How many pairs were written.

    Raises:
        UserError: there are no pairs, another process writes the file, it cannot be written, or the disk is full.
    """
    count = 0

    def write(beside: Path) -> None:
        nonlocal count
        with _Disk(beside, "w+") as disk:
            try:
                with h5py.File(disk, "w") as file:
                    for block in _append(file, blocks, side, layout, _COMPRESSIONS[compression]):
                        disk.check()
                        count += len(block)
                    file.attrs.update({**attributes, "patches": count})
            finally:
                disk.check()
        if not count:
            raise UserError("no patch has enough contrast in both images: try a smaller --min_contrast")

    with _alone(path):
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        write_atomically(path, write)
    return count


def _append(
    file: h5py.File, blocks: Iterable[Patches], side: int, layout: str, settings: Mapping[str, Any]
) -> Iterator[Patches]:
    """Puts blocks of pairs one after the other; yields each that was put."""
    groups, start = LAYOUTS[layout], 0
    for name in groups:
        if layout == "ours":
            shapes: dict[str, Any] = {"maxshape": (None, 1, side, side), "chunks": (1, 1, side, side)}
            file.create_dataset(name, (0, 1, side, side), np.float32, **shapes, **settings)
        else:
            file.create_group(name)
    chunks = {"chunks": (1, side, side)} if settings else {}
    for block in blocks:
        for name, patches in zip(groups, block.swapaxes(0, 1), strict=True):
            if layout == "ours":
                file[name].resize(start + len(patches), axis=0)
                file[name][start:, 0] = patches
                continue
            for number, patch in enumerate(patches, start):
                file[name].create_dataset(str(number), data=patch[None], **chunks, **settings)
        start += len(block)
        yield block


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other processes from writing the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), blocking=False)
    try:
        with contextlib.suppress(NotImplementedError):  # a file system without locks
            lock.acquire()
    except Timeout as error:
        raise UserError(f"{path} is being written by another run: wait for its end, or use another --out") from error
    try:
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
