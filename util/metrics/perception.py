"""Metrics that model human vision: QCV of Chen and Varshney, QCB of Chen and Blum.

Both filter images stretched to the full range, N(X), by a contrast sensitivity function: an isotropic filter in the
frequency domain. Constant images other than black cannot be stretched: both metrics are then undefined, NaN.
"""

from __future__ import annotations

import math
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.histograms import extremes, stretch
from util.metrics.metric import Convention, Metric
from util.metrics.scene import FUSED, PEAK, Scene
from util.metrics.windows import average, magnitude, sobel

BLOCK = 16


def _stretched(scene: Scene, index: int, unit: float) -> Tensor:
    """N(X / unit) of `scene.images[index]`: (B, H, W)."""
    image = scene.images[index] / unit
    return stretch(image, *extremes(image))


def _frequencies(scene: Scene, degrees: float) -> Tensor:
    """The distance from frequency 0, for half of the spectrum: (H, W // 2 + 1).

    sqrt((u W / degrees)² + (v H / degrees)²) of frequencies u, v that are 1 at the Nyquist frequency: u W = 2 k for k
    waves in the image's width.
    """
    height, width = scene.fused.shape[1:]
    options = {"dtype": torch.float64, "device": scene.fused.device}
    rows = torch.fft.fftfreq(height, 1 / height, **options)[:, None]
    columns = torch.fft.rfftfreq(width, 1 / width, **options)
    return (rows.square() + columns.square()).sqrt() * (2 / degrees)


def _seen(image: Tensor, gain: Tensor) -> Tensor:
    """Filters an image (B, H, W) by a real, even gain (H, W // 2 + 1)."""
    return torch.fft.irfft2(torch.fft.rfft2(image) * gain, s=image.shape[1:])


def _mannos_sakrison(scene: Scene) -> Tensor:
    r = 0.144 * _frequencies(scene, degrees=8)
    return 2.6 * (0.0192 + r) * torch.exp(-(r**1.1))


def _difference_of_gaussians(scene: Scene) -> Tensor:
    r = _frequencies(scene, degrees=30)
    return torch.exp(-((r / 15.3870) ** 2)) - 0.7622 * torch.exp(-((r / 1.3456) ** 2))


def _blocks(image: Tensor) -> Tensor:
    """Means of blocks of 16 x 16 pixels from the top left, (B, H, W) → (B, h, w); zeros fill up the last ones."""
    height, width = image.shape[1:]
    whole = functional.pad(image, (0, -width % BLOCK, 0, -height % BLOCK))
    return functional.avg_pool2d(whole, BLOCK)


def qcv(scene: Scene) -> Tensor:
    """Visible error, in blocks weighted by the sources' saliency (Chen, Varshney, 2007).

    The sum over sources and blocks of L_X D_X, over that of L_X: D_X is the mean squared difference of source and fused
    image filtered by the sensitivity of Mannos and Sakrison, L_X the sum of the fifth powers of Sobel's gradient.

    Returns:
        (B,), 0 or more; NaN where an image is constant other than black, or no source has a gradient.

    Example:
        >>> image = torch.randint(256, (1, 1, 32, 32))
        >>> qcv(Scene([image, image], image)).item()
        0.0
    """
    gain = _mannos_sakrison(scene)
    fused = scene.once(_stretched, FUSED, 1)
    errors, weights = scene.same(0), scene.same(0)
    for index in range(len(scene.sources)):
        source = scene.once(_stretched, index, 1)
        gradient = magnitude(*sobel(source, "zero"))
        saliency = _blocks(gradient.square().square_() * gradient)
        errors += (saliency * _blocks(_seen(source - fused, gain).square_())).sum((1, 2))
        weights += saliency.sum((1, 2))
    return errors / weights


@cache
def _density(sigma: float) -> tuple[float, ...]:
    """The normal distribution's density at 31 whole offsets, whose sum is close to 1."""
    return tuple(math.exp(-(k**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma) for k in range(-15, 16))


def _masked_contrast(image: Tensor, gain: Tensor) -> Tensor:
    """Peli's local contrast after masking, (B, H, W) → (B, H, W), 0 or more."""
    seen = _seen(image, gain)
    contrast = average(seen, _density(2), "zero").div_(average(seen, _density(4), "zero")).sub_(1).abs_()
    squares = contrast.square()
    return contrast.mul_(squares).div_(squares.add_(0.0001))


def qcb(scene: Scene, unit: float = 1) -> Tensor:
    """How much of the sources' contrast is preserved (Chen, Blum, 2009).

    The mean over the pixels of the sum over the sources of P_X² Q_X / sum P_X²: P is the masked contrast of an image
    filtered by a difference of Gaussians, Q_X = min(P_X, P_F) / max(P_X, P_F). Levels are divided by `unit` before they
    are stretched.

    Returns:
        (B,) in [0, 1]; NaN where an image is constant other than black, or a pixel has no contrast at all.

    Example:
        >>> image = torch.randint(256, (1, 1, 32, 32))
        >>> round(qcb(Scene([image, image], image)).item(), 6)
        1.0
    """
    gain = _difference_of_gaussians(scene)
    fused = _masked_contrast(scene.once(_stretched, FUSED, unit), gain)
    preserved, weights = torch.zeros_like(fused), torch.zeros_like(fused)
    for index in range(len(scene.sources)):
        source = _masked_contrast(scene.once(_stretched, index, unit), gain)
        weight = source.square()
        weights += weight
        preserved += weight.mul_(torch.minimum(source, fused)).div_(torch.maximum(source, fused))
    return (preserved / weights).mean((1, 2))


METRICS: tuple[Metric, ...] = (
    Metric(
        name="QCV",
        title="Chen-Varshney metric",
        measure=qcv,
        better="lower",
        text="stretched images, blocks of 16 x 16",
        source="Chen, Varshney, Inf. Fusion 8, 2007",
    ),
    Metric(
        name="QCB",
        title="Chen-Blum metric",
        measure=qcb,
        better="higher",
        text="stretched images, difference of Gaussians",
        source="Chen, Blum, Image Vis. Comput. 27, 2009",
        conventions={
            "div255": Convention(
                partial(qcb, unit=PEAK),
                "levels are divided by 255 before they are stretched, which turns a few ties: MEFB",
            ),
        },
    ),
)
