"""Processes of which time and memory are measured."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.tasks import last_line
from options.strict import StrictParser, whole
from util.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def add_turns(parser: StrictParser, default: int = 3) -> None:
    """Adds --turns to the options of a benchmark."""
    text = f"how often everything is measured (default: {default})"
    parser.add_argument("--turns", type=whole("--turns", 1), metavar="N", default=default, help=text)


def run_measured(name: str, command: Sequence[str]) -> tuple[str, float]:
    """Runs a command, called `name` where it fails, from the project's folder.

    Returns:
        What it printed, and the most resident memory that it had, in MB.

    Raises:
        UserError: it failed; its last line says why.
    """
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(command, cwd=ROOT, stdout=printed, stderr=said) as process:
            # Of the children that have ended, so it is measured per process.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        for file in (printed, said):
            file.seek(0)
        if process.returncode:
            raise UserError(f"{name}: ended with {process.returncode}: {last_line(said.read())}")
        return printed.read(), usage.ru_maxrss / 1024
