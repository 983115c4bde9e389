"""What holds for every registered discriminator."""

from __future__ import annotations

import pytest
import torch

from models import create_discriminator, list_discriminators
from models.weights import load_weights
from util.errors import UserError


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("name", list_discriminators())
def test_training_reaches_every_parameter_and_weights_round_trip(name, norm):
    torch.manual_seed(0)
    net = create_discriminator(name, input_nc=1, ndf=2, norm=norm)
    image = torch.rand(2, 1, 40, 56)
    scores = net(image)
    assert scores.shape == ((2, 1, 40, 56) if name == "pixel" else (2, 1, 3, 5))
    (scores - 0.3).square().mean().backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    other = create_discriminator(name, input_nc=1, ndf=2, norm=norm)
    load_weights(other, net.state_dict(), "memory")
    assert torch.equal(other.eval()(image), net.eval()(image))


@pytest.mark.parametrize(("n_layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_patch_has_the_size_that_the_paper_gives(n_layers, field):
    net = create_discriminator("n_layers", ndf=2, n_layers=n_layers, norm="none")
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    scores = net(image)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    seen = image.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field, field]


def test_needs_a_layer():
    with pytest.raises(UserError, match="n_layers 0: expected a number from 1 to 10"):
        create_discriminator("n_layers", n_layers=0)
