"""Makes DeFusion's pairs on disk: two copies of a photograph, each with other pixels replaced by noise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.decomposition.recipe import DecompositionRecipe
from data.pair_files import PairPlan
from options.strict import StrictParser
from scripts.pair_making import add_folder, add_work_options, check_folders, make_pairs
from util.errors import UserError, run_command

_DESCRIPTION = """Makes pairs of masked copies out of whole photographs, as --dataset_mode decomposition does:
wide images [source 1 | source 2 | photograph in other colours], named <stem>_stacked.png (<stem>_1_stacked.png, …
with several pairs), for --val_dataroot and for test.py --with_target. An interrupted run resumes when it is started
again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    if options.num_sources != 2:
        raise UserError(f"--num_sources {options.num_sources}: two masked copies are made of a photograph; expected 2")
    recipe = DecompositionRecipe()
    plan = PairPlan(recipe, options.out, options.pairs_per_image, options.holdout, options.seed)
    check_folders(options, options.out, ["images"])
    return make_pairs(plan, recipe.find(options.images), [], options)


def _build_parser() -> StrictParser:
    parser = StrictParser(
        prog="make_masked_pairs.py", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_folder(parser, "--images", "folder of the photographs")
    add_folder(parser, "--out", "folder for the pairs")
    add_work_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
