"""The error for bad input, and how a command ends on it.

This module imports nothing of the project, so that every package may raise `UserError`.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_SKIPPED = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A bad option or input. The message is one line that names the file or option and what would be right."""


class FailedError(Exception):
    """Something broke that is not the user's input, such as a killed process. The message is one line."""


class LostContactError(FailedError):
    """Another process of the job is gone, which has its own reason and says it itself."""


class Interrupted(Exception):
    """The user stopped the work (Ctrl-C) and what could be saved has been saved. The message says what."""


def one_line(text: str) -> str:
    """Returns a text for the terminal: line breaks and control sequences (of a file's name, say) are spelt out."""
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def report_skipped(lines: Iterable[str]) -> int:
    """Lists on the standard error stream what was skipped; returns the exit status of a command that is done."""
    skipped = [one_line(line) for line in lines]
    sys.stderr.writelines(f"skipped: {line}\n" for line in skipped)
    return EXIT_SKIPPED if skipped else EXIT_DONE


def run_command(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Runs `main` with the arguments after the program's name (of this process when None), and returns its exit status.

    Returns:
        0 done, 1 something broke, 2 bad option or input, 3 done with skipped samples, 130 interrupted. With
        `--verbose` among the arguments an error shows its traceback as well.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    before = _hear_sigterm()
    try:
        return main(arguments)
    except (UserError, FailedError, OSError) as error:
        # An OSError that nobody translated: a name too long, a folder that disappeared, a missing permission.
        if "--verbose" in arguments:
            traceback.print_exc()
        _say(f"error: {one_line(str(error))}\n")
        return EXIT_FAILED if isinstance(error, FailedError) else EXIT_BAD_INPUT
    except Interrupted as stop:
        _say(f"{one_line(str(stop))}\n")
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        _say("interrupted\n")
        return EXIT_INTERRUPTED
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # the terminal may be gone; the status still tells
        sys.stderr.write(line)


def _hear_sigterm() -> Any:
    """Lets SIGTERM, as schedulers send it, end a command as Ctrl-C does; returns what did so before."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_IGN)  # a second one would interrupt the way out
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, interrupt)
