"""What all datasets have in common: a sample is a pure function of (seed, epoch, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from data.tensors import to_tensor
from data.transforms import JointTransform
from util.images.image_io import Image

Sample = dict[str, Any]


class SampleKey(NamedTuple):
    """Which draw of which sample is wanted.

    Attributes:
        epoch: in every epoch a sample is drawn anew.
        item: index of the sample.
        batch: in training, the number within the epoch of the batch that the sample is for, whose samples must be alike
            where they are stacked; None elsewhere.
    """

    epoch: int
    item: int
    batch: int | None = None


Key = int | tuple[int, int] | SampleKey  # what a dataset is asked for; an index alone means epoch 0


def as_key(key: Key) -> SampleKey:
    """Returns a key in full."""
    return SampleKey(*key) if isinstance(key, tuple) else SampleKey(0, key)


@dataclass(frozen=True)
class Images:
    """The images of one scene, as they are on disk: `uint8` or `uint16`, (H, W, 3) RGB, all of one size.

    Attributes:
        name: the stem that results are named after.
        sources: N images.
        target: the known fused image, where there is one.
        roles: what each source is, such as ir and vi, where that is known.
    """

    name: str
    sources: tuple[Image, ...]
    target: Image | None = None
    roles: tuple[str, ...] = ()


class FusionDataset(Dataset, ABC):
    """A list of samples, each with the sources of one scene.

    `dataset[epoch, index]` draws the sample anew in every epoch; `dataset[index]` is that of epoch 0. What is drawn
    depends on (seed, epoch, index) only, not on the worker nor on what was drawn before; what the samples of a
    training's batch have in common, on (seed, epoch, batch), see `make_images_in_batch`.

    Attributes:
        skipped: a line on each sample that was left out because it cannot be used.
    """

    skipped: Sequence[str] = ()

    def __init__(self, *, length: int, transform: JointTransform | None, seed: int, max_size: int | None) -> None:
        """Sets up the common part.

        Args:
            length: how many samples there are.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many samples; None or 0 for all.
        """
        self.transform = transform
        self.seed = seed
        self._length = min(length, max_size or length)

    @abstractmethod
    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """Makes the sample of an index.

        Args:
            index: 0 … len(self) − 1.
            rng: a generator of this (seed, epoch, index) alone; use no other source of chance.

        Raises:
            UserError: a file that cannot be used.
        """

    def make_images_in_batch(self, index: int, rng: np.random.Generator, batch_rng: np.random.Generator) -> Images:
        """Makes the sample of an index for a training's batch, as `make_images` unless a dataset says otherwise.

        Args:
            index: 0 … len(self) − 1.
            rng: as there.
            batch_rng: a generator of this (seed, epoch, batch) alone: equal for all samples of a batch.

        Raises:
            UserError: a file that cannot be used.
        """
        del batch_rng
        return self.make_images(index, rng)

    def description(self) -> list[str]:
        """Lines for the user: how what was found is understood, where that is not plain from the options."""
        return []

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: Key) -> Sample:
        epoch, index, batch = as_key(key)
        return pack_sample(self.images(index, epoch, batch))

    def images(self, index: int, epoch: int = 0, batch: int | None = None) -> Images:
        """The images of a sample before they become tensors.

        Args:
            index: 0 … len(self) − 1, or negative from the end.
            epoch: whose draw of the sample is wanted.
            batch: the training's batch that it is for, see `SampleKey`.

        Raises:
            IndexError: there is no such sample.
            UserError: a file that cannot be used.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        rng = np.random.default_rng([self.seed, epoch, index])
        if batch is None:
            return self.make_images(index, rng)
        # A seed is filled up with zeros: without the last number this would be the generator of a sample.
        return self.make_images_in_batch(index, rng, np.random.default_rng([self.seed, epoch, batch, 1]))


def pack_sample(images: Images) -> Sample:
    """Packs images into what a batch is made of.

    Returns:
        "sources" `float32` (N, 3, H, W) in [0, 1], "target" (3, H, W) where there is one, "name" the stem.
    """
    sample: Sample = {"sources": torch.stack([to_tensor(source) for source in images.sources])}
    sample["name"] = images.name
    if images.target is not None:
        sample["target"] = to_tensor(images.target)
    return sample
