"""Infrared-visible pairs, each beside masked copies of a photograph, as DeFusion++'s second stage is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images, Key, Sample, as_key
from data.decomposition_dataset import DecompositionDataset
from data.sources_dataset import SourcesDataset
from data.transforms import JointTransform
from util.errors import UserError


class PairsAndPhotosDataset(FusionDataset):
    """An epoch takes every pair once, and goes on through the photographs where the epoch before it stopped."""

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        num_sources: int = 2,
        photos: str = "",
        layout: str = "auto",
        roles: str = "",
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Finds the pairs and lists the photographs.

        Args:
            root: the folder of the pairs, given by --dataroot.
            phase: a sub-folder of it, and of `photos`, to use where there is one.
            num_sources: 2, infrared and visible.
            photos: the folder of the photographs.
            layout: how the pairs lie on disk, see `SourcesDataset`.
            roles: which roles are infrared and visible, in this order; "" takes them as they are sorted.
            transform: see `DecompositionDataset`; pairs are cut in the usual way.
            seed: where all chance comes from.
            max_size: use no more than this many pairs; None or 0 for all.

        Raises:
            UserError: see `SourcesDataset` and `DecompositionDataset`.
        """
        self.photos = _list_photos(photos, phase, num_sources, transform, seed)
        self.pairs = SourcesDataset(
            root=root,
            phase=phase,
            num_sources=num_sources,
            training=True,
            layout=layout,
            roles=roles,
            transform=transform,
            seed=seed,
            max_size=max_size,
        )
        super().__init__(length=len(self.pairs), transform=transform, seed=seed, max_size=max_size)

    def __getitem__(self, key: Key) -> Sample:
        """Makes a sample.

        Returns:
            That of a photograph, see `DecompositionDataset`, with "pair" `float32` (2, 3, H, W) in [0, 1], infrared and
            visible, beside it; "name" is the pair's.

        Raises:
            IndexError: there is no such sample.
            UserError: a file that cannot be used.
        """
        epoch, index, _ = as_key(key)
        index = range(len(self))[index]
        pair = self.pairs[epoch, index]
        turn, photo = divmod(epoch * len(self) + index, len(self.photos))
        return self.photos[turn, photo] | {"pair": pair["sources"], "name": pair["name"]}

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`: the pair's."""
        return self.pairs.make_images(index, rng)

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        return [*self.pairs.description(), f"{len(self.photos)} photographs beside them"]


def _list_photos(
    photos: str, phase: str, num_sources: int, transform: JointTransform | None, seed: int
) -> DecompositionDataset:
    if not photos:
        raise UserError("--photos is missing: name the folder of photographs that are taken apart beside the pairs")
    try:
        return DecompositionDataset(root=photos, phase=phase, num_sources=num_sources, transform=transform, seed=seed)
    except UserError as error:
        raise UserError(str(error).replace("--dataroot", "--photos")) from error
