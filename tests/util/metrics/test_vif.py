import math

import numpy as np
import pytest
from scipy.signal import convolve2d

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("VIF", "rederived", "VIF_sum", 1e-7),
    ("VIF", "evalif", "VIF", 2e-7),
    ("VIFF", "rederived", "VIFF", 2e-9),
    ("VIFF", "mefb", "VIF", 2e-9),
    ("VIFF", "thfylsty", "VIFF_Public", 2e-9),
]


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def average(image, size):
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (size / 5) ** 2))
    return convolve2d(image, window / window.sum(), mode="valid")


def scales(images):
    """Images and window size of each scale that a window fits into."""
    for size in (17, 9, 5, 3):
        if size < 17:
            images = [average(image, size)[::2, ::2] for image in images]
        if min(images[0].shape) < size:
            return
        yield images, size


def channel(reference, seen, size):
    """Gain, noise and variance of the reference, window by window."""
    centred = [image - 128 for image in (reference, seen)]
    mean_x, mean_y = (average(image, size) for image in centred)
    variance = np.maximum(average(centred[0] ** 2, size) - mean_x**2, 0)
    seen_variance = np.maximum(average(centred[1] ** 2, size) - mean_y**2, 0)
    covariance = average(centred[0] * centred[1], size) - mean_x * mean_y
    gain = covariance / (variance + 1e-10)
    noise_variance = seen_variance - gain * covariance
    for flat in (variance < 1e-10, seen_variance < 1e-10, gain < 0):
        gain[flat] = 0
        noise_variance[flat] = seen_variance[flat]
    variance[variance < 1e-10] = 0
    return gain, np.maximum(noise_variance, 1e-10), variance


def terms(gain, noise_variance, variance, eye):
    return np.log10(1 + gain**2 * variance / (noise_variance + eye)), np.log10(1 + variance / eye)


def vif(reference, fused):
    parts = [terms(*channel(x, f, size), 2) for (x, f), size in scales([reference, fused])]
    return sum(part[0].sum() for part in parts) / sum(part[1].sum() for part in parts)


def viff(*images):
    total = 0
    for weight, (given, size) in zip((1, 0, 0.15, 1), scales(images), strict=True):
        *sources, fused = given
        channels = np.array([channel(source, fused, size) for source in sources])
        places = channels[:, 0].argmin(0)
        chosen = np.take_along_axis(channels, places[None, None], 0)[0]
        seen, there = terms(*chosen, 325.125)
        total += weight * (seen + 1e-7).sum() / (there + 1e-7).sum()
    return total / 2.15


def images(count, height=47, width=58):
    """Sources and a fused image with something of each; a part is black."""
    *sources, structure = noise(count, height, width)
    fused = sum(sources) // (count - 1) + structure // 5
    given = [image.astype(float) for image in (*sources, np.minimum(fused, 255))]
    for image in given:
        image[:20, :24] = 0
    return given


@pytest.mark.parametrize("count", [3, 4])
def test_window_by_window(count):
    *sources, fused = given = images(count)
    assert measured("VIF", *given) == pytest.approx(sum(vif(source, fused) for source in sources), rel=1e-8)
    assert measured("VIFF", *given) == pytest.approx(viff(*given), rel=1e-8)


@pytest.mark.parametrize("side", [17, 24, 25, 40])
def test_vif_leaves_out_scales_that_do_not_fit(side):
    a, b, fused = given = [image[:, -side:] for image in images(3)]
    assert measured("VIF", *given) == pytest.approx(vif(a, fused) + vif(b, fused), rel=1e-8)


def test_special_images():
    a, b = noise(2, 50, 50)
    grey, white = np.full_like(a, 128), np.full_like(a, 255)
    assert measured("VIF", a, a, a, a) == pytest.approx(3, rel=1e-9)
    assert measured("VIFF", a, a, a, a) == pytest.approx(1, rel=1e-9)
    assert measured("VIF", a, b, white) == 0  # nothing is seen
    assert 0 < measured("VIFF", a, b, white) < 1e-5
    assert math.isnan(measured("VIF", a, grey, a))  # nothing is there
    assert measured("VIFF", grey, white, a) == pytest.approx(1)
    assert measured("VIF", a, a, a // 2 + 60) < 2 < measured("VIF", a // 2 + 60, a // 2 + 60, a)


def test_viff_of_equal_gains_takes_the_last_source():
    """No gain at all: a flat source holds nothing, which is preserved; the negative holds much, which is lost."""
    (a,) = noise(1, 50, 50)
    grey = np.full_like(a, 128)
    assert measured("VIFF", 255 - a, grey, a) == pytest.approx(1)
    assert measured("VIFF", grey, 255 - a, a) < 1e-4


def test_a_flat_source_has_no_gain_for_all_rounding_errors():
    """Otherwise they exceed the small gain of the other source somewhere, whose loss would count there."""
    (a,) = noise(1, 60, 60)
    assert measured("VIFF", a, np.full_like(a, 255), 250 + a // 50) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "shape", "fits"),
    [
        ("VIF", (16, 50), False),
        ("VIF", (17, 17), True),
        ("VIF", (1, 1), False),
        ("VIFF", (40, 60), False),
        ("VIFF", (41, 41), True),
        ("VIFF", (2, 3), False),
    ],
)
def test_windows_that_do_not_fit_are_nan(name, shape, fits):
    assert math.isnan(measured(name, *noise(3, *shape))) is not fits
