"""The base of generators that decompose two sources into a common and two unique images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from models.generators.base import Generator


class DecomposingGenerator(Generator):
    """A generator that also computes images of what its two sources share and of what each has alone.

    Attributes:
        part_names: of these images.
        pad: `fuse` and `decompose` pad images by reflection by so many pixels at each side and crop them afterwards.
    """

    num_sources = 2
    part_names: tuple[str, ...] = ("common", "unique 1", "unique 2")
    pad: int = 0

    @abstractmethod
    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One image (B, C, H, W) for each of `part_names`, in the range of the fused one."""

    @torch.no_grad()
    def decompose(self, sources: Sequence[Tensor]) -> dict[str, Tensor]:
        """Decomposes images of any size, padded and cropped as by `fuse`.

        Args:
            sources: as of `fuse`.

        Returns:
            The images of `part_names`, (B, C, H, W) each, like the fused one.
        """
        parts = zip(self.part_names, self._draw_parts(self._pad(sources)), strict=True)
        return {name: self._crop(part, *sources[0].shape[-2:]) for name, part in parts}

    def _pad(self, sources: Sequence[Tensor]) -> list[Tensor]:
        return super()._pad([pad_all_sides(source, self.pad) for source in sources])

    def _crop(self, image: Tensor, height: int, width: int) -> Tensor:
        return image[..., self.pad : self.pad + height, self.pad : self.pad + width]


def pad_all_sides(image: Tensor, margin: int) -> Tensor:
    """Pads (B, C, H, W) by reflection at each side; the reflection is repeated where the margin exceeds the image.

    Example:
        >>> pad_all_sides(torch.arange(3.0).view(1, 1, 1, 3), margin=3)[0, 0, 0]
        tensor([1., 2., 1., 0., 1., 2., 1., 0., 1.])
    """
    if margin == 0:
        return image
    rows, columns = (_reflected(side, margin).to(image.device) for side in image.shape[-2:])
    return image[..., rows[:, None], columns]


def _reflected(side: int, margin: int) -> Tensor:
    """The indices of the pixels from -margin to side + margin, reflected into the range of a row."""
    last = side - 1
    places = torch.arange(-margin, side + margin) % max(2 * last, 1)
    return torch.minimum(places, 2 * last - places)
