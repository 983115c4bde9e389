"""pix2pix's U-Nets on concatenated sources (Ronneberger et al. 2015; Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.generators.base import FusionOutput, Generator
from models.layers.concat import concatenate_sources
from models.layers.norm import conv_has_bias, make_norm
from models.layers.resnet import norm_in_state
from models.weights import plain_state
from options.networks import FamilyOptions
from util.errors import UserError


class UnetGenerator(Generator):
    """A U-Net with `num_downs` levels and a skip connection at each; sources are concatenated along the channels.

    The levels are nested, each inside the next larger one, and so are their names: `model.model.1.model.3.…`.

    Args:
        options: see there; at most 8 ngf filters, dropout between the bottleneck and the first level of 8 ngf channels.
        num_sources: number of sources; fixed, since the first convolution has input_nc · num_sources channels.
        num_downs: number of halvings, at least 5; sides are multiples of 2 to this power.

    Raises:
        UserError: `num_downs` is below 5, or an unknown norm.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("unet_128", num_sources=2, ngf=4).eval()
        >>> net.size_divisor
        128
        >>> net.fuse([torch.rand(1, 3, 40, 50) * 2 - 1 for _ in range(2)]).shape
        torch.Size([1, 3, 40, 50])
    """

    def __init__(self, options: FamilyOptions, num_sources: int = 2, *, num_downs: int) -> None:
        super().__init__()
        if num_downs < 5:
            raise UserError(f"num_downs {num_downs} must be at least 5")
        self.num_sources: int = num_sources
        self.size_divisor = 2**num_downs
        self.reach = 3 * 2**num_downs
        ngf, norm = options.ngf, options.norm
        block = _level(8 * ngf, 8 * ngf, None, norm)
        for _ in range(num_downs - 5):
            block = _level(8 * ngf, 8 * ngf, block, norm, options.dropout)
        for channels in (4 * ngf, 2 * ngf, ngf):
            block = _level(channels, 2 * channels, block, norm)
        down = nn.Conv2d(options.input_nc * num_sources, ngf, 4, stride=2, padding=1, bias=conv_has_bias(norm))
        up = nn.ConvTranspose2d(2 * ngf, options.output_nc, 4, stride=2, padding=1)
        self.model = _Level([down, block, nn.ReLU(inplace=True), up, nn.Tanh()], skip=False)

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses the sources.

        Args:
            sources: `num_sources` tensors (B, input_nc, H, W) in [-1, 1], sides multiples of `size_divisor`.

        Returns:
            `fused` (B, output_nc, H, W) in [-1, 1].

        Raises:
            UserError: another number of sources than the network was built for.
        """
        return FusionOutput(self.model(concatenate_sources(sources, self.num_sources)))

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """Returns output_nc, ngf and norm; dropout has no weights here and is not needed in evaluation."""
        plain = plain_state(state)
        first, last = plain.get("model.model.0.weight"), plain.get("model.model.3.weight")
        if first is None or last is None:
            return {}
        return {
            "output_nc": last.shape[1],
            "ngf": first.shape[0],
            **norm_in_state(plain, "model.model.1.model.2"),
        }


class _Level(nn.Module):
    """One level with those inside it: (B, C, H, W) → (B, C', H, W), appended to its input where it has a skip."""

    def __init__(self, layers: Sequence[nn.Module], skip: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.skip = skip

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H, W), or (B, C + C', H, W) with a skip."""
        inner: Tensor = self.model(features)
        return torch.cat((features, inner), dim=1) if self.skip else inner


def _level(outer: int, inner: int, inside: _Level | None, norm: str, dropout: bool = False) -> _Level:
    """A level around another one, which works on (B, inner, H/2, W/2): (B, outer, H, W) → (B, 2 outer, H, W).

    The innermost level has no norm where an image may be a single pixel.
    """
    bias = conv_has_bias(norm)
    return _Level(
        [
            nn.LeakyReLU(0.2),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
            *([make_norm(norm, inner), inside] if inside else []),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * inner if inside else inner, outer, 4, stride=2, padding=1, bias=bias),
            make_norm(norm, outer),
            *([nn.Dropout(0.5)] if dropout else []),
        ],
        skip=True,
    )
