"""Makes PMF pairs (paired multi-focus data) on disk out of photographs and their semantic or depth maps."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.maps import find_maps
from data.pmf_files import (
    PMFJob,
    PMFPlan,
    check_job,
    check_output,
    list_jobs,
    make_jobs,
    make_record,
    write_record,
)
from data.pmf_recipe import OWN_OPTIONS, PUBLISHED_SIZE, RECIPES, PMFRecipe
from data.synthesis.pmf import DEFAULT_SIGMA, KERNELS
from data.synthesis.rgbd import DEFAULT_KERNEL_RADIUS, SIGMA_RULES
from options.strict import StrictParser, choice
from util.errors import EXIT_DONE, EXIT_SKIPPED, Interrupted, UserError, run_command
from util.workers import usual_workers

_DESCRIPTION = """Makes paired multi-focus data (PMF): of each photograph and its map one or more wide pictures
[source 1 | source 2 | … | photograph], named <stem>_stacked.png (<stem>_1_stacked.png, … with several pairs).
train.py reads them with --dataset_mode aligned. An interrupted run goes on when it is started again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    plan = _make_plan(options)
    found, missing = find_maps(options.images, options.maps)
    if missing and options.on_bad_sample == "stop":
        raise UserError(missing[0])
    record = make_record(plan, [stem for stem, _, _ in found])
    check_output(plan.out, record)
    jobs, kept = _leave_out_existing(list_jobs(plan, found))
    jobs, bad = _check(jobs, stop=options.on_bad_sample == "stop")
    write_record(plan.out, record)
    made, worse = _make(jobs, options.workers, stop=options.on_bad_sample == "stop")
    print(f"{made} pairs made, {kept} kept from before, in {plan.out}")
    skipped = missing + bad + worse
    for line in skipped:
        sys.stderr.write(f"skipped: {line}\n")
    return EXIT_SKIPPED if skipped else EXIT_DONE


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="make_pmf.py", description=_DESCRIPTION)
    _add_work_options(parser)
    _add_recipe_options(parser)
    _add_blur_options(parser)
    return parser


def _add_recipe_options(parser: StrictParser) -> None:
    """Options that decide what the pairs look like."""
    add = parser.add_argument
    add(
        "--recipe",
        type=choice("--recipe", RECIPES),
        metavar="|".join(RECIPES),
        default=RECIPES[0],
        help="realistic: random split, strength and kernel, layered defocus; published: as the public release of "
        "R2GAN; rgbd: split at random depths of a depth map, one blur, as for IFCNN",
    )
    add(
        "--size",
        type=int,
        metavar="N",
        default=argparse.SUPPRESS,
        help=f"published: everything is resized to a square of this side (default: {PUBLISHED_SIZE}); "
        "realistic, rgbd: photographs are scaled, undistorted, to this shorter side, 0 keeps their size (default: 0)",
    )
    add(
        "--pairs_per_image",
        type=int,
        metavar="N",
        default=1,
        help="how many pairs to make of each photograph (not published)",
    )
    add(
        "--num_sources",
        type=int,
        metavar="N",
        default=2,
        help="how many sources to make of each photograph (published: 2)",
    )
    add("--seed", type=int, metavar="N", default=0, help="the same seed gives the same pixels")


def _add_blur_options(parser: StrictParser) -> None:
    """Options that decide how what is out of focus looks."""
    add = parser.add_argument
    add(
        "--sigma",
        type=float,
        nargs=2,
        metavar=("MIN", "MAX"),
        default=argparse.SUPPRESS,
        help=f"range of the defocus in pixels (realistic; default: {DEFAULT_SIGMA[0]:g} {DEFAULT_SIGMA[1]:g})",
    )
    add(
        "--kernel",
        type=choice("--kernel", KERNELS),
        metavar="|".join(KERNELS),
        default=argparse.SUPPRESS,
        help="kernel of the defocus: random, gaussian or disc (realistic; default: random)",
    )
    add(
        "--kernel_radius",
        type=int,
        nargs=2,
        metavar=("MIN", "MAX"),
        default=argparse.SUPPRESS,
        help="range of the blur kernel's radius in pixels "
        f"(rgbd; default: {DEFAULT_KERNEL_RADIUS[0]} {DEFAULT_KERNEL_RADIUS[1]})",
    )
    add(
        "--sigma_rule",
        type=choice("--sigma_rule", tuple(SIGMA_RULES)),
        metavar="|".join(SIGMA_RULES),
        default=argparse.SUPPRESS,
        help="sigma of the blur: OpenCV's for the kernel, or as printed in IFCNN's erratum (rgbd; default: opencv)",
    )


