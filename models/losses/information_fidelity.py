"""Visual information fidelity as a loss; the metric is `util.metrics.vif.vif`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.losses.moments import SourceMoments, average
from util.metrics.windows import gaussian

_WINDOWS = tuple(gaussian(size, size / 5) for size in (17, 9, 5, 3))  # one for each scale, the finest first
_NOISE = 2.0 / 255**2  # variance of the eye's noise
_TINY = 1e-10


def information_fidelity(sources: Sequence[Tensor], fused: Tensor) -> Tensor:
    """VIF of the fused image with each source as reference, summed (Sheikh and Bovik, TIP 15, 2006), in four scales.

    Args:
        sources: N of (B, 1, H, W) in [0, 1], sides of 17 or more.
        fused: (B, 1, H, W).

    Returns:
        (B,) from 0; N where all images are equal.

    Example:
        >>> image = torch.rand(1, 1, 32, 32)
        >>> round(information_fidelity([image, image], image).item(), 3)
        2.0
    """
    stacked = torch.cat(list(sources), 1)
    preserved = original = fused.new_zeros(())
    for scale, window in enumerate(_WINDOWS):
        if scale:
            stacked, fused = (average(images, window)[..., ::2, ::2] for images in (stacked, fused))
        if min(fused.shape[-2:]) < len(window):
            break
        moments = SourceMoments([stacked], fused, window)
        gain = (moments.covariances / (moments.variances + _TINY)).clamp(min=0)
        noise = (moments.fused_variance - gain * moments.covariances).clamp(min=_TINY)
        preserved = preserved + (gain.square() * moments.variances / (noise + _NOISE)).log1p().sum((2, 3))
        original = original + (moments.variances / _NOISE).log1p().sum((2, 3))
    return (preserved / (original + _TINY)).sum(1)
