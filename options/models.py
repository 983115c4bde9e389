"""Options of the training procedures (--model), one dataclass per procedure, which its constructor receives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from options.fields import Options, Parsed, option, without_effect
from util.errors import UserError

GAN_MODES = ("vanilla", "lsgan", "wgangp")
BACKBONES = ("resnet101", "resnet50", "resnet18")
SSIM_WINDOW = 11  # of SMFNet's loss, in pixels


@dataclass(frozen=True)
class ModelOptions(Options):
    """Base of the options of all training procedures.

    Attributes:
        generator: the one generator that it was made for; "" trains any.
        may_have_discriminator: there are options under which it trains one.
    """

    generator: ClassVar[str] = ""
    may_have_discriminator: ClassVar[bool] = False

    @property
    def trains_discriminator(self) -> bool:
        """Whether it trains a discriminator under these options."""
        return False

    @property
    def penalises_gradient(self) -> bool:
        """Whether a discriminator is trained with a gradient penalty, which means single images."""
        return False

    @property
    def needs_target(self) -> bool:
        """Whether the fused image is compared with a known one in training, not with its sources."""
        return True

    def check(self, config: Any) -> None:
        """See `Options.check`: it has the generator that it was made for."""
        model, netG = config.selection.model, self.generator
        if netG and config.selection.netG != netG:
            raise UserError(f"--model {model} trains {netG} only: add --netG {netG}")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """A discriminator is of no use to some."""
        if "netD" not in parsed.given or self.may_have_discriminator:
            return []
        return [f"--netD has no effect with --model {config.selection.model}, which trains no discriminator"]


@dataclass(frozen=True)
class Pix2PixOptions(ModelOptions):
    """`--model pix2pix`: a GAN around any generator; with R2GAN's generator it is R2GAN's training."""

    may_have_discriminator = True

    gan_mode: str = option("vanilla", "form of the GAN loss", choices=GAN_MODES)
    lambda_L1: float = option(
        100.0, "weight of the L1 terms: fused image and, where there are any, reconstructions", at_least=0
    )
    lambda_GAN: float = option(1.0, "weight of the GAN term; 0 trains without a discriminator", at_least=0)
    lambda_gp: float = option(10.0, "weight of the gradient penalty of --gan_mode wgangp", at_least=0)

    @property
    def trains_discriminator(self) -> bool:
        """See `ModelOptions.trains_discriminator`."""
        return self.lambda_GAN > 0

    @property
    def penalises_gradient(self) -> bool:
        """See `ModelOptions.penalises_gradient`."""
        return self.gan_mode == "wgangp"

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """Batch norm mixes the images whose gradients wgangp penalises."""
        notices = super().notices(config, parsed)
        if self.penalises_gradient and config.generator.norm_of_discriminator == "batch":
            notices.append("--gan_mode wgangp with --norm batch: the penalty means single images; better another norm")
        return notices


@dataclass(frozen=True)
class GSGIFTrainingOptions(Pix2PixOptions):
    """`--model gsgif`: a GAN with L1 terms between the fused features and those of the target."""

    generator = "GSGIF_generator"

    lambda_L1: float = option(100.0, "weight of the L1 term of the fused image", at_least=0)
    lambda_feat: float = option(
        1.0, "weight of the L1 terms between the sources' fused features and the target's", at_least=0
    )
    lambda_feat_fused: float = option(
        0.0,
        "weight of the L1 terms between the features of the fused image and the target's; 0 leaves them out",
        at_least=0,
    )
    feature_stages: tuple[int, ...] = option(
        (0, 1, 2, 3), "stages of the encoder whose features are compared: 0, full size, to 3, the code", metavar="STAGE"
    )

    def check(self, config: Any) -> None:
        """The stages exist, and something trains the decoder."""
        super().check(config)
        stages = self.feature_stages
        if not stages or len(set(stages)) < len(stages) or not set(stages) <= set(range(4)):
            given = " ".join(map(str, stages))
            raise UserError(f"--feature_stages {given}: expected different stages of 0 to 3, such as 0 1 2 3")
        if not (self.lambda_L1 or self.lambda_GAN or self.lambda_feat_fused):
            raise UserError("--lambda_L1 0 --lambda_GAN 0: nothing trains the decoder; expected one of them above 0")


@dataclass(frozen=True)
class IFCNNTrainingOptions(ModelOptions):
    """`--model ifcnn`: pixel loss (stage I), then pixel and perceptual loss (stage II)."""

    generator = "IFCNN"

    perceptual_from: int = option(101, "first epoch of stage II; 0 trains without it", at_least=0)
    lambda_perceptual: float = option(1.0, "weight of the perceptual loss of stage II", at_least=0)
    backbone: str = option(
        "resnet101", "network for ImageNet that gives conv1 and the features of the perceptual loss", choices=BACKBONES
    )
    backbone_weights: str = option(
        "", "its weights, a file of torchvision's; default torchvision's own copy, downloaded", metavar="FILE"
    )
    conv1_weights: str = option("", "take conv1 from this file instead, such as IFCNN-MAX.pth", metavar="FILE")

    def has_second_stage(self, last_epoch: int) -> bool:
        """Whether stage II begins in a training of so many epochs."""
        return 0 < self.perceptual_from <= last_epoch

    def check(self, config: Any) -> None:
        """The files are there."""
        super().check(config)
        if not config.training.continue_train:  # then what was taken from them is part of the run
            _check_files(self, ("backbone_weights", "conv1_weights"))

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """Stage II may never begin, and grey images are fused otherwise than coloured ones."""
        notices, generator, last = super().notices(config, parsed), config.generator, config.training.last_epoch
        if self.perceptual_from > last:
            notices.append(f"--perceptual_from {self.perceptual_from}: stage II begins after the last epoch, {last}")
        if generator.ifcnn_norm == "auto":
            notices.append(
                "--ifcnn_norm auto: trained with ImageNet's statistics, but grey images are fused without, as "
                "published; --ifcnn_norm imagenet fuses them as trained"
            )
        if not self.has_second_stage(last) and (generator.train_conv1 or self.conv1_weights):
            useless = sorted(parsed.given & {"backbone", "backbone_weights", "lambda_perceptual"})
            notices += [f"--{name} has no effect: without stage II nothing needs the backbone" for name in useless]
        return notices


@dataclass(frozen=True)
class SMFNetTrainingOptions(ModelOptions):
    """`--model smfnet`: reconstruction of the sources (phase I), then fusion (phase II)."""

    generator = "SMFNet"

    fusion_from: int = option(
        41, "first epoch of phase II, which trains fusion; the epochs before it train reconstruction", at_least=1
    )
    lambda_ssim: float = option(
        0.0,
        "weight of an SSIM term with both sources in phase II, such as 20; 0 as released",
        at_least=0,
    )
    smf_losses: str = option(
        "corrected",
        "decomposition term of the loss: corrected: per sample, with a gradient; published: as released, without one",
        choices=("corrected", "published"),
    )

    @property
    def needs_target(self) -> bool:
        """The sources are all there is."""
        return False

    def check(self, config: Any) -> None:
        """There are two sources, at least as large as the loss's window."""
        super().check(config)
        if config.data.num_sources != 2:
            raise UserError(f"--num_sources {config.data.num_sources}: SMFNet fuses two, infrared and visible")
        side = config.augmentation.crop_size
        if "crop" in config.augmentation.preprocess and side < SSIM_WINDOW:
            raise UserError(f"--crop_size {side}: expected {SSIM_WINDOW} or more")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """See `Options.notices`."""
        notices, last = super().notices(config, parsed), config.training.last_epoch
        if self.fusion_from > last:
            first = self.fusion_from
            notices.append(f"--fusion_from {first}: phase II, which trains fusion, begins after the last epoch, {last}")
        return notices + _notices_of_start(config)


