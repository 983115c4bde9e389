"""The preservation of the sources' phase congruency: QP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import cos, pi, sin, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from util.metrics.log_gabor import ORIENTATIONS, WAVELENGTHS, bank
from util.metrics.metric import Metric
from util.metrics.scene import Scene
from util.metrics.windows import average, gaussian

_SMALL = 1e-4
"""Added to denominators, and to the numerator of correlations."""
_NOISE = (sqrt(pi / 2) + 2 * sqrt(2 - pi / 2)) / 1.7
"""The threshold in units of the noise's scale: mean and two deviations of Rayleigh's distribution, divided by 1.7."""
_FEATURE = 0.1
"""A source has a feature where its phase congruency is above."""
_WINDOW = gaussian(11, 1.5)


class Features(NamedTuple):
    """Phase congruency and its largest and smallest moment over the orientations, (B, H, W) each."""

    congruency: Tensor
    largest: Tensor
    smallest: Tensor


def qp(scene: Scene) -> Tensor:
    """Preservation of phase congruency (Zhao, Laganière, Liu, 2007; features of Kovesi, 1999).

    For each of three feature maps, the local correlation of the fused image's map with that of a source, or with the
    map that takes at each pixel the source of the largest congruency: the largest of those correlations, averaged over
    the pixels where any source has a feature. The score is the product over the three maps.

    Args:
        scene: N >= 2 sources; the largest is taken over all of them, of equal congruency the last.

    Returns:
        (B,), about 0 to 1; NaN where no source has a feature, where a side is a single pixel, or where amplitudes of
        the fused image vanish. The latter is a constant image of a size whose Fourier transform has no rounding
        errors; for other sizes the score of a constant image is meaningless, and close to 1.

    Example:
        >>> square = torch.zeros(1, 1, 32, 32)
        >>> square[..., 8:24, 8:24] = 255
        >>> inverse, noise = 255 - square, torch.randint(256, square.shape)
        >>> qp(Scene([square, inverse], square)) > qp(Scene([square, inverse], noise))  # inverting moves no edge
        tensor([True])
    """
    *sources, fused = phase_congruency(scene.images)
    masks = [(source.congruency > _FEATURE).double() for source in sources]
    # Moments are NaN where amplitudes vanish; there is no feature there.
    candidates = [
        [values.nan_to_num(0).mul_(mask) for values in source] for source, mask in zip(sources, masks, strict=True)
    ]
    best, anywhere = candidates[0], masks[0]
    for candidate, mask in zip(candidates[1:], masks[1:], strict=True):
        earlier = (best[0] > candidate[0]).double()
        best = [torch.lerp(other, one, earlier) for one, other in zip(best, candidate, strict=True)]
        anywhere = torch.maximum(anywhere, mask)
    score = scene.same(1)
    for index, values in enumerate(fused):
        maps = [candidate[index] for candidate in (*candidates, best)]
        score *= _largest_correlation(maps, [*masks, anywhere], values).flatten(1).sum(1)
        score /= anywhere.flatten(1).sum(1)
    return score


def _largest_correlation(maps: Sequence[Tensor], masks: Sequence[Tensor], fused: Tensor) -> Tensor:
    """The largest of the local correlations of maps with the fused image's, each 0 outside of its mask."""
    mean_fused = average(fused, _WINDOW, "zero")
    variance_fused = average(fused * fused, _WINDOW, "zero").addcmul_(mean_fused, mean_fused, value=-1)
    largest = torch.full_like(fused, -torch.inf)
    for values, mask in zip(maps, masks, strict=True):
        mean = average(values, _WINDOW, "zero")
        variance = average(values * values, _WINDOW, "zero").addcmul_(mean, mean, value=-1)
        covariance = average(values * fused, _WINDOW, "zero").addcmul_(mean, mean_fused, value=-1)
        deviations = variance.mul_(variance_fused).abs_().sqrt_()
        correlation = covariance.add_(_SMALL).div_(deviations.add_(_SMALL))
        torch.maximum(largest, correlation.mul_(mask), out=largest)
    return largest


def phase_congruency(images: Sequence[Tensor]) -> list[Features]:
    """Phase congruency over 4 scales and 6 orientations, with Kovesi's log-Gabor filters and noise threshold.

    Args:
        images: (B, H, W) each, all of one size.

    Returns:
        The features of each image, maps (B, H, W).
    """
    height, width = images[0].shape[-2:]
    filters = bank(height, width, images[0].device)
    sums = [_Sums(image) for image in images]
    for orientation, angle in enumerate(ORIENTATIONS):
        pairs = filters.filters(orientation)
        for each in sums:
            each.add(angle, pairs, filters.noise[orientation])
    return [each.features() for each in sums]


