"""Mutual information of grey levels as a loss; the metric is `util.metrics.information.qmi`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BINS = 32
_TINY = 1e-9


def mutual_information(sources: Sequence[Tensor], fused: Tensor) -> Tensor:
    """QMI, twice the mean over the sources of 2 MI(X, F) / (H(X) + H(F)) (Hossny et al., 2008), of soft histograms.

    A level counts for the two nearest of 32 bins by its distance from them, so that the histograms are differentiable;
    every second pixel of every second row counts.

    Args:
        sources: N of (B, 1, H, W) in [0, 1].
        fused: (B, 1, H, W).

    Returns:
        (B,); about 2 where all images are equal, 0 for independent ones. As with the metric, two sources cannot both
        have all of the fused image's information unless they are alike.

    Example:
        >>> image = torch.rand(1, 1, 32, 32)
        >>> same, other = mutual_information([image] * 2, image), mutual_information([image] * 2, image.flip(3))
        >>> bool(same > 1.2), bool(other < 0.6)
        (True, True)
    """
    of_fused = _soft_bins(fused.clamp(0, 1))
    total = fused.new_zeros(len(fused))
    for source in sources:
        of_source = _soft_bins(source)
        joint = of_source.transpose(1, 2) @ of_fused / of_fused.shape[1]
        separate = _entropy(of_source.mean(1)) + _entropy(of_fused.mean(1))
        total = total + (separate - _entropy(joint.flatten(1))) / (separate + _TINY)
    return 4 * total / len(sources)


def _soft_bins(images: Tensor) -> Tensor:
    """The shares of each second pixel in the bins, (B, 1, H, W) → (B, pixels, 32); linear interpolation."""
    places = images[..., ::2, ::2].flatten(1)[..., None] * (_BINS - 1)
    bins = torch.arange(_BINS, device=images.device, dtype=images.dtype)
    return (1 - (places - bins).abs()).clamp(min=0)


def _entropy(shares: Tensor) -> Tensor:
    """In bits: (B, n) → (B,)."""
    return -(shares * (shares + _TINY).log2()).sum(-1)
