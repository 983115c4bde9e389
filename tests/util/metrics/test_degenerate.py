"""Images that have little or nothing in them: what is undefined, what is infinite, and that nothing fails."""

import warnings

import pytest
import torch

from tests.util.metrics.test_properties import ALL
from util.metrics import compute_metrics

KINDS = ["noise", "black", "grey", "white", "equal", "fused constant", "sources constant"]
# Of an image of one level other than black, which cannot be stretched to the full range.
STRETCHED = {"QMI", "QTE", "QTE@corrected", "TE", "TE@corrected", "QNCIE", "QCV", "QCB", "QCB@div255"}
# Of sources without any structure.
EMPTY = {"CC", "SCD", "QM", "QP", "VIF", "Nabf@zero_weight"}
UNDEFINED = {
    "noise": set(),
    "equal": {"SCD"},
    "fused constant": STRETCHED | {"CC", "QP"},
    "sources constant": STRETCHED | EMPTY,
    "grey": STRETCHED | EMPTY | {"QSF"},
    "white": STRETCHED | EMPTY | {"QSF"},
    "black": (STRETCHED - {"TE", "TE@corrected", "QNCIE"})
    | EMPTY
    | {"QSF", "Qabf", "Qabf@equal_is_one", "PSNR@fused_peak"},
}
PSNR = {"PSNR", "PSNR@fused_peak", "PSNR@unit_error", "PSNR@rmse_root_first"}
INFINITE = {
    **{"equal": PSNR, "grey": PSNR, "white": PSNR, "black": PSNR - {"PSNR@fused_peak"}},
    **{"sources constant": {"QSF"}, "fused constant": set(), "noise": set()},
}


def measured(kind, *shape):
    """All values of two images of a kind."""
    generator = torch.Generator().manual_seed(2)
    a, b, fused = torch.randint(0, 256, (3, 2, 1, *shape), generator=generator)
    flat = {"black": 0, "grey": 128, "white": 255}
    if kind in flat:
        a = b = fused = torch.full_like(a, flat[kind])
    elif kind == "equal":
        b = fused = a
    elif kind == "fused constant":
        fused = torch.full_like(a, 128)
    elif kind == "sources constant":
        a, b = torch.full_like(a, 20), torch.full_like(a, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compute_metrics([a, b], fused, ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_undefined_or_infinite(kind):
    """Of images that all windows fit into; the transform of a constant one of this size has no rounding errors."""
    found = measured(kind, 256, 256)
    assert {name for name, value in found.items() if value.isnan().any()} == UNDEFINED[kind]
    assert {name for name, value in found.items() if value.isinf().any()} == INFINITE[kind]
    for name in UNDEFINED[kind]:
        assert found[name].isnan().all(), name
    for name in INFINITE[kind]:
        assert (found[name] == torch.inf).all(), name


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (5, 7), (11, 11), (16, 16), (17, 45), (44, 41), (161, 33)])
@pytest.mark.parametrize("kind", KINDS)
def test_small_images_have_a_value_or_nan_without_a_warning(shape, kind):
    for name, value in measured(kind, *shape).items():
        assert value.shape == (2,), name
        small = min(shape) < {"MEF_SSIM": 44, "MEF_SSIM@one_scale": 11}.get(name, 0)
        assert (value == -torch.inf).tolist() == [small] * 2, name
        if name not in INFINITE[kind]:
            assert not (value == torch.inf).any(), name
