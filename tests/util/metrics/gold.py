"""Reference values that published code gave for known images, from ../shared/reference/metrics."""

import csv
import functools
import hashlib
import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.helpers import SHARED
from util.metrics.scene import Scene

FOLDER = SHARED / "reference" / "metrics"
DATA = SHARED / "data"
PUBLISHED = DATA / "published" / "ifcnn"
CROPS = {
    "crop16-lytro-01": ("lytro", "lytro-01", slice(240, 256), slice(240, 256)),
    "crop16-Camp1": ("iv", "Camp1", slice(180, 196), slice(200, 216)),
    "crop16-c01": ("med", "c01", slice(120, 136), slice(120, 136)),
    "crop64-lytro-01": ("lytro", "lytro-01", slice(200, 264), slice(200, 264)),
    "crop64-c01": ("med", "c01", slice(96, 160), slice(96, 160)),
    "crop63x47-Kayak": ("iv", "Kayak", slice(300, 363), slice(100, 147)),
}


@functools.cache
def rows():
    """(set, name, implementation, metric) → value; nothing where the reference data is not there."""
    path = FOLDER / "gold.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {
            (row["set"], row["name"], row["implementation"], row["metric"]): float(row["value"])
            for row in csv.DictReader(file)
        }


def triples(*sets):
    """(set, name) of the images with reference values, of some sets or of all but those in colour."""
    with (FOLDER / "manifest.csv").open(newline="", encoding="utf-8") as file:
        found = [(row["set"], row["name"]) for row in csv.DictReader(file)]
    return [(kind, name) for kind, name in found if (kind in sets if sets else kind != "lytroRGB")]


def _read(path, grey=True):
    if not path.is_file():
        pytest.skip(f"reference image {path} is not there")
    image = np.asarray(Image.open(path))
    if grey and image.ndim == 3:
        planes = image.astype(np.int64)
        image = ((299 * planes[..., 0] + 587 * planes[..., 1] + 114 * planes[..., 2] + 500) // 1000).astype(np.uint8)
    return image


@functools.cache
def images(kind, name):
    """A, B, F of a triple as arrays of bytes, checked against the manifest's digest."""
    if kind == "degenerate":
        return _degenerate(name)
    if kind in ("lytro", "lytroRGB"):
        paths = [
            *(next(DATA.glob(f"lytro/{r}/{name}*")) for r in "AB"),
            PUBLISHED / f"Results/CMF/IFCNN-MAX-CMF-{name}.png",
        ]
    elif kind == "iv":
        paths = [next(DATA.glob(f"tno14/{r}/{name}[._]*")) for r in ("vi", "ir")]
        paths.append(PUBLISHED / f"Code_results/IFCNN-MAX-IV-{name}.png")
    else:
        paths = [next(DATA.glob(f"med8/{r}/{name}[._]*")) for r in "AB"]
        paths.append(PUBLISHED / f"Code_results/IFCNN-MAX-MD-{name}.png")
    return tuple(_read(path, grey=kind != "lytroRGB") for path in paths)


def _degenerate(name):
    if name in CROPS:
        kind, base, rows_, columns = CROPS[name]
        return tuple(np.ascontiguousarray(image[rows_, columns]) for image in images(kind, base))
    change, _, base = name.partition("-")
    a, b, f = images("med" if base == "c01" else "lytro", base)
    changed = {"FeqA": (a, b, a), "const128": (a, b, np.full_like(f, 128)), "ABFequal": (a, a, a)}
    return changed[change]


def digest(image):
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def scene(kind, name):
    """The scene of a grey triple, a batch of one."""
    a, b, f = (torch.from_numpy(np.array(image))[None, None] for image in images(kind, name))
    return Scene([a, b], f)


def difference(found, expected):
    """Relative difference; 0 where both are NaN or the same infinity."""
    if math.isnan(expected) or math.isnan(found):
        return 0.0 if math.isnan(expected) and math.isnan(found) else math.inf
    if found == expected:
        return 0.0
    return abs(found - expected) / max(abs(expected), 1e-12) if math.isfinite(found - expected) else math.inf


def differences(measure, columns, *sets):
    """The relative difference to reference values, the largest of some columns: triple → difference.

    Args:
        measure: scene → (B,), which is asked once per triple.
        columns: (implementation, metric) of the rows.
        sets: of triples; all by default.
    """
    if not rows():
        pytest.skip(f"reference values {FOLDER} are not there")
    found = {}
    for kind, name in triples(*sets):
        expected = [rows()[key] for column in columns if (key := (kind, name, *column)) in rows()]
        if expected:
            value = float(measure(scene(kind, name)))
            found[name] = max(difference(value, each) for each in expected)
    assert found, f"no reference value of {columns}"
    return found


def worst(measure, implementation, metric, *sets):
    """The largest of `differences` to one column, and where it is."""
    found = differences(measure, [(implementation, metric)], *sets)
    return max((value, name) for name, value in found.items())
