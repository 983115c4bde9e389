import math

import numpy as np
import pytest

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("MEF_SSIM", "mefb", "MEF_MS_SSIM", 1e-9),
    ("MEF_SSIM", "rederived", "MEF_MS_SSIM", 3e-8),  # rounding errors of a flat sky in lytro-06
    ("MEF_SSIM@one_scale", "mefb", "MEF_SSIM_1scale", 1e-9),
    ("MEF_SSIM@one_scale", "rederived", "MEF_SSIM_1scale", 3e-7),  # the same
]
OFFSETS = np.arange(-5, 6)
GAUSSIAN = np.exp(-(OFFSETS[:, None] ** 2 + OFFSETS**2) / (2 * 1.5**2))
GAUSSIAN /= GAUSSIAN.sum()


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def patch_score(sources, fused):
    """The score of one patch 11x11, as the paper builds it."""
    eps = np.finfo(float).eps
    details = [source - source.mean() for source in sources]
    norms = [np.linalg.norm(detail) for detail in details]
    contrasts = [norm + 0.001 for norm in norms]
    consistency = min((np.linalg.norm(sum(details)) + eps) / (sum(norms) + eps), 1 - eps)
    power = min(math.tan(math.pi / 2 * consistency), 10)
    weights = [(contrast / 11) ** power + eps for contrast in contrasts]
    wanted = sum(w / sum(weights) * d / c for w, d, c in zip(weights, details, contrasts, strict=True))
    if np.linalg.norm(wanted) > 0:
        wanted = wanted * max(contrasts) / np.linalg.norm(wanted)
    x, y = (image - (GAUSSIAN * image).sum() for image in (wanted, fused))
    c = (0.03 * 255) ** 2
    return (2 * (GAUSSIAN * x * y).sum() + c) / ((GAUSSIAN * x * x).sum() + (GAUSSIAN * y * y).sum() + c)


def score(sources, fused):
    windows = [np.lib.stride_tricks.sliding_window_view(p, (11, 11)).reshape(-1, 11, 11) for p in (*sources, fused)]
    return np.mean([patch_score(patches[:-1], patches[-1]) for patches in zip(*windows, strict=True)])


def halved(image):
    padded = np.pad(image, [(0, size % 2) for size in image.shape], mode="edge")
    return (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4


def images(count, height, width):
    """Sources of common structure and one of their means."""
    *sources, structure = noise(count + 1, height, width)
    sources = [(source // (2 + 3 * k) + structure // 3).astype(float) for k, source in enumerate(sources)]
    return [*sources, np.floor(sum(sources) / count)]


@pytest.mark.parametrize("count", [2, 3])
def test_one_scale_patch_by_patch(count):
    *sources, fused = images(count, 14, 15)
    assert measured("MEF_SSIM@one_scale", *sources, fused) == pytest.approx(score(sources, fused), rel=1e-9)


@pytest.mark.parametrize("count", [2, 3])
def test_sources_that_agree_have_the_largest_exponent(count):
    """Patches of nearly one structure: the tangent of their consistency is far above 10."""
    structure, *own = noise(count + 1, 13, 14)
    sources = [structure // (1 + k) // 2 + each // 16 for k, each in enumerate(own)]
    fused = sum(sources) // count
    assert measured("MEF_SSIM@one_scale", *sources, fused) == pytest.approx(score(sources, fused), rel=1e-9)


def test_little_structure_is_not_none():
    """A bright pixel in one source and a dark one in the other almost cancel: the square of what stays is 3e-4."""
    a, b = np.full((2, 11, 11), 100)
    a[5, 5], b[5, 5] = 103, 98
    wrong = np.full_like(a, 100)
    wrong[5, 5] = 97
    for fused in (a, wrong):
        assert measured("MEF_SSIM@one_scale", a, b, fused) == pytest.approx(score([a, b], fused), rel=1e-6)
    assert measured("MEF_SSIM@one_scale", a, b, wrong) < measured("MEF_SSIM@one_scale", a, b, a) - 1e-3


def test_three_scales():
    given = images(2, 45, 46)
    expected = 1.0
    for weight in (0.0448, 0.2856, 0.3001):
        expected *= score(given[:-1], given[-1]) ** (weight / 0.6305)
        given = [halved(image) for image in given]
    *sources, fused = images(2, 45, 46)
    assert measured("MEF_SSIM", *sources, fused) == pytest.approx(expected, rel=1e-9)


def test_flat_and_contradictory_sources():
    (a,) = noise(1, 44, 44)
    black, white = np.zeros_like(a), np.full_like(a, 255)
    assert measured("MEF_SSIM", black, white, black) == 1  # no structure wanted, none there
    assert measured("MEF_SSIM", black, white, a) < 0.2
    assert measured("MEF_SSIM", a, white, a) == pytest.approx(1, abs=1e-5)
    assert measured("MEF_SSIM@one_scale", a, 255 - a, black) == 1  # the structures cancel


@pytest.mark.parametrize(
    ("name", "shape", "fits"),
    [
        ("MEF_SSIM", (43, 80), False),
        ("MEF_SSIM", (44, 44), True),
        ("MEF_SSIM@one_scale", (10, 80), False),
        ("MEF_SSIM@one_scale", (11, 11), True),
        ("MEF_SSIM@one_scale", (1, 1), False),
    ],
)
def test_below_the_least_size_it_is_minus_infinity(name, shape, fits):
    (a,) = noise(1, *shape)
    assert measured(name, a, a, a) == (pytest.approx(1, abs=1e-9) if fits else -math.inf)
