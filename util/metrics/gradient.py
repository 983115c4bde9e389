"""The preservation of the sources' gradients in the fused image: Qabf, QG, Nabf, QSF."""

from __future__ import annotations

from functools import partial
from math import pi, sqrt

import torch
from torch import Tensor

from util.metrics.metric import Convention, Metric
from util.metrics.scene import FUSED, Scene
from util.metrics.windows import Border, magnitude, sobel

_NOTHING = 1e-5
"""Replaces zero gradients in QG, which divides by them."""


def _gradient(scene: Scene, index: int, border: Border) -> tuple[Tensor, Tensor, Tensor]:
    """Sobel's derivatives of `scene.images[index]` towards columns and rows, and their magnitude."""
    gx, gy = sobel(scene.images[index], border)
    return gx, gy, magnitude(gx, gy)


def _direction(scene: Scene, index: int) -> Tensor:
    """The direction atan(gy / gx) of `_gradient` with a border of zeros, with `_NOTHING` for gx = 0."""
    gx, gy, _ = scene.once(_gradient, index, "zero")
    return _angle(gy, gx, _NOTHING)


def _angle(y: Tensor, x: Tensor, nothing: float) -> Tensor:
    """atan(y / x), with `nothing` in place of x = 0; as atan2, which takes half as long."""
    x = x.masked_fill(x == 0, nothing)
    return torch.atan2(y * x.sign(), x.abs())


def _total(values: Tensor) -> Tensor:
    """(B, H, W) → (B,): the sum over the pixels."""
    return values.flatten(1).sum(1)


def _sigmoids(strength: Tensor, angle: Tensor, gains: tuple[float, float], middles: tuple[float, float]) -> Tensor:
    """1 / (1 + exp(-k (r - m))) of the strength, times the same of the angle. Overwrites both."""
    strength.sub_(middles[0]).mul_(gains[0]).sigmoid_()
    angle.sub_(middles[1]).mul_(gains[1]).sigmoid_()
    return strength.mul_(angle)


def _parallel(one: Tensor, other: Tensor) -> Tensor:
    """How parallel two directions modulo pi are: from 0 (at right angles) to 1."""
    return (one - other).abs_().sub_(pi / 2).abs_().mul_(2 / pi)


def qabf(scene: Scene, *, equal_is_one: bool = False) -> Tensor:
    """Gradient preservation Q^AB/F (Xydeas, Petrović, Electron. Lett. 36, 2000).

    The mean of q = 0.9994 / (1 + exp(-15 (r - 0.5))) * 0.9879 / (1 + exp(-22 (d - 0.8))) over the pixels of all
    sources, weighted by the sources' gradients, where r is the ratio of the smaller to the larger strength and
    d = 1 - |difference of angles| / (pi/2). Where the strengths are equal all published code uses the strength itself
    as r instead of 1, so that the value depends slightly on the range of the levels.

    Args:
        scene: N >= 2 sources; numerator and denominator are sums over all of them.
        equal_is_one: r = 1 where the strengths are equal, as in the paper.

    Returns:
        (B,), from 0 to 0.9754; NaN where all sources are zero (the border of zeros gives other constants a gradient).

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> round(qabf(Scene([image, image], image), equal_is_one=True).item(), 4)  # the formula with r = d = 1
        0.9748
    """
    gradients = [scene.once(_gradient, index, "zero") for index in scene.indices]
    # Published as -atan with pi/2 where gx = 0. Only differences count: atan with -pi/2 there is the same.
    angles = [
        scene.once(_direction, index).masked_fill(gx == 0, -pi / 2)
        for index, (gx, _, _) in zip(scene.indices, gradients, strict=True)
    ]
    strengths = [strength for _, _, strength in gradients]
    fused, angle_fused = strengths.pop(), angles.pop()
    kept, weight = scene.same(0), scene.same(0)
    for source, angle in zip(strengths, angles, strict=True):
        ratio = torch.minimum(source, fused).div_(torch.maximum(source, fused))
        ratio = torch.where(source == fused, torch.ones_like(fused) if equal_is_one else fused, ratio)
        alignment = (angle - angle_fused).abs_().mul_(-2 / pi).add_(1)
        quality = _sigmoids(ratio, alignment, (15, 22), (0.5, 0.8))
        kept += 0.9994 * 0.9879 * _total(quality.mul_(source))
        weight += _total(source)
    return kept / weight


