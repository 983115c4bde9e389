from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from models import create_generator
from models.init import init_weights
from options.training import INIT_TYPES
from util.errors import UserError


def network():
    return nn.Sequential(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(4096), nn.ConvTranspose2d(128, 64, 3), nn.Linear(64, 32))


@pytest.mark.parametrize("init_type", INIT_TYPES)
def test_weights_have_the_distribution_of_their_kind(init_type):
    net = network()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 7.0)
    torch.manual_seed(0)
    gain = 0.02
    init_weights(net, init_type, gain)
    conv, norm, _, linear = net
    for layer in net:
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert norm.weight.std().item() == pytest.approx(gain, rel=0.05)
    fan_in, fan_out = 64 * 9, 128 * 9
    expected = {
        "normal": gain,
        "xavier": gain * math.sqrt(2 / (fan_in + fan_out)),
        "kaiming": math.sqrt(2 / fan_in),
        "orthogonal": gain / math.sqrt(fan_in),
    }
    assert conv.weight.mean().item() == pytest.approx(0.0, abs=0.02 * expected[init_type])
    assert conv.weight.std().item() == pytest.approx(expected[init_type], rel=0.02)
    if init_type == "orthogonal":
        torch.testing.assert_close(linear.weight @ linear.weight.T, gain**2 * torch.eye(32), rtol=1e-4, atol=1e-7)


def test_draws_follow_the_global_seed_and_shared_layers_are_drawn_once():
    first, second = (create_generator("R2GAN_generator", ngf=2) for _ in range(2))
    for net in (first, second):
        torch.manual_seed(3)
        init_weights(net)
    after = torch.rand(1)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    plain = create_generator("resnet_6blocks", ngf=2, num_sources=1)
    torch.manual_seed(3)
    init_weights(plain)
    assert torch.equal(torch.rand(1), after), "encoder and one decoder are all that is drawn"


def test_unknown_type():
    with pytest.raises(UserError, match=r"init_type 'xavir'.*did you mean xavier"):
        init_weights(network(), "xavir")
