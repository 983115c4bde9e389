"""SMFNet's loss terms: against the public code's values, and what their corrected forms change."""

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from models.generators.smfnet import SMFNetGenerator
from models.losses.smfnet import decomposition_term, fusion_terms, reconstruction_terms, structure_term
from models.losses.structure import correlation, gram_mse, sobel_l1, sobel_magnitude
from tests.models.reference import load_reference, part
from tests.models.test_smfnet import build, images

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def reference():
    return part(load_reference("losses"), "smfnet.")


def total(terms):
    return torch.stack(list(terms.values())).sum()


def test_the_fusion_terms_have_the_published_values(reference):
    fused, ir, vi = (reference[f"input.{name}"] for name in ("fused", "ir", "vis"))
    terms = fusion_terms(fused, [ir, vi])
    found = torch.stack([total(terms), terms["G_intensity"], terms["G_gradient"] / 10])
    torch.testing.assert_close(found, reference["fusion_loss_total_intensity_gradient"], **TOLERANCE)


def test_what_they_are_made_of_has_the_published_values(reference):
    fused, ir, vi = (reference[f"input.{name}"] for name in ("fused", "ir", "vis"))
    torch.testing.assert_close(sobel_l1(vi, fused), reference["gradient_l1_vis_fused"], **TOLERANCE)
    torch.testing.assert_close(gram_mse(ir, fused), reference["gram_mse_ir_fused"], rtol=1e-4, atol=1e-8)
    features = [reference[f"input.feature_{name}"] for name in ("a", "b")]
    whole = correlation(*(maps[None] for maps in features))
    torch.testing.assert_close(whole, reference["correlation"][None], **TOLERANCE)


def test_the_reconstruction_terms_are_those_of_the_formula():
    ir, vi = images(size=(32, 40))
    rebuilt = [ir * 0.9 + 0.05, vi**2]
    terms = reconstruction_terms(rebuilt, [ir, vi])
    assert set(terms) == {"G_SSIM_ir", "G_Sobel_ir", "G_SSIM_vi", "G_Sobel_vi", "G_Gram_ir", "G_gradient_vi"}
    flat = [(one.squeeze().numpy(), other.squeeze().numpy()) for one, other in zip(rebuilt, [ir, vi], strict=True)]
    for name, (one, other) in zip(("ir", "vi"), flat, strict=True):
        options = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 1.0, "full": True}
        interior = structural_similarity(one, other, **options)[1][5:-5, 5:-5].mean()
        inner = [torch.from_numpy(image[None, None]) for image in (one, other)]
        assert terms[f"G_SSIM_{name}"] == pytest.approx(4 * (1 - interior), abs=0.15), "the same but for the border"
        assert terms[f"G_Sobel_{name}"] == pytest.approx(10 * sobel_l1(*inner).item())
    assert terms["G_Gram_ir"] == pytest.approx(((rebuilt[0] ** 2).mean() - (ir**2).mean()).item() ** 2, rel=1e-4)
    assert all(term == 0 for term in reconstruction_terms([ir, vi], [ir, vi]).values())


def test_sobel_at_an_edge_and_at_the_border():
    step = torch.zeros(1, 1, 4, 6)
    step[..., 3:] = 1
    magnitude = sobel_magnitude(step)[0, 0]
    assert magnitude[1].tolist() == [0, 0, 4, 4, 0, 4], "beyond the border it is dark"
    assert magnitude[0, 4] == 4, "and above"


def test_the_directed_gradients_see_what_their_magnitudes_do_not():
    rising = torch.linspace(0, 1, 13).expand(1, 1, 13, 13)
    terms = reconstruction_terms([rising, rising.flip(3)], [rising, rising])
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(sobel_magnitude(rising)[inner], sobel_magnitude(rising.flip(3))[inner])
    assert terms["G_gradient_vi"] > 0.1