def qg(scene: Scene) -> Tensor:
    """Gradient preservation as in Liu's toolbox: the mean over pixels of each pixel's weighted mean.

    q = 1 / (1 + exp(-10 (r - 0.5))) * 1 / (1 + exp(-20 (d - 0.75))) with directions modulo pi, and 1e-5 for a gradient
    of zero. In the fused image's gradient zeros are replaced only after the first source has been compared, so that
    the order of the sources matters slightly where the fused image is flat.

    Returns:
        (B,), from 0 to 0.9867.
    """
    fused, angle_fused = scene.once(_gradient, FUSED, "zero")[2], scene.once(_direction, FUSED)
    kept, weight = torch.zeros_like(fused), torch.zeros_like(fused)
    for index in range(len(scene.sources)):
        strength = scene.once(_gradient, index, "zero")[2]
        stronger = strength > fused
        source = strength.clamp_min(_NOTHING)
        lost = fused / source
        fused = fused.clamp_min(_NOTHING)
        ratio = torch.where(stronger, lost, source / fused)
        alignment = _parallel(scene.once(_direction, index), angle_fused)
        kept.addcmul_(_sigmoids(ratio, alignment, (10, 20), (0.5, 0.75)), source)
        weight.add_(source)
    return (kept / weight).flatten(1).mean(1)


def nabf(scene: Scene, *, weak: float = 0.001, first_as_fused: bool = False) -> Tensor:
    """Fusion artefacts: gradients of the fused image that no source has (Petrović, Xydeas, ICCV, 2005).

    As published by Shreyamsha Kumar (2013): Sobel / 8 with reflection padding, losses 1 - q weighted by g^1.5, counted
    where the fused image's gradient exceeds that of every source.

    Args:
        scene: N >= 2 sources; numerator and denominator are sums over all of them.
        weak: the weight of a source's gradient below 2.
        first_as_fused: scores the first source as if it were fused from the others and the fused image.

    Returns:
        (B,), from 0 to 1; NaN where a side is a single pixel (no reflection), or where all weights are zero.

    Example:
        >>> image, other = torch.randint(256, (2, 1, 1, 16, 16))
        >>> nabf(Scene([image, other], image)).item()  # a copy of a source has no gradients of its own
        0.0
    """
    if min(scene.fused.shape[-2:]) < 2:
        return scene.same(torch.nan)
    order = scene.indices
    scored = order.pop(0 if first_as_fused else -1)
    maps = {index: scene.once(_eighth_gradient, index) for index in (*order, scored)}
    fused, angle_fused = maps[scored]
    added = torch.ones_like(fused)
    lost, weight = torch.zeros_like(fused), scene.same(0)
    for source, angle in (maps[index] for index in order):
        added.mul_(fused > source)
        ratio = torch.minimum(source, fused).div_(torch.maximum(source, fused).clamp_min_(1e-9))
        quality = _sigmoids(ratio, _parallel(angle, angle_fused), (19, 22), (0.5, 0.5))
        loss = quality.mul_(0.9999 * 0.9995).sqrt_().neg_().add_(1)
        importance = (source * source.sqrt()).masked_fill_(source < 2, weak)
        lost.addcmul_(loss, importance)
        weight += _total(importance)
    return _total(lost.mul_(added)) / weight


