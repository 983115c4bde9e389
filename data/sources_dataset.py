"""Sources that lie on disk as they were taken: in role folders, scenes, suffixed files or panels of one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.base_dataset import SampleKey, Scene, SceneDataset
from data.scenes.inspection import check_equal, describe, look_at
from data.scenes.panels import split_panels
from options.data import SourcesOptions
from util.images.image_io import read_image


class SourcesDataset(SceneDataset):
    """The items of a folder, see `data.scenes.discovery`, each with its own number of sources, or one given by files.

    Attributes:
        inspection: what was found; its items are those of the dataset.
    """

    options: SourcesOptions

    def __init__(self, options: SourcesOptions, *, files: Sequence[str | Path] = (), **settings: Any) -> None:
        """Finds the items and looks at every file, without decoding it (but to train and `skip` bad samples).

        Args:
            options: those of `--dataset_mode sources`.
            files: the sources of one single item; `root` and `phase` are not looked at then.
            **settings: see `FusionDataset.__init__`. In `training`, each item must have exactly `num_sources` sources;
                otherwise it has as many as there are files, and `num_sources` counts panels.

        Raises:
            UserError: see `data.scenes.discovery.discover` and `data.scenes.inspection.inspect`.
        """
        self.files = files
        super().__init__(options, **settings)

    def find_samples(self) -> int:
        """See `FusionDataset.find_samples`."""
        self.inspection = look_at(
            self.options,
            self.root,
            self.phase,
            files=self.files,
            num_sources=self.num_sources,
            training=self.training,
            fused_together=self.fused_together,
        )
        self.skipped = list(self.inspection.skipped)
        return len(self.inspection.counts)

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        found, count = self.inspection.found, self.inspection.counts[key.item]
        item = found.items[key.item]
        if found.layout == "stacked":
            (path,) = item.files
            images = split_panels(path, read_image(path), self.num_sources, with_target=self.options.with_target)
        else:
            paths = [*item.files, *([item.target] if item.target else [])]
            images = [read_image(path) for path in paths]
            check_equal([(path, image.shape[1::-1]) for path, image in zip(paths, images, strict=True)])
        if self.transform is not None:
            images, _ = self.transform(images, [], rng)
        return Scene(item.name, tuple(images[:count]), images[count] if len(images) > count else None, found.roles)

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        *lines, last = describe(self.inspection)
        if len(self) < len(self.inspection.counts):
            lines.append(f"used: the first {len(self)}")
        return [*lines, last]
