"""Makes GSGIF-GAN's pairs on disk: photographs whose information is distributed over sources by their saliency."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.pair_files import Found, PairPlan, pair_rng
from data.saliency.recipe import SaliencyRecipe
from data.saliency.synthesis import distribute
from options.data import SaliencyOptions
from options.parser import add_fields
from options.strict import StrictParser
from scripts.pair_making import add_folder, add_work_options, check_folders, make_pairs
from util.errors import EXIT_DONE, UserError, run_command
from util.files import check_writable
from util.images.image_io import check_format, write_image

_DESCRIPTION = """Makes training pairs out of photographs alone: of each one or more wide images
[source 1 | source 2 | … | photograph], named <stem>_stacked.png (<stem>_1_stacked.png, … with several pairs).
train.py reads them with --dataset_mode aligned. An interrupted run resumes when it is started again."""
_PREVIEW_ROWS = 12
_PREVIEW_SIDE = 160  # of a panel of the sheet, in pixels
_PREVIEW_GAP = 4

_Image = npt.NDArray[np.uint8]


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    recipe = _make_recipe(options)
    out = options.out if options.preview is None else options.preview
    plan = PairPlan(recipe, out, options.pairs_per_image, options.holdout, options.seed)
    check_folders(options, out, ["images", *(["saliency"] if recipe.maps else [])])
    found, missing = recipe.find(options.images)
    if options.preview is None:
        return make_pairs(plan, found, missing, options)
    if missing:
        raise UserError(missing[0])
    _check_preview(options.preview, found)
    write_image(options.preview, _draw_sheet(recipe, found, options.seed))
    print(f"{options.preview}: target, saliency, masks and sources of {min(len(found), _PREVIEW_ROWS)} photographs")
    return EXIT_DONE


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="make_saliency_pairs.py", description=_DESCRIPTION)
    add = parser.add_argument
    add_folder(parser, "--images", "folder of the photographs")
    add("--out", metavar="DIR", type=Path, help="folder for the pairs")
    add("--preview", metavar="FILE.png", type=Path, help="draw a sheet of a dozen photographs instead of making pairs")
    add_fields(parser, SaliencyOptions, only=["saliency"])
    add_work_options(parser)
    return parser


def _make_recipe(options: argparse.Namespace) -> SaliencyRecipe:
    if (options.out is None) == (options.preview is None):
        raise UserError("expected either --out DIR, to make pairs, or --preview FILE.png, to see a dozen")
    if options.preview is not None:
        if not options.preview.suffix:
            raise UserError(f"--preview {options.preview}: expected the name of an image, as in {options.preview}.png")
        check_format(options.preview, np.uint8)
    return SaliencyRecipe(**{k: v for k, v in vars(options).items() if k in ("saliency", "num_sources")})


def _check_preview(path: Path, found: Sequence[Found]) -> None:
    """Raises `UserError` where the sheet cannot be written, before it is drawn, which may take a while."""
    check_writable("--preview", path.parent)
    if path.resolve() in {file.resolve() for _, *files in found for file in files}:
        raise UserError(f"--preview {path} is one of the photographs or maps: choose another name")


def _draw_sheet(recipe: SaliencyRecipe, found: Sequence[Found], seed: int) -> _Image:
    """Draws a row for each of a dozen photographs from all over the folder: target, saliency, masks, sources."""
    rows = []
    for place in np.unique(np.linspace(0, len(found) - 1, _PREVIEW_ROWS).round().astype(int)):
        stem, *files = found[place]
        photo, saliency = recipe.read(files)
        made = distribute(photo, saliency, pair_rng(seed, stem, 0), num_sources=recipe.num_sources)
        planes = [np.rint(255 * plane).astype(np.uint8) for plane in (saliency, *made.masks)]
        maps = [np.repeat(plane[..., None], 3, axis=2) for plane in planes]
        rows.append(np.hstack([_panel(image) for image in (made.target, *maps, *made.sources)]))
    return np.vstack(rows)


def _panel(image: _Image) -> _Image:
    """Scales an image into a square and puts white around it."""
    scale = _PREVIEW_SIDE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    panel = np.full((_PREVIEW_SIDE + _PREVIEW_GAP, _PREVIEW_SIDE + _PREVIEW_GAP, 3), 255, np.uint8)
    panel[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return panel


if __name__ == "__main__":
    sys.exit(run_command(main))
