"""Sources made on the fly from photographs alone, by saliency: GSGIF-GAN's training data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images
from data.cache import ArrayCache
from data.saliency.recipe import MOST_SOURCES, SaliencyRecipe
from data.saliency.synthesis import distribute
from data.transforms import JointTransform
from util.errors import UserError


class SaliencyDataset(FusionDataset):
    """Photographs; every epoch distributes each in another way over its sources.

    The saliency is that of the whole photograph; photograph and saliency are cut first, and the part is distributed.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        images: str | Path | None = None,
        saliency: str = "spectral",
        num_sources: int = 2,
        num_sources_max: int = 0,
        pairs_per_image: int = 1,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Finds the photographs.

        Args:
            root: the folder given by --dataroot, which holds them in phase/images, images, phase or itself.
            phase: its sub-folder to use.
            images: folder of the photographs where it is elsewhere; None or empty otherwise.
            saliency: `spectral`, `fine`, `gradient`, or the path of a folder of maps or of a model's file.
            num_sources: how many sources to make.
            num_sources_max: in training, each batch has num_sources to num_sources_max of them; 0: always num_sources.
            pairs_per_image: how many samples an epoch makes of each photograph.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many samples; None or 0 for all.

        Raises:
            UserError: a value out of range, a missing or empty folder, a photograph without a map, a file that is no
                model.
        """
        self.recipe = SaliencyRecipe(saliency=saliency, num_sources=num_sources)
        if num_sources_max and not num_sources <= num_sources_max <= MOST_SOURCES:
            raise UserError(
                f"--num_sources_max {num_sources_max}: expected {num_sources} (--num_sources) to {MOST_SOURCES}, or 0"
            )
        if pairs_per_image < 1:
            raise UserError(f"--pairs_per_image must be at least 1, not {pairs_per_image}")
        self.num_sources_max = num_sources_max or num_sources
        self.photographs, missing = self.recipe.find(Path(images) if images else _find_photographs(Path(root), phase))
        if missing:
            raise UserError(missing[0])
        self.pairs_per_image = pairs_per_image
        self._read = ArrayCache()
        length = len(self.photographs) * pairs_per_image
        super().__init__(length=length, transform=transform, seed=seed, max_size=max_size)

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`."""
        return self._distribute(index, rng, self.recipe.num_sources)

    def make_images_in_batch(self, index: int, rng: np.random.Generator, batch_rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images_in_batch`; all samples of a batch have as many sources."""
        num_sources = int(batch_rng.integers(self.recipe.num_sources, self.num_sources_max + 1))
        return self._distribute(index, rng, num_sources)

    def _distribute(self, index: int, rng: np.random.Generator, num_sources: int) -> Images:
        pair, place = divmod(index, len(self.photographs))
        stem, *files = self.photographs[place]
        photo, saliency = self._read.get(stem, lambda: self.recipe.read(files))
        if self.transform is not None:
            (photo,), (saliency,) = self.transform([photo], [saliency], rng)
        made = distribute(photo, saliency, rng, num_sources=num_sources)
        name = stem if self.pairs_per_image == 1 else f"{stem}_{pair + 1}"
        return Images(name, tuple(made.sources), made.target)


def _find_photographs(root: Path, phase: str) -> Path:
    for folder in (root / phase / "images", root / "images", root / phase, root):
        if folder.is_dir():
            return folder
    raise UserError(f"no such folder: {root} (given by --dataroot)")
