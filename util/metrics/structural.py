"""Structural similarity of a fused image with its sources."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from util.metrics.metric import Convention, Measure, Metric
from util.metrics.moments import WINDOW, mean_over_pixels, multiscale_similarity, scales, window_moments
from util.metrics.scene import FUSED, PEAK, Scene
from util.metrics.windows import Border, uniform


def ssim(
    scene: Scene,
    weights: tuple[float, ...] = WINDOW,
    border: Border = "valid",
    peak: float = PEAK,
    sample: bool = False,
) -> Tensor:
    """Mean over the sources X of the mean structural similarity of X and F (Wang et al., IEEE TIP 13, 2004).

    Args:
        scene: N >= 2 sources.
        weights: of the separable window.
        border: the padding.
        peak: the range of values L in C1 = (0.01 L)^2 and C2 = (0.03 L)^2.
        sample: use sample covariances, n / (n - 1) times the population's, of a uniform window of n pixels.

    Returns:
        (B,) from -1 to 1; NaN where the images are smaller than the window.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> ssim(Scene([image, image], image)).item()
        1.0
    """
    moments = window_moments(scene, weights, border)
    if not moments.fit():
        return scene.same(torch.nan)
    pixels = len(weights) ** 2
    # In the quotient, n / (n - 1) on all covariances equals (n - 1) / n on C2.
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2 * ((pixels - 1) / pixels if sample else 1)
    return scene.each_source(lambda source: mean_over_pixels(moments.similarity(source, FUSED, c1, c2))).mean(0)


def ms_ssim(scene: Scene) -> Tensor:
    """Mean over the sources of the multi-scale structural similarity (Wang, Simoncelli, Bovik, Asilomar 2003).

    Five scales, each with full windows only; see `scales` and `multiscale_similarity`.

    Returns:
        (B,) from 0 to 1; NaN where a side is below 161 pixels: the coarsest scale is smaller than the window.
    """
    pyramid = list(scales(window_moments(scene)))
    if not pyramid[-1].fit():
        return scene.same(torch.nan)
    return scene.each_source(lambda source: multiscale_similarity(pyramid, source, FUSED)).mean(0)


def _sum_over_sources(mean: Measure) -> Measure:
    return lambda scene: mean(scene) * len(scene.sources)


_skimage = partial(ssim, weights=uniform(7), sample=True)
_WANG = "Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Process. 13, 2004"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="SSIM",
        title="structural similarity",
        measure=ssim,
        better="higher",
        text="mean over the sources; Gaussian window 11x11 of sigma 1.5, full windows only, range 255",
        source=_WANG,
        conventions={
            "sum": Convention(_sum_over_sources(ssim), "sum over the sources (VIFB)"),
            "skimage_range2_sum": Convention(
                _sum_over_sources(partial(_skimage, peak=2)),
                "sum; uniform window 7x7, sample covariances, range 2 for levels to 255 (CDDFuse)",
            ),
            "skimage_range255_sum": Convention(
                _sum_over_sources(_skimage), "sum; uniform window 7x7, sample covariances (SMFNet)"
            ),
            "replicate": Convention(
                partial(ssim, border="replicate"), "windows at all pixels, edges repeated (MATLAB's ssim; thfylsty)"
            ),
            "replicate_range1": Convention(
                partial(ssim, border="replicate", peak=1),
                "windows at all pixels, edges repeated, range 1 for levels to 255 (Tang's evaluation scripts)",
            ),
        },
    ),
    Metric(
        name="MS_SSIM",
        title="multi-scale structural similarity",
        measure=ms_ssim,
        better="higher",
        text="mean over the sources; five scales, Gaussian window 11x11 of sigma 1.5, range 255",
        source="Wang, Simoncelli, Bovik, Asilomar Conf., 2003",
        conventions={"sum": Convention(_sum_over_sources(ms_ssim), "sum over the sources")},
    ),
)
