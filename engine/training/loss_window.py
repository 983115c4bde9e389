"""Sums of the losses since the last record."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


class LossWindow:
    """Sums of the losses since the last record, kept on the device so that a step never waits for it."""

    def __init__(
        self,
        sums: Mapping[str, Tensor] | None = None,
        steps: int = 0,
        elapsed: float = 0.0,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._sums = dict(sums or {})
        self._counts = dict(dict.fromkeys(self._sums, steps) if counts is None else counts)
        self.steps = steps
        self._started = time.perf_counter() - elapsed

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Adds the losses of one step."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name].to(value.device) + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1
        self.steps += 1

    def seconds(self) -> float:
        """How long the window has been open, without the time its clock was stopped."""
        return time.perf_counter() - self._started

    @contextlib.contextmanager
    def stopped_clock(self) -> Iterator[None]:
        """Leaves the time of what is not training out of `seconds`."""
        before = time.perf_counter()
        yield
        self._started += time.perf_counter() - before

    def means(self) -> dict[str, float]:
        """Name → mean over the steps that had it, for phases differ; waits for the device."""
        return {name: float(total) / self._counts[name] for name, total in self._sums.items()}

    def not_finite(self) -> list[str]:
        """The names of the losses that were not finite in some step; waits for the device."""
        return [name for name, total in self._sums.items() if not torch.isfinite(total)]

    def state(self) -> dict[str, Any]:
        """What the constructor takes to continue this window."""
        return {
            "sums": {name: total.cpu() for name, total in self._sums.items()},
            "steps": self.steps,
            "counts": dict(self._counts),
            "elapsed": self.seconds(),
        }
