"""Measures fused pictures, one's own or other people's, against their sources."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from options.measuring import (
    FUSED_HELP,
    REFERENCE_HELP,
    SOURCES_HELP,
    add_measuring_options,
    check_measuring_options,
)
from options.strict import StrictParser
from util.errors import EXIT_DONE, EXIT_SKIPPED, UserError, one_line, run_command
from util.files import check_place
from util.measuring import FusedItem, Values, find_items, measure_items, parse_methods, parse_metrics
from util.tables import mean_values, summarise, write_csv, write_json, write_latex

_DESCRIPTION = """Measures the fused pictures of one or more methods. A fused picture belongs to the sources whose name
it has, also with the same text before or behind it in the whole folder (lytro-01.png, IFCNN-MAX-lytro-01.png,
lytro-01_DenseFuse.png). A run that was stopped goes on when it is started again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    check_measuring_options(options)
    if options.out.suffix != ".csv":
        raise UserError(f"--out {options.out}: wanted a .csv file; .json and .tex are written beside it")
    check_place("--out", options.out.parent)
    skip_bad = options.on_bad_sample == "skip"
    methods: dict[str, list[FusedItem]] = {}
    skipped: list[str] = []
    for method, folder in parse_methods([word for words in options.fused for word in words]).items():
        methods[method], lines = find_items(options.sources, folder, reference=options.reference, skip_bad=skip_bad)
        skipped += lines
    known = any(item.reference for items in methods.values() for item in items)
    metrics = parse_metrics(options.metrics, reference=known)
    record = options.out.with_name(f".{options.out.name}.measured")
    record.parent.mkdir(parents=True, exist_ok=True)
    measured = measure_items(methods, metrics, workers=options.workers, record=record, skip_bad=skip_bad)
    _write(options.out, measured.values)
    _print_means(measured.values)
    print(f"{options.out}, and the same with .json and .tex")
    skipped = list(dict.fromkeys([*skipped, *measured.skipped]))
    for line in skipped:
        sys.stderr.write(f"skipped: {one_line(line)}\n")
    return EXIT_SKIPPED if skipped else EXIT_DONE


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="evaluate.py", description=_DESCRIPTION)
    add = parser.add_argument
    nothing = argparse.SUPPRESS
    add("--sources", required=True, nargs="+", metavar="DIR", type=Path, default=nothing, help=SOURCES_HELP)
    add(
        "--fused",
        required=True,
        action="append",
        nargs="+",
        metavar="NAME=DIR",
        default=nothing,
        help=FUSED_HELP,
    )
    add("--reference", metavar="DIR", type=Path, help=REFERENCE_HELP)
    add("--out", required=True, metavar="FILE.csv", type=Path, default=nothing, help="the table to write")
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
