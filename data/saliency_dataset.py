"""Sources made on the fly from photographs alone, by saliency: GSGIF-GAN's training data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import SampleKey, Scene, SceneDataset
from data.cache import ArrayCache
from data.saliency.recipe import MOST_SOURCES, SaliencyRecipe
from data.saliency.synthesis import distribute
from options.data import SaliencyOptions
from util.errors import UserError


class SaliencyDataset(SceneDataset):
    """Photographs; every epoch distributes each in another way over its sources.

    The saliency is that of the whole photograph; photograph and saliency are cut first, and the part is distributed.
    All samples of a training batch have the same number of sources, which is drawn for it with `num_sources_max`.
    """

    options: SaliencyOptions

    def find_samples(self) -> int:
        """Finds the photographs, in root/phase/images, root/images, root/phase or root.

        Raises:
            UserError: a value out of range, a missing or empty folder, a photograph without a map, a file that is no
                model.
        """
        options = self.options
        self.recipe = SaliencyRecipe(saliency=options.saliency, num_sources=self.num_sources)
        self.num_sources_max = options.num_sources_max or self.num_sources
        if not self.num_sources <= self.num_sources_max <= MOST_SOURCES:
            raise UserError(
                f"--num_sources_max {options.num_sources_max}: expected {self.num_sources} (--num_sources) to "
                f"{MOST_SOURCES}, or 0"
            )
        self.photographs, missing = self.recipe.find(Path(options.images) if options.images else self._find_folder())
        if missing:
            raise UserError(missing[0])
        self._read = ArrayCache()
        return len(self.photographs) * options.pairs_per_image

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        batch_rng, num_sources = self.batch_rng(key), self.num_sources
        if batch_rng is not None:
            num_sources = int(batch_rng.integers(self.num_sources, self.num_sources_max + 1))
        pair, place = divmod(key.item, len(self.photographs))
        stem, *files = self.photographs[place]
        photo, saliency = self._read.get(stem, lambda: self.recipe.read(files))
        if self.transform is not None:
            (photo,), (saliency,) = self.transform([photo], [saliency], rng)
        made = distribute(photo, saliency, rng, num_sources=num_sources)
        name = stem if self.options.pairs_per_image == 1 else f"{stem}_{pair + 1}"
        return Scene(name, tuple(made.sources), made.target)

    def _find_folder(self) -> Path:
        for folder in (self.root / self.phase / "images", self.root / "images", self.root / self.phase, self.root):
            if folder.is_dir():
                return folder
        raise UserError(f"no such folder: {self.root} (given by --dataroot)")
