"""A template: copy this file to add a dataset of your own.

1. Copy it to data/my_dataset.py and rename the class.
2. Change `__init__` (find the files) and `make_pictures` (read one sample).
3. Add `"my": "data.my_dataset:MyDataset"` to the table in data/registry.py: it is then `--dataset_mode my`.
4. Options of your own are fields of a dataclass in options/data.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Pictures
from data.files import find_folder
from data.image_io import list_images, read_image
from data.transforms import JointTransform
from util.errors import UserError


class TemplateDataset(FusionDataset):
    """Example: photographs in a folder; the sources are a darker and a brighter version of each."""

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Finds the files. Only list them here; opening them is the workers' task, one sample at a time."""
        folder = find_folder(root, phase)
        self.paths = list_images(folder)
        if not self.paths:
            raise UserError(f"no pictures in {folder}")  # one line, with the name of what is wrong
        super().__init__(length=len(self.paths), transform=transform, seed=seed, max_size=max_size)

    def make_pictures(self, index: int, rng: np.random.Generator) -> Pictures:
        """Makes one sample; everything random comes out of `rng`, so that it can be made again."""
        path = self.paths[index]
        photo = read_image(path, bits=8)  # uint8 (H, W, 3), RGB
        if self.transform is not None:  # the same cut for all pictures of a sample; label maps go into the second list
            (photo,), _ = self.transform([photo], [], rng)
        exposure = rng.uniform(1.3, 2.5)
        levels = photo.astype(np.float32)
        factors = (1 / exposure, exposure)
        sources = [np.clip(np.rint(levels * factor), 0, 255).astype(np.uint8) for factor in factors]
        return Pictures(path.stem, tuple(sources), target=photo)  # leave the target out where there is none
