"""PMF, paired multi-focus data: one photograph and its semantic map become sources that are each sharp somewhere.

`published_pair` is what the public release of R2GAN does, pixel for pixel. `realistic_sources` keeps the paper's idea
(the regions of a semantic map stand in for depth) and replaces how the blur is drawn; everything in it beyond that idea
is ours: nearest-neighbour maps, random split, random strength and kernel, and layered defocus, in which a blurred
foreground bleeds over what is behind it while a sharp foreground keeps a clean edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from data.maps import pack_colors
from options.data import KERNELS, PMFOptions

_FEATHER = 0.7  # sigma of the masks' soft edge, in pixels: about what a lens and a sensor do to a sharp edge
_EPSILON = 1e-3  # share of the plain blur in a fill, so that it is never dark where a layer is far away

_Array = npt.NDArray[np.float32]
_Blur = Callable[[_Array], _Array]


def published_pair(
    photo_bgr: npt.NDArray[np.uint8], map_bgr: npt.NDArray, size: int = 256
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Makes a pair as the public release of R2GAN does.

    Photograph and map are resized bilinearly to a square (which invents classes at the borders of regions). The map's
    distinct colours in lexicographic BGR order are halved: source 1 is blurred where the first half is, source 2 in
    the rest. One blur (35x35, OpenCV's sigma for it, 5.6), hard edges, always the same split.

    Args:
        photo_bgr: (H, W, 3).
        map_bgr: integer (h, w, 3); may have another size.
        size: side of the square in pixels.

    Returns:
        Source 1, source 2, photograph: `uint8` (size, size, 3), BGR.
    """
    photo = cv2.resize(photo_bgr, (size, size)).astype(np.uint8, copy=False)
    labels = cv2.resize(map_bgr, (size, size))
    classes, inverse = np.unique(pack_colors(labels), return_inverse=True)
    first_half = (inverse.reshape(size, size) < len(classes) // 2)[..., None]
    blurred = cv2.GaussianBlur(photo, (35, 35), 0)
    return np.where(first_half, blurred, photo), np.where(first_half, photo, blurred), photo


def realistic_sources(
    photo: npt.NDArray[np.uint8],
    regions: npt.NDArray[np.integer],
    rng: np.random.Generator,
    options: PMFOptions,
    num_sources: int = 2,
) -> list[npt.NDArray[np.uint8]]:
    """Makes sources as a camera would that focuses on one group of regions after the other.

    The target is the photograph itself. The regions are split at random into as many groups as there are sources;
    each group is a layer at its own depth, in random order. Strength and kernel of the defocus are drawn once: the
    standard deviation from the range `sigma` ((5.6, 5.6) with a Gaussian is the published blur), the `kernel` where it
    is random (a disc has the radius 2 sigma, and so the same variance as a Gaussian).

    Args:
        photo: `uint8` (H, W, C); the order of the channels does not matter.
        regions: integer labels (H, W).
        rng: the random number generator.
        options: sigma and kernel.
        num_sources: how many sources to make.

    Returns:
        `num_sources` images, `uint8` (H, W, C); source i is in focus at group i. With fewer regions than sources
        some are out of focus everywhere: a map with a single region leaves one source wholly sharp.
    """
    groups = split_regions(regions, num_sources, rng)
    depth_order = rng.permutation(num_sources)
    sigma, drawn = float(rng.uniform(*options.sigma)), str(rng.choice(KERNELS[1:]))
    kernel = drawn if options.kernel == "random" else options.kernel
    return defocus(photo, groups, depth_order.tolist(), sigma=sigma, kernel=kernel)


def split_regions(
    regions: npt.NDArray[np.integer], num_groups: int, rng: np.random.Generator
) -> npt.NDArray[np.integer]:
    """Splits regions (H, W) at random into groups 0 … num_groups − 1, none empty where there are enough regions."""
    labels, inverse = np.unique(regions, return_inverse=True)
    group_of = rng.integers(0, num_groups, len(labels))
    certain = min(len(labels), num_groups)
    group_of[rng.permutation(len(labels))[:certain]] = rng.permutation(num_groups)[:certain]
    return group_of[inverse].reshape(regions.shape)


def defocus(
    photo: npt.NDArray[np.uint8],
    groups: npt.NDArray[np.integer],
    depth_order: Sequence[int],
    *,
    sigma: float,
    kernel: str,
) -> list[npt.NDArray[np.uint8]]:
    """Renders one source per group: that group in focus, the others blurred, with occlusion at the edges.

    Layers are composited back to front, each with its colour premultiplied by its alpha. A layer behind another extends
    behind it, in the blur of its own pixels divided by the blur of its own mask; so a blurred background takes
    nothing from a sharp foreground, and nothing dark shows where a blurred foreground turns transparent.

    Args:
        photo: `uint8` (H, W, C).
        groups: group numbers (H, W), 0 … len(depth_order) − 1.
        depth_order: the groups from the back to the front.
        sigma: standard deviation of the blur in pixels.
        kernel: `gaussian` or `disc`.

    Returns:
        One `uint8` image (H, W, C) per group.
    """
    blur = _make_blur(sigma, kernel)
    present = set(np.unique(groups).tolist())
    order = [group for group in depth_order if group in present]
    planes = np.ascontiguousarray(photo.transpose(2, 0, 1), np.float32)
    sharp, soft = _make_layers(planes, groups, order, blur)
    sources = []
    for focus in range(len(depth_order)):
        canvas = np.zeros_like(planes)
        for place, group in enumerate(order):
            layer = sharp[place] if group == focus else soft[place]
            canvas *= 1 - layer[-1]
            canvas += layer[:-1]
        levels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
        sources.append(np.ascontiguousarray(levels.transpose(1, 2, 0)))
    return sources


def disc_kernel(radius: float) -> _Array:
    """Returns a disc of the given radius in pixels with a soft rim, as a filter that sums to 1."""
    reach = int(np.ceil(radius))
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1)
    return (disc / disc.sum()).astype(np.float32)


