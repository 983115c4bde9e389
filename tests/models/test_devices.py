"""Every network and loss on every device in every precision: finite, and it stays where and what it came as."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from models import create_discriminator, list_discriminators
from models.losses.gan import gradient_penalty
from models.losses.perceptual import PerceptualLoss
from tests.devices import in_every_dtype, on_every_device
from tests.models.losses import LOSSES, PRECISE, terms_of
from tests.models.test_generators import TRAINED, build, images


def assert_is(tensor, shape, device, dtype):
    assert (tensor.shape, tensor.device.type, tensor.dtype) == (shape, device, dtype)
    assert tensor.isfinite().all()


@on_every_device
@in_every_dtype
@pytest.mark.parametrize("name", TRAINED)
def test_a_generator_fuses_and_learns(name, device, dtype):
    net = build(name).to(device, dtype).train()
    side = max(net.size_divisor, 32)
    sources = [source.to(device, dtype) for source in images(2, 2, net.channels, (side, side))]
    output = net(sources)
    for image in (output.fused, *output.reconstructions):
        assert_is(image, sources[0].shape, device, dtype)
    assert {maps.dtype for kind in output.features.values() for maps in kind} <= {dtype}
    output.fused.square().mean().backward()
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    small = [source[..., : side - 3, : side - 5] for source in sources]
    assert_is(net.eval().fuse(small), small[0].shape, device, dtype)


@on_every_device
@in_every_dtype
@pytest.mark.parametrize("name", list_discriminators())
def test_a_discriminator_judges(name, device, dtype):
    net = create_discriminator(name, ndf=4).to(device, dtype)
    scores = net(torch.rand(2, 3, 32, 32, device=device, dtype=dtype))
    assert_is(scores, (2, 1, *scores.shape[-2:]), device, dtype)


@on_every_device
@in_every_dtype
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_finite(name, device, dtype):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.rand(shape, generator=generator).to(device, dtype).requires_grad_() for shape in LOSSES[name][1]]
    expected = torch.promote_types(dtype, torch.float32) if name in PRECISE else dtype
    terms = terms_of(name, tensors)
    for term in terms:
        assert_is(term, term.shape, device, expected)
    torch.stack([term.sum() for term in terms]).sum().backward()
    for tensor in tensors:
        assert_is(tensor.grad, tensor.shape, device, dtype)


@on_every_device
@in_every_dtype
def test_losses_with_a_network_are_finite(device, dtype):
    torch.manual_seed(0)
    fused, target = torch.rand(2, 2, 3, 32, 32).to(device, dtype).unbind(0)
    penalty = gradient_penalty(nn.Conv2d(3, 1, 3).to(device, dtype), target, fused)
    assert_is(penalty, (), device, torch.promote_types(dtype, torch.float32))
    weights = torchvision.models.resnet18(weights=None).state_dict()
    perceptual = PerceptualLoss("resnet18", weights, "random weights").to(device, dtype)
    assert_is(perceptual(fused, target), (), device, dtype)
