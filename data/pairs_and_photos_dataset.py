"""Infrared-visible pairs, each beside masked copies of a photograph, as DeFusion++'s second stage is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.base_dataset import Sample, SampleKey, Scene, SceneDataset
from data.decomposition_dataset import DecompositionDataset
from data.sources_dataset import SourcesDataset
from options.data import DecompositionOptions, PairsAndPhotosOptions, SourcesOptions
from util.errors import UserError


class PairsAndPhotosDataset(SceneDataset):
    """An epoch takes every pair once, and photographs from where the epoch before it stopped.

    Pairs are cut in the usual way, photographs as in `DecompositionDataset`. Its scenes are the pairs.
    """

    options: PairsAndPhotosOptions

    def find_samples(self) -> int:
        """Finds the pairs and lists the photographs.

        Raises:
            UserError: see `SourcesDataset` and `DecompositionDataset`.
        """
        settings: dict[str, Any] = {"phase": self.phase, "num_sources": self.num_sources}
        settings |= {"transform": self.transform, "seed": self.seed}
        if not self.options.photos:
            raise UserError("--photos is missing: name the folder of photographs to decompose beside the pairs")
        try:
            self.photos = DecompositionDataset(DecompositionOptions(), root=self.options.photos, **settings)
        except UserError as error:
            raise UserError(str(error).replace("--dataroot", "--photos")) from error
        of_pairs = SourcesOptions(layout=self.options.layout, roles=self.options.roles)
        self.pairs = SourcesDataset(of_pairs, root=self.root, training=True, max_size=self.max_size, **settings)
        return len(self.pairs)

    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """See `FusionDataset.make_sample`.

        Returns:
            That of a photograph, see `DecompositionDataset`, with "pair" `float32` (2, 3, H, W) in [0, 1], infrared and
            visible, beside it; "name" is the pair's.
        """
        pair = self.pairs.make_sample(key, rng)
        turn, photo = divmod(key.epoch * len(self) + key.item, len(self.photos))
        return self.photos[turn, photo] | {"pair": pair["sources"], "name": pair["name"]}

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        return self.pairs.make_scene(key, rng)

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        return [*self.pairs.description(), f"{len(self.photos)} photographs beside them"]
