"""Makes PMF pairs (paired multi-focus data) on disk out of photographs and their semantic or depth maps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.maps import find_maps
from data.pair_files import PairPlan
from data.pmf.recipe import PUBLISHED_SIZE, PMFRecipe
from data.pmf.rgbd import SIGMA_RULES
from options.data import KERNELS, PMF_RECIPE_OPTIONS, PMF_RECIPES, PMFOptions
from options.strict import StrictParser, choice
from scripts.pair_making import add_folder, add_work_options, check_work_options, make_pairs
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
    _add_recipe_options(parser)
    _add_blur_options(parser)
    add_work_options(parser)
    return parser


def _add_recipe_options(parser: StrictParser) -> None:
    """Options that decide what the pairs look like."""
    add = parser.add_argument
    add(
        "--recipe",
        type=choice("--recipe", PMF_RECIPES),
        metavar="|".join(PMF_RECIPES),
        default=PMFOptions.recipe,
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


def _add_blur_options(parser: StrictParser) -> None:
    """Options that decide how what is out of focus looks."""
    add = parser.add_argument
    add(
        "--sigma",
        type=float,
        nargs=2,
        metavar=("MIN", "MAX"),
        default=argparse.SUPPRESS,
        help=f"range of the defocus in pixels (realistic; default: {PMFOptions.sigma[0]:g} {PMFOptions.sigma[1]:g})",
    )
    add(
        "--kernel",
        type=choice("--kernel", KERNELS),
        metavar="|".join(KERNELS),
        default=argparse.SUPPRESS,
        help=f"kernel of the defocus: random, gaussian or disc (realistic; default: {PMFOptions.kernel})",
    )
    add(
        "--kernel_radius",
        type=int,
        nargs=2,
        metavar=("MIN", "MAX"),
        default=argparse.SUPPRESS,
        help="range of the blur kernel's radius in pixels "
        f"(rgbd; default: {PMFOptions.kernel_radius[0]} {PMFOptions.kernel_radius[1]})",
    )
    add(
        "--sigma_rule",
        type=choice("--sigma_rule", tuple(SIGMA_RULES)),
        metavar="|".join(SIGMA_RULES),
        default=argparse.SUPPRESS,
        help="sigma of the blur: OpenCV's for the kernel, or as printed in IFCNN's erratum "
        f"(rgbd; default: {PMFOptions.sigma_rule})",
    )


def _make_plan(options: argparse.Namespace) -> PairPlan:
    given = vars(options)
    for name, owner in PMF_RECIPE_OPTIONS.items():
        if name in given and owner != options.recipe:
            raise UserError(f"--{name} belongs to --recipe {owner} and has no effect with --recipe {options.recipe}")
    if options.recipe == "published" and options.pairs_per_image > 1:
        raise UserError("--recipe published is without chance: more than one of --pairs_per_image would be equal")
    check_work_options(options, options.out, ("images", "maps"))
    blur = {name: given[name] for name in PMF_RECIPE_OPTIONS if name in given}
    blur = {name: tuple(value) if isinstance(value, list) else value for name, value in blur.items()}
    size = given.get("size", PUBLISHED_SIZE if options.recipe == "published" else 0)
    recipe = PMFRecipe(PMFOptions(recipe=options.recipe, **blur), options.num_sources, size)
    return PairPlan(recipe, options.out, options.pairs_per_image, options.holdout, options.seed)


if __name__ == "__main__":
    sys.exit(run_command(main))
