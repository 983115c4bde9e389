"""Checks of option values against each other, before anything is computed or written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from options.commands import TestConfig, TrainConfig
from options.data import (
    PMF_RECIPE_OPTIONS,
    AlignedOptions,
    DecompositionOptions,
    PairsAndPhotosOptions,
    PatchesOptions,
    PMFOptions,
    SaliencyOptions,
    SourcesOptions,
)
from options.models import (
    DeFusionPlusTrainingOptions,
    DeFusionTrainingOptions,
    GSGIFTrainingOptions,
    IFCNNTrainingOptions,
    SMFNetTrainingOptions,
)
from options.networks import (
    DeFusionOptions,
    DeFusionPlusOptions,
    FamilyOptions,
    GeneratorOptions,
    GSGIFOptions,
    IFCNNOptions,
    NLayersOptions,
    PaddedOptions,
    R2GANOptions,
    SMFNetOptions,
)
from options.parser import Parsed
from options.tables import GENERATORS
from options.training import TrainingOptions
from options.watching import LOGGERS, WatchingOptions
from util.errors import UserError
from util.files import with_extension

MOST_FILTERS = 1024
LARGEST_SIDE = 16384
SSIM_WINDOW = 11  # of SMFNet's loss
LARGEST_PAD = 1024
FILES_OF_SECOND_STAGE = ("teacher_ir", "teacher_vis", "first_stage_weights")  # of --model defusion_plus


def validate_train(config: TrainConfig, parsed: Parsed) -> list[str]:
    """Checks the options of a training.

    Returns:
        Lines the user should see: options that are accepted but have no effect.

    Raises:
        UserError: a value out of its range, or two options that contradict each other.
    """
    _check_common(config)
    training, augmentation = config.training, config.augmentation
    for name in ("batch_size", "val_freq", "save_epoch_freq", "save_latest_freq", "print_freq", "update_html_freq"):
        _at_least(name, getattr(training, name), 1)
    for name in ("n_epochs", "n_epochs_decay"):
        _at_least(name, getattr(training, name), 0)
    _at_least("lr_decay_iters", training.lr_decay_iters, 1)
    _within("lr", training.lr, training.lr > 0, "a rate above 0, such as 0.0002")
    factor, lowest = training.lr_decay_factor, training.lr_min
    _within("lr_decay_factor", factor, 0 < factor <= 1, "a factor above 0 and up to 1, such as 0.5")
    _check_milestones(training)
    _within("lr_min", lowest, 0 <= lowest <= training.lr, f"a rate from 0 to that of --lr, {training.lr}")
    _at_least("accumulate", training.accumulate, 1)
    _check_watching(config.watching)
    for name in ("crop_size", "load_size"):
        _within(
            name, getattr(augmentation, name), 1 <= getattr(augmentation, name) <= LARGEST_SIDE, "1 to 16384 pixels"
        )
    _within("ndf", config.discriminator.ndf, 1 <= config.discriminator.ndf <= MOST_FILTERS, f"1 to {MOST_FILTERS}")
    _within("init_gain", training.init_gain, training.init_gain > 0, "a scale above 0, such as 0.02")
    if isinstance(config.discriminator, NLayersOptions):
        _within("n_layers", config.discriminator.n_layers, 1 <= config.discriminator.n_layers <= 10, "1 to 10")
    if training.n_epochs + training.n_epochs_decay < 1:
        raise UserError("--n_epochs 0 --n_epochs_decay 0: wanted at least one epoch in all")
    _within("ema", training.ema, 0 <= training.ema < 1, "a decay in [0, 1), such as 0.999; 0 switches it off")
    _within("beta1", training.beta1, 0 <= training.beta1 < 1, "a momentum in [0, 1), such as 0.5")
    _within("clip_grad", training.clip_grad, training.clip_grad >= 0, "a norm above 0, or 0 for no limit")
    _check_procedure(config)
    if training.continue_train and training.overwrite:
        raise UserError("--continue_train goes on with a run, --overwrite throws it away: choose one")
    if training.lr_policy == "plateau" and not training.val_dataroot:
        raise UserError("--lr_policy plateau watches the validation: add --val_dataroot DIR")
    if training.val_dataroot and not Path(training.val_dataroot).is_dir():
        missing = "wanted a folder of pictures" if Path(training.val_dataroot).is_file() else "no such folder"
        raise UserError(f"--val_dataroot {training.val_dataroot}: {missing}")
    _check_targets(config)
    _check_any_number(config)
    return _training_notices(config, parsed)


def validate_test(config: TestConfig, parsed: Parsed) -> list[str]:
    """Checks the options of a test.

    Returns:
        Lines the user should see.

    Raises:
        UserError: a value out of its range.
    """
    _check_own_pictures(config)
    _check_decomposition(config)
    _check_common(config)
    _at_least("batch_size", config.testing.batch_size, 1)
    _at_least("num_test", config.testing.num_test, 0)
    tile, overlap = config.testing.tile, config.testing.tile_overlap
    _within("tile", tile, tile >= -1, "a side in pixels, 0 or -1")
    _within("tile_overlap", overlap, overlap >= -1, "a number of pixels, or -1")
    if 0 < tile < 2 * overlap:
        raise UserError(f"--tile {tile} --tile_overlap {overlap}: wanted an overlap of at most half a tile")
    if not re.fullmatch(r"\w+", config.testing.epoch):
        raise UserError(f"--epoch {config.testing.epoch}: wanted latest, best or an epoch's number")
    return list(parsed.notices)


def _check_own_pictures(config: TestConfig) -> None:
    """--sources, --out and --list, which stand in for a whole test set."""
    testing = config.testing
    if bool(testing.sources) != bool(testing.out) and not testing.list:
        raise UserError("--sources A B … and --out FILE belong together: the pictures of one scene and the fused one")
    if testing.sources and len(testing.sources) < 2:
        raise UserError(f"--sources {testing.sources[0]}: wanted the pictures of one scene, at least two")
    for path in testing.sources:
        if not Path(path).is_file():
            raise UserError(f"--sources {path}: no such file")
        if testing.out and Path(path).resolve() == with_extension(Path(testing.out), ".png").resolve():
            raise UserError(f"--out {testing.out} is one of the --sources, which would be overwritten")
    if testing.out.endswith(("/", "\\")) or Path(testing.out or "x").is_dir():
        raise UserError(f"--out {testing.out}: wanted the name of a file, not of a folder")
    if (testing.sources or testing.list) and not isinstance(config.dataset, SourcesOptions):
        option = "--sources" if testing.sources else "--list"
        raise UserError(f"{option} goes with --dataset_mode sources, the default of test.py")
    if testing.list and not testing.sources and not config.data.dataroot:
        raise UserError("--dataroot is missing: name the folder of the data, as in --dataroot datasets/TNO")


def _check_decomposition(config: TestConfig) -> None:
    if not config.testing.save_decomposition:
        return
    if not config.generator.decomposes:
        able = " or ".join(f"--netG {name}" for name, options in GENERATORS.items() if options.decomposes)
        raise UserError(f"--save_decomposition: --netG {config.selection.netG} takes no source apart; wanted {able}")
    if config.testing.sources:
        raise UserError("--save_decomposition fills the result folder of --dataroot DIR, which --sources has none of")


def _training_notices(config: TrainConfig, parsed: Parsed) -> list[str]:
    """Options that are accepted but do nothing, or do not do what one may think."""
    augmentation = config.augmentation
    notices = list(parsed.notices)
    if "load_size" in parsed.given and isinstance(config.dataset, DecompositionOptions | PairsAndPhotosOptions):
        mode = config.selection.dataset_mode
        notices.append(f"--load_size has no effect with --dataset_mode {mode}, which resizes to --crop_size")
    elif "load_size" in parsed.given and augmentation.preprocess in ("crop", "none"):
        notices.append(
            f"--load_size has no effect with --preprocess {augmentation.preprocess}, which keeps the pictures' size; "
            "add --preprocess resize_and_crop to resize them"
        )
    if isinstance(config.dataset, PMFOptions):
        notices += _without_effect(parsed, "recipe", config.dataset.recipe, PMF_RECIPE_OPTIONS)
    if config.model.penalises_gradient and config.generator.norm_of_discriminator == "batch":
        notices.append("--gan_mode wgangp with --norm batch: the penalty means single pictures; better another norm")
    last = config.training.n_epochs + config.training.n_epochs_decay
    notices += _schedule_notices(parsed, config.training, last)
    if "netD" in parsed.given and not config.model.may_have_discriminator:
        notices.append(f"--netD has no effect with --model {config.selection.model}, which trains no discriminator")
    if isinstance(config.model, DeFusionPlusTrainingOptions) and config.model.stage == 1:
        of_second = sorted(parsed.given & {*FILES_OF_SECOND_STAGE})
        notices += [f"--{name} has no effect with --stage 1: it belongs to --stage 2" for name in of_second]
    if isinstance(config.model, SMFNetTrainingOptions):
        notices += _smfnet_notices(config.model, config.training, last)
    return notices + _ifcnn_notices(config, parsed, last)


def _without_effect(parsed: Parsed, option: str, chosen: str, owners: Mapping[str, str]) -> list[str]:
    """Options that were given although they belong to another value of `option` than the chosen one."""
    return [
        f"--{name} has no effect with --{option} {chosen}: it belongs to --{option} {owner}"
        for name, owner in owners.items()
        if name in parsed.given and owner != chosen
    ]


def _schedule_notices(parsed: Parsed, training: TrainingOptions, last: int) -> list[str]:
    owner_of_factor = "multistep" if training.lr_policy == "multistep" else "step"
    owners = {"lr_decay_iters": "step", "lr_milestones": "multistep", "lr_decay_factor": owner_of_factor}
    notices = _without_effect(parsed, "lr_policy", training.lr_policy, owners)
    if training.lr_policy == "multistep" and training.lr_milestones[-1] >= last:
        notices.append(f"--lr_milestones {training.lr_milestones[-1]}: no epoch comes after it, the last one is {last}")
    return notices


def _smfnet_notices(model: SMFNetTrainingOptions, training: TrainingOptions, last: int) -> list[str]:
    notices = []
    if model.fusion_from > last:
        first = model.fusion_from
        notices.append(f"--fusion_from {first}: phase II, which trains to fuse, begins after the last epoch, {last}")
    if training.init_type in ("normal", "kaiming"):
        notices.append(
            f"--init_type {training.init_type}: SMFNet hardly learns from this start; better --init_type xavier "
            "--init_gain 1, as in options/recipes/smfnet.yaml"
        )
    return notices


def _ifcnn_notices(config: TrainConfig, parsed: Parsed, last: int) -> list[str]:
    notices, model, generator = [], config.model, config.generator
    if isinstance(model, IFCNNTrainingOptions) and isinstance(generator, IFCNNOptions):
        if model.perceptual_from > last:
            notices.append(f"--perceptual_from {model.perceptual_from}: stage II begins after the last epoch, {last}")
        if generator.ifcnn_norm == "auto":
            notices.append(
                "--ifcnn_norm auto: trained with ImageNet's statistics, but grey pictures are fused without, as "
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


def check_run_name(name: str) -> None:
    """Raises `UserError` unless `name` is that of a folder, which leads nowhere else."""
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise UserError(f"--name {name!r}: wanted the name of a folder, without slashes")


def check_generator(options: GeneratorOptions) -> None:
    """Raises `UserError` for an option of a generator that is out of its range."""
    if isinstance(options, FamilyOptions):
        for channels in ("input_nc", "output_nc"):
            number = getattr(options, channels)
            if number != 3:
                raise UserError(f"--{channels} {number}: pictures are fused as RGB, wanted 3")
        _within("ngf", options.ngf, 1 <= options.ngf <= MOST_FILTERS, f"1 to {MOST_FILTERS}")
    if isinstance(options, R2GANOptions | GSGIFOptions):
        _within("n_blocks", options.n_blocks, 1 <= options.n_blocks <= 100, "1 to 100")
    if isinstance(options, PaddedOptions):
        _within("pad", options.pad, 0 <= options.pad <= LARGEST_PAD, f"0 to {LARGEST_PAD} pixels")


def _check_procedure(config: TrainConfig) -> None:
    """The training procedures' weights, and what those need that were made for one network or one kind of data."""
    for name, weight in vars(config.model).items():
        if name.startswith("lambda_"):
            _within(name, weight, weight >= 0, "a weight of 0 or more")
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


