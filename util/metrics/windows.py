"""Sliding windows and derivatives, as sums of shifted images: on a CPU several times faster than convolutions."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Border = Literal["valid", "zero", "replicate", "reflect"]
"""The padding: none (full windows only), zeros, replicate padding, or reflection padding."""


@cache
def gaussian(size: int, sigma: float) -> tuple[float, ...]:
    """Weights of a Gaussian window, of sum 1.

    Args:
        size: their number, odd.
        sigma: standard deviation in pixels.

    Example:
        >>> len(gaussian(11, 1.5)), round(sum(gaussian(11, 1.5)), 12)
        (11, 1.0)
    """
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())


def uniform(size: int) -> tuple[float, ...]:
    """Weights of a mean over `size` pixels."""
    return (1 / size,) * size


def extend(image: Tensor, margin: int, border: Border) -> Tensor:
    """Pads an image by `margin` pixels on each of its four sides.

    Args:
        image: (B, H, W).
        margin: below H and W where the border is "reflect".
        border: the padding; "valid" adds nothing.

    Returns:
        (B, H + 2 margin, W + 2 margin), or the image itself where the border is "valid".
    """
    if border == "valid":
        return image
    mode = {"zero": "constant"}.get(border, border)
    return functional.pad(image, (margin,) * 4, mode=mode)


def average(image: Tensor, weights: tuple[float, ...], border: Border = "valid") -> Tensor:
    """Correlates with the separable window weights x weights.

    Args:
        image: (B, H, W), at least as large as the window where the border is "valid".
        weights: symmetric, an odd number of them.
        border: the padding.

    Returns:
        (B, H, W), or where the border is "valid" smaller by `len(weights) - 1`.

    Example:
        >>> average(torch.ones(1, 4, 4), uniform(3), "zero")[0, :2].round(decimals=3)
        tensor([[0.4440, 0.6670, 0.6670, 0.4440],
                [0.6670, 1.0000, 1.0000, 0.6670]])
    """
    image = extend(image, len(weights) // 2, border)
    return _along(_along(image, weights, -2), weights, -1)


def _along(image: Tensor, weights: tuple[float, ...], dim: int) -> Tensor:
    size = image.shape[dim] - len(weights) + 1
    total = image.narrow(dim, 0, size) * weights[0]
    for offset in range(1, len(weights)):
        total.add_(image.narrow(dim, offset, size), alpha=weights[offset])
    return total


def sobel(image: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Sobel's derivatives towards larger columns and larger rows: exact for whole levels.

    Args:
        image: (B, H, W).
        border: the padding.

    Returns:
        Two of (B, H, W), or where the border is "valid" smaller by 2; from -1020 to 1020 for levels in [0, 255].

    Example:
        >>> ramp = torch.arange(4.0).expand(1, 4, 4)  # rises by 1 from column to column
        >>> columns, rows = sobel(ramp, "valid")
        >>> columns.unique().item(), rows.unique().item()
        (8.0, 0.0)
    """
    wide = extend(image, 1, border)
    columns = wide[..., :-2, :] + wide[..., 2:, :]
    columns.add_(wide[..., 1:-1, :], alpha=2)
    rows = wide[..., :-2] + wide[..., 2:]
    rows.add_(wide[..., 1:-1], alpha=2)
    return columns[..., 2:] - columns[..., :-2], rows[..., 2:, :] - rows[..., :-2, :]


def magnitude(x: Tensor, y: Tensor) -> Tensor:
    """The root of the sum of squares of two images (B, H, W), exact for whole levels: `hypot` would break ties."""
    return (x * x).addcmul_(y, y).sqrt_()
