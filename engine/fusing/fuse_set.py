"""Fusing a whole test set with the weights of a run: what test.py does."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.base_dataset import FusionDataset
from engine.assembly import build_dataset, build_generator, build_runtime, read_off_weights, told_by_weights
from engine.checkpoint import CheckpointFolder
from engine.fusing.fuser import Fuser
from engine.fusing.results import ItemResult, write_page, write_tables
from engine.fusing.set_fuser import SetFuser
from engine.launch import Place
from models.generators.base import Generator
from models.weights import checked_state, load_weights
from options.commands import TestConfig
from options.data import SourcesOptions
from util.errors import UserError, one_line
from util.files import check_place, with_extension
from util.images.image_io import USUAL_EXTENSION, check_format, write_image
from util.metrics import REFERENCE_SUFFIX
from util.metrics.measuring import parse_metrics
from util.metrics.tables import mean_values

log = logging.getLogger(__name__)

_LARGEST_MEASURED = 25_000_000
"""Pixels of an image that is measured without being asked for: the quick metrics need 5 GB for it, fusing less."""


@dataclass(frozen=True)
class Fused:
    """What test.py made.

    Attributes:
        path: the result page, or the image of `--out`.
        skipped: a line on each sample that could not be used.
    """

    path: Path
    skipped: tuple[str, ...] = ()


def fuse_set(config: TestConfig, given: Collection[str]) -> Fused:
    """Fuses the test set of the options, or the images of --sources.

    Args:
        config: the options.
        given: the options that the user stated; the others may be read off the weights.

    Raises:
        UserError: weights, options or data that cannot be used.
    """
    if Place.of_process().world_size > 1:
        raise UserError("test.py fuses in one process: start it without torchrun")
    metrics = parse_metrics(config.testing.metrics)
    testing = config.testing
    checkpoints = CheckpointFolder(Path(config.run.checkpoints_dir) / config.run.name)
    label = f"{config.data.phase}_{config.fusing.epoch}"
    folder = Path(testing.results_dir) / config.run.name / label
    if testing.sources:
        check_place("--out", Path(testing.out).parent)
    else:
        check_place("--results_dir", folder)
    generator, weights_file = _load_generator(config, given, checkpoints)
    dataset = _build_dataset(config, generator)
    runtime = build_runtime(config)
    runtime.place(generator.train(not config.fusing.eval))
    fuser = Fuser(runtime, generator, config.fusing)
    if testing.sources:
        return _fuse_files(fuser, dataset, Path(testing.out))

    log.info("fused with %s", one_line(str(weights_file)))
    skips = isinstance(config.dataset, SourcesOptions) and config.dataset.on_bad_sample == "skip"
    largest = None if "metrics" in given else _LARGEST_MEASURED
    parts = testing.save_decomposition
    set_fuser = SetFuser(fuser, folder, metrics, largest=largest, skip_bad=skips, save_decomposition=parts)
    results = set_fuser.run(dataset, batch_size=testing.batch_size, read_ahead=config.data.num_threads > 0)
    skipped = (*dataset.skipped, *set_fuser.skipped)
    if not results:
        raise UserError(f"nothing was fused: {skipped[0]}")
    write_tables(folder, results)
    _say_values(results, testing.metrics, set_fuser.unmeasured)
    facts = {
        "generator": config.selection.netG,
        "weights": str(weights_file),
        "data": config.data.dataroot or "the given folders",
        "images": str(len(results)),
        "seconds per image": f"{set_fuser.seconds / len(results):.3f} on {runtime.device}",
        **({"skipped": str(len(skipped))} if skipped else {}),
    }
    return Fused(write_page(folder, f"{config.run.name}, {label}", facts, results), skipped)


def _say_values(results: Sequence[ItemResult], wanted: str, unmeasured: int) -> None:
    """Prints the means, and what was not measured though somebody may expect it.

    Args:
        results: of all items.
        wanted: the value of --metrics.
        unmeasured: how many images were too large.
    """
    means = mean_values([result.values for result in results])
    for name, value in means.items():
        log.info("%-22s %.4f", name, value)
    named = [name.strip() for name in wanted.split(",")]
    without = [name for name in named if name.endswith(REFERENCE_SUFFIX) and name not in means]
    if without:
        log.warning("no item has a target, so there is no %s", ", ".join(without))
    if unmeasured:
        limit = _LARGEST_MEASURED / 1e6
        log.warning("%d images above %d megapixels were not measured; give --metrics to do it", unmeasured, limit)


def _build_dataset(config: TestConfig, generator: Generator) -> FusionDataset:
    """Finds the items and says what was understood of them, before anything is computed."""
    limits = [limit for limit in (config.data.max_dataset_size, config.testing.num_test) if limit]
    changes: dict[str, Any] = {"max_size": min(limits, default=None)}
    if config.testing.sources:
        changes["files"] = tuple(map(Path, config.testing.sources))
    if isinstance(config.dataset, SourcesOptions):
        changes["fused_together"] = generator.num_sources
    dataset: FusionDataset = build_dataset(config, **changes)
    for line in dataset.description():
        log.info("%s", line)
    return dataset


def _fuse_files(fuser: Fuser, dataset: FusionDataset, out: Path) -> Fused:
    """Fuses the images of --sources into --out."""
    out = with_extension(out, USUAL_EXTENSION)
    sources = dataset.images(0).sources
    plan = fuser.plan(sources)
    check_format(out, plan.colour.dtype)
    write_image(out, fuser.fuse_images([sources], plan)[0])
    return Fused(out)


def _load_generator(
    config: TestConfig, given: Collection[str], checkpoints: CheckpointFolder
) -> tuple[Generator, Path]:
    """Builds the network that the weights belong to and loads them."""
    content, path = checkpoints.load_network(config.fusing.epoch)
    weights = checked_state(content, str(path))
    told = told_by_weights(config.selection.netG, weights)
    # Decoders of its own for N sources are part of a network, whatever the number of sources to fuse now.
    changes = {"num_sources": told["num_sources"]} if "num_sources" in told else {}
    if not checkpoints.options_file.is_file():
        options = read_off_weights(config.generator, given, told, path)
        assumed = {k: v for k, v in dataclasses.asdict(options).items() if k not in {*told, *given}}
        if assumed:
            words = ", ".join(f"--{name} {value}" for name, value in assumed.items())
            log.info("no options.json beside the weights, which do not tell everything: assumed %s", words)
        config = dataclasses.replace(config, generator=options)
    generator = build_generator(config, **changes)
    load_weights(generator, weights, str(path))
    return generator, path
