"""What every discriminator is: a module that judges images."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Discriminator(nn.Module, ABC):
    """Base of all discriminators. What it returns are logits: `models.losses.gan` applies the sigmoid where needed."""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Judges (B, C, H, W) in the range of the generator's `normalisation`.

        Returns:
            A map (B, 1, H', W') of unbounded scores, larger for more real.
        """
