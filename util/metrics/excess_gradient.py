"""Gradients of a fused image that no source has: seams, halos and blotches. Our own measure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.metric import Convention, Metric
from util.metrics.scene import Scene

SCALES = (1, 4, 8, 16)
"""Distances in pixels over which differences are taken."""


def excess_gradient(
    sources: Sequence[Tensor], fused: Tensor, distance: int, *, radius: int = 1, least: float = 0.0
) -> Tensor:
    """The mean of max(0, |∇F| − max |∇X|), the maximum being over the sources X and the pixels around.

    ∇ are the differences of means over `distance` x `distance` pixels that lie `distance` apart, so that a step is
    measured in full whatever the distance. A fused image that copies a source at every pixel has an excess where the
    copied source changes; a pyramid has little, a weighted mean with constant weights none. Differentiable.

    Args:
        sources: N of (B, H, W).
        fused: (B, H, W), in the same unit.
        distance: in pixels; at 1 finest details, at 16 blotches.
        radius: of the square window around, in pixels; 0 is the pixel itself.
        least: a gradient's square is at least its square, which keeps its derivative finite.

    Returns:
        (B,), 0 or more, in the unit of the images; NaN where a side is below 2 `distance`.

    Example:
        >>> dark, light = torch.zeros(1, 4, 4), torch.full((1, 4, 4), 100.0)
        >>> patchwork = torch.cat([dark[..., :2], light[..., :2]], -1)  # a step that no source has
        >>> excess_gradient([dark, light], patchwork, distance=1).item() > 0
        True
        >>> excess_gradient([dark, light], (dark + light) / 2, distance=1).item()
        0.0
    """
    if min(fused.shape[-2:]) < 2 * distance:
        return fused.new_full(fused.shape[:1], torch.nan)
    magnitudes = _magnitudes(torch.stack([*sources, fused], 1), distance, least)
    strongest = magnitudes[:, :-1].amax(1, keepdim=True)
    around = functional.max_pool2d(strongest, 2 * radius + 1, stride=1, padding=radius)[:, 0]
    return (magnitudes[:, -1] - around).clamp(min=0).mean((1, 2))


def _magnitudes(images: Tensor, distance: int, least: float) -> Tensor:
    """|∇| of each channel: (B, C, H, W) → (B, C, H − 2 distance + 1, W − 2 distance + 1)."""
    means = functional.avg_pool2d(images, distance, stride=1)
    columns = means[..., :-distance, distance:] - means[..., :-distance, :-distance]
    rows = means[..., distance:, :-distance] - means[..., :-distance, :-distance]
    return (columns.square() + rows.square() + least**2).sqrt()


def _exg(scene: Scene, distances: Sequence[int] = SCALES) -> Tensor:
    of_distances = [excess_gradient(scene.sources, scene.fused, distance) for distance in distances]
    return torch.stack(of_distances).mean(0)


METRICS: tuple[Metric, ...] = (
    Metric(
        name="EXG",
        title="excess gradient",
        measure=_exg,
        better="lower",
        text="in grey levels; the mean over distances of 1, 4, 8 and 16 pixels; NaN below 32 pixels",
        source="this project",
        conventions={
            f"{distance}px": Convention(partial(_exg, distances=(distance,)), f"at a distance of {distance} pixels")
            for distance in SCALES
        },
    ),
)
"""The metrics of this family."""
