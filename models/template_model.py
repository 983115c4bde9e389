"""A training procedure to start from: copy this file, rename the class, change the loss.

Then add its options to `options/models.py`, a frozen dataclass, and a line to `options/registry.py`: its name, that
dataclass and this class. `docs/adding_a_model.md` walks through it.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from models.base_model import BaseModel
from options.models import ModelOptions


class TemplateModel(BaseModel):
    """Trains a generator with a plain L1 loss."""

    options: ModelOptions

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
