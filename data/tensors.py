"""From images to tensors, apart from `util.images.image_io`: scripts without torch start at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


def to_tensor(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> torch.Tensor:
    """Turns a `uint8` or `uint16` image (H, W, 3) into a `float32` tensor (3, H, W) in [0, 1]."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    return torch.from_numpy(planes).div_(float(np.iinfo(image.dtype).max))
