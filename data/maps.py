"""Label maps: which pixel belongs to which region, and which map belongs to which photograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import scipy.io

from util.errors import UserError
from util.files import list_files
from util.images.image_io import list_images, probe_image, read_image
from util.suggest import check_choice

MAP_EXTENSIONS = (".png", ".jpg", ".jpeg", ".mat")
_JPEG = (".jpg", ".jpeg")
_JPEG_COLOUR_DISTANCE = 48.0  # two colours of a JPEG map nearer than this (in levels, Euclidean) are one region
_JPEG_SMALLEST_SHARE = 0.002  # and a colour on fewer pixels than this share is noise of another


def read_map(path: str | Path, *, annotator: int = 1) -> npt.NDArray[np.int32]:
    """Reads a label map as region numbers.

    * `.png`: class indices or colours; every distinct value is a region, in the order of the values.
    * `.jpg`: colours only, since JPEG blurs indices; near colours are taken for one (see docs/data.md).
    * `.mat`: BSDS500, `groundTruth{k}.Segmentation` with k = `annotator`.

    Args:
        path: the map.
        annotator: which of a BSDS file's annotations, from 1.

    Returns:
        `int32` (H, W), values 0 … regions − 1.

    Raises:
        UserError: an unknown extension, an unreadable file, no such annotation, indices in a JPEG.
    """
    path = _check_extension(path)
    if path.suffix.lower() == ".mat":
        return _consecutive(_read_bsds(path, annotator).astype(np.int64))
    values = read_image(path)
    if path.suffix.lower() in _JPEG:
        return _consecutive(_nearest_colour(path, values.astype(np.uint8)))
    if np.array_equal(values[..., 0], values[..., 1]) and np.array_equal(values[..., 0], values[..., 2]):
        return _consecutive(values[..., 0].astype(np.int64))
    return _consecutive(pack_colors(values))


def read_map_image(path: str | Path, *, annotator: int = 1) -> npt.NDArray:
    """Reads a label map as the image that the published PMF recipe resizes; nothing is made of its colours.

    Returns:
        `uint8` or `uint16` (H, W, 3), **BGR**, since that recipe sorts colours in this order.

    Raises:
        UserError: as for `read_map`.
    """
    path = _check_extension(path)
    if path.suffix.lower() == ".mat":
        labels = _read_bsds(path, annotator)
        if labels.min() < 0 or labels.max() > 65535:
            labels = _consecutive(labels.astype(np.int64))
        return np.repeat(labels[..., None].astype(np.uint16), 3, axis=2)
    return np.ascontiguousarray(read_image(path)[..., ::-1])


def probe_map(path: str | Path) -> tuple[int, int]:
    """Checks a map's file (an image is not decoded) and returns its height and width.

    Raises:
        UserError: as for `read_map`.
    """
    path = _check_extension(path)
    if path.suffix.lower() == ".mat":
        height, width = _read_bsds(path, 1).shape
        return height, width
    header = probe_image(path)
    return header.height, header.width


def check_same_size(image_path: Path, image_size: tuple[int, ...], map_path: Path, map_size: tuple[int, ...]) -> None:
    """Raises `UserError` naming both files unless (height, width) agree; further dimensions are not looked at."""
    if image_size[:2] != map_size[:2]:
        raise UserError(
            f"map {map_path} is {map_size[1]}x{map_size[0]}, but photograph {image_path} is "
            f"{image_size[1]}x{image_size[0]}: they must have equal sizes"
        )


def find_photographs(images_dir: str | Path) -> dict[str, Path]:
    """Returns stem → photograph of a folder, in natural order.

    Raises:
        UserError: the folder is missing or holds no images, or two with one stem.
    """
    return _by_stem(Path(images_dir), list_images(images_dir), "images")


def find_maps(
    images_dir: str | Path, maps_dir: str | Path, extensions: Sequence[str] = MAP_EXTENSIONS
) -> tuple[list[tuple[str, Path, Path]], list[str]]:
    """Finds the map of each photograph: the file with the same stem.

    Args:
        images_dir: folder of the photographs.
        maps_dir: folder of their maps.
        extensions: which files of it are maps, in lower case, with dot.

    Returns:
        (stem, photograph, map) in natural order, and one line for each photograph without a map.

    Raises:
        UserError: a folder that is missing or holds nothing of the kind, or two files with one stem.
    """
    images = find_photographs(images_dir)
    maps = _by_stem(Path(maps_dir), list_files(Path(maps_dir), extensions), f"maps ({', '.join(extensions)})")
    wanted = f"{', '.join(extensions[:-1])} or {extensions[-1]}"
    pairs = [(stem, path, maps[stem]) for stem, path in images.items() if stem in maps]
    missing = [
        f"photograph {path} has no map: expected {Path(maps_dir) / stem}{wanted}"
        for stem, path in images.items()
        if stem not in maps
    ]
    if not pairs:
        raise UserError(_first_of(missing))
    return pairs, missing


def pair_maps(images_dir: str | Path, maps_dir: str | Path) -> list[tuple[str, Path, Path]]:
    """Returns (stem, photograph, map) for every photograph of a folder, in natural order.

    Raises:
        UserError: as for `find_maps`, and for a photograph without a map.
    """
    pairs, missing = find_maps(images_dir, maps_dir)
    if missing:
        raise UserError(_first_of(missing))
    return pairs


def _first_of(missing: Sequence[str]) -> str:
    return missing[0] + (f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else "")


def pack_colors(image: npt.NDArray) -> npt.NDArray[np.int64]:
    """Packs (H, W, 3) integer colours into one number per pixel that sorts as the colour rows do."""
    first, second, third = (image[..., channel].astype(np.int64) for channel in range(3))
    bits = 8 * image.dtype.itemsize
    return (first << 2 * bits) | (second << bits) | third


def _check_extension(path: str | Path) -> Path:
    path = Path(path)
    check_choice(f"cannot read map {path}: extension", path.suffix.lower(), MAP_EXTENSIONS)
    return path


def _by_stem(folder: Path, paths: list[Path], kind: str) -> dict[str, Path]:
    if not paths:
        raise UserError(f"no {kind} in {folder} (links that lead out of the folder are not followed)")
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path} have the same stem: keep one of them")
        found[path.stem] = path
    return found


def _consecutive(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Numbers the distinct values 0, 1, … in their order."""
    # A table of the values that occur is quicker than sorting all pixels.
    if values.min() >= 0 and values.max() < 2**24:
        present = np.zeros(values.max() + 1, bool)
        present[values] = True
        return np.searchsorted(np.flatnonzero(present), values).astype(np.int32)
    return np.unique(values, return_inverse=True)[1].reshape(values.shape).astype(np.int32)


