"""GSGIF-GAN's training data: one photograph, whose information is distributed over the sources by its saliency.

The paper, of which only the abstract is known to us, says this much: a self-supervised training set is built by a
saliency-driven distribution of the image's information over the input sources, and the image itself is the target.
Everything else here is ours: distributing by soft bands of saliency (`draw_masks`), what becomes of the information
that a source is not given (`DEGRADATIONS`, `degrade`), and grey samples (`distribute`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

MASK_SMOOTHING = (0.01, 0.06)  # sigma of the saliency in shorter sides, so that bands are parts of a scene, not specks
FURTHER_BAND_SHARE = 0.25  # of the samples: one band more than sources; the bands between are contours
EDGE_JITTER = 0.35  # of an edge between bands, in widths of a band
SOFTNESS = (0.05, 0.4)  # over which share of the pixels a mask fades out beside its band
GREY_SHARE = 1 / 3  # of the samples: grey sources and a grey target, as infrared or CT beside visible or MR luma
ALIKE_SHARE = 0.5  # of the samples: all sources lose the same kinds of information, as near + far or short + long
SECOND_SHARE = 0.3  # of the choices: two kinds of degradation, one after the other

DEFOCUS_SIGMA = (1.5, 6.0)  # pixels
DIMMING = (0.2, 0.6)  # gain
BRIGHTENING = (1.4, 2.4)  # gain; what leaves the range is lost
CONTRAST = (0.2, 0.6)  # what is left of it
LOCAL_MEAN_SIGMA = (4.0, 16.0)  # pixels
NOISE_SIGMA = (5.0, 30.0)  # levels
REMAP_KNOTS = 5  # of a curve from luma to another modality's grey levels
REMAP_RANGE = (0.4, 0.8)  # of the grey levels that it uses: less than the photograph, so that it holds less

_MIDDLE = 127.5  # of the grey levels
_RANK_LEVELS = 2**16
_LEAST_SPREAD = 1e-3  # of smoothed saliency: below it there is no order, but rounding
_COARSE_SIDE = 128  # pixels: larger maps are smoothed at this size, which is as smooth and takes no time
_Array = npt.NDArray[np.float32]
_Degradation = Callable[[_Array, np.random.Generator], _Array]


class Distribution(NamedTuple):
    """A photograph distributed over sources.

    Attributes:
        sources: N images, `uint8` (H, W, 3).
        target: the photograph, or its luma in three equal channels, `uint8` (H, W, 3).
        masks: `float32` (N, H, W) in [0, 1]; where mask i is 1, source i equals the target.
    """

    sources: list[npt.NDArray[np.uint8]]
    target: npt.NDArray[np.uint8]
    masks: _Array


def distribute(
    photo: npt.NDArray[np.uint8], saliency: _Array, rng: np.random.Generator, *, num_sources: int = 2
) -> Distribution:
    """Distributes a photograph over sources: source_i = M_i · I + (1 − M_i) · degrade_i(I).

    That the photograph I is the target, and its saliency decides, is the paper's. Ours are the masks M_i, of which one
    is 1 at every pixel, and the degradations. Because nothing but what lies outside of M_i is degraded, or remapped as
    another modality would show it, all of the target is found in the sources, and it alone is the right answer. Where a
    whole source would be grey (infrared, CT), the target is, too: `GREY_SHARE`.

    Args:
        photo: `uint8` (H, W, 3) RGB.
        saliency: `float32` (H, W) in [0, 1], of this photograph.
        rng: the random number generator.
        num_sources: how many sources to make.
    """
    masks = draw_masks(saliency, num_sources, rng)
    target = _grey(photo) if rng.random() < GREY_SHARE else photo
    image = target.astype(np.float32)
    alike = rng.random() < ALIKE_SHARE
    kinds = [_draw_kinds(rng)] * num_sources if alike else [_draw_kinds(rng) for _ in range(num_sources)]
    sources = []
    for mask, chosen in zip(masks[..., None], kinds, strict=True):
        mixed = mask * image + (1 - mask) * degrade(image, chosen, rng)
        sources.append(np.rint(mixed).astype(np.uint8))
    return Distribution(sources, target, masks)


def draw_masks(saliency: _Array, num_sources: int, rng: np.random.Generator) -> _Array:
    """Draws soft masks from quantile bands of the saliency.

    The bands are cut at random quantiles, every one large enough to matter, and dealt out at random, at least one to
    each source. A mask is 1 within its bands and fades out beside them, linearly in the share of pixels: neighbours
    overlap, and every pixel has a mask of 1.

    Args:
        saliency: `float32` (H, W); only the order of its values counts.
        num_sources: how many masks.
        rng: the random number generator.

    Returns:
        `float32` (num_sources, H, W) in [0, 1]. Where the saliency is the same everywhere, which says nothing, smooth
        noise takes its place: else all sources would be the target, and nothing would be left to fuse.
    """
    sigma = rng.uniform(*MASK_SMOOTHING)
    smooth = _smooth(saliency, sigma)
    if np.ptp(smooth) < _LEAST_SPREAD:
        smooth = _smooth(rng.random(saliency.shape, np.float32), sigma)
    share = _rank(smooth)
    num_bands = num_sources + int(rng.random() < FURTHER_BAND_SHARE)
    jitter = rng.uniform(-EDGE_JITTER, EDGE_JITTER, num_bands - 1)
    cuts = share.min() + np.ptp(share) * (np.arange(1, num_bands) + jitter) / num_bands
    edges = np.concatenate([[-np.inf], cuts, [np.inf]]).astype(np.float32)
    softness = np.float32(rng.uniform(*SOFTNESS))
    owners = np.concatenate([np.arange(num_sources), rng.integers(num_sources, size=num_bands - num_sources)])
    masks = np.zeros((num_sources, *saliency.shape), np.float32)
    for owner, (low, high) in zip(rng.permutation(owners), itertools.pairwise(edges), strict=True):
        band = np.clip(1 + np.minimum(share - low, high - share) / softness, 0, 1)
        np.maximum(masks[owner], band, out=masks[owner])
    return masks


def degrade(image: _Array, kinds: Sequence[str], rng: np.random.Generator) -> _Array:
    """Takes information from an image (H, W, 3) in [0, 255], by `kinds` out of `DEGRADATIONS` in their order."""
    for kind in kinds:
        image = np.clip(DEGRADATIONS[kind](image, rng), 0, 255)
    return image


def defocus(image: _Array, rng: np.random.Generator) -> _Array:
    """Gaussian blur."""
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(*DEFOCUS_SIGMA)).astype(np.float32, copy=False)


def local_mean_removal(image: _Array, rng: np.random.Generator) -> _Array:
    """What defocus would take away, about a middle grey: edges without the levels between them."""
    return image - cv2.GaussianBlur(image, (0, 0), rng.uniform(*LOCAL_MEAN_SIGMA)) + np.float32(_MIDDLE)


def remap(image: _Array, rng: np.random.Generator) -> _Array:
    """Another modality: the luma through a random curve that need not rise, as heat or tissue know no light."""
    width = 255 * rng.uniform(*REMAP_RANGE)
    curve = rng.uniform(0, 255 - width) + width * rng.random(REMAP_KNOTS)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = np.interp(luma, np.linspace(0, 255, REMAP_KNOTS), curve)
    return np.repeat(grey[..., None].astype(np.float32), 3, axis=2)


def contrast_loss(image: _Array, rng: np.random.Generator) -> _Array:
    """Levels drawn towards their mean."""
    mean = image.mean()
    return mean + np.float32(rng.uniform(*CONTRAST)) * (image - mean)


def dimming(image: _Array, rng: np.random.Generator) -> _Array:
    """Too short an exposure."""
    return image * np.float32(rng.uniform(*DIMMING))


def brightening(image: _Array, rng: np.random.Generator) -> _Array:
    """Too long an exposure."""
    return image * np.float32(rng.uniform(*BRIGHTENING))


def noise(image: _Array, rng: np.random.Generator) -> _Array:
    """Gaussian noise, the same in all channels, so that grey stays grey."""
    sigma = np.float32(rng.uniform(*NOISE_SIGMA))
    return image + sigma * rng.standard_normal((*image.shape[:2], 1), np.float32)


# In the order of a camera: optics, scene, sensor. Noise last: a blur would take it away again.
DEGRADATIONS: Mapping[str, _Degradation] = MappingProxyType(
    {
        "defocus": defocus,
        "local_mean_removal": local_mean_removal,
        "remap": remap,
        "contrast_loss": contrast_loss,
        "dimming": dimming,
        "brightening": brightening,
        "noise": noise,
    }
)


def _draw_kinds(rng: np.random.Generator) -> list[str]:
    """One or two kinds of degradation, in the order of `DEGRADATIONS`."""
    count = 2 if rng.random() < SECOND_SHARE else 1
    names = list(DEGRADATIONS)
    return [names[place] for place in sorted(rng.choice(len(names), count, replace=False))]


def _smooth(values: _Array, sigma: float) -> _Array:
    """Gaussian blur of (H, W); sigma in shorter sides."""
    height, width = values.shape
    scale = min(1.0, _COARSE_SIDE / min(height, width))
    small = cv2.resize(values, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma * min(small.shape))
    return cv2.resize(small, (width, height)).astype(np.float32, copy=False)


def _rank(values: _Array) -> _Array:
    """Returns for each value which share of all values is smaller, equal ones counted half: (H, W) in [0, 1]."""
    low, high = float(values.min()), float(values.max())
    levels = ((values - low) * ((_RANK_LEVELS - 1) / max(high - low, 1e-12))).astype(np.intp)
    counts = np.bincount(levels.ravel(), minlength=_RANK_LEVELS)
    return ((np.cumsum(counts) - counts / 2) / values.size).astype(np.float32)[levels]


def _grey(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The luma in three equal channels; OpenCV's, in whole levels, as a grey image on disk has them."""
    return np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
