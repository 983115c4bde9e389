"""What a user should know of a training's options although none of them is wrong."""

from __future__ import annotations

from options.commands import TrainConfig
from options.fields import Parsed, without_effect
from options.models import (
    DeFusionPlusTrainingOptions,
    DeFusionTrainingOptions,
    IFCNNTrainingOptions,
    SMFNetTrainingOptions,
)
from options.networks import IFCNNOptions
from options.procedures import FILES_OF_SECOND_STAGE
from options.tables import Selection
from options.training import TrainingOptions


def training_notices(config: TrainConfig, parsed: Parsed) -> list[str]:
    """Returns a line on each option that is accepted but does nothing, or not what one may think."""
    notices = list(parsed.notices)
    if config.model.penalises_gradient and config.generator.norm_of_discriminator == "batch":
        notices.append("--gan_mode wgangp with --norm batch: the penalty means single images; better another norm")
    last = config.training.n_epochs + config.training.n_epochs_decay
    notices += _schedule_notices(parsed, config.training, last)
    if "netD" in parsed.given and not config.model.may_have_discriminator:
        notices.append(f"--netD has no effect with --model {config.selection.model}, which trains no discriminator")
    if isinstance(config.model, DeFusionPlusTrainingOptions) and config.model.stage == 1:
        of_second = sorted(parsed.given & {*FILES_OF_SECOND_STAGE})
        notices += [f"--{name} has no effect with --stage 1: it belongs to --stage 2" for name in of_second]
    if isinstance(config.model, SMFNetTrainingOptions) and config.model.fusion_from > last:
        first = config.model.fusion_from
        notices.append(f"--fusion_from {first}: phase II, which trains to fuse, begins after the last epoch, {last}")
    if isinstance(config.model, SMFNetTrainingOptions | DeFusionTrainingOptions):
        notices += _initial_notices(config.selection, config.training)
    return notices + _ifcnn_notices(config, parsed, last)


def _schedule_notices(parsed: Parsed, training: TrainingOptions, last: int) -> list[str]:
    owner_of_factor = "multistep" if training.lr_policy == "multistep" else "step"
    owners = {"lr_decay_iters": "step", "lr_milestones": "multistep", "lr_decay_factor": owner_of_factor}
    notices = without_effect(parsed, "lr_policy", training.lr_policy, owners)
    if training.lr_policy == "multistep" and training.lr_milestones[-1] >= last:
        notices.append(f"--lr_milestones {training.lr_milestones[-1]}: no epoch comes after it, the last one is {last}")
    return notices


def _initial_notices(selection: Selection, training: TrainingOptions) -> list[str]:
    """Of networks without norms, through which what they are given vanishes or explodes."""
    if training.init_type not in ("normal", "kaiming"):
        return []
    return [
        f"--init_type {training.init_type}: {selection.netG} hardly learns from this start; better --init_type xavier "
        f"--init_gain 1, as in options/recipes/{selection.model}.yaml"
    ]


def _ifcnn_notices(config: TrainConfig, parsed: Parsed, last: int) -> list[str]:
    notices, model, generator = [], config.model, config.generator
    if isinstance(model, IFCNNTrainingOptions) and isinstance(generator, IFCNNOptions):
        if model.perceptual_from > last:
            notices.append(f"--perceptual_from {model.perceptual_from}: stage II begins after the last epoch, {last}")
        if generator.ifcnn_norm == "auto":
            notices.append(
                "--ifcnn_norm auto: trained with ImageNet's statistics, but grey images are fused without, as "
                "published; --ifcnn_norm imagenet fuses them as trained"
            )
        if not 0 < model.perceptual_from <= last and (generator.train_conv1 or model.conv1_weights):
            useless = sorted(parsed.given & {"backbone", "backbone_weights", "lambda_perceptual"})
            notices += [f"--{name} has no effect: without stage II nothing needs the backbone" for name in useless]
    elif isinstance(generator, IFCNNOptions) and not generator.train_conv1:
        notices.append(
            f"--netG IFCNN --model {config.selection.model}: conv1 stays at its random start; add --train_conv1, or "
            "take --model ifcnn"
        )
    return notices
