"""The training page checkpoints/NAME/web/index.html."""

from __future__ import annotations

from util.images.image_io import write_image
from util.loggers.events import LoggedRun, TrainingEvent
from util.loggers.guarded import GuardedLogger
from util.report.training_page import TrainingPage


def start(run: LoggedRun) -> GuardedLogger:
    """Starts the logger of a run."""
    return GuardedLogger("The training page", PageLogger(run), "--no_html leaves it out.")


class PageLogger:
    """Hands the events to the page and writes its images."""

    def __init__(self, run: LoggedRun) -> None:
        self._folder = run.folder / "web"
        keep, samples = (run.resume_at.keeps, run.resume_at.samples) if run.resume_at else (None, 0)
        self._page = TrainingPage(self._folder, run.name, run.facts, keep=keep, samples=samples)

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind in ("losses", "validation"):
            self._page.add_values(event.kind, event.samples, event.epoch, event.values)
        elif event.kind == "images":
            paths = {}
            for name, image in event.images.items():
                paths[name] = f"images/{event.samples:09d}_{name}.png"
                write_image(self._folder / paths[name], image)
            self._page.add_images(event.samples, event.epoch, paths)
        elif event.kind == "end":
            self._page.finish(event.text)
