"""A training procedure to start from: copy this file, rename the class, change the loss.

Then add its options to `options/models.py`, a frozen dataclass, and a line to `options/registry.py`: its name, that
dataclass and this class. `docs/adding_a_model.md` walks through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from models.base_model import BaseModel, Engine, OptimizerSettings
from models.generators.base import Generator


class TemplateModel(BaseModel):
    """Trains a generator with a plain L1 loss.

    Args:
        engine: the machine.
        netG: the generator.
        netD: not used here: `needs_discriminator` says no, so none is made.
        settings: how networks are updated.
        lambda_regression: weight of the loss.
    """

    def __init__(
        self,
        engine: Engine,
        netG: Generator,
        netD: nn.Module | None,
        settings: OptimizerSettings,
        *,
        lambda_regression: float = 1.0,
    ) -> None:
        del netD
        super().__init__(engine, netG, settings)
        self.lambda_regression = lambda_regression
        self.netG = self.add_network("G", netG)

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch: "sources" (B, N, C, H, W) and "target" (B, C, H, W), both in [0, 1]."""
        self.sources, self.target = self.take_images(batch)

    def forward(self) -> None:
        """Fuses the batch."""
        self.fused = self.netG(self.sources).fused

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        self.visuals = {"fused": self.fused.detach(), "target": self.target}

    def _loss_G(self) -> Tensor:
        loss = self.lambda_regression * functional.l1_loss(self.fused, self.target)
        self.losses["G"] = loss.detach()
        return loss
