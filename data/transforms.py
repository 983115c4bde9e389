"""Resizing, cropping and mirroring images and label maps of one sample in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from options.data import AugmentationOptions


@dataclass(frozen=True, kw_only=True)
class JointTransform:
    """Cuts a training sample out of images and label maps of equal sizes, the same way for all of them.

    Images are resized only where `preprocess` says so, and never distorted but by `resize_and_crop`, which makes
    them square as in the pix2pix family.

    Attributes:
        preprocess: `resize_and_crop` (to load_size x load_size, then crop), `crop`, `scale_width` (to load_size wide),
            `scale_width_and_crop`, or `none`.
        load_size: the size to resize to, in pixels.
        crop_size: side of the square cut out at random, in pixels; smaller images are padded by reflection.
        flip: mirror samples at random, left to right.
    """

    preprocess: str = AugmentationOptions.preprocess
    load_size: int = AugmentationOptions.load_size
    crop_size: int = AugmentationOptions.crop_size
    flip: bool = AugmentationOptions.flip

    def __post_init__(self) -> None:
        AugmentationOptions(**vars(self)).check_values()

    def __call__(
        self, images: Sequence[npt.NDArray], maps: Sequence[npt.NDArray], rng: np.random.Generator
    ) -> tuple[list[npt.NDArray], list[npt.NDArray]]:
        """Transforms the images (H, W, 3) and maps (H, W) of one sample, maps by nearest neighbour, to one new size."""
        height, width = images[0].shape[:2]
        if self.preprocess == "resize_and_crop":
            height = width = self.load_size
        elif self.preprocess.startswith("scale_width"):
            height = max(1, round(height * self.load_size / width))
            width = self.load_size
        new_images = [resize_image(image, height, width) for image in images]
        new_maps = [resize_map(labels, height, width) for labels in maps]
        if self.preprocess.endswith("crop"):
            top = int(rng.integers(0, max(height - self.crop_size, 0) + 1))
            left = int(rng.integers(0, max(width - self.crop_size, 0) + 1))
            new_images = [_crop(image, top, left, self.crop_size) for image in new_images]
            new_maps = [_crop(labels, top, left, self.crop_size) for labels in new_maps]
        if self.flip and rng.random() < 0.5:
            new_images = [np.ascontiguousarray(image[:, ::-1]) for image in new_images]
            new_maps = [np.ascontiguousarray(labels[:, ::-1]) for labels in new_maps]
        return new_images, new_maps


def resize_image(image: npt.NDArray, height: int, width: int) -> npt.NDArray:
    """Resizes an image: by area where it shrinks (no aliasing), bicubic where it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def resize_map(labels: npt.NDArray, height: int, width: int) -> npt.NDArray:
    """Resizes a label map (H, W) by nearest neighbour, so that no label is invented."""
    if labels.shape[:2] == (height, width):
        return labels
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(np.intp)
    return labels[rows[:, None], columns]


def _crop(array: npt.NDArray, top: int, left: int, size: int) -> npt.NDArray:
    """Cuts a square out; a smaller image is reflected at its right and lower border until it fills it."""
    part = array[top : top + size, left : left + size]
    below, beside = size - part.shape[0], size - part.shape[1]
    if below or beside:
        return cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REFLECT_101)
    return np.ascontiguousarray(part)
