"""How far a training is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """The counters of a training, which are saved with its state.

    Attributes:
        epoch: the epoch in work, from 1.
        position: samples of this epoch that are done.
        samples: samples done in all.
        best_quality: the best validation so far.
        best_metric: the metric that it is of, see `engine.training.validation.quality_of`.
    """

    epoch: int = 1
    position: int = 0
    samples: int = 0
    best_quality: float = float("-inf")
    best_metric: str = ""

    def add(self, samples: int) -> None:
        """Counts the samples of a step."""
        self.position += samples
        self.samples += samples

    def end_epoch(self) -> None:
        """Goes to the start of the next epoch."""
        self.epoch, self.position = self.epoch + 1, 0

    def improves(self, metric: str, quality: float) -> bool:
        """Whether a validation is the best so far, and keeps it if it is; one by another metric begins anew."""
        better = metric != self.best_metric or quality > self.best_quality
        if better:
            self.best_metric, self.best_quality = metric, quality
        return better
