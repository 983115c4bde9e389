"""One recipe trained with several seeds: how far its results depend on the seed, as tables and pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from util.errors import UserError, one_line
from util.files import write_text
from util.loggers.metrics_file import read_records, read_values
from util.metrics import describe
from util.metrics.measuring import Values
from util.metrics.tables import AVERAGE, metric_names, write_csv, write_json
from util.report.columns import Column, make_columns
from util.report.result_page import ResultRow, write_result_page
from util.statistics.direction import Better

_NOTES = (
    "A value is the mean over the images, of the network trained with one seed; the sample standard deviation is over "
    "the seeds: it shows what the choice of the seed changes, and nothing of other images."
)
_ONE_SEED = "One seed has no standard deviation."


@dataclass(frozen=True)
class RepeatedSet:
    """The results of one recipe on one set.

    Attributes:
        name: of the set; the folder of its page.
        means: seed → metric → mean over the images.
        meanings: metric → which values are better, and its definition.
    """

    name: str
    means: Mapping[int, Values]
    meanings: Mapping[str, tuple[Better, str]]

    def columns(self) -> list[Column]:
        """Every metric with its mean and standard deviation over the seeds."""
        return make_columns([*self.means.values()], {name: better for name, (better, _) in self.meanings.items()})


def read_tested(name: str, folders: Mapping[int, Path]) -> RepeatedSet:
    """Reads what test.py measured.

    Args:
        name: of the test set.
        folders: seed → its results folder.

    Raises:
        UserError: a metrics.json that is not test.py's.
    """
    means = {seed: _read_means(folder / "metrics.json") for seed, folder in folders.items()}
    metrics = metric_names(means.values())
    return RepeatedSet(name, means, {metric: describe(metric.removesuffix(AVERAGE)) for metric in metrics})


def read_validated(name: str, folders: Mapping[int, Path]) -> RepeatedSet:
    """Reads the last values of the validation curves.

    Args:
        name: what to call the set.
        folders: seed → its run folder.
    """
    means = {}
    for seed, folder in folders.items():
        curve = [record for record in read_records(folder / "metrics.jsonl") if record["kind"] == "validation"]
        means[seed] = read_values(curve[-1]) if curve else {}
    text = "at the last validation of the training"
    return RepeatedSet(name, means, dict.fromkeys(metric_names(means.values()), ("higher", text)))


def write_repeated(folder: Path, title: str, facts: Mapping[str, str], sets: Sequence[RepeatedSet]) -> list[Path]:
    """Writes repeated.csv, repeated.json, repeated.txt and a page for each set, and returns where they are.

    Args:
        folder: where they go; made when missing.
        title: of the pages, before the set's name.
        facts: what a reader should know.
        sets: the results, with the same seeds.
    """
    csv, json_file, text = (folder / f"repeated.{ending}" for ending in ("csv", "json", "txt"))
    rows = [
        ((one.name, column.name), _by_seed(one, column.name) | _spread(column))
        for one in sets
        for column in one.columns()
    ]
    write_csv(csv, ("set", "metric"), rows)
    write_json(json_file, {"facts": facts, "sets": {one.name: _content(one) for one in sets}})
    write_text(text, table_text(sets))
    return [csv, json_file, text, *(_write_page(folder, title, facts, one) for one in sets)]


def table_text(sets: Sequence[RepeatedSet]) -> str:
    """The table for a terminal: a line per metric, a column per seed."""
    lines = []
    for one in sets:
        columns = one.columns()
        cells = [["metric", *(f"seed {seed}" for seed in one.means), "mean ± sd"]]
        for column in columns:
            values = (means.get(column.name, math.nan) for means in one.means.values())
            finite = "" if column.finite == len(one.means) else f" ({column.finite} finite)"
            sd = "n/a" if math.isnan(column.sd) else column.text(column.sd)
            spread = f"{column.text(column.mean)} ± {sd}{finite}"
            cells.append([f"{column.name} {column.arrow}".rstrip(), *map(column.text, values), spread])
        widths = [max(map(len, cell)) for cell in zip(*cells, strict=True)]
        lines += [one_line(one.name)]
        for first, *others in cells:
            shown = (f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))
            lines.append("  ".join([f"  {first:<{widths[0]}}", *shown]))
    return "\n".join(lines) + "\n"


def _by_seed(one: RepeatedSet, metric: str) -> Values:
    return {f"seed {seed}": means[metric] for seed, means in one.means.items() if metric in means}


def _spread(column: Column) -> dict[str, float]:
    return {"mean": column.mean, "sd": column.sd, "finite": column.finite}


def _content(one: RepeatedSet) -> dict[str, Any]:
    summary = {
        column.name: {**_spread(column), "better": column.better, "definition": one.meanings[column.name][1]}
        for column in one.columns()
    }
    return {"summary": summary, "seeds": {str(seed): means for seed, means in one.means.items()}}


def _write_page(folder: Path, title: str, facts: Mapping[str, str], one: RepeatedSet) -> Path:
    path = folder / one.name / "index.html"
    write_result_page(
        path,
        title=f"{title}, {one.name}",
        facts=facts,
        rows=[ResultRow(f"seed {seed}", values=means) for seed, means in one.means.items()],
        directions={name: better for name, (better, _) in one.meanings.items()},
        explanations={name: text for name, (_, text) in one.meanings.items()},
        notes=[_NOTES, *([_ONE_SEED] if len(one.means) == 1 else [])],
    )
    return path


def _read_means(path: Path) -> Values:
    """The means of a metrics.json, which has null for NaN and a text for infinity."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))["summary"]
        means = {name: entry["mean"] for name, entry in summary.items()}
        return {name: math.nan if mean is None else float(mean) for name, mean in means.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read as the values of a test ({error!r})") from error
