"""Panels: one wide image per sample, the sources side by side and the target last (A | C | B)."""

from __future__ import annotations

import numpy as np

from data.base_dataset import SampleKey, Scene, SceneDataset
from data.scenes.panels import panel_stem, panel_width, split_panels
from options.data import AlignedOptions
from util.files import find_folder
from util.images.image_io import probe_image, read_image, require_images


class PanelsDataset(SceneDataset):
    """Wide images of exactly `num_sources` equal panels, plus one for the target.

    `--dataset_mode aligned` is the pix2pix family's name for them, `--layout stacked` that of the dataset of sources.
    """

    options: AlignedOptions

    def find_samples(self) -> int:
        """Lists the images of root/phase or, where that does not exist, of root, and looks at every header."""
        folder = find_folder(self.root, self.phase)
        self.paths = require_images(folder, else_say="--dataset_mode sources reads role folders and scenes")
        for path in self.paths[: self.max_size]:
            panel_width(path, probe_image(path).width, self.num_sources, with_target=self.options.with_target)
        return len(self.paths)

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        path, with_target = self.paths[key.item], self.options.with_target
        panels = split_panels(path, read_image(path), self.num_sources, with_target=with_target)
        if self.transform is not None:
            panels, _ = self.transform(panels, [], rng)
        return Scene(panel_stem(path), tuple(panels[: self.num_sources]), panels[-1] if with_target else None)
