"""From the images of a scene to the fused one: colour, depth, size, tiles. What test.py does with a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.fusing.batch import decompose, fuse
from engine.runtime import Runtime
from models.generators.base import Generator
from util.errors import UserError
from util.images import exposure
from util.images.colour import Colour, Floats, choose_colour, is_grey, luma, replace_luma, to_float, to_levels
from util.images.image_io import Image
from util.images.tiling import Span, in_tiles, overlap_for, spans

TILED_FROM = 4_000_000  # pixels; a network with 64 channels holds some gigabytes for an image of this size
USUAL_TILE = 1024


@dataclass(frozen=True)
class FusingSettings:
    """How images are fused.

    Attributes:
        color: auto, rgb or luma, see `util.images.colour.choose_colour`.
        exposure: as IFCNN tested multi-exposure fusion, see `util.images.exposure`.
        tile: side of a tile in pixels; 0 never cuts an image, -1 does from `TILED_FROM` pixels on.
        tile_overlap: how many pixels neighbouring tiles share; -1 as many as the network's `reach` asks for.
    """

    color: str = "auto"
    exposure: bool = False
    tile: int = -1
    tile_overlap: int = -1


@dataclass(frozen=True)
class Plan:
    """What fusing an item takes. Items of equal plans can be fused together.

    Attributes:
        colour: how the sources go through the network.
        grey: for each source whether it is grey.
        shape: height and width.
        dtype: of the result, the deepest of the sources'.
    """

    colour: Colour
    grey: tuple[bool, ...]
    shape: tuple[int, int]
    dtype: npt.DTypeLike


class Fuser:
    """Fuses images as they are on disk.

    Args:
        runtime: devices, processes and precision.
        generator: the network, already in the mode it is to be used in.
        settings: how.

    Raises:
        UserError: tiles too small for the network.
    """

    def __init__(self, runtime: Runtime, generator: Generator, settings: FusingSettings | None = None) -> None:
        self._runtime, self._generator = runtime, generator
        self._settings = settings or FusingSettings()
        self._grid = math.lcm(generator.size_divisor, generator.grid)
        if 0 < self._settings.tile < self._grid:
            raise UserError(f"--tile {self._settings.tile}: this network wants {self._grid} pixels or more")
        if self._settings.tile > 0 and generator.whole_image:
            raise UserError(
                f"--tile {self._settings.tile}: this network stretches whole images; leave --tile out, or say "
                "--stretch none"
            )

    def plan(self, sources: Sequence[Image]) -> Plan:
        """Says what fusing the sources of an item takes.

        Args:
            sources: N images (H, W, 3) of one size.

        Raises:
            UserError: a depth that the settings do not allow.
        """
        grey = tuple(is_grey(source) for source in sources)
        colour = choose_colour(self._settings.color, grey, self._generator.channels)
        dtype = max((source.dtype for source in sources), key=lambda depth: depth.itemsize)
        if self._settings.exposure:
            if dtype != np.uint8:
                raise UserError("--exposure was published for images of 8 bits: leave it out for those of 16")
            colour = Colour.LUMA if colour is Colour.RGB else colour
        return Plan(colour, grey, sources[0].shape[:2], dtype)

    def fuse(self, items: Sequence[Sequence[Image]], plan: Plan) -> list[Image]:
        """Fuses items of one plan together.

        Args:
            items: for each item its N sources, (H, W, 3).
            plan: theirs.

        Returns:
            For each the fused image at the sources' size and depth; (H, W) where all are grey, else (H, W, 3).
        """
        planes = plan.colour is Colour.GREY or self._settings.exposure
        channels = () if planes else (3,)
        results: list[Image] = [np.empty((*plan.shape, *channels), plan.dtype) for _ in items]
        rows, columns = self._spans(plan.shape)
        # Tile by tile, so that floats never cover a whole image.
        for stripe, values in in_tiles(lambda *tile: self._fuse_tile(items, plan, tile), rows, columns):
            images = values.permute(0, 2, 3, 1).cpu().numpy()
            for result, image, sources in zip(results, images, items, strict=True):
                if planes:
                    result[stripe] = self._grey_levels(image, plan)
                else:
                    result[stripe] = self._coloured_levels(image, [source[stripe] for source in sources], plan)
        if self._settings.exposure:
            results = [exposure.finish(plane, sources) for plane, sources in zip(results, items, strict=True)]
            return [image[..., 0] if plan.colour is Colour.GREY else image for image in results]
        return results

    def decompose(self, items: Sequence[Sequence[Image]], plan: Plan) -> list[dict[str, Image]]:
        """Takes items of one plan apart together, in tiles as they are fused.

        Args:
            items: for each item its N sources, (H, W, 3).
            plan: theirs.

        Returns:
            For each the images of the generator's `part_names` at the sources' size and depth: (H, W, 3) where RGB
            goes through the network, else (H, W), the sources' grey or luma taken apart.
        """
        names = self._generator.part_names
        channels = (3,) if plan.colour is Colour.RGB else ()
        results = [{name: np.empty((*plan.shape, *channels), plan.dtype) for name in names} for _ in items]
        rows, columns = self._spans(plan.shape)
        for stripe, values in in_tiles(lambda *tile: self._decompose_tile(items, plan, tile), rows, columns):
            for name, part in zip(names, values.chunk(len(names), dim=1), strict=True):
                for result, image in zip(results, part.permute(0, 2, 3, 1).cpu().numpy(), strict=True):
                    result[name][stripe] = self._plain_levels(image, plan)
        return results

    def _spans(self, shape: tuple[int, int]) -> list[list[Span]]:
        tile, overlap = self._settings.tile, self._settings.tile_overlap
        if tile < 0:
            cut = shape[0] * shape[1] > TILED_FROM and not self._generator.whole_image
            tile = USUAL_TILE if cut else 0
        if tile == 0:
            return [[Span(0, side, 0)] for side in shape]
        if overlap < 0:
            overlap = overlap_for(self._generator.reach)
        return [spans(side, tile, overlap, self._grid) for side in shape]

    def _fuse_tile(self, items: Sequence[Sequence[Image]], plan: Plan, tile: tuple[slice, slice]) -> Tensor:
        """Fuses one tile of all items; returns (B, C, height, width) in [0, 1]."""
        batches = self._batches(items, plan, tile)
        return fuse(self._runtime, self._generator, batches, grey=plan.colour is not Colour.RGB)

    def _decompose_tile(self, items: Sequence[Sequence[Image]], plan: Plan, tile: tuple[slice, slice]) -> Tensor:
        """Takes one tile of all items apart; returns (B, parts * C, height, width) in [0, 1]."""
        batches = self._batches(items, plan, tile)
        parts = decompose(self._runtime, self._generator, batches, grey=plan.colour is not Colour.RGB)
        return torch.cat([*parts.values()], dim=1)

    def _batches(self, items: Sequence[Sequence[Image]], plan: Plan, tile: tuple[slice, slice]) -> list[Tensor]:
        """What the network gets: for each source one tile of all items, (B, C, height, width) in [0, 1]."""
        batches = []
        for of_items in zip(*items, strict=True):  # the first sources of all items, the second ones, …
            values = np.stack([self._prepare(source[tile], plan) for source in of_items])
            batches.append(torch.from_numpy(values).permute(0, 3, 1, 2))
        return batches

    def _prepare(self, source: Image, plan: Plan) -> Floats:
        """What the network gets of a source: (H, W, its channels) in [0, 1]."""
        if plan.colour is Colour.RGB:
            return to_float(source)
        if self._settings.exposure:
            plane = to_float(exposure.split(source)[..., 0])
        else:
            plane = luma(to_float(source)) if plan.colour is Colour.LUMA else to_float(source[..., 0])
        return np.repeat(plane[..., None], self._generator.channels, axis=2)

    def _grey_levels(self, fused: Floats, plan: Plan) -> Image:
        """One plane of what a network made of grey sources or luma: first whole levels, then grey, as IFCNN did."""
        levels = to_levels(fused, plan.dtype, truncate=self._generator.truncates)
        if levels.shape[-1] == 1:
            return levels[..., 0]
        grey: npt.NDArray[Any] = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
        return grey

    def _plain_levels(self, image: Floats, plan: Plan) -> Image:
        """An image as the network drew it: RGB, or one plane of what it made of grey sources or luma."""
        if plan.colour is Colour.RGB:
            return to_levels(image, plan.dtype, truncate=self._generator.truncates)
        return self._grey_levels(image, plan)

    def _coloured_levels(self, fused: Floats, sources: Sequence[Image], plan: Plan) -> Image:
        if plan.colour is Colour.RGB:
            return self._plain_levels(fused, plan)
        plane = luma(fused) if fused.shape[-1] == 3 else fused[..., 0]
        return to_levels(replace_luma(plane, [to_float(source) for source in sources], plan.grey), plan.dtype)
