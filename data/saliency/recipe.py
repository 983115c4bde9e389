"""From a photograph on disk, and its saliency, to sources and target."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from data.maps import find_maps, find_photographs
from data.pair_files import Found
from data.saliency.maps import read_saliency
from data.saliency.model import check_model, predict_saliency
from data.saliency.operators import OPERATORS, SaliencyMap
from data.saliency.synthesis import distribute
from options.data import SaliencyOptions
from util.errors import UserError
from util.images.image_io import IMAGE_EXTENSIONS, probe_image, read_image
from util.suggest import suggest

Image = npt.NDArray[np.uint8]
MOST_SOURCES = 16


@dataclass(frozen=True, kw_only=True)
class SaliencyRecipe:
    """How sources are made of a photograph by its saliency (see `data.saliency.synthesis`).

    Attributes:
        saliency: the name of an operator of `data.saliency.operators`; otherwise the path of a folder of maps, whose
            stems are those of the photographs, or of a model's file, see `data.saliency.model`. A folder or file named
            like an operator is written ./spectral.
        num_sources: how many sources to make.
    """

    record: ClassVar[str] = "saliency.json"
    version: ClassVar[int] = 2

    saliency: str = SaliencyOptions.saliency
    num_sources: int = 2

    def __post_init__(self) -> None:
        if not 2 <= self.num_sources <= MOST_SOURCES:
            raise UserError(f"--num_sources must be 2 to {MOST_SOURCES}, not {self.num_sources}")
        if self.model is not None:
            check_model(self.model)
        elif self.saliency not in OPERATORS and self.maps is None:
            raise UserError(
                f"--saliency {self.saliency!r} is not one of: {', '.join(OPERATORS)}"
                f"{suggest(self.saliency, OPERATORS)}, nor a folder of saliency maps or a model's file"
            )

    @property
    def maps(self) -> Path | None:
        """The folder of the maps, where `saliency` is one."""
        return Path(self.saliency) if self._is_path and Path(self.saliency).is_dir() else None

    @property
    def model(self) -> Path | None:
        """The model's file, where `saliency` is one."""
        return Path(self.saliency) if self._is_path and Path(self.saliency).is_file() else None

    @property
    def _is_path(self) -> bool:
        return self.saliency not in ("", *OPERATORS)  # Path("") would be the current folder

    def settings(self) -> dict[str, Any]:
        """What decides the pixels."""
        saliency = self.saliency
        if self.maps is not None:
            saliency = "from maps"
        elif self.model is not None:
            saliency = f"from a model (SHA-256 {hashlib.sha256(self.model.read_bytes()).hexdigest()[:16]})"
        return {"saliency": saliency, "num_sources": self.num_sources}

    def find(self, images_dir: Path) -> tuple[Sequence[Found], Sequence[str]]:
        """Finds photographs and, with a folder of maps, the map of each.

        Returns:
            (stem, photograph[, map]) in natural order, and one line for each photograph without a map.

        Raises:
            UserError: a folder that is missing or holds nothing of the kind, or two files with one stem.
        """
        if self.maps is not None:
            return find_maps(images_dir, self.maps, IMAGE_EXTENSIONS)
        return list(find_photographs(images_dir).items()), []

    def check(self, files: Sequence[Path]) -> None:
        """Looks at a photograph and its map, where it has one, without decoding them; see `PairRecipe.check`."""
        for path in files:
            probe_image(path)

    def make(self, files: Sequence[Path], rng: np.random.Generator) -> list[Image]:
        """Returns the sources and, last, the target of a photograph at its full size; raises as `read`."""
        made = distribute(*self.read(files), rng, num_sources=self.num_sources)
        return [*made.sources, made.target]

    def read(self, files: Sequence[Path]) -> tuple[Image, SaliencyMap]:
        """Reads a photograph and finds its saliency.

        Args:
            files: the photograph and, with a folder of maps, its map.

        Returns:
            The photograph, `uint8` (H, W, 3) RGB, and its saliency, `float32` (H, W) in [0, 1].

        Raises:
            UserError: a file that cannot be read, or a model that cannot be applied.
        """
        photo = read_image(files[0], bits=8)
        if self.saliency in OPERATORS:
            return photo, OPERATORS[self.saliency](photo)
        if len(files) > 1:
            return photo, read_saliency(files[1], *photo.shape[:2])
        return photo, predict_saliency(Path(self.saliency), photo)
