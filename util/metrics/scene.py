"""The images that metrics compare, as the definitions expect them: grey, whole levels, float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

LEVELS = 256
PEAK = 255.0
FUSED = -1
"""The index of the fused image in `Scene.images`; the sources have 0, 1, ..."""

T = TypeVar("T")


class Scene:
    """A batch of scenes: their sources and the images fused from them.

    Colour becomes luma, Y = floor((299 R + 587 G + 114 B + 500) / 1000), and every value the nearest whole level, since
    the definitions are of 8-bit grey images. With whole levels Sobel sums, histograms and ties are exact.

    Args:
        sources: two or more of (B, 1 or 3, H, W) in [0, 255].
        fused: (B, 1 or 3, H, W) in [0, 255].

    Attributes:
        sources: N of (B, H, W) in float64, whole numbers from 0 to 255.
        fused: (B, H, W) of the same kind.

    Raises:
        ValueError: fewer than two sources, shapes that differ, or values outside [0, 255].

    Example:
        >>> colour, grey = torch.rand(2, 3, 16, 16) * 255, torch.rand(2, 1, 16, 16) * 255
        >>> [image.shape for image in Scene([colour, grey], fused=grey).images]
        [torch.Size([2, 16, 16]), torch.Size([2, 16, 16]), torch.Size([2, 16, 16])]
    """

    def __init__(self, sources: Sequence[Tensor], fused: Tensor) -> None:
        if len(sources) < 2:
            raise ValueError(f"{len(sources)} sources: at least two belong to a fused image")
        self.fused = grey_levels(fused)
        self.sources = [grey_levels(source) for source in sources]
        for source in self.sources:
            if source.shape != self.fused.shape:
                shapes = f"{tuple(source.shape)} of a source and {tuple(self.fused.shape)} of the fused image"
                raise ValueError(f"(B, H, W) {shapes}: must be equal")
        self._known: dict[tuple[Any, ...], Any] = {}

    @property
    def images(self) -> list[Tensor]:
        """The sources and, last, the fused image: (B, H, W) each."""
        return [*self.sources, self.fused]

    @property
    def indices(self) -> list[int]:
        """The indices of all images, the fused one last."""
        return [*range(len(self.sources)), FUSED]

    def each_source(self, measure: Callable[[int], Tensor]) -> Tensor:
        """What `measure` returns, (B,), for the index of every source: (N, B)."""
        return torch.stack([measure(index) for index in range(len(self.sources))])

    def once(self, compute: Callable[..., T], *args: Any) -> T:
        """Returns `compute(scene, *args)`, computed at the first call and then cached.

        Args:
            compute: a module-level function that takes this scene.
            args: its further arguments, hashable.
        """
        key = (compute, *args)
        if key not in self._known:
            self._known[key] = compute(self, *args)
        return self._known[key]

    def forget(self) -> None:
        """Empties the cache, so that the maps of one family do not stay in memory beside those of the next."""
        self._known.clear()

    def same(self, value: float) -> Tensor:
        """Returns (B,) in float64 filled with a value: the start of a sum, or the result for all images of a size."""
        return torch.full(self.fused.shape[:1], value, dtype=torch.float64, device=self.fused.device)


def grey_levels(image: Tensor) -> Tensor:
    """Returns an image as grey levels.

    Args:
        image: (B, 1 or 3, H, W) in [0, 255], of any type.

    Returns:
        (B, H, W) in float64, whole numbers.

    Raises:
        ValueError: another shape, an empty image, or values outside [0, 255].

    Example:
        >>> red = torch.tensor([255, 0, 0]).view(1, 3, 1, 1)
        >>> grey_levels(red)  # 0.299 of 255
        tensor([[[76.]]], dtype=torch.float64)
    """
    if image.ndim != 4 or image.shape[1] not in (1, 3) or not image.numel():
        raise ValueError(f"an image of shape {tuple(image.shape)}: must be (B, 1 or 3, H, W)")
    levels = (image.double() + 0.5).floor()
    low, high = levels.aminmax()
    if not (low >= 0 and high <= PEAK):  # NaN is refused, too
        raise ValueError(f"values from {low.item():g} to {high.item():g}: must be in [0, 255]")
    if levels.shape[1] == 1:
        return levels[:, 0]
    red, green, blue = levels.unbind(1)
    return ((299 * red + 587 * green + 114 * blue + 500) / 1000).floor()
