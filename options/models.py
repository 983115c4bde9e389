"""Options of the training procedures (--model), one dataclass per procedure; fields are constructor arguments."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import option


@dataclass(frozen=True)
class ModelOptions:
    """Base of the options of all training procedures."""

    @property
    def penalises_gradient(self) -> bool:
        """Whether a discriminator is trained with a gradient penalty, which means single pictures."""
        return False


@dataclass(frozen=True)
class Pix2PixOptions(ModelOptions):
    """`--model pix2pix`: a GAN around any generator."""

    gan_mode: str = option("vanilla", "form of the GAN loss", choices=("vanilla", "lsgan", "wgangp"))
    lambda_L1: float = option(100.0, "weight of the L1 terms: fused picture and, where there are any, reconstructions")
    lambda_GAN: float = option(1.0, "weight of the GAN term; 0 trains without a discriminator")
    lambda_gp: float = option(10.0, "weight of the gradient penalty of --gan_mode wgangp")

    @property
    def penalises_gradient(self) -> bool:
        """So does the form wgangp."""
        return self.gan_mode == "wgangp"


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
