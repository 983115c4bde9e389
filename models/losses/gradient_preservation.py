"""Gradient preservation Q^AB/F as a loss: smooth where the metric `util.metrics.gradient.qabf` has steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_LEAST = 1e-4  # added to squared gradients of levels in [0, 255], so that derivatives stay finite in flat regions


def gradient_preservation(sources: Sequence[Tensor], fused: Tensor) -> Tensor:
    """Q^AB/F (Xydeas and Petrović, Electronics Letters 36, 2000), differentiable.

    The sigmoids' products of the ratio of strengths and of the alignment of directions, weighted by the sources'
    gradients. Where strengths are equal their ratio is 1, as in the paper.

    Args:
        sources: N of (B, 1, H, W) in [0, 1].
        fused: (B, 1, H, W).

    Returns:
        (B,), from 0 to 0.9754.

    Example:
        >>> image = torch.rand(1, 1, 16, 16)
        >>> round(gradient_preservation([image, image], image).item(), 3)
        0.975
    """
    columns, rows = _sobel(torch.cat(list(sources), 1) * 255)
    fused_columns, fused_rows = _sobel(fused * 255)
    of_sources = (columns.square() + rows.square() + _LEAST).sqrt()
    of_fused = (fused_columns.square() + fused_rows.square() + _LEAST).sqrt()
    ratio = torch.minimum(of_sources, of_fused) / torch.maximum(of_sources, of_fused)
    across = (columns * fused_rows - rows * fused_columns).abs()
    along = (columns * fused_columns + rows * fused_rows).abs()
    alignment = 1 - torch.atan2(across, along + _LEAST) * 2 / math.pi
    quality = 0.9994 * torch.sigmoid(15 * (ratio - 0.5)) * 0.9879 * torch.sigmoid(22 * (alignment - 0.8))
    return (quality * of_sources).sum((1, 2, 3)) / of_sources.sum((1, 2, 3))


def _sobel(images: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives towards columns and rows of each channel, (B, C, H, W) each, with zeros beyond the border."""
    images = functional.pad(images, (1, 1, 1, 1))
    across, down = images[..., 2:] - images[..., :-2], images[..., 2:, :] - images[..., :-2, :]
    columns = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    rows = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return columns, rows
