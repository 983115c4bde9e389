"""From a configuration to a training that is ready to run: what train.py does."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch

from data.base_dataset import FusionDataset
from data.create import create_dataset
from data.loader import SampleLoader, create_loader
from data.sampler import EpochSampler
from data.transforms import JointTransform
from engine.assembly import build_dataset, build_model
from engine.checkpoint import CheckpointFolder
from engine.runtime import Runtime
from engine.training.loggers import build_loggers, check_loggers, run_facts
from engine.training.trainer import Trainer
from engine.training.validation import Validator
from models.base_model import BaseModel
from options.commands import TrainConfig
from options.saved import are_paths, describe, differences, read_options, to_dict, to_json
from util.errors import UserError
from util.files import write_text
from util.journal import refuse_other_settings
from util.loggers.events import ResumePoint
from util.suggest import suggest

log = logging.getLogger(__name__)


def begin_training(config: TrainConfig, runtime: Runtime) -> Trainer:
    """Builds everything that a training needs, its files opened last, so that bad input leaves no trace.

    Raises:
        UserError: something of the input does not fit.
    """
    checkpoints = CheckpointFolder(config.run.folder)
    _check_same_options(config, runtime)
    if runtime.is_main:
        check_loggers(config.watching)
        _check_run_folder(config, checkpoints)
    if runtime.sync_bn and config.model.penalises_gradient and config.generator.norm_of_discriminator == "batch":
        raise UserError("--gan_mode wgangp with --norm batch on several GPUs: add --no_sync_bn, or take another --norm")
    sampler, loader = build_loader(config, runtime)
    validator = _build_validator(config, runtime)
    model = build_model(config, runtime)
    _check_crop_size(config, model)
    if not runtime.from_main(lambda: _resumes(config, checkpoints)):
        model.set_initial_weights()
    runtime.seed_process()
    trainer = Trainer(
        config.training,
        configuration=to_dict(config),
        runtime=runtime,
        model=model,
        loader=loader,
        sampler=sampler,
        checkpoints=checkpoints,
        validator=validator,
    )
    if runtime.is_main:
        checkpoints.lock()
        _check_run_folder(config, checkpoints)  # it may have changed until the lock was there
    if runtime.from_main(lambda: _resumes(config, checkpoints)):
        trainer.resume()
        if trainer.is_finished:
            log.info("%s is finished: nothing to do; more --n_epochs would continue it.", checkpoints.folder)
            return trainer
    elif config.training.continue_train:
        near = suggest(config.run.name, config.run.runs)  # a mistyped name would train anew for days
        log.info("Nothing was saved in %s yet%s: the training begins.", checkpoints.folder, near)
    steps = trainer.total_samples // config.training.batch_size
    if steps <= model.fused_from_step:
        log.warning(
            "The fused image is trained from step %d on, but the training ends after %d steps: it needs more epochs, "
            "or a smaller --annealing.",
            model.fused_from_step,
            steps,
        )
    if runtime.is_main:
        _open_run_folder(config, checkpoints, trainer)
    return trainer


def _resumes(config: TrainConfig, checkpoints: CheckpointFolder) -> bool:
    """Whether there is something to resume from: a job may be ended, and submitted again, before its first save."""
    return config.training.continue_train and checkpoints.has_state()


def build_loader(config: TrainConfig, runtime: Runtime) -> tuple[EpochSampler, SampleLoader]:
    """The training batches of this process, and the order of their samples.

    Raises:
        UserError: data that cannot be used.
    """
    training, augmentation = config.training, config.augmentation
    batch_size = runtime.share_of(training.batch_size, training.accumulate)
    if runtime.world_size > 1:
        log.info("%d processes with %d samples of each batch", runtime.world_size, batch_size)
    transform = JointTransform(
        preprocess=augmentation.preprocess,
        load_size=augmentation.load_size,
        crop_size=augmentation.crop_size,
        flip=augmentation.flip,
    )
    dataset = build_dataset(config, transform=transform)
    if len(dataset) < training.batch_size:
        raise UserError(f"--batch_size {training.batch_size}: the dataset has only {len(dataset)} items")
    for line in dataset.description():
        log.info("%s", line)
    dataset[0]  # what is wrong with all items (panels, sizes, maps) is reported before any file is made
    log.info("%d training items from %s", len(dataset), config.data.dataroot or "the given folders")
    sampler = EpochSampler(
        len(dataset),
        training.batch_size,
        config.run.seed,
        shuffle=not augmentation.serial_batches,
        rank=runtime.rank,
        world_size=runtime.world_size,
    )
    return sampler, create_loader(dataset, sampler=sampler, batch_size=batch_size, num_threads=config.data.num_threads)


def _open_run_folder(config: TrainConfig, checkpoints: CheckpointFolder, trainer: Trainer) -> None:
    """Begins to write; the trainer's loggers do the rest."""
    resumed = trainer.progress.samples > 0
    if not resumed:
        checkpoints.clear()
    checkpoints.remove_leftovers()
    write_text(checkpoints.folder / "train_opt.txt", describe(config))
    write_text(checkpoints.options_file, to_json(config))
    progress = trainer.progress
    trainer.loggers = build_loggers(
        config,
        checkpoints.folder,
        run_facts(trainer.configuration),
        total_samples=trainer.total_samples,
        resume_at=ResumePoint(progress.samples, progress.epoch) if resumed else None,
    )


