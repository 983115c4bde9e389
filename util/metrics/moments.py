"""Means, variances and covariances in sliding windows, and the structural similarity that is computed from them.

Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13, 2004; for several scales Wang, Simoncelli, Bovik, Asilomar 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from util.metrics.scene import PEAK, Scene
from util.metrics.windows import Border, average, gaussian

WINDOW = gaussian(11, 1.5)
"""The window that most of the structural metrics share."""
C1 = (0.01 * PEAK) ** 2
C2 = (0.03 * PEAK) ** 2
"""Stabilise the quotients of the similarity, for levels from 0 to 255."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, the finest first."""


class Moments:
    """Moments of some images in sliding windows, each computed when it is first needed.

    Covariances are population covariances, E[XY] - E[X] E[Y]: in float64 and for levels from 0 to 255 accurate to
    1e-10, and exact in black windows.

    Args:
        images: (B, H, W) each, in float64. Methods take their indices; always use the same index for an image, either
            from the front or from the back, since results are cached by index.
        weights: of the separable window, of sum 1; an odd number of them.
        border: the padding.
        floor: variances and covariances up to this size become exactly 0: rounding errors of flat windows.

    Example:
        >>> image = torch.rand(1, 16, 16, dtype=torch.float64) * 255
        >>> moments = Moments([image, image + 10])
        >>> moments.mean(0).shape
        torch.Size([1, 6, 6])
        >>> torch.allclose(moments.covariance(0, 1), moments.variance(0))  # a shift changes no covariance
        True
    """

    def __init__(
        self,
        images: Sequence[Tensor],
        weights: tuple[float, ...] = WINDOW,
        border: Border = "valid",
        floor: float = 0.0,
    ) -> None:
        self.images = images
        self._weights = weights
        self._border = border
        self._floor = floor
        self._known: dict[Hashable, Tensor] = {}

    def fit(self) -> bool:
        """Whether the images are at least as large as the window."""
        return self._border != "valid" or min(self.images[0].shape[-2:]) >= len(self._weights)

    def mean(self, image: int) -> Tensor:
        """The windows' means of an image: (B, H', W')."""
        return self._once(("mean", image), lambda: self._average(self.images[image]))

    def variance(self, image: int) -> Tensor:
        """The windows' variances of an image: (B, H', W'); rounding may leave them just below 0."""
        return self.covariance(image, image)

    def covariance(self, first: int, second: int) -> Tensor:
        """The windows' covariances of two images: (B, H', W')."""

        def compute() -> Tensor:
            product = self._average(self.images[first] * self.images[second])
            product.addcmul_(self.mean(first), self.mean(second), value=-1)
            return functional.hardshrink(product, self._floor) if self._floor else product

        return self._once(("covariance", *sorted((first, second))), compute)

    def structure(self, first: int, second: int, c2: float = C2) -> Tensor:
        """The contrast and structure terms of the similarity of two images: (B, H', W') in [-1, 1]."""

        def compute() -> Tensor:
            energy = (self.variance(first) + self.variance(second)).add_(c2)
            return (2 * self.covariance(first, second)).add_(c2).div_(energy)

        return self._once(("structure", first, second, c2), compute)

    def similarity(self, first: int, second: int, c1: float = C1, c2: float = C2) -> Tensor:
        """The structural similarity of two images: (B, H', W') in [-1, 1]."""

        def compute() -> Tensor:
            x, y = self.mean(first), self.mean(second)
            luminance = (2 * x).mul_(y).add_(c1).div_((x * x).addcmul_(y, y).add_(c1))
            return luminance.mul_(self.structure(first, second, c2))

        return self._once(("similarity", first, second, c1, c2), compute)

    def _average(self, image: Tensor) -> Tensor:
        return average(image, self._weights, self._border)

    def _once(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def window_moments(
    scene: Scene, weights: tuple[float, ...] = WINDOW, border: Border = "valid", floor: float = 0.0
) -> Moments:
    """The moments of a scene's images; the same object for the same window."""
    return scene.once(_moments, weights, border, floor)


def _moments(scene: Scene, weights: tuple[float, ...], border: Border, floor: float) -> Moments:
    return Moments(scene.images, weights, border, floor)


def mean_over_pixels(values: Tensor) -> Tensor:
    """The mean of each map: (B, H, W) → (B,)."""
    return values.mean((-2, -1))


def scales(finest: Moments) -> Iterator[Moments]:
    """The moments of images at the five scales of MS-SSIM, the finest first.

    Each scale is the mean over blocks of 2x2 pixels of the finer one; an odd side is padded by a line of zeros at both
    ends.
    """
    yield finest
    images = finest.images
    for _ in SCALE_WEIGHTS[1:]:
        odd = [size % 2 for size in images[0].shape[-2:]]
        images = [functional.avg_pool2d(image, 2, padding=odd) for image in images]
        yield Moments(images)


def multiscale_similarity(pyramid: Sequence[Moments], first: int, second: int) -> Tensor:
    """Multi-scale structural similarity: structure at all scales, luminance at the coarsest; negative means become 0.

    Args:
        pyramid: from `scales`; the coarsest must be at least as large as the window.
        first: index of an image.
        second: index of another.

    Returns:
        (B,) from 0 to 1.
    """
    *fine, coarsest = pyramid
    means = [mean_over_pixels(moments.structure(first, second)) for moments in fine]
    means.append(mean_over_pixels(coarsest.similarity(first, second)))
    weights = torch.tensor(SCALE_WEIGHTS, dtype=torch.float64, device=means[0].device)
    return torch.stack(means, -1).clamp(min=0).pow(weights).prod(-1)