def _add_work_options(parser: StrictParser) -> None:
    """Options that say where files are and how the work is done."""
    add = parser.add_argument
    add(
        "--images", required=True, default=argparse.SUPPRESS, metavar="DIR", type=Path, help="folder of the photographs"
    )
    add(
        "--maps",
        required=True,
        default=argparse.SUPPRESS,
        metavar="DIR",
        type=Path,
        help="folder of their label or depth maps: same stems; .png, .jpg, .mat",
    )
    add("--out", required=True, default=argparse.SUPPRESS, metavar="DIR", type=Path, help="folder for the pairs")
    add("--holdout", type=int, metavar="N", default=0, help="every N-th photograph to OUT/test, the rest to OUT/train")
    add(
        "--workers",
        type=int,
        metavar="N",
        default=usual_workers(),
        help="how many processes share the work",
    )
    add(
        "--on_bad_sample",
        type=choice("--on_bad_sample", ("stop", "skip")),
        metavar="stop|skip",
        default="stop",
        help="at a photograph that cannot be used: stop, or skip it and list it at the end (exit status 3)",
    )
    add("--verbose", action="store_true", help="show where an error comes from")


def _make_plan(options: argparse.Namespace) -> PMFPlan:
    given = vars(options)
    for name, owner in OWN_OPTIONS.items():
        if name in given and owner != options.recipe:
            raise UserError(f"--{name} belongs to --recipe {owner} and has no effect with --recipe {options.recipe}")
    if options.workers < 1:
        raise UserError(f"--workers must be at least 1, not {options.workers}")
    for name in ("images", "maps"):
        if options.out.resolve() == given[name].resolve():
            raise UserError(f"--out {options.out} is the folder of --{name}: the pairs need a folder of their own")
    recipe = PMFRecipe(
        recipe=options.recipe,
        size=given.get("size", PUBLISHED_SIZE if options.recipe == "published" else 0),
        num_sources=options.num_sources,
        sigma=tuple(given.get("sigma", DEFAULT_SIGMA)),
        kernel=given.get("kernel", KERNELS[0]),
        kernel_radius=tuple(given.get("kernel_radius", DEFAULT_KERNEL_RADIUS)),
        sigma_rule=given.get("sigma_rule", "opencv"),
    )
    return PMFPlan(recipe, options.out, options.pairs_per_image, options.holdout, options.seed)


def _leave_out_existing(jobs: Sequence[PMFJob]) -> tuple[list[PMFJob], int]:
    """Returns the jobs that have something left to do, without what is there, and how many pairs are there."""
    rest, kept = [], 0
    for job in jobs:
        missing = {pair: path for pair, path in job.outputs.items() if not (path.is_file() and path.stat().st_size)}
        kept += len(job.outputs) - len(missing)
        if missing:
            rest.append(dataclasses.replace(job, outputs=missing))
    return rest, kept


def _check(jobs: Sequence[PMFJob], *, stop: bool) -> tuple[list[PMFJob], list[str]]:
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


def _make(jobs: Sequence[PMFJob], workers: int, *, stop: bool) -> tuple[int, list[str]]:
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
        raise Interrupted("interrupted; run the same command again to go on") from error
    return made, list(dict.fromkeys(wrong))


if __name__ == "__main__":
    sys.exit(run_command(main))
