"""Measures many fused images on disk, in several processes, so that work that was stopped can be resumed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from tqdm import tqdm

from data.scenes.fused_items import FusedItem
from util.errors import Interrupted, UserError
from util.images.image_io import read_image
from util.journal import Entry, Journal, finite_or_text, read_journal
from util.metrics.measuring import Values, measure_image
from util.workers import run_jobs


class KnownValues:
    """What is measured already, in a journal. It holds for the very files only, by their sizes and times.

    Args:
        path: the journal; it need not exist.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._known: dict[str, Values] = {}
        for entry in read_journal(path):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # a line of another program
                self._known[str(entry["key"])] = {str(name): float(value) for name, value in entry["values"].items()}
        self._journal = Journal(path, (_entry(key, values) for key, values in self._known.items()))

    def get(self, key: str) -> Values | None:
        """The values of what a key stands for, if they are known."""
        return self._known.get(key)

    def add(self, key: str, values: Values) -> None:
        """Keeps values.

        Raises:
            UserError: the journal cannot be written.
        """
        self._journal.append(_entry(key, values))


def _entry(key: str, values: Values) -> Entry:
    return {"key": key, "values": finite_or_text(values)}


@contextlib.contextmanager
def keep_values(path: Path) -> Iterator[KnownValues]:
    """Values in a journal that is removed when all that is asked for is done, and kept when that is stopped or fails.

    Args:
        path: the journal; its folder is made where it is missing.

    Raises:
        Interrupted: by Ctrl-C.
        UserError: the journal cannot be written.
    """
    known = KnownValues(path)
    try:
        yield known
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; the same command again resumes it") from error
    path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Measured:
    """What came out of measuring.

    Attributes:
        values: method → item's name → metric → value.
        skipped: one line on each image that could not be used.
    """

    values: dict[str, dict[str, Values]]
    skipped: list[str]


def measure_items(
    methods: Mapping[str, Sequence[FusedItem]],
    metrics: Sequence[str],
    known: KnownValues,
    *,
    workers: int = 1,
    skip_bad: bool = False,
) -> Measured:
    """Measures the fused images of one or more methods.

    Args:
        methods: method → its images.
        metrics: see `compute_metrics`; those against a reference are left out where there is none.
        known: what is known is not measured again.
        workers: how many processes.
        skip_bad: leave out images that cannot be used, instead of stopping.

    Raises:
        UserError: an image that cannot be used, or no usable one at all.
    """
    jobs = [_Job(method, item, tuple(metrics)) for method, items in methods.items() for item in items]
    done: dict[_Job, Values] = {job: found for job in jobs if (found := known.get(job.key())) is not None}
    skipped: list[str] = []
    with tqdm(total=len(jobs), initial=len(done), unit="image", dynamic_ncols=True) as bar:
        todo = [job for job in jobs if job not in done]
        for job, values in run_jobs(_measure, todo, workers, start=_one_thread, in_order=False):
            bar.update()
            if not isinstance(values, str):
                done[job] = values
                known.add(job.key(), values)
            elif skip_bad:
                skipped.append(values)
            else:
                raise UserError(values)
    if skipped and not done:
        raise UserError(f"nothing was measured: {skipped[0]}")
    measured: dict[str, dict[str, Values]] = {method: {} for method in methods}
    for job in jobs:
        if job in done:
            measured[job.method][job.item.name] = done[job]
    return Measured(measured, sorted(skipped))


@dataclass(frozen=True)
class _Job:
    method: str
    item: FusedItem
    metrics: tuple[str, ...]

    def key(self) -> str:
        """What tells these files and metrics from others, and from these files after a change."""
        paths = [*self.item.sources, self.item.fused, *([self.item.reference] if self.item.reference else [])]
        states = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        return json.dumps([self.method, states, self.metrics])


def _measure(job: _Job) -> Values | str:
    """The values of one image, or what is wrong with it."""
    item = job.item
    try:
        reference = read_image(item.reference) if item.reference else None
        return measure_image(item.read_sources(), read_image(item.fused), job.metrics, reference)
    except UserError as error:
        return str(error)
    except ValueError as error:  # sizes that only decoding shows
        return f"{item.fused}: {error}"


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
