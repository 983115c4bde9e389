"""Checks of what each training procedure (--model) was told."""

from __future__ import annotations

from pathlib import Path

from options.commands import TrainConfig
from options.data import DecompositionOptions, PairsAndPhotosOptions
from options.models import (
    DeFusionPlusTrainingOptions,
    DeFusionTrainingOptions,
    GSGIFTrainingOptions,
    IFCNNTrainingOptions,
    SMFNetTrainingOptions,
)
from options.networks import DeFusionOptions, DeFusionPlusOptions, GSGIFOptions, IFCNNOptions, SMFNetOptions
from options.ranges import at_least, within
from util.errors import UserError

SSIM_WINDOW = 11  # of SMFNet's loss
FILES_OF_SECOND_STAGE = ("teacher_ir", "teacher_vis", "first_stage_weights")  # of --model defusion_plus


def check_procedure(config: TrainConfig) -> None:
    """Checks the weights of a training procedure, and what it needs where it was made for one network or kind of data.

    Raises:
        UserError: a value out of its range, or another network or dataset than it was made for.
    """
    for name, weight in vars(config.model).items():
        if name.startswith("lambda_"):
            within(name, weight, weight >= 0, "a weight of 0 or more")
    if isinstance(config.model, IFCNNTrainingOptions):
        _check_ifcnn(config, config.model)
    if isinstance(config.model, SMFNetTrainingOptions):
        _check_smfnet(config, config.model)
    if isinstance(config.model, GSGIFTrainingOptions):
        _check_gsgif(config, config.model)
    if isinstance(config.model, DeFusionTrainingOptions):
        _check_defusion(config, config.model)
    if isinstance(config.model, DeFusionPlusTrainingOptions):
        _check_defusion_plus(config, config.model)


def _check_ifcnn(config: TrainConfig, model: IFCNNTrainingOptions) -> None:
    if not isinstance(config.generator, IFCNNOptions):
        raise UserError("--model ifcnn trains IFCNN only: add --netG IFCNN")
    at_least("perceptual_from", model.perceptual_from, 0)
    for name in ("backbone_weights", "conv1_weights"):
        file = getattr(model, name)
        goes_on = config.training.continue_train  # then what was taken from the file is part of the run
        if file and not goes_on and not Path(file).is_file():
            raise UserError(f"--{name} {file}: no such file")


def _check_smfnet(config: TrainConfig, model: SMFNetTrainingOptions) -> None:
    if not isinstance(config.generator, SMFNetOptions):
        raise UserError("--model smfnet trains SMFNet only: add --netG SMFNet")
    if config.data.num_sources != 2:
        raise UserError(f"--num_sources {config.data.num_sources}: SMFNet fuses two, infrared and visible")
    at_least("fusion_from", model.fusion_from, 1)
    if "crop" in config.augmentation.preprocess:
        at_least("crop_size", config.augmentation.crop_size, SSIM_WINDOW)


def _check_gsgif(config: TrainConfig, model: GSGIFTrainingOptions) -> None:
    if not isinstance(config.generator, GSGIFOptions):
        raise UserError("--model gsgif trains GSGIF_generator only: add --netG GSGIF_generator")
    stages = model.feature_stages
    if not stages or len(set(stages)) < len(stages) or not set(stages) <= set(range(4)):
        given = " ".join(map(str, stages))
        raise UserError(f"--feature_stages {given}: expected different stages of 0 to 3, such as 0 1 2 3")
    if not (model.lambda_L1 or model.lambda_GAN or model.lambda_feat_fused):
        raise UserError("--lambda_L1 0 --lambda_GAN 0: nothing trains the decoder; expected one of them above 0")


def _check_defusion(config: TrainConfig, model: DeFusionTrainingOptions) -> None:
    if not isinstance(config.generator, DeFusionOptions):
        raise UserError("--model defusion trains DeFusion only: add --netG DeFusion")
    if not isinstance(config.dataset, DecompositionOptions):
        raise UserError(
            f"--dataset_mode {config.selection.dataset_mode}: --model defusion needs masks; add --dataset_mode "
            "decomposition"
        )
    within("annealing", model.annealing, model.annealing > 0, "a factor above 0, such as 0.1")


def _check_defusion_plus(config: TrainConfig, model: DeFusionPlusTrainingOptions) -> None:
    if not isinstance(config.generator, DeFusionPlusOptions):
        raise UserError("--model defusion_plus trains DeFusionPlus only: add --netG DeFusionPlus")
    within("stage", model.stage, model.stage in (1, 2), "1 or 2")
    kind, mode = (
        (DecompositionOptions, "decomposition") if model.stage == 1 else (PairsAndPhotosOptions, "pairs_and_photos")
    )
    if not isinstance(config.dataset, kind):
        raise UserError(
            f"--dataset_mode {config.selection.dataset_mode}: stage {model.stage} of --model defusion_plus needs "
            f"--dataset_mode {mode}"
        )
    if model.stage == 1:
        return
    for name in FILES_OF_SECOND_STAGE:
        file, is_teacher = getattr(model, name), name != "first_stage_weights"
        if is_teacher and not file:
            raise UserError(f"--{name} is missing: name a file of a masked autoencoder's weights, ViT-B/16")
        goes_on = config.training.continue_train and not is_teacher  # teachers are no part of the run
        if file and not goes_on and not Path(file).is_file():
            raise UserError(f"--{name} {file}: no such file")
