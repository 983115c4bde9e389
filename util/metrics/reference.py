"""Metrics against a known target picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

PEAK = 255.0


def psnr(fused: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, the mean squared error being taken over all pixels and channels.

    Args:
        fused: (B, C, H, W) in [0, 255].
        target: the same shape.

    Returns:
        (B,) in float64; infinite where the pictures are equal.
    """
    error = (fused.double() - target.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(PEAK**2 / error)


def ssim(fused: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al., IEEE TIP 13, 2004): Gaussian window 11x11 of sigma 1.5, full windows only.

    K1 = 0.01, K2 = 0.03, range 255, population covariances; the mean over windows and channels.

    Args:
        fused: (B, C, H, W) in [0, 255].
        target: the same shape.

    Returns:
        (B,) in float64, 1 where the pictures are equal; NaN where a side is below 11 pixels: no window fits.
    """
    batch, channels, height, width = fused.shape
    if min(height, width) < 11:
        return torch.full((batch,), float("nan"), dtype=torch.float64, device=fused.device)
    offsets = torch.arange(11, dtype=torch.float64, device=fused.device) - 5
    window = torch.exp(-offsets.square() / (2 * 1.5**2))
    window = window / window.sum()

    def average(picture: Tensor) -> Tensor:
        rows = functional.conv2d(picture, window.view(1, 1, 1, 11))
        return functional.conv2d(rows, window.view(1, 1, 11, 1))

    # Shifting by the middle of the range loses no precision in the variances below.
    x = fused.double().reshape(batch * channels, 1, height, width) - PEAK / 2
    y = target.double().reshape(batch * channels, 1, height, width) - PEAK / 2
    mean_x, mean_y = average(x), average(y)
    var_x = average(x * x) - mean_x.square()
    var_y = average(y * y) - mean_y.square()
    covariance = average(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + PEAK / 2, mean_y + PEAK / 2
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    score = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    score = score / ((mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2))
    return score.reshape(batch, -1).mean(1)
