"""From the images of a scene to the fused one, in tiles, with one network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.fusing.arrays import AnyImage, as_images
from engine.fusing.batch import decompose_batch, fuse_batch
from engine.runtime import Runtime
from models.generators.base import CutsOffLevels, Generator
from models.generators.decomposing import DecomposingGenerator
from options.fusing import FusingOptions
from util.errors import UserError
from util.images.colour import Colour
from util.images.colour_choice import choose_colour
from util.images.levels import Floats, Image
from util.images.tiling import Span, in_tiles, overlap_for, spans

TILED_FROM = 4_000_000  # pixels; a network with 64 channels holds some gigabytes for an image of this size
USUAL_TILE = 1024


@dataclass(frozen=True)
class Plan:
    """What fusing an item takes. Items of equal plans can be fused together.

    Attributes:
        colour: how the sources go through the network, and what the fused image gets its colour from.
        shape: height and width.
    """

    colour: Colour
    shape: tuple[int, int]


class Fuser:
    """Fuses images of any size, depth and colour with a network.

    Args:
        runtime: devices, processes and precision.
        generator: the network, already in the mode it is to be used in.
        options: how; `color`, `exposure`, `tile` and `tile_overlap` count.

    Attributes:
        generator: the network.

    Raises:
        UserError: tiles too small for the network.
    """

    def __init__(self, runtime: Runtime, generator: Generator, options: FusingOptions | None = None) -> None:
        self._runtime, self.generator = runtime, generator
        self._options = options or FusingOptions()
        self._grid = math.lcm(generator.size_divisor, generator.grid)
        tile = self._options.tile
        if 0 < tile < self._grid:
            raise UserError(f"--tile {tile}: this network expects {self._grid} pixels or more")
        if tile > 0 and generator.reach is None:
            raise UserError(
                f"--tile {tile}: this network needs whole images; leave --tile out (SMFNet: or add --stretch none)"
            )

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._runtime.device

    def __call__(self, sources: Sequence[AnyImage]) -> AnyImage:
        """Fuses the images of a scene.

        Args:
            sources: numpy arrays (H, W) or (H, W, 3), or torch tensors (H, W), (1, H, W) or (3, H, W), all of one size,
                in the order that the network expects; `uint8` and `uint16`, or floats in [0, 1].

        Returns:
            The fused image, of the same library, layout, size and device; of the deepest of the sources' dtypes; with
            colour channels where one of the sources has them.

        Raises:
            UserError: another number of sources than the network fuses, or images that are not as above.

        Example:
            >>> from models import create_generator
            >>> fuser = Fuser(Runtime(gpu_ids="-1"), create_generator("IFCNN").eval())
            >>> infrared, visible = np.zeros((37, 53), np.uint8), np.full((37, 53, 3), 255, np.uint8)
            >>> fused = fuser([infrared, visible])
            >>> fused.shape, fused.dtype
            ((37, 53, 3), dtype('uint8'))
        """
        expected = self.generator.num_sources
        if len(sources) < 2 or (expected is not None and len(sources) != expected):
            number = f"{expected}, as many as the network fuses" if expected else "at least 2"
            raise UserError(f"{len(sources)} source{'s' * (len(sources) != 1)}: expected {number}")
        images, like_sources = as_images(sources)
        (fused,) = self.fuse_images([images], self.plan(images))
        return like_sources(fused)

    def plan(self, sources: Sequence[Image]) -> Plan:
        """Chooses how the sources of an item are fused.

        Args:
            sources: N images (H, W, 3) of one size.

        Raises:
            UserError: a depth that the options do not allow.
        """
        colour = choose_colour(
            sources,
            color=self._options.color,
            exposure=self._options.exposure,
            channels=self.generator.channels,
            truncates=isinstance(self.generator, CutsOffLevels),
        )
        return Plan(colour, sources[0].shape[:2])

    def fuse_images(self, items: Sequence[Sequence[Image]], plan: Plan) -> list[Image]:
        """Fuses items of one plan together.

        Args:
            items: for each item its N sources, (H, W, 3).
            plan: theirs.

        Returns:
            For each the fused image at the sources' size and depth; (H, W) where all are grey, else (H, W, 3).
        """
        fuse = partial(fuse_batch, self._runtime, self.generator, grey=plan.colour.sees_grey)
        canvases = [_Canvas(plan.shape) for _ in items]
        for rows, images in self._in_stripes(fuse, items, plan):
            for canvas, fused, sources in zip(canvases, images, items, strict=True):
                canvas.put(rows, plan.colour.finish(fused, [source[rows] for source in sources]))
        return [plan.colour.complete(canvas.image, of) for canvas, of in zip(canvases, items, strict=True)]

    def decompose_images(self, items: Sequence[Sequence[Image]], plan: Plan) -> list[dict[str, Image]]:
        """Decomposes items of one plan together, in tiles as they are fused.

        Args:
            items: for each item its N sources, (H, W, 3).
            plan: theirs.

        Returns:
            For each the images of the generator's `part_names` at the sources' size and depth: (H, W, 3) where RGB
            goes through the network, else (H, W), of the sources' grey or luma.

        Raises:
            UserError: the network does not decompose.
        """
        generator = self.generator
        if not isinstance(generator, DecomposingGenerator):
            raise UserError(f"{type(generator).__name__} does not decompose its sources")

        def decompose(batches: list[Tensor]) -> Tensor:
            parts = decompose_batch(self._runtime, generator, batches, grey=plan.colour.sees_grey)
            return torch.cat([*parts.values()], dim=1)

        names = generator.part_names
        canvases = [{name: _Canvas(plan.shape) for name in names} for _ in items]
        for rows, images in self._in_stripes(decompose, items, plan):
            for of_item, image in zip(canvases, images, strict=True):
                for canvas, part in zip(of_item.values(), np.split(image, len(names), axis=-1), strict=True):
                    canvas.put(rows, plan.colour.levels(part))
        return [{name: canvas.image for name, canvas in of_item.items()} for of_item in canvases]

    def _in_stripes(
        self, compute: Callable[[list[Tensor]], Tensor], items: Sequence[Sequence[Image]], plan: Plan
    ) -> Iterator[tuple[slice, Floats]]:
        """Computes something of all items tile by tile.

        Args:
            compute: takes a tile of all items, for each source (B, C, height, width) in [0, 1], to (B, C, same size).
            items: for each item its N sources, (H, W, 3).
            plan: theirs.

        Yields:
            The rows of a stripe, and the stripe (B, height, W, C).
        """

        def of_tile(rows: slice, columns: slice) -> Tensor:
            prepared = [plan.colour.prepare([source[rows, columns] for source in sources]) for sources in items]
            # The first sources of all items, the second ones, …
            batches = [torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) for images in zip(*prepared, strict=True)]
            return compute(batches)

        for stripe, values in in_tiles(of_tile, *self._spans(plan.shape)):
            yield stripe, values.permute(0, 2, 3, 1).cpu().numpy()

    def _spans(self, shape: tuple[int, int]) -> tuple[list[Span], list[Span]]:
        """Where the tiles of an image lie, from top to bottom and from left to right."""
        tile, overlap, reach = self._options.tile, self._options.tile_overlap, self.generator.reach
        if tile == 0 or reach is None or (tile < 0 and shape[0] * shape[1] <= TILED_FROM):
            return [Span(0, shape[0], 0)], [Span(0, shape[1], 0)]
        overlap = overlap_for(reach) if overlap < 0 else overlap
        if tile < 0:  # a network that looks far needs tiles of twice the overlap to see what it sees in whole images
            tile = max(USUAL_TILE, 2 * (-(-overlap // self._grid) * self._grid))
        return spans(shape[0], tile, overlap, self._grid), spans(shape[1], tile, overlap, self._grid)


class _Canvas:
    """An image of some height and width that is put together from stripes."""

    image: Image

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape

    def put(self, rows: slice, stripe: Image) -> None:
        """Fills rows; the first stripe says what kind of image it is."""
        if rows.start == 0:
            self.image = np.empty((*self._shape, *stripe.shape[2:]), stripe.dtype)
        self.image[rows] = stripe
