"""Sources as channels of one image, for networks that know a fixed number of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from util.errors import UserError


def concatenate_sources(sources: Sequence[Tensor], num_sources: int) -> Tensor:
    """N sources (B, C, H, W) → (B, N · C, H, W).

    Raises:
        UserError: N is not `num_sources`.
    """
    if len(sources) != num_sources:
        raise UserError(
            f"{len(sources)} sources: this generator concatenates them and was built with num_sources {num_sources}"
        )
    return torch.cat(tuple(sources), dim=1)
