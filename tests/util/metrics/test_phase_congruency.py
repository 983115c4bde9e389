import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise, scene
from util.metrics import log_gabor
from util.metrics import phase_congruency as module
from util.metrics.catalogue import definition
from util.metrics.log_gabor import bank
from util.metrics.phase_congruency import Features, phase_congruency

# Here the toolboxes have NaN, because a source has no amplitude or the rounding errors of a constant image vanish.
OTHERWISE = {"const128-lytro-01", "crop16-c01"}


def test_published_code_has_the_same_values():
    found = gold.differences(definition("QP")[1], [("rederived", "QP"), ("liu", "QP"), ("mefb", "Qp")])
    assert len(found) == 36
    assert {triple for triple, value in found.items() if not value < 1e-9} == OTHERWISE


def test_the_formulas_have_the_same_values_for_degenerate_images():
    found, triple = gold.worst(definition("QP")[1], "rederived", "QP", "degenerate")
    assert found < 1e-9, triple


def filters(height, width):
    """(6, 4, H, W): all filters on the whole grid."""

    def axis(size):
        steps = size - 1 if size % 2 else size
        return (np.arange(size) - (size - 1) / 2 if size % 2 else np.arange(size) - size / 2) / steps

    x, y = np.meshgrid(axis(width), axis(height))
    radius = np.hypot(x, y)
    radius[height // 2, width // 2] = 1
    radius, angle = np.fft.ifftshift(radius), np.fft.ifftshift(np.arctan2(-y, x))
    v, u = np.meshgrid((np.arange(width) - width // 2) / width, (np.arange(height) - height // 2) / height)
    low_pass = np.fft.fftshift(1 / (1 + (np.hypot(u, v) / 0.45) ** 30))
    bank = np.empty((6, 4, height, width))
    for o in range(6):
        turned = angle - o * np.pi / 6
        distance = abs(np.arctan2(np.sin(turned), np.cos(turned)))
        for s in range(4):
            radial = np.exp(-(np.log(radius * 3 * 2.1**s) ** 2) / (2 * np.log(0.55) ** 2)) * low_pass
            radial[0, 0] = 0
            bank[o, s] = radial * np.exp(-(distance**2) / (2 * (np.pi / 7.2) ** 2))
    return bank


def features(image):
    """Phase congruency, largest and smallest moment, with complex transforms of the whole grid."""
    spectrum = np.fft.fft2(image)
    total = amplitudes = 0
    xx = yy = xy = 0
    for o, each in enumerate(filters(*image.shape)):
        z = np.fft.ifft2(spectrum * each)
        amplitude = abs(z)
        whole = z.sum(0)
        direction = whole / (abs(whole) + 1e-4)
        energy = (z.real * direction.real + z.imag * direction.imag).sum(0)
        energy = energy - abs(z.real * direction.imag - z.imag * direction.real).sum(0)
        p = np.median(amplitude[0] ** 2) / np.log(2) / (each[0] ** 2).sum()
        impulse = np.fft.ifft2(each).real * math.sqrt(image.size)
        pairs = sum((impulse[s] * impulse[t]).sum() for s in range(4) for t in range(s + 1, 4))
        t = math.sqrt((2 * p * (impulse**2).sum() + 4 * p * pairs) / 2)
        energy = np.maximum(energy - (t * math.sqrt(np.pi / 2) + 2 * math.sqrt((2 - np.pi / 2) * t**2)) / 1.7, 0)
        width = amplitude.sum(0) / (amplitude.max(0) + 1e-4) / 4
        energy = energy / (1 + np.exp(10 * (0.5 - width)))
        total, amplitudes = total + energy, amplitudes + amplitude.sum(0)
        share, phi = energy / amplitude.sum(0), o * np.pi / 6
        xx, yy = xx + (share * np.cos(phi)) ** 2 / 3, yy + (share * np.sin(phi)) ** 2 / 3
        xy = xy + share**2 * np.cos(phi) * np.sin(phi) / 6
    k = np.sqrt(xy**2 + (xx - yy) ** 2) + 1e-4
    return total / (amplitudes + 1e-4), (xx + yy + k) / 2, (xx + yy - k) / 2


def qp(*images):
    *sources, fused = map(features, images)
    masks = [source[0] > 0.1 for source in sources]
    chosen = len(sources) - 1 - np.argmax([source[0] for source in reversed(sources)], 0)
    masks.append(np.max([source[0] for source in sources], 0) > 0.1)
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()

    def mean(values):
        rows = ndimage.correlate1d(values, weights, 0, mode="constant")
        return ndimage.correlate1d(rows, weights, 1, mode="constant")

    def covariance(x, y):
        return mean(x * y) - mean(x) * mean(y)

    score = 1.0
    for index, f in enumerate(fused):
        maps = [source[index] for source in sources]
        maps.append(np.choose(chosen, maps))
        correlations = []
        for values, mask in zip(maps, masks, strict=True):
            y = values * mask
            deviations = np.sqrt(abs(covariance(y, y) * covariance(f, f)))
            correlations.append((covariance(y, f) + 1e-4) / (deviations + 1e-4) * mask)
        score *= np.max(correlations, 0).sum() / masks[-1].sum()
    return score


def images(count, height, width):
    """Edges in all directions, and some noise."""
    y, x = np.mgrid[:height, :width]
    return [
        100 + 80 * ((x - 17 - 3 * n) ** 2 + (y - 11 - 2 * n) ** 2 < 90) + 40 * (x + n * y > 30) + grain // 16
        for n, grain in enumerate(noise(count, height, width))
    ]


@pytest.mark.parametrize(("height", "width"), [(32, 40), (31, 33), (32, 33), (31, 40)])
def test_features_with_complex_transforms(height, width):
    (image,) = images(1, height, width)
    (found,) = phase_congruency(scene(image, image, image).sources[:1])
    for values, expected in zip(found, features(image), strict=True):
        np.testing.assert_allclose(values[0].numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("count", "height", "width"), [(3, 32, 40), (3, 31, 33), (4, 36, 36), (5, 36, 36)])
def test_the_score_with_complex_transforms(count, height, width):
    several = images(count, height, width)
    assert measured("QP", *several) == pytest.approx(qp(*several), rel=1e-9)


def test_of_equal_congruency_the_last_source_counts(monkeypatch):
    """A is stronger at the left, elsewhere both are alike: the map of the stronger one has B's features there."""
    columns = np.mgrid[:20, :30][1]
    left = torch.from_numpy(columns < 15).double()[None]
    congruency = torch.full_like(left, 0.5)
    a, b = (torch.from_numpy(image / 255.0)[None] for image in noise(2, 20, 30))
    mixed = torch.where(left > 0, a, b)
    features = [
        Features(congruency + left / 4, a, a),
        Features(congruency, b, b),
        Features(mixed, mixed, mixed),
    ]

    def score(order):
        monkeypatch.setattr(module, "phase_congruency", lambda _: [features[index] for index in order])
        return measured("QP", *noise(3, 20, 30))

    assert score([0, 1, 2]) > 1.01 * score([1, 0, 2])


def test_filters_of_large_images_are_not_remembered(monkeypatch):
    device = torch.device("cpu")
    assert bank(12, 14, device) is bank(12, 14, device)
    monkeypatch.setattr(log_gabor, "_REMEMBERED_PIXELS", 12 * 14 - 1)
    assert bank(12, 14, device) is not bank(12, 14, device)


@pytest.mark.parametrize(("height", "width"), [(12, 14), (11, 13), (11, 14)])
def test_the_parts_of_filters_make_up_the_filters(height, width):
    (image,) = noise(1, height, width)
    spectrum = np.fft.fft2(image)
    half = torch.fft.rfft2(torch.from_numpy(image).double())
    ours = bank(height, width, torch.device("cpu"))
    for orientation, each in enumerate(filters(height, width)):
        for (even, odd), whole in zip(ours.filters(orientation), each, strict=True):
            found = [torch.fft.irfft2(half * part, s=(height, width)).numpy() for part in (even, -1j * odd)]
            np.testing.assert_allclose(found[0] + 1j * found[1], np.fft.ifft2(spectrum * whole), atol=1e-11)


def test_a_perfect_fusion_is_close_to_1_and_noise_is_not():
    a, b, f = images(3, 48, 48)
    assert measured("QP", a, a, a) > 0.9
    assert measured("QP", a, b, f) < 0.7


def test_images_that_have_no_answer():
    a, b, f = images(3, 32, 32)
    flat = np.full_like(a, 128)
    assert math.isnan(measured("QP", flat, flat, f))
    assert math.isnan(measured("QP", a, b, flat))  # no rounding errors in transforms of powers of two
    assert math.isnan(measured("QP", a[:1], b[:1], f[:1]))
    assert math.isnan(measured("QP", a[:1, :1], b[:1, :1], f[:1, :1]))


def test_a_constant_source_has_no_say():
    a, _, f = images(3, 32, 32)
    assert measured("QP", a, np.full_like(a, 128), f) == pytest.approx(measured("QP", np.full_like(a, 9), a, f))
