import math

import numpy as np
import pytest
from scipy import ndimage

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("Qabf", "cddfuse_f64", "Qabf", 1e-9),
    ("Qabf", "evalif", "Qabf", 1e-9),
    ("QG", "liu", "QG", 1e-9),
    ("Nabf", "evalif", "Nabf", 1e-9),
    ("Nabf", "rederived", "Nabf", 1e-9),
    ("Nabf@zero_weight", "ivif_zoo", "Nabf", 1e-9),
    ("Nabf@swapped", "evalif", "Nabf_ascalled_args_A_B_F", 1e-9),
    ("QSF", "liu", "QSF", 2e-9),
    ("QSF", "rederived", "QSF", 2e-9),
]
SX = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def sobel(image, mode):
    """Derivatives towards columns and rows."""
    return ndimage.correlate(image, SX, mode=mode), ndimage.correlate(image, SX.T, mode=mode)


def sigmoid(value, gain, middle):
    return 1 / (1 + math.exp(-gain * (value - middle)))


def pixels(images, mode):
    """(gx, gy) of the sources and, last, the fused image, one pixel after another."""
    derivatives = [np.stack(sobel(image, mode), -1).reshape(-1, 2).tolist() for image in images]
    return zip(*derivatives, strict=True)


def qabf(*images, equal=None):
    def angle(x, y):
        return math.pi / 2 if x == 0 else -math.atan(y / x)

    kept = weight = 0.0
    for *sources, fused in pixels(images, "constant"):
        g_fused = math.sqrt(fused[0] ** 2 + fused[1] ** 2)
        for source in sources:
            g = math.sqrt(source[0] ** 2 + source[1] ** 2)
            same = g_fused if equal is None else equal
            r = same if g == g_fused else min(g, g_fused) / max(g, g_fused)
            d = 1 - abs(angle(*source) - angle(*fused)) / (math.pi / 2)
            kept += g * 0.9994 * sigmoid(r, 15, 0.5) * 0.9879 * sigmoid(d, 22, 0.8)
            weight += g
    return kept / weight


def qg(*images):
    def angle(x, y):
        return math.atan(y / (x or 1e-5))

    scores = []
    for *sources, fused in pixels(images, "constant"):
        g_fused = math.sqrt(fused[0] ** 2 + fused[1] ** 2)
        kept = weight = 0.0
        for source in sources:
            g = math.sqrt(source[0] ** 2 + source[1] ** 2)
            stronger, g = g > g_fused, g or 1e-5
            if stronger:
                r = g_fused / g
                g_fused = g_fused or 1e-5
            else:
                g_fused = g_fused or 1e-5
                r = g / g_fused
            d = abs(abs(angle(*source) - angle(*fused)) - math.pi / 2) * 2 / math.pi
            kept += g * sigmoid(r, 10, 0.5) * sigmoid(d, 20, 0.75)
            weight += g
        scores.append(kept / weight)
    return np.mean(scores)


def nabf(*images, weak=0.001):
    def angle(v, h):
        return math.atan(v / h) if h else math.copysign(math.pi / 2, v) if v else 0

    lost = weight = 0.0
    for *sources, fused in pixels(images, "mirror"):
        g_fused = math.sqrt(fused[0] ** 2 + fused[1] ** 2) / 8
        strengths = [math.sqrt(source[0] ** 2 + source[1] ** 2) / 8 for source in sources]
        for source, g in zip(sources, strengths, strict=True):
            r = min(g, g_fused) / max(g, g_fused) if g and g_fused else 0
            d = abs(abs(angle(*source) - angle(*fused)) - math.pi / 2) * 2 / math.pi
            q = math.sqrt(0.9999 * sigmoid(r, 19, 0.5) * 0.9995 * sigmoid(d, 22, 0.5))
            w = g**1.5 if g >= 2 else weak
            lost += (1 - q) * w * (g_fused > max(strengths))
            weight += w
    return lost / weight


def qsf(*images):
    def differences(p):
        yield p[:, 1:] - p[:, :-1], 1
        yield p[1:] - p[:-1], 1
        yield p[1:, 1:] - p[:-1, :-1], math.sqrt(0.5)
        yield p[1:, :-1] - p[:-1, 1:], math.sqrt(0.5)

    *sources, fused = map(list, map(differences, images))
    sf_fused = math.sqrt(sum(share * (d**2).sum() for d, share in fused))
    largest = [max_of(directions) for directions in zip(*sources, strict=True)]
    sf_reference = math.sqrt(sum(share * (d**2).sum() for d, share in largest))
    return sf_fused / sf_reference - 1


def max_of(directions):
    return np.max([abs(d) for d, _ in directions], 0), directions[0][1]


def scenes():
    """Images with equal strengths, flat places and right angles among their gradients."""
    a, b, f = noise(3)
    a[4:12, 4:12], b[4:12, 8:16], f[4:12, 2:14] = 90, 30, 60
    f[14:] = a[14:]
    f[:, 20:] = 255 - b[:, 20:]
    return [(a, b, f), (a, b, 2 * (f // 2), f), (a, a // 2, a), (f // 16, a // 16, b // 16)]


@pytest.mark.parametrize(
    ("name", "naive"),
    [
        ("Qabf", qabf),
        ("Qabf@equal_is_one", lambda *images: qabf(*images, equal=1)),
        ("QG", qg),
        ("Nabf", nabf),
        ("Nabf@zero_weight", lambda *images: nabf(*images, weak=0)),
        ("Nabf@swapped", lambda *images: nabf(*images[1:], images[0])),
        ("QSF", qsf),
    ],
)
@pytest.mark.parametrize("number", range(4))
def test_pixel_by_pixel(name, naive, number):
    images = scenes()[number]
    assert measured(name, *images) == pytest.approx(naive(*images), rel=1e-10)


def test_a_fused_image_without_gradients_is_not_the_same_to_every_source_in_qg():
    b, a = np.mgrid[:20, :25]  # the flat image is parallel to one and at right angles to the other
    flat = np.full_like(a, 128)
    assert measured("QG", a, b, flat) == pytest.approx(qg(a, b, flat), rel=1e-10)
    assert measured("QG", a, b, flat) != pytest.approx(qg(b, a, flat), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Qabf", 0.9994 * 0.9879 / (1 + math.exp(-4.4))), ("QG", 1 / (1 + math.exp(-5)) ** 2), ("Nabf", 0), ("QSF", 0)],
)
def test_a_perfect_fusion(name, expected):
    (image,) = noise(1)
    assert measured(name, image, image, image) == pytest.approx(expected, rel=2e-4, abs=1e-12)


def test_images_that_have_no_answer():
    dark, bright = np.zeros((8, 9), np.uint8), np.full((8, 9), 200, np.uint8)
    assert math.isnan(measured("Qabf", dark, dark, bright))
    assert math.isnan(measured("QSF", bright, dark, bright))
    assert math.isnan(measured("Nabf@zero_weight", bright, dark, bright))
    assert math.isnan(measured("Nabf", dark[:1], bright[:1], dark[:1]))
    assert measured("Nabf", bright, dark, bright) == 0
    assert measured("QSF", dark, bright, noise(1, 8, 9)[0]) == math.inf
