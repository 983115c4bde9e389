"""Measured values as files: CSV for programs, JSON with means and definitions, LaTeX for papers."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from util.files import write_text
from util.metrics import describe
from util.statistics.summary import finite_mean, finite_sd, finite_values

AVERAGE = "_average"
"""Behind a metric's name: the value that the plain average of the sources has."""

_LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "zero": r"$\to 0$"}


def metric_names(rows: Iterable[Mapping[str, float]]) -> list[str]:
    """The metrics of some images, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def mean_values(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Metric → mean over the finite values of some images; infinite where all of them are, else NaN."""
    return {name: _mean(_values(name, rows)) for name in metric_names(rows)}


def write_csv(path: Path, labels: Sequence[str], rows: Sequence[tuple[Sequence[str], Mapping[str, float]]]) -> None:
    """Writes one line per image, values with 12 significant digits.

    Args:
        path: the file.
        labels: names of the columns before the metrics.
        rows: what stands in them, and metric → value.
    """
    names = metric_names(values for _, values in rows)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*labels, *names])
    for words, values in rows:
        table.writerow([*words, *(f"{values[name]:.12g}" if name in values else "" for name in names)])
    write_text(path, text.getvalue())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file; numbers that JSON does not know become null or a text."""
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")


def summarise(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Metric → mean and sample standard deviation over the finite values, direction and definition.

    One image that is equal to its reference has an infinite PSNR, so what is not finite is left out, and counted.
    Where all values are the same infinity, it is the mean.
    """
    summary = {}
    for name in metric_names(rows):
        values = _values(name, rows)
        better, text = describe(name.removesuffix(AVERAGE))
        summary[name] = {
            **{"mean": _mean(values), "sd": finite_sd(values), "finite": len(finite_values(values))},
            **{"better": better, "definition": text},
        }
    return summary


def write_latex(path: Path, methods: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Writes a table row per method, of the means with four significant digits, and a heading.

    Args:
        path: the file.
        methods: method → metric → value of every image.
    """
    names = metric_names(row for rows in methods.values() for row in rows)
    heading = [f"{_escape(name)} {_ARROWS[describe(name)[0]]}" for name in names]
    lines = [" & ".join(["Method", *heading]) + r" \\ \hline"]
    for method, rows in methods.items():
        means = mean_values(rows)
        lines.append(" & ".join([_escape(method), *(_short(means.get(name, math.nan)) for name in names)]) + r" \\")
    write_text(path, "\n".join(lines) + "\n")


def _values(name: str, rows: Sequence[Mapping[str, float]]) -> list[float]:
    return [row[name] for row in rows if name in row]


def _mean(values: Sequence[float]) -> float:
    """Mean of the finite values; without any the infinity that all of them are, or NaN."""
    return values[0] if len(set(values)) == 1 else finite_mean(values)


def _short(value: float) -> str:
    """Four digits, as tables in papers have them."""
    if math.isnan(value):
        return "--"
    if math.isinf(value):
        return r"$\infty$" if value > 0 else r"$-\infty$"
    digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 3
    return f"{value:.{digits}f}" if digits <= 6 else f"{value:.1e}"


def _escape(text: str) -> str:
    """A text that stays in its cell: an empty line would end a paragraph in the middle of the table."""
    return "".join(_LATEX.get(mark, mark) for mark in " ".join(text.split()))


def _plain(content: Any) -> Any:
    """The same without NaN (null) and infinity (a text)."""
    if isinstance(content, Mapping):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None if math.isnan(content) else str(content)
    return content
