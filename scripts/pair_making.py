"""What the commands that make pairs on disk have in common: options, and the way from photographs to files."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from data.pair_files import (
    Found,
    PairJob,
    PairPlan,
    check_job,
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
    jobs, kept = _leave_out_existing(list_jobs(plan, found))
    jobs, bad = _check(jobs, stop=stop)
    write_record(plan, record)
    made, worse = _make(jobs, options.workers, stop=stop)
    print(f"{made} pairs made, {kept} kept from before, in {plan.out}")
    return report_skipped([*missing, *bad, *worse])


def _leave_out_existing(jobs: Sequence[PairJob]) -> tuple[list[PairJob], int]:
    """Returns the jobs that have something left to do, without what is there, and how many pairs are there."""
    rest, kept = [], 0
    for job in jobs:
        missing = {pair: path for pair, path in job.outputs.items() if not (path.is_file() and path.stat().st_size)}
        kept += len(job.outputs) - len(missing)
        if missing:
            rest.append(dataclasses.replace(job, outputs=missing))
    return rest, kept


def _check(jobs: Sequence[PairJob], *, stop: bool) -> tuple[list[PairJob], list[str]]:
    """Looks at all files before anything is written; returns the usable jobs and what is wrong with the others."""
    usable, wrong = [], []
    for job in tqdm(jobs, desc="checking", unit="photo", disable=None, leave=False):
        problem = check_job(job)
        if problem and stop:
            raise UserError(problem)
        if problem:
            wrong.append(problem)
        else:
            usable.append(job)
    return usable, wrong


def _make(jobs: Sequence[PairJob], workers: int, *, stop: bool) -> tuple[int, list[str]]:
    """Makes the pairs; returns how many, and what is wrong with the photographs that were skipped."""
    made, wrong = 0, []
    # One pair at a time, so that Ctrl-C waits for a few pairs and not for all those of several photographs.
    jobs = [dataclasses.replace(job, outputs={pair: path}) for job in jobs for pair, path in job.outputs.items()]
    try:
        with tqdm(total=len(jobs), desc="making", unit="pair", disable=None) as bar:
            for _, problem in make_jobs(jobs, workers):
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
