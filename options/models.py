"""Options of the training procedures (--model), one dataclass per procedure; fields are constructor arguments."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import Options, option


@dataclass(frozen=True)
class ModelOptions(Options):
    """Base of the options of all training procedures."""

    @property
    def penalises_gradient(self) -> bool:
        """Whether a discriminator is trained with a gradient penalty, which means single images."""
        return False

    @property
    def may_have_discriminator(self) -> bool:
        """Whether there are options under which it trains one."""
        return False

    @property
    def needs_target(self) -> bool:
        """Whether the fused image is compared with a known one in training, not with its sources."""
        return True


@dataclass(frozen=True)
class Pix2PixOptions(ModelOptions):
    """`--model pix2pix`: a GAN around any generator."""

    gan_mode: str = option("vanilla", "form of the GAN loss", choices=("vanilla", "lsgan", "wgangp"))
    lambda_L1: float = option(100.0, "weight of the L1 terms: fused image and, where there are any, reconstructions")
    lambda_GAN: float = option(1.0, "weight of the GAN term; 0 trains without a discriminator")
    lambda_gp: float = option(10.0, "weight of the gradient penalty of --gan_mode wgangp")

    @property
    def may_have_discriminator(self) -> bool:
        """Unless its term has no weight."""
        return True

    @property
    def penalises_gradient(self) -> bool:
        """So does the form wgangp."""
        return self.gan_mode == "wgangp"


@dataclass(frozen=True)
class GSGIFTrainingOptions(Pix2PixOptions):
    """`--model gsgif`: a GAN whose fused features are drawn to those of the target."""

    lambda_L1: float = option(100.0, "weight of the L1 term of the fused image")
    lambda_feat: float = option(1.0, "weight of the L1 terms between the sources' fused features and the target's")
    lambda_feat_fused: float = option(
        0.0, "weight of the L1 terms between the features of the fused image and the target's; 0 leaves them out"
    )
    feature_stages: tuple[int, ...] = option(
        (0, 1, 2, 3), "stages of the encoder whose features are compared: 0, full size, to 3, the code", metavar="STAGE"
    )


@dataclass(frozen=True)
class IFCNNTrainingOptions(ModelOptions):
    """`--model ifcnn`: pixel loss (stage I), then with a perceptual loss beside it (stage II)."""

    perceptual_from: int = option(101, "first epoch of stage II; 0 trains without it")
    lambda_perceptual: float = option(1.0, "weight of the perceptual loss of stage II")
    backbone: str = option(
        "resnet101",
        "network for ImageNet that gives conv1 and the features of the perceptual loss",
        choices=("resnet101", "resnet50", "resnet18"),
    )
    backbone_weights: str = option(
        "", "its weights, a file of torchvision's; default torchvision's own copy, downloaded", metavar="FILE"
    )
    conv1_weights: str = option("", "take conv1 from this file instead, such as IFCNN-MAX.pth", metavar="FILE")


@dataclass(frozen=True)
class SMFNetTrainingOptions(ModelOptions):
    """`--model smfnet`: to rebuild the sources (phase I), then to fuse them (phase II)."""

    fusion_from: int = option(41, "first epoch of phase II, which trains to fuse; before it the sources are rebuilt")
    lambda_ssim: float = option(
        0.0, "weight of a term of phase II that the release has not: of the structure of both sources, such as 20"
    )
    smf_losses: str = option(
        "corrected",
        "term that takes features apart: per sample and with a gradient, or without one, as released",
        choices=("corrected", "published"),
    )

    @property
    def needs_target(self) -> bool:
        """The sources are all there is."""
        return False


@dataclass(frozen=True)
class DeFusionTrainingOptions(ModelOptions):
    """`--model defusion`: to find what masked copies of a photograph share and have alone, then to fuse them."""

    annealing: float = option(
        1.0,
        "length of the loss's annealing, as a factor of the published one: the fused image is trained from step "
        "17000 times this on",
    )


@dataclass(frozen=True)
class DeFusionPlusTrainingOptions(ModelOptions):
    """`--model defusion_plus`: masked copies of photographs (stage 1), then also infrared-visible pairs (stage 2)."""

    stage: int = option(1, "1: photographs alone; 2: infrared-visible pairs beside them, with two teachers")
    teacher_ir: str = option(
        "", "stage 2: weights of a masked autoencoder of infrared images, ViT-B/16", metavar="FILE"
    )
    teacher_vis: str = option(
        "", "stage 2: the same of visible images, such as mae_pretrain_vit_base.pth", metavar="FILE"
    )
    first_stage_weights: str = option(
        "",
        "stage 2: weights of the generator to begin with, such as checkpoints/DeFusionPlus/latest_net_G.pth; "
        "default: initial ones",
        metavar="FILE",
    )

    @property
    def needs_target(self) -> bool:
        """Of infrared-visible pairs, with which stage 2 is validated, none is known."""
        return self.stage == 1
