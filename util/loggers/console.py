"""The terminal: a progress bar with samples per second and the time left, and a line per validation."""

from __future__ import annotations

import sys

from tqdm import tqdm

from util.loggers.events import LoggedRun, TrainingEvent
from util.loggers.guarded import GuardedLogger


def start(run: LoggedRun) -> GuardedLogger:
    """Starts the logger of a run."""
    return GuardedLogger("The console", ConsoleLogger(run), "--loggers page leaves it out.")


class ConsoleLogger:
    """Shows the training on the standard error stream."""

    def __init__(self, run: LoggedRun) -> None:
        # In a log file a bar redrawn twice a second is only noise.
        interval = 0.5 if sys.stderr.isatty() else 30.0
        done = run.resume_at.samples if run.resume_at else 0
        self._bar = tqdm(
            total=run.total_samples,
            initial=done,
            unit="sample",
            dynamic_ncols=True,
            mininterval=interval,
            maxinterval=interval,
        )

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind == "progress":
            self._bar.update(event.samples - self._bar.n)
        elif event.kind == "losses":
            shown = " ".join(f"{name} {value:.3g}" for name, value in event.values.items() if name[0] in "GD")
            self._bar.set_postfix_str(f"epoch {event.epoch} {shown}", refresh=False)
        elif event.kind == "validation":
            shown = "  ".join(f"{name} {value:.4g}" for name, value in event.values.items())
            self._bar.write(f"epoch {event.epoch}, {event.samples} samples: {shown}", file=sys.stderr)
        elif event.kind == "end":
            self._bar.close()
            if event.whole:  # otherwise the command's last line says what went wrong
                sys.stderr.write(f"{event.text}\n")
