r"""A file of records that grows by one line per event and that a page can read from disk, whatever happens to it.

A page opened from `file://` may not fetch files; what it can do is run a script or show a frame. A script is a poor
container: one torn line is a syntax error and hides all others. So the records are *text* in a tiny HTML page: a
prelude that posts the text to the page around it, then `<pre>` and one line of JSON per record. HTML has no syntax
errors: a file cut at any byte still shows everything before the cut, and the page skips lines that are no whole JSON
object (no strict prefix of an object is one). As `<`, `>` and `&` are written as `\u003c` and so on, no record can
become markup, and none is ever run.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from util.files import write_text
from util.report.page import script_json

# The text goes to whichever page shows this file in a frame: on file:// every file is an origin of its own.
PRELUDE = (
    '<!DOCTYPE html><meta charset="utf-8"><title>Training records</title>'
    '<script>addEventListener("load",()=>parent.postMessage(document.querySelector("pre").textContent,"*"))</script>'
    "<pre>"
)

Record = dict[str, Any]


def plain_values(values: Mapping[str, float]) -> dict[str, float | str]:
    """Values that JSON can hold: those that are not finite become "NaN", "Infinity", "-Infinity".

    JavaScript's `Number` reads them back.
    """
    plain: dict[str, float | str] = {}
    for name, value in values.items():
        number = float(value)
        if math.isnan(number):
            plain[name] = "NaN"
        elif math.isinf(number):
            plain[name] = "Infinity" if number > 0 else "-Infinity"
        else:
            plain[name] = number
    return plain


class RecordFile:
    """The file of records. Appending costs the same however many there are: one write, nothing is read."""

    def __init__(self, path: Path, keep: Callable[[Record], bool] | None = None) -> None:
        """Starts the file, anew or from what is there.

        Args:
            path: the file, made together with its folder.
            keep: says which whole records of an existing file stay; without it the file starts empty.
        """
        self.path = path
        lines = [] if keep is None else [_to_line(record) for record in read_records(path) if keep(record)]
        write_text(path, PRELUDE + "".join(lines))

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one record in a single write.

        Raises:
            OSError: when the file is gone or the disk is full.
        """
        line = _to_line(record).encode("ascii")
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(handle, line) != len(line):
                raise OSError(f"{self.path}: could not be written to its end; the disk may be full")
        finally:
            os.close(handle)


def read_records(path: Path) -> list[Record]:
    """The whole records of a file, in order; torn lines are left out. Empty when there is no file."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines()[1:]:
        try:
            record = json.loads(line, parse_constant=_refuse)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _refuse(constant: str) -> None:
    """A bare NaN is no JSON: the page could not read it either."""
    raise ValueError(constant)


def _to_line(record: Mapping[str, Any]) -> str:
    """The newline comes first, so that a line that an earlier crash left unfinished cannot spoil this one."""
    return "\n" + script_json(record)
