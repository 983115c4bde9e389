"""Making HDF5 files of patches: image by image, so that a run that was killed goes on, and then in one go.

HDF5 itself does not survive that a process dies while it writes. So patches are collected in `FILE.h5.part/` first:

* `plan.json`: what is being made; a run with another plan is refused;
* `patches.raw`: the pairs one after the other, float32 (2, S, S), nothing else;
* `done.jsonl`: a line for each pair of images, added when its patches are on the disk.

Whoever goes on cuts `patches.raw` to what `done.jsonl` vouches for, a torn last line excepted. When all images are
done, the HDF5 file is written in that folder, moved to its place in one step, and the folder removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from data.patches.cutting import PatchCutter, Patches
from data.patches.reading import EXTENSIONS, read_attributes
from data.patches.writing import NewPatchFile
from util.errors import UserError
from util.files import check_place, write_text

Record = dict[str, int | float | str]

_VERSION = 1  # of the values: to be raised when the same plan would give others
_PLAN, _RAW, _JOURNAL, _MADE, _LOCK = "plan.json", "patches.raw", "done.jsonl", "made.h5", ".lock"
_BLOCK = 2**24  # bytes that are moved at once from patches.raw to the HDF5 file


@dataclass(frozen=True)
class PatchPlan:
    """What is to be made.

    Attributes:
        cutter: how patches are cut.
        out: the file.
        layout: `ours` or `published`, see `data.patches.reading`.
        compression: of each patch: `none`, `gzip` or `lzf`, all of them lossless.
    """

    cutter: PatchCutter
    out: Path
    layout: str = "ours"
    compression: str = "none"

    def __post_init__(self) -> None:
        if self.out.suffix.lower() not in EXTENSIONS:
            raise UserError(f"--out {self.out}: expected a name that ends in {' or '.join(EXTENSIONS)}")
        if self.out.is_dir():
            raise UserError(f"--out {self.out} is a folder: expected the name of a file")
        check_place("--out", self.out.absolute().parent)

    def record(self, roles: Sequence[str], names: Sequence[str]) -> Record:
        """Returns everything that decides what the file holds; these are its attributes.

        Args:
            roles: of the two folders of images.
            names: of the items.
        """
        fingerprint = hashlib.sha256(os.fsencode("\n".join(names))).hexdigest()[:16]
        settings: Record = {**asdict(self.cutter), "layout": self.layout, "compression": self.compression}
        images = f"{len(names)} pairs (names {fingerprint})"
        return settings | {"sources": ", ".join(roles), "images": images, "version": _VERSION}


@dataclass(frozen=True)
class Done:
    """What became of one pair of images.

    Attributes:
        kept: how many pairs of patches it gave.
        dropped: how many had too little contrast.
        problem: why it was skipped, or nothing.
    """

    kept: int = 0
    dropped: int = 0
    problem: str = ""


def is_finished(out: Path, record: Record) -> bool:
    """Whether a file is there already, made as it is to be made.

    Raises:
        UserError: it was made in another way, or by somebody else.
    """
    if not out.exists():
        return False
    before = read_attributes(out)
    if "version" not in before:
        raise UserError(f"{out} is there, and does not say how it was made: use another --out, or remove it")
    _check_same(out, before, record)
    return True


class PatchStore:
    """The patches of an unfinished file. A context manager: the folder is this process's as long as it lasts.

    Attributes:
        folder: where they are collected, beside the file to make.
        done: what became of the pairs of images, in their order.
        patches: how many pairs of patches there are.
    """

    def __init__(self, plan: PatchPlan, record: Record, *, again: bool) -> None:
        """Finds what an earlier run left.

        Args:
            plan: what is to be made.
            record: the plan in full, see `PatchPlan.record`.
            again: do what was skipped once more, and all that came after it.
        """
        self.folder = _part(plan.out)
        self.done: list[Done] = []
        self.patches = 0
        self._over = False
        self._plan, self._record, self._again = plan, record, again
        self._shape = (2, plan.cutter.size, plan.cutter.size)
        self._lock = FileLock(self.folder / _LOCK, blocking=False)

    def __enter__(self) -> Self:
        """Takes the folder.

        Raises:
            UserError: another process has it, it cannot be written to, or it was begun with another plan.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(NotImplementedError):  # a file system without locks
                self._lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{self.folder} is in use by another run: wait for its end, or use another --out"
            ) from error
        try:
            self._take_up()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the folder free; what is in it stays for the next run, where there is something left to do."""
        for file in (self._raw, self._journal):
            with contextlib.suppress(OSError):  # what a full disk did not take is done again
                file.close()
        self._lock.release()
        if self._over:
            remove_part(self._plan.out)

    def add(self, entry: Done, patches: Patches | None = None) -> None:
        """Adds the patches of a pair of images, or that it has none.

        Args:
            entry: what became of it.
            patches: (kept, 2, S, S).

        Raises:
            UserError: the disk is full.
        """
        try:
            if patches is not None:
                self._raw.write(patches.tobytes())
                self._raw.flush()
                os.fsync(self._raw.fileno())
            self._journal.write(json.dumps(asdict(entry)).encode() + b"\n")
            self._journal.flush()
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        self._count(entry)

    def write(self) -> Iterator[int]:
        """Makes the file of what was collected, and removes the folder.

        Yields:
            How many more pairs were written.

        Raises:
            UserError: there are none, or the disk is full.
        """
        made = self.folder / _MADE
        if not self.patches:
            self._over = True
            raise UserError("no patch has enough contrast in both images: try a smaller --min_contrast")
        new = NewPatchFile(self._plan.layout, self._plan.compression, self.patches, self._plan.cutter.size)
        try:
            yield from new.write(made, self._blocks(), self._record)
            made.replace(self._plan.out)
        except (OSError, RuntimeError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise UserError(f"{self._plan.out}: cannot be written ({' '.join(reason.split())})") from error
        self._over = True

    def _take_up(self) -> None:
        """Makes both files end where the journal and the patches agree."""
        plan_file, raw, journal = (self.folder / name for name in (_PLAN, _RAW, _JOURNAL))
        if plan_file.exists():
            try:
                before = json.loads(plan_file.read_text(encoding="utf-8"))
                _check_same(self.folder, before, self._record)
            except (OSError, ValueError, AttributeError) as error:
                raise UserError(f"cannot read {plan_file}: remove the folder or use another --out") from error
        elif raw.exists() or journal.exists():
            raise UserError(f"{self.folder} is there, but no {plan_file} that says what it is: use another --out")
        else:
            write_text(plan_file, json.dumps(self._record, indent=2) + "\n")
        raw.touch()
        journal.touch()
        length, room = 0, raw.stat().st_size // self._patch_bytes
        for line in journal.read_bytes().split(b"\n")[:-1]:  # the last one has no end: torn, or empty
            try:
                entry = Done(**json.loads(line))
            except (ValueError, TypeError):
                break
            if self.patches + entry.kept > room or (entry.problem and self._again):
                break
            self._count(entry)
            length += len(line) + 1
        os.truncate(journal, length)
        os.truncate(raw, self.patches * self._patch_bytes)
        self._raw, self._journal = raw.open("ab"), journal.open("ab")

    def _count(self, entry: Done) -> None:
        self.done.append(entry)
        self.patches += entry.kept

    @property
    def _patch_bytes(self) -> int:
        return int(np.prod(self._shape)) * np.dtype(np.float32).itemsize

    def _blocks(self) -> Iterator[Patches]:
        """The collected pairs, (n, 2, S, S) at a time."""
        at_once = max(1, _BLOCK // self._patch_bytes)
        with (self.folder / _RAW).open("rb") as raw:
            while values := raw.read(at_once * self._patch_bytes):
                yield np.frombuffer(values, np.float32).reshape(-1, *self._shape)


def remove_part(out: Path) -> None:
    """Removes what was collected for a file, once that is in its place."""
    folder = _part(out)
    for name in (_PLAN, _RAW, _JOURNAL, _MADE, _LOCK):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it was never there, or somebody keeps something in it
        folder.rmdir()


def _part(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def _check_same(where: Path, before: Mapping[str, Any], record: Record) -> None:
    for key, value in record.items():
        if before.get(key) != value:
            raise UserError(
                f"{where} was begun with {key} {before.get(key)}, not {value}: go on with the same settings, "
                "remove it, or use another --out"
            )
