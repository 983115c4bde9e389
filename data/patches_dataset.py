"""Pairs of infrared and visible patches out of an HDF5 file, as SMFNet is trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from data.base_dataset import FusionDataset, Images, Key, Sample, as_key
from data.patches.reader import PatchReader, find_patch_file
from data.transforms import JointTransform
from util.errors import UserError


class PatchesDataset(FusionDataset):
    """Patches of luma, without a target.

    A patch is no image: its values are fractions of levels, and it has one channel. So samples are made here from the
    file's own floats, bit for bit, and not by way of `Images`, which hold levels.
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
        """Opens the file.

        Args:
            root: the HDF5 file, or the folder given by --dataroot, with one such file in root/phase or in root.
            phase: the sub-folder to use.
            num_sources: 2, for a pair has no more.
            transform: how training samples are cut out of patches: `crop` (patches that are no larger are taken as they
                are) or `none`; None leaves them as they are, too.
            seed: where all chance comes from.
            max_size: use no more than this many pairs; None or 0 for all.

        Raises:
            UserError: no file of patches in one of the two layouts, a resizing transform, or another number of sources.
        """
        if num_sources != 2:
            raise UserError(f"--num_sources {num_sources}: patches are pairs, infrared and visible; expected 2")
        if transform is not None and transform.preprocess not in ("crop", "none"):
            raise UserError(f"--preprocess {transform.preprocess}: patches are not resized; expected crop or none")
        self.file = PatchReader(find_patch_file(Path(root), phase))
        self._whole = transform is None or transform.preprocess == "none" or transform.crop_size >= self.file.side
        if transform is not None and self._whole:
            transform = dataclasses.replace(transform, preprocess="none")
        super().__init__(length=len(self.file), transform=transform, seed=seed, max_size=max_size)

    def __getitem__(self, key: Key) -> Sample:
        """Makes a sample.

        Returns:
            "sources" `float32` (2, 1, S, S) in [0, 1], infrared and visible, and "name".

        Raises:
            IndexError: there is no such sample.
            UserError: a pair that cannot be used.
        """
        epoch, index, _ = as_key(key)
        index = range(len(self))[index]
        planes = list(self.file.read(index))
        if self.transform is not None:
            planes, _ = self.transform(planes, [], np.random.default_rng([self.seed, epoch, index]))
        return {"sources": torch.from_numpy(np.stack(planes)[:, None]), "name": f"{self.file.path.stem}-{index}"}

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """Refuses: see the class.

        Raises:
            UserError: always.
        """
        del index, rng
        raise UserError("--dataset_mode patches is to train with; fuse the images themselves")

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        side = self.file.side
        how = "taken whole" if self._whole or self.transform is None else f"cropped to {self.transform.crop_size}"
        return [f"{self.file.path}: {len(self.file)} pairs of patches {side}x{side} ({self.file.layout}), {how}"]
