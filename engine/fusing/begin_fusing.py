"""From a configuration to a test that is ready to run: what test.py does."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from data.base_dataset import SceneDataset
from engine.assembly import build_dataset
from engine.checkpoint import CheckpointFolder
from engine.fusing.fuser import Fuser
from engine.fusing.loading import make_fuser
from engine.fusing.results import ItemResult, write_page, write_tables
from engine.fusing.set_fuser import SetFuser
from engine.generators import load_generator, make_generator
from engine.launch import ProcessRank
from models.generators.base import Generator
from options.commands import TestConfig
from util.errors import UserError, one_line
from util.files import check_writable, with_extension
from util.images.image_io import USUAL_EXTENSION, check_format, write_image
from util.metrics import REFERENCE_SUFFIX
from util.metrics.measuring import parse_metrics
from util.metrics.tables import mean_values

log = logging.getLogger(__name__)

_LARGEST_MEASURED = 25_000_000
"""Pixels of an image that is measured without being asked for: the quick metrics need 5 GB for it, fusing less."""


def begin_fusing(config: TestConfig, given: Collection[str]) -> Test:
    """Loads the network and finds the sources; nothing is written yet, so that bad input leaves no trace.

    Args:
        config: the options.
        given: the options that the user stated; the others may be read off the weights.

    Raises:
        UserError: weights, options or data that cannot be used.
    """
    if ProcessRank.from_environment().world_size > 1:
        raise UserError("test.py fuses in one process: start it without torchrun")
    metrics = parse_metrics(config.testing.metrics)
    label = f"{config.data.phase}_{config.fusing.epoch}"
    folder = Path(config.testing.results_dir) / config.run.name / label
    if config.testing.sources:
        check_writable("--out", Path(config.testing.out).parent)
    else:
        check_writable("--results_dir", folder)
    network, weights = _load_network(config, given)
    dataset = _find_sources(config, network)
    fuser = make_fuser(network, config.run, config.fusing)
    set_fuser = SetFuser(
        fuser,
        folder,
        metrics,
        largest=None if "metrics" in given else _LARGEST_MEASURED,
        skip_bad=config.dataset.skips_bad_samples,
        save_decomposition=config.testing.save_decomposition,
    )
    return Test(config, weights, dataset, fuser, set_fuser)


def _load_network(config: TestConfig, given: Collection[str]) -> tuple[Generator, str]:
    """The network, and where its weights come from, in words."""
    netG, options = config.selection.netG, config.generator
    if not options.has_weights:
        return make_generator(netG, options), f"{netG}, which has no weights"
    checkpoints = CheckpointFolder(config.run.networks_folder)
    weights = checkpoints.network_file(config.fusing.epoch)
    known = None if checkpoints.options_file.is_file() else given
    return load_generator(netG, options, weights, known).network, str(weights)


class Test:
    """A network and the sources that it fuses: the images of one scene, or a whole set.

    Args:
        config: the options.
        weights: where the network's weights come from.
        dataset: the sources.
        fuser: fuses images.
        set_fuser: fuses sets of them.
    """

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    def __init__(
        self, config: TestConfig, weights: str, dataset: SceneDataset, fuser: Fuser, set_fuser: SetFuser
    ) -> None:
        self._config, self._weights, self._dataset = config, weights, dataset
        self._fuser, self._set_fuser = fuser, set_fuser

    @property
    def skipped(self) -> list[str]:
        """A line on each sample that could not be used."""
        return [*self._dataset.skipped, *self._set_fuser.skipped]

    def fuse_scene(self) -> Path:
        """Fuses the images of --sources.

        Returns:
            The fused image, --out.
        """
        out = with_extension(Path(self._config.testing.out), USUAL_EXTENSION)
        sources = self._dataset.scene(0).sources
        plan = self._fuser.plan(sources)
        check_format(out, plan.colour.dtype)
        write_image(out, self._fuser.fuse_images([sources], plan)[0])
        return out

    def fuse_set(self) -> list[ItemResult]:
        """Fuses, writes and measures all items.

        Raises:
            UserError: an item that cannot be used, or nothing but items that are skipped.
        """
        log.info("fused with %s", one_line(self._weights))
        testing, read_ahead = self._config.testing, self._config.data.num_threads > 0
        results = self._set_fuser.run(self._dataset, batch_size=testing.batch_size, read_ahead=read_ahead)
        if not results:
            raise UserError(f"nothing was fused: {self.skipped[0]}")
        _log_values(results, testing.metrics, self._set_fuser.unmeasured)
        return results

    def report(self, results: Sequence[ItemResult]) -> Path:
        """Writes the tables and the page of a set.

        Returns:
            The page.
        """
        config, folder = self._config, self._set_fuser.folder
        write_tables(folder, results)
        facts = {
            "generator": config.selection.netG,
            "weights": self._weights,
            "data": config.data.dataroot or "the given folders",
            "images": str(len(results)),
            "seconds per image": f"{self._set_fuser.seconds / len(results):.3f} on {self._fuser.device}",
            **({"skipped": str(len(self.skipped))} if self.skipped else {}),
        }
        return write_page(folder, f"{config.run.name}, {folder.name}", facts, results)


def _log_values(results: Sequence[ItemResult], wanted: str, unmeasured: int) -> None:
    """Logs the means, and what was asked for but not measured.

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


def _find_sources(config: TestConfig, generator: Generator) -> SceneDataset:
    """Finds the items and logs what was understood of them, before anything is computed."""
    limits = [limit for limit in (config.data.max_dataset_size, config.testing.num_test) if limit]
    changes: dict[str, Any] = {"max_size": min(limits, default=None), "fused_together": generator.num_sources}
    if config.testing.sources:
        changes["files"] = tuple(map(Path, config.testing.sources))
    dataset = build_dataset(config, **changes)
    if not isinstance(dataset, SceneDataset):
        raise UserError(f"--dataset_mode {config.selection.dataset_mode} is to train with; fuse the images themselves")
    for line in dataset.description():
        log.info("%s", line)
    return dataset
