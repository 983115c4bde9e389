"""Metrics against a reference image, the known ideal result."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from util.metrics.moments import Moments, mean_over_pixels, multiscale_similarity, scales
from util.metrics.scene import PEAK


def psnr(fused: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, of the mean squared error over all pixels and channels.

    Args:
        fused: (B, C, H, W) in [0, 255].
        reference: the same shape.

    Returns:
        (B,) in float64; infinite where the images are equal.

    Example:
        >>> black, white = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 255)
        >>> psnr(black, white).item(), psnr(black, black).item()
        (0.0, inf)
    """
    error = (fused.double() - reference.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(PEAK**2 / error)


def ssim(fused: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity (Wang et al., IEEE TIP 13, 2004): Gaussian window 11x11 of sigma 1.5, full windows only.

    K1 = 0.01, K2 = 0.03, range 255, population covariances; the mean over windows and channels.

    Args:
        fused: (B, C, H, W) in [0, 255].
        reference: the same shape.

    Returns:
        (B,) in float64, 1 where the images are equal; NaN where a side is below 11 pixels, that of the window.

    Example:
        >>> image = torch.randint(256, (2, 3, 16, 16))
        >>> ssim(image, image).tolist()
        [1.0, 1.0]
    """
    moments = _moments(fused, reference)
    if not moments.fit():
        return _undefined(fused)
    return _mean_over_channels(mean_over_pixels(moments.similarity(0, 1)), fused)


def ms_ssim(fused: Tensor, reference: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang, Simoncelli, Bovik, Asilomar 2003) of five scales; constants as `ssim`.

    Args:
        fused: (B, C, H, W) in [0, 255].
        reference: the same shape.

    Returns:
        (B,) in float64, the mean over channels, 1 where the images are equal; NaN where a side is below 161 pixels:
        the coarsest scale is smaller than the window.
    """
    pyramid = list(scales(_moments(fused, reference)))
    if not pyramid[-1].fit():
        return _undefined(fused)
    return _mean_over_channels(multiscale_similarity(pyramid, 0, 1), fused)


def _moments(fused: Tensor, reference: Tensor) -> Moments:
    """The moments of the channels, as images of one batch."""
    return Moments([image.double().flatten(0, 1) for image in (fused, reference)])


def _mean_over_channels(values: Tensor, fused: Tensor) -> Tensor:
    """(B * C,) → (B,)."""
    return values.reshape(len(fused), -1).mean(1)


def _undefined(fused: Tensor) -> Tensor:
    return torch.full((len(fused),), torch.nan, dtype=torch.float64, device=fused.device)


REFERENCE_METRICS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"PSNR": psnr, "SSIM": ssim, "MS_SSIM": ms_ssim}
"""Metrics against a reference image: name → function(fused, reference). Higher is better for all."""
REFERENCE_SUFFIX = "@reference"
"""Appended to their names, which metrics against the sources have as well."""
