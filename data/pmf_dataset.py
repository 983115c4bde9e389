"""Multi-focus pairs made on the fly from photographs and their label or depth maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import SampleKey, Scene, SceneDataset
from data.cache import ArrayCache
from data.maps import pair_maps
from data.pmf.recipe import PMFRecipe
from options.data import PMFOptions
from util.errors import UserError


class PMFDataset(SceneDataset):
    """Photographs with maps; every epoch sees another split and another defocus of each."""

    options: PMFOptions

    def find_samples(self) -> int:
        """Pairs the photographs of root/phase/images, or root/images, with the maps of root/phase/maps, or root/maps.

        Raises:
            UserError: a value out of range, a missing or empty folder, a photograph without a map.
        """
        self.recipe = PMFRecipe(self.options, self.num_sources)
        self.pairs = pair_maps(self._find_folder("images"), self._find_folder("maps"))
        self._decoded = ArrayCache()
        return len(self.pairs) * self.options.pairs_per_image

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        pair, place = divmod(key.item, len(self.pairs))
        stem, image_path, map_path = self.pairs[place]
        photo, labels = self._decoded.get(stem, lambda: self.recipe.read(image_path, map_path))
        *sources, target = self.recipe.render(photo, labels, rng, self.transform)
        name = stem if self.options.pairs_per_image == 1 else f"{stem}_{pair + 1}"
        return Scene(name, tuple(sources), target)

    def _find_folder(self, name: str) -> Path:
        given = getattr(self.options, name)
        if given:
            return Path(given)
        places = self.root / self.phase / name, self.root / name
        for folder in places:
            if folder.is_dir():
                return folder
        raise UserError(f"no folder {places[0]} nor {places[1]}: make one, or give --{name} DIR")
