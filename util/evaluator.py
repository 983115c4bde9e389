"""Fuses a test set, writes the pictures, measures them and makes the page."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from data.image_io import write_image
from data.tensors import to_uint8
from models.generators.base import Generator
from util.errors import UserError
from util.files import write_text
from util.fusing import fuse, plain_average, to_levels
from util.metrics import REFERENCE_METRICS
from util.report import ResultRow, write_result_page
from util.runtime import Runtime

AVERAGE = "_average"


@dataclass(frozen=True)
class ItemResult:
    """What came out for one item.

    Attributes:
        name: stem of the fused picture.
        size: (width, height) in pixels.
        pictures: label → path relative to the results folder.
        values: metric → value; `<metric>_average` is that of plain averaging.
    """

    name: str
    size: tuple[int, int]
    pictures: Mapping[str, str]
    values: Mapping[str, float] = field(default_factory=dict)


class Evaluator:
    """Fuses the items of a dataset into `folder`.

    Args:
        runtime: the machine.
        generator: the network, already in the mode it is to be used in.
        folder: the results folder.
        metrics: names of `util.metrics.REFERENCE_METRICS` to compute where an item has a target.
    """

    def __init__(self, runtime: Runtime, generator: Generator, folder: Path, metrics: Sequence[str]) -> None:
        self._runtime = runtime
        self._generator = generator
        self._folder = folder
        self._metrics = metrics
        self.seconds = 0.0

    def run(self, samples: Iterable[Mapping[str, Any]], total: int, batch_size: int = 1) -> list[ItemResult]:
        """Fuses, writes and measures all items.

        Args:
            samples: items with "name", "sources" (N, C, H, W) and perhaps "target" (C, H, W), in [0, 1].
            total: how many there are.
            batch_size: how many neighbours of one size are fused together.

        Returns:
            One result per item, in order.

        Raises:
            UserError: two items have the same name.
        """
        for stale in ("index.html", "metrics.csv", "metrics.json"):  # of an earlier test: they describe other pictures
            (self._folder / stale).unlink(missing_ok=True)
        results: list[ItemResult] = []
        seen: set[str] = set()
        with tqdm(total=total, unit="picture", dynamic_ncols=True) as bar:
            for group in _of_one_size(samples, batch_size):
                for name in (sample["name"] for sample in group):
                    if name in seen:
                        raise UserError(f"two items are called {name!r}: their results would overwrite each other")
                    seen.add(name)
                results += self._run_batch(group)
                bar.update(len(group))
        self._remove_others({path for result in results for path in result.pictures.values()})
        return results

    def _remove_others(self, written: set[str]) -> None:
        """Removes pictures of an earlier test from the folder, which would be measured and counted with these."""
        for sub_folder in ("fused", "images"):
            for path in (self._folder / sub_folder).glob("*.png"):
                if f"{sub_folder}/{path.name}" not in written:
                    path.unlink()

    def _run_batch(self, group: Sequence[Mapping[str, Any]]) -> list[ItemResult]:
        sources = list(torch.stack([sample["sources"] for sample in group]).unbind(1))
        started = time.perf_counter()
        fused = fuse(self._runtime, self._generator, sources).cpu()
        self.seconds += time.perf_counter() - started
        return [self._finish(sample, fused[i]) for i, sample in enumerate(group)]

    def _finish(self, sample: Mapping[str, Any], fused: Tensor) -> ItemResult:
        name, sources, target = sample["name"], sample["sources"], sample.get("target")
        pictures = {"fused": f"fused/{name}.png"}
        write_image(self._folder / pictures["fused"], to_uint8(fused))
        shown = {f"source {i}": source for i, source in enumerate(sources, start=1)}
        values: dict[str, float] = {}
        if target is not None:
            shown["target"] = target
            for suffix, picture in (("", fused), (AVERAGE, plain_average(list(sources)))):
                levels, wanted = to_levels(picture)[None], to_levels(target)[None]
                values |= {m + suffix: float(REFERENCE_METRICS[m](levels, wanted)) for m in self._metrics}
        for label, picture in shown.items():
            pictures[label] = f"images/{name}_{label.replace(' ', '_')}.png"
            write_image(self._folder / pictures[label], to_uint8(picture))
        ordered = {label: pictures[label] for label in sorted(pictures, key=_reading_order)}
        return ItemResult(name, (fused.shape[-1], fused.shape[-2]), ordered, values)


def parse_metrics(text: str) -> list[str]:
    """Reads the value of --metrics.

    Raises:
        UserError: a metric that does not exist.
    """
    if text == "none":
        return []
    if text == "all":
        return list(REFERENCE_METRICS)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in REFERENCE_METRICS:
            raise UserError(f"--metrics {text}: {name!r} is not one of: {', '.join(REFERENCE_METRICS)}, all, none")
    return names


def mean_values(results: Sequence[ItemResult]) -> dict[str, float]:
    """Metric → mean over its finite values; NaN where there is none."""
    return {name: _mean(values) for name, values in _finite_values(results).items()}


def _finite_values(results: Sequence[ItemResult]) -> dict[str, list[float]]:
    names = list(dict.fromkeys(name for result in results for name in result.values))
    found = {name: [result.values.get(name, math.nan) for result in results] for name in names}
    return {name: [value for value in values if math.isfinite(value)] for name, values in found.items()}


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def write_tables(folder: Path, results: Sequence[ItemResult]) -> None:
    """Writes metrics.csv (one line per item) and metrics.json (per item, with means and standard deviations).

    Means are over the finite values: one picture that is equal to its target has an infinite PSNR.
    """
    names = list(mean_values(results))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *names])
    for result in results:
        table.writerow([result.name, *(f"{result.values[n]:.12g}" if n in result.values else "" for n in names)])
    write_text(folder / "metrics.csv", text.getvalue())
    summary = {
        name: {
            "mean": _json_number(_mean(values)),
            "sd": _json_number(statistics.stdev(values) if len(values) > 1 else math.nan),
            "finite": len(values),
            "higher_is_better": True,
        }
        for name, values in _finite_values(results).items()
    }
    items = {result.name: {n: _json_number(v) for n, v in result.values.items()} for result in results}
    write_text(folder / "metrics.json", json.dumps({"summary": summary, "items": items}, indent=2) + "\n")


def write_page(folder: Path, title: str, facts: Mapping[str, str], results: Sequence[ItemResult]) -> Path:
    """Writes index.html.

    Returns:
        The page.
    """
    rows = [ResultRow(r.name, r.pictures, r.values, size=f"{r.size[0]} × {r.size[1]}") for r in results]
    names = mean_values(results)
    notes = ["Columns ending in _average are those of the plain average of the sources."] if names else []
    path = folder / "index.html"
    write_result_page(path, title=title, facts=facts, rows=rows, directions=dict.fromkeys(names, True), notes=notes)
    return path


def _of_one_size(samples: Iterable[Mapping[str, Any]], batch_size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Groups neighbours whose sources have one shape, at most `batch_size` at a time."""
    group: list[Mapping[str, Any]] = []
    for sample in samples:
        if group and (len(group) == batch_size or group[0]["sources"].shape != sample["sources"].shape):
            yield group
            group = []
        group.append(sample)
    if group:
        yield group


def _reading_order(label: str) -> tuple[int, str]:
    return {"s": 0, "f": 1, "t": 2}[label[0]], label


def _json_number(value: float) -> float | str | None:
    """JSON knows neither NaN nor infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)
