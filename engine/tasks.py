"""Commands of this project as processes of their own, several at a time, which save before they end on Ctrl-C."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from engine.launch import signal_name
from engine.stop_signals import StopSignals
from util.errors import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_SKIPPED,
    FailedError,
    Interrupted,
    UserError,
    one_line,
)
from util.workers import usable_cores

_PERIOD = 0.05  # seconds between two looks at the processes
_LOOK = 5.0  # seconds between two looks at their progress
_STOPPED = {EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM}  # the signals: before the command handles them itself


@dataclass(frozen=True)
class Task:
    """One command.

    Attributes:
        label: what it is called in messages.
        script: the Python script.
        words: its arguments.
        log: file for what it prints; what stands there is replaced.
    """

    label: str
    script: Path
    words: tuple[str, ...]
    log: Path

    def failure(self, status: int) -> str:
        """One line on how the command failed, with the last one that it printed."""
        how = f"ended with status {status}" if status > 0 else f"was killed by {signal_name(-status)}"
        said = last_line(self.log.read_text(encoding="utf-8", errors="replace"))
        return f"{self.label}: {self.script.name} {how}: {said.removeprefix('error: ')} (more in {self.log})"


def run_all(
    tasks: Mapping[Task, Path],
    slots: Sequence[Sequence[str]],
    bar: tqdm,
    done: Callable[[], int],
    succeeded: Callable[[Task], None] | None = None,
) -> None:
    """Runs commands, and writes one line on each that fails. The others continue.

    Args:
        tasks: command → a file that is there once its input proved good. When a command fails without it, no further
            ones are begun: they would fail, too.
        slots: see `run_tasks`.
        bar: shows the progress; closed at the end.
        done: how far everything is, in the bar's unit.
        succeeded: called for each command that ended well.

    Raises:
        UserError, FailedError: a command failed, by its own account for bad input or otherwise.
        Interrupted: see `run_tasks`.
    """
    looked = -math.inf

    def show() -> None:
        nonlocal looked
        if time.monotonic() - looked > _LOOK:
            bar.update(done() - bar.n)
            looked = time.monotonic()

    failed: dict[Task, int] = {}
    waiting = deque(tasks)
    with bar, contextlib.closing(run_tasks(waiting, slots, show)) as ended:
        for task, status in ended:
            if status in (EXIT_DONE, EXIT_SKIPPED):
                if succeeded:
                    succeeded(task)
                continue
            failed[task] = status
            bar.write(one_line(task.failure(status)), file=sys.stderr)
            if not tasks[task].is_file():
                waiting.clear()
        bar.update(done() - bar.n)
    if failed:
        kind = UserError if EXIT_BAD_INPUT in failed.values() else FailedError
        raise kind(f"{'; '.join(task.label for task in failed)}: failed; the same command again resumes it")


def run_tasks(
    waiting: deque[Task], slots: Sequence[Sequence[str]], meanwhile: Callable[[], None]
) -> Generator[tuple[Task, int], None, None]:
    """Runs commands, one at a time in each slot, such as a device.

    On Ctrl-C, SIGTERM or a closed terminal no further command is begun, and those that run are told to stop and waited
    for. A second Ctrl-C kills them.

    Args:
        waiting: the commands, begun from the left; the caller may clear it on the way.
        slots: the arguments that send a command to a device; one command at a time gets each.
        meanwhile: called again and again until all have ended.

    Yields:
        Each command that ended and was not stopped, with its exit status (negative: a signal), as they end.

    Raises:
        Interrupted: it was stopped.
    """
    free = deque(slots)
    neighbours = min(len(slots), len(waiting))
    running: dict[Task, tuple[Sequence[str], subprocess.Popen[bytes]]] = {}
    with StopSignals() as stop:
        told: set[Task] = set()
        try:
            while running or (waiting and not stop.requested):
                while waiting and free and not stop.requested:
                    task, slot = waiting.popleft(), free.popleft()
                    running[task] = (slot, _start(task, slot, neighbours))
                for task, (slot, process) in [*running.items()]:
                    # Ctrl-C in a terminal reached it already, `kill` did not; a command accepts both.
                    if stop.requested and task not in told:
                        told.add(task)
                        process.terminate()
                    status = process.poll()
                    if status is not None:
                        del running[task]
                        free.append(slot)
                        if not (stop.requested and status in _STOPPED):
                            yield task, status
                meanwhile()
                time.sleep(_PERIOD)
        finally:
            for _, process in running.values():
                process.kill()
                process.wait()
    if stop.requested:
        raise Interrupted("interrupted; the same command again resumes it")


def last_line(text: str) -> str:
    """The last line of what a process printed, below the progress bars that it drew."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _start(task: Task, slot: Sequence[str], neighbours: int) -> subprocess.Popen[bytes]:
    # Processes that each take all cores wait for each other.
    threads = {"OMP_NUM_THREADS": str(max(1, usable_cores() // neighbours))} if neighbours > 1 else {}
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(task.script), *task.words, *slot],
            env=threads | os.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