def _make_layers(
    photo: _Array, groups: npt.NDArray[np.integer], order: Sequence[int], blur: _Blur
) -> tuple[list[_Array], list[_Array]]:
    """Returns each layer in focus and out of focus, back to front: (C + 1, H, W), premultiplied colour, then alpha."""
    hard = [(groups == group).astype(np.float32) for group in order]
    masks = [cv2.GaussianBlur(mask, (0, 0), _FEATHER) for mask in hard]
    # The hard masks for what is blurred: the soft edge of a background has the colour of what is in front of it.
    spread = [np.stack([blur(plane * mask) for plane in photo] + [blur(mask)]) for mask in hard]
    plain_blur = np.sum(spread, axis=0)[:-1]
    sharp, soft = [], []
    for place, (mask, blurred) in enumerate(zip(masks, spread, strict=True)):
        fill = (blurred[:-1] + _EPSILON * plain_blur) / (blurred[-1] + _EPSILON)
        extent, soft_extent = _extend(place, masks, spread, blur)
        sharp.append(np.concatenate([photo * mask + (extent - mask) * fill, extent[None]]))
        soft.append(np.concatenate([blurred[:-1] + (soft_extent - blurred[-1]) * fill, soft_extent[None]]))
    return sharp, soft


def _extend(place: int, masks: Sequence[_Array], spread: Sequence[_Array], blur: _Blur) -> tuple[_Array, _Array]:
    """Returns a layer's alpha (H, W) together with what the layers in front of it hide, and the blur of that.

    Hidden ground belongs to the layers behind in proportion to how much of each is near; the backmost has no end.
    """
    if place == 0:
        everywhere = np.ones_like(masks[0])
        return everywhere, everywhere
    if place == len(masks) - 1:
        return masks[place], spread[place][-1]
    hidden = np.sum(masks[place + 1 :], axis=0)
    behind = np.sum([layer[-1] for layer in spread[: place + 1]], axis=0)
    extent = masks[place] + hidden * spread[place][-1] / (behind + _EPSILON)
    return extent, blur(extent)


def _make_blur(sigma: float, kernel: str) -> _Blur:
    """Returns a function that blurs a `float32` plane (H, W); borders are reflected."""
    if kernel == "gaussian":
        return lambda plane: cv2.GaussianBlur(plane, (0, 0), sigma).astype(np.float32, copy=False)
    if kernel == "disc":
        disc = disc_kernel(2 * sigma)
        return lambda plane: cv2.filter2D(plane, -1, disc).astype(np.float32, copy=False)
    raise ValueError(f"kernel {kernel!r} is neither gaussian nor disc")
