"""What every generator is: a module that takes N sources and returns at least a fused image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from util.images.levels import LUMA


class FusionOutput(NamedTuple):
    """What a generator returns.

    Attributes:
        fused: the fused image, (B, C, H, W), in the range of the generator's `normalisation`.
        reconstructions: one (B, C, H, W) per source where the network rebuilds its sources, else empty.
        features: by their kind, maps that training compares; one tensor per source unless the network says otherwise.
    """

    fused: Tensor
    reconstructions: tuple[Tensor, ...] = ()
    features: Mapping[str, tuple[Tensor, ...]] = MappingProxyType({})


class Normalisation(NamedTuple):
    """How an image in [0, 1] becomes the input of a network, (x − mean) / std, and its output an image again.

    Attributes:
        mean: one value per channel, or one for all.
        std: the same.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor) -> Tensor:
        """Takes images (B, C, H, W) in [0, 1] into the network's range."""
        return (images - self._per_channel(self.mean, images)) / self._per_channel(self.std, images)

    def undo(self, images: Tensor) -> Tensor:
        """Takes images (B, C, H, W) from the network's range back, not clamped."""
        return images * self._per_channel(self.std, images) + self._per_channel(self.mean, images)

    @staticmethod
    def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, 1, 1)


# Images as they are, in [0, 1].
UNCHANGED = Normalisation((0.0,), (1.0,))
# Images in [-1, 1], as the networks of the pix2pix family take them.
SYMMETRIC = Normalisation((0.5,), (0.5,))
# The statistics of ImageNet's photographs, as the networks trained on it take them.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Generator(nn.Module, ABC):
    """Base of all generators.

    A generator lists in its constructor exactly the options it understands; `forward` computes everything that
    training needs, `fuse` only what a user wants: the fused image at the size of its sources.

    Attributes:
        size_divisor: both sides of an image must be multiples of it in `forward`; `fuse` pads and crops.
        grid: tiles of large images begin at its multiples, in pixels: the stride of a network that takes all sides.
        smallest_side: both sides of an image must be at least this in `forward`; `fuse` pads and crops.
        reach: how far from a pixel the network looks in evaluation, in pixels: half its receptive field. Tiles of large
            images overlap accordingly. None where a pixel depends on the whole image, which is then never cut.
        num_sources: how many sources it fuses, where it is for one number.
        channels: of a source; a network with one fuses luma.
    """

    size_divisor: int = 1
    grid: int = 1
    smallest_side: int = 1
    reach: int | None = 64
    num_sources: int | None = None
    channels: int = 3

    def take(self, images: Tensor) -> Tensor:
        """Gives images (B, 1 or 3, H, W) as many channels as this network takes: luma where that is one.

        Luma is 0.299 R + 0.587 G + 0.114 B; a single channel is repeated.
        """
        if images.shape[1] == self.channels:
            return images
        if self.channels == 1:
            return (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
        return images.expand(-1, self.channels, -1, -1)

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002  (a hook)
        """How images in [0, 1], as they are outside the networks, become the network's input and its output images.

        Args:
            grey: all sources are grey (R = G = B): some networks were used differently on those.
        """
        return SYMMETRIC

    @abstractmethod
    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses N sources, each (B, C, H, W) in the range of `normalisation`."""

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        """The fused image alone; overridden where `forward` computes more than that."""
        return self.forward(sources).fused

    def feature_layers(self) -> Sequence[nn.Module | nn.Parameter]:
        """What `features` alone are computed with, neither the fused image nor a reconstruction."""
        return ()

    @torch.no_grad()
    def fuse(self, sources: Sequence[Tensor]) -> Tensor:
        """Fuses images of any size: pads by reflection to `size_divisor` and `smallest_side`, fuses, crops.

        Args:
            sources: N tensors (B, C, H, W) in the range of `normalisation`, all of one size.

        Returns:
            The fused image (B, C, H, W), of the sources' size.
        """
        (fused,) = self._at_any_size(lambda padded: (self._fused(padded),), sources)
        return fused

    def _at_any_size(
        self, draw: Callable[[Sequence[Tensor]], tuple[Tensor, ...]], sources: Sequence[Tensor]
    ) -> list[Tensor]:
        """What `draw` makes of padded sources, cropped to their size."""
        height, width = sources[0].shape[-2:]
        padded = [pad_to_multiple(source, self.size_divisor, self.smallest_side) for source in sources]
        return [image[..., :height, :width] for image in draw(padded)]

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:  # noqa: ARG003
        """Returns the constructor's arguments that can be told from a state dict, for files without options.

        Nothing can be told by default; a network whose layout depends on its options says here which they were.
        """
        return {}


class CutsOffLevels:
    """Mix-in of a generator whose authors cut off the levels of the images they saved, instead of rounding them."""


def pad_to_multiple(image: Tensor, divisor: int, smallest: int = 1) -> Tensor:
    """Pads (B, C, H, W) at the right and the bottom by reflection until both sides are multiples of `divisor`.

    They also become at least as long as `smallest`, which is a multiple of `divisor` or 1.

    A reflection can add at most side − 1 pixels; where more are needed it is repeated, and a side of one pixel is
    repeated as it is.
    """
    for dimension in (-1, -2):
        side = image.shape[dimension]
        missing = max(-side % divisor, smallest - side)
        while missing > 0:
            step = min(missing, image.shape[dimension] - 1)
            mode = "reflect" if step > 0 else "replicate"
            step = step or missing
            padding = (0, step, 0, 0) if dimension == -1 else (0, 0, 0, step)
            image = functional.pad(image, padding, mode=mode)
            missing -= step
    return image
