"""How much of the sources' structure a fused image keeps, with and without a preference for the stronger source."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.losses.moments import SourceMoments
from models.losses.structure import correlation

_LEAST_VARIANCE = 1e-6


def mean_similarity(moments: SourceMoments) -> Tensor:
    """SSIM, the mean over the sources and windows (Wang et al., 2004): (B,) in [-1, 1].

    Example:
        >>> image = torch.rand(1, 1, 16, 16)
        >>> round(mean_similarity(SourceMoments([image, image], image)).item(), 4)
        1.0
    """
    return moments.similarity().mean((1, 2, 3))


def salient_similarity(moments: SourceMoments) -> Tensor:
    """SSIM in which windows and sources count by their variance, as in Q_W (Piella and Heijmans, ICIP 2003).

    Within a window a source has the weight of its share of the variances, and a window has that of the largest one.

    Returns:
        (B,) in [-1, 1].
    """
    shares = moments.variances + _LEAST_VARIANCE
    in_window = (shares / shares.sum(1, keepdim=True) * moments.similarity()).sum(1)
    importance = moments.variances.amax(1) + _LEAST_VARIANCE
    return (importance * in_window).sum((1, 2)) / importance.sum((1, 2))


def best_similarity(moments: SourceMoments) -> Tensor:
    """SSIM with the most similar source, window by window, as Q_Y has it of unlike sources (Yang et al., 2008).

    Returns:
        (B,) in [-1, 1]; 1 where every window is that of a source.
    """
    return moments.similarity().amax(1).mean((1, 2))


def lost_contrast(moments: SourceMoments) -> Tensor:
    """By how much the fused image has less contrast than the strongest source, the mean over the windows.

    Contrast is the standard deviation in a window.

    Returns:
        (B,), 0 or more; 0.5 at most for images in [0, 1].
    """
    strongest, fused = moments.variances.amax(1), moments.fused_variance[:, 0]
    tiny = _LEAST_VARIANCE / 100  # keeps the derivative of the root finite
    return ((strongest + tiny).sqrt() - (fused + tiny).sqrt()).clamp(min=0).mean((1, 2))


def source_differences(sources: Sequence[Tensor], fused: Tensor) -> Tensor:
    """SCD (Aslantas and Bendes, 2015): what the fused image has beyond all other sources resembles the source.

    Args:
        sources: N of (B, 1, H, W).
        fused: (B, 1, H, W).

    Returns:
        The sum over the sources of Pearson's correlations, (B,) in [-N, N]; computed in 32 bits or more.
    """
    total = torch.stack(list(sources)).sum(0)
    multiple = (len(sources) - 1) * fused
    return torch.stack([correlation(multiple - (total - source), source) for source in sources]).sum(0)