def test_correlation_is_pearsons_of_each_sample():
    one, other = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    expected = [torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1] for a, b in zip(one, other, strict=True)]
    torch.testing.assert_close(correlation(one, other), torch.stack(expected))
    torch.testing.assert_close(correlation(one, 3 - 2 * one), -torch.ones(2))
    assert correlation(one, torch.ones_like(one)).tolist() == [0, 0]
    assert correlation(one.bfloat16(), other.bfloat16()).dtype == torch.float32


def maps(batch=2):
    generator = torch.Generator().manual_seed(3)
    return {
        kind: tuple(torch.randn(batch, 4, 6, 5, generator=generator) + shared for _ in range(2))
        for kind, shared in (("base", 1.0), ("detail", torch.arange(5.0)), ("graph", torch.arange(6.0)[:, None]))
    }


def test_the_decomposition_term_is_that_of_the_formula():
    features = maps()
    cc = {kind: correlation(*pair) for kind, pair in features.items()}
    stage_1 = (2 * cc["detail"] ** 2 / (1.01 + cc["base"])).mean()
    stage_2 = (2 * (cc["detail"] ** 2 + cc["graph"] ** 2) / (1.01 + cc["base"])).mean()
    torch.testing.assert_close(decomposition_term(features, ("detail",)), stage_1)
    torch.testing.assert_close(decomposition_term(features, ("detail", "graph")), stage_2)


def test_as_published_it_is_one_number_for_the_batch_and_takes_detail_twice():
    features = maps()
    base, detail = (correlation(*(one[None] for one in features[kind])).item() for kind in ("base", "detail"))
    found = [decomposition_term(features, kinds, form="published") for kinds in (("detail",), ("detail", "graph"))]
    assert found[0] == pytest.approx(2 * detail**2 / (1.01 + base), rel=1e-5)
    assert found[1] == pytest.approx(2 * found[0].item())
    assert not math.isclose(found[0].item(), decomposition_term(features, ("detail",)).item(), rel_tol=1e-3)


@pytest.mark.parametrize("kinds", [("detail",), ("detail", "graph")])
def test_the_corrected_term_moves_the_encoder_and_the_published_one_nothing(kinds):
    """The release turns correlations into Python floats: its decomposition is measured and never learned."""
    net = build()
    features = net(images(batch=2)).features
    term = decomposition_term(features, kinds)
    trained = [weights for weights in net.DIDF_Encoder.parameters() if weights.requires_grad]
    gradients = torch.autograd.grad(term, trained)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    assert not decomposition_term(features, kinds, form="published").requires_grad


def test_with_the_published_form_the_encoder_learns_from_the_images_alone():
    def encoder_gradient(form):
        net: SMFNetGenerator = build().train()
        sources = images(batch=2)
        output = net(sources)
        terms = fusion_terms(output.fused, sources)
        if form:
            terms["decomposition"] = decomposition_term(output.features, ("detail", "graph"), form=form)
        total(terms).backward()
        return torch.cat([p.grad.flatten() for p in net.DIDF_Encoder.parameters() if p.requires_grad])

    alone = encoder_gradient(None)
    assert torch.equal(encoder_gradient("published"), alone)
    assert (encoder_gradient("corrected") - alone).norm() > 1e-3 * alone.norm()


def test_the_structure_term_is_the_reconstructions_ssim_of_the_fused_image_to_both():
    ir, vi = images(size=(32, 40))
    fused = (ir + vi) / 2
    terms = reconstruction_terms([fused, fused], [ir, vi])
    assert structure_term(fused, [ir, vi]).item() == pytest.approx((terms["G_SSIM_ir"] + terms["G_SSIM_vi"]).item() / 8)
    assert structure_term(ir, [ir, ir]) == 0


def test_what_the_released_loss_asks_for_is_less_like_the_sources_than_their_average():
    """So that a network trained with it cannot surpass averaging in SSIM, and `structure_term` is there."""
    ir, vi = images(size=(64, 64))
    brightest = torch.maximum(ir, vi)
    assert fusion_terms(brightest, [ir, vi])["G_intensity"] == 0
    assert structure_term(brightest, [ir, vi]) > structure_term((ir + vi) / 2, [ir, vi])
