"""Moments in sliding windows, which the losses on local structure share; differentiable."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.windows import gaussian

WINDOW = gaussian(11, 1.5)
C1, C2 = 0.01**2, 0.03**2  # of SSIM, for images in [0, 1]


def average(maps: Tensor, window: Sequence[float]) -> Tensor:
    """Means in separable windows, (B, C, H, W) → (B, C, H − n + 1, W − n + 1) for a window of n weights."""
    channels, weights = maps.shape[1], maps.new_tensor(window)
    rows, columns = (weights.view(shape).expand(channels, -1, -1, -1) for shape in ((1, 1, 1, -1), (1, 1, -1, 1)))
    return functional.conv2d(functional.conv2d(maps, rows, groups=channels), columns, groups=channels)


class SourceMoments:
    """Moments of N sources and a fused image, in windows that lie within the image.

    Args:
        sources: N of (B, 1, H, W) in [0, 1].
        fused: (B, 1, H, W).
        window: weights of the separable window.

    Attributes:
        means: of the sources, (B, N, H', W').
        variances: of the sources, (B, N, H', W'), 0 or more.
        covariances: of each source with the fused image, (B, N, H', W').
        fused_mean: (B, 1, H', W').
        fused_variance: (B, 1, H', W'), 0 or more.

    Example:
        >>> a, b = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
        >>> SourceMoments([a, b], fused=a).covariances.shape
        torch.Size([2, 2, 6, 6])
    """

    def __init__(self, sources: Sequence[Tensor], fused: Tensor, window: Sequence[float] = WINDOW) -> None:
        stacked = torch.cat(list(sources), 1)
        self.means, squares = average(torch.cat([stacked, stacked.square()], 1), window).chunk(2, 1)
        self.variances = (squares - self.means.square()).clamp(min=0)
        of_fused = average(torch.cat([fused, fused.square(), stacked * fused], 1), window)
        self.fused_mean, square, products = of_fused.split((1, 1, stacked.shape[1]), 1)
        self.fused_variance = (square - self.fused_mean.square()).clamp(min=0)
        self.covariances = products - self.means * self.fused_mean

    def similarity(self) -> Tensor:
        """SSIM of each source and the fused image in each window (Wang et al., 2004): (B, N, H', W') in [-1, 1]."""
        luminance = (2 * self.means * self.fused_mean + C1) / (self.means.square() + self.fused_mean.square() + C1)
        structure = (2 * self.covariances + C2) / (self.variances + self.fused_variance + C2)
        return luminance * structure
