"""One function over many jobs, in this process or in several. Imports nothing of the project but its errors."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from util.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_workers() -> int:
    """How many processes to share work among unless told otherwise: the cores that may be used, eight at most."""
    return min(usable_cores(), 8)


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    *,
    start: Callable[[], None],
    in_order: bool = True,
) -> Iterator[tuple[Job, Result]]:
    """Calls a function for every job, in this process or in several.

    When the iteration is left early, jobs that have begun are finished and the others dropped.

    Args:
        function: of a module, so that other processes find it.
        jobs: what it gets.
        workers: how many processes.
        start: called once in each further process, to limit the threads of a library, say.
        in_order: yield in the order of the jobs; otherwise as they end.

    Yields:
        Each job with its result.

    Raises:
        UserError: a process died.
    """
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            yield job, function(job)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=_start_worker, initargs=(start,))
    try:
        # The processes start here and inherit that Ctrl-C is held back from them: it is this process's to answer, which
        # it does when all is submitted.
        with _interrupt_held_back():
            results: dict[Future[Result], Job] = {pool.submit(function, job): job for job in jobs}
        for result in results if in_order else as_completed(results):
            yield results[result], result.result()
    except BrokenProcessPool as error:
        raise UserError("a worker process died, maybe for lack of memory: try fewer --workers") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Keeps Ctrl-C waiting, where the system can (Windows cannot, and nothing is inherited there)."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(start: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start()


def _end_with_parent() -> None:
    """Ends a worker whose parent was killed: it would wait for ever, as each worker holds both ends of the queues."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
