"""Reference values that published code gave for known images.

Those of whole images are in ../shared/reference/metrics, as the images may not be redistributed. What depends on the
joint histogram of a triple alone is checked anywhere, with the histograms and values of tests/golden/metrics.
"""

import csv
import functools
import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.data.helpers import SHARED, shared
from util.metrics.scene import Scene

FOLDER = SHARED / "reference" / "metrics"
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "metrics"
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
    """(set, name, implementation, metric) → value, of the histograms and, where they are there, of the images."""
    return {
        (row["set"], row["name"], row["implementation"], row["metric"]): float(row["value"])
        for folder in (GOLDEN, FOLDER)
        if (folder / "gold.csv").is_file()
        for row in csv.DictReader((folder / "gold.csv").read_text(encoding="utf-8").splitlines())
    }


def triples(*sets):
    """(set, name) of what has reference values, of some sets or of all but those in colour."""
    found = dict.fromkeys((kind, name) for kind, name, *_ in rows())
    return [(kind, name) for kind, name in found if (kind in sets if sets else kind != "lytroRGB")]


def _read(path, grey=True):
    image = np.asarray(Image.open(path))
    if grey and image.ndim == 3:
        planes = image.astype(np.int64)
        image = ((299 * planes[..., 0] + 587 * planes[..., 1] + 114 * planes[..., 2] + 500) // 1000).astype(np.uint8)
    return image


@functools.cache
def images(kind, name):
    """A, B, F of a triple as arrays of bytes."""
    if kind == "histogram":
        return _ordered(name)
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


def _ordered(name):
    """One row of pixels in the order of their levels: any order has the triple's joint histogram."""
    with np.load(GOLDEN / "histograms.npz") as file:
        levels = np.repeat(file[f"{name}.levels"], file[f"{name}.counts"], axis=0)
    return tuple(np.ascontiguousarray(levels.T[:, None]))


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
    found = {}
    for kind, name in triples(*sets):
        expected = [rows()[key] for column in columns if (key := (kind, name, *column)) in rows()]
        if expected:
            value = float(measure(scene(kind, name)))
            found[name] = max(found.get(name, 0.0), *(difference(value, each) for each in expected))
    if not found:
        shared("reference", "metrics")
    assert found, f"no reference value of {columns}"
    return found


def worst(measure, implementation, metric, *sets):
    """The largest of `differences` to one column, and where it is."""
    found = differences(measure, [(implementation, metric)], *sets)
    return max((value, name) for name, value in found.items())
