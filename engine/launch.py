"""Several processes for one training: who this process is, and a launcher that ends with the first that fails.

The launcher sets torchrun's variables (RANK, LOCAL_RANK, WORLD_SIZE …), so that a process need not know who started
it. It holds a pipe to the standard input of each of its processes: when the pipe is closed, because another process
failed or because the launcher itself was killed, the job is over.

It is not torch's own launcher (`torch.distributed.launcher.elastic_launch`, tried with torch 2.15), which

* takes every exit status but 0 for a failure: when the first process that Ctrl-C stopped has ended in order (130), it
  sends SIGTERM to the one that is still saving, SIGKILL 30 seconds later, and reports a failure;
* leaves its processes running when it is killed itself;
* prints its own report of the failure, a traceback and a table, below the one line that says what was wrong;
* imports torch, for two seconds, in a process that computes nothing.

torchrun can start train.py all the same, on several machines as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from util.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, Interrupted, LostContactError

_LAUNCHED_HERE = "IMAGE_FUSION_LAUNCHER"
GRACE = 10.0  # seconds that the other processes have to end by themselves
_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@dataclass(frozen=True)
class ProcessRank:
    """Which process of a job this is.

    Attributes:
        rank: from 0; process 0 writes the files and the log.
        world_size: processes of the job.
        local_world_size: processes of the job on this machine.
        by_torchrun: torchrun started it, perhaps alone.
        by_launch: `launch` started it.
    """

    rank: int = 0
    world_size: int = 1
    local_world_size: int = 1
    by_torchrun: bool = False
    by_launch: bool = False

    @classmethod
    def from_environment(cls) -> ProcessRank:
        """Reads it from the environment that torchrun and `launch` set."""
        if not {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= set(os.environ):
            return cls()
        world_size = int(os.environ["WORLD_SIZE"])
        return cls(
            rank=int(os.environ["RANK"]),
            world_size=world_size,
            local_world_size=int(os.environ.get("LOCAL_WORLD_SIZE", world_size)),
            by_torchrun=_LAUNCHED_HERE not in os.environ,
            by_launch=_LAUNCHED_HERE in os.environ,
        )


def launch(script: Path, argv: Sequence[str], count: int) -> int:
    """Runs a script in `count` processes on this machine until all are done, one fails, or a signal stops them.

    Returns:
        0, 130 when they were stopped, or the exit status of the process that failed first.
    """
    port = _free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), *argv],
            env=os.environ | _environment(rank, count, port),
            stdin=subprocess.PIPE,
        )
        for rank in range(count)
    ]
    asked_to_stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked_to_stop.set()

    before = {number: signal.signal(number, note) for number in _STOPS if signal.getsignal(number) != signal.SIG_IGN}
    try:
        return _watch(processes, asked_to_stop)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(processes: Sequence[subprocess.Popen[bytes]], asked_to_stop: threading.Event) -> int:
    """Waits for the end of all processes, or for the first that fails and then a little for the others."""
    asked_at = left_at = None
    while True:
        statuses = [process.poll() for process in processes]
        # A process that has only just begun dies of the signal itself.
        orderly = {None, EXIT_DONE, EXIT_INTERRUPTED, *(-number for number in _STOPS if asked_to_stop.is_set())}
        for rank, status in enumerate(statuses):
            if status not in orderly:
                return _end(processes, rank, status or EXIT_FAILED)
        if None not in statuses:
            return EXIT_INTERRUPTED if any(statuses) else EXIT_DONE
        now = time.monotonic()
        if asked_to_stop.is_set():
            asked_at = asked_at or now
        # Ctrl-C in a terminal reaches every process by itself; `kill`, or a scheduler, this one alone. SIGTERM may come
        # twice without harm.
        if asked_at and now - asked_at > 0.5:
            asked_at = float("inf")
            for process in processes:
                process.terminate()
        # Processes that have saved leave together. One that left alone was killed, or stopped before it began.
        if any(statuses):
            left_at = left_at or now
            if now - left_at > GRACE:
                return EXIT_INTERRUPTED
        time.sleep(0.05)


def _end(processes: Sequence[subprocess.Popen[bytes]], rank: int, status: int) -> int:
    """Tells the others that the job is over, and gives them some time; returns the job's exit status."""
    if status < 0:
        sys.stderr.write(  # below the progress bar that it may have left
            f"\nerror: process {rank} of {len(processes)} was killed by {signal_name(-status)}, which ends the "
            "training; what was saved is kept: --continue_train resumes from there\n"
        )
        status = EXIT_FAILED
    for process in processes:
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]  # it was opened as a pipe
    deadline = time.monotonic() + GRACE
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


def signal_name(number: int) -> str:
    """What a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"


@contextlib.contextmanager
def one_of_several(process: ProcessRank) -> Iterator[None]:
    """Lets a process of a job end with it, and only one process of a job report what went wrong.

    Bad input is bad for all processes, and one that dies makes the others fail: process 0 and the one that failed first
    report it, the others wait a moment to be ended first.
    """
    if process.world_size == 1:
        yield
        return
    job_is_over = threading.Event()
    if process.by_launch:
        threading.Thread(target=_follow_launcher, args=(job_is_over,), daemon=True).start()
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        if process.rank == 0:
            raise
        raise SystemExit(EXIT_INTERRUPTED) from None
    except Exception as error:
        if process.rank > 0 or isinstance(error, LostContactError):
            # An orderly end of the launcher's pipe, or torchrun's SIGTERM, comes within this time.
            if job_is_over.wait(GRACE):
                raise SystemExit(EXIT_FAILED) from None
            sys.stderr.write("\n")  # below the progress bar of process 0
        raise


def leave(run: Callable[[], int]) -> NoReturn:
    """Runs a command and leaves the process with its status.

    A process of a job that failed must not wait for the others in the clean-up of a communication library, which would
    wait for them in turn: its end is what ends them.
    """
    if ProcessRank.from_environment().world_size == 1:
        sys.exit(run())
    status = EXIT_FAILED
    try:
        status = run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else EXIT_FAILED
    except Exception:
        traceback.print_exc()
    if status == EXIT_DONE:
        sys.exit(status)
    sys.stderr.flush()
    os._exit(status)


def _follow_launcher(job_is_over: threading.Event) -> None:
    while os.read(0, 1):
        pass
    job_is_over.set()
    time.sleep(GRACE)
    os._exit(EXIT_FAILED)  # hanging in a collective operation, which nothing else ends


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        _LAUNCHED_HERE: "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
