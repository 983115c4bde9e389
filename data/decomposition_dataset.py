"""Pairs of masked copies made on the fly from photographs, as DeFusion is trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from data.base_dataset import FusionDataset, Images, Key, Sample, as_key
from data.cache import ArrayCache
from data.decomposition.recipe import read_photo
from data.decomposition.synthesis import Decomposed, decompose, random_part, to_levels
from data.transforms import JointTransform, resize_image
from util.errors import UserError
from util.files import find_folder
from util.images.image_io import require_images


class DecompositionDataset(FusionDataset):
    """Photographs, of which every epoch sees another part, in other colours, behind other masks.

    Noise and faded colours have values between the levels, and a training needs the masks as well: so samples are made
    here, and `images` are their nearest levels.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        num_sources: int = 2,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Lists the photographs of root/phase or, where that does not exist, of root.

        Args:
            root: the folder given by --dataroot.
            phase: its sub-folder to use.
            num_sources: 2, for the recipe makes no more.
            transform: `crop` takes a part of random area and aspect and resizes it to a square of crop_size; `none`,
                or no transform, leaves photographs whole. flip mirrors them.
            seed: where all chance comes from.
            max_size: use no more than this many photographs; None or 0 for all.

        Raises:
            UserError: no folder, no image in it, a transform that resizes, or another number of sources.
        """
        if num_sources != 2:
            raise UserError(f"--num_sources {num_sources}: a photograph is taken apart into two; expected 2")
        if transform is not None and transform.preprocess not in ("crop", "none"):
            raise UserError(
                f"--preprocess {transform.preprocess}: a random part of each photograph is resized to --crop_size; "
                "expected crop, or none for whole photographs"
            )
        self.paths = require_images(find_folder(root, phase))
        self._decoded = ArrayCache()
        super().__init__(length=len(self.paths), transform=transform, seed=seed, max_size=max_size)

    def __getitem__(self, key: Key) -> Sample:
        """Makes a sample.

        Returns:
            "sources" `float32` (2, 3, H, W) and "target" (3, H, W) in [0, 1], "masks" (2, 1, H, W), 1 where the source
            is the target and 0 where it is noise, and "name".

        Raises:
            IndexError: there is no such sample.
            UserError: a photograph that cannot be used.
        """
        epoch, index, _ = as_key(key)
        index = range(len(self))[index]
        sample = self._decompose(index, np.random.default_rng([self.seed, epoch, index]))
        return {
            "sources": torch.from_numpy(sample.copies),
            "target": torch.from_numpy(sample.photo),
            "masks": torch.from_numpy(sample.masks[:, None].astype(np.float32)),
            "name": self.paths[index].stem,
        }

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`."""
        sample = self._decompose(index, rng)
        *sources, target = (to_levels(planes) for planes in (*sample.copies, sample.photo))
        return Images(self.paths[index].stem, tuple(sources), target)

    def _decompose(self, index: int, rng: np.random.Generator) -> Decomposed:
        path = self.paths[index]
        photo, mean_colour = self._decoded.get(path, lambda: read_photo(path))
        return decompose(self._cut(photo, rng), mean_colour, rng)

    def _cut(self, photo: npt.NDArray, rng: np.random.Generator) -> npt.NDArray:
        if self.transform is None:
            return photo
        if self.transform.preprocess == "crop":
            top, left, height, width = random_part(photo.shape[0], photo.shape[1], rng)
            side = self.transform.crop_size
            photo = resize_image(photo[top : top + height, left : left + width], side, side)
        (flipped,), _ = dataclasses.replace(self.transform, preprocess="none")([photo], [], rng)
        return flipped
