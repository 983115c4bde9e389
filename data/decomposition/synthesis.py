"""Decomposition data: a photograph becomes two copies, each with parts of it replaced by noise.

The procedure is that of DeFusion (Liang et al., "Fusion from Decomposition", ECCV 2022): what both copies keep is the
common part of the photograph, what one alone keeps is its unique part, and the photograph is what fusing has to give.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.transforms import resize_map
from util.images.levels import LUMA, to_float, to_levels

FACTORS = (0.1, 1.0)  # of brightness, contrast and saturation
AREA = (0.08, 1.0)  # of a part, as a share of the photograph's
ASPECT = (3 / 4, 4 / 3)  # of a part, width / height
KEEP = (0.1, 0.1 + 1 / 1.12)  # chance of a cell of a grid to be kept
COARSE = 13  # cells along each side
FINE = (26, 27)
SHARING = (COARSE, *FINE)
_ATTEMPTS = 10

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Part(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


class Decomposed(NamedTuple):
    """A sample.

    Attributes:
        copies: the sources, (2, 3, H, W) in [0, 1].
        photo: the target, (3, H, W) in [0, 1].
        masks: (2, H, W); where a mask is true, that source is the target.
    """

    copies: Floats
    photo: Floats
    masks: Mask


def decompose(photo: npt.NDArray[np.uint8], mean_colour: Floats, rng: np.random.Generator) -> Decomposed:
    """Makes two masked copies of a photograph (H, W, 3) RGB, or of a part of one, in random colours.

    The mean colour, (3,) in [0, 1], is that of the whole photograph.
    """
    colours = faded(to_float(photo), mean_colour, rng)
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1))
    masks = random_masks(planes.shape[1], planes.shape[2], rng)
    return Decomposed(masked_copies(planes, masks, rng), planes, masks)


def to_image(planes: Floats) -> npt.NDArray[np.uint8]:
    """The nearest levels, (H, W, 3), of planes (3, H, W) in [0, 1]."""
    return np.ascontiguousarray(to_levels(planes, np.uint8).transpose(1, 2, 0), np.uint8)


def random_part(height: int, width: int, rng: np.random.Generator) -> Part:
    """Draws a part of random area and aspect, as torchvision's RandomResizedCrop does with its usual settings.

    It is the first of ten draws that lies within the image, else the image's middle in the nearest aspect.
    """
    for _ in range(_ATTEMPTS):
        area = height * width * rng.uniform(*AREA)
        aspect = math.exp(rng.uniform(*np.log(ASPECT)))
        part_width, part_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < part_width <= width and 0 < part_height <= height:
            top = int(rng.integers(0, height - part_height + 1))
            left = int(rng.integers(0, width - part_width + 1))
            return Part(top, left, part_height, part_width)
    part_width = min(width, max(1, round(height * ASPECT[1])))
    part_height = min(height, max(1, round(width / ASPECT[0])))
    return Part((height - part_height) // 2, (width - part_width) // 2, part_height, part_width)


def faded(photo: Floats, mean_colour: Floats, rng: np.random.Generator) -> Floats:
    """Takes random shares of a photograph's brightness, contrast and saturation away.

    With luma Y, the mean luma Ȳ and factors b, c, s: b · (c · (s · x + (1 - s) · Y) + (1 - c) · Ȳ). With factors of at
    most 1 nothing is cut off and the order of the three does not matter. Ȳ is that of `mean_colour`, see `decompose`;
    photograph and result are (H, W, 3) RGB in [0, 1].
    """
    brightness, contrast, saturation = rng.uniform(*FACTORS, size=3)
    mixing = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * np.array(LUMA))
    offset = brightness * (1 - contrast) * (mean_colour @ LUMA)
    colours: Floats = photo.reshape(-1, 3) @ mixing.T.astype(np.float32) + np.float32(offset)
    return colours.reshape(photo.shape).clip(0, 1)


def random_masks(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Draws what each of two sources keeps of a photograph; together they keep everything.

    One chance p = 0.1 + U(0, 1) / 1.12 holds for all cells of a sample. A source keeps a pixel where its cells of a
    coarse and of a fine grid are both kept. What neither keeps goes to one of them, by another grid. Which source is
    the first of the (2, height, width) is drawn at last.
    """
    chance = rng.uniform(*KEEP)

    def grid(cells: int) -> Mask:
        return resize_map(rng.random((cells, cells)) < chance, height, width)

    one, other = (grid(COARSE) & grid(int(rng.choice(FINE))) for _ in range(2))
    neither, to_one = ~(one | other), grid(int(rng.choice(SHARING)))
    masks = np.stack((one | (neither & to_one), other | (neither & ~to_one)))
    return masks[::-1] if rng.random() < 0.5 else masks


def masked_copies(photo: Floats, masks: Mask, rng: np.random.Generator) -> Floats:
    """Replaces what each source does not keep by noise, |N(0, 1)| cut off at 1, channel by channel.

    Of a photograph (3, H, W) and masks (N, H, W) it makes (N, 3, H, W); all values are in [0, 1].
    """
    copies = np.abs(rng.standard_normal((len(masks), *photo.shape), np.float32))
    np.minimum(copies, 1, out=copies)
    np.copyto(copies, photo, where=masks[:, None])
    return copies
