"""Measures the fused images of one or more methods against their sources."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.scenes.fused_items import find_methods, find_scenes, parse_methods
from data.scenes.inspection import describe
from options.measuring import add_image_options, add_measuring_options, check_measuring_options
from options.strict import StrictParser
from scripts.comparing.measured_items import keep_values, measure_items
from util.errors import UserError, one_line, report_skipped, run_command
from util.files import check_writable
from util.metrics import REFERENCE_METRICS, REFERENCE_SUFFIX
from util.metrics.measuring import Values, parse_metrics
from util.metrics.tables import mean_values, summarise, write_csv, write_json, write_latex

_DESCRIPTION = """Measures the fused images of one or more methods. A fused image belongs to the sources whose name
it has, also with the same text before or after it in the whole folder (lytro-01.png, IFCNN-MAX-lytro-01.png,
lytro-01_DenseFuse.png). A run that was stopped resumes when it is started again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    check_measuring_options(options)
    if options.out.suffix != ".csv":
        raise UserError(f"--out {options.out}: expected a .csv file; .json and .tex are written beside it")
    check_writable("--out", options.out.parent)
    files = [options.out, *(options.out.with_suffix(ending) for ending in (".json", ".tex"))]
    for path in files:
        if path.is_dir():
            raise UserError(f"--out: {path} is a folder")
    skip_bad = options.on_bad_sample == "skip"
    folders = parse_methods([word for words in options.fused for word in words])
    scenes = find_scenes(options.sources, layout=options.layout, roles=options.roles, skip_bad=skip_bad)
    print(*describe(scenes), sep="\n")
    methods, skipped = find_methods(scenes, folders, reference=options.reference, skip_bad=skip_bad)
    referenced = any(item.reference for items in methods.values() for item in items)
    metrics = parse_metrics(options.metrics, reference=referenced)
    if options.reference and not any(name.endswith(REFERENCE_SUFFIX) for name in metrics):
        against_reference = ", ".join(name + REFERENCE_SUFFIX for name in REFERENCE_METRICS)
        print(f"note: --reference has no effect because --metrics names none of {against_reference}")
    with keep_values(options.out.with_name(f".{options.out.stem[:100]}.measured")) as known:
        measured = measure_items(methods, metrics, known, workers=options.workers, skip_bad=skip_bad)
        _write(options.out, measured.values)
    _print_means(measured.values)
    print(*files)
    return report_skipped([*skipped, *measured.skipped])


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="evaluate.py", description=_DESCRIPTION)
    add_image_options(parser)
    text = "the table to write; FILE.json and FILE.tex are written beside it; all three replace what is there"
    parser.add_argument("--out", required=True, metavar="FILE.csv", type=Path, default=argparse.SUPPRESS, help=text)
    add_measuring_options(parser)
    return parser


def _write(path: Path, measured: Mapping[str, Mapping[str, Values]]) -> None:
    rows = [((method, name), values) for method, items in measured.items() for name, values in items.items()]
    write_json(
        path.with_suffix(".json"),
        {"summary": {method: summarise([*items.values()]) for method, items in measured.items()}, "items": measured},
    )
    write_latex(path.with_suffix(".tex"), {method: [*items.values()] for method, items in measured.items()})
    write_csv(path, ("method", "name"), rows)


def _print_means(measured: Mapping[str, Mapping[str, Values]]) -> None:
    """The means, with a line per metric and a column per method."""
    means = {method: mean_values([*items.values()]) for method, items in measured.items()}
    width = max(12, *(len(one_line(method)) + 2 for method in means))
    print(" " * 16 + "".join(f"{one_line(method):>{width}}" for method in means))
    for name in dict.fromkeys(name for values in means.values() for name in values):
        print(f"{name:<16}" + "".join(f"{values.get(name, float('nan')):>{width}.5g}" for values in means.values()))


if __name__ == "__main__":
    sys.exit(run_command(main))
