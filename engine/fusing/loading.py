"""From the name of a run, or a file of weights, to a fuser: what test.py, notebooks and torch.hub share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from engine.checkpoint import CheckpointFolder
from engine.fusing.fuser import Fuser
from engine.generators import load_generator, make_generator, with_published
from engine.runtime import Runtime
from models.generators.base import Generator
from options import registry
from options.fields import Options
from options.fusing import FusingOptions
from options.networks import GeneratorOptions
from options.parser import option_words, parse
from options.run import RunOptions
from options.saved import travelling_options
from util.errors import UserError

# Options of a run that mean nothing to a network which is loaded into a program.
WITHOUT_EFFECT = ("name", "seed", "compile", "verbose", "model", "netD", "dataset_mode")


@dataclass(frozen=True)
class FuserConfig:
    """Everything that `open_fuser` was told or took over from a run."""

    selection: registry.Selection
    run: RunOptions
    fusing: FusingOptions
    generator: GeneratorOptions

    def check(self) -> None:
        """Raises `UserError` for values out of their range, and options that contradict each other."""
        groups: tuple[Options, ...] = (self.run, self.fusing, self.generator)
        for group in groups:
            group.check_values()
            group.check(self)


def open_fuser(name: str | Path, options: Mapping[str, Any]) -> Fuser:
    """Loads a network; `engine.load_fuser` documents the arguments and what is raised."""
    for option in WITHOUT_EFFECT:
        if option in options:
            raise UserError(f"{option} has no effect on load_fuser: leave it out")
    if (entry := registry.GENERATORS.get(str(name))) and not entry.options.has_weights:
        config = _configure({"netG": str(name), **options}, {})[0]
        return make_fuser(make_generator(config.selection.netG, config.generator), config.run, config.fusing)
    place = find_weights(name, str(options.get("checkpoints_dir", RunOptions().checkpoints_dir)))
    folder = CheckpointFolder(place if place.is_dir() else place.parent)
    travelling = travelling_options(folder.options_file)
    if place.is_file() and not travelling and "netG" not in options:
        networks = ", ".join(name for name, entry in registry.GENERATORS.items() if entry.options.has_weights)
        raise UserError(f"{place}: netG is missing, the network of these weights; one of: {networks}")
    config, given = _configure(options, travelling)
    netG, of_network, known = config.selection.netG, config.generator, None if travelling else given
    file = place if place.is_file() else folder.network_file(config.fusing.epoch)
    if known is not None and place.is_file():
        of_network, known = with_published(netG, of_network, known, file)
    # Weights are drawn before they are replaced: the caller's random numbers stay as they were.
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        network = load_generator(netG, of_network, file, known).network
        return make_fuser(network, config.run, config.fusing)


def _configure(options: Mapping[str, Any], travelling: Mapping[str, Any]) -> tuple[FuserConfig, frozenset[str]]:
    """The checked options, and the names of those that were given."""
    words = [*chain(*(option_words(option, value) for option, value in options.items()))]
    parsed = parse(words, _groups, description="Loads a network.", travelling=travelling, without_effect={})
    config = FuserConfig(**parsed.groups)
    config.check()
    return config, parsed.given


def find_weights(name: str | Path, checkpoints_dir: str) -> Path:
    """The folder or the file that a name stands for: a run or shipped weights of that name, else a path.

    Args:
        name: of a run, or the path of a folder with networks or of a file with weights.
        checkpoints_dir: the folder that holds the folders of the runs.

    Raises:
        UserError: there is neither.
    """
    path, run = Path(name), RunOptions(name=str(name), checkpoints_dir=checkpoints_dir)
    may_be_run = path.name == str(name) and path.suffix != ".pth"
    if may_be_run and run.networks_folder.is_dir():
        return run.networks_folder
    if not path.exists() and may_be_run:
        run.check_exists(named=True)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return path


def make_fuser(network: Generator, run: RunOptions, fusing: FusingOptions) -> Fuser:
    """Moves a network to its device, in the precision and memory layout of the run, and makes a fuser of it."""
    runtime = Runtime(gpu_ids=run.gpu_ids, precision=run.precision, seed=run.seed, channels_last=run.channels_last)
    runtime.move(network.train(not fusing.eval))
    return Fuser(runtime, network, fusing)


def _groups(selection: registry.Selection) -> dict[str, type[Options]]:
    return {"run": RunOptions, "fusing": FusingOptions, "generator": registry.GENERATORS[selection.netG].options}
