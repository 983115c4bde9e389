"""Statistics of the fused image alone, for any number of sources; each function names its paper and formula."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from util.metrics.histograms import entropy, histogram
from util.metrics.metric import Convention, Metric
from util.metrics.scene import FUSED, Scene
from util.metrics.windows import Border, magnitude, sobel


def en(scene: Scene) -> Tensor:
    """Entropy of the histogram of 256 levels, in bits (Roberts, van Aardt, Ahmed, 2008): (B,) in [0, 8].

    Example:
        >>> image = torch.arange(256).view(1, 1, 16, 16)  # every level once
        >>> en(Scene([image, image], image)).item()
        8.0
    """
    return entropy(histogram(scene, FUSED))


def sd(scene: Scene) -> Tensor:
    """Population standard deviation of the levels (Rao, 1997): (B,) in [0, 127.5].

    Example:
        >>> image = torch.tensor([0, 255]).repeat(4, 2)[None, None]  # (1, 1, 4, 4), half black, half white
        >>> sd(Scene([image, image], image)).item()
        127.5
    """
    return scene.fused.flatten(1).std(1, correction=0)


def sf(scene: Scene, over_pixels: bool = False) -> Tensor:
    """Spatial frequency: the root of the mean squares of both first differences, added (Eskicioglu, Fisher, 1995).

    `over_pixels` divides both sums by the number of pixels instead of the number of differences.

    Returns:
        (B,), 0 or more; NaN where a side has one pixel and so no difference (with `over_pixels` that side adds 0).
    """
    total = scene.same(0)
    for dim in (-1, -2):
        squares = scene.fused.diff(dim=dim).square_().flatten(1)
        total += squares.sum(1) / scene.fused[0].numel() if over_pixels else squares.mean(1)
    return total.sqrt()


def _central(scene: Scene) -> Tensor:
    """The mean length of the gradient of central differences, one-sided at the borders: (B,)."""
    if min(scene.fused.shape[1:]) < 2:
        return scene.same(torch.nan)
    along_columns, along_rows = (torch.gradient(scene.fused, dim=dim)[0] for dim in (-1, -2))
    return magnitude(along_columns, along_rows).mean((1, 2))


def ag(scene: Scene) -> Tensor:
    """Average gradient, the mean of sqrt((dx² + dy²) / 2) of central differences (Cui et al., 2015).

    Returns:
        (B,), 0 or more; NaN where a side has one pixel and so no derivative.
    """
    return scene.once(_central) / 2**0.5


def _ag_over_inner(scene: Scene) -> Tensor:
    return ag(scene) * scene.fused[0].numel() / scene.fused[0, 1:, 1:].numel()


def _ag_without_half(scene: Scene) -> Tensor:
    return scene.once(_central)


def _ag_forward(scene: Scene, over_pixels: bool = False) -> Tensor:
    """The differences to the right and downwards of all pixels that have both."""
    corner = scene.fused[:, :-1, :-1]
    right, down = scene.fused[:, :-1, 1:] - corner, scene.fused[:, 1:, :-1] - corner
    mean = magnitude(right, down).mean((1, 2)) / 2**0.5
    return mean * (corner[0].numel() / scene.fused[0].numel()) if over_pixels else mean


def ei(scene: Scene, border: Border = "replicate") -> Tensor:
    """Edge intensity, the mean magnitude of Sobel's gradient (Rajalingam, Priya, 2018): (B,), 0 or more."""
    return magnitude(*sobel(scene.fused, border)).mean((1, 2))


METRICS: tuple[Metric, ...] = (
    Metric(
        name="EN",
        title="entropy",
        measure=en,
        better="higher",
        text="256 levels, in bits",
        source="Roberts, van Aardt, Ahmed, J. Appl. Remote Sens. 2, 2008",
    ),
    Metric(
        name="SD",
        title="standard deviation",
        measure=sd,
        better="higher",
        text="of the population",
        source="Rao, Meas. Sci. Technol. 8, 1997",
    ),
    Metric(
        name="SF",
        title="spatial frequency",
        measure=sf,
        better="higher",
        text="mean over the existing differences",
        source="Eskicioglu, Fisher, IEEE Trans. Commun. 43, 1995",
        conventions={
            "over_pixels": Convention(
                partial(sf, over_pixels=True), "both sums divided by the number of pixels: VIFB, MEFB"
            ),
        },
    ),
    Metric(
        name="AG",
        title="average gradient",
        measure=ag,
        better="higher",
        text="central differences, half the sum of squares under the root, mean over all pixels",
        source="Cui et al., Opt. Commun. 341, 2015",
        conventions={
            "over_inner": Convention(_ag_over_inner, "the sum divided by (H-1)(W-1): VIFB, MEFB, Tang's scripts"),
            "without_half": Convention(_ag_without_half, "the sum of squares is not halved: SMFNet"),
            "forward": Convention(
                _ag_forward, "forward differences of the pixels that have both: thfylsty, Definition"
            ),
            "forward_over_pixels": Convention(
                partial(_ag_forward, over_pixels=True),
                "forward differences, the sum divided by H W: thfylsty, AverageGradient",
            ),
        },
    ),
    Metric(
        name="EI",
        title="edge intensity",
        measure=ei,
        better="higher",
        text="Sobel, the border replicated",
        source="Rajalingam, Priya, IJESI, 2018",
        conventions={"zero_border": Convention(partial(ei, border="zero"), "zeros outside: IVIF_ZOO")},
    ),
)
