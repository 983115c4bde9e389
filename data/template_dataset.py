"""A template: copy this file to add a dataset of your own.

1. Copy it to data/my_dataset.py and rename the class.
2. Change `find_samples` (list the files) and `make_scene` (read one sample). Samples that are not whole images derive
   from `FusionDataset` and have `make_sample` instead.
3. Write a frozen dataclass in options/data.py, derived from `DatasetOptions`, whose fields are your options, here
   `self.options`; without any its body is a docstring.
4. Add `"my": Entry(MyOptions, "data.my_dataset:MyDataset")` to `DATASETS` in options/registry.py: now it is
   `--dataset_mode my`.
"""

from __future__ import annotations

import numpy as np

from data.base_dataset import SampleKey, Scene, SceneDataset
from util.errors import UserError
from util.files import find_folder
from util.images.image_io import read_image, require_images


class TemplateDataset(SceneDataset):
    """Example: photographs in a folder; the sources are a darker and a brighter version of each."""

    def find_samples(self) -> int:
        """Lists the files only; opening them is the workers' task, one sample at a time."""
        if self.num_sources != 2:  # one line, with the name of the option and what would be right
            raise UserError(f"--num_sources {self.num_sources}: a darker and a brighter version are made; expected 2")
        self.paths = require_images(find_folder(self.root, self.phase))
        return len(self.paths)

    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """Makes one sample; everything random comes out of `rng`, so that it can be made again."""
        path = self.paths[key.item]
        photo = read_image(path, bits=8)  # uint8 (H, W, 3), RGB
        if self.transform is not None:  # the same cut for all images of a sample; label maps go into the second list
            (photo,), _ = self.transform([photo], [], rng)
        exposure = rng.uniform(1.3, 2.5)
        levels = photo.astype(np.float32)
        factors = (1 / exposure, exposure)
        sources = [np.clip(np.rint(levels * factor), 0, 255).astype(np.uint8) for factor in factors]
        return Scene(path.stem, tuple(sources), target=photo)  # leave the target out where there is none
