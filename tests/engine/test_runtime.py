import logging

import pytest
import torch

from engine.runtime import Runtime
from util.errors import UserError


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"--gpu_ids 0,1: no GPU is on this machine; -1 is the CPU"):
        Runtime(gpu_ids="0,1")


def test_without_a_gpu_and_a_wish_the_cpu_is_used_and_said(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.INFO):
        assert Runtime().device == torch.device("cpu")
        assert [record.message for record in caplog.records if "CPU" in record.message]
        caplog.clear()
        Runtime(gpu_ids="-1")
        assert not caplog.records


def test_the_seed_decides_the_random_numbers_and_their_state_comes_back():
    runtime = Runtime(gpu_ids="-1", seed=3)
    first = torch.rand(4)
    state = runtime.random_state()
    second = torch.rand(4)
    runtime.set_random_state(state)
    assert torch.equal(torch.rand(4), second)
    Runtime(gpu_ids="-1", seed=3)
    assert torch.equal(torch.rand(4), first)


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_networks_keep_32_bit_weights_and_return_32_bit_images(precision):
    runtime = Runtime(gpu_ids="-1", precision=precision)
    net = torch.nn.Conv2d(3, 3, 3)
    optimizer = torch.optim.Adam(net.parameters())
    wrapped, optimizer = runtime.prepare(net, optimizer)
    output = wrapped(runtime.to_device(torch.randn(1, 3, 8, 8)))
    assert output.dtype == torch.float32
    assert net.weight.dtype == torch.float32
    with runtime.autocast():
        assert net(torch.randn(1, 3, 8, 8)).dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
    runtime.backward(output.sum())
    optimizer.step()
    assert torch.isfinite(net.weight).all()


def test_images_are_channels_last_unless_told_otherwise():
    image = torch.randn(1, 3, 8, 8)
    assert Runtime(gpu_ids="-1").to_device(image).is_contiguous(memory_format=torch.channels_last)
    plain = Runtime(gpu_ids="-1", channels_last=False).to_device(image)
    assert plain.is_contiguous()
