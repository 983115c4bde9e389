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


def level(picture):
    """The coarse picture and (3, height, width) of details, block by block."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    bands = np.empty((4, height, width))
    for i in range(height):
        for j in range(width):
            a, b, c, d = picture[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel()
            bands[:, i, j] = (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2
    return bands[0], bands[1:]


def qm(*pictures):
    scores = []
    for _ in range(2):
        pictures, details = zip(*map(level, pictures), strict=True)
        *sources, fused = details
        weights = [(bands**2).sum(0) for bands in sources]
        kept = sum((np.exp(-abs(s - fused)).sum(0) * w).sum() for s, w in zip(sources, weights, strict=True))
        scores.append(kept / np.sum(weights))
    return scores[0] ** (2 / 3) * scores[1] ** (1 / 3)


@pytest.mark.parametrize(("count", "height", "width"), [(3, 20, 25), (3, 23, 14), (4, 21, 21), (3, 4, 4)])
def test_block_by_block(count, height, width):
    # faint pictures: exp(-|difference|) is next to nothing for noise of all levels
    pictures = [picture.astype(float) // 50 for picture in noise(count, height, width)]
    assert measured("QM", *pictures) == pytest.approx(qm(*pictures), rel=1e-12)


def test_a_perfect_fusion_has_3():
    (picture,) = noise(1)
    assert measured("QM", picture, picture, picture) == pytest.approx(3, rel=1e-12)


def test_pictures_that_have_no_answer():
    a, b, f = noise(3)
    flat = np.full_like(a, 7)
    assert math.isnan(measured("QM", flat, flat, f))
    assert math.isnan(measured("QM", a[:3], b[:3], f[:3]))
    assert measured("QM", a, b, flat) < 0.1
