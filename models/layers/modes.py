"""Contexts in which a network stays in training mode, except for one kind of layer."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Stops updates of batch norm's running statistics; the layers still normalise by the statistics of the batch."""
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.BatchNorm2d, nn.SyncBatchNorm))]
    before = [(layer.momentum, copy.deepcopy(layer.num_batches_tracked)) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


@contextlib.contextmanager
def no_dropout(network: nn.Module) -> Iterator[None]:
    """Disables dropout."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout) and layer.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()
