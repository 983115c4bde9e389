import math

import numpy as np
import pytest

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition


@pytest.mark.parametrize(("implementation", "tolerance"), [("liu", 1e-9), ("rederived", 1e-9)])
def test_published_code_has_the_same_values(implementation, tolerance):
    found, triple = gold.worst(definition("QM")[1], implementation, "QM")
    assert found < tolerance, triple


def level(image):
    """The coarse image and (3, height, width) of details, block by block."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    bands = np.empty((4, height, width))
    for i in range(height):
        for j in range(width):
            a, b, c, d = image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel()
            bands[:, i, j] = (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2
    return bands[0], bands[1:]


def qm(*images):
    scores = []
    for _ in range(2):
        images, details = zip(*map(level, images), strict=True)
        *sources, fused = details
        weights = [(bands**2).sum(0) for bands in sources]
        kept = sum((np.exp(-abs(s - fused)).sum(0) * w).sum() for s, w in zip(sources, weights, strict=True))
        scores.append(kept / np.sum(weights))
    return scores[0] ** (2 / 3) * scores[1] ** (1 / 3)


@pytest.mark.parametrize(("count", "height", "width"), [(3, 20, 25), (3, 23, 14), (4, 21, 21), (3, 4, 4)])
def test_block_by_block(count, height, width):
    # faint images: exp(-|difference|) is next to nothing for noise of all levels
    images = [image.astype(float) // 50 for image in noise(count, height, width)]
    assert measured("QM", *images) == pytest.approx(qm(*images), rel=1e-12)


def test_a_perfect_fusion_has_3():
    (image,) = noise(1)
    assert measured("QM", image, image, image) == pytest.approx(3, rel=1e-12)


def test_images_that_have_no_answer():
    a, b, f = noise(3)
    flat = np.full_like(a, 7)
    assert math.isnan(measured("QM", flat, flat, f))
    assert math.isnan(measured("QM", a[:3], b[:3], f[:3]))
    assert measured("QM", a, b, flat) < 0.1
