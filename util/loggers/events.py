"""The one event that a training sends, and what listens to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

Kind = Literal["progress", "losses", "validation", "images", "end"]


@dataclass(frozen=True)
class TrainingEvent:
    """Something that happened in a training.

    Attributes:
        kind: "progress" after every step, "losses" and "validation" with values, "images" with images,
            "end" when the training stops for whatever reason.
        samples: samples seen so far.
        epoch: the epoch, counted from 1.
        values: name → value.
        images: name → (H, W, 3) uint8.
        text: what to say of an "end".
        whole: of an "end": the training came to its last epoch.
    """

    kind: Kind
    samples: int
    epoch: int
    values: Mapping[str, float] = field(default_factory=dict)
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    text: str = ""
    whole: bool = True


@dataclass(frozen=True)
class ResumePoint:
    """Where a resumed training continues: what was recorded after it is recorded again, so it must go.

    Attributes:
        samples: samples seen.
        epoch: the current epoch; those before it are finished.
    """

    samples: int
    epoch: int

    def keeps(self, record: Mapping[str, Any]) -> bool:
        """Whether a record ("kind", "samples", "epoch") was made before this point.

        A state may be saved after the last step of an epoch and before its validation, at the same number of samples.
        """
        samples, epoch = record.get("samples"), record.get("epoch")
        if record.get("kind") == "validation":
            return isinstance(epoch, int) and epoch < self.epoch
        return isinstance(samples, int) and samples <= self.samples


class Logger(Protocol):
    """What listens to a training. Its module has a function `start(run: LoggedRun) -> Logger | None`."""

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""


@dataclass(frozen=True)
class LoggedRun:
    """What a logger is started with.

    Attributes:
        name: of the run.
        folder: of the run.
        facts: what a reader should know about the training.
        total_samples: samples of the whole training.
        resume_at: where the training resumes; None starts it.
        options: the options of all loggers, `options.watching.WatchingOptions`.
    """

    name: str
    folder: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    total_samples: int = 0
    resume_at: ResumePoint | None = None
    options: Any = None
