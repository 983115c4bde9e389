"""Ctrl-C, SIGTERM and a closed terminal as a request instead of an exception in the middle of a step."""

from __future__ import annotations

import contextlib
import signal
import sys
from types import FrameType
from typing import Any


class StopSignals:
    """Turns these signals into a request that the loop answers between two steps; a second Ctrl-C stops at once.

    Args:
        speak: confirm the request on the standard error stream.
    """

    def __init__(self, *, speak: bool = True) -> None:
        self.requested = False
        self._speak = speak
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        numbers = [signal.SIGINT, signal.SIGTERM]
        # Under nohup a training outlives its terminal.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        first, self.requested = not self.requested, True
        if self._speak and first:
            # The terminal may be gone, or be written to at this very moment.
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                sys.stderr.write("\nstopping after this step and saving; Ctrl-C again stops at once and loses it\n")
