"""The Visdom dashboard, as a listener that a dead, slow or restarted server cannot hurt.

A thread of its own draws what has changed on the board. It draws whole windows and never adds points to one: when
points are added, the server compares the old window with the new one, which takes it seven times as long as taking a
whole window (0.5 s and 0.07 s for nine curves of 5000 points); and what is always drawn whole is right whatever was
lost.

There is no log of what could not be sent. Visdom's own offline log would hold every image once more and could not
drop what a resumed training repeats; `metrics.jsonl` and the training page's images are on disk anyway, and
`scripts/visdom_replay.py` sends them.
"""

from __future__ import annotations

import logging
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from util.errors import one_line
from util.loggers.board import Board
from util.loggers.events import LoggedRun, TrainingEvent
from util.loggers.recorded import fill_board

if TYPE_CHECKING:
    from util.loggers.visdom_client import VisdomClient

log = logging.getLogger(__name__)

PATIENCE = 7.0  # seconds that the end of a training waits for the last windows: two answers that do not come
AWAY_AFTER = 3  # failures in a row
RETRY_SECONDS = 1.0
RETURN_SECONDS = 30.0  # between two looks whether the server is back
LARGEST_SHARE = 0.05  # of the time that may go into drawing


def start(run: LoggedRun) -> VisdomLogger | None:
    """Starts the logger of a run, which is chosen by default; None where its package is missing or broken."""
    if find_spec("visdom") is None:
        log.warning("Visdom is not installed and left out: python -m pip install visdom, or --display_id 0")
        return None
    try:
        from util.loggers.visdom_client import VisdomClient  # noqa: PLC0415  # only where it is chosen
    except Exception as error:  # a broken package may fail in any way
        reason = one_line(str(error) or type(error).__name__)
        log.warning("Visdom cannot be imported (%s) and is left out; --display_id 0 does so silently", reason)
        return None
    board, options, runs = Board(run.name, run.facts), run.options, run.folder.parent
    if run.resume_at is not None:
        fill_board(board, run.folder, run.resume_at.keeps)
    elsewhere = "" if runs == Path("checkpoints") else f" --checkpoints_dir {runs}"
    return VisdomLogger(
        board,
        VisdomClient(options.display_server, options.display_port, options.display_env or run.name),
        prefix=f"{run.name}: ",
        where=f"{options.display_server}:{options.display_port}",
        advice="Start it with python -m visdom.server -bind_local, or show the run later with "
        f"python scripts/visdom_replay.py --name {run.name}{elsewhere}; --display_id 0 leaves it out.",
        fresh=run.resume_at is None,
    )


class VisdomLogger:
    """Keeps a board and has it drawn.

    Args:
        board: the run's windows; of a resumed training, with what it showed before.
        client: draws them.
        prefix: how the names of this run's windows begin.
        where: the server's address, for messages.
        advice: what a user can do when it is not there.
        fresh: remove what an earlier training drew under these names.
    """

    def __init__(
        self,
        board: Board,
        client: VisdomClient,
        *,
        prefix: str,
        where: str,
        advice: str,
        fresh: bool,
    ) -> None:
        self._board, self._client, self._prefix = board, client, prefix
        self._where, self._advice, self._fresh = where, advice, fresh
        self._news = threading.Condition()  # guards the board and the next line
        self._ending, self._left_out = False, False
        self._met, self._away, self._failures = False, False, 0  # the thread's own
        self._thread = threading.Thread(target=self._work, name="visdom logger", daemon=True)
        self._thread.start()

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event: never waits for the server, but a few seconds at the end."""
        if event.kind == "progress" or self._left_out:
            return
        try:
            with self._news:
                self._board.add(event)
                self._ending = event.kind == "end"
                self._news.notify()
        except Exception as error:  # not even a mistake of ours may end a training
            self._left_out = True
            log.warning("Visdom is left out (%s). %s", one_line(repr(error)), self._advice)
            return
        if event.kind == "end":
            self._thread.join(PATIENCE)
            if self._thread.is_alive() and not self._away:
                self._away = True  # other failures have been reported
                reason = f"not all was drawn within {PATIENCE:g} s of the end"
                log.warning("Visdom at %s: %s; the run is recorded. %s", self._where, reason, self._advice)

    def _work(self) -> None:
        pause, ending = 0.0, False
        while not ending:
            with self._news:
                self._news.wait_for(lambda: self._ending, timeout=pause)
                self._news.wait_for(lambda: self._ending or self._board.has_changes())
                ending = self._ending
            started = time.monotonic()
            try:
                self._draw(everything=ending)
            except Exception as error:  # a dashboard may fail in any way: the training continues
                pause = self._note_failure(error, last=ending)
            else:
                self._note_success()
                pause = max(RETRY_SECONDS, (time.monotonic() - started) / LARGEST_SHARE)

    def _draw(self, *, everything: bool) -> None:
        if self._fresh:
            self._client.remove_windows(self._prefix)
            self._fresh = False
        # A server that was restarted has lost the windows, or has older ones from its own disk.
        everything |= bool(self._failures) or not self._client.has_window(f"{self._prefix}about")
        with self._news:
            if everything:
                self._board.touch_all()
            windows = self._board.take_changes()
        for name, content in windows.items():
            self._client.draw(f"{self._prefix}{name}", content)

    def _note_success(self) -> None:
        if self._away:
            log.info("Visdom at %s is there: it shows the whole training.", self._where)
        self._met, self._away, self._failures = True, False, 0

    def _note_failure(self, error: Exception, *, last: bool) -> float:
        """Counts a failure and returns how many seconds to wait."""
        self._failures += 1
        with self._news:
            self._board.touch_all()
        if not self._away and (self._failures >= AWAY_AFTER or not self._met or last):
            self._away = True
            reason = one_line(str(error) or type(error).__name__)
            log.warning("Visdom at %s: %s. Training continues and is recorded. %s", self._where, reason, self._advice)
        return RETURN_SECONDS if self._away else RETRY_SECONDS
