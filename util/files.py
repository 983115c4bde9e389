"""Files that appear whole or not at all, and folders listed in the order that people expect."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from util.errors import UserError, one_line

log = logging.getLogger(__name__)

_LONGEST_NAME = 255  # bytes of a file name, on nearly every file system


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a file beside `path`, whose folder is made where it is missing, then renames it to `path`.

    Raises:
        UserError: the folder cannot be written to, or the disk is full; what stood at `path` is still there.
    """
    beside = path.with_name(_name_beside(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def _name_beside(name: str) -> str:
    """Returns the hidden name to write to first, by which a user knows the file, if there is room for it."""
    beside = f".{name}.{os.getpid()}.tmp"
    if len(os.fsencode(beside)) <= _LONGEST_NAME:
        return beside
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()}.{os.getpid()}.tmp"


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file, whole or not at all; raises as `write_atomically`."""

    def write(beside: Path) -> None:
        beside.write_bytes(content)

    write_atomically(path, write)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all; raises as `write_atomically`.

    A file name that is no valid text may be part of it: what cannot be encoded becomes a question mark.
    """
    write_bytes(path, text.encode("utf-8", errors="replace"))


def check_writable(option: str, folder: Path) -> None:
    """Checks that the folder that `option` names can be made or written to, before any work is done for it.

    Raises:
        UserError: something else than a folder is in the way, or it belongs to somebody else.
    """
    there = folder
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
    except OSError as error:  # a name too long
        raise UserError(f"{option} {folder}: {error.strerror or error}") from error
    if not there.is_dir():
        raise UserError(f"{option}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{option}: {there} cannot be written to")


def with_extension(path: Path, extension: str) -> Path:
    """Returns the path, with the extension where its name has none."""
    return path if path.suffix else path.with_name(path.name + extension)


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Returns a sort key that puts img2 before img10."""
    words = re.split(r"(\d+)", name)
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word.lower()) for word in words if word], name


def list_files(folder: Path, extensions: Collection[str]) -> list[Path]:
    """Returns the files of `folder` with one of the extensions (lower case, with dot), in natural order.

    Hidden files, folders, and links that lead out of the folder are left out.

    Raises:
        UserError: the folder does not exist or cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    inside = folder.resolve()
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read folder {folder}: {error.strerror or error}") from error
    fitting = [
        entry
        for entry in entries
        if entry.suffix.lower() in extensions and not entry.name.startswith(".") and entry.is_file()
    ]
    found = [entry for entry in fitting if not entry.is_symlink() or entry.resolve().is_relative_to(inside)]
    if len(found) < len(fitting):
        outside = len(fitting) - len(found)
        log.warning("%s: %d links that lead out of the folder were not read", one_line(str(folder)), outside)
    return sorted(found, key=lambda entry: natural_key(entry.name))


def find_folder(root: str | Path, phase: str) -> Path:
    """Returns root/phase where it exists, else root.

    Raises:
        UserError: neither exists.
    """
    root = Path(root)
    for folder in (root / phase, root):
        if folder.is_dir():
            return folder
    raise UserError(f"no such folder: {root} (given by --dataroot)")
