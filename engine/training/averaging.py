"""The moving average of the generator that --ema keeps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged_copy(network: nn.Module, decay: float) -> AveragedModel:
    """A copy whose weights and buffers follow those of the network, see `moving_average`."""
    return AveragedModel(network, avg_fn=moving_average(decay), use_buffers=True)


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Returns an exponential moving average for `AveragedModel` that forgets the initial weights soon.

    The n-th update uses the decay min(decay, (1 + n) / (10 + n)), so that early on the average follows at once what
    the network learns fastest.
    """

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():  # batch norm's counter of batches
            return current
        # Tensors throughout: a Python number of the count would make every step wait for the device.
        count = torch.as_tensor(updates, device=averaged.device)
        now = ((1 + count) / (10 + count)).clamp(max=decay)
        return torch.lerp(averaged, current, (1 - now).to(averaged.dtype))

    return average
