"""TensorBoard's event files in `checkpoints/NAME/tensorboard`. Imported only where it is chosen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from torch.utils.tensorboard import SummaryWriter

from util.journal import Entry
from util.loggers.background import BackgroundLogger
from util.loggers.events import LoggedRun, TrainingEvent
from util.loggers.metrics_file import read_records, read_values

PACE = ("lr", "samples_per_s")
FLUSH_SECONDS = 10


def start(run: LoggedRun) -> BackgroundLogger:
    """Starts the logger of a run."""
    records = read_records(run.folder / "metrics.jsonl") if run.resume_at else []
    return BackgroundLogger("TensorBoard", lambda: TensorBoardLogger(run, records), advice="The event files end here.")


class TensorBoardLogger:
    """Writes the curves and images; the x axis is samples.

    Args:
        run: the run; one that starts anew removes the event files of an earlier one.
        records: of a resumed training, the records made before the point where it resumes.
    """

    def __init__(self, run: LoggedRun, records: Sequence[Entry] = ()) -> None:
        folder, resume_at = run.folder / "tensorboard", run.resume_at
        if resume_at is None:
            shutil.rmtree(folder, ignore_errors=True)
        # TensorBoard then hides everything from this step on. A state may be saved between the last step of an epoch
        # and its validation, at one number of samples: hiding that number too and writing again what is kept of it
        # is the one way to neither lose nor double a point.
        purge_step = resume_at.samples if resume_at else None
        self._writer = SummaryWriter(str(folder), purge_step=purge_step, flush_secs=FLUSH_SECONDS)
        for record in records:
            if record["samples"] == purge_step:
                self._add_values(record["kind"], record["samples"], read_values(record))
        if resume_at is None:
            table = "\n".join(
                f"    {name}: {value}" for name, value in run.facts.items()
            )  # indented: verbatim in Markdown
            self._writer.add_text("facts", table, 0)

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind in ("losses", "validation"):
            self._add_values(event.kind, event.samples, event.values)
        elif event.kind == "images":
            for name, image in event.images.items():
                self._writer.add_image(f"images/{name}", image, event.samples, dataformats="HWC")
        elif event.kind == "end":
            self._writer.close()

    def _add_values(self, kind: str, samples: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            group = "pace" if name in PACE else kind
            self._writer.add_scalar(f"{group}/{name}", value, samples)
