from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from data.create import create_dataset
from options.registry import DATASETS

SHARED = Path(__file__).resolve().parents[3] / "shared"


def save(path, array):
    """Writes an image without the code under test; RGB or grey."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = array if array.ndim == 2 else array[..., ::-1]
    path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(bgr))[1].tobytes())
    return path


def make(root, *names):
    """Makes empty files: discovery goes by names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def block_map(height, width):
    """A label map of 11 classes in blocks; plain arithmetic, the same with every library version."""
    rows, columns = np.mgrid[:height, :width]
    return ((rows // 40) * 7 + (columns // 50) * 3) % 11


def shared(*parts):
    """A path of the data for development, or a skip where there is none.

    It holds photographs, published weights and published results, whose licences let nobody hand them on.
    """
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs ../shared/{'/'.join(parts)}: published data that is no part of the repository")
    return path


def make_dataset(mode, **words):
    """The dataset of a mode, from its options and settings by their names alone."""
    kind = DATASETS[mode].options
    names = {entry.name for entry in fields(kind)} & set(words)
    return create_dataset(mode, kind(**{name: words.pop(name) for name in names}), **words)


def to_uint8(tensor):
    """A tensor (3, H, W) in [0, 1] as a `uint8` image (H, W, 3): clamped, then rounded."""
    levels = tensor.detach().float().clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())
