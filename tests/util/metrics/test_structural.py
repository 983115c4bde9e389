import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition
from util.metrics.structural import METRICS

GOLD = [
    ("SSIM", "rederived", "SSIM_mean", 4e-9),
    ("SSIM@sum", "vifb", "Ssim", 4e-9),
    ("SSIM@skimage_range2_sum", "cddfuse_f64", "SSIM", 5e-9),
    ("SSIM@skimage_range255_sum", "smfnet_f64", "SSIM", 4e-9),
    ("SSIM@replicate", "rederived", "SSIM_replicate_mean", 3e-9),
    ("SSIM@replicate_range1", "rederived", "SSIM_replicate_L1_mean", 7e-8),
    ("MS_SSIM@sum", "rederived", "MSSSIM_sum", 4e-9),
]
NAMES = [name for metric in METRICS for name in (metric.name, *(f"{metric.name}@{c}" for c in metric.conventions))]
WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def in_windows(image, mode="reflect"):
    """Gaussian window 11x11 of sigma 1.5 at every pixel."""
    return gaussian_filter(image, 1.5, radius=5, mode=mode)


def maps(x, y, peak=255, mode="reflect"):
    """The two factors of the similarity at every pixel."""
    x, y = x.astype(float), y.astype(float)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = in_windows(x, mode), in_windows(y, mode)
    spread = in_windows((x - 99) ** 2, mode) - (mean_x - 99) ** 2 + in_windows((y - 99) ** 2, mode) - (mean_y - 99) ** 2
    covariance = in_windows((x - 99) * (y - 99), mode) - (mean_x - 99) * (mean_y - 99)
    return (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), (2 * covariance + c2) / (spread + c2)


def test_ssim_is_the_mean_over_full_windows_and_sources():
    *sources, fused = noise(4)
    inner = np.s_[5:-5, 5:-5]
    each = [np.mean(np.multiply(*maps(source, fused))[inner]) for source in sources]
    assert measured("SSIM", *sources, fused) == pytest.approx(np.mean(each), rel=1e-11)
    assert measured("SSIM@sum", *sources, fused) == pytest.approx(np.sum(each), rel=1e-11)


@pytest.mark.parametrize(("convention", "peak"), [("skimage_range2_sum", 2), ("skimage_range255_sum", 255)])
def test_skimages_ssim(convention, peak):
    a, b, fused = (image.astype(float) for image in noise(3))
    expected = sum(structural_similarity(source, fused, data_range=peak) for source in (a, b))
    assert measured(f"SSIM@{convention}", a, b, fused) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("convention", "peak"), [("replicate", 255), ("replicate_range1", 1)])
def test_ssim_with_repeated_edges(convention, peak):
    a, b, fused = noise(3)
    expected = np.mean([np.mean(np.multiply(*maps(source, fused, peak, "nearest"))) for source in (a, b)])
    assert measured(f"SSIM@{convention}", a, b, fused) == pytest.approx(expected, rel=1e-10)


def halved(image):
    """2x2 means after a line of zeros on both sides where the number of lines is odd."""
    padded = np.pad(image, [(size % 2, size % 2) for size in image.shape]).astype(float)
    height, width = (size // 2 * 2 for size in padded.shape)
    return padded[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def test_ms_ssim_scale_by_scale():
    a, b, fused = noise(3, 163, 172)
    fused = (a // 2 + b // 3 + fused // 6).astype(float)
    total = 0
    for x in (a, b):
        y, score = fused, 1
        for scale, weight in enumerate(WEIGHTS):
            luminance, structure = (part[5:-5, 5:-5] for part in maps(x, y))
            score *= np.mean(structure * luminance if scale == 4 else structure) ** weight
            x, y = halved(x), halved(y)  # noqa: PLW2901
        total += score
    assert measured("MS_SSIM@sum", a, b, fused) == pytest.approx(total, rel=1e-10)
    assert measured("MS_SSIM", a, b, fused) == pytest.approx(total / 2, rel=1e-10)


def test_ms_ssim_of_opposites_is_0():
    a, b = noise(2, 161, 161)
    assert measured("MS_SSIM", a, a, 255 - a) == 0
    assert 0 < measured("MS_SSIM", a, b, a) < 1


@pytest.mark.parametrize("name", NAMES)
def test_equal_and_constant_images_have_a_value(name):
    (a,) = noise(1, 161, 161)
    flat = np.full_like(a, 128)
    count = 3 if name.endswith("sum") else 1
    assert measured(name, a, a, a, a) == pytest.approx(count, rel=1e-10)
    assert measured(name, flat, flat, flat, flat) == pytest.approx(count, rel=1e-6)
    assert measured(name, a, a, a, flat) < 0.6 * count


@pytest.mark.parametrize(
    ("name", "shape", "fits"),
    [
        ("SSIM", (10, 50), False),
        ("SSIM", (11, 11), True),
        ("SSIM@skimage_range255_sum", (6, 7), False),
        ("SSIM@skimage_range255_sum", (7, 7), True),
        ("SSIM@replicate", (1, 1), True),
        ("SSIM@replicate", (2, 3), True),
        ("MS_SSIM", (160, 300), False),
        ("MS_SSIM", (161, 161), True),
        ("MS_SSIM", (1, 1), False),
    ],
)
def test_windows_that_do_not_fit_are_nan(name, shape, fits):
    assert math.isnan(measured(name, *noise(3, *shape))) is not fits
