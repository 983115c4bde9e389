"""What the commands that make pairs on disk have in common: options, and the way from photographs to files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from data.pair_files import (
    Found,
    PairJob,
    PairPlan,
    check_output,
    list_jobs,
    make_jobs,
    make_record,
    write_record,
)
from options import measuring
from options.strict import StrictParser
from util.errors import Interrupted, UserError, report_skipped


def add_work_options(parser: StrictParser) -> None:
    """Options that say how many pairs are made and how the work is done."""
    add = parser.add_argument
    add("--pairs_per_image", type=int, metavar="N", default=1, help="how many pairs to make of each photograph")
    add("--num_sources", type=int, metavar="N", default=2, help="how many sources to make of each photograph")
    add("--seed", type=int, metavar="N", default=0, help="the same seed gives the same pixels")
    add("--holdout", type=int, metavar="N", default=0, help="every N-th photograph to OUT/test, the rest to OUT/train")
    measuring.add_work_options(parser)


def add_folder(parser: StrictParser, name: str, text: str) -> None:
    """A folder that must be given."""
    parser.add_argument(name, required=True, default=argparse.SUPPRESS, metavar="DIR", type=Path, help=text)


def check_folders(options: argparse.Namespace, out: Path, folders: Sequence[str]) -> None:
    """Raises `UserError` where `out` is one of the folders to read, which options of these names say."""
    for name in folders:
        if out.resolve() == Path(vars(options)[name]).resolve():
            raise UserError(f"--out {out} is the folder of --{name}: the pairs need a folder of their own")


def make_pairs(plan: PairPlan, found: Sequence[Found], missing: Sequence[str], options: argparse.Namespace) -> int:
    """Makes the pairs that are not there yet, and says how many.

    Args:
        plan: what is to be made.
        found: the photographs with their maps.
        missing: a line on each photograph that has no map.
        options: as `add_work_options` has them.

    Returns:
        The exit status.

    Raises:
        UserError: a photograph that cannot be used, unless such are skipped, or a folder that holds something else.
        Interrupted: by Ctrl-C; pairs that were begun are finished.
    """
    stop = options.on_bad_sample == "stop"
    if missing and stop:
        raise UserError(missing[0])
    record = make_record(plan, [stem for stem, *_ in found])
    check_output(plan, record)
    jobs = list_jobs(plan, found)
    left = [job for job in jobs if not (job.path.is_file() and job.path.stat().st_size)]
    bad = _check(left, stop=stop)
    write_record(plan, record)
    made, worse = _make([job for job in left if job.files not in bad], options.workers, stop=stop)
    print(f"{made} pairs made, {len(jobs) - len(left)} kept from before, in {plan.out}")
    return report_skipped([*missing, *bad.values(), *worse])


def _check(jobs: Sequence[PairJob], *, stop: bool) -> dict[tuple[Path, ...], str]:
    """Looks at the files of each photograph before anything is written; returns what is wrong with some."""
    wrong = {}
    recipes = {job.files: job.recipe for job in jobs}
    for files, recipe in tqdm(recipes.items(), desc="checking", unit="photo", disable=None, leave=False):
        try:
            recipe.check(files)
        except UserError as error:
            if stop:
                raise
            wrong[files] = str(error)
    return wrong


def _make(jobs: Sequence[PairJob], workers: int, *, stop: bool) -> tuple[int, list[str]]:
    """Makes the pairs; returns how many, and what is wrong with the photographs that were skipped."""
    made, wrong = 0, []
    try:
        with tqdm(total=len(jobs), desc="making", unit="pair", disable=None) as bar:
            for problem in make_jobs(jobs, workers):
                if problem and stop:
                    raise UserError(problem)
                if problem:
                    wrong.append(problem)
                else:
                    made += 1
                bar.update()
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; run the same command again to resume") from error
    return made, list(dict.fromkeys(wrong))
