"""Cvejic's and Yang's indices: the universal image quality index with the sources, combined window by window."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.metric import Convention, Metric
from util.metrics.moments import Moments, mean_over_pixels, window_moments
from util.metrics.scene import FUSED, Scene
from util.metrics.windows import gaussian

_WINDOW = gaussian(7, 1.5)
_STABLE = 2e-16
"""C1 and C2 of the similarity."""
_FLOOR = 1e-8
"""Moments up to this size are rounding errors: the smallest variance of whole levels is 1e-3."""
_VANISHING = 1e-12
_ALIKE = 0.75
"""Sources at least this similar are averaged, others compete."""


def qc(scene: Scene) -> Tensor:
    """Mean of q = sum_X t_X ssim(X, F), t_X = cov(X, F) / sum_Y cov(Y, F), as it is published.

    Cvejic et al., Int. J. Inf. Commun. Eng. 2, 2006 clip the shares t; the published code instead sets q = 0 where the
    share of the first source is negative, and q = 1 where that of another is. (With two sources, if one share is
    negative the other is above 1.) So its value depends on the order of the sources.

    Returns:
        (B,) from -1 to 1; NaN where a side is below 7 pixels.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> round(qc(Scene([image, image], image)).item(), 6)
        1.0
    """
    moments = _moments(scene)
    if not moments.fit():
        return scene.same(torch.nan)
    shares = scene.once(_covariance_shares)
    quality = _combined(moments, shares)
    quality.masked_fill_(reduce(torch.minimum, shares[1:]) < 0, 1)
    quality.masked_fill_(shares[0] < 0, 0)
    return mean_over_pixels(quality)


def qc_clipped(scene: Scene) -> Tensor:
    """As `qc`, (B,), with the shares of the paper: negative ones become 0, the others are normalised to the sum 1."""
    moments = _moments(scene)
    if not moments.fit():
        return scene.same(torch.nan)
    shares = _shares([share.clamp(min=0) for share in scene.once(_covariance_shares)])
    return mean_over_pixels(_combined(moments, shares))


def qy(scene: Scene) -> Tensor:
    """Mean of the similarities of F and the sources, weighted where the sources are alike, else the best of them.

    The weights are v_X / sum_Y v_Y where the similarity of the sources is at least 0.75 (Yang et al., Inf. Fusion 9,
    2008); with N sources, where that of any two is.

    Returns:
        (B,) from -1 to 1; NaN where a side is below 7 pixels.
    """
    moments = _moments(scene)
    if not moments.fit():
        return scene.same(torch.nan)
    sources = range(len(scene.sources))
    pairs = [_similarity(moments, a, b) for a in sources for b in sources if a < b]
    weighted = _combined(moments, _shares([moments.variance(source) for source in sources]))
    best = reduce(torch.maximum, (_similarity(moments, source, FUSED) for source in sources))
    return mean_over_pixels(torch.where(reduce(torch.minimum, pairs) >= _ALIKE, weighted, best))


def _moments(scene: Scene) -> Moments:
    return window_moments(scene, _WINDOW, floor=_FLOOR)


def _similarity(moments: Moments, first: int, second: int) -> Tensor:
    return moments.similarity(first, second, _STABLE, _STABLE)


def _combined(moments: Moments, shares: list[Tensor]) -> Tensor:
    quality = torch.zeros_like(shares[0])
    for source, share in enumerate(shares):
        quality.addcmul_(share, _similarity(moments, source, FUSED))
    return quality


def _covariance_shares(scene: Scene) -> list[Tensor]:
    moments = _moments(scene)
    return _shares([moments.covariance(source, FUSED) for source in range(len(scene.sources))])


def _shares(values: list[Tensor]) -> list[Tensor]:
    """Divides values (B, H', W') by their sum over all sources.

    Shares are equal where all values are 0. Where they cancel, their sum counts as positive but tiny: in the published
    code it is a rounding error, which is mostly positive.
    """
    total = functional.hardshrink(reduce(torch.add, values), _FLOOR)
    cancelled = (total == 0).to(total.dtype) * _VANISHING
    total += cancelled
    return [(value + cancelled / len(values)) / total for value in values]


METRICS: tuple[Metric, ...] = (
    Metric(
        name="QC",
        title="Cvejic's fusion quality index",
        measure=qc,
        better="higher",
        text="Gaussian window 7x7 of sigma 1.5; as published, 0 or 1 where a share is negative",
        source="Cvejic, Loza, Bull, Canagarajah, Int. J. Inf. Commun. Eng. 2, 2006",
        conventions={"clipped": Convention(qc_clipped, "weights clipped to [0, 1], as in the paper")},
        defective="where the sources contradict each other, the value depends on which is first; QC@clipped does not",
    ),
    Metric(
        name="QY",
        title="Yang's fusion quality index",
        measure=qy,
        better="higher",
        text="Gaussian window 7x7 of sigma 1.5, sources alike from a similarity of 0.75",
        source="Yang, Zhang, Wang, Liu, Inf. Fusion 9, 2008",
    ),
)
