"""Rules that fuse the maps of any number of sources, in any order and one source at a time."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from util.suggest import check_choice

FUSIONS = ("mean", "max", "saliency")
TEMPERATURE = 0.5
# What counts as activity where there is none, so that sources without any share equally.
LEAST_ACTIVITY = 1e-6
SPACINGS = (1, 2, 4, 8, 16)  # pixels between the taps of the filters that take images apart into bands
BANDS = len(SPACINGS)
LEAST_CONTRAST = 1 / 128  # a grey level of 8 bits: below it there is nothing to see, and the logits alone decide
LARGEST_LOGIT = 1.0  # a factor of e² between two sources at most


class RunningFusion:
    """Fuses maps element by element as they come, so that those of all sources need not be there at once.

    mean:     the arithmetic mean
    max:      the largest value
    saliency: Σ_i w_i · maps_i with w = softmax over the sources of log(activity) / `TEMPERATURE`

    The activity of a source at a place is the mean absolute value of its maps over the channels, averaged over 3x3.
    With the logarithm the weights are activity^(1 / T) / Σ activity^(1 / T): they do not depend on the maps' scale, and
    two running sums are enough.

    Args:
        rule: one of `FUSIONS`.

    Raises:
        UserError: another rule.
    """

    def __init__(self, rule: str) -> None:
        check_choice("fusion", rule, FUSIONS)
        self._rule = rule
        self._largest: Tensor | None = None
        self._total: Tensor | float = 0.0
        self._weights: Tensor | float = 0.0

    def add(self, maps: Tensor) -> None:
        """Takes the maps of one more source, (B, C, H, W)."""
        if self._rule == "max":
            self._largest = maps if self._largest is None else torch.maximum(self._largest, maps)
            return
        weights = _energy(maps) if self._rule == "saliency" else 1.0
        self._total = self._total + weights * maps
        self._weights = self._weights + weights

    def result(self) -> Tensor:
        """The fused maps, (B, C, H, W), of at least one source."""
        fused = self._largest if self._rule == "max" else self._total / self._weights
        assert isinstance(fused, Tensor)
        return fused


def _energy(maps: Tensor) -> Tensor:
    """activity^(1 / T): (B, C, H, W) → (B, 1, H, W)."""
    activity = functional.avg_pool2d(maps.abs().mean(1, keepdim=True), 3, stride=1, padding=1)
    return (activity + LEAST_ACTIVITY) ** (1 / TEMPERATURE)


class RunningBlend:
    """Mixes images band by band, each where it has contrast, in proportions that a network corrects.

    Sources of one scene differ in what they show at a place: a warm person before foliage is a spot of some width in
    infrared, and fine texture in visible light. One weight for both would lose the one or the other. So the sources are
    taken apart into bands of frequencies, and in each a source counts with the square of its local contrast, as in
    fusion by pyramids (Burt and Kolczynski, "Enhanced image capture through fusion", ICCV 1993), times e to
    the network's logit. The coarser a band, the smoother are its weights, so that no borders show (Burt and Adelson, "A
    multiresolution spline with application to image mosaics", ACM Transactions on Graphics 2, 1983). What is left below
    the coarsest band, the level, is the sources' mean. The à trous scheme stands for pyramids here, since any size and
    shift suit it.

    Logits are bounded by `LARGEST_LOGIT`, so that contrast has the last word. Trained on pairs whose sources are a
    image's degraded copies, unbounded ones choose between sources, which modalities do not ask for.
    """

    def __init__(self) -> None:
        self._totals: list[Tensor | float] = [0.0] * (BANDS + 1)
        self._weights: list[Tensor | float] = [0.0] * (BANDS + 1)

    def add(self, source: Tensor, logits: Tensor) -> None:
        """Takes one more source.

        Args:
            source: (B, C, H, W) in [-1, 1].
            logits: (B, `BANDS`, H, W), the finest band first.
        """
        bounded = LARGEST_LOGIT * torch.tanh(logits.to(source.dtype) / LARGEST_LOGIT)
        for number, (band, weight) in enumerate(_weighted_bands(source, bounded)):
            self._totals[number] = self._totals[number] + weight * band
            self._weights[number] = self._weights[number] + weight

    def result(self) -> Tensor:
        """The blend, (B, C, H, W), of at least one source; of equal ones it is what they are."""
        blended = reduce(operator.add, map(operator.truediv, self._totals, self._weights))
        assert isinstance(blended, Tensor)
        return blended


def _weighted_bands(image: Tensor, logits: Tensor) -> Iterator[tuple[Tensor, Tensor | float]]:
    """Yields each band of a source (B, C, H, W) and its weight (B, 1, H, W), given logits (B, `BANDS`, H, W)."""
    for number, spacing in enumerate(SPACINGS):
        if number:
            logits = _smooth(logits[:, 1:], SPACINGS[number - 1])
        coarse = _smooth(image, spacing)
        band = image - coarse
        contrast = _smooth(band.abs().mean(1, keepdim=True), spacing) + LEAST_CONTRAST
        yield band, logits[:, :1].exp() * contrast**2
        image = coarse
    yield image, 1.0


def _smooth(maps: Tensor, spacing: int) -> Tensor:
    """Filters rows and columns of (B, C, H, W) by (1, 2, 1) / 4, taps `spacing` pixels apart; the border goes on."""
    height, width = maps.shape[-2:]
    padded = functional.pad(maps, (0, 0, spacing, spacing), mode="replicate")
    maps = maps / 2 + (padded[..., :height, :] + padded[..., 2 * spacing :, :]) / 4
    padded = functional.pad(maps, (spacing, spacing, 0, 0), mode="replicate")
    return maps / 2 + (padded[..., :width] + padded[..., 2 * spacing :]) / 4
