import math

import numpy as np
import pytest
from scipy import ndimage, signal

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

# Of large black backgrounds QCB sees nothing but the rounding of the Fourier transform.
BLACK = {"c01", "c02", "c04", "c06", "c08", "FeqA-c01"}
GOLD = [
    ("QCV", "liu", "QCV"),
    ("QCV", "vifb", "Qcv"),
    ("QCB", "liu", "QCB"),
    ("QCB", "rederived", "QCB"),
    ("QCB@div255", "mefb", "Qcb"),
    ("QCB@div255", "rederived", "QCB_div255"),
]


@pytest.mark.parametrize(("name", "implementation", "metric"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric):
    values = []

    def measure(scene):
        values.append(definition(name)[1](scene))
        return values[-1]

    found, triple = gold.worst(measure, implementation, metric)
    if name == "QCV":
        assert found < 1e-9, triple
        return
    triples = [key for key in gold.triples() if (*key, implementation, metric) in gold.rows()]
    for (kind, triple), value in zip(triples, values, strict=True):
        expected = gold.rows()[kind, triple, implementation, metric]
        assert gold.difference(value.item(), expected) < (2e-4 if triple in BLACK else 1e-9), triple


def stretched(image, unit=1.0):
    image = image / unit
    low, high = image.min(), image.max()
    return np.floor((image - low) / (high - low) * 255 + 0.5)


def filtered(image, degrees, sensitivity):
    """As it is published: a full spectrum with frequency 0 in its middle."""
    height, width = image.shape
    u, v = ((np.arange(n) - n // 2) * 2 / n for n in (width, height))
    r = np.hypot(u[None] * width / degrees, v[:, None] * height / degrees)
    return np.fft.ifft2(np.fft.ifftshift(np.fft.fftshift(np.fft.fft2(image)) * sensitivity(r))).real


def chen_varshney(sources, fused):
    def sensitivity(r):
        return 2.6 * (0.0192 + 0.144 * r) * np.exp(-((0.144 * r) ** 1.1))

    fused = stretched(fused)
    height, width = fused.shape
    errors = weights = 0
    for source in map(stretched, sources):
        across, down = (ndimage.sobel(source, axis, mode="constant") for axis in (1, 0))
        strength = np.hypot(across, down) ** 5
        error = filtered(source - fused, 8, sensitivity) ** 2
        for i in range(0, height, 16):
            for j in range(0, width, 16):
                block = np.s_[i : i + 16, j : j + 16]
                errors += strength[block].sum() * error[block].sum() / 256
                weights += strength[block].sum()
    return errors / weights


def chen_blum(sources, fused, unit):
    def sensitivity(r):
        return np.exp(-((r / 15.3870) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2))

    def masked_contrast(image):
        seen = filtered(stretched(image, unit), 30, sensitivity)
        k, m = np.mgrid[-15:16, -15:16]
        near, far = (
            signal.convolve2d(seen, np.exp(-(k**2 + m**2) / (2 * s**2)) / (2 * np.pi * s**2), mode="same")
            for s in (2, 4)
        )
        contrast = abs(near / far - 1)
        return contrast**3 / (contrast**2 + 0.0001)

    f = masked_contrast(fused)
    shown = [masked_contrast(source) for source in sources]
    weights = sum(x**2 for x in shown)
    return np.mean(sum(x**2 / weights * np.minimum(x, f) / np.maximum(x, f) for x in shown))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("height", "width"), [(20, 25), (33, 48), (5, 2), (16, 16)])
def test_definitions(count, height, width):
    *sources, fused = (image // 3 + 20 * k for k, image in enumerate(noise(count + 1, height, width)))
    images = (*sources, fused)
    assert measured("QCV", *images) == pytest.approx(chen_varshney(sources, fused), rel=1e-9)
    assert measured("QCB", *images) == pytest.approx(chen_blum(sources, fused, 1), rel=1e-6)
    assert measured("QCB@div255", *images) == pytest.approx(chen_blum(sources, fused, 255), rel=1e-6)


def test_dividing_before_stretching_turns_ties():
    """Of levels 0 to 102 every fifth lands between two: 255 / 102 is 2.5."""
    a, b, fused = (image % 103 for image in noise(3, 40, 40))
    assert measured("QCB@div255", a, b, fused) != measured("QCB", a, b, fused)


@pytest.mark.parametrize("name", ["QCV", "QCB", "QCB@div255"])
@pytest.mark.parametrize("level", [1, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (16, 16), (31, 40)])
def test_constant_images_cannot_be_stretched(name, level, shape):
    a, b, fused = noise(3, *shape)
    flat = np.full(shape, level)
    assert math.isnan(measured(name, a, b, flat))
    assert math.isnan(measured(name, a, flat, fused))


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (20, 25)])
def test_black_is_black(shape):
    a, b, _ = noise(3, *shape)
    black = np.zeros(shape, int)
    assert math.isfinite(measured("QCV", a, b, black)) == (shape != (1, 1))  # one pixel is constant
    assert math.isnan(measured("QCV", black, black, a))  # no source has a gradient
    assert math.isnan(measured("QCB", a, b, black))  # no contrast: 0/0


def test_equal_images():
    (a,) = noise(1)
    assert measured("QCV", a, a, a) == 0
    assert measured("QCB", a, a, a) == pytest.approx(1, rel=1e-12)
