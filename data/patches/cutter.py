"""Cutting pairs of patches out of an infrared and a visible image, as SMFNet's training set was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.scenes.inspection import check_equal
from util.errors import UserError
from util.images.colour import luma
from util.images.image_io import read_image
from util.images.levels import to_float

Patches = npt.NDArray[np.float32]

LARGEST_PATCH = 4096


@dataclass(frozen=True)
class PatchCutter:
    """How patches are cut and which of them are kept.

    Attributes:
        size: side of a patch in pixels.
        stride: from one patch to the next in pixels, in both directions; a last one that does not fit is left out.
        min_contrast: the least `contrast` that both patches of a pair must have, in [0, 1].
    """

    size: int = 128
    stride: int = 200
    min_contrast: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LARGEST_PATCH:
            raise UserError(f"--size must be 1 to {LARGEST_PATCH} pixels, not {self.size}")
        if self.stride < 1:
            raise UserError(f"--stride must be at least 1, not {self.stride}")
        if not 0 <= self.min_contrast <= 1:
            raise UserError(f"--min_contrast must be in [0, 1], not {self.min_contrast}")

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Raises `UserError` where not one patch fits into an image."""
        if min(width, height) < self.size:
            raise UserError(f"{path} is {width}x{height}: no patch of --size {self.size} fits into it")

    def cut(self, ir_path: Path, vi_path: Path) -> tuple[Patches, int]:
        """Cuts the patches of one scene, row by row: the infrared image's first channel, and the visible one's luma.

        Returns:
            (n, 2, size, size) float32 in [0, 1], infrared and visible, and how many pairs were dropped.

        Raises:
            UserError: a file that cannot be used, or images of unequal sizes.
        """
        infrared, visible = read_image(ir_path), read_image(vi_path)
        check_equal([(ir_path, infrared.shape[1::-1]), (vi_path, visible.shape[1::-1])])
        height, width = infrared.shape[:2]
        self.check_size(ir_path, width, height)
        kept, dropped = [], 0
        for top in range(0, height - self.size + 1, self.stride):
            for left in range(0, width - self.size + 1, self.stride):
                window = slice(top, top + self.size), slice(left, left + self.size)
                # In float64, luma leaves a grey pixel's value exactly as it is.
                levels = luma(visible[window].astype(np.float64)) / np.iinfo(visible.dtype).max
                pair = np.stack([to_float(infrared[window][..., 0]), levels.astype(np.float32)])
                if all(contrast(patch) >= self.min_contrast for patch in pair):
                    kept.append(pair)
                else:
                    dropped += 1
        return np.array(kept, np.float32).reshape(-1, 2, self.size, self.size), dropped


def contrast(patch: npt.NDArray) -> float:
    """(p90 − p10) / p90 with the 10th and the 90th percentile of a patch's values; 0 where p90 is 0."""
    low, high = (float(value) for value in np.percentile(patch, (10, 90)))
    return (high - low) / high if high > 0 else 0.0
