"""From a photograph on disk to two masked copies of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from data.decomposition.synthesis import Floats, decompose, to_image
from data.maps import find_photographs
from data.pair_files import Found
from util.images.image_io import probe_image, read_image


@dataclass(frozen=True)
class DecompositionRecipe:
    """Masked copies of whole photographs (see `data.decomposition.synthesis`), at the nearest levels."""

    record: ClassVar[str] = "masked.json"
    version: ClassVar[int] = 1

    def settings(self) -> dict[str, Any]:
        """Nothing but chance decides the pixels."""
        return {}

    def find(self, images_dir: Path) -> Sequence[Found]:
        """Returns (stem, photograph) in natural order; raises `UserError` as `find_photographs`."""
        return list(find_photographs(images_dir).items())

    def check(self, files: Sequence[Path]) -> None:
        """Looks at a photograph without decoding it; raises `UserError` where it cannot be read."""
        probe_image(files[0])

    def make(self, files: Sequence[Path], rng: np.random.Generator) -> list[npt.NDArray[np.uint8]]:
        """Returns both sources and, last, the target; raises `UserError` where the photograph cannot be read."""
        made = decompose(*read_photo(files[0]), rng)
        return [to_image(planes) for planes in (*made.copies, made.photo)]


def read_photo(path: Path) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Returns a photograph, (H, W, 3) RGB, and its mean colour (3,) in [0, 1]; raises `UserError` as `read_image`."""
    photo = read_image(path, bits=8)
    return photo, np.array(cv2.mean(photo)[:3], np.float32) / np.float32(255)
