"""From a photograph on disk, and its saliency, to sources and target."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from data.image_io import IMAGE_EXTENSIONS, probe_image, read_image
from data.maps import find_maps, find_photographs
from data.pair_files import Found
from data.saliency.maps import read_saliency
from data.saliency.model import check_model, predict_saliency
from data.saliency.operators import OPERATORS, SaliencyMap
from data.synthesis.saliency import distribute
from util.errors import UserError

Picture = npt.NDArray[np.uint8]
SALIENCIES = (*OPERATORS, "maps", "model")
OWN_OPTIONS: Mapping[str, str] = MappingProxyType(  # option → the one --saliency that it belongs to
    {"saliency_maps": "maps", "saliency_model": "model"}
)
MOST_SOURCES = 16


@dataclass(frozen=True, kw_only=True)
class SaliencyRecipe:
    """How sources are made of a photograph by its saliency (see `data.synthesis.saliency`).

    Attributes:
        saliency: an operator of `data.saliency.operators`, `maps` or `model`.
        saliency_maps: with `maps`: their folder; the stems are those of the photographs.
        saliency_model: with `model`: its file, see `data.saliency.model`.
        num_sources: how many sources to make.
    """

    record: ClassVar[str] = "saliency.json"
    version: ClassVar[int] = 1

    saliency: str = "spectral"
    saliency_maps: Path | None = None
    saliency_model: Path | None = None
    num_sources: int = 2

    def __post_init__(self) -> None:
        if self.saliency not in SALIENCIES:
            raise UserError(f"--saliency {self.saliency!r} is not one of: {', '.join(SALIENCIES)}")
        if not 2 <= self.num_sources <= MOST_SOURCES:
            raise UserError(f"--num_sources must be 2 to {MOST_SOURCES}, not {self.num_sources}")
        for name, owner in OWN_OPTIONS.items():
            if owner == self.saliency and getattr(self, name) is None:
                raise UserError(f"--saliency {owner} needs --{name}")
        if self.saliency == "model":
            check_model(self._model)

    def settings(self) -> dict[str, Any]:
        """What decides the pixels."""
        found: dict[str, Any] = {"saliency": self.saliency, "num_sources": self.num_sources}
        if self.saliency == "model":
            found["saliency_model"] = f"SHA-256 {hashlib.sha256(self._model.read_bytes()).hexdigest()[:16]}"
        return found

    def find(self, images_dir: Path) -> tuple[Sequence[Found], Sequence[str]]:
        """Finds photographs and, with `maps`, the map of each.

        Returns:
            (stem, photograph[, map]) in natural order, and one line for each photograph without a map.

        Raises:
            UserError: a folder that is missing or holds nothing of the kind, or two files with one stem.
        """
        if self.saliency_maps is not None and self.saliency == "maps":
            return find_maps(images_dir, self.saliency_maps, IMAGE_EXTENSIONS)
        return list(find_photographs(images_dir).items()), []

    def check(self, files: Sequence[Path]) -> None:
        """Looks at a photograph and, with `maps`, its map without decoding them.

        Raises:
            UserError: a file that cannot be read.
        """
        for path in files:
            probe_image(path)

    def make(self, files: Sequence[Path], rng: np.random.Generator) -> list[Picture]:
        """Returns the sources and, last, the target of a photograph at its full size; raises as `read`."""
        made = distribute(*self.read(files), rng, num_sources=self.num_sources)
        return [*made.sources, made.target]

    def read(self, files: Sequence[Path]) -> tuple[Picture, SaliencyMap]:
        """Reads a photograph and finds its saliency.

        Args:
            files: the photograph and, with `maps`, its map.

        Returns:
            The photograph, `uint8` (H, W, 3) RGB, and its saliency, `float32` (H, W) in [0, 1].

        Raises:
            UserError: a file that cannot be read, or a model that cannot be applied.
        """
        photo = read_image(files[0], bits=8)
        if self.saliency == "maps":
            return photo, read_saliency(files[1], *photo.shape[:2])
        if self.saliency == "model":
            return photo, predict_saliency(self._model, photo)
        return photo, OPERATORS[self.saliency](photo)

    @property
    def _model(self) -> Path:
        assert self.saliency_model is not None, "with --saliency model there is one, see __post_init__"
        return self.saliency_model
