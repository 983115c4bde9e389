"""From a configuration to the parts of a run. The only module that knows options, data and models at once."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Collection, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from tqdm import tqdm

from data.registry import create_dataset
from engine.launch import Place
from engine.runtime import Runtime
from models import create_discriminator, create_generator
from models.base_model import BaseModel, OptimizerSettings
from models.generators.base import Generator
from models.init import init_weights
from models.registry import get_generator_class, get_model_class
from options.commands import TestConfig, TrainConfig
from options.data import SourcesOptions
from options.networks import GeneratorOptions
from util.errors import UserError

log = logging.getLogger(__name__)


class _AboveTheBar(logging.Handler):
    """Writes a line of its own, not into the middle of a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:  # the terminal may be gone: what is said is no reason to end
            self.handleError(record)


def set_up_logging(verbose: bool, rank: int = 0) -> None:
    """Shows the project's own messages on the standard error stream, those of libraries only when they warn.

    Args:
        verbose: show details.
        rank: which process of the job this is; only process 0 speaks.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[_AboveTheBar()])
    level = logging.DEBUG if verbose else logging.INFO
    for package in ("util", "data", "models", "engine"):
        logging.getLogger(package).setLevel(logging.ERROR if rank else level)
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR if rank else logging.WARNING)


def build_runtime(config: TrainConfig | TestConfig, place: Place | None = None) -> Runtime:
    """The machine that the options ask for.

    Args:
        config: the options.
        place: which process of a job this is; None is the only one.
    """
    run, trains = config.run, isinstance(config, TrainConfig)
    return Runtime(
        gpu_ids=run.gpu_ids,
        precision=run.precision,
        seed=run.seed,
        channels_last=run.channels_last,
        compile_networks=run.compile,
        sync_bn=config.training.sync_bn if isinstance(config, TrainConfig) else True,
        all_weights=get_model_class(config.selection.model).uses_all_weights if trains else True,
        place=place,
    )


def build_generator(config: TrainConfig | TestConfig, num_sources: int | None = None) -> Generator:
    """The generator with its options; weights are torch's own initial ones.

    Args:
        config: the options.
        num_sources: build it for so many sources instead of those of the options.
    """
    return make_generator(config.selection.netG, config.generator, num_sources or config.data.num_sources)


def make_generator(name: str, options: GeneratorOptions, num_sources: int) -> Generator:
    """A generator by its name, built for so many sources where it does not take any number."""
    arguments = dataclasses.asdict(options)
    if "num_sources" in signature(get_generator_class(name)).parameters:
        arguments["num_sources"] = num_sources
    return create_generator(name, **arguments)


def told_by_weights(name: str, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of a generator that can be told from a state dict, see `Generator.options_from_state`."""
    try:
        return dict(get_generator_class(name).options_from_state(weights))
    except IndexError:  # a tensor has fewer dimensions than the network's, which loading it then says
        return {}


def read_off_weights(
    options: GeneratorOptions, given: Collection[str], told: Mapping[str, Any], path: Path
) -> GeneratorOptions:
    """The options of a generator whose weights came without: what they tell stands in for options not given.

    Args:
        options: the options as far as they are known.
        given: names of those that the user stated.
        told: what the weights tell, see `told_by_weights`.
        path: the file of the weights, for the message.

    Raises:
        UserError: the weights do not tell enough, or are of a network for other images.
    """
    names = {entry.name for entry in dataclasses.fields(options)}
    if told and "norm" in names - {*told} - {*given}:
        raise UserError(f"{path} tells no norm, which has no weights: say --norm instance or --norm none")
    for name in ("input_nc", "output_nc"):
        if told.get(name, 3) != 3:
            raise UserError(f"{path} is of a network with {name} {told[name]}; images are fused as RGB, expected 3")
    changes: dict[str, Any] = {name: told[name] for name in names & set(told) if name not in given}
    return dataclasses.replace(options, **changes)


def build_model(config: TrainConfig, runtime: Runtime) -> BaseModel:
    """The training procedure with freshly initialised networks."""
    training, model_options = config.training, dataclasses.asdict(config.model)
    model_class = get_model_class(config.selection.model)
    netG = build_generator(config)
    init_weights(netG, training.init_type, training.init_gain)
    netD: nn.Module | None = None
    if model_class.needs_discriminator(**model_options):
        netD = create_discriminator(
            config.selection.netD,
            input_nc=config.generator.fused_channels,
            norm=config.generator.norm_of_discriminator,
            **dataclasses.asdict(config.discriminator),
        )
        init_weights(netD, training.init_type, training.init_gain)
    names = [entry.name for entry in dataclasses.fields(OptimizerSettings)]
    settings = OptimizerSettings(**{name: getattr(training, name) for name in names})
    model = model_class(runtime, netG, netD, settings, **model_options)
    for name, network in model.networks.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        log.info("net%s: %s parameters", name, f"{count:,}")
        log.debug("%s", network)
    return model


def build_dataset(config: TrainConfig | TestConfig, **changes: Any) -> Any:
    """The dataset of the options.

    Args:
        config: the options.
        changes: constructor arguments to set differently.
    """
    data = config.data
    arguments: dict[str, Any] = {
        "root": Path(data.dataroot) if data.dataroot else None,
        "phase": data.phase,
        "num_sources": data.num_sources,
        "max_size": data.max_dataset_size or None,
        "seed": config.run.seed,
        **dataclasses.asdict(config.dataset),
    }
    if isinstance(config, TrainConfig) and isinstance(config.dataset, SourcesOptions):
        arguments |= {"training": True, "with_target": config.dataset.with_target or config.model.needs_target}
    return create_dataset(config.selection.dataset_mode, **(arguments | changes))
