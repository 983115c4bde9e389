"""Piella's indices: structural similarity with the sources, weighted window by window by their variances."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from util.metrics.metric import Convention, Metric
from util.metrics.moments import Moments, mean_over_pixels, window_moments
from util.metrics.scene import FUSED, Scene
from util.metrics.windows import extend, magnitude

_FLAT = 1e-10
"""Variance of flat windows: rounding errors are below it, the smallest variance of whole levels is 1e-6."""
_BLACK = 0.5
"""Added to the variances where all sources are black."""


def qs(scene: Scene) -> Tensor:
    """Mean over windows of the similarities of F and the sources, weighted by the sources' variances.

    q = sum_X v_X ssim(X, F) / sum_X v_X over all N sources X (Piella & Heijmans, ICIP 2003, eq. 4).

    Returns:
        (B,) from -1 to 1; NaN where a side is below 11 pixels.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> round(qs(Scene([image, image], image)).item(), 6)
        1.0
    """
    return _score(scene, window_moments(scene), weighted=False)


def qw(scene: Scene) -> Tensor:
    """As `qs`, (B,), with each window weighted by the largest variance of a source (ibid., eq. 5)."""
    return _score(scene, window_moments(scene), weighted=True)


def qw_edge(scene: Scene) -> Tensor:
    """`qw` of the images' Prewitt magnitudes, (B,)."""
    return _score(scene, scene.once(_edge_moments), weighted=True)


def qe(scene: Scene) -> Tensor:
    """`qw` of the images times `qw` of their edges to the power 1, (B,) (ibid., eq. 6)."""
    return qw(scene) * qw_edge(scene)


def _score(scene: Scene, moments: Moments, weighted: bool) -> Tensor:
    """The mean of q over windows, weighted or not.

    In the published code the weights of flat windows are rounding errors, or 0.5 where all variances are exactly 0: in
    black windows. Here flat windows that are not black have a negligible weight, equal for all sources.
    """
    if not moments.fit():
        return scene.same(torch.nan)
    sources = range(len(scene.sources))
    black = (reduce(torch.add, map(moments.mean, sources)) == 0).to(torch.float64) * _BLACK
    variances = [moments.variance(source).clamp(min=_FLAT).add_(black) for source in sources]
    quality = torch.zeros_like(black)
    for source, variance in enumerate(variances):
        quality.addcmul_(variance, moments.similarity(source, FUSED))
    quality.div_(reduce(torch.add, variances))
    if not weighted:
        return mean_over_pixels(quality)
    saliency = reduce(torch.maximum, variances)
    return mean_over_pixels(quality.mul_(saliency)) / mean_over_pixels(saliency)


def _edge_moments(scene: Scene) -> Moments:
    return Moments([_prewitt(image) for image in scene.images])


def _prewitt(image: Tensor) -> Tensor:
    """Magnitude of Prewitt's derivatives with a border of zeros: (B, H, W) → (B, H, W)."""
    wide = extend(image, 1, "zero")
    columns = wide[..., :-2, :] + wide[..., 1:-1, :] + wide[..., 2:, :]
    rows = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]
    return magnitude(columns[..., 2:] - columns[..., :-2], rows[..., 2:, :] - rows[..., :-2, :])


_PAPER = "Piella, Heijmans, ICIP, 2003"
_WINDOW_TEXT = "Gaussian window 11x11 of sigma 1.5, full windows only, range 255"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="QS",
        title="Piella's fusion quality index",
        measure=qs,
        better="higher",
        text=f"{_WINDOW_TEXT}; weights from variances",
        source=_PAPER,
    ),
    Metric(
        name="QW",
        title="Piella's weighted fusion quality index",
        measure=qw,
        better="higher",
        text=f"{_WINDOW_TEXT}; saliency is the largest variance",
        source=_PAPER,
        conventions={"edge": Convention(qw_edge, "of Prewitt magnitudes instead of images (MEFB's Qw)")},
    ),
    Metric(
        name="QE",
        title="Piella's edge-dependent fusion quality index",
        measure=qe,
        better="higher",
        text="QW of the images times QW of their Prewitt magnitudes",
        source=_PAPER,
        conventions={"squared": Convention(lambda scene: qw_edge(scene).square(), "QW@edge squared (thfylsty)")},
    ),
)
