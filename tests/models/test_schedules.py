from __future__ import annotations

import pytest
import torch

from models.schedules import build_scheduler, linear_factor, multistep_factor, restore_scheduler
from options.training import TrainingOptions


def options(policy, **more):
    return TrainingOptions(lr_policy=policy, n_epochs=3, n_epochs_decay=4, lr_decay_iters=2, **more)


def rates(policy, epochs, value=None):
    """Returns the learning rate in each of the first `epochs` epochs, starting from 1; 3 constant, 4 decaying."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build_scheduler(optimizer, options(policy, lr_milestones=(1, 4, 5)))
    seen = []
    for epoch in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if policy == "plateau":
            scheduler.step(value(epoch))
        else:
            scheduler.step()
    return seen


def test_linear():
    assert rates("linear", 8) == pytest.approx([1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])
    assert linear_factor(99, 100, 100) == 1.0
    assert linear_factor(199, 100, 100) == pytest.approx(1 / 101)
    assert linear_factor(500, 100, 100) == 0.0
    assert linear_factor(2, 3, 0) == 1.0


def test_step():
    assert rates("step", 6) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_multistep():
    assert rates("multistep", 7) == pytest.approx([1, 0.1, 0.1, 0.1, 0.01, 0.001, 0.001])
    assert multistep_factor(19, (20, 40), 0.5) == 1
    assert multistep_factor(20, (20, 40), 0.5) == 0.5
    assert multistep_factor(99, (20, 40), 0.5) == 0.25


def test_cosine():
    assert rates("cosine", 8) == pytest.approx(
        [0.5 * (1 + torch.cos(torch.tensor(torch.pi * epoch / 7)).item()) for epoch in range(8)], abs=1e-6
    )


def test_plateau():
    assert rates("plateau", 14, value=lambda epoch: 1.0) == pytest.approx([1] * 7 + [0.2] * 6 + [0.04])
    assert rates("plateau", 12, value=lambda epoch: 1.0 if epoch < 5 else 1.015) == [1.0] * 12, "1.5 % are progress"
    assert rates("plateau", 12, value=lambda epoch: 1.0 if epoch < 5 else 1.005)[-1] < 1, "half a per cent is not"
    assert rates("plateau", 8, value=lambda epoch: 0.9**epoch)[-1] == pytest.approx(0.2), "falling is not"


@pytest.mark.parametrize("policy", ["linear", "step", "multistep", "cosine", "plateau"])
def test_state_goes_on_where_it_stopped(policy, tmp_path):
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, build_scheduler(optimizer, options(policy, lr_milestones=(2, 5)))

    def advance(optimizer, scheduler, epochs):
        for _ in range(epochs):
            optimizer.step()
            scheduler.step(*([1.0] if policy == "plateau" else []))
        return optimizer.param_groups[0]["lr"]

    through, halves, again = make(), make(), make()
    advance(*halves, 4)
    torch.save([part.state_dict() for part in halves], tmp_path / "state.pth")
    optimizer_state, scheduler_state = torch.load(tmp_path / "state.pth", weights_only=True)
    again[0].load_state_dict(optimizer_state)
    restore_scheduler(again[1], scheduler_state)
    assert advance(*again, 3) == advance(*through, 7)


def test_more_epochs_than_before_follow_the_new_schedule():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    short = build_scheduler(optimizer, TrainingOptions(n_epochs=1, n_epochs_decay=0))
    optimizer.step()
    short.step()
    assert optimizer.param_groups[0]["lr"] == 0
    saved = optimizer.state_dict(), short.state_dict()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    longer = build_scheduler(optimizer, TrainingOptions(n_epochs=3, n_epochs_decay=0))
    optimizer.load_state_dict(saved[0])
    restore_scheduler(longer, saved[1])
    assert (optimizer.param_groups[0]["lr"], longer.last_epoch) == (0.5, 1)
