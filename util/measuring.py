"""Measures fused pictures on disk, whoever made them, against their sources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data.discovery import Item, discover, discover_folders
from data.image_io import Picture, probe_image, read_image
from data.inspection import check_equal, inspect
from data.matching import match_pictures
from data.panels import split_panels
from util.errors import Interrupted, UserError
from util.files import append_text
from util.metrics import METRICS, REFERENCE_METRICS, REFERENCE_SUFFIX, compute_metrics
from util.suggest import suggest
from util.workers import run_jobs

QUICK = ("EN", "SD", "SF", "MI", "SSIM", "Qabf", "VIF")
"""A few metrics of different kinds that together take a tenth of a second."""

Values = dict[str, float]
"""Metric → value."""


@dataclass(frozen=True)
class FusedItem:
    """The files of one fused picture.

    Attributes:
        name: the scene's.
        sources: the files of the sources; one file where they are panels of it.
        roles: what each source is; empty where that is not known.
        fused: what was fused from them.
        reference: what it should be, where that is known.
        panels: how many panels the one file of the sources has; 0 where each source is a file.
    """

    name: str
    sources: tuple[Path, ...]
    roles: tuple[str, ...]
    fused: Path
    reference: Path | None = None
    panels: int = 0

    def read_sources(self) -> list[Picture]:
        """Reads the sources: (H, W, 3) RGB each.

        Raises:
            UserError: a file that cannot be used.
        """
        if self.panels:
            return split_panels(self.sources[0], read_image(self.sources[0]), self.panels, with_target=False)
        return [read_image(path) for path in self.sources]


def find_items(
    sources: Sequence[Path], fused: Path, *, reference: Path | None = None, skip_bad: bool = False
) -> tuple[list[FusedItem], list[str]]:
    """Finds what belongs together by names (see `data.discovery` and `data.matching`), without decoding it.

    Args:
        sources: a folder for each role, in order; or one folder that holds all of them in any layout of test.py.
        fused: the folder of the fused pictures, or a pattern for their names.
        reference: that of the pictures they should be.
        skip_bad: leave out what cannot be used, instead of stopping.

    Returns:
        The items in natural order, and one line on each that is left out.

    Raises:
        UserError: nothing that can be used, or something that cannot while `skip_bad` is off.
    """
    found = discover_folders(sources) if len(sources) > 1 else discover(sources[0], "test")
    inspection = inspect(found, on_bad_sample="skip" if skip_bad else "stop")
    names = [item.name for item in inspection.found.items]
    pictures = match_pictures(names, fused, "--fused")
    references = match_pictures(names, reference, "--reference") if reference else {}
    panels = inspection.counts[0] if found.layout == "stacked" else 0
    items, problems = [], []
    for item, size in zip(inspection.found.items, inspection.sizes, strict=True):
        try:
            known = references.get(item.name) if reference else item.target
            if reference and known is None:
                raise UserError(f"--reference {reference}: there is no picture of item {item.name}")
            if item.name not in pictures:
                raise UserError(f"--fused {fused}: there is no picture of item {item.name}")
            _check_sizes(item, size, [pictures[item.name], *([known] if known else [])])
            items.append(FusedItem(item.name, item.files, found.roles, pictures[item.name], known, panels))
        except UserError as error:
            problems.append(str(error))
    if problems and (not skip_bad or len(problems) == len(names)):
        more = f" ({len(problems) - 1} more items cannot be measured either)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}" + ("" if skip_bad else "; --on_bad_sample skip goes on without"))
    return items, [*inspection.skipped, *problems]


def _check_sizes(item: Item, size: tuple[int, int], others: Sequence[Path]) -> None:
    headers = [(path, probe_image(path)) for path in others]
    check_equal([(item.files[0], size), *((path, (header.width, header.height)) for path, header in headers)])


@dataclass(frozen=True)
class Measured:
    """What came out of measuring.

    Attributes:
        values: method → item's name → metric → value.
        skipped: one line on each picture that could not be used.
    """

    values: dict[str, dict[str, Values]]
    skipped: list[str]


def measure_items(
    methods: Mapping[str, Sequence[FusedItem]],
    metrics: Sequence[str],
    *,
    workers: int = 1,
    record: Path | None = None,
    skip_bad: bool = False,
) -> Measured:
    """Measures the fused pictures of one or more methods.

    Args:
        methods: method → its pictures.
        metrics: see `compute_metrics`; those against a reference are left out where there is none.
        workers: how many processes.
        record: a file for what is measured already, so that work that was stopped goes on; removed at the end. It holds
            only for the very files, by their sizes and times.
        skip_bad: leave out pictures that cannot be used, instead of stopping.

    Raises:
        UserError: a picture that cannot be used, or no usable one at all.
        Interrupted: by Ctrl-C; the record is kept.
    """
    jobs = [_Job(method, item, tuple(metrics)) for method, items in methods.items() for item in items]
    known = _read_record(record) if record else {}
    done: dict[_Job, Values] = {job: known[job.key()] for job in jobs if job.key() in known}
    skipped: list[str] = []
    try:
        with tqdm(total=len(jobs), initial=len(done), unit="picture", dynamic_ncols=True) as bar:
            todo = [job for job in jobs if job not in done]
            for job, values in run_jobs(_measure, todo, workers, start=_one_thread, in_order=False):
                bar.update()
                if isinstance(values, str):
                    if not skip_bad:
                        raise UserError(values)
                    skipped.append(values)
                    continue
                done[job] = values
                if record:
                    append_text(record, json.dumps({"key": job.key(), "values": values}) + "\n")
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; the same command again goes on" if record else "interrupted") from error
    if skipped and not done:
        raise UserError(f"nothing was measured: {skipped[0]}")
    if record:
        record.unlink(missing_ok=True)
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
        return json.dumps([self.method, states, self.item.panels, self.metrics])


def _measure(job: _Job) -> Values | str:
    """The values of one picture, or what is wrong with it."""
    item = job.item
    try:
        reference = read_image(item.reference) if item.reference else None
        return measure_picture(item.read_sources(), read_image(item.fused), job.metrics, reference)
    except UserError as error:
        return str(error)
    except ValueError as error:  # sizes that only decoding shows
        return f"{item.fused}: {error}"


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def measure_picture(
    sources: Sequence[Picture], fused: Picture, metrics: Sequence[str], reference: Picture | None = None
) -> Values:
    """Measures one fused picture; metrics against a reference are left out where there is none.

    Args:
        sources: (H, W, 3) or (H, W), 8 or 16 bits.
        fused: a picture of that size.
        metrics: see `compute_metrics`.
        reference: what it should be.
    """
    if reference is None:
        metrics = [name for name in metrics if not name.endswith(REFERENCE_SUFFIX)]
    target = None if reference is None else as_levels(reference)
    found = compute_metrics([as_levels(source) for source in sources], as_levels(fused), metrics, target)
    return {name: float(value) for name, value in found.items()}


def as_levels(picture: Picture) -> Tensor:
    """A picture (H, W, 3) or (H, W) as levels from 0 to 255, (1, 3, H, W); those of 16 bits between whole levels."""
    levels = picture.astype(np.float32)
    if picture.dtype == np.uint16:
        levels /= 257
    planes = np.broadcast_to(levels[..., None], (*levels.shape, 3)) if levels.ndim == 2 else levels
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]


def _read_record(path: Path) -> dict[str, Values]:
    """What was measured before; a line torn by a kill is left out."""
    known: dict[str, Values] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
                known[str(entry["key"])] = {str(name): float(value) for name, value in entry["values"].items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
    return known


def parse_methods(words: Sequence[str]) -> dict[str, Path]:
    """Reads NAME=DIR or DIR, whose name is the folder's, of several methods.

    Raises:
        UserError: two of one name.
    """
    methods: dict[str, Path] = {}
    for word in words:
        name, equals, place = word.partition("=")
        if not equals:
            name, place = Path(word).resolve().name, word
        if not name or not place:
            raise UserError(f"--fused {word}: wanted NAME=DIR")
        if name in methods:
            raise UserError(f"--fused: two methods are called {name!r}: name them, as in --fused a={methods[name]}")
        methods[name] = Path(place)
    return methods


def parse_metrics(text: str, *, reference: bool = True) -> list[str]:
    """Reads the value of --metrics: names separated by commas, all, none or quick.

    Args:
        text: the value.
        reference: whether there is a reference picture.

    Raises:
        UserError: a metric that does not exist, or that needs a reference.
    """
    against_reference = [name + REFERENCE_SUFFIX for name in REFERENCE_METRICS]
    words = {"none": (), "all": (*METRICS, *against_reference), "quick": (*QUICK, *against_reference[:2])}
    if text in words:
        return [name for name in words[text] if reference or name not in against_reference]
    known = [*_all_names(), *against_reference]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name in against_reference and not reference:
            raise UserError(f"--metrics {text}: {name} needs to know what the picture should be: give --reference DIR")
        if name not in known:
            near = suggest(name, known) or f": there are {', '.join(METRICS)}, all, none and quick"
            raise UserError(f"--metrics {text}: no metric is called {name!r}{near}")
    return list(dict.fromkeys(names))


def _all_names() -> Iterator[str]:
    for metric in METRICS.values():
        yield metric.name
        yield from (f"{metric.name}@{convention}" for convention in metric.conventions)
