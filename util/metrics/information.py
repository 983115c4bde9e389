"""Information shared by the sources and the fused image, from histograms; each function names its paper and formula.

Many definitions use the histograms of the images stretched to the full range, N(X). Stretching is one-to-one on levels,
so it changes no entropy and no mutual information: it matters only where marginals are exchanged. But a constant image
other than black cannot be stretched: the metric is then undefined, NaN.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from util.metrics.histograms import entropy, extremes, histogram, joint_histogram, stretch
from util.metrics.metric import Convention, Metric
from util.metrics.scene import FUSED, LEVELS, Scene

QTE_ORDER = 0.43137
TE_ORDER = 1.85


def _entropy(scene: Scene, index: int) -> Tensor:
    return entropy(scene.once(histogram, index))


def _information(scene: Scene, first: int, second: int, merged: bool = False) -> Tensor:
    """Mutual information of two images, the sum of h(k,l) log2(h(k,l) / (p(k) r(l))), in bits: (B,)."""
    h = scene.once(joint_histogram, first, second)
    p, r = scene.once(histogram, first), scene.once(histogram, second)
    if merged:
        h, p, r = _merge_last(_merge_last(h, 1), 2), _merge_last(p, 1), _merge_last(r, 1)
    # Unlike E(X) + E(Y) - E(X,Y), exactly 0 with a constant image.
    ratio = torch.where(h > 0, h / (p[:, :, None] * r[:, None, :]), 1)
    return (h * ratio.log2_()).flatten(1).sum(1)


def _merge_last(shares: Tensor, dim: int) -> Tensor:
    """Counts level 255 as 254, along a dimension of 256 levels."""
    kept, last = shares.split([LEVELS - 2, 2], dim)
    both = last.sum(dim, keepdim=True)
    return torch.cat([kept, both, torch.zeros_like(both)], dim)


def _with_sources(scene: Scene) -> Tensor:
    """The mutual information of the fused image with every source: (N, B)."""
    return scene.each_source(lambda source: scene.once(_information, source, FUSED))


def _entropies(scene: Scene) -> Tensor:
    """Of all images, the fused one last: (N + 1, B)."""
    return torch.stack([scene.once(_entropy, index) for index in scene.indices])


def _where_stretchable(scene: Scene, value: Tensor) -> Tensor:
    """Returns (B,) with NaN for scenes with a constant image other than black."""
    for index in scene.indices:
        flat = (scene.once(histogram, index)[:, 1:] == 1).any(1)
        value = value.masked_fill(flat, torch.nan)
    return value


def mi(scene: Scene, base: float = 2) -> Tensor:
    """Mutual information (Qu, Zhang, Yan, 2002): the sum over the sources of I(X;F), in units of log(`base`).

    Returns:
        (B,), 0 or more.

    Example:
        >>> image = torch.tensor([0, 255]).repeat(4, 2)[None, None]  # (1, 1, 4, 4) with an entropy of 1 bit
        >>> mi(Scene([image, image], image)).item()
        2.0
    """
    return scene.once(_with_sources).sum(0) / math.log2(base)


def _mi_merged(scene: Scene) -> Tensor:
    """Levels 254 and 255 are one."""
    return scene.each_source(lambda source: _information(scene, source, FUSED, merged=True)).sum(0)


def _mi_overflow(scene: Scene) -> Tensor:
    """Levels 254 and 255 are one in the joint histogram alone, as where sums of bytes saturate at 255."""

    def overflow(source: int) -> Tensor:
        joint = scene.once(joint_histogram, source, FUSED)
        return entropy(joint) - entropy(_merge_last(_merge_last(joint, 1), 2))

    return mi(scene) + scene.each_source(overflow).sum(0)


def qmi(scene: Scene) -> Tensor:
    """Normalised mutual information (Hossny, Nahavandi, Creighton, 2008): the sum of 2 I(X;F) / (E(X) + E(F)).

    Returns:
        (B,) in [0, N]; NaN where an image is constant other than black, or source and fused image are both black.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> round(qmi(Scene([image, image], image)).item(), 9)
        2.0
    """
    entropies = scene.once(_entropies)
    ratios = scene.once(_with_sources) / (entropies[:-1] + entropies[-1])
    return _where_stretchable(scene, 2 * ratios.sum(0))


def _stretched_levels(scene: Scene, index: int) -> Tensor:
    """The 256 levels after stretching: (B, 256) in int64; meaningless for levels that the image does not have."""
    low, high = (extreme.flatten(1) for extreme in extremes(scene.images[index]))
    levels = torch.arange(LEVELS, dtype=low.dtype, device=low.device)
    return stretch(levels, low, high).nan_to_num(0).clamp(0, LEVELS - 1).long()


def _tsallis(scene: Scene, first: int, second: int, order: float, exchanged: bool) -> Tensor:
    """Tsallis mutual information of order q of two stretched images: (B,).

    T_q = (1 - sum h(k,l)^q (p(k) r(l))^(1-q)) / (1 - q) over cells with p(k) r(l) > 0, where h is the joint histogram
    and p, r are its marginals; exchanged, p(k) is the second image's share of level k and r(l) the first one's of l.
    """
    powers = scene.once(joint_histogram, first, second) ** order
    p, r = scene.once(histogram, first), scene.once(histogram, second)
    if exchanged:
        to_first, to_second = scene.once(_stretched_levels, first), scene.once(_stretched_levels, second)
        stretched_p = torch.zeros_like(p).scatter_add_(1, to_first, p)
        stretched_r = torch.zeros_like(r).scatter_add_(1, to_second, r)
        p, r = stretched_r.gather(1, to_first), stretched_p.gather(1, to_second)
    p, r = (torch.where(shares > 0, shares ** (1 - order), 0) for shares in (p, r))
    return (1 - torch.einsum("bkl,bk,bl->b", powers, p, r)) / (1 - order)


def qte(scene: Scene, exchanged: bool = True) -> Tensor:
    """Tsallis mutual information of order 0.43137, normalised (Cvejic, Canagarajah, Bull, 2006; Nava et al., 2007).

    (T_q(A,F) + T_q(B,F)) / (E(A)^q + E(B)^q + T_q(A,B)) of stretched images. With N sources the sums run over all of
    them, and T_q(A,B) becomes N/2 times the mean over their pairs, so that numerator and denominator grow alike.

    Args:
        scene: the images.
        exchanged: the marginals of each joint histogram are exchanged, a programming error of the published code.

    Returns:
        (B,); NaN where an image is constant other than black.
    """
    count = len(scene.sources)
    entropies = scene.once(_entropies)[:-1] ** QTE_ORDER
    pairs = [_tsallis(scene, x, y, QTE_ORDER, exchanged) for x, y in combinations(range(count), 2)]
    between = torch.stack(pairs).mean(0) * count / 2
    with_fused = scene.each_source(lambda source: _tsallis(scene, source, FUSED, QTE_ORDER, exchanged)).sum(0)
    return _where_stretchable(scene, with_fused / (entropies.sum(0) + between))


def te(scene: Scene, exchanged: bool = True) -> Tensor:
    """Tsallis mutual information of order 1.85, the sum over the sources (Cvejic, Canagarajah, Bull, 2006).

    Images are stretched; `exchanged` as in `qte`.

    Returns:
        (B,); NaN where an image is constant other than black.
    """
    total = scene.each_source(lambda source: _tsallis(scene, source, FUSED, TE_ORDER, exchanged)).sum(0)
    return _where_stretchable(scene, total)


def qncie(scene: Scene) -> Tensor:
    """Non-linear correlation information entropy (Wang, Shen, Jin, 2008).

    1 + sum (e/M) log256(e/M) over the eigenvalues e of the M x M matrix of mutual information in base 256 between all
    M = N + 1 images, with ones on its diagonal. With many sources an eigenvalue may be negative; it counts as 0.

    Returns:
        (B,) in [0, 1], of two sources from 0.802; NaN where an image is constant other than black.
    """
    count = len(scene.images)
    matrix = torch.eye(count, dtype=torch.float64, device=scene.fused.device).repeat(len(scene.fused), 1, 1)
    for x, y in combinations(scene.indices, 2):
        matrix[:, x, y] = matrix[:, y, x] = scene.once(_information, x, y) / math.log2(LEVELS)
    shares = torch.linalg.eigvalsh(matrix).clamp(min=0) / count
    return _where_stretchable(scene, 1 - entropy(shares) / math.log2(LEVELS))


def ce(scene: Scene) -> Tensor:
    """Cross entropy (Bulanon et al., 2009): the mean over the sources of sum h_X log2(h_X / h_F).

    Levels that the fused image lacks are left out, so it may be negative and is no divergence.

    Returns:
        (B,); 0 where the histograms are equal.
    """
    fused = scene.once(histogram, FUSED)

    def divergence(source: int) -> Tensor:
        shares = scene.once(histogram, source)
        return torch.where((shares > 0) & (fused > 0), shares * torch.log2(shares / fused), 0).sum(1)

    return scene.each_source(divergence).mean(0)


_CORRECTED = "with each image's own histogram, as the paper has it"
_EXCHANGED = (
    "the published code takes each image's histogram for the other's, which changes the value completely; "
    "{}@corrected is sound"
)

METRICS: tuple[Metric, ...] = (
    Metric(
        name="MI",
        title="mutual information",
        measure=mi,
        better="higher",
        text="in bits, 256 levels, sum over the sources",
        source="Qu, Zhang, Yan, Electron. Lett. 38, 2002",
        conventions={
            # VIFB stretches the images to the full range first: other levels, the same information.
            "nats": Convention(partial(mi, base=math.e), "in nats: CDDFuse, VIFB"),
            "overflow": Convention(
                _mi_overflow, "levels 254 and 255 are one in the joint histogram alone: Tang's scripts on bytes"
            ),
            "merged": Convention(_mi_merged, "levels 254 and 255 are one in all histograms: thfylsty"),
        },
    ),
    Metric(
        name="QMI",
        title="normalised mutual information",
        measure=qmi,
        better="higher",
        text="sum over the sources of 2 I / (E + E)",
        source="Hossny, Nahavandi, Creighton, Electron. Lett. 44, 2008",
    ),
    Metric(
        name="QTE",
        title="normalised Tsallis mutual information",
        measure=qte,
        better="higher",
        text="order 0.43137, as published, with exchanged histograms",
        source="Cvejic, Canagarajah, Bull, Electron. Lett. 42, 2006; Nava et al., SPIE Newsroom, 2007",
        conventions={"corrected": Convention(partial(qte, exchanged=False), _CORRECTED)},
        defective=_EXCHANGED.format("QTE"),
    ),
    Metric(
        name="TE",
        title="Tsallis mutual information",
        measure=te,
        better="higher",
        text="order 1.85, as published, with exchanged histograms",
        source="Cvejic, Canagarajah, Bull, Electron. Lett. 42, 2006",
        conventions={"corrected": Convention(partial(te, exchanged=False), _CORRECTED)},
        defective=_EXCHANGED.format("TE"),
    ),
    Metric(
        name="QNCIE",
        title="non-linear correlation information entropy",
        measure=qncie,
        better="higher",
        text="mutual information in base 256",
        source="Wang, Shen, Jin, in: Image Fusion: Algorithms and Applications, 2008",
    ),
    Metric(
        name="CE",
        title="cross entropy",
        measure=ce,
        better="lower",
        text="mean over the sources; levels that the fused image lacks are left out",
        source="Bulanon et al., Biosyst. Eng. 103, 2009",
    ),
)
