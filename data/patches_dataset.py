"""Pairs of infrared and visible patches out of an HDF5 file, as SMFNet is trained on."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from data.base_dataset import FusionDataset, Sample, SampleKey
from data.patches.reader import PatchReader, find_patch_file
from util.errors import UserError


class PatchesDataset(FusionDataset):
    """Patches of luma, without a target: the file's own floats, bit for bit. They are no scenes of whole images.

    The transform may crop (patches that are no larger are taken as they are) or flip them, but not resize.
    """

    def find_samples(self) -> int:
        """Opens the file: root itself, or the only one in root/phase or in root.

        Raises:
            UserError: no file of patches in one of the two layouts, a resizing transform, or another number of sources.
        """
        if self.num_sources != 2:
            raise UserError(f"--num_sources {self.num_sources}: patches are pairs, infrared and visible; expected 2")
        if self.transform is not None and self.transform.preprocess not in ("crop", "none"):
            raise UserError(f"--preprocess {self.transform.preprocess}: patches are not resized; expected crop or none")
        self.file = PatchReader(find_patch_file(self.root, self.phase))
        if self.transform is not None and self.transform.crop_size >= self.file.side:
            self.transform = dataclasses.replace(self.transform, preprocess="none")
        return len(self.file)

    def make_sample(self, key: SampleKey, rng: np.random.Generator) -> Sample:
        """See `FusionDataset.make_sample`.

        Returns:
            "sources" `float32` (2, 1, S, S) in [0, 1], infrared and visible, and "name".
        """
        planes = list(self.file.read(key.item))
        if self.transform is not None:
            planes, _ = self.transform(planes, [], rng)
        return {"sources": torch.from_numpy(np.stack(planes)[:, None]), "name": f"{self.file.path.stem}-{key.item}"}

    def description(self) -> list[str]:
        """See `FusionDataset.description`."""
        side, how = self.file.side, "taken whole"
        if self.transform is not None and self.transform.preprocess == "crop":
            how = f"cropped to {self.transform.crop_size}"
        return [f"{self.file.path}: {len(self.file)} pairs of patches {side}x{side} ({self.file.layout}), {how}"]
