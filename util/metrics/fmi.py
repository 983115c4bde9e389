"""Feature mutual information of Haghighat, Aghagolzadeh and Seyedarabi (2011); fast version: Haghighat, Razian (2014).

Every 3 x 3 window of a feature map becomes a distribution over its nine positions. The joint distribution of a source's
and the fused image's window is unknown; it is interpolated between independence and the extreme that the marginals
allow (Fréchet's bound), such that it has the correlation of the two windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor

from util.metrics.metric import Convention, Metric
from util.metrics.scene import Scene

SIDE = 3
POSITIONS = SIDE**2
_WINDOWS_TOGETHER = {"cpu": 1 << 13}
"""How many windows are measured together, by type of device; on a CPU their 9 numbers each fit into its cache."""
_WINDOWS_TOGETHER_ELSEWHERE = 1 << 20
_TINY = 1e-300
"""Makes 0 log 0 a 0 and changes no other logarithm."""

Feature = Callable[[Tensor], Tensor]
"""Image (B, H, W) → features of the same shape."""


def pixels(image: Tensor) -> Tensor:
    """The levels themselves, (B, H, W)."""
    return image


def gradient(image: Tensor) -> Tensor:
    """Central differences towards larger columns, one-sided at the borders: (B, H, W) → the same shape."""
    return torch.gradient(image, dim=-1)[0]


def dct(image: Tensor) -> Tensor:
    """The orthonormal discrete cosine transform (type 2) of the whole image: (B, H, W) → the same shape.

    Example:
        >>> dct(torch.ones(1, 4, 4))[0, 0]  # all energy of a constant is in the first coefficient
        tensor([4., 0., 0., 0.])
    """
    # The mean is handled separately, so that all other coefficients of a constant image are exactly 0.
    mean = image.mean((1, 2))
    cosines = _dct_along(_dct_along(image - mean[:, None, None], -1), -2)
    cosines[:, 0, 0] = mean * math.sqrt(image[0].numel())
    return cosines


def _dct_along(values: Tensor, dim: int) -> Tensor:
    values = values.transpose(dim, -1)
    size = values.shape[-1]
    waves = torch.arange(size, dtype=values.dtype, device=values.device)
    # The mirrored signal is even about size - 1/2, so its spectrum is real after a phase shift of half a step.
    spectrum = torch.fft.rfft(torch.cat([values, values.flip(-1)], -1))[..., :size]
    cosines = (spectrum * torch.exp(-0.5j * math.pi * waves / size)).real / math.sqrt(2 * size)
    cosines[..., 0] /= math.sqrt(2)
    return cosines.transpose(dim, -1)


def _windows(features: Tensor) -> Tensor:
    """All full windows of (B, h, W), read column by column: (9, B (h-2) (W-2))."""
    height, width = (side - SIDE + 1 for side in features.shape[1:])
    cells = product(range(SIDE), repeat=2)
    return torch.stack([features[:, i : i + height, j : j + width] for j, i in cells]).flatten(1)


@dataclass(frozen=True)
class _Distributions:
    """Windows as distributions over their positions 1 to 9.

    Attributes:
        scaled: (9, n), stretched to [0, 1]; ones where the window is flat.
        flat: (n,), whether all its values are equal.
        p: (9, n) of sum 1.
        centred: p less its mean 1/9; exactly 0 where flat.
        entropy: (n,) in nats.
        ratio: (n,), the standard deviation of the position under p over the norm of `centred`; 0 where flat.
    """

    scaled: Tensor
    flat: Tensor
    p: Tensor
    centred: Tensor
    entropy: Tensor
    ratio: Tensor


def _distributions(windows: Tensor) -> _Distributions:
    low, high = windows.amin(0), windows.amax(0)
    flat = high == low
    scaled = (windows - low).div_(high - low + flat).add_(flat)
    p = scaled / scaled.sum(0)
    centred = p - 1 / POSITIONS
    position = torch.arange(1, POSITIONS + 1, dtype=p.dtype, device=p.device)[:, None]
    deviation = (p * (position - (p * position).sum(0)).square_()).sum(0).sqrt_()
    ratio = deviation / (centred.square().sum(0).sqrt_() + flat)
    return _Distributions(scaled, flat, p, centred, _entropy_terms(p).sum(0), ratio.mul_(~flat))


def _entropy_terms(p: Tensor) -> Tensor:
    """-p log |p|."""
    return p.abs().add_(_TINY).log_().mul_(p).neg_()


def _information(x: _Distributions, f: _Distributions, flat_are_alike: bool) -> Tensor:
    """Twice the mutual information of pairs of windows over the sum of their entropies: (n,).

    The joint distribution is J = t dD + (1 - t) p q. D is the bound of the joint cumulative distribution, min(P, Q)
    where p and q correlate positively, else max(P + Q - 1, 0); t is the correlation times the standard deviations of
    the positions over the bound's covariance, the sum of D - P Q, so that J has that covariance.

    Args:
        x: windows of a source.
        f: windows of the fused image.
        flat_are_alike: the correlation of two flat windows is 1 instead of 0.
    """
    covariance = (x.centred * f.centred).sum(0)
    # With the positions of one window reversed the lower bound is the upper one: one case is enough.
    p, q = f.p, torch.where(covariance < 0, x.p.flip(0), x.p)
    below_p, below_q = (torch.cat([torch.zeros_like(r[:1]), r.cumsum(0)]) for r in (p, q))
    above_p, above_q = below_p[1:], below_q[1:]

    bound = -above_p.sum(0) * above_q.sum(0)
    for k in range(POSITIONS):
        bound += torch.minimum(above_p[k], above_q).sum(0)
    target = covariance.abs_().mul_(x.ratio).mul_(f.ratio)
    t = torch.where((target > 0) & (bound > 0), target / bound, 0)
    if flat_are_alike:
        t += x.flat & f.flat

    entropy = torch.zeros_like(t)
    rest = p * (1 - t)
    for k in range(POSITIONS):
        overlap = torch.minimum(above_p[k], above_q).sub_(torch.maximum(below_p[k], below_q[:-1])).clamp_(min=0)
        joint = overlap.mul_(t).addcmul_(rest[k], q)
        entropy += _entropy_terms(joint).sum(0)
    marginal = x.entropy + f.entropy
    return torch.where(t == 0, 0, 2 * (marginal - entropy) / marginal)


def _scores(sources: list[Tensor], fused: Tensor, published: bool) -> Tensor:
    """The sum over the sources of the scores of all windows: (n,)."""
    f = _distributions(fused)
    total = torch.zeros_like(fused[0])
    compared = fused
    for windows in sources:
        identical = (windows == compared).all(0)
        total += _information(_distributions(windows), f, published).masked_fill_(identical, 1)
        if published:
            compared = torch.where(identical, compared, f.scaled)
    return total


def fmi(scene: Scene, feature: Feature = gradient, published: bool = False) -> Tensor:
    """Feature mutual information: the mean over the windows and the sources.

    A window scores 2 I / (E(p) + E(q)) of its distributions in the source and in the fused image, and 1 where the two
    are identical before they are stretched.

    Args:
        scene: the images.
        feature: computes the feature map.
        published: as in the published code: two flat windows correlate perfectly instead of not at all, and after the
            first source whose window differs, windows are tested for identity with the stretched fused one.

    Returns:
        (B,); NaN where a side is below 3 pixels.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> fmi(Scene([image, image], image)).item()
        1.0
    """
    batch, height, width = scene.fused.shape
    if min(height, width) < SIDE:
        return scene.same(torch.nan)
    maps = [feature(image) for image in scene.images]
    together = _WINDOWS_TOGETHER.get(scene.fused.device.type, _WINDOWS_TOGETHER_ELSEWHERE)
    rows = max(1, together // (batch * width))
    total = scene.same(0)
    for top in range(0, height - SIDE + 1, rows):
        *sources, fused = (_windows(features[:, top : top + rows + SIDE - 1]) for features in maps)
        total += _scores(sources, fused, published).view(batch, -1).sum(1)
    return total / ((height - SIDE + 1) * (width - SIDE + 1) * len(scene.sources))


_QUIRKS = "with the published quirks (flat windows, test of identity)"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="FMI",
        title="feature mutual information",
        measure=fmi,
        better="higher",
        text="horizontal gradients, windows of 3 x 3, sources treated alike",
        source="Haghighat, Aghagolzadeh, Seyedarabi, Comput. Electr. Eng. 37, 2011; Haghighat, Razian, AICT, 2014",
        conventions={
            "pixels": Convention(partial(fmi, feature=pixels), "the features are the levels"),
            "dct": Convention(partial(fmi, feature=dct), "the features are the cosine transform of the whole image"),
            "published": Convention(partial(fmi, published=True), f"{_QUIRKS}: Tang's scripts"),
            "pixels_published": Convention(
                partial(fmi, feature=pixels, published=True), f"the levels, {_QUIRKS}: Tang's scripts"
            ),
            "dct_published": Convention(
                partial(fmi, feature=dct, published=True), f"the cosine transform, {_QUIRKS}: Tang's scripts"
            ),
        },
    ),
)
