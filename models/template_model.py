"""A training procedure to start from: copy this file, rename the class, change the loss.

Then add its options to `options/models.py`, a frozen dataclass, and a line to `options/registry.py`: its name, that
dataclass and this class. `docs/adding_a_model.md` walks through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from models.base_model import BaseModel, Runtime
from models.generators.base import Generator
from options.models import ModelOptions
from options.training import TrainingOptions


class TemplateModel(BaseModel):
    """Trains a generator with a plain L1 loss."""

    options: ModelOptions

    def __init__(
        self,
        runtime: Runtime,
        netG: Generator,
        netD: nn.Module | None,
        training: TrainingOptions,
        options: ModelOptions,
    ) -> None:
        super().__init__(runtime, netG, netD, training, options)
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
        loss = functional.l1_loss(self.fused, self.target)
        self.losses["G"] = loss.detach()
        return loss
