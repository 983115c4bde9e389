"""Makes PMF pairs (paired multi-focus data) on disk out of photographs and their semantic or depth maps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.maps import find_maps
from data.pair_files import PairPlan
from data.pmf.recipe import PUBLISHED_SIZE, PMFRecipe
from options.data import PMF_RECIPE_OPTIONS, PMFOptions
from options.parser import add_fields
from options.strict import StrictParser
from scripts.pair_making import add_folder, add_work_options, check_folders, make_pairs
from util.errors import UserError, run_command

_DESCRIPTION = """Makes paired multi-focus data (PMF): of each photograph and its map one or more wide images
[source 1 | source 2 | … | photograph], named <stem>_stacked.png (<stem>_1_stacked.png, … with several pairs).
train.py reads them with --dataset_mode aligned. An interrupted run resumes when it is started again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    plan = _make_plan(options)
    found, missing = find_maps(options.images, options.maps)
    return make_pairs(plan, found, missing, options)


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="make_pmf.py", description=_DESCRIPTION)
    add_folder(parser, "--images", "folder of the photographs")
    add_folder(parser, "--maps", "folder of their label or depth maps: same stems; .png, .jpg, .mat")
    add_folder(parser, "--out", "folder for the pairs")
    add_fields(parser, PMFOptions, only=["recipe", *PMF_RECIPE_OPTIONS])
    text = f"published: everything is resized to a square of this side (default: {PUBLISHED_SIZE}); "
    text += (
        "realistic, rgbd: photographs are scaled, undistorted, to this shorter side, 0 keeps their size (default: 0)"
    )
    parser.add_argument("--size", type=int, metavar="N", default=argparse.SUPPRESS, help=text)
    add_work_options(parser)
    return parser


def _make_plan(options: argparse.Namespace) -> PairPlan:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in vars(options).items()
    }
    pmf = PMFOptions(**{name: given[name] for name in ("recipe", *PMF_RECIPE_OPTIONS) if name in given})
    for name, owner in PMF_RECIPE_OPTIONS.items():
        if name in given and owner != pmf.recipe:
            raise UserError(f"--{name} belongs to --recipe {owner} and has no effect with --recipe {pmf.recipe}")
    if pmf.recipe == "published" and options.pairs_per_image > 1:
        raise UserError("--recipe published draws nothing at random: more than one of --pairs_per_image would be equal")
    check_folders(options, options.out, ("images", "maps"))
    recipe = PMFRecipe(pmf, options.num_sources, given.get("size", PUBLISHED_SIZE if pmf.recipe == "published" else 0))
    return PairPlan(recipe, options.out, options.pairs_per_image, options.holdout, options.seed)


if __name__ == "__main__":
    sys.exit(run_command(main))
