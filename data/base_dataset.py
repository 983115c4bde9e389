"""What all datasets have in common: a sample is a pure function of (seed, epoch, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from data.transforms import JointTransform
from options.data import DatasetOptions
from util.images.levels import Image, to_float

Sample = dict[str, Any]


class SampleKey(NamedTuple):
    """Which draw of which sample to make.

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


class FusionDataset(Dataset, ABC):
    """A list of samples, each with the sources of one scene.

    `dataset[epoch, index]` draws the sample anew in every epoch; `dataset[index]` is that of epoch 0. A sample depends
    on (seed, epoch, index) only, not on the worker nor on what was drawn before; what the samples of a training batch
    have in common, on (seed, epoch, batch), see `batch_rng`.

    Attributes:
        options: those of its --dataset_mode.
        skipped: a line on each sample that was left out because it cannot be used.
    """

    options: DatasetOptions
    skipped: Sequence[str] = ()

    def __init__(
        self,
        options: DatasetOptions,
        *,
        root: str | Path = "",
        phase: str = "train",
        num_sources: int = 2,
        training: bool = False,
        fused_together: int | None = None,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Finds the samples.

        Args:
            options: those of the --dataset_mode, checked here each by itself.
            root: --dataroot.
            phase: its sub-folder to use.
            num_sources: how many sources to make, or to read as panels of one image.
            training: the samples are to train with, so that each must have `num_sources` sources.
            fused_together: how many sources the network fuses; None for any number.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: the only source of randomness.
            max_size: use no more than this many samples; None or 0 for all.

        Raises:
            UserError: an option out of its range, or what `find_samples` raises.
        """
        options.check_values()
        self.options = options
        self.root = Path(root)
        self.phase = phase
        self.num_sources = num_sources
        self.training = training
        self.fused_together = fused_together
        self.transform = transform
        self.seed = seed
        self.max_size = max_size or None
        self._length = self.find_samples()
        if self.max_size is not None:
            self._length = min(self._length, self.max_size)

    @abstractmethod
    def find_samples(self) -> int:
        """Finds the files, without decoding them, and returns how many samples they give.

        Raises:
            UserError: a folder that is missing or empty, or options that do not fit.
        """

    @abstractmethod
    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """Makes the sample of a key, whose item is 0 … len(self) − 1; `rng` is the only source of randomness.

        Returns:
            "sources" `float32` (N, C, H, W) in [0, 1], "name", and what else the training needs.

        Raises:
            UserError: a file that cannot be used.
        """

    def description(self) -> list[str]:
        """Lines for the user: how what was found is understood, where that is not plain from the options."""
        return []

    def batch_rng(self, key: SampleKey) -> np.random.Generator | None:
        """Returns the generator of (seed, epoch, batch), equal for all samples of a batch; None outside of training."""
        if key.batch is None:
            return None
        # A seed is filled up with zeros: without the last number this would be the generator of a sample.
        return np.random.default_rng([self.seed, key.epoch, key.batch, 1])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: Key) -> Sample:
        return self.make_sample(*self._draw(key))

    def _draw(self, key: Key) -> tuple[SampleKey, np.random.Generator]:
        """A key in full, its item counted from the start, and the generator of its sample."""
        epoch, index, batch = SampleKey(*key) if isinstance(key, tuple) else SampleKey(0, key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        return SampleKey(epoch, index, batch), np.random.default_rng([self.seed, epoch, index])


@dataclass(frozen=True)
class Scene:
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


class SceneDataset(FusionDataset):
    """A dataset whose samples are whole images, which can be fused as well as trained with."""

    @abstractmethod
    def make_scene(self, key: SampleKey, rng: np.random.Generator) -> Scene:
        """Makes the images of one sample; see `make_sample`."""

    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """See `FusionDataset.make_sample`.

        Returns:
            "sources" `float32` (N, 3, H, W) in [0, 1], "target" (3, H, W) where there is one, "name" the stem.
        """
        scene = self.make_scene(key, rng)
        sample: Sample = {"sources": torch.stack([to_tensor(source) for source in scene.sources])}
        sample["name"] = scene.name
        if scene.target is not None:
            sample["target"] = to_tensor(scene.target)
        return sample

    def scene(self, key: Key) -> Scene:
        """Returns the images of a sample before they become tensors.

        Raises:
            IndexError: there is no such sample.
            UserError: a file that cannot be used.
        """
        return self.make_scene(*self._draw(key))


def to_tensor(image: Image) -> torch.Tensor:
    """Turns a `uint8` or `uint16` image (H, W, 3) into a `float32` tensor (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(to_float(image).transpose(2, 0, 1)))
