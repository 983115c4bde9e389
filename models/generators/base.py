"""The base of generators: modules that take N sources and return at least a fused image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
        features: kind → maps that the loss compares; one tensor (B, C', H', W') per source unless the network documents
            otherwise.
    """

    fused: Tensor
    reconstructions: tuple[Tensor, ...] = ()
    features: Mapping[str, tuple[Tensor, ...]] = MappingProxyType({})


class Normalisation(NamedTuple):
    """The conversion of images in [0, 1] to the input range of a network, (x − mean) / std, and back.

    Attributes:
        mean: one value per channel, or one for all.
        std: one value per channel, or one for all.

    Example:
        >>> SYMMETRIC.apply(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3))
        tensor([[[[-1.,  0.,  1.]]]])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor) -> Tensor:
        """Converts images (B, C, H, W) from [0, 1] to the network's range."""
        return (images - self._per_channel(self.mean, images)) / self._per_channel(self.std, images)

    def undo(self, images: Tensor) -> Tensor:
        """Converts images (B, C, H, W) from the network's range to [0, 1], not clamped."""
        return images * self._per_channel(self.std, images) + self._per_channel(self.mean, images)

    @staticmethod
    def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, 1, 1)


# Images as they are, in [0, 1].
UNCHANGED = Normalisation((0.0,), (1.0,))
# Images in [-1, 1], as in the pix2pix family.
SYMMETRIC = Normalisation((0.5,), (0.5,))
# The statistics of ImageNet, for networks that were trained on it.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Generator(nn.Module, ABC):
    """Base of all generators.

    A generator's constructor takes its options, a dataclass of `options.networks`. `forward` computes everything that
    training needs, `fuse` only the fused image, at the size of its sources.

    Attributes:
        size_divisor: both sides of an image must be multiples of it in `forward`; `fuse` pads and crops.
        grid: tiles of large images begin at its multiples, in pixels: the stride of a network without `size_divisor`.
        smallest_side: both sides of an image must be at least this in `forward`; `fuse` pads and crops.
        reach: half the receptive field in evaluation mode, in pixels; the overlap of tiles follows from it. None where
            a pixel depends on the whole image, which is then never divided into tiles.
        num_sources: the number of sources, where it is fixed.
        channels: of a source; a network with one channel fuses luma.
    """

    size_divisor: int = 1
    grid: int = 1
    smallest_side: int = 1
    reach: int | None = 64
    num_sources: int | None = None
    channels: int = 3

    def take(self, images: Tensor) -> Tensor:
        """Converts images (B, 1 or 3, H, W) to the network's number of channels: (B, channels, H, W).

        One channel is luma, 0.299 R + 0.587 G + 0.114 B; a single channel is repeated to three.
        """
        if images.shape[1] == self.channels:
            return images
        if self.channels == 1:
            return (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
        return images.expand(-1, self.channels, -1, -1)

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002  (a hook)
        """The conversion from images in [0, 1], as used outside the networks, to the network's range and back.

        Args:
            grey: all sources are grey (R = G = B); some published networks treat those differently.
        """
        return SYMMETRIC

    @abstractmethod
    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses N sources, each (B, C, H, W) in the range of `normalisation`."""

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        """The fused image alone (B, C, H, W); overridden where `forward` computes more than that."""
        return self.forward(sources).fused

    def feature_layers(self) -> Sequence[nn.Module | nn.Parameter]:
        """The layers that only `features` depend on, neither the fused image nor a reconstruction."""
        return ()

    @torch.no_grad()
    def fuse(self, sources: Sequence[Tensor]) -> Tensor:
        """Fuses images of any size: pads by reflection to `size_divisor` and `smallest_side`, fuses, crops.

        Args:
            sources: N tensors (B, C, H, W) in the range of `normalisation`, all of one size.

        Returns:
            The fused image (B, C, H, W), of the sources' size.
        """
        return self._crop(self._fused(self._pad(sources)), *sources[0].shape[-2:])

    def _pad(self, sources: Sequence[Tensor]) -> list[Tensor]:
        return [pad_to_multiple(source, self.size_divisor, self.smallest_side) for source in sources]

    def _crop(self, image: Tensor, height: int, width: int) -> Tensor:
        return image[..., :height, :width]

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:  # noqa: ARG003
        """Returns those options that a state dict determines, for files without options; none by default.

        Args:
            state: the state dict, as loaded from a file.
        """
        return {}


class CutsOffLevels:
    """Mix-in of generators whose fused images are truncated to whole levels, as their authors did, not rounded."""


def pad_to_multiple(image: Tensor, divisor: int, smallest: int = 1) -> Tensor:
    """Pads (B, C, H, W) at the right and the bottom by reflection, until both sides are multiples of `divisor`.

    A reflection can add at most side − 1 pixels; where more are needed it is repeated. A side of one pixel is padded by
    replication.

    Args:
        image: (B, C, H, W).
        divisor: of both sides.
        smallest: both sides become at least this long; a multiple of `divisor`, or 1.

    Example:
        >>> pad_to_multiple(torch.arange(3.0).view(1, 1, 1, 3), divisor=4)[0, 0, 0]
        tensor([0., 1., 2., 1.])
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
