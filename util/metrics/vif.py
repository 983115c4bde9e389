"""Visual information fidelity in the pixel domain: the share of the sources' information that the fused image keeps."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.metric import Metric
from util.metrics.moments import Moments
from util.metrics.scene import FUSED, PEAK, Scene
from util.metrics.windows import average, gaussian

_WINDOWS = tuple(gaussian(size, size / 5) for size in (17, 9, 5, 3))
"""One for each scale, the finest first."""
_TINY = 1e-10
_NOISE = 2.0
_VIFF_NOISE = 0.005 * PEAK**2
_VIFF_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
_VIFF_STABLE = 1e-7


class _Channel(NamedTuple):
    """The model F = gain X + noise of each window, all (B, H', W').

    Attributes:
        gain: at least 0.
        noise: variance, positive.
        variance: of X, at least 0.
    """

    gain: Tensor
    noise: Tensor
    variance: Tensor

    def preserved(self, noise: float) -> Tensor:
        """Information about X that is visible in F, in decimal digits, given the variance of the eye's noise."""
        return self.gain.square().mul_(self.variance).div_(self.noise + noise).add_(1).log10_()

    def original(self, noise: float) -> Tensor:
        """Information that is visible in X itself."""
        return (self.variance / noise).add_(1).log10_()


def vif(scene: Scene) -> Tensor:
    """Sum over the sources X of the information fidelity of F with the reference X (Sheikh, Bovik, TIP 15, 2006).

    The pixel-domain version, over those of four scales that are at least as large as their window.

    Returns:
        (B,) from 0, N for N sources that all equal F; above where F has more contrast; NaN where a side is below 17
        pixels or a source is constant.

    Example:
        >>> image = torch.randint(256, (1, 1, 32, 32))
        >>> round(vif(Scene([image, image], image)).item(), 6)
        2.0
    """

    def fidelity(source: int) -> Tensor:
        preserved, original = scene.same(0), scene.same(0)
        for scale in range(len(scene.once(_scales))):
            channel = scene.once(_channel, scale, source)
            preserved += channel.preserved(_NOISE).sum((-2, -1))
            original += channel.original(_NOISE).sum((-2, -1))
        return preserved / original

    return scene.each_source(fidelity).sum(0)


def viff(scene: Scene) -> Tensor:
    """Visual information fidelity for fusion (Han, Cai, Cao, Xu, Inf. Fusion 14, 2013).

    In each window the source with the smallest gain counts (of equal ones the last); the scales' ratios of
    information are weighted 1, 0, 0.15, 1.

    Returns:
        (B,) from 0, 1 where all images are equal; above where F has more contrast; NaN where a side is below 41
        pixels: the coarsest scale is smaller than its window.

    Example:
        >>> image = torch.randint(256, (1, 1, 48, 48))
        >>> round(viff(Scene([image, image], image)).item(), 6)
        1.0
    """
    if len(scene.once(_scales)) < len(_VIFF_WEIGHTS):
        return scene.same(torch.nan)
    total = scene.same(0)
    for scale, weight in enumerate(_VIFF_WEIGHTS):
        if weight:
            channel = reduce(_weaker, (scene.once(_channel, scale, source) for source in range(len(scene.sources))))
            preserved = channel.preserved(_VIFF_NOISE).add_(_VIFF_STABLE).sum((-2, -1))
            original = channel.original(_VIFF_NOISE).add_(_VIFF_STABLE).sum((-2, -1))
            total += weight * preserved / original
    return total


def _weaker(first: _Channel, second: _Channel) -> _Channel:
    """In each window the one with the smaller gain, the second of equal ones."""
    chosen = second.gain <= first.gain
    return _Channel(*(torch.where(chosen, b, a) for a, b in zip(first, second, strict=True)))


def _scales(scene: Scene) -> list[Moments]:
    """The moments of the images at those scales that are at least as large as their window, the finest first."""
    scales: list[Moments] = []
    images = scene.images
    for window in _WINDOWS:
        if scales:  # the images were larger than a larger window, so this one fits
            images = [average(image, window)[..., ::2, ::2].contiguous() for image in images]
        moments = Moments(images, window)
        if not moments.fit():
            break
        scales.append(moments)
    return scales


def _channel(scene: Scene, scale: int, source: int) -> _Channel:
    moments = scene.once(_scales)[scale]
    variance, seen = (functional.threshold(moments.variance(image), _TINY, 0) for image in (source, FUSED))
    covariance = moments.covariance(source, FUSED)
    gain = (covariance / (variance + _TINY)).mul_((variance * seen).sign_()).clamp_(min=0)
    return _Channel(gain, (seen - gain * covariance).clamp_(min=_TINY), variance)


METRICS: tuple[Metric, ...] = (
    Metric(
        name="VIF",
        title="visual information fidelity",
        measure=vif,
        better="higher",
        text="sum over the sources; pixel domain, four scales, noise variance 2",
        source="Sheikh, Bovik, IEEE Trans. Image Process. 15, 2006",
    ),
    Metric(
        name="VIFF",
        title="visual information fidelity for fusion",
        measure=viff,
        better="higher",
        text="pixel domain, four scales, noise variance 0.005 x 255^2",
        source="Han, Cai, Cao, Xu, Inf. Fusion 14, 2013",
    ),
)
