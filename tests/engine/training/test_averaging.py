import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from engine.training.averaging import moving_average


def test_the_moving_average_follows_at_first_and_then_slowly():
    net = torch.nn.Linear(1, 1, bias=False)
    averaged = AveragedModel(net, avg_fn=moving_average(0.9), use_buffers=True)
    expected = None
    for step in range(200):
        with torch.no_grad():
            net.weight.fill_(float(step))
        averaged.update_parameters(net)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = float(step) if expected is None else decay * expected + (1 - decay) * step
    assert averaged.module.weight.item() == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(199 - 9, rel=1e-3), "a ramp is followed at a distance of decay / (1 - decay)"


def test_counters_are_copied_and_statistics_averaged():
    net = torch.nn.BatchNorm2d(2)
    averaged = AveragedModel(net, avg_fn=moving_average(0.5), use_buffers=True)
    for _ in range(3):
        net(torch.randn(4, 2, 3, 3))
        averaged.update_parameters(net)
    assert int(averaged.module.num_batches_tracked) == 3
    assert not torch.equal(averaged.module.running_mean, net.running_mean)
