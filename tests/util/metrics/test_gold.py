"""That what the reference values are compared on is what they were computed of."""

import csv

from tests.data.helpers import shared
from tests.util.metrics import gold


def test_the_images_are_those_that_have_the_values():
    manifest = shared("reference", "metrics", "manifest.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(manifest.splitlines()):
        images = gold.images(row["set"], row["name"])
        assert images[0].shape[:2] == (int(row["height"]), int(row["width"])), row
        found[row["name"]] = [gold.digest(image) for image in images] == [row[f"sha256_16_{each}"] for each in "ABF"]
    assert found
    assert all(found.values()), [name for name, same in found.items() if not same]


def test_the_histograms_have_the_pixels_of_the_images_they_stand_for():
    sizes = {name: gold.images(kind, name)[0].size for kind, name in gold.triples("histogram")}
    assert sizes == {"crop64-lytro-01": 4096, "crop64-c01": 4096, "crop63x47-Kayak": 2961, "c05": 65536}
