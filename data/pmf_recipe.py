"""The two PMF recipes, from a photograph and its map on disk to sources and target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.image_io import read_image
from data.maps import check_same_size, read_map, read_map_picture
from data.synthesis.pmf import DEFAULT_SIGMA, KERNELS, published_pair, realistic_sources
from data.transforms import JointTransform, resize_map, resize_picture
from util.errors import UserError

Picture = npt.NDArray[np.uint8]
RECIPES = ("realistic", "published")
PUBLISHED_SIZE = 256
_LARGEST_SIGMA = 100.0
_LARGEST_SIZE = 16384


@dataclass(frozen=True, kw_only=True)
class PMFRecipe:
    """How sources are made of a photograph and its semantic map (see `data.synthesis.pmf`).

    Attributes:
        recipe: `realistic` or `published`.
        size: published: side of the square that everything is resized to, 256 when None. Realistic: the shorter side
            after scaling (without distortion), the native size when None or 0.
        num_sources: how many sources to make; the published recipe has two.
        sigma: realistic: range of the defocus in pixels.
        kernel: realistic: `random`, `gaussian` or `disc`.
    """

    recipe: str = "realistic"
    size: int | None = None
    num_sources: int = 2
    sigma: tuple[float, float] = DEFAULT_SIGMA
    kernel: str = "random"

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise UserError(f"--recipe {self.recipe!r} is not one of: {', '.join(RECIPES)}")
        if self.kernel not in KERNELS:
            raise UserError(f"--kernel {self.kernel!r} is not one of: {', '.join(KERNELS)}")
        if self.num_sources < 2:
            raise UserError(f"--num_sources must be at least 2, not {self.num_sources}")
        if self.size is not None and not 0 <= self.size <= _LARGEST_SIZE:
            raise UserError(f"--size must be 0 to {_LARGEST_SIZE}, not {self.size}")
        low, high = self.sigma
        if not (math.isfinite(high) and 0 < low <= high <= _LARGEST_SIGMA):
            raise UserError(f"--sigma {low} {high}: expected 0 < MIN <= MAX <= {_LARGEST_SIGMA:g} (pixels)")
        if self.recipe == "published":
            if self.num_sources != 2:
                raise UserError(f"--recipe published makes 2 sources, not --num_sources {self.num_sources}")
            if self.size == 0:
                raise UserError("--recipe published resizes to a square: --size cannot be 0")

    def make(self, image_path: Path, map_path: Path, rng: np.random.Generator) -> list[Picture]:
        """Reads a photograph and its map and renders one pair at full size; see `read` and `render`."""
        return self.render(*self.read(image_path, map_path), rng)

    def read(self, image_path: Path, map_path: Path) -> tuple[Picture, npt.NDArray]:
        """Reads a photograph and its map.

        Args:
            image_path: the photograph.
            map_path: its label map.

        Returns:
            The photograph, `uint8` (H, W, 3) RGB; realistic: region numbers (H, W); published: the map's picture
            (h, w, 3) in BGR.

        Raises:
            UserError: a file that cannot be read; realistic: a map that is not as large as its photograph.
        """
        photo = read_image(image_path)
        if self.recipe == "published":
            return photo, read_map_picture(map_path)
        regions = read_map(map_path)
        check_same_size(image_path, photo.shape, map_path, regions.shape)
        if self.size:
            scale = self.size / min(regions.shape)
            height, width = (max(1, round(side * scale)) for side in regions.shape)
            return resize_picture(photo, height, width), resize_map(regions, height, width)
        return photo, regions

    def render(
        self,
        photo: Picture,
        labels: npt.NDArray,
        rng: np.random.Generator,
        transform: JointTransform | None = None,
    ) -> list[Picture]:
        """Renders the sources and, last, the target.

        Args:
            photo: the photograph as `read` returns it.
            labels: its map as `read` returns it.
            rng: where all chance comes from.
            transform: cuts out a sample. Realistic: photograph and map are cut first and then blurred, with
                reflected borders. Published: source and target are cut out of the finished pair.

        Returns:
            num_sources + 1 pictures, `uint8` (H, W, 3) RGB.
        """
        if self.recipe == "published":
            bgr = np.ascontiguousarray(photo[..., ::-1])
            made = published_pair(bgr, labels, self.size or PUBLISHED_SIZE)
            panels = [np.ascontiguousarray(panel[..., ::-1]) for panel in made]
            return panels if transform is None else transform(panels, [], rng)[0]
        if transform is not None:
            (photo,), (labels,) = transform([photo], [labels], rng)
        sources = realistic_sources(
            photo, labels, rng, num_sources=self.num_sources, sigma=self.sigma, kernel=self.kernel
        )
        return [*sources, photo]
