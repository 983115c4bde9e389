"""MEF-SSIM: the similarity of a fused image with the structure that the patches of its sources have together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.metric import Convention, Metric
from util.metrics.moments import C2, SCALE_WEIGHTS, WINDOW, Moments, mean_over_pixels, window_moments
from util.metrics.scene import FUSED, Scene
from util.metrics.windows import uniform

_SIDE = len(WINDOW)
_PIXELS = _SIDE**2
_EPSILON = 2.0**-52
_LEAST_CONTRAST = 0.001
_LARGEST_EXPONENT = 10
_FLAT = 1e-8


def mef_ssim(scene: Scene, scales: int = 3) -> Tensor:
    """Product over scales of the mean similarity of F and the desired patch structure (Ma, Zeng, Wang, TIP 24, 2015).

    Any number of sources, as in the paper. The exponents of the scales are those of MS-SSIM, normalised to the sum 1.
    Each of the `scales` is the mean over blocks of 2x2 pixels of the finer one; an odd last line is repeated.

    Returns:
        (B,) up to 1; -inf where a side / 2^(scales - 1) is below 11 pixels, as published; NaN where the mean similarity
        is negative at one of several scales.

    Example:
        >>> image = torch.randint(256, (1, 1, 48, 48))
        >>> round(mef_ssim(Scene([image, image], image)).item(), 4)
        1.0
    """
    if min(scene.fused.shape[-2:]) / 2 ** (scales - 1) < _SIDE:
        return scene.same(-torch.inf)
    weights = SCALE_WEIGHTS[:scales]
    moments = window_moments(scene)
    score = scene.same(1)
    for scale, weight in enumerate(weights):
        if scale:
            moments = Moments([_halved(image) for image in moments.images])
        score *= _similarity_to_patches(moments).pow(weight / sum(weights))
    return score


def _halved(image: Tensor) -> Tensor:
    """Means of 2x2 blocks; an odd last line is repeated."""
    bottom, right = (size % 2 for size in image.shape[-2:])
    return functional.avg_pool2d(functional.pad(image, (0, right, 0, bottom), mode="replicate"), 2)


def _similarity_to_patches(moments: Moments) -> Tensor:
    """Mean over all patches of the contrast-structure similarity of F and the desired structure s.

    s = scale sum_k a_k (x_k - mu_k) is linear in the sources, so all of its moments are sums of theirs: (B,).
    """
    patches = Moments(moments.images[:-1], uniform(_SIDE))
    contrasts, factors = _weights(patches)
    strongest = reduce(torch.maximum, contrasts)
    # Squared norms of s that are rounding errors relative to e^2 mean no structure, as in flat patches.
    energy = _variance_of_sum(patches, factors).mul_(strongest).mul_(strongest)
    flat = energy <= _FLAT
    scale = strongest.square().div_(energy.mul_(_PIXELS).sqrt_()).masked_fill_(flat, 0)
    covariance = torch.zeros_like(scale)
    for k, factor in enumerate(factors):
        covariance.addcmul_(factor, moments.covariance(k, FUSED))
    covariance.mul_(scale)
    variance = _variance_of_sum(moments, factors).mul_(scale).mul_(scale)
    quality = covariance.mul_(2).add_(C2).div_(variance.add_(moments.variance(FUSED)).add_(C2))
    return mean_over_pixels(quality)


def _weights(patches: Moments) -> tuple[list[Tensor], list[Tensor]]:
    """The norms e_k of the sources' patches without their means, and the factors a_k = w_k / e_k."""
    sources = range(len(patches.images))
    norms = [patches.variance(k).clamp(min=0).mul_(_PIXELS).sqrt_() for k in sources]
    ones = [torch.ones_like(norm) for norm in norms]
    together = _variance_of_sum(patches, ones).clamp_(min=0).mul_(_PIXELS).sqrt_()
    consistency = (together + _EPSILON) / (reduce(torch.add, norms) + _EPSILON)
    exponent = (consistency.clamp(max=1 - _EPSILON) * (math.pi / 2)).tan_().clamp_(max=_LARGEST_EXPONENT)
    contrasts = [norm.add_(_LEAST_CONTRAST) for norm in norms]
    weights = [(contrast / _SIDE).pow_(exponent).add_(_EPSILON) for contrast in contrasts]
    total = reduce(torch.add, weights)
    return contrasts, [weight.div_(total).div_(contrast) for weight, contrast in zip(weights, contrasts, strict=True)]


def _variance_of_sum(moments: Moments, factors: Sequence[Tensor]) -> Tensor:
    """The variance of sum_k factors_k x_k, window by window."""
    total = torch.zeros_like(factors[0])
    for k, factor in enumerate(factors):
        total.addcmul_(factor * factor, moments.variance(k))
        for other in range(k):
            total.addcmul_(factor * factors[other], moments.covariance(other, k), value=2)
    return total


METRICS: tuple[Metric, ...] = (
    Metric(
        name="MEF_SSIM",
        title="structural similarity for multi-exposure fusion",
        measure=mef_ssim,
        better="higher",
        text="three scales; patches 11x11; -inf below 44 pixels",
        source="Ma, Zeng, Wang, IEEE Trans. Image Process. 24, 2015",
        conventions={
            "one_scale": Convention(
                partial(mef_ssim, scales=1), "the finest scale only, -1 to 1; -inf below 11 pixels (MEFB)"
            )
        },
    ),
)
