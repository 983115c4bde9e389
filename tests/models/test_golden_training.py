"""Two optimisation steps of R2GAN against those of the public implementation."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import l1_loss

from models import create_discriminator, create_generator
from models.losses.gan import GANLoss
from models.weights import load_weights
from tests.models.reference import load_reference, part

LAMBDA_L1 = 100.0
LEARNING_RATE = 2e-4


def two_steps(reference, dtype):
    """Returns the generator, the discriminator and the losses (2, 6) of two steps in the published order."""
    net_g = create_generator("R2GAN_generator", ngf=8, dropout=False)
    net_d = create_discriminator("pixel", ndf=8)
    load_weights(net_g, part(reference, "generator."), "generator")
    load_weights(net_d, part(reference, "discriminator."), "discriminator")
    net_g.to(dtype).train()
    net_d.to(dtype).train()
    first, second, target = (reference[f"input.{name}"].to(dtype) for name in ("A", "C", "B"))
    optimizer_g = torch.optim.Adam(net_g.parameters(), LEARNING_RATE, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(net_d.parameters(), LEARNING_RATE, betas=(0.5, 0.999))
    gan_loss = GANLoss("vanilla")
    rows = []
    for _ in range(2):
        fused, (rebuilt_first, rebuilt_second), _ = net_g([first, second])

        net_d.requires_grad_(True)
        optimizer_d.zero_grad()
        d_fake = gan_loss(net_d(fused.detach()), False)
        d_real = gan_loss(net_d(target), True)
        (0.5 * (d_fake + d_real)).backward()
        optimizer_d.step()

        net_d.requires_grad_(False)
        optimizer_g.zero_grad()
        g_gan = gan_loss(net_d(fused), True)
        g_l1 = LAMBDA_L1 * l1_loss(fused, target)
        g_first = LAMBDA_L1 * l1_loss(rebuilt_first, first)
        g_second = LAMBDA_L1 * l1_loss(rebuilt_second, second)
        (g_gan + g_l1 + g_first + g_second).backward()
        optimizer_g.step()
        rows.append(torch.stack([g_gan, g_l1, d_real, d_fake, g_first, g_second]).detach())
    return net_g, net_d, torch.stack(rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_two_steps_give_the_published_losses_and_weights(dtype):
    """Losses always agree, and all weights in float64; in float32 a handful of weights need a looser bound.

    Adam's first step is lr · g / (|g| + 1e-8): the gradient's size falls out, so a weight whose gradient is no larger
    than float32's rounding of it moves by rounding alone. That rounding is 2e-7 (median) to 2e-6 here, and differs
    between machines. The one weight outside the bound when this was written, element 1112 of
    `model_encoder.11.conv_block.1.weight`, has the first gradient 2.4e-7 in float64 and 2.2e-8 in float32, where
    6e-2 is usual: Adam moves it by 0.96 lr or by 0.69 lr. Without oneDNN there are 26 of 125,395. In float64 nothing is
    rounded off that matters, and the result lies within the bound of the published one at every weight.
    """
    reference = load_reference("r2gan_ngf8")
    net_g, net_d, losses = two_steps(reference, dtype)
    torch.testing.assert_close(losses.float(), reference["losses"], rtol=1e-4, atol=1e-5)
    outside, total = 0, 0
    for net, prefix in ((net_g, "after_two_steps.generator."), (net_d, "after_two_steps.discriminator.")):
        published = part(reference, prefix)
        own = net.state_dict()
        assert own.keys() == published.keys()
        for name, expected in published.items():
            actual = own[name].to(expected.dtype)
            if dtype == torch.float64 or not expected.is_floating_point():
                torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")
                continue
            difference = (actual - expected).abs()
            assert difference.max() < 2 * LEARNING_RATE, name
            outside += int((difference > 1e-5 + 1e-4 * expected.abs()).sum())
            total += expected.numel()
    assert outside <= 1e-3 * total
