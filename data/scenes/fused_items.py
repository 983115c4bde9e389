"""Which files on disk are the sources of a scene, what was fused from them, and what it should be."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.scenes.discovery import Item, discover, discover_folders
from data.scenes.inspection import Inspection, check_equal, inspect
from data.scenes.matching import match_images
from data.scenes.roles import SEPARATORS
from util.errors import UserError
from util.images.image_io import Image, probe_image, read_image


@dataclass(frozen=True)
class FusedItem:
    """The files of one fused image.

    Attributes:
        name: the scene's.
        sources: the files of the sources.
        roles: what each source is; empty where that is not known.
        fused: what was fused from them.
        reference: what it should be, where that is known.
    """

    name: str
    sources: tuple[Path, ...]
    roles: tuple[str, ...]
    fused: Path
    reference: Path | None = None

    def read_sources(self) -> list[Image]:
        """Reads the sources, (H, W, 3) RGB each; raises `UserError` as `read_image`."""
        return [read_image(path) for path in self.sources]


def find_scenes(
    sources: Sequence[Path], *, layout: str = "auto", roles: str = "", skip_bad: bool = False
) -> Inspection:
    """Finds the sources of all scenes by their names (see `data.scenes.discovery`), without decoding them.

    Args:
        sources: a folder for each source, in order; or one that holds all of them.
        layout: how that one is to be read: auto, roles, scenes or suffix.
        roles: which roles of that one to use, in this order, separated by commas; all of them if empty.
        skip_bad: leave out what cannot be used, instead of stopping.

    Raises:
        UserError: nothing that can be used, or something that cannot while `skip_bad` is off.
    """
    for folder in sources:
        if not folder.is_dir():
            raise UserError(f"--sources: no such folder: {folder}")
    if len(sources) > 1:
        if layout != "auto" or roles:
            raise UserError("--layout and --roles say how one folder of --sources is read, but there are several")
        found = discover_folders(sources)
    else:
        found = discover(sources[0], "test", layout=layout, roles=roles.split(",") if roles else ())
    if found.layout == "stacked":
        raise UserError(f"--sources {sources[0]}: one folder without roles: name a folder for each source")
    return inspect(found, on_bad_sample="skip" if skip_bad else "stop")


def find_fused(
    scenes: Inspection, fused: Path, *, reference: Path | None = None, skip_bad: bool = False
) -> tuple[list[FusedItem], list[str]]:
    """Finds the images that were fused from some scenes, by their names (see `data.scenes.matching`).

    Args:
        scenes: from `find_scenes`.
        fused: the folder of the fused images, or a pattern for their names.
        reference: that of the images they should be.
        skip_bad: leave out what is missing or has another size, instead of stopping.

    Returns:
        The items in natural order, and one line on each that is left out.

    Raises:
        UserError: nothing that can be used, or something that cannot while `skip_bad` is off.
    """
    names = [item.name for item in scenes.found.items]
    images = match_images(names, fused, "--fused")
    references = match_images(names, reference, "--reference") if reference else {}
    items, problems = [], []
    for item, size in zip(scenes.found.items, scenes.sizes, strict=True):
        known = references.get(item.name) if reference else item.target
        try:
            if reference and known is None:
                raise UserError(f"--reference {reference}: there is no image of item {item.name}")
            if item.name not in images:
                raise UserError(f"--fused {fused}: there is no image of item {item.name}")
            _check_sizes(item, size, [images[item.name], *([known] if known else [])])
            items.append(FusedItem(item.name, item.files, scenes.found.roles, images[item.name], known))
        except UserError as error:
            problems.append(str(error))
    if problems and (not skip_bad or not items):
        more = f" ({len(problems) - 1} more items cannot be measured either)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}" + ("" if skip_bad else "; --on_bad_sample skip continues without"))
    return items, problems


def find_methods(
    scenes: Inspection, folders: Mapping[str, Path], *, reference: Path | None = None, skip_bad: bool = False
) -> tuple[dict[str, list[FusedItem]], list[str]]:
    """As `find_fused`, for several methods and where their images are.

    Returns:
        Method → its items, and one line on everything that is left out, scenes included.
    """
    methods, skipped = {}, list(scenes.skipped)
    for method, folder in folders.items():
        methods[method], lines = find_fused(scenes, folder, reference=reference, skip_bad=skip_bad)
        skipped += lines
    return methods, list(dict.fromkeys(skipped))


def _check_sizes(item: Item, size: tuple[int, int], others: Sequence[Path]) -> None:
    headers = [(path, probe_image(path)) for path in others]
    check_equal([(item.files[0], size), *((path, (header.width, header.height)) for path, header in headers)])


def parse_methods(words: Sequence[str], option: str = "--fused") -> dict[str, Path]:
    """Reads NAME=DIR or DIR of several methods, or of several of what another option names.

    Without a name the folder's is taken, or what a pattern has beside its *, or of the results of a test the run's.

    Raises:
        UserError: two of one name.
    """
    methods: dict[str, Path] = {}
    for word in words:
        name, equals, place = word.partition("=")
        if not equals or Path(word).is_dir():  # a folder may be called lr=0.1
            name, place = _usual_name(Path(word)), word
        if not name or not place:
            raise UserError(f"{option} {word}: expected NAME=DIR")
        if name in methods:
            raise UserError(f"{option}: two are called {name!r}: name them, as in {option} a={methods[name]}")
        methods[name] = Path(place)
    return methods


def _usual_name(folder: Path) -> str:
    whole = Path(os.path.abspath(folder))  # noqa: PTH100  # not resolved: a link has a name of its own
    if (whole / "fused").is_dir():  # the results of a test
        return whole.parent.name
    return whole.name.replace("*", "").strip(SEPARATORS)
