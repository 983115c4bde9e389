"""What a fused image gets its colour from: see docs/colour.md for the rules and the papers they come from.

Values are floats in [0, 1] unless a function says otherwise. Luma and chroma are those of ITU-R BT.601 in full range,
as in JPEG files (JFIF 1.02): Y = 0.299 R + 0.587 G + 0.114 B.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from util.images.levels import LUMA, Floats, Image, to_float, to_levels

Float = TypeVar("Float", np.float32, np.float64)
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Colour(ABC):
    """How the sources of an item go through a network, and how the fused image gets its colour. Base of all policies.

    An image is prepared and finished in tiles and stripes, so that floats never cover the whole of a large one.
    `util.images.colour_choice` chooses. Equal policies can go through a network in one batch.

    Attributes:
        channels: how many the network takes.
        dtype: of the fused image.
        truncates: its levels are cut off instead of rounded.
        sees_grey: what the network gets holds no colour.
    """

    sees_grey: ClassVar[bool] = True

    channels: int
    dtype: np.dtype[Any]
    truncates: bool = False

    @abstractmethod
    def prepare(self, sources: Sequence[Image]) -> list[Floats]:
        """What the network gets of a tile: for each source (H, W, 3) an array (H, W, `channels`) in [0, 1]."""

    def levels(self, values: Floats) -> Image:
        """What the network made, (H, W, `channels`) in [0, 1], in levels and without any colour of the sources."""
        return to_levels(values, self.dtype, truncate=self.truncates)

    def finish(self, fused: Floats, sources: Sequence[Image]) -> Image:  # noqa: ARG002  (colour comes from them)
        """Makes a stripe of the fused image.

        Args:
            fused: what the network made of it, (H, W, `channels`) in [0, 1].
            sources: the same stripe of the sources, (H, W, 3).

        Returns:
            (H, W) or (H, W, 3) of the policy's `dtype`.
        """
        return self.levels(fused)

    def complete(self, fused: Image, sources: Sequence[Image]) -> Image:  # noqa: ARG002  (a hook)
        """Does what needs the whole image, once all stripes are finished; nothing unless a policy says otherwise."""
        return fused


@dataclass(frozen=True)
class RGB(Colour):
    """The sources as they are, a grey one among them with three equal channels."""

    sees_grey = False

    def prepare(self, sources: Sequence[Image]) -> list[Floats]:
        """See `Colour.prepare`."""
        return [to_float(source) for source in sources]


@dataclass(frozen=True)
class OnePlane(Colour):
    """Base of the policies that give the network one plane of each source, which all its channels repeat."""

    @abstractmethod
    def plane(self, source: Image) -> Floats:
        """The plane (H, W) of a source (H, W, 3), in [0, 1]."""

    def prepare(self, sources: Sequence[Image]) -> list[Floats]:
        """See `Colour.prepare`."""
        return [np.repeat(self.plane(source)[..., None], self.channels, axis=2) for source in sources]

    def levels(self, values: Floats) -> Image:
        """One plane (H, W) again: first whole levels, then their luma, as IFCNN did."""
        levels = super().levels(values)
        if levels.shape[-1] == 1:
            return levels[..., 0]
        grey: npt.NDArray[Any] = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
        return grey


@dataclass(frozen=True)
class Grey(OnePlane):
    """All sources are grey, and so is the result."""

    def plane(self, source: Image) -> Floats:
        """The value that R, G and B have in common."""
        return to_float(source[..., 0])


@dataclass(frozen=True)
class Luma(OnePlane):
    """The sources' luma is fused; the chroma of the coloured ones is combined and put back.

    Attributes:
        grey: for each source whether it is grey; at least one is not.
    """

    grey: tuple[bool, ...] = ()

    def plane(self, source: Image) -> Floats:
        """Its luma."""
        return luma(to_float(source))

    def finish(self, fused: Floats, sources: Sequence[Image]) -> Image:
        """See `Colour.finish`; the result is (H, W, 3), its levels rounded whatever the network's authors did."""
        plane = luma(fused) if fused.shape[-1] == 3 else fused[..., 0]
        return to_levels(replace_luma(plane, [to_float(source) for source in sources], self.grey), self.dtype)


def is_grey(image: Image) -> bool:
    """Whether an image (H, W, 3) holds no colour: R = G = B everywhere, however it is stored."""
    for start in range(0, len(image), _ROWS_AT_ONCE):  # most coloured images show it in their first rows
        rows = image[start : start + _ROWS_AT_ONCE]
        if not (np.array_equal(rows[..., 0], rows[..., 1]) and np.array_equal(rows[..., 1], rows[..., 2])):
            return False
    return True


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
    """The mean of chroma arrays of one shape, weighted by their distance from `neutral`, the value without colour."""
    weights = [np.abs(values - np.float32(neutral)) for values in chroma]
    total = np.sum(weights, axis=0)
    weighted = np.sum([values * weight for values, weight in zip(chroma, weights, strict=True)], axis=0)
    result: Floats = np.full_like(total, neutral)
    np.divide(weighted, total, out=result, where=total > 0)
    return result
