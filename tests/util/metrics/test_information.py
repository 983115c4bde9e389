import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from tests.util.metrics import gold
from tests.util.metrics.scenes import measured, noise
from util.metrics.catalogue import definition

GOLD = [
    ("MI", "evalif", "MI_doubleinput", 1e-9),
    ("MI", "ivif_zoo", "MI", 1e-9),
    ("MI@nats", "cddfuse", "MI", 1e-9),
    ("MI@nats", "vifb", "Mutinf", 1e-9),
    ("MI@nats", "rederived", "MI_nat_norm", 1e-9),
    ("MI@overflow", "evalif", "MI", 1e-9),
    ("MI@overflow", "rederived", "MI_overflow", 1e-9),
    ("MI@merged", "thfylsty", "MIabf", 1e-9),
    ("MI@merged", "rederived", "MI_merge", 1e-9),
    ("QMI", "liu", "QMI", 1e-9),
    ("QMI", "rederived", "QMI", 1e-9),
    ("QTE", "liu", "QTE_nava_q0.43137", 1e-9),
    ("QTE", "rederived", "QTE_aspublished", 1e-9),
    ("QTE@corrected", "rederived", "QTE", 1e-9),
    ("TE", "mefb", "TE", 1e-9),
    ("TE", "rederived", "TE_cvejic_aspublished", 1e-9),
    ("TE@corrected", "rederived", "TE_cvejic", 1e-9),
    ("QNCIE", "liu", "QNCIE", 1e-9),
    ("QNCIE", "rederived", "QNCIE", 1e-9),
    ("CE", "vifb", "Cross_entropy", 1e-9),
]


@pytest.mark.parametrize(("name", "implementation", "metric", "tolerance"), GOLD)
def test_published_code_has_the_same_values(name, implementation, metric, tolerance):
    found, triple = gold.worst(definition(name)[1], implementation, metric)
    assert found < tolerance, triple


def entropy(*images):
    cells = Counter(zip(*(image.ravel().tolist() for image in images), strict=True))
    return stats.entropy(list(cells.values()), base=2)


def information(x, y):
    return entropy(x) + entropy(y) - entropy(x, y)


def stretched(image):
    low, high = image.min(), image.max()
    return np.floor((image - low) / (high - low) * 255 + 0.5).astype(int)


def tsallis(x, y, order, exchanged):
    x, y = stretched(x), stretched(y)
    p, r = (Counter(image.ravel().tolist()) for image in (x, y))
    pairs = Counter(zip(x.ravel().tolist(), y.ravel().tolist(), strict=True))
    n = x.size
    total = 0
    for (k, m), h in pairs.items():
        product = r[k] * p[m] if exchanged else p[k] * r[m]
        if product:
            total += (h / n) ** order * (product / n**2) ** (1 - order)
    return (1 - total) / (1 - order)


def shapes(count):
    """Images that depend on each other, of few levels in a part of the range."""
    common, *own = noise(count + 1, 30, 40, seed=3)
    return [30 + k + (common % 64) + image % 8 * (k + 1) for k, image in enumerate(own)]


@pytest.mark.parametrize("count", [2, 3])
def test_mutual_information(count):
    *sources, fused = shapes(count + 1)
    found = [information(source, fused) for source in sources]
    assert measured("MI", *sources, fused) == pytest.approx(sum(found), rel=1e-10)
    assert measured("MI@nats", *sources, fused) == pytest.approx(sum(found) * math.log(2), rel=1e-10)
    from_stretched = [information(stretched(source), stretched(fused)) for source in sources]
    assert measured("MI@nats", *sources, fused) == pytest.approx(sum(from_stretched) * math.log(2))
    ratios = [2 * i / (entropy(x) + entropy(fused)) for i, x in zip(found, sources, strict=True)]
    assert measured("QMI", *sources, fused) == pytest.approx(sum(ratios), rel=1e-10)


def test_mutual_information_of_bytes_that_stop_at_255():
    a, b, fused = (200 + image % 56 for image in noise(3, 60, 60))
    assert (fused == 255).any()
    merged = [np.minimum(image, 254) for image in (a, b, fused)]
    in_all = information(merged[0], merged[2]) + information(merged[1], merged[2])
    assert measured("MI@merged", a, b, fused) == pytest.approx(in_all, rel=1e-10)
    joint = sum(entropy(x) + entropy(fused) - entropy(y, merged[2]) for x, y in ((a, merged[0]), (b, merged[1])))
    assert measured("MI@overflow", a, b, fused) == pytest.approx(joint, rel=1e-10)
    assert joint > measured("MI", a, b, fused) > in_all


