import math

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("CC", "cddfuse_f64", "CC", 1e-9),
    ("CC", "thfylsty", "my_cc", 1e-9),
    ("SCD", "cddfuse_f64", "SCD", 1e-9),
    ("SCD", "evalif", "SCD", 1e-9),
    ("MSE", "cddfuse_f64", "MSE", 1e-9),
    ("MSE@unit", "evalif", "MSE", 1e-9),
    ("RMSE", "rederived", "RMSE", 1e-9),
    ("RMSE@root_first", "vifb", "Rmse", 1e-9),
    ("PSNR", "rederived", "PSNR", 1e-9),
    ("PSNR@fused_peak", "cddfuse_f64", "PSNR", 1e-9),
    ("PSNR@unit_error", "evalif", "PSNR", 1e-9),
    ("PSNR@rmse_root_first", "vifb", "Psnr", 1e-9),
]


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def correlation(x, y):
    return np.corrcoef(np.ravel(x), np.ravel(y))[0, 1]


def test_correlation_is_the_mean_over_the_sources():
    *sources, fused = noise(4)
    expected = np.mean([correlation(source, fused) for source in sources])
    assert measured("CC", *sources, fused) == pytest.approx(expected, rel=1e-10)


def test_differences_are_of_the_other_source():
    a, b, fused = noise(3)
    expected = correlation(fused - b, a) + correlation(fused - a, b)
    assert measured("SCD", a, b, fused) == pytest.approx(expected, rel=1e-10)


def test_differences_are_of_the_mean_of_the_other_sources():
    a, b, c, fused = noise(4)
    shares = [(a, (b + c) / 2), (b, (a + c) / 2), (c, (a + b) / 2)]
    expected = sum(correlation(fused - rest, source) for source, rest in shares)
    assert measured("SCD", a, b, c, fused) == pytest.approx(expected, rel=1e-10)


def test_errors_of_three_sources():
    *sources, fused = noise(4)
    errors = [mean_squared_error(source, fused) for source in sources]
    assert measured("MSE", *sources, fused) == pytest.approx(np.mean(errors), rel=1e-12)
    assert measured("MSE@unit", *sources, fused) == pytest.approx(np.mean(errors) / 255**2, rel=1e-12)
    assert measured("RMSE", *sources, fused) == pytest.approx(np.mean(np.sqrt(errors)), rel=1e-12)
    assert measured("RMSE@root_first", *sources, fused) == pytest.approx(np.mean(np.sqrt(errors)) / 500**0.5)


def test_decibels():
    a, fused = noise(2)
    expected = peak_signal_noise_ratio(a, fused, data_range=255)
    assert measured("PSNR", a, a, fused) == pytest.approx(expected, rel=1e-12)
    assert measured("PSNR@unit_error", a, a, fused) == pytest.approx(expected + 20 * math.log10(255), rel=1e-12)
    dark = fused // 2
    expected = peak_signal_noise_ratio(a, dark, data_range=dark.max())
    assert measured("PSNR@fused_peak", a, a, dark) == pytest.approx(expected, rel=1e-12)
    root_first = measured("RMSE@root_first", a, a, fused)
    assert measured("PSNR@rmse_root_first", a, a, fused) == pytest.approx(20 * math.log10(255 / root_first**0.5))


@pytest.mark.parametrize("level", [0, 37, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 11), (16, 16)])
def test_constant_images_correlate_with_nothing(level, shape):
    a, b, _ = noise(3, *shape)
    flat = np.full(shape, level)
    assert math.isnan(measured("CC", a, b, flat))
    assert math.isnan(measured("CC", a, flat, b))
    assert math.isnan(measured("SCD", a, flat, b))


@pytest.mark.parametrize("level", [0, 37, 255])
def test_a_source_that_gave_nothing_has_no_share(level):
    a, b = noise(2)
    assert math.isnan(measured("SCD", a, b, a))
    assert math.isfinite(measured("SCD", a, b, np.full_like(a, level)))
    # The mean of the others is the fused image and a third, which must not become noise that correlates.
    dark = a // 2
    assert math.isnan(measured("SCD", dark, dark, dark, dark + 1, dark))


def test_equal_images_have_no_error():
    (a,) = noise(1)
    assert measured("CC", a, a, a) == pytest.approx(1, rel=1e-12)
    assert measured("MSE", a, a, a) == measured("RMSE", a, a, a) == 0
    assert measured("PSNR", a, a, a) == math.inf
