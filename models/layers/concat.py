"""Concatenated sources, for networks with a fixed number of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from util.errors import UserError


def concatenate_sources(sources: Sequence[Tensor], num_sources: int) -> Tensor:
    """Concatenates N sources (B, C, H, W) along the channels: (B, N · C, H, W).

    Raises:
        UserError: N is not `num_sources`.

    Example:
        >>> concatenate_sources([torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)], num_sources=2).shape
        torch.Size([1, 6, 4, 4])
    """
    if len(sources) != num_sources:
        raise UserError(
            f"{len(sources)} sources: this generator concatenates them and was built with num_sources {num_sources}"
        )
    return torch.cat(tuple(sources), dim=1)
