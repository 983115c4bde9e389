"""Levels of images and floats in [0, 1], one into the other; and what luma is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]  # as on disk; what is fused in memory may also be floats

LUMA = (0.299, 0.587, 0.114)
"""The shares of R, G and B in luma, ITU-R BT.601."""


def to_float(image: Image | Floats) -> Floats:
    """Turns `uint8` or `uint16` levels into floats in [0, 1]; floats are in that range and stay as they are."""
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32, copy=False)
    return np.divide(image, np.iinfo(image.dtype.name).max, dtype=np.float32)


def to_levels(values: Floats, dtype: npt.DTypeLike, *, truncate: bool = False) -> Image:
    """Turns floats into the levels of a saved image: clamped to [0, 1], scaled, rounded or cut off.

    Args:
        values: any shape.
        dtype: `uint8` or `uint16`; `float32` is clamped only.
        truncate: cut off the fraction instead of rounding.
    """
    levels: Any = np.clip(values, 0, 1)
    if not np.issubdtype(dtype, np.floating):
        scaled = levels * np.float32(np.iinfo(dtype).max)
        levels = (scaled if truncate else np.rint(scaled)).astype(dtype)
    return levels


def to_8_bits(image: Image) -> npt.NDArray[np.uint8]:
    """Turns levels of 16 bits into those of 8, v / 257 rounded; an image of 8 bits is returned itself."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    return cv2.convertScaleAbs(image, alpha=1 / 257).astype(np.uint8, copy=False)  # without floats of the whole image