def _nearest_colour(path: Path, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Gives each pixel of a JPEG map the number of the nearest of the map's main colours.

    Main colours are taken in the order of their frequency (in steps of 16 levels), each as the mean of its pixels,
    leaving out those near one taken already.
    """
    pixels = image.reshape(-1, 3).astype(np.float32)
    cells = pack_colors(image // 16).ravel()
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, pixels[:, channel]) for channel in range(3)], axis=1)
    means = (sums / counts[:, None]).astype(np.float32)
    palette: list[npt.NDArray[np.float32]] = []
    for cell in np.argsort(-counts, kind="stable"):
        if palette and counts[cell] < _JPEG_SMALLEST_SHARE * len(pixels):
            break
        if all(np.linalg.norm(means[cell] - other) >= _JPEG_COLOUR_DISTANCE for other in palette):
            palette.append(means[cell])
    if len(palette) == 1 and np.ptp(pixels, axis=0).max() > 0:
        raise UserError(f"cannot read map {path}: JPEG blurs class indices into each other; save the map as PNG")
    distances = np.stack([((pixels - color) ** 2).sum(axis=1) for color in palette])
    nearest = distances.argmin(axis=0).astype(np.uint8 if len(palette) < 256 else np.uint16)
    return cv2.medianBlur(nearest.reshape(image.shape[:2]), 5).astype(np.int64)


def _read_bsds(path: Path, annotator: int) -> npt.NDArray:
    """Returns the (H, W) labels of one annotator of a BSDS500 file."""
    if not path.is_file():
        raise UserError(f"no such map: {path}")
    try:
        cells = scipy.io.loadmat(path, variable_names=["groundTruth"])["groundTruth"]
    except Exception as error:  # scipy raises half a dozen kinds for damaged files, and KeyError for other content
        raise UserError(f"cannot read map {path}: not a BSDS file with groundTruth{{k}}.Segmentation") from error
    cells = np.atleast_1d(cells).ravel()
    if not 1 <= annotator <= len(cells):
        raise UserError(f"map {path} has annotators 1 to {len(cells)}, not {annotator}")
    try:
        labels = np.asarray(cells[annotator - 1]["Segmentation"].item())
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"cannot read map {path}: not a BSDS file with groundTruth{{k}}.Segmentation") from error
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in "ui":
        raise UserError(f"cannot read map {path}: groundTruth{{{annotator}}}.Segmentation is not a table of labels")
    return labels
