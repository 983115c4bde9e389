"""A template: copy this file to add a dataset of your own.

1. Copy it to data/my_dataset.py and rename the class.
2. Change `__init__` (find the files) and `make_images` (read one sample).
3. Write a frozen dataclass in options/data.py, whose fields are your options, arguments of `__init__` by the same
   names; without any its body is a docstring.
4. Add `"my": Entry(MyOptions, "data.my_dataset:MyDataset")` to `DATASETS` in options/registry.py: now it is
   `--dataset_mode my`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images
from data.transforms import JointTransform
from util.errors import UserError
from util.files import find_folder
from util.images.image_io import read_image, require_images


class TemplateDataset(FusionDataset):
    """Example: photographs in a folder; the sources are a darker and a brighter version of each."""

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
        """Finds the files. Only list them here; opening them is the workers' task, one sample at a time."""
        if num_sources != 2:  # one line, with the name of the option and what would be right
            raise UserError(f"--num_sources {num_sources}: a darker and a brighter version are made; expected 2")
        self.paths = require_images(find_folder(root, phase))
        super().__init__(length=len(self.paths), transform=transform, seed=seed, max_size=max_size)

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """Makes one sample; everything random comes out of `rng`, so that it can be made again."""
        path = self.paths[index]
        photo = read_image(path, bits=8)  # uint8 (H, W, 3), RGB
        if self.transform is not None:  # the same cut for all images of a sample; label maps go into the second list
            (photo,), _ = self.transform([photo], [], rng)
        exposure = rng.uniform(1.3, 2.5)
        levels = photo.astype(np.float32)
        factors = (1 / exposure, exposure)
        sources = [np.clip(np.rint(levels * factor), 0, 255).astype(np.uint8) for factor in factors]
        return Images(path.stem, tuple(sources), target=photo)  # leave the target out where there is none
