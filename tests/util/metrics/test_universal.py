import math

import numpy as np
import pytest

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

# Sources that contradict each other exactly leave QC to rounding errors, in skies of lytro-02, 05 and 07.
GOLD = [
    ("QC", "rederived", "QC_snap_published", 1e-4),
    ("QC@clipped", "rederived", "QC_snap", 5e-5),
    ("QY", "rederived", "QY_snap", 3e-9),
]
OFFSETS = np.arange(-3, 4)
GAUSSIAN = np.exp(-(OFFSETS[:, None] ** 2 + OFFSETS**2) / (2 * 1.5**2))
GAUSSIAN /= GAUSSIAN.sum()
C = 2e-16


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


@pytest.mark.parametrize(("name", "metric"), [("QC", "QC_snap_published"), ("QC@clipped", "QC_snap")])
def test_where_nothing_cancels_it_is_exact(name, metric):
    found = gold.differences(definition(name)[1], [("rederived", metric)])
    assert {triple for triple, value in found.items() if not value < 1e-9} <= {"lytro-02", "lytro-05", "lytro-07"}


def covariance(x, y):
    value = (GAUSSIAN * (x - (GAUSSIAN * x).sum()) * (y - (GAUSSIAN * y).sum())).sum()
    return value if abs(value) > 1e-8 else 0.0


def similarity(x, y):
    mean_x, mean_y = (GAUSSIAN * x).sum(), (GAUSSIAN * y).sum()
    luminance = (2 * mean_x * mean_y + C) / (mean_x**2 + mean_y**2 + C)
    return luminance * (2 * covariance(x, y) + C) / (covariance(x, x) + covariance(y, y) + C)


def shares(values):
    return [value / sum(values) if sum(values) else 1 / len(values) for value in values]


def qc(sources, fused, clipped):
    share = shares([covariance(source, fused) for source in sources])
    if clipped:
        share = shares([max(value, 0) for value in share])
    elif share[0] < 0:
        return 0
    elif min(share) < 0:
        return 1
    return np.dot(share, [similarity(source, fused) for source in sources])


def qy(sources, fused):
    scores = [similarity(source, fused) for source in sources]
    if min(similarity(a, b) for a in sources for b in sources) < 0.75:
        return max(scores)
    return np.dot(shares([covariance(source, source) for source in sources]), scores)


def mean(score, images, **options):
    patches = [np.lib.stride_tricks.sliding_window_view(p, (7, 7)).reshape(-1, 7, 7) for p in images]
    return np.mean([score(sources, fused, **options) for *sources, fused in zip(*patches, strict=True)])


def images(count):
    """Sources that are alike at the left, contradict each other in the middle, and are flat at the right."""
    given = noise(count, 20, 44)
    for image in given[1:]:
        image[:, :14] = (9 * given[0][:, :14] + image[:, :14]) // 10
    for level, image in enumerate(given[:-1]):
        image[:, 32:] = 70 * level
    return given


@pytest.mark.parametrize("count", [3, 4])
def test_window_by_window(count):
    given = images(count)
    assert measured("QC", *given) == pytest.approx(mean(qc, given, clipped=False), rel=1e-7)
    assert measured("QC@clipped", *given) == pytest.approx(mean(qc, given, clipped=True), rel=1e-7)
    assert measured("QY", *given) == pytest.approx(mean(qy, given), rel=1e-7)


def sparse(count):
    """Black images with few pixels of level 1, whose covariances are from 1e-8 to 1e-3 in many windows."""
    return [(image > 250).astype(int) for image in noise(count, 20, 44, seed=1)]


@pytest.mark.parametrize("count", [3, 4])
def test_small_covariances_are_no_rounding_errors(count):
    given = sparse(count)
    for name, score in (("QC", qc), ("QC@clipped", qc), ("QY", qy)):
        options = {} if score is qy else {"clipped": name != "QC"}
        assert measured(name, *given) == pytest.approx(mean(score, given, **options), rel=1e-9), name


def test_small_covariances_that_cancel_have_signs():
    """One window, in which A and F have a bright pixel each, apart from each other."""
    a, fused = np.zeros((2, 7, 7), int)
    a[3, 3] = fused[0, 0] = 1
    assert -1e-4 < covariance(a, fused) < 0
    assert measured("QC", a, 1 - a, fused) == 0
    assert measured("QC", 1 - a, a, fused) == 1


def test_where_covariances_cancel_the_positive_one_counts():
    (a,) = noise(1)
    assert measured("QC", a, 255 - a, a) == 1
    assert measured("QC", 255 - a, a, a) == 0
    assert measured("QC@clipped", a, 255 - a, a) == measured("QC@clipped", 255 - a, a, a) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", ["QC", "QC@clipped", "QY"])
def test_equal_constant_and_small_images(name):
    a, b = noise(2)
    assert measured(name, a, a, a) == pytest.approx(1, rel=1e-9)
    for level in (0, 128, 255):
        flat = np.full_like(a, level)
        assert measured(name, flat, flat, flat, flat) == pytest.approx(1, rel=1e-9)
    assert measured(name, a, b, np.full_like(a, 128)) == pytest.approx(0, abs=1e-9)
    assert math.isfinite(measured(name, *noise(3, 7, 7)))
    assert math.isnan(measured(name, *noise(3, 6, 40)))
    assert math.isnan(measured(name, *noise(3, 1, 1)))
