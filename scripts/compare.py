"""Ranks fusion methods on one set of scenes or several: who is best, how sure that is, and a page that shows it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.scenes.fused_items import FusedItem, find_methods, find_scenes, parse_methods
from data.scenes.inspection import describe
from options.measuring import add_image_options, add_measuring_options, check_measuring_options
from options.strict import StrictParser, whole
from scripts.comparing.compared_images import check_images
from scripts.comparing.comparison import compare_sets, leaderboard_text, remarks, write_comparison
from scripts.comparing.measured_items import KnownValues, keep_values, measure_items
from util.errors import UserError, one_line, report_skipped, run_command
from util.files import check_writable
from util.metrics.measuring import Values, parse_metrics

_DESCRIPTION = """Measures the fused images of two or more methods and ranks the methods: in every image and metric,
over all of them, with confidence intervals and tests of significance. Several sets of scenes are given one after the
other, each after --set NAME: --set a --sources … --fused … --set b --sources … --fused …; each counts the same. A run
that was stopped resumes when it is started again."""


@dataclass
class SetWords:
    """What the command line says of one set."""

    name: str
    named: bool
    sources: list[Path] = field(default_factory=list)
    fused: list[str] = field(default_factory=list)
    reference: Path | None = None
    layout: str = "auto"
    roles: str = ""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    check_measuring_options(options)
    check_writable("--out", options.out)
    methods = _read_methods(options.sets)
    found, skipped = _find(options.sets, methods, skip_bad=options.on_bad_sample == "skip")
    check_images(options.out, (item for of in found.values() for items in of.values() for item in items))
    with keep_values(options.out / ".measured") as known:
        values, lines = _measure(found, options, known)
        skipped = list(dict.fromkeys([*skipped, *lines]))
        comparison = compare_sets(
            {name: (items, values[name]) for name, items in found.items()},
            seed=options.seed,
            resamples=options.resamples,
        )
        write_comparison(options.out, comparison, skipped)
    print(leaderboard_text(comparison))
    for line in remarks(comparison):
        print(f"note: {one_line(line)}")
    print(f"the page: {options.out / 'index.html'}; tables beside it: ranks.csv, metrics.csv, compare.json")
    return report_skipped(skipped)


def _find(
    sets: Sequence[SetWords], methods: Sequence[Mapping[str, Path]], *, skip_bad: bool
) -> tuple[dict[str, dict[str, list[FusedItem]]], list[str]]:
    """Finds the images of all sets.

    Returns:
        Set → method → its items, and one line on everything that is left out.

    Raises:
        UserError: what cannot be used, or a set without an image that all methods have.
    """
    found: dict[str, dict[str, list[FusedItem]]] = {}
    skipped: list[str] = []
    for words, folders in zip(sets, methods, strict=True):
        scenes = find_scenes(words.sources, layout=words.layout, roles=words.roles, skip_bad=skip_bad)
        print(*describe(scenes), sep="\n")
        items, lines = find_methods(scenes, folders, reference=words.reference, skip_bad=skip_bad)
        if not set.intersection(*({item.name for item in of_method} for of_method in items.values())):
            raise UserError(f"--fused: there is no image that all methods have: {', '.join(items)}")
        found[words.name] = items
        skipped += lines
    return found, skipped


def _measure(
    sets: Mapping[str, Mapping[str, Sequence[FusedItem]]], options: argparse.Namespace, known: KnownValues
) -> tuple[dict[str, dict[str, dict[str, Values]]], list[str]]:
    """Measures all sets in one go, so that all of it is kept when it is stopped.

    Returns:
        Set → method → item's name → metric → value; and a line on each image that was skipped.
    """
    keys = {(name, method): f"{number} {method}" for number, name in enumerate(sets) for method in sets[name]}
    jobs = {key: sets[name][method] for (name, method), key in keys.items()}
    metrics = parse_metrics(options.metrics, reference=any(item.reference for items in jobs.values() for item in items))
    skip_bad = options.on_bad_sample == "skip"
    measured = measure_items(jobs, metrics, known, workers=options.workers, skip_bad=skip_bad)
    values = {name: {method: measured.values[keys[name, method]] for method in sets[name]} for name in sets}
    return values, measured.skipped


def _read_methods(sets: Sequence[SetWords]) -> list[dict[str, Path]]:
    """Returns the methods of each set, in the order of the first one.

    Raises:
        UserError: a set without sources, fewer than two methods, or other ones than in the first set.
    """
    if not sets:
        raise UserError("--sources and --fused are missing: what is to be compared?")
    found: list[dict[str, Path]] = []
    for words in sets:
        for option in ("sources", "fused"):
            if not getattr(words, option):
                raise UserError(f"--{option} is missing{f' after --set {words.name}' if words.named else ''}")
        methods = parse_methods(words.fused)
        if len(methods) < 2:
            raise UserError(f"--fused {words.fused[0]}: a comparison needs two or more methods")
        if found and methods.keys() != found[0].keys():
            raise UserError(
                f"--set {words.name}: its methods are {', '.join(methods)}, but those of --set {sets[0].name} are "
                f"{', '.join(found[0])}: all sets need the same ones"
            )
        found.append({name: methods[name] for name in (found[0] if found else methods)})
    return found


class _BeginSet(argparse.Action):
    """--set NAME: what follows belongs to it."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        del parser, option_string
        if any(not words.named for words in namespace.sets):
            raise UserError(f"--set {values} comes after --sources, --fused or --reference: they belong after a --set")
        if not values or any(words.name == values for words in namespace.sets):
            raise UserError(f"--set {values!r}: each set needs a name of its own")
        namespace.sets = [*namespace.sets, SetWords(values, named=True)]


class _OfSet(argparse.Action):
    """An option of the set that was named last, or of the only one, which needs no name."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        del parser
        if not namespace.sets:
            namespace.sets = [SetWords("set", named=False)]
        words, name = namespace.sets[-1], str(option_string).removeprefix("--")
        if name == "fused":
            words.fused += values
        elif getattr(words, name) not in ([], None, "", "auto"):
            raise UserError(f"{option_string} twice: a further set of scenes begins with --set NAME")
        else:
            setattr(words, name, values)


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="compare.py", description=_DESCRIPTION)
    parser.set_defaults(sets=[])
    add, nothing = parser.add_argument, argparse.SUPPRESS
    text = "begins a set of scenes, to which --sources, --fused (the same methods in all sets), --reference, --layout "
    text += "and --roles after it belong; a single set needs no name"
    add("--set", action=_BeginSet, metavar="NAME", default=nothing, help=text)
    add_image_options(parser, _OfSet)
    add("--out", required=True, metavar="DIR", type=Path, default=nothing, help="folder for the page")
    text = "the same seed gives the same confidence intervals"
    add("--seed", type=whole("--seed", 0, 2**63), metavar="N", default=0, help=text)
    text = "how often images are drawn for the intervals"
    add("--resamples", type=whole("--resamples", 100, 100_000), metavar="N", default=2000, help=text)
    add_measuring_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
