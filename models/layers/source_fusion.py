"""Rules that fuse the maps of any number of sources, one source at a time and independently of their order."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from options.networks import GSGIF_FUSIONS
from util.suggest import check_choice

TEMPERATURE = 0.5
# Added to the activity, so that sources without any have equal weights.
LEAST_ACTIVITY = 1e-6
SPACINGS = (1, 2, 4, 8, 16)  # pixels between the taps of the filters that decompose images into bands
BANDS = len(SPACINGS)
LEAST_CONTRAST = 1 / 128  # one 8-bit grey level; where the contrast is far below it, the logits alone decide
LARGEST_LOGIT = 1.0  # limits the factor between the weights of two sources to e²


class RunningFusion:
    """Fuses maps element by element, one source after the other, without holding those of all sources in memory.

    mean:     the arithmetic mean
    max:      the largest value
    saliency: Σ_i w_i · maps_i with w = softmax over the sources of log(activity) / `TEMPERATURE`

    The activity of a source at a pixel is the mean absolute value of its maps over the channels and a 3x3 window. With
    the logarithm the weights are activity^(1 / T) / Σ activity^(1 / T): they do not depend on the maps' scale, and two
    running sums are enough.

    Args:
        rule: one of `GSGIF_FUSIONS`.

    Raises:
        UserError: an unknown rule.

    Example:
        >>> fusion = RunningFusion("max")
        >>> for level in (1.0, 3.0, 2.0):
        ...     fusion.add(torch.full((1, 1, 1, 2), level))
        >>> fusion.result()
        tensor([[[[3., 3.]]]])
    """

    def __init__(self, rule: str) -> None:
        check_choice("fusion", rule, GSGIF_FUSIONS)
        self._rule = rule
        self._largest: Tensor | None = None
        self._total: Tensor | float = 0.0
        self._weights: Tensor | float = 0.0

    def add(self, maps: Tensor) -> None:
        """Adds the maps of one more source, (B, C, H, W)."""
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
    """Blends images band by band, weighted by local contrast and by a network's logits.

    At one pixel, sources can carry information at different scales: a person before foliage is a wide spot in infrared,
    but fine texture in visible light. A single weight would lose one of the two. So the sources are decomposed into
    frequency bands, and the weight of a source in a band is the square of its local contrast, as in fusion by pyramids
    (Burt and Kolczynski, "Enhanced image capture through fusion", ICCV 1993), times e to the network's logit. The
    coarser a band, the smoother are its weights, which avoids visible seams (Burt and Adelson, "A multiresolution
    spline with application to image mosaics", ACM Transactions on Graphics 2, 1983). The residual below the coarsest
    band is the sources' mean. The bands come from the à trous scheme instead of pyramids, since it is invariant to
    shifts and works for any size.

    Logits are bounded by `LARGEST_LOGIT`, so that contrast dominates: trained on sources that are degraded copies of
    one image, unbounded logits select one source, which is wrong for sources of different modalities.

    Example:
        >>> image, blend = torch.rand(1, 3, 16, 16), RunningBlend()
        >>> for _ in range(2):
        ...     blend.add(image, logits=torch.randn(1, BANDS, 16, 16))
        >>> torch.allclose(blend.result(), image, atol=1e-5)  # equal sources are unchanged, whatever the logits
        True
    """

    def __init__(self) -> None:
        self._totals: list[Tensor | float] = [0.0] * (BANDS + 1)
        self._weights: list[Tensor | float] = [0.0] * (BANDS + 1)

    def add(self, source: Tensor, logits: Tensor) -> None:
        """Adds one more source.

        Args:
            source: (B, C, H, W) in [-1, 1].
            logits: (B, `BANDS`, H, W), the finest band first.
        """
        bounded = LARGEST_LOGIT * torch.tanh(logits.to(source.dtype) / LARGEST_LOGIT)
        for number, (band, weight) in enumerate(_weighted_bands(source, bounded)):
            self._totals[number] = self._totals[number] + weight * band
            self._weights[number] = self._weights[number] + weight

    def result(self) -> Tensor:
        """The blend, (B, C, H, W), of at least one source."""
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
    """Filters rows and columns of (B, C, H, W) by (1, 2, 1) / 4, taps `spacing` pixels apart; replicate padding."""
    height, width = maps.shape[-2:]
    padded = functional.pad(maps, (0, 0, spacing, spacing), mode="replicate")
    maps = maps / 2 + (padded[..., :height, :] + padded[..., 2 * spacing :, :]) / 4
    padded = functional.pad(maps, (spacing, spacing, 0, 0), mode="replicate")
    return maps / 2 + (padded[..., :width] + padded[..., 2 * spacing :]) / 4
