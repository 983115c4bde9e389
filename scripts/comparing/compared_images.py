"""The images of a comparison as files that a page can show: 8 bits, PNG, names that any file system takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from data.scenes.fused_items import FusedItem
from util.errors import UserError
from util.images.image_io import read_image, write_image
from util.images.levels import to_8_bits
from util.report.comparison_page import ComparedImages

FOLDER = "images"
_SOURCES = "sources"


def file_names(texts: Iterable[str]) -> list[str]:
    """Returns a file name for each text, readable, and no two the same, even where upper and lower case are."""
    names: list[str] = []
    taken: set[str] = set()
    for number, text in enumerate(texts, start=1):
        name = re.sub(r"[^\w+.-]+", "_", text).strip("._")[:60] or "_"
        while name.lower() in taken:
            name = f"{name}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def check_images(folder: Path, items: Iterable[FusedItem]) -> None:
    """Checks that images can safely be written below `folder/images`, before anything is written.

    Args:
        folder: where the page will be.
        items: what is to be shown.

    Raises:
        UserError: a symbolic link there, which could lead anywhere; or an item whose own files lie there.
    """
    images = folder / FOLDER
    for path in (
        images,
        *(Path(root, name) for root, folders, files in os.walk(images) for name in (*folders, *files)),
    ):
        if path.is_symlink():
            raise UserError(
                f"{path}: a symbolic link, through which nothing is written; remove it or choose another --out"
            )
    inside = images.resolve()
    for item in items:
        for path in (*item.sources, item.fused, *([item.reference] if item.reference else [])):
            if path.resolve().is_relative_to(inside):
                raise UserError(f"{path}: lies in {images}, which is written anew; choose another --out")


def remove_others(folder: Path, written: Iterable[str]) -> None:
    """Removes the files below `folder/images` that were not written, and folders without any; follows no link.

    Args:
        folder: where the page is.
        written: paths relative to it.

    Raises:
        UserError: something that cannot be removed.
    """
    # By what they are and not by their names, which a file system may spell otherwise.
    kept = {_identity(folder / path) for path in written}
    for root, _, files in os.walk(folder / FOLDER, topdown=False):
        try:
            for path in (Path(root, file) for file in files):
                if _identity(path) not in kept:
                    path.unlink()
            if not any(Path(root).iterdir()):
                Path(root).rmdir()
        except OSError as error:
            raise UserError(f"{root}: cannot be cleared ({error.strerror or error})") from error


def _identity(path: Path) -> tuple[int, int]:
    state = path.lstat()
    return state.st_dev, state.st_ino


def write_images(
    folder: Path, subfolder: str, items: Mapping[str, Sequence[FusedItem]], scenes: Sequence[str]
) -> list[ComparedImages]:
    """Writes the images of one set below `folder/images/subfolder`.

    Args:
        folder: where the page is.
        subfolder: of the set.
        items: method → its images, those of all methods with the same sources.
        scenes: names of the items to write.

    Returns:
        What the page shows of each scene, with paths relative to `folder`.

    Raises:
        UserError: an image that cannot be read, or a folder that cannot be written to.
    """
    of_methods = [{item.name: item for item in method} for method in items.values()]
    sources, *methods = (f"{FOLDER}/{subfolder}/{name}" for name in file_names([_SOURCES, *items]))
    written = []
    files = dict(zip(scenes, file_names(scenes), strict=True))
    for scene in tqdm(scenes, desc="images", unit="scene", disable=None, leave=False):
        of_scene = [method[scene] for method in of_methods]
        others, size = _write_shared(folder, sources, files[scene], of_scene[0])
        fused = [f"{method}/{files[scene]}.png" for method in methods]
        for item, path in zip(of_scene, fused, strict=True):
            write_image(folder / path, read_image(item.fused, bits=8))
        written.append(ComparedImages(fused, others, size))
    return written


def _write_shared(folder: Path, subfolder: str, file: str, item: FusedItem) -> tuple[dict[str, str], str]:
    """Writes what all methods share, sources and reference; returns label → path and the size as text."""
    images = item.read_sources()
    roles = item.roles if len(item.roles) == len(images) else range(1, len(images) + 1)
    shared = dict(zip((f"source {role}" for role in roles), images, strict=True))
    if item.reference:
        shared["reference"] = read_image(item.reference)
    paths = {label: f"{subfolder}/{name}/{file}.png" for label, name in zip(shared, file_names(shared), strict=True)}
    for label, image in shared.items():
        write_image(folder / paths[label], to_8_bits(image))
    height, width = images[0].shape[:2]
    return paths, f"{width} × {height}"
