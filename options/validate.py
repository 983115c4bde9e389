"""Checks of option values against each other, before anything is computed or written."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from options.commands import TestConfig, TrainConfig
from options.fields import Options, Parsed
from options.networks import (
    FamilyOptions,
    GeneratorOptions,
    GSGIFOptions,
    NLayersOptions,
    PaddedOptions,
    R2GANOptions,
)
from options.notices import training_notices
from options.procedures import check_procedure
from options.ranges import at_least, within
from options.run import RunOptions
from options.tables import GENERATORS
from options.training import TrainingOptions
from options.watching import LOGGERS, WatchingOptions
from util.errors import UserError
from util.files import with_extension
from util.suggest import suggest

MOST_FILTERS = 1024
LARGEST_SIDE = 16384
LARGEST_PAD = 1024
MOST_LISTED = 5


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
        at_least(name, getattr(training, name), 1)
    for name in ("n_epochs", "n_epochs_decay"):
        at_least(name, getattr(training, name), 0)
    at_least("lr_decay_iters", training.lr_decay_iters, 1)
    within("lr", training.lr, training.lr > 0, "a rate above 0, such as 0.0002")
    factor, lowest = training.lr_decay_factor, training.lr_min
    within("lr_decay_factor", factor, 0 < factor <= 1, "a factor above 0 and up to 1, such as 0.5")
    _check_milestones(training)
    within("lr_min", lowest, 0 <= lowest <= training.lr, f"a rate from 0 to that of --lr, {training.lr}")
    at_least("accumulate", training.accumulate, 1)
    _check_watching(config.watching)
    for name in ("crop_size", "load_size"):
        within(name, getattr(augmentation, name), 1 <= getattr(augmentation, name) <= LARGEST_SIDE, "1 to 16384 pixels")
    within("ndf", config.discriminator.ndf, 1 <= config.discriminator.ndf <= MOST_FILTERS, f"1 to {MOST_FILTERS}")
    within("init_gain", training.init_gain, training.init_gain > 0, "a scale above 0, such as 0.02")
    if isinstance(config.discriminator, NLayersOptions):
        within("n_layers", config.discriminator.n_layers, 1 <= config.discriminator.n_layers <= 10, "1 to 10")
    if training.n_epochs + training.n_epochs_decay < 1:
        raise UserError("--n_epochs 0 --n_epochs_decay 0: expected at least one epoch in all")
    within("ema", training.ema, 0 <= training.ema < 1, "a decay in [0, 1), such as 0.999; 0 switches it off")
    within("beta1", training.beta1, 0 <= training.beta1 < 1, "a momentum in [0, 1), such as 0.5")
    within("clip_grad", training.clip_grad, training.clip_grad >= 0, "a norm above 0, or 0 for no limit")
    check_procedure(config)
    if training.continue_train and training.overwrite:
        raise UserError("--continue_train goes on with a run, --overwrite throws it away: choose one")
    if training.lr_policy == "plateau" and not training.val_dataroot:
        raise UserError("--lr_policy plateau watches the validation: add --val_dataroot DIR")
    if training.val_dataroot and not Path(training.val_dataroot).is_dir():
        missing = "expected a folder of images" if Path(training.val_dataroot).is_file() else "no such folder"
        raise UserError(f"--val_dataroot {training.val_dataroot}: {missing}")
    own = [line for entry in fields(config) for line in getattr(config, entry.name).notices(config, parsed)]
    return training_notices(config, parsed) + own


def validate_test(config: TestConfig, parsed: Parsed) -> list[str]:
    """Checks the options of a test.

    Returns:
        Lines the user should see.

    Raises:
        UserError: a value out of its range.
    """
    _check_own_images(config, parsed)
    _check_decomposition(config)
    _check_common(config)
    at_least("batch_size", config.testing.batch_size, 1)
    at_least("num_test", config.testing.num_test, 0)
    notices = list(parsed.notices)
    if config.testing.sources and "metrics" in parsed.typed and config.testing.metrics != "none":
        notices.append("--metrics has no effect with --sources: nothing is measured; scripts/evaluate.py does it")
    return notices


def _check_own_images(config: TestConfig, parsed: Parsed) -> None:
    """--sources, --out and --list, which stand in for a whole test set."""
    testing = config.testing
    if bool(testing.sources) != bool(testing.out) and not testing.list:
        raise UserError("--sources A B … and --out FILE belong together: the images of one scene and the fused one")
    if testing.sources and len(testing.sources) < 2:
        raise UserError(f"--sources {testing.sources[0]}: expected the images of one scene, at least two")
    # What a --config file says of folders is but a default, over which --sources on the command line wins.
    if testing.sources and "roles" in parsed.typed:
        raise UserError(
            "--roles beside --sources: the order in which the images are named is that of the sources; leave it out"
        )
    if testing.sources and "dataroot" in parsed.typed:
        raise UserError("--dataroot beside --sources: choose the test set of a folder or the images of one scene")
    for path in testing.sources:
        if not Path(path).is_file():
            raise UserError(f"--sources {path}: no such file")
        if testing.out and Path(path).resolve() == with_extension(Path(testing.out), ".png").resolve():
            raise UserError(f"--out {testing.out} is one of the --sources, which would be overwritten")
    if testing.out.endswith(("/", "\\")) or Path(testing.out or "x").is_dir():
        raise UserError(f"--out {testing.out}: expected the name of a file, not of a folder")
    if (testing.sources or testing.list) and config.selection.dataset_mode != "sources":
        option = "--sources" if testing.sources else "--list"
        raise UserError(f"{option} goes with --dataset_mode sources, the default of test.py")
    if testing.list and not testing.sources and not config.data.dataroot:
        raise UserError("--dataroot is missing: name the folder of the data, as in --dataroot datasets/TNO")


def _check_decomposition(config: TestConfig) -> None:
    if not config.testing.save_decomposition:
        return
    if not config.generator.decomposes:
        able = " or ".join(f"--netG {name}" for name, options in GENERATORS.items() if options.decomposes)
        raise UserError(f"--save_decomposition: --netG {config.selection.netG} takes no source apart; expected {able}")
    if config.testing.sources:
        raise UserError("--save_decomposition fills the result folder of --dataroot DIR, which --sources has none of")


def check_run_name(name: str) -> None:
    """Raises `UserError` unless `name` is that of a folder, which leads nowhere else."""
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise UserError(f"--name {name!r}: expected the name of a folder, without slashes")


def check_run(run: RunOptions, *, named: bool) -> None:
    """Checks that there is a run to fuse with.

    Args:
        run: its name and place.
        named: whether the user gave the name.

    Raises:
        UserError: there is none of that name; those that are near it, or some that are there, are named.
    """
    if run.folder.is_dir():
        return
    runs = run.runs
    more = f" and {len(runs) - MOST_LISTED} more" if len(runs) > MOST_LISTED else ""
    listed = f"; there are: {', '.join(runs[:MOST_LISTED])}{more}"
    if not runs:
        listed = ", which holds none; --checkpoints_dir DIR names another folder"
    if not named:
        raise UserError(f"--name is missing: name a run of {run.checkpoints_dir}{listed}")
    near = suggest(run.name, runs) or listed
    raise UserError(f"--name {run.name}: there is no such run in {run.checkpoints_dir}{near}")


def check_generator(options: GeneratorOptions) -> None:
    """Raises `UserError` for an option of a generator that is out of its range."""
    if isinstance(options, FamilyOptions):
        for channels in ("input_nc", "output_nc"):
            number = getattr(options, channels)
            if number != 3:
                raise UserError(f"--{channels} {number}: images are fused as RGB, expected 3")
        within("ngf", options.ngf, 1 <= options.ngf <= MOST_FILTERS, f"1 to {MOST_FILTERS}")
    if isinstance(options, R2GANOptions | GSGIFOptions):
        within("n_blocks", options.n_blocks, 1 <= options.n_blocks <= 100, "1 to 100")
    if isinstance(options, PaddedOptions):
        within("pad", options.pad, 0 <= options.pad <= LARGEST_PAD, f"0 to {LARGEST_PAD} pixels")


def _check_milestones(training: TrainingOptions) -> None:
    milestones = training.lr_milestones
    if training.lr_policy == "multistep" and not milestones:
        raise UserError("--lr_policy multistep: add --lr_milestones, after how many epochs the rate falls: 20 40 45 47")
    if list(milestones) != sorted(set(milestones)) or min(milestones, default=1) < 1:
        given = " ".join(map(str, milestones))
        raise UserError(f"--lr_milestones {given}: expected rising numbers of epochs from 1 on, such as 20 40 45 47")


def _check_watching(watching: WatchingOptions) -> None:
    within("display_port", watching.display_port, 1 <= watching.display_port <= 65535, "a port from 1 to 65535")
    for name in watching.chosen():
        if name not in LOGGERS:
            raise UserError(f"--loggers {watching.loggers}: {name!r} is not one of: {', '.join(LOGGERS)}")


def _check_common(config: TrainConfig | TestConfig) -> None:
    groups: list[Options] = [getattr(config, entry.name) for entry in fields(config)]
    for group in groups:
        group.check_values()
    for group in groups:
        group.check(config)
    check_run_name(config.run.name)
    if Path(config.data.phase).name != config.data.phase or config.data.phase == "..":
        raise UserError(f"--phase {config.data.phase!r}: expected the name of a sub-folder of --dataroot, such as test")
    within("seed", config.run.seed, 0 <= config.run.seed < 2**32, "a number from 0 to 4294967295")
    at_least("num_sources", config.data.num_sources, 1)
    at_least("max_dataset_size", config.data.max_dataset_size, 0)
    at_least("num_threads", config.data.num_threads, 0)
    check_generator(config.generator)
