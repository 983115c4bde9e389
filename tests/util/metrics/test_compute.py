import pytest
import torch

from util.metrics import compute_metrics


def images(batch=2, channels=1, side=16):
    return torch.randint(0, 256, (3, batch, channels, side, side), generator=torch.Generator().manual_seed(0)).unbind()


@pytest.mark.parametrize("side", [16, 600])
def test_batches_must_be_equal_whatever_the_size(side):
    """Large images are measured one by one, which must not hide what is left over."""
    a, b, fused = images(2, 1, side)
    with pytest.raises(ValueError, match=r"of a source and .* of the fused image"):
        compute_metrics([a, b[:1]], fused, ["EN"])
    with pytest.raises(ValueError, match=r"of a source and .* of the fused image"):
        compute_metrics([a, torch.cat([b, b])], fused, ["EN"])


@pytest.mark.parametrize(
    "reference",
    [torch.zeros(2, 3, 1, 1), torch.zeros(2, 1, 16, 16), torch.zeros(1, 3, 16, 16), torch.zeros(2, 3, 16, 8)],
)
def test_a_reference_of_another_shape_is_refused(reference):
    a, b, fused = images(channels=3)
    with pytest.raises(ValueError, match=r"of the reference and .* must be equal"):
        compute_metrics([a, b], fused, ["PSNR@reference"], reference)


@pytest.mark.parametrize("value", [-1.0, 255.5, float("nan")])
def test_a_reference_outside_of_the_range_is_refused(value):
    a, b, fused = images()
    with pytest.raises(ValueError, match="a reference with values"):
        compute_metrics([a, b], fused, ["PSNR@reference"], torch.full(fused.shape, value))


@pytest.mark.parametrize("name", ["VIF@reference", "EM", "SSIM@no", "@", ""])
def test_unknown_names_are_refused_before_any_work(name):
    with pytest.raises(ValueError, match="is called"):
        compute_metrics([], torch.zeros(0), [name], torch.zeros(0))


def test_a_name_asked_for_twice_is_measured_once():
    a, b, fused = images()
    found = compute_metrics([a, b], fused, ["PSNR@reference", "EN", "PSNR@reference", "EN"], a)
    assert {name: value.shape for name, value in found.items()} == {"PSNR@reference": (2,), "EN": (2,)}


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"\(0, 1, 16, 16\)"):
        compute_metrics([torch.zeros(0, 1, 16, 16)] * 2, torch.zeros(0, 1, 16, 16), ["EN"])


def test_images_that_want_a_gradient_are_measured_all_the_same():
    a, b, fused = (image.float() for image in images())
    value = compute_metrics([a, b], fused.requires_grad_(), ["QSF", "QP"])
    assert not value["QSF"].requires_grad


def test_the_type_of_the_levels_does_not_matter():
    whole = images()
    expected = compute_metrics(whole[:2], whole[2], ["EN", "Qabf", "SSIM"])
    for kind in (torch.uint8, torch.int16, torch.float32, torch.float64):
        a, b, fused = (image.to(kind) for image in whole)
        found = compute_metrics([a, b], fused, ["EN", "Qabf", "SSIM"])
        assert all(found[name].equal(expected[name]) for name in expected), kind
