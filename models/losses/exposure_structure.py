"""The structure of exposure stacks as a loss: MEF-SSIM; the metric is `util.metrics.mef_ssim.mef_ssim`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from models.losses.moments import C2, WINDOW, average
from util.metrics.windows import uniform

_SIDE = len(WINDOW)
_PIXELS = _SIDE**2
_TINY = 1e-8
_LEAST_CONTRAST = 0.001 / 255
_LARGEST_EXPONENT = 10


def exposure_structure(sources: Sequence[Tensor], fused: Tensor) -> Tensor:
    """MEF-SSIM at one scale (Ma, Zeng and Wang, TIP 24, 2015): contrast and structure, not the level.

    Each patch is compared with the desired one: the sources' structures, weighted by their contrast and its
    consistency, with the largest contrast.

    Args:
        sources: N of (B, 1, H, W) in [0, 1], sides of 11 or more.
        fused: (B, 1, H, W).

    Returns:
        (B,) in [-1, 1].

    Example:
        >>> image = torch.rand(1, 1, 16, 16)
        >>> round(exposure_structure([image, image], image).item(), 3)
        1.0
    """
    stacked = torch.cat(list(sources), 1)
    patches = _covariances(stacked, stacked, uniform(_SIDE))
    norms = (patches.diagonal(dim1=1, dim2=2).clamp(min=0) * _PIXELS).sqrt()  # (B, H', W', N)
    together = (patches.sum((1, 2)).clamp(min=0) * _PIXELS).sqrt()
    consistency = ((together + _TINY) / (norms.sum(-1) + _TINY)).clamp(max=1 - 1e-6)
    exponent = (consistency * (math.pi / 2)).tan().clamp(max=_LARGEST_EXPONENT)
    contrasts = norms + _LEAST_CONTRAST
    # Powers of contrasts relative to the largest one, which cannot underflow; only their ratios count.
    weights = (contrasts / contrasts.amax(-1, keepdim=True)) ** exponent[..., None]
    factors = (weights / weights.sum(-1, keepdim=True) / contrasts).movedim(-1, 1)  # (B, N, H', W')
    energy = torch.einsum("bnhw,bmhw,bnmhw->bhw", factors, factors, patches) * contrasts.amax(-1).square()
    scale = contrasts.amax(-1).square() / (energy.clamp(min=_TINY / 255**2) * _PIXELS).sqrt()
    factors = factors * scale[:, None]
    desired = torch.einsum("bnhw,bmhw,bnmhw->bhw", factors, factors, _covariances(stacked, stacked, WINDOW))
    covariance = (factors * _covariances(stacked, fused, WINDOW)[:, :, 0]).sum(1)
    variance = _covariances(fused, fused, WINDOW)[:, 0, 0]
    return ((2 * covariance + C2) / (desired + variance + C2)).mean((1, 2))


def _covariances(first: Tensor, second: Tensor, window: Sequence[float]) -> Tensor:
    """Covariances of all channels of two stacks, (B, N, H, W) and (B, M, H, W) → (B, N, M, H', W')."""
    products = (first[:, :, None] * second[:, None]).flatten(1, 2)
    means = average(first, window)[:, :, None] * average(second, window)[:, None]
    return average(products, window).view_as(means) - means
