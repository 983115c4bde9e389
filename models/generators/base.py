"""What every generator is: a module that takes N sources and returns at least a fused image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


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
            images overlap accordingly.
        num_sources: how many sources it fuses, where it is for one number.
        channels: of a source; a network with one fuses luma.
        pad: `fuse` continues images by reflection so far at each side and crops them afterwards, in pixels.
        truncates: levels of saved images are cut off, not rounded, as the network's authors did.
        whole_image: what it does to a pixel depends on the whole image, so that it cannot be cut into tiles.
        part_names: of the images that `decompose` takes the sources apart into; none where a network does not.
    """

    size_divisor: int = 1
    grid: int = 1
    smallest_side: int = 1
    reach: int = 64
    num_sources: int | None = None
    channels: int = 3
    pad: int = 0
    truncates: bool = False
    whole_image: bool = False
    part_names: tuple[str, ...] = ()

    def take(self, images: Tensor) -> Tensor:
        """Gives images (B, 1 or 3, H, W) as many channels as this network takes: luma where that is one.

        Luma is 0.299 R + 0.587 G + 0.114 B; a single channel is repeated.
        """
        if images.shape[1] == self.channels:
            return images
        if self.channels == 1:
            return (images * images.new_tensor((0.299, 0.587, 0.114)).view(3, 1, 1)).sum(1, keepdim=True)
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

    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:  # noqa: ARG002  (a hook)
        """One image for each of `part_names`, of the size and range of the fused one."""
        return ()

    @torch.no_grad()
    def fuse(self, sources: Sequence[Tensor]) -> Tensor:
        """Fuses images of any size: pads by reflection by `pad`, to `size_divisor` and `smallest_side`, fuses, crops.

        Args:
            sources: N tensors (B, C, H, W) in the range of `normalisation`, all of one size.

        Returns:
            The fused image (B, C, H, W), of the sources' size.
        """
        (fused,) = self._at_any_size(lambda padded: (self._fused(padded),), sources)
        return fused

    @torch.no_grad()
    def decompose(self, sources: Sequence[Tensor]) -> dict[str, Tensor]:
        """Takes images of any size apart, padded and cropped as by `fuse`.

        Args:
            sources: as of `fuse`.

        Returns:
            The images of `part_names`, each like the fused one; empty for a network that takes nothing apart.
        """
        return dict(zip(self.part_names, self._at_any_size(self._draw_parts, sources), strict=True))

    def _at_any_size(
        self, draw: Callable[[Sequence[Tensor]], tuple[Tensor, ...]], sources: Sequence[Tensor]
    ) -> list[Tensor]:
        height, width = sources[0].shape[-2:]
        continued = [pad_all_sides(source, self.pad) for source in sources]
        padded = [pad_to_multiple(source, self.size_divisor, self.smallest_side) for source in continued]
        inside = slice(self.pad, self.pad + height), slice(self.pad, self.pad + width)
        return [image[..., *inside] for image in draw(padded)]

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:  # noqa: ARG003
        """Returns the constructor's arguments that can be told from a state dict, for files without options.

        Nothing can be told by default; a network whose layout depends on its options says here which they were.
        """
        return {}

    @classmethod
    def options_of_published(cls, file_name: str) -> dict[str, object]:  # noqa: ARG003
        """Returns the constructor's arguments that a published file was tested with, as far as no weights tell them.

        Args:
            file_name: the name of the file, such as IFCNN-MEAN.pth.
        """
        return {}


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


def pad_all_sides(image: Tensor, margin: int) -> Tensor:
    """Continues (B, C, H, W) by reflection, as often as a margin wider than the image needs."""
    if margin == 0:
        return image
    rows, columns = (_reflected(side, margin).to(image.device) for side in image.shape[-2:])
    return image[..., rows[:, None], columns]


def _reflected(side: int, margin: int) -> Tensor:
    """Which pixel of a row stands at each place from -margin to side + margin."""
    last = side - 1
    places = torch.arange(-margin, side + margin) % max(2 * last, 1)
    return torch.minimum(places, 2 * last - places)