def _check_milestones(training: TrainingOptions) -> None:
    milestones = training.lr_milestones
    if training.lr_policy == "multistep" and not milestones:
        raise UserError("--lr_policy multistep: add --lr_milestones, after how many epochs the rate falls: 20 40 45 47")
    if list(milestones) != sorted(set(milestones)) or min(milestones, default=1) < 1:
        given = " ".join(map(str, milestones))
        raise UserError(f"--lr_milestones {given}: wanted rising numbers of epochs from 1 on, such as 20 40 45 47")


def _check_ifcnn(config: TrainConfig, model: IFCNNTrainingOptions) -> None:
    if not isinstance(config.generator, IFCNNOptions):
        raise UserError("--model ifcnn trains IFCNN only: add --netG IFCNN")
    _at_least("perceptual_from", model.perceptual_from, 0)
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
    _at_least("fusion_from", model.fusion_from, 1)
    if "crop" in config.augmentation.preprocess:
        _at_least("crop_size", config.augmentation.crop_size, SSIM_WINDOW)


def _check_gsgif(config: TrainConfig, model: GSGIFTrainingOptions) -> None:
    if not isinstance(config.generator, GSGIFOptions):
        raise UserError("--model gsgif trains GSGIF_generator only: add --netG GSGIF_generator")
    stages = model.feature_stages
    if not stages or len(set(stages)) < len(stages) or not set(stages) <= set(range(4)):
        given = " ".join(map(str, stages))
        raise UserError(f"--feature_stages {given}: wanted different stages of 0 to 3, such as 0 1 2 3")
    if not (model.lambda_L1 or model.lambda_GAN or model.lambda_feat_fused):
        raise UserError("--lambda_L1 0 --lambda_GAN 0: nothing trains the decoder; wanted one of them above 0")


