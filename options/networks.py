"""Options of the generators and discriminators, one dataclass per network, which its constructor takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from options.fields import Options, Parsed, option
from util.errors import UserError

MOST_FILTERS = 1024
LARGEST_PAD = 1024
MOST_BLOCKS = 100
IFCNN_FUSIONS = ("max", "sum", "mean")
GSGIF_FUSIONS = ("mean", "max", "saliency")
NORMS = ("batch", "instance", "none")


@dataclass(frozen=True)
class GeneratorOptions(Options):
    """Base of the options of all generators.

    Attributes:
        decomposes: the network decomposes sources into images, which `--save_decomposition` saves.
        any_number_with: the option with which it would fuse any number of sources, where there is one.
        has_weights: it is trained, and fuses with the weights of a run.
    """

    decomposes: ClassVar[bool] = False
    has_weights: ClassVar[bool] = True
    any_number_with: ClassVar[str] = ""

    @property
    def fused_channels(self) -> int:
        """Channels of the fused image, which a discriminator sees."""
        return 3

    @property
    def fuses_any_number(self) -> bool:
        """Whether the network, built once, fuses whatever number of sources it is given."""
        return False

    @property
    def norm_of_discriminator(self) -> str:
        """The norm of a discriminator beside this generator."""
        return "batch"

    def check_images(self) -> None:
        """Raises `UserError` where the network is not for images in RGB, as which the programs fuse."""


@dataclass(frozen=True)
class FamilyOptions(GeneratorOptions):
    """`--netG resnet_*` and `unet_*`, and options that other convolutional generators share."""

    input_nc: int = option(3, "channels of a source; images are fused as RGB, so 3", at_least=1)
    output_nc: int = option(3, "channels of the fused image", at_least=1)
    ngf: int = option(64, "generator filters in the first layer", at_least=1, at_most=MOST_FILTERS)
    norm: str = option("batch", "normalisation in the networks", choices=NORMS)
    dropout: bool = option(True, "dropout in the generator while training")

    @property
    def fused_channels(self) -> int:
        """See `GeneratorOptions.fused_channels`."""
        return self.output_nc

    @property
    def norm_of_discriminator(self) -> str:
        """One --norm for both networks, as in the family."""
        return self.norm

    def check_images(self) -> None:
        """Sources and fused images have three channels."""
        for name in ("input_nc", "output_nc"):
            if getattr(self, name) != 3:
                raise UserError(f"--{name} {getattr(self, name)}: images are fused as RGB, expected 3")

    def check(self, config: Any) -> None:  # noqa: ARG002
        """Images are fused as RGB."""
        self.check_images()


@dataclass(frozen=True)
class R2GANOptions(FamilyOptions):
    """`--netG R2GAN_generator`, which `--model pix2pix` trains as R2GAN."""

    any_number_with = "--decoders shared"

    n_blocks: int = option(
        6, "residual blocks of the encoder: 6 as released, 9 as drawn in the paper", at_least=1, at_most=MOST_BLOCKS
    )
    decoders: str = option(
        "shared",
        "decoders of the reconstructions: shared with the fused one as released, or separate as drawn in the paper",
        choices=("shared", "separate"),
    )

    @property
    def fuses_any_number(self) -> bool:
        """Separate decoders are for one number."""
        return self.decoders == "shared"


@dataclass(frozen=True)
class GSGIFOptions(FamilyOptions):
    """`--netG GSGIF_generator`."""

    n_blocks: int = option(6, "residual blocks of the encoder", at_least=1, at_most=MOST_BLOCKS)
    fusion: str = option(
        "saliency",
        "rule that fuses the sources' maps; saliency weighs each by how active it is there",
        choices=GSGIF_FUSIONS,
    )
    skips: str = option(
        "residual",
        "input of the decoder besides the code: none; features: the fused maps of the first stages; residual: a blend "
        "of the sources, to which it adds a correction",
        choices=("none", "features", "residual"),
    )

    @property
    def fuses_any_number(self) -> bool:
        """By its element-wise rule."""
        return True


@dataclass(frozen=True)
class IFCNNOptions(GeneratorOptions):
    """`--netG IFCNN`."""

    fusion: str = option("max", "element-wise rule that fuses the sources' maps", choices=IFCNN_FUSIONS)
    ifcnn_norm: str = option(
        "auto",
        "input range: imagenet normalises by ImageNet's mean and deviation, none leaves [0, 1], auto does the first "
        "for coloured and the second for grey sources",
        choices=("auto", "imagenet", "none"),
    )
    train_conv1: bool = option(False, "also train the first layer, which is that of ResNet-101 and frozen as published")
    fixed_bn: bool = option(False, "keep batch norm's running statistics fixed in training; better for small batches")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:  # noqa: ARG002
        """Only --model ifcnn fills conv1."""
        if config.model.generator == "IFCNN" or self.train_conv1:
            return []
        return [
            f"--netG IFCNN --model {config.selection.model}: conv1 stays at its random start; add --train_conv1, or "
            "take --model ifcnn"
        ]

    @property
    def fuses_any_number(self) -> bool:
        """By its element-wise rule."""
        return True


@dataclass(frozen=True)
class LumaOptions(GeneratorOptions):
    """What networks share that fuse luma."""

    @property
    def fused_channels(self) -> int:
        """See `GeneratorOptions.fused_channels`."""
        return 1


@dataclass(frozen=True)
class SMFNetOptions(LumaOptions):
    """`--netG SMFNet`."""

    stretch: str = option(
        "none",
        "range of the fused image: minmax stretches it to the full range, as the published images were",
        choices=("none", "minmax"),
    )


@dataclass(frozen=True)
class PaddedOptions(GeneratorOptions):
    """What networks share that may pad images when they fuse them."""

    pad: int = option(
        0,
        "pixels added at each side of the images before they are fused, by reflection; 16 as published",
        at_least=0,
        at_most=LARGEST_PAD,
    )


@dataclass(frozen=True)
class DeFusionOptions(PaddedOptions):
    """`--netG DeFusion`."""

    decomposes = True

    depth: str = option(
        "tester",
        "blocks of the common decoder: as in the released tester and weights (2, 2, 2, 2), or in the released trainer "
        "(4, 4, 6, 6)",
        choices=("tester", "trainer"),
    )
    common_head: str = option(
        "own",
        "last layer of the common image: its own, or the one of the unique images, as in the released tester",
        choices=("own", "unique"),
    )


@dataclass(frozen=True)
class DeFusionPlusOptions(PaddedOptions):
    """`--netG DeFusionPlus`."""

    decomposes = True

    common_order: str = option(
        "ab",
        "query of the cross-attention that computes the common tokens when fusing: the second source (ab) or the first "
        "(ba); in training one is drawn at random",
        choices=("ab", "ba"),
    )


@dataclass(frozen=True)
class BlendNetOptions(LumaOptions):
    """`--netG BlendNet`, the general network."""

    width: int = option(16, "channels at a quarter of the size", at_least=2, at_most=MOST_FILTERS)

    @property
    def fuses_any_number(self) -> bool:
        """By a softmax over the sources."""
        return True


@dataclass(frozen=True)
class ClassicalOptions(LumaOptions):
    """Classical methods: average, maximum, laplacian, atrous, guided_filter."""

    has_weights = False

    @property
    def fuses_any_number(self) -> bool:
        """All of them do."""
        return True

    def check(self, config: Any) -> None:
        """There is nothing to train."""
        if hasattr(config, "training"):
            raise UserError(f"--netG {config.selection.netG} has no weights to train; test.py fuses with it as it is")


@dataclass(frozen=True)
class DiscriminatorOptions(Options):
    """Options of all discriminators."""

    ndf: int = option(64, "discriminator filters in the first layer", at_least=1, at_most=MOST_FILTERS)


@dataclass(frozen=True)
class BasicOptions(DiscriminatorOptions):
    """`--netD basic`: PatchGAN as published."""

    @property
    def n_layers(self) -> int:
        """Strided layers, as in `NLayersOptions`."""
        return 3


@dataclass(frozen=True)
class NLayersOptions(DiscriminatorOptions):
    """`--netD n_layers`."""

    n_layers: int = option(3, "strided layers of the PatchGAN discriminator", at_least=1, at_most=10)
