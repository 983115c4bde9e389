"""Options of fusing with trained weights: what test.py and `engine.load_fuser` have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from options.fields import Options, option
from util.errors import UserError


@dataclass(frozen=True)
class FusingOptions(Options):
    """Weights, colour and tiles."""

    epoch: str = option("latest", "which checkpoint to use: latest, best, or an epoch's number")
    eval: bool = option(True, "evaluation mode: no dropout, learned statistics in batch norm")
    color: str = option(
        "auto",
        "rgb: fuse the channels; luma: fuse luma and combine chroma; auto: luma where grey and coloured sources meet",
        choices=("auto", "rgb", "luma"),
    )
    exposure: bool = option(False, "finish as IFCNN did for multi-exposure: luma in 16 to 235, local contrast")
    tile: int = option(
        -1, "side of the tiles that images are cut into; 0 never, -1 from 4 megapixels on (1024)", at_least=-1
    )
    tile_overlap: int = option(
        -1, "pixels that tiles share, at most half a tile; -1: what the network needs", at_least=-1
    )

    def check(self, config: Any) -> None:  # noqa: ARG002
        """Raises `UserError` for tiles that would overlap by more than half, and a name that is no epoch's."""
        if 0 < self.tile < 2 * self.tile_overlap:
            raise UserError(
                f"--tile {self.tile} --tile_overlap {self.tile_overlap}: expected an overlap of at most half a tile"
            )
        if not re.fullmatch(r"\w+", self.epoch):
            raise UserError(f"--epoch {self.epoch}: expected latest, best or an epoch's number")
