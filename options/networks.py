"""Options of the generators and discriminators, one dataclass per network; fields are constructor arguments."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import option

NORMS = ("batch", "instance", "none")


@dataclass(frozen=True)
class GeneratorOptions:
    """What all convolutional generators of the pix2pix family share (resnet_*, unet_*)."""

    input_nc: int = option(3, "channels of a source; pictures are fused as RGB, so 3")
    output_nc: int = option(3, "channels of the fused picture")
    ngf: int = option(64, "generator filters in the first layer")
    norm: str = option("batch", "normalisation in the networks", choices=NORMS)
    dropout: bool = option(True, "dropout in the generator while training")


@dataclass(frozen=True)
class R2GANOptions(GeneratorOptions):
    """`--netG R2GAN_generator`."""

    n_blocks: int = option(6, "residual blocks of the encoder: 6 as released, 9 as drawn in the paper")
    decoders: str = option(
        "shared",
        "decoders of the reconstructions: shared with the fused one as released, or separate as drawn in the paper",
        choices=("shared", "separate"),
    )


@dataclass(frozen=True)
class DiscriminatorOptions:
    """What all discriminators share (pixel, basic)."""

    ndf: int = option(64, "discriminator filters in the first layer")


@dataclass(frozen=True)
class NLayersOptions(DiscriminatorOptions):
    """`--netD n_layers`."""

    n_layers: int = option(3, "strided layers of the PatchGAN discriminator")