def _eighth_gradient(scene: Scene, index: int) -> tuple[Tensor, Tensor]:
    """Magnitude and direction of Sobel / 8 with reflection padding; the direction is pi/2 where gy = 0."""
    gx, gy, strength = _gradient(scene, index, "reflect")
    return strength / 8, _angle(gx, gy, 1e-300)


def qsf(scene: Scene) -> Tensor:
    """Relative error of the spatial frequency in four directions (Zheng et al., Inf. Fusion 8, 2007).

    (SF_F - SF_R) / SF_R: the reference SF_R takes at each position and direction the largest difference of any source.
    The sums over the pairs of neighbours are divided by the number of pixels.

    Returns:
        (B,), from -1; below 0 activity was lost, above it was added. NaN or infinite where all sources are constant.

    Example:
        >>> image, black = torch.randint(256, (1, 1, 16, 16)), torch.zeros(1, 1, 16, 16)
        >>> qsf(Scene([image, image], image)).item(), qsf(Scene([image, image], black)).item()
        (0.0, -1.0)
    """
    fused, reference = scene.same(0), scene.same(0)
    for direction, share in ((0, 1.0), (1, 1.0), (2, 1 / sqrt(2)), (3, 1 / sqrt(2))):
        largest = _difference(scene.sources[0], direction).abs_()
        for source in scene.sources[1:]:
            torch.maximum(largest, _difference(source, direction).abs_(), out=largest)
        reference += share * _total(largest.square_())
        fused += share * _total(_difference(scene.fused, direction).square_())
    fused, reference = fused.sqrt(), reference.sqrt()
    return (fused - reference) / reference


def _difference(image: Tensor, direction: int) -> Tensor:
    """A pixel minus its left, upper, upper left or upper right neighbour, for directions 0 to 3."""
    neighbours = (
        (image[..., 1:], image[..., :-1]),
        (image[..., 1:, :], image[..., :-1, :]),
        (image[..., 1:, 1:], image[..., :-1, :-1]),
        (image[..., 1:, :-1], image[..., :-1, 1:]),
    )
    pixel, neighbour = neighbours[direction]
    return pixel - neighbour


METRICS: tuple[Metric, ...] = (
    Metric(
        name="Qabf",
        title="gradient preservation Q^AB/F",
        measure=qabf,
        better="higher",
        text="border of zeros; where strengths are equal their ratio is the strength itself, as in all published code",
        source="Xydeas, Petrović, Electron. Lett. 36, 2000",
        conventions={
            "equal_is_one": Convention(
                partial(qabf, equal_is_one=True), "equal strengths count as fully kept, as the paper has it"
            ),
        },
    ),
    Metric(
        name="QG",
        title="gradient preservation, mean over pixels",
        measure=qg,
        better="higher",
        text="Liu's toolbox: other sigmoids than Qabf, and the mean over pixels of each pixel's weighted mean",
        source="Xydeas, Petrović, Electron. Lett. 36, 2000; Z. Liu's image-fusion toolbox",
    ),
    Metric(
        name="Nabf",
        title="fusion artefacts",
        measure=nabf,
        better="lower",
        text="mirrored border; weight 0.001 where a source's gradient is below 2",
        source="Petrović, Xydeas, ICCV, 2005; Shreyamsha Kumar, Signal Image Video Process. 7, 2013",
        conventions={
            "zero_weight": Convention(
                partial(nabf, weak=0.0), "weight 0 where a source's gradient is below 2, as IVIF_ZOO prints it"
            ),
            "swapped": Convention(
                partial(nabf, first_as_fused=True),
                "the first source scored as if fused from the others and the fused image, as Tang's script calls it",
            ),
        },
    ),
    Metric(
        name="QSF",
        title="relative error of spatial frequency",
        measure=qsf,
        better="zero",
        text="four directions; below 0 activity was lost, above 0 it was added",
        source="Zheng, Essock, Hansen, Haun, Inf. Fusion 8, 2007",
    ),
)
