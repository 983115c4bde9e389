"""Saliency maps as images in a folder, of any learned model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.saliency.operators import SaliencyMap
from data.transforms import resize_image
from util.errors import UserError
from util.images.image_io import read_image
from util.images.levels import to_float

_LARGEST_SPREAD = 0.1  # between the channels of a grey map: JPEG makes some; a map drawn in false colours has more


def read_saliency(path: Path, height: int, width: int) -> SaliencyMap:
    """Reads a saliency map of a photograph: grey levels of 8 or 16 bits, lighter where it is more salient.

    Returns:
        `float32` (height, width) in [0, 1], resized where the map has another size than its photograph.

    Raises:
        UserError: the file cannot be read, or is coloured.
    """
    planes = to_float(read_image(path))
    if np.ptp(planes, axis=2).max() > _LARGEST_SPREAD:
        raise UserError(f"saliency map {path} is coloured: expected grey levels, lighter where it is more salient")
    return np.clip(resize_image(planes.mean(axis=2), height, width), 0, 1, dtype=np.float32)
