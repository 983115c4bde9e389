"""Fusing a whole test set with the weights of a run: what test.py does."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from data.loader import create_loader
from models.generators.base import Generator
from models.registry import get_generator_class
from models.weights import checked_state, load_weights
from options.commands import TestConfig
from util.assembly import build_dataset, build_generator, build_runtime
from util.checkpoint import CheckpointFolder
from util.errors import UserError
from util.evaluator import Evaluator, mean_values, parse_metrics, write_page, write_tables
from util.launch import Place

log = logging.getLogger(__name__)


def fuse_set(config: TestConfig, given: Collection[str]) -> Path:
    """Fuses the test set of the options.

    Args:
        config: the options.
        given: the options that the user stated; the others may be read off the weights.

    Returns:
        The result page.

    Raises:
        UserError: weights, options or data that cannot be used.
    """
    if Place.of_process().world_size > 1:
        raise UserError("test.py fuses in one process: start it without torchrun")
    metrics = parse_metrics(config.testing.metrics)
    checkpoints = CheckpointFolder(Path(config.run.checkpoints_dir) / config.run.name)
    generator, weights_file = _load_generator(config, given, checkpoints)
    data, testing = config.data, config.testing
    limits = [limit for limit in (data.max_dataset_size, testing.num_test) if limit]
    dataset = build_dataset(config, max_size=min(limits, default=None))
    runtime = build_runtime(config)
    runtime.place(generator.train(not testing.eval))
    source = data.dataroot or "the given folders"
    log.info("%d items from %s, fused with %s", len(dataset), source, weights_file)

    label = f"{data.phase}_{testing.epoch}"
    folder = Path(testing.results_dir) / config.run.name / label
    evaluator = Evaluator(runtime, generator, folder, metrics)
    loader = create_loader(dataset, batch_size=1, num_threads=data.num_threads)
    samples = ({key: values[0] for key, values in batch.items()} for batch in loader)
    results = evaluator.run(samples, len(dataset), testing.batch_size)
    write_tables(folder, results)
    for name, value in mean_values(results).items():
        log.info("%-14s %.4f", name, value)
    facts = {
        "generator": config.selection.netG,
        "weights": str(weights_file),
        "data": source,
        "pictures": str(len(results)),
        "seconds per picture": f"{evaluator.seconds / len(results):.3f} on {runtime.device}",
    }
    return write_page(folder, f"{config.run.name}, {label}", facts, results)


def _load_generator(
    config: TestConfig, given: Collection[str], checkpoints: CheckpointFolder
) -> tuple[Generator, Path]:
    """Builds the network that the weights belong to and loads them."""
    content, path = checkpoints.load_network(config.testing.epoch)
    weights = checked_state(content, str(path))
    told: dict[str, Any] = dict(get_generator_class(config.selection.netG).options_from_state(weights))
    # Decoders of its own for N sources are part of a network, whatever the number of sources to fuse now.
    changes = {"num_sources": told["num_sources"]} if "num_sources" in told else {}
    if not checkpoints.options_file.is_file():
        config = _read_off_weights(config, given, told, path)
    generator = build_generator(config, **changes)
    load_weights(generator, weights, str(path))
    return generator, path


def _read_off_weights(config: TestConfig, given: Collection[str], told: Mapping[str, Any], path: Path) -> TestConfig:
    """Published weights come without options.json: what they tell themselves stands in for options not given."""
    if told and not {"norm"} & ({*told} | {*given}):
        raise UserError(f"{path} tells no norm, which has no weights: say --norm instance or --norm none")
    for name in ("input_nc", "output_nc"):
        if told.get(name, 3) != 3:
            raise UserError(f"{path} is of a network with {name} {told[name]}; pictures are fused as RGB, wanted 3")
    options = {entry.name for entry in dataclasses.fields(config.generator)}
    changes: dict[str, Any] = {name: told[name] for name in options & set(told) if name not in given}
    return dataclasses.replace(config, generator=dataclasses.replace(config.generator, **changes))
