"""Sources that lie on disk as they were taken: in role folders, scenes, suffixed files or stacked panels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images
from data.scenes.inspection import check_equal, describe, look_at
from data.scenes.panels import split_panels
from data.transforms import JointTransform
from util.images.image_io import read_image


class SourcesDataset(FusionDataset):
    """The items of a folder, see `data.scenes.discovery`, each with its own number of sources, or one given by files.

    Attributes:
        inspection: what was found; its items are those of the dataset.
        skipped: one line for each sample that is left out because it cannot be used.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        num_sources: int = 2,
        with_target: bool = False,
        training: bool = False,
        fused_together: int | None = None,
        layout: str = "auto",
        roles: str = "",
        on_bad_sample: str = "stop",
        files: Sequence[str | Path] = (),
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Finds the items and looks at every file, without decoding it (but to train and `skip` bad samples).

        Args:
            root: the folder given by --dataroot.
            phase: its sub-folder to use.
            num_sources: how many panels of stacked images are sources; in `training`, of any item.
            with_target: every item must have a target; in stacked images it is one more panel, the last.
            training: the items are to train with, so that each has exactly `num_sources` sources.
            fused_together: how many sources each item must have to be fused; None for any number.
            layout: `roles`, `scenes`, `suffix`, `stacked` or `auto`.
            roles: the roles to use, separated by commas, in this order; empty for all of them.
            on_bad_sample: `stop` at samples that cannot be used, or `skip` them.
            files: the sources of one single item; `root` and `phase` are not looked at then.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many items; None or 0 for all.

        Raises:
            UserError: see `data.scenes.discovery.discover` and `data.scenes.inspection.inspect`.
        """
        self.num_sources = num_sources
        self.with_target = with_target
        self.inspection = look_at(
            root,
            phase,
            layout=layout,
            roles=roles,
            num_sources=num_sources,
            with_target=with_target,
            on_bad_sample=on_bad_sample,
            files=files,
            training=training,
            fused_together=fused_together,
        )
        self.skipped = list(self.inspection.skipped)
        super().__init__(length=len(self.inspection.counts), transform=transform, seed=seed, max_size=max_size)

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`."""
        item = self.inspection.found.items[index]
        if self.inspection.found.layout == "stacked":
            (path,) = item.files
            images = split_panels(path, read_image(path), self.num_sources, with_target=self.with_target)
        else:
            paths = [*item.files, *([item.target] if item.target else [])]
            images = [read_image(path) for path in paths]
            check_equal([(path, image.shape[1::-1]) for path, image in zip(paths, images, strict=True)])
        if self.transform is not None:
            images, _ = self.transform(images, [], rng)
        count = self.inspection.counts[index]
        target = images[count] if len(images) > count else None
        return Images(item.name, tuple(images[:count]), target, self.inspection.found.roles)

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        *lines, last = describe(self.inspection)
        if len(self) < len(self.inspection.counts):
            lines.append(f"used: the first {len(self)}")
        return [*lines, last]
