"""Rules that fuse the maps of any number of sources, in any order and one source at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from models.choices import check_choice

FUSIONS = ("mean", "max", "saliency")
TEMPERATURE = 0.5
# What counts as activity where there is none, so that sources without any share equally.
LEAST_ACTIVITY = 1e-6
SPACINGS = (1, 2, 4, 8, 16)  # pixels between the taps of the filters that take pictures apart into bands


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


def blend(sources: Sequence[Tensor], logits: Sequence[Tensor]) -> Tensor:
    """Mixes sources, in proportions that may change from pixel to pixel, without visible borders.

    The softmax over the sources of their logits says how much of each there is at a pixel. Where infrared is dark and
    visible light bright, neighbours of different origin would make a patchwork. So the sources are taken apart into
    bands of frequencies, and each band is mixed with weights as smooth as the band is coarse (Burt and Adelson, "A
    multiresolution spline with application to image mosaics", ACM Transactions on Graphics 2, 1983), here with the à
    trous scheme instead of a pyramid, which any size and shift suit.

    Args:
        sources: N pictures (B, C, H, W).
        logits: N of (B, 1, H, W).

    Returns:
        (B, C, H, W). A source that has all the weight comes back as it was.
    """
    weights = torch.cat(tuple(logits), dim=1).softmax(dim=1).split(1, dim=1)
    return reduce(torch.add, (_share(source, weight) for source, weight in zip(sources, weights, strict=True)))


def _share(picture: Tensor, weight: Tensor) -> Tensor:
    """What a source (B, C, H, W) adds to a blend, given its weight (B, 1, H, W); one at a time, to save memory."""
    share = torch.zeros_like(picture)
    for spacing in SPACINGS:
        coarse = _smooth(picture, spacing)
        share = share + weight * (picture - coarse)
        picture, weight = coarse, _smooth(weight, spacing)
    return share + weight * picture


def _smooth(maps: Tensor, spacing: int) -> Tensor:
    """Filters rows and columns of (B, C, H, W) by (1, 2, 1) / 4, taps `spacing` pixels apart; the border goes on."""
    height, width = maps.shape[-2:]
    padded = functional.pad(maps, (0, 0, spacing, spacing), mode="replicate")
    maps = maps / 2 + (padded[..., :height, :] + padded[..., 2 * spacing :, :]) / 4
    padded = functional.pad(maps, (spacing, spacing, 0, 0), mode="replicate")
    return maps / 2 + (padded[..., :width] + padded[..., 2 * spacing :]) / 4
