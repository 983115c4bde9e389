"""Fuses every test set with every method, measures and ranks them, and writes the tables of docs/tasks.md."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from data.scenes.fused_items import FusedItem, find_methods, find_scenes
from data.transforms import resize_image
from options.measuring import usual_workers
from options.registry import GENERATORS
from options.run import GENERAL
from options.strict import StrictParser, whole
from scripts.comparing.comparison import Comparison, compare_sets, write_comparison
from scripts.comparing.measured_items import KnownValues, measure_items
from util.errors import FailedError, UserError, run_command
from util.files import write_text
from util.images.image_io import read_image, write_image
from util.images.levels import to_8_bits
from util.metrics import METRICS

_DESCRIPTION = """Fuses the test sets with every method, measures the images, and writes for each set a page to
OUT/SET/index.html and some images beside each other to OUT/SET/sheet.png, and all tables to --tables. What is fused and
measured already is kept: run it again after a method was added. Images of a method whose weights have changed must be
removed by hand."""

SETS: Mapping[str, tuple[str, str]] = {  # the set, its folder in --data and its roles; in the order of the tables
    "lytro": ("lytro", ""),
    "lytro3": ("lytro3", ""),
    "tno25": ("tno25", "ir,vi"),
    "roadscene": ("roadscene/test", "ir,vi"),
    "msrs20": ("msrs20", "ir,vi"),
    "med_ct_mr": ("med_ct_mr", "ct,mr"),
    "med_pet_mr": ("med_pet_mr", "pet,mr"),
    "med_spect_mr": ("med_spect_mr", "spect,mr"),
    "mef": ("mef", ""),
    "mef_pairs": ("mef_pairs", ""),
}
SHOWN = ("EN", "SD", "MI", "SCD", "Qabf", "SSIM", "MEF_SSIM", "VIF", "EXG@8px", "EXG@16px")
SHEET_ROWS, SHEET_HEIGHT = 5, 220  # scenes, pixels
EXTRA = ("EXG@8px", "EXG@16px")  # shown, but not ranked: EXG is among the metrics


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    if not options.data.is_dir():
        raise UserError(f"--data {options.data}: no such folder")
    options.out.mkdir(parents=True, exist_ok=True)
    known = KnownValues(options.out / "measured.jsonl")
    ranks: dict[str, dict[str, float]] = {}
    texts: list[str] = []
    for name in options.sets:
        folder, roles = SETS[name]
        sources = options.data / folder
        scenes = find_scenes([sources], roles=roles)
        for method in options.methods:
            _fuse(method, sources, roles, options.out / name, checkpoints=options.checkpoints_dir)
        fused = {method: options.out / name / method / "test_latest" for method in options.methods}
        items, _ = find_methods(scenes, fused)
        comparison, values = _compare(name, items, known, options)
        _write_sheet(options.out / name / "sheet.png", items)
        ranks[name] = dict(zip(items, comparison.overall.mean_rank.tolist(), strict=True))
        texts.append(_as_markdown(name, comparison, values))
        write_text(options.tables, "\n".join([_overview(ranks), *texts]))
        print(f"{name}: {options.out / name / 'index.html'}", flush=True)
    return 0


def _fuse(method: str, sources: Path, roles: str, results: Path, *, checkpoints: str) -> None:
    """Fuses a set with test.py, unless it is done."""
    from test import main as fuse  # noqa: PLC0415  (torch is not loaded for --help)

    if (results / method / "test_latest" / "index.html").is_file():
        return
    choice = ["--name", method] if method not in GENERATORS or GENERATORS[method].options.has_weights else []
    words = ["--dataroot", str(sources), "--results_dir", str(results), "--checkpoints_dir", checkpoints]
    words += choice or ["--netG", method]
    words += ["--metrics", "none", *(["--roles", roles] if roles else [])]
    status = run_command(fuse, words)
    if status:
        raise FailedError(f"test.py {' '.join(words)} ended with status {status}")


def _compare(
    name: str, items: Mapping[str, Sequence[FusedItem]], known: KnownValues, options: argparse.Namespace
) -> tuple[Comparison, Mapping[str, Mapping[str, Mapping[str, float]]]]:
    """Measures and ranks the methods on one set and writes its page; returns also method → scene → metric → value."""
    jobs = {f"{name} {method}": of_method for method, of_method in items.items()}
    measured = measure_items(jobs, [*METRICS, *EXTRA], known, workers=options.workers).values
    values = {method: measured[f"{name} {method}"] for method in items}
    ranked = {
        method: {item: {metric: row[metric] for metric in METRICS} for item, row in rows.items()}
        for method, rows in values.items()
    }
    comparison = compare_sets({name: (items, ranked)}, seed=0, resamples=2000)
    write_comparison(options.out / name, comparison)
    return comparison, values


def _write_sheet(path: Path, items: Mapping[str, Sequence[FusedItem]]) -> None:
    """Writes an image with a row for some scenes: their first two sources, then what each method fused from them."""
    first = next(iter(items.values()))
    rows = []
    for index in range(0, len(first), max(1, len(first) // SHEET_ROWS))[:SHEET_ROWS]:
        images = [
            *first[index].read_sources()[:2],
            *(read_image(of_method[index].fused) for of_method in items.values()),
        ]
        width = round(SHEET_HEIGHT * images[0].shape[1] / images[0].shape[0])
        rows.append(np.hstack([resize_image(to_8_bits(image), SHEET_HEIGHT, width) for image in images]))
    widest = max(row.shape[1] for row in rows)
    write_image(path, np.vstack([np.pad(row, ((0, 4), (0, widest - row.shape[1]), (0, 0))) for row in rows]))


def _overview(ranks: Mapping[str, Mapping[str, float]]) -> str:
    """Mean ranks, a row per method and a column per set; the best of a set is bold."""
    lines = [f"| mean rank | {' | '.join(ranks)} |", "| --- |" + " ---: |" * len(ranks)]
    for method in next(iter(ranks.values())):
        cells = [
            f"**{of[method]:.2f}**" if of[method] == min(of.values()) else f"{of[method]:.2f}" for of in ranks.values()
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _as_markdown(name: str, comparison: Comparison, values: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row per method, the best first: rank, and means with sample standard deviations."""
    overall, ranking = comparison.overall, comparison.sets[0].ranking
    lines = [
        f"### {name}",
        "",
        f"{len(ranking.of.images)} scenes; mean rank over {len(ranking.of.metrics)} metrics.",
        "",
    ]
    lines += [f"| method | mean rank | 95 % interval | won | {' | '.join(SHOWN)} |"]
    lines += ["| --- | ---: | :---: | ---: |" + " ---: |" * len(SHOWN)]
    for method in overall.order():
        title = ranking.of.methods[method]
        rows = values[title].values()
        cells = [_mean_and_deviation([row[metric] for row in rows]) for metric in SHOWN]
        low, high = overall.interval[:, method]
        start = f"| {title} | {overall.mean_rank[method]:.2f} | {low:.2f} to {high:.2f} | {overall.won[method]} |"
        lines.append(f"{start} {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean_and_deviation(numbers: Sequence[float]) -> str:
    finite = [number for number in numbers if math.isfinite(number)]
    if not finite:
        return "–"
    mean = sum(finite) / len(finite)
    deviation = math.sqrt(sum((number - mean) ** 2 for number in finite) / max(1, len(finite) - 1))
    digits = 1 if mean >= 20 else 2 if mean >= 2 else 3
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="task_tables.py", description=_DESCRIPTION)
    add = parser.add_argument
    classical = [name for name, entry in GENERATORS.items() if not entry.options.has_weights]
    add("--data", required=True, metavar="DIR", type=Path, help=f"folder with the test sets: {', '.join(SETS)}")
    text = "runs, weights that ship, and methods without weights; default: the general network and all of the last kind"
    add("--methods", nargs="+", metavar="NAME", default=[GENERAL, *classical], help=text)
    add("--sets", nargs="+", metavar="SET", choices=[*SETS], default=[*SETS], help="which of the sets; default: all")
    add("--out", metavar="DIR", type=Path, default=Path("results/tasks"), help="folder of the images and pages")
    add("--tables", metavar="FILE", type=Path, default=Path("results/tasks/tables.md"), help="file of the tables")
    add("--checkpoints_dir", metavar="DIR", default="./checkpoints", help="folder that holds the folders of the runs")
    text = "how many processes share the measuring"
    add("--workers", type=whole("--workers", 1, 1024), metavar="N", default=usual_workers(), help=text)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
