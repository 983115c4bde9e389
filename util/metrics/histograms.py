"""Histograms and joint histograms of levels, their entropy, and stretching to the full range."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from util.metrics.scene import LEVELS, PEAK, Scene


def codes(scene: Scene, index: int) -> Tensor:
    """The levels of `scene.images[index]` as indices of bins: (B, H W) in int64."""
    return scene.images[index].flatten(1).long()


def histogram(scene: Scene, index: int) -> Tensor:
    """The share of pixels at each level of `scene.images[index]`: (B, 256) of sum 1.

    Example:
        >>> black, grey = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 128)
        >>> histogram(Scene([black, black], grey), index=2).argmax(1)
        tensor([128])
    """
    return _shares(scene.once(codes, index), LEVELS)


def joint_histogram(scene: Scene, first: int, second: int) -> Tensor:
    """The share of pixels with level k in the first image and l in the second: (B, 256, 256) at [:, k, l], of sum 1."""
    pairs = scene.once(codes, first) * LEVELS + scene.once(codes, second)
    return _shares(pairs, LEVELS**2).unflatten(1, (LEVELS, LEVELS))


def _shares(bins: Tensor, count: int) -> Tensor:
    batch, pixels = bins.shape
    apart = bins + torch.arange(batch, device=bins.device)[:, None] * count
    return torch.bincount(apart.flatten(), minlength=batch * count).view(batch, count).double() / pixels


def entropy(shares: Tensor) -> Tensor:
    """Shannon's entropy in bits, E(p) = -sum p log2 p over p > 0.

    Args:
        shares: (B, ...) of sum 1 each.

    Returns:
        (B,), 0 or more.

    Example:
        >>> entropy(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]))
        tensor([0., 2.])
    """
    return torch.special.entr(shares).flatten(1).sum(1) / math.log(2)


def extremes(image: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest value of each image (B, H, W): (B, 1, 1) each."""
    low, high = image.flatten(1).aminmax(dim=1)
    return low[:, None, None], high[:, None, None]


def stretch(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """N(X) of the definitions: maps [low, high] to whole levels from 0 to 255, rounding half up.

    Args:
        values: (B, ...), the levels to map.
        low: the lowest value of each image, of a shape that broadcasts to `values`, such as (B, 1, 1).
        high: the highest one, of the same shape.

    Returns:
        Of the shape of `values`; black images stay black, other constant images become NaN since they have no range.

    Example:
        >>> image = torch.tensor([[[10.0, 20.0, 30.0]]])
        >>> stretch(image, *extremes(image))
        tensor([[[  0., 128., 255.]]])
    """
    span = torch.where(high == 0, PEAK, high - low)
    return (values - low).div_(span).mul_(PEAK).add_(0.5).floor_()
