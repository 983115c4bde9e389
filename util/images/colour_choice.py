"""Which colour policy the sources of an item go through a network with: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from util.errors import UserError
from util.images.colour import RGB, Colour, Grey, Luma, is_grey
from util.images.exposure import Exposure
from util.images.levels import Image


def choose_colour(
    sources: Sequence[Image], *, color: str = "auto", exposure: bool = False, channels: int = 3, truncates: bool = False
) -> Colour:
    """Chooses how to fuse sources; the table stands in docs/colour.md.

    Args:
        sources: N images (H, W, 3) of one size.
        color: auto, rgb or luma.
        exposure: as IFCNN tested multi-exposure fusion.
        channels: how many the network takes; one with a single channel fuses luma in any case.
        truncates: levels are cut off instead of rounded, see `Colour`.

    Raises:
        UserError: a depth that the policy is not for.
    """
    grey = tuple(is_grey(source) for source in sources)
    dtype = max((source.dtype for source in sources), key=lambda depth: depth.itemsize)
    of_network = (channels, dtype, truncates)
    if exposure:
        if dtype != np.uint8:
            raise UserError("--exposure was published for images of 8 bits: leave it out for those of 16")
        return Exposure(*of_network, grey=all(grey))
    if all(grey):
        return Grey(*of_network)
    if channels == 1 or color == "luma" or (color == "auto" and any(grey)):
        return Luma(*of_network, grey=grey)
    return RGB(*of_network)
