"""A batch that is computed in parts."""

import torch
from torch import nn

from models.base_model import split_batch
from models.layers.modes import frozen_statistics


def test_a_batch_is_cut_into_equal_parts_in_order():
    batch = {"sources": torch.arange(24.0).view(6, 2, 2), "name": list("abcdef")}
    parts = split_batch(batch, 3)
    assert [part["name"] for part in parts] == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert torch.equal(torch.cat([part["sources"] for part in parts]), batch["sources"])


def test_statistics_that_are_frozen_stay_and_then_go_on():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(4, 1, 5, 5)
    with frozen_statistics(network):
        inside = network(images)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(network(images), inside), "batch statistics are used all the same"
    assert network[1].num_batches_tracked == 1
    assert not torch.equal(network[1].running_mean, before["1.running_mean"])
