"""What the generators have in common that decompose their sources: into what these share and what each has alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.generators.base import Generator


class DecomposingGenerator(Generator):
    """A generator that also draws the images which it decomposes two sources into.

    Attributes:
        part_names: of these images.
        pad: `fuse` and `decompose` pad images by reflection by so many pixels at each side and crop them afterwards.
    """

    num_sources = 2
    part_names: tuple[str, ...] = ("common", "unique 1", "unique 2")
    pad: int = 0

    @abstractmethod
    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One image for each of `part_names`, of the size and range of the fused one."""

    @torch.no_grad()
    def decompose(self, sources: Sequence[Tensor]) -> dict[str, Tensor]:
        """Decomposes images of any size, padded and cropped as by `fuse`.

        Args:
            sources: as of `fuse`.

        Returns:
            The images of `part_names`, (B, C, H, W) each, like the fused one.
        """
        return dict(zip(self.part_names, self._at_any_size(self._draw_parts, sources), strict=True))

    def _at_any_size(
        self, draw: Callable[[Sequence[Tensor]], tuple[Tensor, ...]], sources: Sequence[Tensor]
    ) -> list[Tensor]:
        height, width = sources[0].shape[-2:]
        inside = slice(self.pad, self.pad + height), slice(self.pad, self.pad + width)
        padded = [pad_all_sides(source, self.pad) for source in sources]
        return [image[..., *inside] for image in super()._at_any_size(draw, padded)]


def pad_all_sides(image: Tensor, margin: int) -> Tensor:
    """Pads (B, C, H, W) by reflection, which is repeated where the margin is wider than the image."""
    if margin == 0:
        return image
    rows, columns = (_reflected(side, margin).to(image.device) for side in image.shape[-2:])
    return image[..., rows[:, None], columns]


def _reflected(side: int, margin: int) -> Tensor:
    """Which pixel of a row stands at each place from -margin to side + margin."""
    last = side - 1
    places = torch.arange(-margin, side + margin) % max(2 * last, 1)
    return torch.minimum(places, 2 * last - places)
