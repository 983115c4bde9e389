"""The 1x1 discriminator, which judges every pixel on its own (Isola et al. 2017, "PixelGAN")."""

from __future__ import annotations

from torch import Tensor, nn

from models.discriminators.base import Discriminator
from models.layers.norm import conv_has_bias, make_norm
from options.networks import DiscriminatorOptions


class PixelDiscriminator(Discriminator):
    """Three 1x1 convolutions.

    Args:
        options: see there.
        input_nc: channels of an image.
        norm: "batch", "instance" or "none".

    Raises:
        UserError: an unknown norm.

    Example:
        >>> import torch
        >>> from models import create_discriminator
        >>> create_discriminator("pixel", ndf=4)(torch.rand(1, 3, 16, 24)).shape
        torch.Size([1, 1, 16, 24])
    """

    def __init__(self, options: DiscriminatorOptions, *, input_nc: int = 3, norm: str = "batch") -> None:
        super().__init__()
        ndf, bias = options.ndf, conv_has_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(input_nc, ndf, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, 2 * ndf, 1, bias=bias),
            make_norm(norm, 2 * ndf),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * ndf, 1, 1, bias=bias),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, input_nc, H, W) → scores (B, 1, H, W)."""
        scores: Tensor = self.net(image)
        return scores
