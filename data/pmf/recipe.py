"""The PMF recipes, from a photograph and its map on disk to sources and target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from data.maps import check_same_size, probe_map, read_map, read_map_image
from data.pmf.rgbd import rgbd_sources
from data.pmf.synthesis import published_pair, realistic_sources
from data.transforms import JointTransform, resize_image, resize_map
from options.data import LARGEST_SIDE, PMF_RECIPE_OPTIONS, PMFOptions
from util.errors import UserError
from util.images.image_io import MAX_PIXELS, probe_image, read_image

Image = npt.NDArray[np.uint8]
PUBLISHED_SIZE = 256


@dataclass(frozen=True)
class PMFRecipe:
    """How sources are made of a photograph and its map (see `data.pmf.synthesis` and `data.pmf.rgbd`).

    Attributes:
        options: which recipe, and how it blurs.
        num_sources: how many sources to make; the published recipe has two.
        size: published: side of the square that everything is resized to, 256 when None. The others: the shorter side
            after scaling (without distortion), the native size when None or 0.
    """

    record: ClassVar[str] = "pmf.json"
    version: ClassVar[int] = 1

    options: PMFOptions
    num_sources: int = 2
    size: int | None = None

    def __post_init__(self) -> None:
        self.options.check_values()
        if self.num_sources < 2:
            raise UserError(f"--num_sources must be at least 2, not {self.num_sources}")
        if self.size is not None and not 0 <= self.size <= LARGEST_SIDE:
            raise UserError(f"--size must be 0 to {LARGEST_SIDE}, not {self.size}")
        if self.options.recipe == "published":
            if self.num_sources != 2:
                raise UserError(f"--recipe published makes 2 sources, not --num_sources {self.num_sources}")
            if self.size == 0:
                raise UserError("--recipe published resizes to a square: --size cannot be 0")

    def settings(self) -> dict[str, Any]:
        """What decides the pixels: of the options, those of the recipe."""
        recipe = self.options.recipe
        own = {name: getattr(self.options, name) for name, owner in PMF_RECIPE_OPTIONS.items() if owner == recipe}
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}
        return {"recipe": recipe, "size": self.size, "num_sources": self.num_sources} | own

    def check(self, files: Sequence[Path]) -> None:
        """Looks at a photograph and its map, the two `files`, without decoding images.

        Raises:
            UserError: what `read` raises, but for damage that only decoding shows.
        """
        image_path, map_path = files
        header, map_size = probe_image(image_path), probe_map(map_path)
        if self.options.recipe != "published":
            check_same_size(image_path, (header.height, header.width), map_path, map_size)
            self.scaled(image_path, header.height, header.width)

    def make(self, files: Sequence[Path], rng: np.random.Generator) -> list[Image]:
        """Reads a photograph and its map, the two `files`, and renders one pair at full size: `read`, `render`."""
        image_path, map_path = files
        return self.render(*self.read(image_path, map_path), rng)

    def read(self, image_path: Path, map_path: Path) -> tuple[Image, npt.NDArray]:
        """Reads a photograph and its map.

        Args:
            image_path: the photograph.
            map_path: its label map or, for rgbd, depth map.

        Returns:
            The photograph, `uint8` (H, W, 3) RGB; realistic: region numbers (H, W); rgbd: numbers (H, W) in the order
            of the depths; published: the map's image (h, w, 3) in BGR.

        Raises:
            UserError: a file that cannot be read; not published: a map that is not as large as its photograph, or
                what `scaled` raises.
        """
        photo = read_image(image_path, bits=8)
        if self.options.recipe == "published":
            return photo, read_map_image(map_path)
        regions = _read_depth(map_path) if self.options.recipe == "rgbd" else read_map(map_path)
        check_same_size(image_path, photo.shape, map_path, regions.shape)
        height, width = self.scaled(image_path, *regions.shape)
        return resize_image(photo, height, width), resize_map(regions, height, width)

    def scaled(self, image_path: Path, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the images that are made of a photograph; published makes squares instead.

        Raises:
            UserError: `size` makes an image of it that could not be read.
        """
        if self.size:
            scale = self.size / min(height, width)
            new_height, new_width = (max(1, round(side * scale)) for side in (height, width))
            if new_height * new_width > MAX_PIXELS:
                raise UserError(
                    f"--size {self.size} makes {new_width}x{new_height} of photograph {image_path} ({width}x{height}), "
                    f"more than {MAX_PIXELS} pixels: say less, or leave the photograph out"
                )
            return new_height, new_width
        return height, width

    def render(
        self,
        photo: Image,
        labels: npt.NDArray,
        rng: np.random.Generator,
        transform: JointTransform | None = None,
    ) -> list[Image]:
        """Renders the sources and, last, the target.

        Args:
            photo: the photograph as `read` returns it.
            labels: its map as `read` returns it.
            rng: the random number generator.
            transform: cuts out a sample. Photograph and map are cut first and then blurred, with reflected borders;
                published: source and target are cut out of the finished pair.

        Returns:
            num_sources + 1 images, `uint8` (H, W, 3) RGB.
        """
        if self.options.recipe == "published":
            bgr = np.ascontiguousarray(photo[..., ::-1])
            made = published_pair(bgr, labels, self.size or PUBLISHED_SIZE)
            panels = [np.ascontiguousarray(panel[..., ::-1]) for panel in made]
            return panels if transform is None else transform(panels, [], rng)[0]
        if transform is not None:
            (photo,), (labels,) = transform([photo], [labels], rng)
        make_sources = rgbd_sources if self.options.recipe == "rgbd" else realistic_sources
        return [*make_sources(photo, labels, rng, self.options, self.num_sources), photo]


def _read_depth(path: Path) -> npt.NDArray[np.integer]:
    """Reads a map as numbers (H, W) that are ordered as its values are."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        values = read_image(path)
        if (values == values[..., :1]).all():  # what JPEG does to grey values blurs regions, but hardly depth
            return values[..., 0].astype(np.int32)
    return read_map(path)
