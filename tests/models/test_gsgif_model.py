"""GSGIF-GAN's training: its terms, where their gradients go, and batches of any number of sources."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.runtime import Runtime
from models import create_discriminator, create_generator
from models.gsgif_model import GSGIFModel
from options.models import GSGIFTrainingOptions
from options.training import TrainingOptions


def build(accumulate=1, precision="32", skips="none", norm="none", lr=2e-4, **options):
    runtime = Runtime(gpu_ids="-1", precision=precision)
    network = {"ngf": 4, "n_blocks": 1, "norm": norm, "dropout": False, "fusion": "mean", "skips": skips}
    netG = create_generator("GSGIF_generator", **network)
    netD = create_discriminator("pixel", input_nc=3, ndf=4, norm="none")
    training, terms = TrainingOptions(accumulate=accumulate, lr=lr), GSGIFTrainingOptions(**options)
    return GSGIFModel(runtime, netG, netD if terms.trains_discriminator else None, training, terms)


def batch(num_sources=2, size=2, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(size, 3, 16, 16, generator=generator, dtype=dtype)
    noise = torch.rand(size, num_sources, 3, 16, 16, generator=generator, dtype=dtype)
    return {"sources": 0.7 * target[:, None] + 0.3 * noise, "target": target}


def relative_distance(maps, of_target):
    """The mean absolute difference of images' maps, each in units of its own mean absolute value."""
    pairs = zip(maps, of_target, strict=True)
    return sum((one / one.abs().mean() - two / two.abs().mean()).abs().mean() for one, two in pairs) / len(maps)


def test_the_loss_is_the_sum_of_its_terms():
    model = build(lambda_L1=3.0, lambda_GAN=0.5, lambda_feat=7.0, lambda_feat_fused=11.0, feature_stages=(0, 2))
    model.set_input(batch())
    model.forward()
    loss = model._loss_G()
    output, target = model.output, model.real_B
    scores = model.netD(output.fused)
    expected = {
        "G_L1": 3 * (output.fused - target).abs().mean(),
        "G_GAN": functional.softplus(-scores).mean(),
        "G_feat": 7 * sum(relative_distance(*output.features[stage][:2]) for stage in "02"),
        "G_feat_fused": 11 * sum(relative_distance(*output.features[stage][2:0:-1]) for stage in "02"),
    }
    assert set(model.losses) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(model.losses[name], value.detach())
    total = expected["G_L1"] + 0.5 * expected["G_GAN"] + expected["G_feat"] + expected["G_feat_fused"]
    torch.testing.assert_close(loss, total)


@pytest.mark.parametrize("skips", ["none", "residual"])
def test_the_gradient_of_the_feature_loss_does_not_reach_the_target(skips):
    model = build(skips=skips)
    model.set_input(batch(3))
    model.forward()
    found = gradient_of(model._distance_to_target(0), model)
    constants = [maps.detach() for maps in stages_of(model, model.real_B)]
    expected = gradient_of(distance_to(constants, model), model)
    through_both = gradient_of(distance_to(stages_of(model, model.real_B), model), model)
    for ours, wanted, other in zip(found, expected, through_both, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-6)
        assert (ours - other).norm() > 0.1 * ours.norm(), "the check tells them apart"


def gradient_of(loss, model):
    return torch.autograd.grad(loss, [*model.generator.encoder.parameters()])


def distance_to(of_target, model):
    of_sources = zip(*(stages_of(model, source) for source in model.sources), strict=True)
    return sum(relative_distance(sum(maps) / 3, wanted) for maps, wanted in zip(of_sources, of_target, strict=True))


def stages_of(model, image):
    maps = []
    for layers in model.generator.encoder:
        image = layers(image)
        maps.append(image)
    return maps


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_training_brings_the_features_and_the_images_closer(norm):
    torch.manual_seed(0)
    model = build(norm=norm, lr=2e-3, lambda_GAN=0.0, lambda_L1=10.0)
    losses = []
    for _ in range(30):
        model.train_on(batch())
        losses.append({name: float(value) for name, value in model.losses.items()})
    assert losses[-1]["G_feat"] < 0.8 * losses[0]["G_feat"]
    assert losses[-1]["G_L1"] < losses[0]["G_L1"]


def test_the_scale_of_the_features_does_not_run_away():
    """A plain difference multiplies it by forty here: sources that are weaker than the target stay behind it."""
    torch.manual_seed(0)
    model, soft = build(lr=2e-3, lambda_GAN=0.0, lambda_L1=0.001), batch()
    soft["sources"] = soft["sources"] * 0.3
    scales = []
    for _ in range(30):
        model.train_on(soft)
        scales.append(float(model.output.features["3"][1].abs().mean()))
    assert scales[-1] < 10 * scales[0]


@pytest.mark.parametrize("skips", ["none", "features", "residual"])
def test_the_number_of_sources_may_change_from_batch_to_batch(skips):
    model = build(skips=skips, lambda_feat_fused=1.0)
    for count in (2, 4, 1, 3):
        before = {name: weight.detach().clone() for name, weight in model.generator.named_parameters()}
        model.train_on(batch(count))
        assert set(model.losses) == {"G_L1", "G_feat", "G_feat_fused", "G_GAN", "D_fake", "D_real"}
        assert all(torch.isfinite(value) for value in model.losses.values())
        assert set(model.visuals) == {"fused", "target", *(f"source_{number}" for number in range(1, count + 1))}
        for name, weight in model.generator.named_parameters():
            assert weight.grad is not None, name  # several processes wait for each
            assert count == 1 or not torch.equal(weight, before[name]), name


def test_a_batch_in_parts_trains_as_a_whole_one():
    torch.manual_seed(0)
    whole, parts = (build(accumulate, "64", lambda_feat_fused=1.0) for accumulate in (1, 2))
    parts.load_state_dict(whole.state_dict())
    for count in (3, 2):
        for model in (whole, parts):
            model.train_on(batch(count, 4, torch.float64))
        assert whole.losses.keys() == parts.losses.keys()
    for network, weights in whole.network_weights().items():
        for name, tensor in parts.network_weights()[network].items():
            torch.testing.assert_close(tensor, weights[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("weights", "passes"),
    [
        ({"lambda_feat": 0.0}, 2),
        ({"lambda_feat": 1.0}, 3),
        ({"lambda_feat": 0.0, "lambda_feat_fused": 1.0}, 4),
    ],
)
def test_nothing_is_encoded_that_no_term_needs(weights, passes):
    model, calls = build(lambda_GAN=0.0, **weights), []
    model.generator.encoder[0].register_forward_hook(lambda *call: calls.append(call))
    model.train_on(batch())
    assert len(calls) == passes
    assert ("G_feat" in model.losses, "G_feat_fused" in model.losses) == (
        weights["lambda_feat"] > 0,
        "lambda_feat_fused" in weights,
    )