@dataclass(frozen=True)
class DeFusionTrainingOptions(ModelOptions):
    """`--model defusion`: decomposition of masked copies into common and unique images, then fusion."""

    generator = "DeFusion"

    annealing: float = option(
        1.0,
        "length of the annealing of the losses relative to the published one; the loss of the fused image starts at "
        "step 17000 times this",
        above=0,
    )

    def check(self, config: Any) -> None:
        """The data has masks."""
        super().check(config)
        if config.selection.dataset_mode != "decomposition":
            raise UserError(
                f"--dataset_mode {config.selection.dataset_mode}: --model defusion needs masks; add --dataset_mode "
                "decomposition"
            )

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """Some initial weights lead nowhere."""
        return super().notices(config, parsed) + _notices_of_start(config)


@dataclass(frozen=True)
class DeFusionPlusTrainingOptions(ModelOptions):
    """`--model defusion_plus`: masked copies of photographs (stage 1), then infrared-visible pairs too (stage 2)."""

    generator = "DeFusionPlus"

    stage: int = option(
        1, "1: photographs alone; 2: infrared-visible pairs as well, with two teachers", at_least=1, at_most=2
    )
    teacher_ir: str = option(
        "", "stage 2: weights of a masked autoencoder of infrared images, ViT-B/16", metavar="FILE"
    )
    teacher_vis: str = option(
        "", "stage 2: the same for visible images, such as mae_pretrain_vit_base.pth", metavar="FILE"
    )
    first_stage_weights: str = option(
        "",
        "stage 2: initial weights of the generator, such as checkpoints/DeFusionPlus/latest_net_G.pth; "
        "default: random ones",
        metavar="FILE",
    )

    @property
    def needs_target(self) -> bool:
        """Of infrared-visible pairs, with which stage 2 is validated, none is known."""
        return self.stage == 1

    def check(self, config: Any) -> None:
        """Each stage has its data, and the second its files."""
        super().check(config)
        mode = "decomposition" if self.stage == 1 else "pairs_and_photos"
        if config.selection.dataset_mode != mode:
            raise UserError(
                f"--dataset_mode {config.selection.dataset_mode}: stage {self.stage} of --model defusion_plus needs "
                f"--dataset_mode {mode}"
            )
        if self.stage == 1:
            return
        for name in ("teacher_ir", "teacher_vis"):
            if not getattr(self, name):
                raise UserError(f"--{name} is missing: name a file of a masked autoencoder's weights, ViT-B/16")
        _check_files(self, ("teacher_ir", "teacher_vis"))
        if not config.training.continue_train:  # then what was taken from it is part of the run; teachers are not
            _check_files(self, ("first_stage_weights",))

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """All files belong to the second stage."""
        files = dict.fromkeys(("first_stage_weights", "teacher_ir", "teacher_vis"), "2")
        return super().notices(config, parsed) + without_effect(parsed, "stage", str(self.stage), files)


