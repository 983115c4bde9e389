import math

import numpy as np
import pytest
from scipy import ndimage

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("QS", "liu", "QS", 2e-9),
    ("QW", "liu", "QW", 3e-9),
    ("QW@edge", "mefb", "Qw", 1e-9),
    ("QE", "rederived", "QE", 4e-8),  # rounding errors of flat windows in lytro-04
    ("QE@squared", "thfylsty", "Peilla_case3", 2e-9),
]
OFFSETS = np.arange(-5, 6)
GAUSSIAN = np.exp(-(OFFSETS[:, None] ** 2 + OFFSETS**2) / (2 * 1.5**2))
GAUSSIAN /= GAUSSIAN.sum()
C1, C2 = 2.55**2, 7.65**2


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def covariance(x, y):
    return (GAUSSIAN * (x - (GAUSSIAN * x).sum()) * (y - (GAUSSIAN * y).sum())).sum()


def similarity(x, y):
    mean_x, mean_y = (GAUSSIAN * x).sum(), (GAUSSIAN * y).sum()
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance * (2 * covariance(x, y) + C2) / (covariance(x, x) + covariance(y, y) + C2)


def windows(images):
    """(windows' qualities, windows' saliencies), one window after another."""
    patches = [np.lib.stride_tricks.sliding_window_view(p, (11, 11)).reshape(-1, 11, 11) for p in images]
    qualities, saliencies = [], []
    for *sources, fused in zip(*patches, strict=True):
        variances = [covariance(source, source) for source in sources]
        if sum(variances) == 0:
            variances = [0.5 for _ in sources]
        scores = [similarity(source, fused) for source in sources]
        qualities.append(np.dot(variances, scores) / sum(variances))
        saliencies.append(max(variances))
    return np.array(qualities), np.array(saliencies)


def weighted(images):
    qualities, saliencies = windows(images)
    return (qualities * saliencies).sum() / saliencies.sum()


def edges(image):
    across, down = (ndimage.prewitt(image.astype(float), axis, mode="constant") for axis in (0, 1))
    return np.hypot(across, down)


def partly_black(count):
    """A corner of each image is black; the sources' contrasts differ."""
    given = [image // (k + 1) for k, image in enumerate(noise(count, 16, 28))]
    for image in given:
        image[:12, :14] = 0
    return given


@pytest.mark.parametrize("count", [3, 4])
def test_window_by_window(count):
    given = partly_black(count)
    assert measured("QS", *given) == pytest.approx(windows(given)[0].mean(), rel=1e-9)
    assert measured("QW", *given) == pytest.approx(weighted(given), rel=1e-9)
    of_edges = weighted([edges(image) for image in given])
    assert measured("QW@edge", *given) == pytest.approx(of_edges, rel=1e-9)
    assert measured("QE", *given) == pytest.approx(weighted(given) * of_edges, rel=1e-9)
    assert measured("QE@squared", *given) == pytest.approx(of_edges**2, rel=1e-9)


@pytest.mark.parametrize(("level", "counts"), [(0, True), (200, False), (255, False)])
def test_flat_windows_have_a_weight_only_where_they_are_black(level, counts):
    a, b, wrong = noise(3, 40, 80)
    sources = [image // 64 for image in (a, b)]
    for source in sources:
        source[:, 40:] = level
    changed = b.copy()
    changed[:, 60:] = wrong[:, 60:] // 2
    scores = [measured("QW", *sources, fused) for fused in (b, changed)]
    assert (scores[0] != pytest.approx(scores[1], rel=1e-9)) is counts


@pytest.mark.parametrize("name", ["QS", "QW", "QW@edge", "QE", "QE@squared"])
def test_equal_constant_and_small_images(name):
    (a,) = noise(1)
    assert measured(name, a, a, a) == pytest.approx(1, rel=1e-9)
    for level in (0, 128, 255):
        flat = np.full_like(a, level)
        assert measured(name, flat, flat, flat, flat) == pytest.approx(1, rel=1e-9)
    assert 0 <= measured(name, a, a, np.full_like(a, 128)) < 0.1
    assert math.isfinite(measured(name, *noise(3, 11, 11)))
    assert math.isnan(measured(name, *noise(3, 10, 40)))
    assert math.isnan(measured(name, *noise(3, 1, 1)))
