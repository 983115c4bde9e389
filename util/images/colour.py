"""What a fused image gets its colour from: see docs/colour.md for the rules and the papers they come from.

Values are floats in [0, 1] unless a function says otherwise. Luma and chroma are those of ITU-R BT.601 in full range,
as in JPEG files (JFIF 1.02): Y = 0.299 R + 0.587 G + 0.114 B.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from util.images.image_io import Image

Float = TypeVar("Float", np.float32, np.float64)
Floats = npt.NDArray[np.float32]

LUMA = (0.299, 0.587, 0.114)  # of R, G and B
_ROWS_AT_ONCE = 256


class Colour(Enum):
    """How the sources of an item go through a network.

    Attributes:
        GREY: all sources are grey, and so is the result.
        RGB: as they are, a grey one among them with three equal channels.
        LUMA: their luma is fused; the chroma of the coloured ones is combined and put back.
    """

    GREY = "grey"
    RGB = "rgb"
    LUMA = "luma"


def is_grey(image: Image) -> bool:
    """Whether an image (H, W, 3) holds no colour: R = G = B everywhere, however it is stored."""
    for start in range(0, len(image), _ROWS_AT_ONCE):  # most coloured images show it in their first rows
        rows = image[start : start + _ROWS_AT_ONCE]
        if not (np.array_equal(rows[..., 0], rows[..., 1]) and np.array_equal(rows[..., 1], rows[..., 2])):
            return False
    return True


def choose_colour(wish: str, grey: Sequence[bool], channels: int) -> Colour:
    """How to fuse sources.

    Args:
        wish: --color: auto, rgb or luma.
        grey: for each source whether it is grey.
        channels: how many the network takes; one with a single channel fuses luma in any case.
    """
    if all(grey):
        return Colour.GREY
    if channels == 1 or wish == "luma" or (wish == "auto" and any(grey)):
        return Colour.LUMA
    return Colour.RGB


def to_float(image: Image) -> Floats:
    """Turns `uint8` or `uint16` values into floats in [0, 1]."""
    return np.divide(image, np.iinfo(image.dtype).max, dtype=np.float32)


def to_levels(values: Floats, dtype: npt.DTypeLike, *, truncate: bool = False) -> Image:
    """Turns floats into the levels of a saved image: clamped to [0, 1], scaled, rounded or cut off.

    Args:
        values: any shape.
        dtype: `uint8` or `uint16`.
        truncate: cut off what is behind the point instead of rounding.
    """
    scaled = np.clip(values, 0, 1) * np.float32(np.iinfo(dtype).max)
    levels: Image = (scaled if truncate else np.rint(scaled)).astype(dtype)
    return levels


def luma(image: npt.NDArray[Float]) -> npt.NDArray[Float]:
    """The luma (H, W) of an image (H, W, 3) of floats, in their precision; that of a grey one is its value."""
    return np.asarray(cv2.transform(image, np.array([LUMA], image.dtype)), image.dtype)


def replace_luma(fused: Floats, sources: Sequence[Floats], grey: Sequence[bool]) -> Floats:
    """Gives a fused luma the colour of its sources.

    One coloured source hands on its chroma as it is. That of several is averaged with the distance from neutral as
    weight, |C − ½|, so that the more colourful source prevails (Ram Prabhakar et al., "DeepFuse", ICCV 2017).

    Args:
        fused: the luma (H, W).
        sources: images (H, W, 3).
        grey: for each source whether it is grey; at least one is not.

    Returns:
        (H, W, 3), not clamped.
    """
    # Chroma as R − Y and B − Y, which are Cr and Cb but for a factor: neutral is 0 then, whatever the depth.
    lumas_and_images = [(luma(image), image) for image, plain in zip(sources, grey, strict=True) if not plain]
    if len(lumas_and_images) == 1:
        ((own, image),) = lumas_and_images
        return image + (fused - own)[..., None]
    red, blue = (
        weigh_chroma([image[..., channel] - own for own, image in lumas_and_images], 0.0) for channel in (0, 2)
    )
    of_red, of_green, of_blue = np.array(LUMA, np.float32)
    green = -(of_red * red + of_blue * blue) / of_green
    return np.dstack([fused + red, fused + green, fused + blue])


def weigh_chroma(chroma: Sequence[Floats], neutral: float) -> Floats:
    """The mean of chroma values, weighted by their distance from neutral; neutral where all of them are.

    Args:
        chroma: arrays of one shape.
        neutral: the value that means no colour.
    """
    weights = [np.abs(values - np.float32(neutral)) for values in chroma]
    total = np.sum(weights, axis=0)
    weighted = np.sum([values * weight for values, weight in zip(chroma, weights, strict=True)], axis=0)
    result: Floats = np.full_like(total, neutral)
    np.divide(weighted, total, out=result, where=total > 0)
    return result
