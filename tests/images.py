"""Images and training sets that tests make for themselves, the same on every machine."""

from pathlib import Path

import cv2
import numpy as np

from util.images.image_io import write_image


def scene(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A photograph of nothing: smooth colours with some edges, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, 3)).astype(np.float32)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(4):
        top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
        image[top : top + 8, left : left + 8] = rng.integers(0, 256, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def stacked(seed: int, height: int = 48, width: int = 64, *, with_target: bool = True) -> np.ndarray:
    """A multi-focus pair, left and right half out of focus in turn, and the sharp scene: [A | C | B]."""
    sharp = scene(seed, height, width)
    soft = cv2.GaussianBlur(sharp, (0, 0), 3)
    first, second = sharp.copy(), sharp.copy()
    first[:, : width // 2] = soft[:, : width // 2]
    second[:, width // 2 :] = soft[:, width // 2 :]
    return np.concatenate([first, second, sharp] if with_target else [first, second], axis=1)


def write_pairs(folder: Path, count: int, height: int = 48, width: int = 64, *, with_target: bool = True) -> Path:
    """Writes `count` stacked pairs into `folder` and returns it."""
    for number in range(count):
        write_image(folder / f"p{number:02d}.png", stacked(number, height, width, with_target=with_target))
    return folder


def write_sources(folder: Path, count: int, height: int = 48, width: int = 64) -> tuple[Path, Path]:
    """Writes `count` scenes, each in two unlike images, into `folder`/ir and /vi and returns both."""
    roles = folder / "ir", folder / "vi"
    for number in range(count):
        for role, seed in zip(roles, (number, 100 + number), strict=True):
            write_image(role / f"{number:02d}.png", scene(seed, height, width))
    return roles


def write_photographs(folder: Path, count: int, height: int = 48, width: int = 64) -> Path:
    """Writes `count` scenes with label maps of three regions into `folder`/images and /maps and returns it."""
    for number in range(count):
        labels = np.zeros((height, width), np.uint8)
        labels[:, width // 3 :], labels[height // 2 + number % 5 :] = 1, 2
        write_image(folder / "images" / f"{number:02d}.png", scene(number, height, width))
        write_image(folder / "maps" / f"{number:02d}.png", labels)
    return folder
