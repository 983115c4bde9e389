"""Stacked panels: one wide image per sample, the sources side by side and the target last (A | C | B)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images
from data.scenes.panels import panel_stem, panel_width, split_panels
from data.transforms import JointTransform
from util.files import find_folder
from util.images.image_io import probe_image, read_image, require_images


class StackedDataset(FusionDataset):
    """Wide images of exactly `num_sources` equal panels, plus one for the target."""

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        num_sources: int = 2,
        with_target: bool = True,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Lists the images of root/phase or, where that does not exist, of root, and looks at every header.

        Args:
            root: the folder given by --dataroot.
            phase: its sub-folder to use.
            num_sources: how many panels are sources.
            with_target: one more panel, the last, is the target.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many images; None or 0 for all.

        Raises:
            UserError: no folder, no image in it, or one that cannot be read or has no such panels.
        """
        folder = find_folder(root, phase)
        self.paths = require_images(folder, else_say="--dataset_mode sources reads role folders and scenes")
        self.num_sources = num_sources
        self.with_target = with_target
        super().__init__(length=len(self.paths), transform=transform, seed=seed, max_size=max_size)
        for path in self.paths[: len(self)]:
            panel_width(path, probe_image(path).width, num_sources, with_target=with_target)

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`."""
        path = self.paths[index]
        panels = split_panels(path, read_image(path), self.num_sources, with_target=self.with_target)
        if self.transform is not None:
            panels, _ = self.transform(panels, [], rng)
        target = panels[-1] if self.with_target else None
        return Images(panel_stem(path), tuple(panels[: self.num_sources]), target)
