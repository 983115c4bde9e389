"""What long work leaves on disk to be resumed from: a journal of what is done, and the settings it was begun with."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from util.errors import UserError
from util.files import write_text

Entry = dict[str, Any]


class Journal:
    """A file that grows by one line per entry: appending costs one write, however many there are, and reads nothing.

    Each line is handed to the operating system at once, so that killing the process loses none. A full disk may tear a
    line; the next one then starts on a line of its own, whoever tore it, and `read_journal` leaves the torn one out.

    Args:
        path: the file, made together with its folder; what stood there is replaced.
        entries: what it begins with, as those of an earlier journal that are to stay.
        to_line: the text of an entry, without a line break.
        head: the text before the first entry.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        entries: Iterable[Entry] = (),
        *,
        to_line: Callable[[Entry], str] = json.dumps,
        head: str = "",
    ) -> None:
        self._path, self._to_line, self._head = path, to_line, head
        write_text(path, head + "".join(f"{to_line(entry)}\n" for entry in entries))
        self._end = path.stat().st_size  # where the last line ends, if it is whole

    def append(self, entry: Entry) -> None:
        """Adds an entry; a file that somebody removed begins anew with it.

        Raises:
            UserError: the file cannot be written, or the disk is full.
        """
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                size = os.fstat(handle).st_size
                before = "\n" * (size != self._end) if size else self._head
                content = f"{before}{self._to_line(entry)}\n".encode(errors="replace")
                self._end = size + len(content)
                torn = os.write(handle, content) != len(content)
            finally:
                os.close(handle)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror or error})") from error
        if torn:
            raise UserError(f"{self._path}: cannot be written to its end; the disk may be full")


def read_journal(path: Path) -> list[Entry]:
    """Reads the entries of a journal in JSON, in order; empty where there is no file.

    What is no whole JSON object is left out: a head, and lines torn by a crash (no strict prefix of an object is one).
    """
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            entry = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def _refuse(constant: str) -> None:
    """A bare NaN is Python's own and no JSON: other readers could not read the line either."""
    raise ValueError(constant)


def finite_or_text(values: Mapping[str, float]) -> dict[str, float | str]:
    """Values as JSON can hold them, which knows neither NaN nor infinity: "nan", "inf", "-inf"; `float` reads all."""
    return {name: value if math.isfinite(value) else str(value) for name, value in values.items()}


def refuse_other_settings(where: str | Path, changed: Mapping[str, tuple[Any, Any]], advice: str) -> None:
    """Refuses to resume work that was begun with other settings.

    Args:
        where: the folder of the work.
        changed: setting → its value then and now, of those that differ.
        advice: what the user can do.

    Raises:
        UserError: some setting differs.
    """
    if changed:
        listed = ", ".join(f"{name} {before} (now {now})" for name, (before, now) in sorted(changed.items()))
        raise UserError(f"{where} was begun with {listed}: {advice}")
