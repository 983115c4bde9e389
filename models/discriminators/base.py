"""What every discriminator is: a module that judges images."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Discriminator(nn.Module, ABC):
    """Base of all discriminators. They return logits: `models.losses.gan` applies the sigmoid where needed."""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Judges images (B, C, H, W) in the range of the generator's `normalisation`.

        Returns:
            A map (B, 1, H', W') of unbounded scores, larger for more real.
        """
