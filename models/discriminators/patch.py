"""The PatchGAN discriminator, which judges overlapping patches (Isola et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from models.discriminators.base import Discriminator
from models.layers.norm import conv_has_bias, make_norm
from options.networks import BasicOptions, NLayersOptions


class PatchDiscriminator(Discriminator):
    """4x4 convolutions, `options.n_layers` with stride 2, then two with stride 1; with three layers a patch is 70x70.

    Args:
        options: see there; each convolution has twice as many filters, up to 8 ndf.
        input_nc: channels of an image.
        norm: "batch", "instance" or "none".

    Raises:
        UserError: an unknown norm.

    Example:
        >>> import torch
        >>> from models import create_discriminator
        >>> create_discriminator("basic", ndf=4)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 1, 6, 6])
    """

    def __init__(self, options: BasicOptions | NLayersOptions, *, input_nc: int = 3, norm: str = "batch") -> None:
        super().__init__()
        ndf, bias = options.ndf, conv_has_bias(norm)
        layers: list[nn.Module] = [nn.Conv2d(input_nc, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        channels = ndf
        for layer in range(1, options.n_layers + 1):
            wider = ndf * min(2**layer, 8)
            stride = 2 if layer < options.n_layers else 1
            layers += [
                nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=bias),
                make_norm(norm, wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        self.model = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """(B, input_nc, H, W) → scores (B, 1, h, w), one per patch; with three layers h = H/8 − 2."""
        scores: Tensor = self.model(image)
        return scores
