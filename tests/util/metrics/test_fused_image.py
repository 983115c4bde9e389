import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import shannon_entropy

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition
from util.metrics.fused_image import METRICS

GOLD = [
    ("EN", "evalif", "EN", 1e-9),
    ("SD", "evalif", "SD", 1e-9),
    ("SF", "cddfuse_f64", "SF", 1e-9),
    ("SF", "evalif", "SF", 1e-9),
    ("SF@over_pixels", "rederived", "SF_mn", 1e-9),
    ("SF@over_pixels", "vifb", "Spatial_frequency", 1e-9),
    ("AG", "cddfuse_f64", "AG", 1e-9),
    ("AG@over_inner", "vifb", "Avg_gradient", 1e-9),
    ("AG@without_half", "smfnet_f64", "AG1", 1e-9),
    ("AG@forward", "thfylsty", "Definition", 1e-9),
    ("AG@forward_over_pixels", "thfylsty", "AverageGradient", 1e-9),
    ("EI", "vifb", "Edge_intensity", 1e-9),
    ("EI@zero_border", "rederived", "EI_zeropad", 1e-9),
    ("EI@zero_border", "ivif_zoo", "EI", 1e-6),  # in float32
]
NAMES = [name for metric in METRICS for name in (metric.name, *(f"{metric.name}@{c}" for c in metric.conventions))]


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def of(name, image):
    return measured(name, image, image, image)


def test_entropy_and_deviation():
    assert of("EN", [[0, 10], [20, 30]]) == 2
    assert of("EN", np.arange(256).reshape(16, 16)) == 8
    assert of("SD", [[0, 255], [0, 255]]) == 127.5
    (image,) = noise(1)
    assert of("EN", image) == pytest.approx(shannon_entropy(image, base=2), rel=1e-12)
    assert of("SD", image) == pytest.approx(image.std(), rel=1e-12)


def test_spatial_frequency_by_hand():
    image = [[0, 1, 3], [5, 5, 5]]
    across, down = 1 + 4, 25 + 16 + 4
    assert of("SF", image) == pytest.approx(math.sqrt(across / 4 + down / 3), rel=1e-12)
    assert of("SF@over_pixels", image) == pytest.approx(math.sqrt((across + down) / 6), rel=1e-12)


def test_average_gradients():
    (image,) = noise(1)
    rows, columns = np.gradient(image.astype(float))
    central = np.sqrt((rows**2 + columns**2) / 2)
    assert of("AG", image) == pytest.approx(central.mean(), rel=1e-12)
    assert of("AG@over_inner", image) == pytest.approx(central.sum() / (19 * 24), rel=1e-12)
    assert of("AG@without_half", image) == pytest.approx(central.mean() * math.sqrt(2), rel=1e-12)
    forward = [
        math.sqrt(((image[i, j + 1] - image[i, j]) ** 2 + (image[i + 1, j] - image[i, j]) ** 2) / 2)
        for i in range(19)
        for j in range(24)
    ]
    assert of("AG@forward", image) == pytest.approx(sum(forward) / (19 * 24), rel=1e-12)
    assert of("AG@forward_over_pixels", image) == pytest.approx(sum(forward) / (20 * 25), rel=1e-12)


@pytest.mark.parametrize(("name", "mode"), [("EI", "nearest"), ("EI@zero_border", "constant")])
def test_edge_intensity(name, mode):
    (image,) = noise(1)
    across, down = (ndimage.sobel(image.astype(float), axis, mode=mode) for axis in (1, 0))
    assert of(name, image) == pytest.approx(np.hypot(across, down).mean(), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_fused_image_counts(name):
    a, b, c, fused = noise(4)
    assert measured(name, a, b, c, fused) == of(name, fused)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "EI@zero_border"])
def test_a_constant_image_has_nothing(name):
    assert of(name, np.full((7, 9), 37)) == 0


@pytest.mark.parametrize("name", ["SF", *(name for name in NAMES if name.startswith("AG"))])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_without_differences_there_is_no_value(name, shape):
    assert math.isnan(of(name, np.arange(shape[0] * shape[1]).reshape(shape)))


@pytest.mark.parametrize("name", ["EN", "SD", "EI"])
def test_one_pixel_has_nothing(name):
    assert of(name, [[200]]) == 0
