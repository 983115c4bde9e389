"""Weights & Biases, online or offline as WANDB_MODE says. Imported only where it is chosen."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Any

import wandb

from util.errors import UserError
from util.files import write_text
from util.loggers.background import BackgroundLogger
from util.loggers.events import LoggedRun, TrainingEvent

log = logging.getLogger(__name__)

ID_FILE = "wandb_id.txt"
INIT_SECONDS = 10
FINISH_SECONDS = 5


def start(run: LoggedRun) -> BackgroundLogger:
    """Starts the logger of a run."""
    advice = "Log in with wandb login, or record without a connection: WANDB_MODE=offline."
    return BackgroundLogger("W&B", lambda: WandbLogger(run), advice=advice)


class WandbLogger:
    """Sends the curves and images to one run on Weights & Biases; the x axis is samples.

    W&B's own files go to the sub-folder `wandb` of the run's folder; a resumed run continues its W&B run.

    Raises:
        UserError: nobody is logged in.
    """

    def __init__(self, run: LoggedRun) -> None:
        # Without a key wandb.init would ask for one on the terminal, in the middle of a training.
        online = wandb.setup().settings.mode == "online"
        if online and not wandb.login(prompt=False):
            raise UserError("no W&B account is logged in on this machine")
        self._run: Any = wandb.init(
            project=run.options.wandb_project_name,
            name=run.name,
            id=_run_id(run.folder / ID_FILE, run.resume_at is not None),
            resume="allow",
            dir=run.folder,
            config=dict(run.facts),
            # The training's own output stays as it is.
            settings=wandb.Settings(
                console="off", silent=True, init_timeout=INIT_SECONDS, finish_timeout=FINISH_SECONDS
            ),
        )
        if online:
            log.info("W&B: %s", self._run.url)
        # Of a W&B resumed run, the first step that is free; 0 of a new one.
        self._first_step = int(self._run.starting_step)
        self._run.define_metric("samples")
        self._run.define_metric("*", step_metric="samples")

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind == "end":
            self._run.finish(exit_code=0 if event.whole else 1)
            return
        step = event.samples
        if event.kind == "validation" and step == self._first_step - 1:
            # A state may be saved between the last step of an epoch and its validation: only the first of them is
            # there. Should both be there, the same point is drawn twice at one place.
            step = self._first_step
        if step >= self._run.step:  # what a resumed run repeats is there already
            content: dict[str, Any] = {"samples": event.samples, "epoch": event.epoch}
            content |= {f"{event.kind}/{name}": value for name, value in event.values.items()}
            content |= {f"images/{name}": wandb.Image(image) for name, image in event.images.items()}
            self._run.log(content, step=step)


def _run_id(path: Path, resumed: bool) -> str:
    """The W&B run that belongs to this folder; a training that starts anew gets a new one."""
    if resumed and path.is_file():
        return path.read_text(encoding="utf-8").strip()
    run_id = secrets.token_hex(4)  # not from a generator whose state the training uses
    write_text(path, f"{run_id}\n")
    return run_id
