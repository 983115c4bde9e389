"""Laplacian pyramids of images of any size (Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983).

Half-size pixels lie in the middle of four full-size ones: images shrink by the filter (1, 3, 3, 1) / 8 and grow by
bilinear interpolation. Repeated interpolation tends to a quadratic spline, so that coarse bands are smooth.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def shrink(images: Tensor) -> Tensor:
    """Filters and halves images, (B, C, H, W) → (B, C, ⌈H/2⌉, ⌈W/2⌉), with replicate padding."""
    height, width = images.shape[-2:]
    maps = functional.pad(images, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
    # Sums of shifted images: five times as fast on a CPU as convolutions, which also pad a single channel to sixteen.
    maps = _filter(maps[..., :-2:2, :], maps[..., 1:-1:2, :], maps[..., 2::2, :], maps[..., 3::2, :])
    return _filter(maps[..., :-2:2], maps[..., 1:-1:2], maps[..., 2::2], maps[..., 3::2])


def _filter(first: Tensor, second: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
    return (second + third).mul_(0.375).add_(first + fourth, alpha=0.125)


def grow(images: Tensor, size: Sequence[int]) -> Tensor:
    """Doubles images (B, C, ⌈H/2⌉, ⌈W/2⌉) by bilinear interpolation and crops them to `size`, (H, W)."""
    doubled = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., : size[0], : size[1]]


def to_bands(images: Tensor, levels: int) -> tuple[list[Tensor], list[Tensor]]:
    """Decomposes images into frequency bands.

    Args:
        images: (B, C, H, W).
        levels: the number of bands.

    Returns:
        The bands, the finest first, each half the size of the one before, rounded up; and the images at all
        `levels + 1` sizes, of which the last is the residual.

    Example:
        >>> import torch
        >>> images = torch.rand(2, 3, 37, 53)
        >>> bands, images_at = to_bands(images, levels=4)
        >>> [tuple(band.shape[-2:]) for band in bands]
        [(37, 53), (19, 27), (10, 14), (5, 7)]
        >>> torch.allclose(from_bands(bands, images_at[-1]), images, atol=1e-6)
        True
    """
    bands, images_at = [], [images]
    for _ in range(levels):
        smaller = shrink(images)
        bands.append(images - grow(smaller, images.shape[-2:]))
        images_at.append(smaller)
        images = smaller
    return bands, images_at


def from_bands(bands: Sequence[Tensor], residual: Tensor) -> Tensor:
    """Adds up what `to_bands` returned: bands and residual → images (B, C, H, W)."""
    for band in reversed(bands):
        residual = band + grow(residual, band.shape[-2:])
    return residual


def local_contrast(band: Tensor) -> Tensor:
    """The mean absolute value of a band in windows 3x3, (B, C, H, W) → the same shape; replicate padding."""
    return functional.avg_pool2d(functional.pad(band.abs(), (1, 1, 1, 1), mode="replicate"), 3, stride=1)
