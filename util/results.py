"""What came out of a test, as tables and as a page."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from util.files import write_text
from util.report import ResultRow, write_result_page


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


def _json_number(value: float) -> float | str | None:
    """JSON knows neither NaN nor infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)
