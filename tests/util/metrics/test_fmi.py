import itertools
import math

import numpy as np
import pytest
import torch
from scipy import fft

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics import fmi
from util.metrics.catalogue import definition
from util.metrics.scene import Scene

GOLD = {
    "FMI": [("rederived", "FMI_gradient_sym")],
    "FMI@pixels": [("rederived", "FMI_none_sym")],
    "FMI@published": [("rederived", "FMI_gradient"), ("evalif", "FMI_gradient")],
    "FMI@pixels_published": [("rederived", "FMI_none"), ("evalif", "FMI_none")],
    "FMI@dct_published": [("rederived", "FMI_dct"), ("evalif", "FMI_dct")],
}
# 0 but for rounding in the reference; its transform of a constant image is rounding but for one coefficient.
NOISE = {
    ("FMI@pixels", "const128-c01"),
    ("FMI@dct_published", "const128-c01"),
    ("FMI@dct_published", "const128-lytro-01"),
}


@pytest.mark.parametrize("name", GOLD)
def test_published_code_has_the_same_values(name):
    found = gold.differences(definition(name)[1], GOLD[name])
    assert len(found) >= 36
    assert {triple for triple, found in found.items() if not found < 1e-9} <= {
        where for of, where in NOISE if of == name
    }


def score(x, f, noisy_flat):
    """One pair of windows of nine numbers, as the definition has it: 9 x 9 cumulative distributions, cell by cell."""

    def distribution(window):
        low, high = window.min(), window.max()
        scaled = (window - low) / (high - low) if high > low else np.ones(9)
        return scaled / scaled.sum()

    def deviations(p):
        """Flat ones are the rounding of nine additions, as in published code, or exactly 0."""
        total = 0.0
        for value in p:
            total += value
        return p - total / 9 if noisy_flat else p - 1 / 9

    def entropy(values):
        return -sum(v * math.log2(abs(v)) for v in values if v)

    p, q = distribution(f), distribution(x)
    dp, dq = deviations(p), deviations(q)
    c = (dp * dq).sum()
    c = c / math.sqrt((dp**2).sum() * (dq**2).sum()) if c else 0
    k = np.arange(1, 10)
    sp, sq = (math.sqrt(max((k**2 * r).sum() - (k * r).sum() ** 2, 0)) for r in (p, q))
    cp, cq = p.cumsum()[:, None], q.cumsum()[None]
    bound = np.minimum(cp, cq) if c >= 0 else np.maximum(cp + cq - 1, 0)
    t = c * sp * sq / (bound - cp * cq).sum() if c and sp and sq else 0
    cells = np.diff(np.diff(np.pad(bound, ((1, 0), (1, 0))), axis=0), axis=1)
    joint = t * cells + (1 - t) * p[:, None] * q[None]
    marginal = entropy(p) + entropy(q)
    information = marginal - entropy(joint.ravel())
    return 2 * information / marginal if marginal else 0


def naive(sources, fused, published):
    total, windows = 0, list(itertools.product(range(fused.shape[0] - 2), range(fused.shape[1] - 2)))
    for i, j in windows:
        f, *others = (image[i : i + 3, j : j + 3].ravel(order="F") for image in (fused, *sources))
        compared = f
        for x in others:
            identical = (x == compared).all()
            total += 1 if identical else score(x, f, published)
            if published and not identical:
                compared = (f - f.min()) / np.ptp(f) if np.ptp(f) else np.ones(9)
    return total / len(windows) / len(sources)


def coarse(count, height=14, width=12):
    """Few levels and equal parts: flat windows, identical ones, and some that are identical once stretched."""
    *sources, fused = (image // 86 * 2 for image in noise(count + 1, height, width, seed=4))
    for k, source in enumerate(sources):
        fused[:, 4 * k : 4 * k + 4] = source[:, 4 * k : 4 * k + 4]
        source[:5, :6] = 40 * k
        source[6:10, 4:9] = fused[6:10, 4:9] // 4
    fused[:5, :5] = 7
    return [*sources, fused]


FEATURES = {
    "": lambda image: np.gradient(image.astype(float), axis=1),
    "pixels": lambda image: image.astype(float),
    "dct": lambda image: fft.dctn(image.astype(float), norm="ortho"),
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("feature", FEATURES)
def test_definition(feature, published, count):
    images = coarse(count)
    *sources, fused = map(FEATURES[feature], images)
    name = "@".join(filter(None, ["FMI", "_".join(filter(None, [feature, "published" if published else ""]))]))
    assert measured(name, *images) == pytest.approx(naive(sources, fused, published), rel=1e-9)
    if feature == "pixels":  # what the published code does otherwise matters here
        assert abs(naive(sources, fused, published) - naive(sources, fused, not published)) > 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (4, 7), (9, 8)])
def test_cosine_transform(shape):
    (image,) = noise(1, *shape)
    expected = fft.dctn(image.astype(float), norm="ortho")
    found = fmi.dct(torch.from_numpy(image).double()[None])
    assert np.allclose(found[0].numpy(), expected, rtol=1e-10, atol=1e-10)


def test_the_cosine_transform_of_a_constant_image_has_no_rounding():
    found = fmi.dct(torch.full((2, 7, 9), 37.0, dtype=torch.float64))
    assert torch.count_nonzero(found) == 2
    assert found[:, 0, 0].tolist() == pytest.approx([37 * math.sqrt(63)] * 2, rel=1e-12)


@pytest.mark.parametrize("together", [1, 60])
def test_windows_are_measured_in_parts(monkeypatch, together):
    scenes = [noise(3, 9, 14, seed) for seed in range(2)]
    expected = [measured("FMI", *images) for images in scenes]
    monkeypatch.setitem(fmi._WINDOWS_TOGETHER, "cpu", together)
    *sources, fused = (torch.from_numpy(np.stack(images))[:, None] for images in zip(*scenes, strict=True))
    assert fmi.fmi(Scene(sources, fused)).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (30, 2)])
def test_without_a_window_there_is_no_value(shape):
    assert math.isnan(measured("FMI", *noise(3, *shape)))


@pytest.mark.parametrize("name", ["FMI", "FMI@pixels", "FMI@published", "FMI@pixels_published"])
def test_constant_images(name):
    a, b, fused = (np.full((6, 5), level) for level in (0, 37, 255))
    assert measured(name, a, a, a) == 1
    # Their gradients are equal, their levels are not.
    expected = {"FMI@pixels": 0}.get(name, 1)
    assert measured(name, a, b, fused) == pytest.approx(expected, abs=1e-12)
