"""Listing folders in the order people expect."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from util.errors import UserError, one_line
from util.files import natural_key

log = logging.getLogger(__name__)


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
