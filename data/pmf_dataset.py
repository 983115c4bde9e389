"""Multi-focus pairs made on the fly from photographs and their label or depth maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.base_dataset import FusionDataset, Images
from data.cache import ArrayCache
from data.maps import pair_maps
from data.pmf.recipe import PMFRecipe
from data.pmf.rgbd import DEFAULT_KERNEL_RADIUS
from data.pmf.synthesis import DEFAULT_SIGMA
from data.transforms import JointTransform
from util.errors import UserError


class PMFDataset(FusionDataset):
    """Photographs with maps; every epoch sees another split and another defocus of each."""

    def __init__(
        self,
        *,
        root: str | Path,
        phase: str,
        images: str | Path | None = None,
        maps: str | Path | None = None,
        recipe: str = "realistic",
        size: int | None = None,
        num_sources: int = 2,
        sigma: tuple[float, float] = DEFAULT_SIGMA,
        kernel: str = "random",
        kernel_radius: tuple[int, int] = DEFAULT_KERNEL_RADIUS,
        sigma_rule: str = "opencv",
        pairs_per_image: int = 1,
        transform: JointTransform | None = None,
        seed: int = 0,
        max_size: int | None = None,
    ) -> None:
        """Pairs photographs with maps.

        Args:
            root: the folder given by --dataroot, which holds phase/images and phase/maps, or images and maps.
            phase: its sub-folder to use.
            images: folder of the photographs where it is elsewhere; None or empty otherwise.
            maps: folder of the maps where it is elsewhere; None or empty otherwise.
            recipe: `realistic`, `published` or `rgbd`.
            size: see `PMFRecipe`.
            num_sources: how many sources to make.
            sigma: range of the realistic defocus in pixels.
            kernel: kernel of the realistic defocus: `random`, `gaussian` or `disc`.
            kernel_radius: range of the radius of the rgbd recipe's kernel in pixels.
            sigma_rule: sigma of the rgbd recipe's blur for a radius: `opencv` or `printed`.
            pairs_per_image: how many pairs an epoch makes of each photograph, so that an epoch of few is not too short.
            transform: how training samples are cut out; None leaves images at their native size.
            seed: where all chance comes from.
            max_size: use no more than this many pairs; None or 0 for all.

        Raises:
            UserError: a value out of range, a missing or empty folder, a photograph without a map.
        """
        self.recipe = PMFRecipe(
            recipe=recipe,
            size=size,
            num_sources=num_sources,
            sigma=sigma,
            kernel=kernel,
            kernel_radius=kernel_radius,
            sigma_rule=sigma_rule,
        )
        images_dir = Path(images) if images else _find_role(Path(root), phase, "images")
        maps_dir = Path(maps) if maps else _find_role(Path(root), phase, "maps")
        if pairs_per_image < 1:
            raise UserError(f"--pairs_per_image must be at least 1, not {pairs_per_image}")
        self.pairs = pair_maps(images_dir, maps_dir)
        self.pairs_per_image = pairs_per_image
        self._decoded = ArrayCache()
        super().__init__(length=len(self.pairs) * pairs_per_image, transform=transform, seed=seed, max_size=max_size)

    def make_images(self, index: int, rng: np.random.Generator) -> Images:
        """See `FusionDataset.make_images`."""
        pair, place = divmod(index, len(self.pairs))
        stem, image_path, map_path = self.pairs[place]
        photo, labels = self._decoded.get(stem, lambda: self.recipe.read(image_path, map_path))
        *sources, target = self.recipe.render(photo, labels, rng, self.transform)
        name = stem if self.pairs_per_image == 1 else f"{stem}_{pair + 1}"
        return Images(name, tuple(sources), target)


def _find_role(root: Path, phase: str, role: str) -> Path:
    for folder in (root / phase / role, root / role):
        if folder.is_dir():
            return folder
    raise UserError(f"no folder {root / phase / role} nor {root / role}: make one, or give --{role} DIR")
