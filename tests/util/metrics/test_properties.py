"""What holds for all metrics, whatever their formula."""

import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from tests.devices import in_every_dtype, on_every_device
from util.metrics import METRICS, compute_metrics, definition, describe
from util.metrics.catalogue import FAMILIES
from util.metrics.reference import REFERENCE_METRICS

ALL = [
    *METRICS,
    *(f"{name}@{convention}" for name, metric in METRICS.items() for convention in metric.conventions),
]
COLUMNS = [
    *("EN", "SD", "SF", "AG", "EI", "MI", "QMI", "QTE", "TE", "QNCIE", "CE", "FMI", "CC", "SCD", "MSE", "RMSE", "PSNR"),
    *("Qabf", "QG", "Nabf", "QM", "QSF", "QP", "SSIM", "MS_SSIM", "MEF_SSIM", "QS", "QW", "QE", "QC", "QY", "QCV"),
    *("QCB", "VIF", "VIFF"),
]
# Whose definition takes the sources in turn; QG, QP and VIFF only where values tie, which those of VIFF do here.
ASYMMETRIC = {"QC"}
# F = A = B, for an image with structure everywhere; sigmoids keep Qabf and QG below 1.
IDEAL = {
    **dict.fromkeys(["CC", "SSIM", "MS_SSIM", "MEF_SSIM", "QS", "QW", "QE", "QC", "QY", "QCB", "VIFF", "FMI"], 1.0),
    **dict.fromkeys(["CE", "MSE", "RMSE", "Nabf", "QSF", "QCV"], 0.0),
    **{"QMI": 2.0, "VIF": 2.0, "QM": 3.0, "PSNR": math.inf, "Qabf": 0.9753328, "QG": 0.9866591},
}
# Conventions that have one value for the scene below, no window of whose cosine transform is flat.
INDISTINCT = {("FMI@dct", "FMI@dct_published")}
SNAPSHOT = Path(__file__).parents[2] / "snapshots" / "metrics.json"


