"""What came out of a test, as tables and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from util.metrics import describe
from util.metrics.tables import AVERAGE, metric_names, summarise, write_csv, write_json
from util.report.result_page import ResultRow, write_result_page


@dataclass(frozen=True)
class ItemResult:
    """What came out for one item.

    Attributes:
        name: stem of the fused image.
        size: (width, height) in pixels.
        images: label → path relative to the results folder.
        values: metric → value; `<metric>_average` is that of plain averaging.
    """

    name: str
    size: tuple[int, int]
    images: Mapping[str, str]
    values: Mapping[str, float] = field(default_factory=dict)


def write_tables(folder: Path, results: Sequence[ItemResult]) -> None:
    """Writes metrics.csv (one line per item) and metrics.json (per item, with means and standard deviations)."""
    write_csv(folder / "metrics.csv", ("name",), [((result.name,), result.values) for result in results])
    items = {result.name: dict(result.values) for result in results}
    write_json(folder / "metrics.json", {"summary": summarise([*items.values()]), "items": items})


def write_page(folder: Path, title: str, facts: Mapping[str, str], results: Sequence[ItemResult]) -> Path:
    """Writes index.html.

    Returns:
        The page.
    """
    rows = [ResultRow(r.name, r.images, r.values, size=f"{r.size[0]} × {r.size[1]}") for r in results]
    names = metric_names(result.values for result in results)
    notes = ["Colour is measured on its luma, in whole levels; definitions: docs/metrics.md."] if names else []
    if any(name.endswith(AVERAGE) for name in names):
        notes.append(f"Columns ending in {AVERAGE} are those of the plain average of the sources.")
    known = {name: describe(name.removesuffix(AVERAGE)) for name in names}
    path = folder / "index.html"
    write_result_page(
        path,
        title=title,
        facts=facts,
        rows=rows,
        directions={name: better for name, (better, _) in known.items()},
        explanations={name: text for name, (_, text) in known.items()},
        notes=notes,
    )
    return path
