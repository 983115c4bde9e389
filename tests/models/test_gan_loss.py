from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from models import create_discriminator
from models.losses.gan import GANLoss, gradient_penalty
from util.errors import UserError

SCORES = torch.tensor([[[[0.0, 2.0]]]])


@pytest.mark.parametrize(
    ("mode", "real", "fake"),
    [
        ("vanilla", (math.log(2) + math.log1p(math.exp(-2))) / 2, (math.log(2) + math.log1p(math.exp(2))) / 2),
        ("lsgan", 1.0, 2.0),
        ("wgangp", -1.0, 1.0),
    ],
)
def test_values_by_hand(mode, real, fake):
    loss = GANLoss(mode)
    assert loss(SCORES, True).item() == pytest.approx(real)
    assert loss(SCORES, False).item() == pytest.approx(fake)
    assert loss(SCORES, True).shape == ()
    assert not list(loss.state_dict()), "it has nothing to save"


def test_vanilla_stays_finite_far_out():
    scores = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = GANLoss("vanilla")(scores, True)
    loss.backward()
    assert loss.item() == pytest.approx(5e3)
    assert torch.isfinite(scores.grad).all()


def test_unknown_mode():
    with pytest.raises(UserError, match=r"gan_mode 'lsgn'.*did you mean lsgan"):
        GANLoss("lsgn")


class Weighted(nn.Module):
    """Sums `power`-th powers of the image, times a factor."""

    def __init__(self, factor, power=1):
        super().__init__()
        self.factor, self.power = nn.Parameter(torch.tensor(factor)), power

    def forward(self, image):
        return (self.factor * image**self.power).sum((1, 2, 3))


def test_penalty_of_a_linear_judge_is_known():
    # gradient = factor at each of 12 values, so its length is factor · √12, wherever it is taken
    judge = Weighted(0.5)
    real, fake = torch.rand(4, 3, 2, 2), torch.rand(4, 3, 2, 2)
    penalty = gradient_penalty(judge, real, fake, weight=10.0)
    assert penalty.item() == pytest.approx(10 * (0.5 * math.sqrt(12) - 1) ** 2, rel=1e-5)
    penalty.backward()
    assert judge.factor.grad.item() == pytest.approx(20 * (0.5 * math.sqrt(12) - 1) * math.sqrt(12), rel=1e-5)


def test_penalty_is_taken_between_real_and_fake_with_one_share_per_image():
    # score = Σ x²/2, gradient = x: from the length one can tell where each image was taken
    places = []

    class Spy(Weighted):
        def forward(self, image):
            places.append(image.detach())
            return super().forward(image)

    torch.manual_seed(0)
    gradient_penalty(Spy(0.5, power=2), torch.ones(64, 1, 2, 2), torch.zeros(64, 1, 2, 2))
    shares = places[0].flatten(1)
    assert torch.equal(shares, shares[:, :1].expand(-1, 4)), "one share per image"
    assert shares.min() < 0.1
    assert shares.max() > 0.9
    assert len(shares[:, 0].unique()) == 64


def test_penalty_trains_a_real_discriminator_but_not_the_generator():
    net = create_discriminator("basic", ndf=2, norm="instance")
    fake = torch.rand(2, 3, 32, 32, requires_grad=True)
    gradient_penalty(net, torch.rand(2, 3, 32, 32), fake).backward()
    assert fake.grad is None
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())
    assert net.model[0].weight.grad.abs().sum() > 0


def test_penalty_where_the_gradient_is_zero_is_finite():
    judge = Weighted(0.0)
    penalty = gradient_penalty(judge, torch.rand(2, 1, 2, 2), torch.rand(2, 1, 2, 2))
    penalty.backward()
    assert penalty.item() == pytest.approx(10.0)
    assert torch.isfinite(judge.factor.grad)
