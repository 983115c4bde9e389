import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from util.metrics import psnr, ssim


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


def test_float32_pictures_give_the_same_ssim(pair):
    single = ssim(pair[0].float(), pair[1].float())
    assert single.dtype == torch.float64
    assert float(single) == pytest.approx(float(ssim(*pair)), rel=1e-12)


def test_a_flat_picture_and_one_smaller_than_the_window_are_defined():
    flat = torch.full((2, 3, 16, 16), 128.0)
    assert torch.allclose(ssim(flat, flat), torch.ones(2, dtype=torch.float64))
    assert torch.isnan(ssim(flat[..., :5], flat[..., :5])).all()


def test_values_do_not_depend_on_the_rest_of_the_batch(pair):
    batch = torch.cat([pair[0], pair[0] * 0.5]), torch.cat([pair[1], pair[1]])
    for metric in (psnr, ssim):
        assert float(metric(*batch)[0]) == pytest.approx(float(metric(*pair)), rel=1e-12)


def test_more_noise_is_never_better(pair):
    noise = torch.randn(pair[1].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for metric in (psnr, ssim):
        values = [float(metric(pair[1] + strength * noise, pair[1])) for strength in (1, 5, 20, 60)]
        assert values == sorted(values, reverse=True)
