"""Multi-exposure fusion as IFCNN was tested on it (Zhang et al., Information Fusion 54, 2020): `--exposure`.

The network sees luma alone. The fused luma is compressed to the range of video, 16 to 235, and its contrast is then
raised locally (CLAHE); chroma is the mean of the sources', weighted by the distance from neutral. Luma and chroma are
split by Pillow and joined by OpenCV, whose integers differ, and everything between is cut off to whole levels: that
is what the published images show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from util.images.colour import OnePlane, weigh_chroma
from util.images.levels import Floats, Image, to_float

NEUTRAL = 128
_ROWS_AT_ONCE = 256  # floats never cover a whole image


@dataclass(frozen=True)
class Exposure(OnePlane):
    """Luma is fused, brought to another range and contrast, and joined with the sources' chroma; 8 bits only.

    Attributes:
        grey: all sources are grey, and so is the result.
    """

    grey: bool = False

    def plane(self, source: Image) -> Floats:
        """Luma with Pillow's integers."""
        return to_float(split(source)[..., 0])

    def complete(self, fused: Image, sources: Sequence[Image]) -> Image:
        """Gives a fused luma (H, W) its range, its contrast and the colour of the sources (H, W, 3): all `uint8`."""
        share = np.arange(256) / 255
        compressed = (np.arange(256) * (235 / 255) + (1 - share) * 16).astype(np.uint8)
        raised = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(compressed[fused])
        result = np.empty((*fused.shape, 3), np.uint8)
        for start in range(0, len(fused), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            chroma = [split(source[rows])[..., :0:-1].astype(np.float32) for source in sources]  # Cr, Cb
            combined = weigh_chroma(chroma, NEUTRAL).astype(np.uint8)
            result[rows] = cv2.cvtColor(np.dstack([raised[rows], combined]), cv2.COLOR_YCrCb2RGB)
        return result[..., 0] if self.grey else result


def split(image: Image) -> npt.NDArray[np.uint8]:
    """Splits an RGB image (H, W, 3) of 8 bits into Y, Cb, Cr (H, W, 3) with Pillow's integers."""
    return np.asarray(PIL.Image.fromarray(image).convert("YCbCr"))