def _weight(default: float, text: str) -> Any:
    return option(default, f"weight of {text}", at_least=0)


@dataclass(frozen=True)
class BlendNetTrainingOptions(ModelOptions):
    """`--model blendnet`: several tasks in one network, most of them without a target."""

    generator = "BlendNet"

    lambda_gradient: float = _weight(1.0, "the loss of the sources' gradients, 1 - Qabf")
    lambda_fidelity: float = _weight(0.5, "the loss of their visual information, 1 - VIF / N")
    lambda_similarity: float = _weight(0.5, "the loss of their structure, 1 - SSIM")
    lambda_salient: float = _weight(1.0, "the same where the stronger source and windows of strong contrast count more")
    lambda_best: float = _weight(0.3, "the loss of the structure of the source that is most similar, window by window")
    lambda_information: float = _weight(0.15, "the loss of mutual information of the grey levels, 1 - QMI")
    lambda_structure: float = _weight(1.0, "the loss of exposure stacks' structure, 1 - MEF-SSIM")
    lambda_difference: float = _weight(0.5, "the loss of each source's own contribution, 1 - SCD / N")
    lambda_contrast: float = _weight(20.0, "the lack of contrast against the strongest source")
    lambda_excess: float = _weight(
        0.12, "gradients that no source has, in grey levels, at distances of 8 and 16 pixels; a third at 1, 2 and 4"
    )
    lambda_L1: float = _weight(20.0, "the distance from the target, where there is one; exposure stacks a tenth")
    share_of_stacks: float = option(
        0.3, "factor of the terms without a target in multi-focus stacks; twice this in exposure stacks", at_least=0
    )

    @property
    def needs_target(self) -> bool:
        """Real pairs have none."""
        return False

    def check(self, config: Any) -> None:
        """See `Options.check`: the data is a mixture of tasks."""
        super().check(config)
        if config.selection.dataset_mode != "mixture":
            raise UserError(
                f"--dataset_mode {config.selection.dataset_mode}: --model blendnet trains on several tasks; add "
                "--dataset_mode mixture"
            )
        if config.augmentation.crop_size < 32:
            raise UserError(f"--crop_size {config.augmentation.crop_size}: expected 32 or more")


def _check_files(options: ModelOptions, names: Sequence[str]) -> None:
    """Raises `UserError` unless the files that these options name exist."""
    for name in names:
        file = getattr(options, name)
        if file and not Path(file).is_file():
            raise UserError(f"--{name} {file}: no such file")


def _notices_of_start(config: Any) -> list[str]:
    """Of networks without normalisation, whose activations vanish or explode."""
    training, selection = config.training, config.selection
    if training.init_type not in ("normal", "kaiming"):
        return []
    return [
        f"--init_type {training.init_type}: {selection.netG} hardly learns from such initial weights; better "
        f"--init_type xavier --init_gain 1, as in options/recipes/{selection.model}.yaml"
    ]
