"""Multi-focus pairs from a photograph and its depth, as IFCNN's training data were made.

The paper (Zhang et al., Information Fusion 54, 2020) and its erratum say: a random focal depth splits the depth map of
an RGB-D image, the part in front of it or the part behind it is blurred, and the blur is OpenCV's Gaussian with a
kernel of 2·kr + 1 pixels. Its training code was never released. How kr and the focal depth are drawn, what happens at
the edge between the parts, and more than two sources are inferred, and ours: see `rgbd_sources` and `split_depth`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from options.data import PMFOptions

SIGMA_RULES: Mapping[str, Callable[[int], float]] = MappingProxyType(
    {
        "opencv": lambda radius: 0.3 * (radius - 1) + 0.8,  # the page that the erratum cites
        "printed": lambda radius: 0.6 * (2 * radius) + 0.8,  # the erratum itself: 0.6 * (ksize - 1) + 0.8
    }
)


def rgbd_sources(
    photo: npt.NDArray[np.uint8],
    depth: npt.NDArray[np.integer],
    rng: np.random.Generator,
    options: PMFOptions,
    num_sources: int = 2,
) -> list[npt.NDArray[np.uint8]]:
    """Makes sources that are each sharp within one range of depth.

    The depth map is split into bands (`split_depth`). The whole photograph is blurred once, with a radius kr drawn
    evenly from `kernel_radius` (whose default is ours: the paper does not give its range); source i shows the
    photograph where band i is and the blurred photograph elsewhere. The edge is hard: no occlusion, no feathering
    (`data.pmf.synthesis.realistic_sources` has both). With `sigma_rule` opencv, sigma = 0.3·(kr − 1) + 0.8; with
    printed, sigma = 1.2·kr + 0.8, which the kernel cuts off within one sigma, so that it is almost a box.

    Args:
        photo: `uint8` (H, W, 3); the order of the channels does not matter.
        depth: integer (H, W); larger is farther away. Where larger is nearer (disparity), the sources come in the
            opposite order, and nothing else changes. No value is special: unknown depth is a depth like any other.
        rng: the random number generator.
        options: kernel_radius and sigma_rule.
        num_sources: how many sources to make.

    Returns:
        `num_sources` images, `uint8` (H, W, 3), the one that is sharp in front first. Where the map has fewer values
        than there are sources, some are blurred everywhere, and a map with a single value leaves one wholly sharp.
    """
    bands = split_depth(depth, num_sources, rng)
    radius = int(rng.integers(*options.kernel_radius, endpoint=True))
    size, sigma = (2 * radius + 1, 2 * radius + 1), SIGMA_RULES[options.sigma_rule](radius)
    blurred = cv2.GaussianBlur(photo, size, sigma).astype(np.uint8, copy=False)
    return [np.where((bands == band)[..., None], photo, blurred) for band in range(num_sources)]


def split_depth(depth: npt.NDArray[np.integer], num_bands: int, rng: np.random.Generator) -> npt.NDArray[np.integer]:
    """Splits a depth map at random depths into bands, none of them empty where there are enough values.

    A cut lies between two neighbouring values of those that occur, each place with the same chance whatever the
    number of pixels there.

    Returns:
        Band numbers (H, W), 0 (the smallest values) … num_bands − 1. With fewer values than bands each value is a band
        of its own, and which numbers are left out is drawn.
    """
    values, inverse = np.unique(depth, return_inverse=True)
    count = min(len(values), num_bands)
    first_of_next = 1 + rng.permutation(len(values) - 1)[: count - 1]  # where a new band begins
    band_of = np.searchsorted(np.sort(first_of_next), np.arange(len(values)), side="right")
    used = np.sort(rng.choice(num_bands, count, replace=False))
    bands: npt.NDArray[np.integer] = used[band_of][inverse].reshape(depth.shape)
    return bands
