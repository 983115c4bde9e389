"""The preservation of the sources' wavelet details: QM."""

from __future__ import annotations

import torch
from torch import Tensor

from util.metrics.metric import Metric
from util.metrics.scene import Scene


def _haar(image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """One level of the orthonormal Haar transform; an odd last row or column is left out.

    Returns:
        The coarse image and the three detail bands, (B, H // 2, W // 2) each.
    """
    height, width = image.shape[-2] // 2 * 2, image.shape[-1] // 2 * 2
    top, bottom = image[..., 0:height:2, :width], image[..., 1:height:2, :width]
    rows_coarse, rows_fine = top + bottom, top - bottom
    left, right = slice(0, None, 2), slice(1, None, 2)
    coarse = (rows_coarse[..., left] + rows_coarse[..., right]).div_(2)
    details = [
        (rows_coarse[..., left] - rows_coarse[..., right]).div_(2),
        (rows_fine[..., left] + rows_fine[..., right]).div_(2),
        (rows_fine[..., left] - rows_fine[..., right]).div_(2),
    ]
    return coarse, details


def qm(scene: Scene) -> Tensor:
    """Similarity of Haar details at two scales (Wang, Liu, ICSP, 2008): Q_1^(2/3) Q_2^(1/3).

    At each scale the closeness sum over bands of exp(-|s_X - s_F|) is averaged over pixels and sources, weighted by the
    energy sum over bands of s_X^2; numerator and denominator are sums over all sources.

    Returns:
        (B,), from 0 to 3; NaN where a side is below 4 pixels, or where the sources have no details at a scale.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> round(qm(Scene([image, image], image)).item(), 9)  # 1 in each of three bands
        3.0
    """
    images = scene.images
    product = scene.same(1)
    for exponent in (2 / 3, 1 / 3):
        coarse, details = zip(*map(_haar, images), strict=True)
        *sources, fused = details
        kept, weight = scene.same(0), scene.same(0)
        for bands in sources:
            closeness, energy = torch.zeros_like(fused[0]), torch.zeros_like(fused[0])
            for band, band_fused in zip(bands, fused, strict=True):
                closeness.add_((band - band_fused).abs_().neg_().exp_())
                energy.addcmul_(band, band)
            kept += (closeness * energy).flatten(1).sum(1)
            weight += energy.flatten(1).sum(1)
        product *= (kept / weight) ** exponent
        images = list(coarse)
    return product


METRICS: tuple[Metric, ...] = (
    Metric(
        name="QM",
        title="multi-scale wavelet similarity",
        measure=qm,
        better="higher",
        text="two levels of Haar's transform, sums over pixels before the quotient, exponents 2/3 and 1/3",
        source="Wang, Liu, ICSP, 2008",
    ),
)
