"""What a dashboard shows of a training: its curves, its newest images, its facts and state. Kept in memory.

A dashboard's server forgets everything when it is restarted. Whoever keeps this small board can draw every window of it
again at any time, so that nothing depends on what a server got or kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from util.loggers.events import TrainingEvent

LONGEST = 2000  # points of one curve that are drawn; at most twice as many are kept
AVERAGE = "_average"  # X_average is the value of plain averaging, the reference beside X


@dataclass
class Chart:
    """Curves over one x axis, the samples.

    Attributes:
        title: of the chart.
        rows: samples and name → value, one per record, or per so many records as `stride` says.
        stride: the last row but one stands for this number of records, as do those before it.
    """

    title: str
    rows: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)
    stride: int = 1
    _names: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    _pending: int = 0  # records since the last row that stays; the newest of them is the last row

    def __post_init__(self) -> None:
        self._note_names(*(values for _, values in self.rows))

    def add(self, samples: int, values: Mapping[str, float]) -> None:
        """Takes in a record: the newest is always there, of a long chart only some of those before it."""
        self._note_names(values)
        if self._pending:
            self.rows.pop()
        self.rows.append((samples, values))
        self._pending = (self._pending + 1) % self.stride
        if len(self.rows) > 2 * LONGEST and not self._pending:
            # Counted from the end, so that the newest row is one of those that stay.
            self.rows = self.rows[::-1][::2][::-1]
            self.stride *= 2

    def copy(self) -> Chart:
        """A chart that does not change when this one does."""
        return Chart(self.title, list(self.rows), self.stride, dict(self._names), self._pending)

    def names(self) -> list[str]:
        """The curves' names in the order of their first values."""
        return list(self._names)

    def _note_names(self, *rows: Mapping[str, float]) -> None:
        for values in rows:
            self._names.update(dict.fromkeys(values))

    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """The points to draw.

        Returns:
            Samples (N,) and values (N, curves); NaN where a curve has no finite value. Of a chart of more than
            `LONGEST` records every second (third, …) is left out, the last never.
        """
        stride = -(-len(self.rows) // LONGEST)
        rows, names = self.rows[::-1][::stride][::-1], self.names()
        values = np.array([[row.get(name, np.nan) for name in names] for _, row in rows], np.float64)
        return np.array([samples for samples, _ in rows]), np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True)
class Shot:
    """An image: its label, its (H, W, 3) uint8 pixels, the number of samples when it was made."""

    label: str
    pixels: np.ndarray
    samples: int


@dataclass(frozen=True)
class About:
    """Facts about a run and how it stands."""

    title: str
    facts: Mapping[str, str]


Window = Chart | Shot | About


class Board:
    """The windows of one run, and which of them have changed."""

    def __init__(self, name: str, facts: Mapping[str, str]) -> None:
        self._name, self._facts = name, dict(facts)
        self.state = "running"
        self._progress, self._last_news = "no record yet", ""
        self._charts: dict[str, Chart] = {}
        self._shots: dict[str, Shot] = {}
        self._changed: dict[str, None] = {}  # a set that keeps its order
        self._touch("about")

    def add(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind == "end":
            self.state = event.text
        elif event.kind == "images":
            self.add_images(event.samples, event.images)
        elif event.kind in ("losses", "validation"):
            self.add_values(event.kind, event.samples, event.epoch, event.values)
        self._last_news = time.strftime(", %Y-%m-%d %H:%M")  # tells a training that hangs from one that is slow
        self._touch("about")

    def add_values(self, kind: str, samples: int, epoch: int, values: Mapping[str, float]) -> None:
        """Takes in a record of kind "losses" or "validation"."""
        rows: dict[str, dict[str, float]] = {}
        for name, value in values.items():
            rows.setdefault(_chart_of(kind, name, values), {})[name] = value
        for title, row in rows.items():
            self._charts.setdefault(title, Chart(title)).add(samples, row)
            self._touch(title)
        self._progress = f"epoch {epoch}, {samples} samples"

    def add_images(self, samples: int, images: Mapping[str, np.ndarray]) -> None:
        """Takes in the newest images."""
        for label, pixels in images.items():
            self._shots[label] = Shot(label, pixels, samples)
            self._touch(f"image {label}")

    def touch_all(self) -> None:
        """Marks every window as changed."""
        for window in ["about", *self._charts, *(f"image {label}" for label in self._shots)]:
            self._touch(window)

    def has_changes(self) -> bool:
        """Whether a window is to be drawn."""
        return bool(self._changed)

    def take_changes(self) -> dict[str, Window]:
        """The windows that have changed, as they are now; the next call gives what has changed since.

        A dashboard shows windows in the order in which it gets them first: the facts, losses and validation lead.
        """
        windows = sorted(self._changed, key=_order)
        self._changed.clear()
        return {window: self._window(window) for window in windows}

    def _touch(self, window: str) -> None:
        self._changed[window] = None

    def _window(self, window: str) -> Window:
        if window == "about":
            return About(
                self._name, self._facts | {"state": self.state, "last record": self._progress + self._last_news}
            )
        if window.startswith("image "):
            return self._shots[window.removeprefix("image ")]
        return self._charts[window].copy()


def _order(window: str) -> int:
    leading = ("about", "losses", "validation", "image")
    return next((number for number, word in enumerate(leading) if window.startswith(word)), len(leading))


def _chart_of(kind: str, name: str, values: Mapping[str, float]) -> str:
    if kind == "validation":
        base = name.removesuffix(AVERAGE)
        return f"validation {base if base in values else name}"
    if name == "samples_per_s":
        return "samples per second"
    return "learning rate" if name == "lr" or name.startswith("lr_") else "losses"
