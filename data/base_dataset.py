"""What all datasets have in common: a sample is a pure function of (seed, epoch, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from data.tensors import to_tensor
from data.transforms import JointTransform
from util.errors import UserError

Sample = dict[str, Any]


class FusionDataset(Dataset, ABC):
    """A list of samples, each with the sources of one scene.

    `dataset[epoch, index]` draws the sample anew in every epoch; `dataset[index]` is that of epoch 0. What is drawn
    depends on (seed, epoch, index) only, not on the worker nor on what was drawn before.
    """

    def __init__(self, *, length: int, transform: JointTransform | None, seed: int, max_size: int | None) -> None:
        """Sets up the common part.

        Args:
            length: how many samples there are.
            transform: how training samples are cut out; None leaves pictures at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many samples; None or 0 for all.
        """
        self.transform = transform
        self.seed = seed
        self._length = min(length, max_size or length)

    @abstractmethod
    def make_sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Makes the sample of an index.

        Args:
            index: 0 … len(self) − 1.
            rng: a generator of this (seed, epoch, index) alone; use no other source of chance.

        Returns:
            "sources" `float32` (N, 3, H, W) in [0, 1], "target" (3, H, W) where there is one, "name" the stem.

        Raises:
            UserError: a file that cannot be used.
        """

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        return self.make_sample(index, np.random.default_rng([self.seed, epoch, index]))


def pack_sample(
    name: str, sources: Sequence[npt.NDArray[np.uint8]], target: npt.NDArray[np.uint8] | None = None
) -> Sample:
    """Packs `uint8` pictures (H, W, 3) into a sample of tensors in [0, 1]."""
    sample: Sample = {"sources": torch.stack([to_tensor(source) for source in sources]), "name": name}
    if target is not None:
        sample["target"] = to_tensor(target)
    return sample


def find_folder(root: str | Path, phase: str) -> Path:
    """Returns root/phase where it exists, else root.

    Raises:
        UserError: neither exists.
    """
    root = Path(root)
    for folder in (root / phase, root):
        if folder.is_dir():
            return folder
    raise UserError(f"no such folder: {root} (given by --dataroot)")