def _check_defusion(config: TrainConfig, model: DeFusionTrainingOptions) -> None:
    if not isinstance(config.generator, DeFusionOptions):
        raise UserError("--model defusion trains DeFusion only: add --netG DeFusion")
    if not isinstance(config.dataset, DecompositionOptions):
        raise UserError(
            f"--dataset_mode {config.selection.dataset_mode}: --model defusion needs masks; add --dataset_mode "
            "decomposition"
        )
    _within("annealing", model.annealing, model.annealing > 0, "a factor above 0, such as 0.1")


def _check_defusion_plus(config: TrainConfig, model: DeFusionPlusTrainingOptions) -> None:
    if not isinstance(config.generator, DeFusionPlusOptions):
        raise UserError("--model defusion_plus trains DeFusionPlus only: add --netG DeFusionPlus")
    _within("stage", model.stage, model.stage in (1, 2), "1 or 2")
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


def _check_targets(config: TrainConfig) -> None:
    if not config.model.needs_target:
        return
    if isinstance(config.dataset, AlignedOptions) and not config.dataset.with_target:
        raise UserError("--no_with_target: training needs the target, as the last panel of every picture")
    if isinstance(config.dataset, PatchesOptions):
        raise UserError(f"--dataset_mode patches has no targets, which --model {config.selection.model} trains with")