@pytest.mark.parametrize(("suffix", "exchanged"), [("", True), ("@corrected", False)])
@pytest.mark.parametrize("count", [2, 3])
def test_tsallis_information(count, suffix, exchanged):
    *sources, fused = shapes(count + 1)
    found = sum(tsallis(source, fused, 1.85, exchanged) for source in sources)
    assert measured(f"TE{suffix}", *sources, fused) == pytest.approx(found, rel=1e-10)
    order = 0.43137
    found = sum(tsallis(source, fused, order, exchanged) for source in sources)
    pairs = [tsallis(x, y, order, exchanged) for x, y in itertools.combinations(sources, 2)]
    bound = sum(entropy(source) ** order for source in sources) + count / 2 * np.mean(pairs)
    assert measured(f"QTE{suffix}", *sources, fused) == pytest.approx(found / bound, rel=1e-10)


@pytest.mark.parametrize("count", [2, 3])
def test_correlation_entropy(count):
    images = shapes(count + 1)
    matrix = np.eye(count + 1)
    for x, y in itertools.permutations(range(count + 1), 2):
        matrix[x, y] = information(images[x], images[y]) / 8
    shares = np.linalg.eigvals(matrix) / (count + 1)
    expected = 1 + (shares * np.log2(shares)).sum() / 8
    assert measured("QNCIE", *images) == pytest.approx(expected, rel=1e-10)


def test_negative_eigenvalues_of_the_correlation_matrix_count_as_0():
    """Five sources that tell nothing about each other, and each almost half of what the fused image holds."""
    rows, columns = np.mgrid[:13, :13]
    sources = [(rows + step * columns) % 13 for step in range(5)]
    matrix = np.eye(6)
    matrix[:5, 5] = matrix[5, :5] = math.log2(13) / 8
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues[0] < -0.03
    shares = eigenvalues[eigenvalues > 0] / 6
    expected = 1 + (shares * np.log2(shares)).sum() / 8
    assert measured("QNCIE", *sources, 13 * rows + columns) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("count", [2, 3])
def test_correlation_entropy_of_equal_images_of_all_levels_is_1(count):
    image = np.arange(256).reshape(16, 16)
    assert measured("QNCIE", *[image] * (count + 1)) == pytest.approx(1, rel=1e-12)
    assert measured("QNCIE", *noise(2, 160, 160), np.tile(image, (10, 10))) >= 1 - math.log(3, 256)


@pytest.mark.parametrize("count", [2, 3])
def test_cross_entropy_leaves_out_levels_that_the_fused_image_lacks(count):
    *sources, fused = shapes(count + 1)
    fused = fused.clip(50, 80)
    total = 0
    for source in sources:
        p, q = (np.bincount(image.ravel(), minlength=256) / image.size for image in (source, fused))
        assert ((p > 0) & (q == 0)).any()
        total += sum(p[k] * math.log2(p[k] / q[k]) for k in range(256) if p[k] and q[k])
    assert measured("CE", *sources, fused) == pytest.approx(total / count, rel=1e-10)


@pytest.mark.parametrize("level", [0, 37, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (16, 16), (31, 17)])
def test_a_constant_image_knows_nothing(level, shape):
    a, b, _ = noise(3, *shape)
    flat = np.full(shape, level)
    for name in ("MI", "MI@nats", "MI@merged"):
        assert measured(name, a, b, flat) == 0
    assert measured("MI", flat, flat, a) == 0


@pytest.mark.parametrize("name", ["QMI", "QTE", "QTE@corrected", "TE", "TE@corrected", "QNCIE"])
def test_only_black_of_the_constant_images_can_be_stretched(name):
    a, b, fused = noise(3)
    for level in (1, 128, 255):
        flat = np.full_like(a, level)
        assert math.isnan(measured(name, a, b, flat))
        assert math.isnan(measured(name, a, flat, fused))
    assert math.isfinite(measured(name, a, b, np.zeros_like(a)))
    assert math.isfinite(measured(name, a, np.zeros_like(a), fused))


def test_equal_images():
    (a,) = noise(1)
    assert measured("MI", a, a, a) == pytest.approx(2 * entropy(a), rel=1e-12)
    assert measured("QMI", a, a, a) == pytest.approx(2, rel=1e-12)
    assert measured("CE", a, a, a) == 0