def scene(side=192, count=2, seed=0, channels=1):
    """Smooth structure with some noise, each source sharp in its own half; plain arithmetic but for the generator.

    The upper left corner tells conventions apart: next to saturated and flat in one half, in the other ramps that go up
    in some sources and down in others. The fused image's range, 16 to 254, has levels that stretching puts halfway.
    """
    rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    clean = 110 + 60 * torch.sin(rows / 5) * torch.cos(columns / 7) + 40 * torch.sin((rows + 2 * columns) / 23)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count + 1, channels, side, side, generator=generator) * 24 - 12
    images = [clean + noise[k] * (1 + ((columns // (side / 4)) % 2 == k % 2)) for k in range(count)]
    fused = (sum(images) / count + noise[-1] / 4).clamp(16, 254)

    quarter, half = side // 4, side // 8
    saturated = (255 - rows // half)[:quarter, :half]
    ramp = torch.arange(float(quarter - half))
    for k, image in enumerate(images):
        image[..., :quarter, :half] = saturated if k % 2 == 0 else saturated.flip(0)
        image[..., :quarter, half:quarter] = 200 + ramp if k % 2 == 0 else 254 - ramp
    fused[..., :quarter, :half] = (254 - rows // (quarter - half // 2))[:quarter, :half]
    fused[..., :quarter, half:quarter] = 254 - ramp // 2
    return [image.clamp(0, 255).round()[None] for image in (*images, fused)]


@pytest.fixture(scope="module")
def images():
    return scene()


@pytest.fixture(scope="module")
def values(images):
    *sources, fused = images
    return compute_metrics(sources, fused, ALL)


def test_there_are_the_columns_that_tables_have():
    published = [name for name, metric in METRICS.items() if metric.source != "this project"]
    assert sorted(published) == sorted(COLUMNS)
    assert len(published) == 35
    assert len({metric.name for family in FAMILIES for metric in family}) == len(METRICS) == 36


@pytest.mark.parametrize("name", ALL)
def test_a_value_per_image_in_float64(values, name):
    assert values[name].shape == (1,)
    assert values[name].dtype == torch.float64
    assert torch.isfinite(values[name]).all()


@pytest.mark.parametrize("name", ALL)
def test_a_metric_alone_has_the_value_that_it_has_among_others(images, values, name):
    """Shared maps must not be changed by those who use them."""
    *sources, fused = images
    assert compute_metrics(sources, fused, [name])[name].equal(values[name])


def test_the_images_given_are_left_as_they_are(images):
    before = [image.clone() for image in images]
    compute_metrics(images[:-1], images[-1], ALL)
    assert all(map(torch.equal, before, images))


@pytest.mark.parametrize("name", sorted(set(METRICS) - ASYMMETRIC))
def test_the_order_of_the_sources_does_not_matter(images, values, name):
    a, b, fused = images
    exchanged = compute_metrics([b, a], fused, [name])[name]
    assert float(exchanged) == pytest.approx(float(values[name]), rel=1e-3 if name == "VIFF" else 1e-9)


def test_qc_as_published_depends_on_the_order_and_clipped_does_not(images):
    """It does where the sources contradict each other: the negative beside the positive."""
    a, fused = images[0], images[-1]
    there = compute_metrics([a, 255 - a], fused, ["QC", "QC@clipped"])
    back = compute_metrics([255 - a, a], fused, ["QC", "QC@clipped"])
    assert abs(float(there["QC"]) - float(back["QC"])) > 0.1
    assert float(back["QC@clipped"]) == pytest.approx(float(there["QC@clipped"]), rel=1e-9)


def test_three_sources_in_any_order():
    *sources, fused = scene(count=3)
    there = compute_metrics(sources, fused)
    back = compute_metrics(sources[::-1], fused)
    for name in sorted(set(METRICS) - ASYMMETRIC):
        assert math.isfinite(there[name]), name
        assert float(back[name]) == pytest.approx(float(there[name]), rel=1e-7 if name == "VIFF" else 1e-9), name


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", IDEAL)
def test_what_equals_all_its_sources_has_the_ideal_value(images, name, count):
    value = float(compute_metrics([images[0]] * count, images[0], [name])[name])
    # A sum over the sources stays a sum.
    expected = IDEAL[name] * count / 2 if name in {"QMI", "VIF"} else IDEAL[name]
    assert value == pytest.approx(expected, rel=1e-6 if name in {"Qabf", "QG"} else 1e-9, abs=1e-12)


def test_mutual_information_with_itself_is_the_entropy(images):
    image = images[0]
    found = compute_metrics([image, image], image, ["MI", "EN"])
    assert float(found["MI"]) == pytest.approx(2 * float(found["EN"]), rel=1e-12)


@pytest.mark.parametrize("name", ["Qabf", "SSIM", "VIF", "MS_SSIM", "FMI", "QW", "CC", "PSNR"])
def test_more_noise_is_never_better(images, name):
    *sources, fused = images
    noise = torch.randn(fused.shape, generator=torch.Generator().manual_seed(1))
    noisy = [(fused + strength * noise).clamp(0, 255) for strength in (0, 4, 12, 36, 90)]
    found = compute_metrics([source.expand(5, -1, -1, -1) for source in sources], torch.cat(noisy), [name])[name]
    assert found.tolist() == sorted(found.tolist(), reverse=True)
    assert len(set(found.tolist())) == 5


@pytest.mark.parametrize("side", [64, 192])
def test_the_rest_of_the_batch_does_not_matter(side):
    scenes = [scene(side, seed=seed) for seed in range(3)]
    together = compute_metrics(*_stack(scenes), ALL)
    for place, (*sources, fused) in enumerate(scenes):
        alone = compute_metrics(sources, fused, ALL)
        for name in ALL:
            expected = float(alone[name])
            assert float(together[name][place]) == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name


def _stack(scenes):
    *sources, fused = [torch.cat(images) for images in zip(*scenes, strict=True)]
    return sources, fused


def test_colour_is_measured_on_its_luma():
    *sources, fused = scene(64, channels=3)
    weights = torch.tensor([299, 587, 114]).view(1, 3, 1, 1)
    luma = [((image.long() * weights).sum(1, keepdim=True) + 500) // 1000 for image in (*sources, fused)]
    of_colour, of_luma = compute_metrics(sources, fused), compute_metrics(luma[:-1], luma[-1])
    grey = [image.expand(-1, 3, -1, -1) for image in luma]
    of_grey = compute_metrics([grey[0], luma[1]], grey[2])
    for name in METRICS:
        assert torch.equal(of_colour[name].nan_to_num(7), of_luma[name].nan_to_num(7)), name
        assert torch.equal(of_grey[name].nan_to_num(7), of_luma[name].nan_to_num(7)), name


@pytest.mark.parametrize(
    ("sources", "fused", "message"),
    [
        ([torch.zeros(1, 1, 8, 8)], torch.zeros(1, 1, 8, 8), "at least two"),
        ([torch.zeros(1, 1, 8, 8)] * 2, torch.zeros(1, 1, 8, 9), "must be equal"),
        ([torch.zeros(1, 2, 8, 8)] * 2, torch.zeros(1, 1, 8, 8), "1 or 3"),
        ([torch.zeros(8, 8)] * 2, torch.zeros(8, 8), "1 or 3"),
        ([torch.zeros(1, 1, 8, 8)] * 2, torch.full((1, 1, 8, 8), 256.0), "256"),
        ([torch.zeros(1, 1, 8, 8)] * 2, torch.full((1, 1, 8, 8), -1.0), "-1"),
        ([torch.zeros(1, 1, 8, 8)] * 2, torch.full((1, 1, 8, 8), math.nan), "nan"),
    ],
)
def test_what_is_no_image_is_refused(sources, fused, message):
    with pytest.raises(ValueError, match=message):
        compute_metrics(sources, fused, ["EN"])


def test_names_that_do_not_exist_are_refused(images):
    *sources, fused = images
    with pytest.raises(ValueError, match="no metric is called 'EM'"):
        compute_metrics(sources, fused, ["EM"])
    with pytest.raises(ValueError, match="there are: SSIM@sum"):
        definition("SSIM@summ")
    with pytest.raises(ValueError, match="without a reference"):
        compute_metrics(sources, fused, ["PSNR@reference"])


def test_a_reference_is_compared_with_on_all_channels():
    *sources, fused = scene(176, channels=3)
    reference = fused.clone()
    reference[:, 2] = 255 - reference[:, 2]
    found = compute_metrics(sources, fused, reference=reference)
    assert [name for name in found if name not in METRICS] == ["PSNR@reference", "SSIM@reference", "MS_SSIM@reference"]
    assert float(found["PSNR@reference"]) < 20
    assert float(compute_metrics(sources, fused, ["MS_SSIM@reference"], fused)["MS_SSIM@reference"]) == pytest.approx(1)


def test_every_name_is_described():
    for name in [*ALL, "PSNR@reference"]:
        better, text = describe(name)
        assert better in ("higher", "lower", "zero")
        assert len(text) > 10
    assert METRICS["QTE"].defective in describe("QTE")[1]
    assert METRICS["QTE"].defective not in describe("QTE@corrected")[1]


def test_values_stay_what_they_are(values):
    """A snapshot of the scene above, which this module as a program wrote once the reference values were met."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert list(snapshot) == ALL
    for name, expected in snapshot.items():
        assert float(values[name]) == pytest.approx(expected, rel=1e-6), name


@pytest.mark.parametrize("name", METRICS)
def test_conventions_can_be_told_apart_by_their_values(name):
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    names = [name, *(f"{name}@{convention}" for convention in METRICS[name].conventions)]
    for pair in itertools.combinations(names, 2):
        one, other = (snapshot[each] for each in pair)
        assert (one != pytest.approx(other, rel=5e-6)) is (pair not in INDISTINCT), pair


@on_every_device
@in_every_dtype
def test_the_type_of_the_levels_and_the_device_do_not_matter(images, values, device, dtype):
    """Whole levels up to 255 are exact in each type; a GPU adds up in another order."""
    with_reference = [f"{name}@reference" for name in REFERENCE_METRICS]
    expected = values | compute_metrics(images[:-1], images[-1], with_reference, images[0])
    *sources, fused = [image.to(device, dtype) for image in images]
    for name, value in compute_metrics(sources, fused, [*ALL, *with_reference], sources[0]).items():
        assert (value.device.type, value.dtype) == (device, torch.float64), name
        assert float(value) == pytest.approx(float(expected[name]), rel=0 if device == "cpu" else 1e-6), name


def test_every_name_is_explained_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, metric in METRICS.items():
        assert f"### {name}: {metric.title}\n" in text, name
        assert metric.source in " ".join(text.split()), name
    for name in [*ALL, "PSNR@reference", "SSIM@reference", "MS_SSIM@reference"]:
        assert f"`{name}`" in text or f"### {name}: " in text, name


if __name__ == "__main__":
    *given, last = scene()
    found_ = compute_metrics(given, last, ALL)
    SNAPSHOT.write_text(json.dumps({name: float(f"{float(found_[name]):.12g}") for name in ALL}, indent=1) + "\n")