class _Sums:
    """Sums over the orientations of an image, (B, H, W)."""

    def __init__(self, image: Tensor) -> None:
        self._spectrum = torch.fft.rfft2(image)
        self._turned = self._spectrum * -1j
        self._size = image.shape[-2:]
        self._energy, self._amplitude, self._xx, self._yy, self._xy = (torch.zeros_like(image) for _ in range(5))

    def add(self, angle: float, filters: Sequence[tuple[Tensor, Tensor]], noise: Tensor) -> None:
        """Adds an orientation.

        Args:
            angle: of the orientation.
            filters: by scale, those of `Bank.filters`.
            noise: that of `Bank.noise`.
        """
        responses = [(self._response(self._spectrum, even), self._response(self._turned, odd)) for even, odd in filters]
        amplitudes = [torch.hypot(e, o) for e, o in responses]
        threshold = _median_square(amplitudes[0]).sqrt_() * noise * _NOISE
        amplitude, largest = _sum(amplitudes), reduce(torch.maximum, amplitudes)

        # sum of e_s E + o_s O - |e_s O - o_s E|, divided by the length of (E, O)
        even, odd = (_sum(parts) for parts in zip(*responses, strict=True))
        energy = (even * even).addcmul_(odd, odd)
        length = energy.sqrt().add_(_SMALL)
        for e, o in responses:
            energy.sub_(e.mul_(odd).addcmul_(o, even, value=-1).abs_())
        energy.div_(length).sub_(threshold[:, None, None]).clamp_min_(0)

        width = (amplitude / largest.add_(_SMALL)).div_(len(WAVELENGTHS))
        energy.mul_(width.sub_(0.5).mul_(10).sigmoid_())
        self._energy.add_(energy)
        self._amplitude.add_(amplitude)
        square = energy.div_(amplitude).square_()
        self._xx.add_(square, alpha=cos(angle) ** 2 / 3)
        self._yy.add_(square, alpha=sin(angle) ** 2 / 3)
        self._xy.add_(square, alpha=cos(angle) * sin(angle) / 6)

    def _response(self, spectrum: Tensor, part: Tensor) -> Tensor:
        return torch.fft.irfft2(spectrum * part, s=self._size)

    def features(self) -> Features:
        """The features from all orientations that were added."""
        total = self._xx + self._yy
        difference = (self._xx - self._yy).square_().addcmul_(self._xy, self._xy).sqrt_().add_(_SMALL)
        congruency = self._energy / (self._amplitude + _SMALL)
        return Features(congruency, (total + difference).div_(2), (total - difference).div_(2))


def _sum(maps: Sequence[Tensor]) -> Tensor:
    total = maps[0] + maps[1]
    for values in maps[2:]:
        total.add_(values)
    return total


def _median_square(values: Tensor) -> Tensor:
    """The median of the squares, (B, H, W) → (B,); of an even number of values the mean of the two in the middle."""
    return torch.stack([_middle(each.flatten()).square_().mean() for each in values])


def _middle(values: Tensor) -> Tensor:
    """The two values in the middle, which coincide where the number of values is odd.

    They are searched for among the values near the middle of a sample, in half the time of `torch.median`.
    """
    lower, upper = (len(values) - 1) // 2, len(values) // 2
    sample = values[:: len(values) // 4096 + 1].sort().values
    low, high = sample[int(0.46 * len(sample))], sample[int(0.54 * len(sample))]
    below = int((values < low).sum())
    near = values[(values >= low) & (values <= high)]
    if below <= lower and upper < below + len(near):
        values, lower, upper = near, lower - below, upper - below
    return torch.stack([values.kthvalue(lower + 1).values, values.kthvalue(upper + 1).values])


METRICS: tuple[Metric, ...] = (
    Metric(
        name="QP",
        title="phase congruency preservation",
        measure=qp,
        better="higher",
        text="4 scales, 6 orientations, correlations in a Gaussian window 11x11 with a border of zeros",
        source="Zhao, Laganière, Liu, Int. J. Innov. Comput. Inf. Control 3, 2007; Kovesi, Videre 1, 1999",
    ),
)
