"""Options of the training procedures (--model), one dataclass per procedure; fields are constructor arguments."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import option


@dataclass(frozen=True)
class Pix2PixOptions:
    """`--model pix2pix`: a GAN around any generator."""

    gan_mode: str = option("vanilla", "form of the GAN loss", choices=("vanilla", "lsgan", "wgangp"))
    lambda_L1: float = option(100.0, "weight of the L1 terms: fused picture and, where there are any, reconstructions")
    lambda_GAN: float = option(1.0, "weight of the GAN term; 0 trains without a discriminator")
    lambda_gp: float = option(10.0, "weight of the gradient penalty of --gan_mode wgangp")