def _check_any_number(config: TrainConfig) -> None:
    """--num_sources_max is for networks that fuse whatever number of sources a batch has."""
    if not (isinstance(config.dataset, SaliencyOptions) and config.dataset.num_sources_max):
        return
    netG, generator = config.selection.netG, config.generator
    if isinstance(generator, R2GANOptions) and generator.decoders == "separate":
        raise UserError("--num_sources_max: --decoders separate are for one number of sources; add --decoders shared")
    if type(generator) is FamilyOptions or isinstance(generator, SMFNetOptions):  # resnet_*, unet_* concatenate them
        raise UserError(f"--num_sources_max: --netG {netG} fuses one number of sources; leave it out")


def _check_watching(watching: WatchingOptions) -> None:
    _within("display_port", watching.display_port, 1 <= watching.display_port <= 65535, "a port from 1 to 65535")
    for name in watching.chosen():
        if name not in LOGGERS:
            raise UserError(f"--loggers {watching.loggers}: {name!r} is not one of: {', '.join(LOGGERS)}")


def _check_common(config: TrainConfig | TestConfig) -> None:
    check_run_name(config.run.name)
    if Path(config.data.phase).name != config.data.phase or config.data.phase == "..":
        raise UserError(f"--phase {config.data.phase!r}: wanted the name of a sub-folder of --dataroot, such as test")
    _check_data_root(config)
    _within("seed", config.run.seed, 0 <= config.run.seed < 2**32, "a number from 0 to 4294967295")
    _at_least("num_sources", config.data.num_sources, 1)
    _at_least("max_dataset_size", config.data.max_dataset_size, 0)
    _at_least("num_threads", config.data.num_threads, 0)
    check_generator(config.generator)
    if config.run.gpu_ids and not re.fullmatch(r"-1(,-1)*|\d+(,\d+)*", config.run.gpu_ids.replace(" ", "")):
        raise UserError(f"--gpu_ids {config.run.gpu_ids!r}: wanted numbers such as 0 or 0,1, or -1 for the CPU")
    ids = [int(part) for part in config.run.gpu_ids.split(",") if part.strip()]
    if len(set(ids)) < len(ids) and -1 not in ids:
        raise UserError(f"--gpu_ids {config.run.gpu_ids}: a GPU is named twice")
    if isinstance(config.dataset, PMFOptions | SaliencyOptions):
        pairs = config.dataset.pairs_per_image
        _within("pairs_per_image", pairs, 1 <= pairs <= 10_000, "1 to 10000")
    if isinstance(config.dataset, PMFOptions) and not 0 < config.dataset.sigma[0] <= config.dataset.sigma[1]:
        raise UserError(f"--sigma {config.dataset.sigma}: wanted the weakest and the strongest defocus, such as 1.5 7")


def _check_data_root(config: TrainConfig | TestConfig) -> None:
    dataset = config.dataset
    if isinstance(dataset, PMFOptions) and dataset.images and dataset.maps:
        return
    if isinstance(dataset, SaliencyOptions) and dataset.images:
        return
    if isinstance(config, TestConfig) and config.testing.sources:
        return
    if not config.data.dataroot:
        raise UserError("--dataroot is missing: name the folder of the data, as in --dataroot datasets/PMF")
    root = Path(config.data.dataroot)
    if not (root.is_dir() or (isinstance(dataset, PatchesOptions) and root.is_file())):
        raise UserError(f"--dataroot {root}: no such folder{' or file' if isinstance(dataset, PatchesOptions) else ''}")


def _at_least(name: str, value: int, least: int) -> None:
    _within(name, value, value >= least, f"{least} or more")


def _within(name: str, value: float, fits: bool, wanted: str) -> None:
    if not (fits and math.isfinite(value)):  # NaN fits nowhere
        raise UserError(f"--{name} {value}: wanted {wanted}")
