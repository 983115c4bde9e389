"""Pairs of masked copies made on the fly from photographs, as DeFusion is trained on."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch

from data.base_dataset import Sample, SampleKey, Scene, SceneDataset
from data.cache import ArrayCache
from data.decomposition.recipe import read_photo
from data.decomposition.synthesis import Decomposed, decompose, random_part, to_image
from data.transforms import resize_image
from util.errors import UserError
from util.files import find_folder
from util.images.image_io import require_images


class DecompositionDataset(SceneDataset):
    """Photographs, of which every epoch sees another part, in other colours, under other masks.

    The transform `crop` takes a part of random area and aspect and resizes it to a square of crop_size; `none` leaves
    photographs whole. Noise and faded colours have values between the levels, which samples keep; the images of a scene
    are their nearest levels.
    """

    def find_samples(self) -> int:
        """Lists the photographs of root/phase or, where that does not exist, of root.

        Raises:
            UserError: no folder, no image in it, a transform that resizes, or another number of sources.
        """
        if self.num_sources != 2:
            raise UserError(f"--num_sources {self.num_sources}: two masked copies are made of a photograph; expected 2")
        if self.transform is not None and self.transform.preprocess not in ("crop", "none"):
            raise UserError(
                f"--preprocess {self.transform.preprocess}: a random part of each photograph is resized to "
                "--crop_size; expected crop, or none for whole photographs"
            )
        self.paths = require_images(find_folder(self.root, self.phase))
        self._decoded = ArrayCache()
        return len(self.paths)

    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """See `FusionDataset.make_sample`.

        Returns:
            "sources" `float32` (2, 3, H, W) and "target" (3, H, W) in [0, 1], "masks" (2, 1, H, W), 1 where the source
            is the target and 0 where it is noise, and "name".
        """
        made = self._decompose(key.item, rng)
        return {
            "sources": torch.from_numpy(made.copies),
            "target": torch.from_numpy(made.photo),
            "masks": torch.from_numpy(made.masks[:, None].astype(np.float32)),
            "name": self.paths[key.item].stem,
        }

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """See `SceneDataset.make_scene`."""
        made = self._decompose(key.item, rng)
        *sources, target = (to_image(planes) for planes in (*made.copies, made.photo))
        return Scene(self.paths[key.item].stem, tuple(sources), target)

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
