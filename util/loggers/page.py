"""The training page checkpoints/NAME/web/index.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from util.images.image_io import write_image
from util.loggers.events import LoggedRun, ResumePoint, TrainingEvent
from util.loggers.guarded import GuardedLogger
from util.report.training_page import TrainingPage


def start(run: LoggedRun) -> GuardedLogger:
    """Starts the logger of a run."""
    page = PageLogger(run.folder / "web", run.name, run.facts, run.resume_at)
    return GuardedLogger("The training page", page, "--no_html leaves it out.")


class PageLogger:
    """Hands the events to the page and writes its images.

    Args:
        folder: the page's folder.
        title: the page's title.
        facts: what a reader should know about the training.
        resume_at: where the training resumes; None starts anew.
    """

    def __init__(
        self, folder: Path, title: str, facts: Mapping[str, str], resume_at: ResumePoint | None = None
    ) -> None:
        self._folder = folder
        keep, samples = (resume_at.keeps, resume_at.samples) if resume_at else (None, 0)
        self._page = TrainingPage(folder, title, facts, keep=keep, samples=samples)

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind == "losses":
            self._page.add_losses(event.samples, event.epoch, event.values)
        elif event.kind == "validation":
            self._page.add_validation(event.samples, event.epoch, event.values)
        elif event.kind == "images":
            paths = {}
            for name, image in event.images.items():
                paths[name] = f"images/{event.samples:09d}_{name}.png"
                write_image(self._folder / paths[name], image)
            self._page.add_images(event.samples, event.epoch, paths)
        elif event.kind == "end":
            self._page.finish(event.text)
