"""The generator of BlendNet, our own: sources are blended band by band, with weights that a network predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import UNCHANGED, FusionOutput, Generator, Normalisation
from models.layers.pyramid import grow, local_contrast, to_bands
from options.networks import BlendNetOptions

LEVELS = 7  # bands; the residual is the image at 1/128
FIRST = 2  # the level, a quarter of the size, at which the network begins
WIDTHS = (1, 1.5, 2.5, 3, 3)  # channels from level `FIRST` on, in units of the option
BOUNDS = (8.0, 8.0, 8.0, 6.0, 4.0, 3.0, 2.0, 2.0)  # of the logits in each band and in the residual
POWERS = (2.0, 2.0, 2.0, 2.0, 1.5, 1.0, 0.75)  # of the contrast, initially
LEAST_CONTRAST = 1 / 128  # initially; where the contrast is far below it, the logits alone decide
CONTRAST_SCALE = 3.0  # brings log contrasts to about [-1, 1]: (x / 3 + 1)


class BlendNetGenerator(Generator):
    """Blends any number of sources of any kind in a Laplacian pyramid, with a weight for each pixel, band and source.

    The weights of a band are the softmax over the sources of p · log(local contrast + c) + logit, where p and c are
    learned for each band. Without logits this is a pyramid fused by contrast (Burt and Kolczynski, "Enhanced image
    capture through fusion", ICCV 1993). The logits come from a U-Net that begins at a quarter of the size; in each of
    its blocks a source sees its own maps and the maximum over all sources, so that the order of the sources does not
    matter. They are bounded, more strictly in coarse bands, so that the fused image stays smooth where the sources'
    levels contradict each other. The residual is blended by logits alone.

    The fused image is a convex combination of what the sources hold in each band: nothing is invented.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("BlendNet").eval()
        >>> a, b, c = (torch.rand(1, 1, 37, 53) for _ in range(3))
        >>> fused = net.fuse([a, b, c])
        >>> fused.shape
        torch.Size([1, 1, 37, 53])
        >>> torch.allclose(fused, net.fuse([c, a, b]), atol=1e-5)
        True
    """

    size_divisor = 4
    grid = 2**LEVELS
    reach = 5 * 2**LEVELS
    channels = 1

    def __init__(self, options: BlendNetOptions) -> None:
        super().__init__()
        channels = [round(options.width * factor) for factor in WIDTHS]
        # Besides its maps a level is given the image and the contrast at its size; the first one those of finer levels.
        self.stem = _convolution(4**FIRST + FIRST + 1, channels[0])
        before = [channels[0], *(number + 2 for number in channels[:-1])]
        self.encoder = nn.ModuleList(map(_Block, before, channels))
        joined = [fine + coarse for fine, coarse in pairwise(channels)]
        self.decoder = nn.ModuleList(map(_Block, joined, channels))
        fine_heads = (_convolution(channels[0], 4 ** (FIRST - level)) for level in range(FIRST))
        coarse_heads = (nn.Conv2d(number, 1, 1) for number in (*channels, channels[-1]))
        self.heads = nn.ModuleList((*fine_heads, *coarse_heads))  # of the bands and the residual
        self.power = nn.Parameter(torch.tensor(POWERS))
        self.log_floor = nn.Parameter(torch.full((LEVELS,), math.log(LEAST_CONTRAST)))
        self.begin_with_contrast()

    def begin_with_contrast(self) -> None:
        """Sets the logits to zero, so that a training begins with fusion by contrast."""
        for parameter in self.heads.parameters():
            nn.init.zeros_(parameter)

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """See `Generator.normalisation`: [0, 1]."""
        return UNCHANGED

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses N sources.

        Args:
            sources: N tensors (B, 1, H, W) in [0, 1], H and W multiples of 4.

        Returns:
            `fused` (B, 1, H, W) in [0, 1], up to the overshoot of a pyramid whose bands come from several sources.
        """
        count = len(sources)
        bands, images = to_bands(torch.cat(list(sources)), LEVELS)
        contrasts = [
            (local_contrast(band) + floor.exp()).log() for band, floor in zip(bands, self.log_floor, strict=True)
        ]
        logits = self._logits(images, contrasts, count)
        fused = _blend(images.pop(), logits.pop(), BOUNDS[-1], count)
        images.clear()
        for level in reversed(range(LEVELS)):  # what is done is freed, so that memory is that of the finest band
            contrast, band = self.power[level] * contrasts.pop(), bands.pop()
            blended = _blend(band, logits.pop(), BOUNDS[level], count, contrast)
            fused = blended + grow(fused, band.shape[-2:])
        return FusionOutput(fused)

    def _logits(self, images: Sequence[Tensor], contrasts: Sequence[Tensor], count: int) -> list[Tensor]:
        """The network's logits, not yet bounded, for each band and the residual, (N · B, 1, their size) each.

        Args:
            images: the sources at all sizes, (N · B, 1, H / 2^level, W / 2^level).
            contrasts: logarithms of the local contrast, of the sizes of `images`, without that of the residual.
            count: N.
        """
        pooled = [functional.avg_pool2d(contrasts[level], 2 ** (FIRST - level)) for level in range(FIRST)]
        pixels = functional.pixel_unshuffle(images[0], 2**FIRST) * 2 - 1
        seen = [contrast / CONTRAST_SCALE + 1 for contrast in (*pooled, *contrasts[FIRST:])]
        maps = functional.relu(self.stem(torch.cat([pixels, *seen[: FIRST + 1]], dim=1)))
        encoded: list[Tensor] = []
        for level, block in enumerate(self.encoder, start=FIRST):
            if level > FIRST:
                halved = functional.avg_pool2d(maps, 2, ceil_mode=True)
                maps = torch.cat([halved, images[level] * 2 - 1, seen[level]], dim=1)
            maps = block(maps, count)
            encoded.append(maps)
        found = [self.heads[-1](functional.avg_pool2d(maps, 2, ceil_mode=True)), self.heads[-2](maps)]
        for head, block, skipped in reversed([*zip(self.heads[FIRST:], self.decoder, encoded, strict=False)]):
            maps = block(torch.cat([skipped, grow(maps, skipped.shape[-2:])], dim=1), count)
            found.append(head(maps))
        for level in reversed(range(FIRST)):
            found.append(functional.pixel_shuffle(self.heads[level](maps), 2 ** (FIRST - level)))
        return found[::-1]

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """See `Generator.options_from_state`."""
        return {"width": len(state["stem.bias"])} if "stem.bias" in state else {}


class _Block(nn.Module):
    """Two convolutions; between them each source is shown the maximum over all sources.

    Args:
        before: channels that come in.
        channels: channels that go out.
    """

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.first = _convolution(before, channels)
        self.own = _convolution(channels, channels)
        self.all = _convolution(channels, channels, bias=False)

    def forward(self, maps: Tensor, count: int) -> Tensor:
        """(N · B, before, H, W) → (N · B, channels, H, W), with N = `count`."""
        maps = functional.relu(self.first(maps))
        of_all = self.all(maps.unflatten(0, (count, -1)).amax(0))
        return functional.relu(self.own(maps).unflatten(0, (count, -1)) + of_all).flatten(0, 1)


def _convolution(before: int, channels: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, channels, 3, padding=1, padding_mode="replicate", bias=bias)


def _blend(maps: Tensor, logits: Tensor, bound: float, count: int, contrast: Tensor | float = 0.0) -> Tensor:
    """Blends the maps (N · B, 1, H, W) of N sources by the softmax of contrast and bounded logits: (B, 1, H, W)."""
    weights = (bound * torch.tanh(logits / bound) + contrast).unflatten(0, (count, -1)).softmax(0)
    return (weights * maps.unflatten(0, (count, -1))).sum(0)