def _check_same_options(config: TrainConfig, runtime: Runtime) -> None:
    """Raises `UserError` where processes on several machines have different options, typed or found in run folders."""
    theirs = json.loads(runtime.gather(to_json(config))[0])
    found = differences(theirs, to_dict(config))
    different = [name for name, values in found.items() if not are_paths(name, *values)]
    if different:
        raise UserError(
            f"--{different[0]} is not the same in all processes: give all of them the same options, and share the "
            "run's folder between the machines"
        )


def _check_run_folder(config: TrainConfig, checkpoints: CheckpointFolder) -> None:
    """A new training needs a folder of its own, a resumed one the folder of the same configuration."""
    folder, training = checkpoints.folder, config.training
    if not training.continue_train:
        if checkpoints.is_used() and not training.overwrite:
            raise UserError(
                f"{folder} already holds a training or weights: add --continue_train to resume it, "
                "--overwrite to start anew, or choose another --name"
            )
        return
    if not checkpoints.has_state():
        if checkpoints.is_used():
            raise UserError(f"--continue_train: {folder} holds networks, but no saved state to resume from")
        return
    _check_same_networks(config, checkpoints)
    changed = differences(read_options(checkpoints.options_file), to_dict(config))
    if not training.accept_changes:
        advice = "leave them out to resume it as it was begun, or add --accept_changes"
        refuse_other_settings(
            f"--continue_train: {folder}", {f"--{name}": values for name, values in changed.items()}, advice
        )


def _check_same_networks(config: TrainConfig, checkpoints: CheckpointFolder) -> None:
    """A run resumes with the networks it was begun with, whatever else may change."""
    before, now = read_options(checkpoints.options_file), to_dict(config)
    terms = {"lambda_GAN", "stage"} & set(now["model"])
    names = {"selection": ("model", "netG", "netD"), "generator": now["generator"], "model": terms}
    changed = {}
    for group, options in (names | {"discriminator": now["discriminator"]}).items():
        for name in options:
            old, new = before.get(group, {}).get(name, now[group][name]), now[group][name]
            # Only whether there is a discriminator is a question of networks, not its term's weight.
            if (old > 0) != (new > 0) if name == "lambda_GAN" and isinstance(old, float) else old != new:
                changed[f"--{name}"] = old, new
    advice = "resume it with the same networks, or choose another --name"
    refuse_other_settings(f"--continue_train: {checkpoints.folder}", changed, advice)


def _check_crop_size(config: TrainConfig, model: BaseModel) -> None:
    """Raises `UserError` where a network cannot take the crops."""
    side, netG = config.augmentation.crop_size, model.generator
    if "crop" not in config.augmentation.preprocess:
        return
    if side % netG.size_divisor or side < netG.smallest_side:
        wanted = f"a multiple of {netG.size_divisor}, at least {max(netG.smallest_side, netG.size_divisor)}"
        raise UserError(f"--crop_size {side}: {config.selection.netG} needs {wanted}")
    netD = model.networks.get("D")
    if netD is not None:
        try:
            with torch.no_grad():
                device = next(netD.parameters()).device
                netD.eval()(torch.zeros(1, config.generator.fused_channels, side, side, device=device))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(f"--crop_size {side} is too small for --netD {config.selection.netD}") from error
        netD.train()


def _build_validator(config: TrainConfig, runtime: Runtime) -> Validator | None:
    root = config.training.val_dataroot
    if not root:
        return None
    try:
        dataset = _validation_set(config, Path(root))
        # An image that cannot be used must not end the training at its first validation.
        targets = sum("target" in dataset[index] for index in range(len(dataset)))
    except UserError as error:
        raise UserError(f"--val_dataroot {root}: {str(error).replace('--roles', '--val_roles')}") from error
    log.info("%d validation items from %s", len(dataset), root)
    if 0 < targets < len(dataset):
        log.warning("Only %d of them have a target: all are measured against their sources.", targets)
    mine = range(runtime.rank, len(dataset), runtime.world_size)
    return Validator(runtime, create_loader(dataset, sampler=mine, batch_size=1), with_target=targets == len(dataset))


def _validation_set(config: TrainConfig, root: Path) -> FusionDataset:
    """Images to validate with, as the training's kind of dataset reads them: see `DatasetOptions.for_validation`."""
    mode, options = config.dataset.for_validation(
        needs_target=config.model.needs_target, roles=config.training.val_roles
    )
    return create_dataset(mode, options, root=root, phase="val", num_sources=config.data.num_sources, training=True)
