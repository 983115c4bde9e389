"""Writes the demonstration's photographs and label maps: those that ship inside scikit-image, no download.

Maps come from scikit-image's segmentation; for the stereo image "motorcycle" from its disparity, a real depth map.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import data, segmentation
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from options.strict import StrictParser
from util.errors import run_command
from util.images.image_io import write_image

Image = npt.NDArray[np.uint8]
DEPTH_LEVELS = 4

TRAIN: dict[str, Callable[[], Image]] = {
    "astronaut": data.astronaut,
    "rocket": data.rocket,
    "camera": data.camera,
    "retina": lambda: data.retina()[::3, ::3],
    "hubble": lambda: data.hubble_deep_field()[::2, ::2],
    "ihc": data.immunohistochemistry,
    "gravel": data.gravel,
    "brick": data.brick,
    "coins": data.coins,
}
TEST: dict[str, Callable[[], Image]] = {"chelsea": data.chelsea, "coffee": data.coffee}


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    parser = StrictParser(prog="make_demo_data.py", description=__doc__)
    parser.add_argument("--out", required=True, default=argparse.SUPPRESS, metavar="DIR", type=Path, help="the folder")
    out = parser.parse_strict(argv).out
    phases = {"train": TRAIN, "test": TEST}
    jobs = [(phase, name, load) for phase, photos in phases.items() for name, load in photos.items()]
    for phase, name, load in tqdm(jobs, desc="photographs and maps", unit="image"):
        image = load()
        photo = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        _write(out / phase, name, photo, segment(photo))
    left, _, disparity = data.stereo_motorcycle()
    _write(out / "test", "motorcycle", left[::2, ::2], depth_levels(disparity[::2, ::2]))
    return 0


def segment(photo: Image) -> Image:
    """Splits a photograph (H, W, 3) into some ten regions, as labels (H, W) from 1."""
    labels: npt.NDArray[np.int64] = segmentation.slic(photo, n_segments=12, compactness=15, sigma=2, start_label=1)
    return labels.astype(np.uint8)


def depth_levels(disparity: npt.NDArray[np.floating]) -> Image:
    """Cuts a disparity map (H, W), in pixels, infinite where unknown, into equally frequent levels from 1."""
    known = np.isfinite(disparity)
    filled = np.where(known, disparity, np.median(disparity[known]))
    filled = ndimage.median_filter(filled, size=9)  # single pixels that the stereo matching missed
    borders = np.quantile(filled, np.linspace(0, 1, DEPTH_LEVELS + 1)[1:-1])
    return (np.digitize(filled, borders) + 1).astype(np.uint8)


def _write(folder: Path, name: str, photo: Image, labels: Image) -> None:
    write_image(folder / "images" / f"{name}.png", np.ascontiguousarray(photo))
    write_image(folder / "maps" / f"{name}.png", labels)


if __name__ == "__main__":
    sys.exit(run_command(main))
