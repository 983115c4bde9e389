"""A listener in a thread of its own, so that nothing that becomes of it reaches the training."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from util.errors import one_line
from util.loggers.events import Logger, TrainingEvent

log = logging.getLogger(__name__)

QUEUE_LENGTH = 10_000  # events that may wait: values are small, and a listener may take minutes to start
MOST_IMAGES = 2  # sets of images that may wait, because they are large
PATIENCE = 5.0  # seconds that the end of a training waits for what is queued


class BackgroundLogger:
    """Hands the events to a listener that may fail, hang or be slow: it can neither end nor delay the training.

    The first error or a full queue is reported, and the listener left out from then on. Images that come while
    `MOST_IMAGES` sets wait are dropped. The thread is a daemon: one that hangs does not keep the process alive.

    Args:
        name: of the listener, for messages.
        make: makes the listener, in the thread, because that may take long as well.
        advice: what a user can do when it fails.
        patience: seconds to wait at the end of the training.
    """

    def __init__(self, name: str, make: Callable[[], Logger], *, advice: str, patience: float = PATIENCE) -> None:
        self._name, self._make, self._advice, self._patience = name, make, advice, patience
        self._queue: queue.Queue[TrainingEvent] = queue.Queue(QUEUE_LENGTH)
        self._images = threading.Semaphore(MOST_IMAGES)  # places that are free
        self._left_out, self._lock = False, threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"{name} logger", daemon=True)
        self._thread.start()

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind == "progress":
            return
        if self._left_out:
            with self._lock:  # its warning comes before the training continues
                return
        if event.kind == "images" and not self._images.acquire(blocking=False):
            return
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._leave_out("does not keep up")
            return
        if event.kind == "end":
            self._thread.join(self._patience)
            if self._thread.is_alive():
                self._leave_out(f"was not done within {self._patience:g} s of the end")

    def _work(self) -> None:
        try:
            listener, at_end = self._make(), False
            while not (at_end or self._left_out):
                event = self._queue.get()
                if event.kind == "images":
                    self._images.release()
                listener.handle(event)
                at_end = event.kind == "end"
        except Exception as error:  # whatever it is, the training continues
            self._leave_out(f"failed ({str(error) or type(error).__name__})")

    def _leave_out(self, reason: str) -> None:
        with self._lock:
            known, self._left_out = self._left_out, True  # first: saying it may fail as well
            if known:
                return
            log.warning("%s", one_line(f"{self._name} {reason}, is left out; the run is recorded. {self._advice}"))
