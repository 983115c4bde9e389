"""Samples of several tasks, as BlendNet is trained on: pairs as they were taken, and stacks made of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from data.base_dataset import FusionDataset, Sample, SampleKey, to_tensor
from data.cache import ArrayCache
from data.exposures.synthesis import exposures
from data.pmf.random_regions import random_regions
from data.pmf.synthesis import defocus
from data.sources_dataset import SourcesDataset
from data.transforms import JointTransform
from options.data import MixtureOptions, SourcesOptions
from util.errors import UserError
from util.images.colour import luma
from util.images.image_io import read_image, require_images
from util.images.levels import to_8_bits, to_float, to_levels

Image = npt.NDArray[np.uint8]
PAIRS, FOCUS, EXPOSURE = "pairs", "focus", "exposure"
SIGMA = (0.7, 4.0)  # of the defocus, in pixels
GAMMA = (0.7, 1.4)  # of a source of a pair whose levels are changed
CHANGED = 0.3  # share of the pairs of which one source is


class _Draw(NamedTuple):
    """What the samples of a batch have in common.

    Attributes:
        task: of a sample.
        number: of sources.
        place: of the set of pairs, where the task is `PAIRS`.
    """

    task: str
    number: int
    place: int


class MixtureDataset(FusionDataset):
    """Luma of real pairs, of which no target is known, and of multi-focus and exposure stacks made of photographs.

    The pairs lie in root/pairs/SET, each set in any layout of pairs that test.py reads, photographs in root/photos. A
    sample is one of a random item; those of a training batch are of one task, one set and one number of sources. Every
    set of pairs is as frequent as any other, whatever its size.
    """

    options: MixtureOptions

    def find_samples(self) -> int:
        """Finds the sets of pairs and the photographs.

        Raises:
            UserError: neither pairs nor photographs where they are needed, or files that cannot be used.
        """
        folders = sorted(path for path in (self.root / "pairs").glob("*") if path.is_dir())
        self.sets = [
            SourcesDataset(SourcesOptions(), root=folder, phase=self.phase, num_sources=2, training=True)
            for folder in folders
        ]
        photos = self.root / "photos"
        self.photos = require_images(photos) if photos.is_dir() else []
        shares = {FOCUS: self.options.share_focus, EXPOSURE: self.options.share_exposure}
        shares[PAIRS] = max(0.0, 1 - sum(shares.values()))
        self.shares = {task: share for task, share in shares.items() if share > 0}
        if PAIRS in self.shares and not self.sets:
            raise UserError(f"{self.root / 'pairs'}: no folders with pairs; make one, such as pairs/roadscene/ir, …/vi")
        if {FOCUS, EXPOSURE} & {*self.shares} and not self.photos:
            raise UserError(f"{photos}: no photographs; copy some there, or --share_focus 0 --share_exposure 0")
        self._read = ArrayCache()
        return self.options.samples_per_epoch

    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """See `FusionDataset.make_sample`.

        Returns:
            "sources" `float32` (N, 1, H, W) in [0, 1]; "task", one of `PAIRS`, `FOCUS`, `EXPOSURE`; "name"; and of
            stacks "target" (1, H, W).
        """
        task, number, place = self._draw_batch(self.batch_rng(key) or rng)
        if task == PAIRS:
            dataset = self.sets[place]
            item = int(rng.integers(len(dataset)))
            images = self._read.get((place, item), lambda: _luma_of(dataset.scene(item).sources))
            sources = self._cut(images, rng)
            if rng.random() < CHANGED:
                changed = int(rng.integers(len(sources)))
                sources[changed] = _with_gamma(sources[changed], rng.uniform(*GAMMA))
            return _as_sample([sources[i] for i in rng.permutation(len(sources))], task, dataset.root.name)
        path = self.photos[int(rng.integers(len(self.photos)))]
        photo = self._read.get(path, lambda: _luma_of([read_image(path, bits=8)]))
        (target,) = self._cut(photo, rng)
        if task == FOCUS:
            stack: Sequence[Image] = _focus_stack(target, rng, number)
        else:
            stack = exposures(target, rng, num_sources=number)
        return _as_sample(stack, task, path.stem) | {"target": to_tensor(target)}

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        found = [f"{dataset.root.name} ({len(dataset)} pairs)" for dataset in self.sets]
        shares = ", ".join(f"{share:.0%} {task}" for task, share in self.shares.items())
        return [f"pairs: {', '.join(found) or 'none'}; {len(self.photos)} photographs", f"samples: {shares}"]

    def _cut(self, images: Sequence[Image], rng: np.random.Generator) -> list[Image]:
        cut, _ = (self.transform or JointTransform())(images, [], rng)
        return [image.reshape(*image.shape[:2], 1) for image in cut]  # OpenCV drops a single channel

    def _draw_batch(self, rng: np.random.Generator) -> _Draw:
        task = str(rng.choice(list(self.shares), p=np.array(list(self.shares.values())) / sum(self.shares.values())))
        number = int(rng.integers(2, max(2, self.options.num_sources_max) + 1)) if rng.random() < 0.5 else 2
        place = int(rng.integers(max(1, len(self.sets))))
        return _Draw(task, 2 if task == PAIRS else number, place)


def _focus_stack(photo: Image, rng: np.random.Generator, number: int) -> list[Image]:
    height, width, _ = photo.shape
    regions = random_regions(height, width, rng, number=number)
    kernel = "gaussian" if rng.random() < 0.5 else "disc"
    return defocus(photo, regions, rng.permutation(number).tolist(), sigma=rng.uniform(*SIGMA), kernel=kernel)


def _luma_of(images: Sequence[npt.NDArray]) -> tuple[Image, ...]:
    """Images (H, W, 3) → their luma, `uint8` (H, W, 1)."""
    return tuple(to_8_bits(to_levels(luma(to_float(image)), np.uint8))[..., None] for image in images)


def _with_gamma(image: Image, gamma: float) -> Image:
    return to_8_bits(to_levels(to_float(image) ** np.float32(gamma), np.uint8))


def _as_sample(sources: Sequence[Image], task: str, name: str) -> Sample:
    return {"sources": torch.stack([to_tensor(source) for source in sources]), "task": task, "name": name}
