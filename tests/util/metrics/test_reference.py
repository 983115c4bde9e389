import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.util.metrics.scenes import measured
from util.metrics.reference import REFERENCE_METRICS, ms_ssim, psnr, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, (3, 40, 50)).astype(np.float64)
    noisy = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).round()
    return torch.tensor(noisy)[None], torch.tensor(clean)[None]


def test_psnr_is_the_textbooks(pair):
    expected = peak_signal_noise_ratio(pair[1].numpy(), pair[0].numpy(), data_range=255)
    assert float(psnr(*pair)) == pytest.approx(expected, rel=1e-12)
    assert torch.isinf(psnr(pair[0], pair[0])).all()


def test_ssim_is_that_of_wang_with_full_windows_only(pair):
    """scikit-image's Gaussian mode differs at the border alone, so its map is compared away from it."""
    _, full_map = structural_similarity(
        pair[1][0].numpy(), pair[0][0].numpy(), data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, channel_axis=0, full=True,
    )  # fmt: skip
    assert float(ssim(*pair)) == pytest.approx(full_map[:, 5:-5, 5:-5].mean(), rel=1e-9)
    assert float(ssim(pair[0], pair[0])) == pytest.approx(1.0, abs=1e-12)


def test_float32_images_give_the_same_ssim(pair):
    single = ssim(pair[0].float(), pair[1].float())
    assert single.dtype == torch.float64
    assert float(single) == pytest.approx(float(ssim(*pair)), rel=1e-12)


def test_a_flat_image_and_one_smaller_than_the_window_are_defined():
    flat = torch.full((2, 3, 16, 16), 128.0)
    assert torch.allclose(ssim(flat, flat), torch.ones(2, dtype=torch.float64))
    assert torch.isnan(ssim(flat[..., :5], flat[..., :5])).all()
    assert torch.isnan(ms_ssim(flat, flat)).all()
    assert ms_ssim(flat, flat).shape == (2,)


@pytest.fixture
def large():
    rng = np.random.default_rng(1)
    clean = torch.tensor(rng.integers(0, 256, (2, 3, 161, 170)), dtype=torch.float64)
    return (clean * 0.7 + torch.tensor(rng.uniform(0, 70, clean.shape))).round(), clean


def test_ms_ssim_is_the_mean_over_channels_of_that_of_grey_images(large):
    fused, clean = large
    found = ms_ssim(fused, clean)
    for k in range(2):
        grey = [measured("MS_SSIM", *(x[k, c].numpy() for x in (clean, clean, fused))) for c in range(3)]
        assert float(found[k]) == pytest.approx(np.mean(grey), rel=1e-12)
    assert torch.allclose(ms_ssim(clean, clean), torch.ones(2, dtype=torch.float64))


def test_levels_need_not_be_whole_and_a_shift_of_bright_ones_costs_no_precision():
    """The variance of a bright image with little structure, against that of scikit-image on centred values."""
    rng = np.random.default_rng(2)
    x, y = 250 + rng.uniform(0, 0.5, (2, 1, 1, 30, 30))
    c2 = 7.65**2
    structure = float(ssim(torch.tensor(x), torch.tensor(y)))
    _, full_map = structural_similarity(
        x[0, 0], y[0, 0], data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert structure == pytest.approx(full_map[5:-5, 5:-5].mean(), rel=1e-12)
    assert 1 - structure == pytest.approx(np.square(x - y).mean() / c2, rel=0.2)


def test_values_do_not_depend_on_the_rest_of_the_batch(large):
    for metric in REFERENCE_METRICS.values():
        assert float(metric(*large)[1]) == pytest.approx(float(metric(large[0][1:], large[1][1:])), rel=1e-12)


def test_more_noise_is_never_better(large):
    clean = large[1]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for metric in REFERENCE_METRICS.values():
        values = [float(metric(clean + strength * noise, clean)[0]) for strength in (1, 5, 20, 60)]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 4
