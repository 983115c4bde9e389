"""From a configuration to the parts of a run. The only module that knows options, data and models at once."""

from __future__ import annotations

import dataclasses
import logging
import sys
from typing import Any

from torch import nn
from tqdm import tqdm

from data.base_dataset import FusionDataset
from data.create import create_dataset
from engine.generators import make_generator
from engine.launch import ProcessRank
from engine.runtime import Runtime
from models import create_discriminator
from models.base_model import BaseModel
from models.create import get_model_class
from models.init import init_weights
from options.commands import TestConfig, TrainConfig

log = logging.getLogger(__name__)


class _AboveTheBar(logging.Handler):
    """Writes a line of its own, not into the middle of a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:  # the terminal may be gone, which is no reason to end
            self.handleError(record)


def set_up_logging(verbose: bool, rank: int = 0) -> None:
    """Shows the project's own messages on the standard error stream, those of libraries only when they warn.

    Args:
        verbose: show details.
        rank: which process of the job this is; only process 0 logs.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[_AboveTheBar()])
    level = logging.DEBUG if verbose else logging.INFO
    for package in ("util", "data", "models", "engine"):
        logging.getLogger(package).setLevel(logging.ERROR if rank else level)
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR if rank else logging.WARNING)


def build_runtime(config: TrainConfig, process: ProcessRank | None = None) -> Runtime:
    """The devices, processes and precision that a training asks for; without a `process` for the only one."""
    run = config.run
    return Runtime(
        gpu_ids=run.gpu_ids,
        precision=run.precision,
        seed=run.seed,
        channels_last=run.channels_last,
        compile_networks=run.compile,
        sync_bn=config.training.sync_bn,
        all_weights=get_model_class(config.selection.model).uses_all_weights,
        process=process,
    )


def build_model(config: TrainConfig, runtime: Runtime) -> BaseModel:
    """The training procedure with freshly initialised networks."""
    training = config.training
    netG = make_generator(config.selection.netG, config.generator, config.data.num_sources)
    init_weights(netG, training.init_type, training.init_gain)
    netD: nn.Module | None = None
    if config.model.trains_discriminator:
        netD = create_discriminator(
            config.selection.netD,
            input_nc=config.generator.fused_channels,
            norm=config.generator.norm_of_discriminator,
            **dataclasses.asdict(config.discriminator),
        )
        init_weights(netD, training.init_type, training.init_gain)
    model = get_model_class(config.selection.model)(runtime, netG, netD, training, config.model)
    for name, network in model.networks.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        log.info("net%s: %s parameters", name, f"{count:,}")
        log.debug("%s", network)
    return model


def build_dataset(config: TrainConfig | TestConfig, **changes: Any) -> FusionDataset:
    """The dataset of the options; `changes` are settings of it that differ from them."""
    data, options = config.data, config.dataset
    if isinstance(config, TrainConfig):
        options = options.for_training(needs_target=config.model.needs_target)
    settings: dict[str, Any] = {
        "root": data.dataroot,
        "phase": data.phase,
        "num_sources": data.num_sources,
        "max_size": data.max_dataset_size,
        "seed": config.run.seed,
        "training": isinstance(config, TrainConfig),
    }
    return create_dataset(config.selection.dataset_mode, options, **(settings | changes))
